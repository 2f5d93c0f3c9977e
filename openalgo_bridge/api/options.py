"""Endpoints that tell about options (contract 2.5)."""

from __future__ import annotations

from decimal import Decimal

from openalgo_bridge.api import option_answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.options import (
    GreeksOf,
    MultiOptionGreeks,
    OptionChain,
    OptionGreeks,
    OptionsOf,
    OptionSymbol,
    Synthetic,
)
from openalgo_bridge.trading import option_chain as chains
from openalgo_bridge.trading import option_greeks as greeks
from openalgo_bridge.trading import options
from openalgo_bridge.trading.option_greeks import NamedOption, Terms
from openalgo_bridge.trading.options import Underlying


def option_symbol(call: Call) -> Json:
    """``POST /optionsymbol``"""
    asked = call.parsed(OptionSymbol)
    of = _underlying(call, asked)
    found = options.contract(call.desk, of, asked.offset, asked.option_type, strike_int=asked.strike_int)
    return option_answers.option_symbol(found, of)


def option_chain(call: Call) -> Json:
    """``POST /optionchain``"""
    asked = call.parsed(OptionChain)
    rate = asked.interest_rate or Decimal(0)
    found = chains.chain(
        call.desk,
        _underlying(call, asked),
        around=asked.strike_count,
        rate=rate if asked.with_greeks else None,
    )
    return option_answers.option_chain(found)


def option_greeks(call: Call) -> Json:
    """``POST /optiongreeks``"""
    asked = call.parsed(OptionGreeks)
    terms = Terms(
        rate=asked.interest_rate or Decimal(0),
        forward=asked.forward_price or None,
        expires_at=asked.expiry_time,
    )
    return option_answers.option_greeks(greeks.value_one(call.desk, _named(asked), terms))


def multi_option_greeks(call: Call) -> Json:
    """``POST /multioptiongreeks``"""
    asked = call.parsed(MultiOptionGreeks)
    names = [_named(each) for each in asked.symbols]
    terms = Terms(rate=asked.interest_rate or Decimal(0), expires_at=asked.expiry_time)
    return option_answers.multi_option_greeks(names, greeks.value(call.desk, names, terms))


def synthetic_future(call: Call) -> Json:
    """``POST /syntheticfuture``"""
    of = _underlying(call, call.parsed(Synthetic))
    return option_answers.synthetic_future(options.synthetic_future(call.desk, of, of.expiry_of()), of)


def _underlying(call: Call, asked: OptionsOf) -> Underlying:
    return options.underlying(call.desk, asked.underlying, asked.exchange, asked.expiry_date)


def _named(asked: GreeksOf) -> NamedOption:
    return NamedOption(
        exchange=asked.exchange,
        symbol=asked.symbol,
        underlying=asked.underlying_symbol,
        underlying_exchange=asked.underlying_exchange,
    )
