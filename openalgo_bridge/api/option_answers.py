"""How the dialect spells options, chains and greeks (contract 2.5): prices and volatility to two places."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from openalgo_bridge.api.answers import Json
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.redaction import scrub
from openalgo_bridge.model.symbol import compact_date, long_date
from openalgo_bridge.trading.option_chain import Chain, ChainOption, ChainStrike
from openalgo_bridge.trading.option_greeks import NamedOption, Valuation, ValuedOption
from openalgo_bridge.trading.options import SyntheticFuture, Underlying

_PERCENT = 100
_ALL_FAILED = "None of the options could be valued. Each result says why."


def option_symbol(option: Instrument, underlying: Underlying) -> Json:
    """``optionsymbol``: everything at the top level (contract 2.5.1)."""
    return {
        "status": "success",
        "symbol": option.symbol,
        "exchange": option.exchange,
        "lotsize": option.lot,
        "tick_size": float(option.tick),
        "freeze_qty": option.freeze_quantity,
        "underlying_ltp": _rupees(underlying.ltp),
    }


def option_chain(chain: Chain) -> Json:
    """``optionchain`` (contract 2.5.2)."""
    of = chain.underlying
    return {
        "status": "success",
        "underlying": of.name,
        "underlying_symbol": of.instrument.symbol,
        "underlying_exchange": of.instrument.exchange,
        "underlying_ltp": _rupees(of.ltp),
        "underlying_prev_close": _rupees(of.quote.prev_close),
        "expiry_date": compact_date(chain.expiry),
        "expiry_ts": int(chain.expires.timestamp()),
        "server_ts": int(chain.read_at.timestamp()),
        "atm_strike": float(chain.at_the_money),
        "quotes_included": True,
        "greeks_included": chain.forward is not None,
        "forward_price": None if chain.forward is None else _rupees(chain.forward),
        "chain": [_strike(each) for each in chain.strikes],
    }


def option_greeks(valued: ValuedOption) -> Json:
    """``optiongreeks``. Its ``spot_price`` is the forward that was used (contract 2.5.3, 5.2 item 28)."""
    contract, found = valued.contract, valued.valuation
    return {
        "status": "success",
        "symbol": valued.name.symbol,
        "exchange": valued.name.exchange,
        "underlying": contract.base,
        "strike": float(contract.strike),
        "option_type": contract.kind,
        "expiry_date": "" if contract.expiry is None else long_date(contract.expiry),
        "days_to_expiry": round(valued.days, 4),
        "spot_price": _rupees(valued.forward),
        "option_price": _rupees(valued.price),
        "interest_rate": float(valued.rate),
        "implied_volatility": round(found.volatility * _PERCENT, 2),
        "greeks": {**_greeks(found), "rho": round(found.greeks.rho, 6)},
        **_without_time_value(found),
    }


def multi_option_greeks(names: Sequence[NamedOption], found: Sequence[ValuedOption | BridgeError]) -> Json:
    """``multioptiongreeks``: always 200, with each result's own status (contract 2.5.4)."""
    rows = [
        _failed(name, each) if isinstance(each, BridgeError) else option_greeks(each)
        for name, each in zip(names, found, strict=True)
    ]
    faults = sum(isinstance(each, BridgeError) for each in found)
    answer = {
        "status": "success" if not faults else "error" if faults == len(rows) else "partial",
        "data": rows,
        "summary": {"total": len(rows), "success": len(rows) - faults, "failed": faults},
    }
    return {**answer, "message": _ALL_FAILED} if faults == len(rows) else answer


def synthetic_future(future: SyntheticFuture, underlying: Underlying) -> Json:
    """``syntheticfuture`` (contract 2.5.5)."""
    return {
        "status": "success",
        "underlying": underlying.name,
        "underlying_ltp": _rupees(underlying.ltp),
        "expiry": compact_date(underlying.expiry_of()),
        "atm_strike": float(future.strike),
        "synthetic_future_price": _rupees(future.price),
    }


def _failed(name: NamedOption, fault: BridgeError) -> Json:
    return {"status": "error", "symbol": name.symbol, "exchange": name.exchange, "message": scrub(fault.message)}


def _strike(at: ChainStrike) -> Json:
    return {"strike": float(at.strike), "ce": _leg(at.call), "pe": _leg(at.put)}


def _leg(option: ChainOption | None) -> Json | None:
    if option is None:
        return None
    quote, found = option.quote, option.valuation
    return {
        "symbol": option.instrument.symbol,
        "label": str(option.offset),
        "ltp": float(quote.ltp) if quote else 0.0,
        "bid": float(quote.bid) if quote else 0.0,
        "ask": float(quote.ask) if quote else 0.0,
        "bid_qty": quote.bid_quantity if quote else 0,
        "ask_qty": quote.ask_quantity if quote else 0,
        "open": float(quote.open) if quote else 0.0,
        "high": float(quote.high) if quote else 0.0,
        "low": float(quote.low) if quote else 0.0,
        "prev_close": float(quote.prev_close) if quote else 0.0,
        "volume": quote.volume if quote else 0,
        "oi": quote.oi if quote else 0,
        "lotsize": option.instrument.lot,
        "tick_size": float(option.instrument.tick),
        **({} if found is None else _chain_greeks(found)),
    }


def _chain_greeks(found: Valuation) -> Json:
    return {"implied_volatility": round(found.volatility * _PERCENT, 2), **_greeks(found)}


def _greeks(found: Valuation) -> Json:
    return {
        "delta": round(found.greeks.delta, 4),
        "gamma": round(found.greeks.gamma, 6),
        "theta": round(found.greeks.theta, 4),
        "vega": round(found.greeks.vega, 4),
    }


def _without_time_value(found: Valuation) -> Json:
    if not found.note:
        return {}
    return {
        "intrinsic_value": round(found.intrinsic, 2),
        "time_value": round(found.time_value, 2),
        "note": found.note,
    }


def _rupees(price: Decimal) -> float:
    return float(round(price, 2))
