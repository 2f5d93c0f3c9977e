"""Implied volatility and greeks of options by their last prices, with Black's model on a forward (contract 2.5.3).

The forward is the synthetic future of the expiry: what the options themselves say. Where the call or the put at the
money has no price, it is the price of the underlying.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Invalid, NotFound
from openalgo_bridge.model import black76
from openalgo_bridge.model.black76 import DAYS_A_YEAR, Greeks, ImpossiblePrice, NoTimeValue, Option
from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.options import at_the_money
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import Contract, long_date, parse, split_underlying
from openalgo_bridge.model.trading_hours import expires
from openalgo_bridge.trading import options
from openalgo_bridge.trading.books import connected
from openalgo_bridge.trading.market import listed
from openalgo_bridge.trading.options import Underlying

_A_DAY = timedelta(days=1)
_PERCENT = 100.0
_NO_GREEKS = Greeks(delta=0.0, gamma=0.0, theta=0.0, vega=0.0, rho=0.0)
_NO_TIME_VALUE = "No time value: the option is worth what exercising it would bring."


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedOption:
    """One option whose greeks are asked for. ``underlying`` and its exchange say whose price counts: a share or index,
    or a future, whose price then is the forward.
    """

    exchange: Exchange
    symbol: str
    underlying: str | None = None
    underlying_exchange: Exchange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the model is given: the rate in per cent a year, a ``forward`` in rupees (None: find it), and the time of
    day in India at which options expire (None: the exchange's).
    """

    rate: Decimal = Decimal(0)
    forward: Decimal | None = None
    expires_at: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """What a price says. ``volatility`` is a fraction. ``time_value`` is what it is above ``intrinsic``, in rupees;
    ``note`` says why there are no real greeks, where there are none.
    """

    volatility: float
    greeks: Greeks
    intrinsic: float
    time_value: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuedOption:
    """One option, the prices in rupees that it was valued by, and what they say."""

    contract: Contract
    name: NamedOption
    forward: Decimal
    price: Decimal
    days: float
    rate: Decimal
    valuation: Valuation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """Options that share a forward. The price of ``source`` is the forward itself where ``is_forward``."""

    base: str
    exchange: Exchange
    expiry: date
    source: Instrument
    is_forward: bool

    def underlying(self, quote: Quote) -> Underlying:
        """With its price."""
        return Underlying(
            name=self.base, exchange=self.exchange, expiry=self.expiry, instrument=self.source, quote=quote
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One option that has not expired. ``series`` is None where the caller brings the forward."""

    name: NamedOption
    contract: Contract
    option: Instrument
    days: float
    series: _Series | None


_Pair = tuple[Decimal, Instrument, Instrument]
_Quotes = Mapping[Instrument, Quote]


def valuation(option: Option, worth: float) -> Valuation:
    """What a price in rupees says of an option. Raises ImpossiblePrice where no volatility gives it."""
    try:
        volatility = black76.implied_volatility(option, worth)
        found, note = black76.greeks(option, volatility), ""
    except NoTimeValue:
        delta = 1.0 if option.is_call else -1.0
        volatility, found, note = 0.0, replace(_NO_GREEKS, delta=delta), _NO_TIME_VALUE
    return Valuation(
        volatility=volatility,
        greeks=found,
        intrinsic=option.intrinsic,
        time_value=max(0.0, worth - option.intrinsic),
        note=note,
    )


def value_one(desk: Desk, name: NamedOption, terms: Terms) -> ValuedOption:
    """One option. Raises Invalid for what is no option or has expired, NotFound without a price, and a BrokerError."""
    (valued,) = value(desk, [name], terms)
    if isinstance(valued, BridgeError):
        raise valued
    if not valued.days:
        raise Invalid(valued.valuation.note)
    return valued


def value(desk: Desk, names: Sequence[NamedOption], terms: Terms) -> list[ValuedOption | BridgeError]:
    """Several options in their order, each with its own refusal. What has expired has greeks of 0 and a note.

    The broker is asked twice, however many there are. Raises a BrokerError, and StorageError.
    """
    now = desk.clock.now()
    asked = [_asked(desk, name, terms, now) for name in names]
    live = [each for each in asked if isinstance(each, _Asked)]
    series = {each.series for each in live if each.series is not None}
    spots = _quotes(desk, (each.source for each in series))
    pairs = {each: _pair(desk, each, spots) for each in series}
    beside = [option for _, *both in filter(None, pairs.values()) for option in both]
    prices = _quotes(desk, [*(each.option for each in live), *beside])
    forwards = {each: _forward(each, pairs[each], spots, prices) for each in series}
    return [_valued(each, forwards, prices, terms) if isinstance(each, _Asked) else each for each in asked]


def _asked(desk: Desk, name: NamedOption, terms: Terms, now: datetime) -> _Asked | ValuedOption | BridgeError:
    try:
        contract = parse(name.symbol, name.exchange)
        if contract.expiry is None or not contract.kind.is_option:
            return Invalid(f"{name.symbol} is not an option.")
        left = expires(name.exchange, contract.expiry, terms.expires_at) - now
        if left <= timedelta(0):
            return _expired(name, contract, contract.expiry, terms)
        return _Asked(
            name=name,
            contract=contract,
            option=listed(desk, name.exchange, name.symbol),
            days=left / _A_DAY,
            series=None if terms.forward else _series(desk, name, contract.base, contract.expiry),
        )
    except (Invalid, NotFound) as refusal:
        return refusal


def _series(desk: Desk, name: NamedOption, base: str, expiry: date) -> _Series:
    at = name.underlying_exchange or name.exchange
    named = None if name.underlying is None else desk.store.instruments.find(at, name.underlying)
    if named is None or named.kind is not Kind.FUT or named.left_on is not None:
        source, is_forward = _source(desk, name.underlying or base, at, expiry), False
    else:
        source, is_forward = named, True
    return _Series(base=base, exchange=name.exchange, expiry=expiry, source=source, is_forward=is_forward)


def _source(desk: Desk, underlying: str, exchange: Exchange, expiry: date) -> Instrument:
    base, future = split_underlying(underlying)
    return options.price_source(desk, base, exchange, future=future, expiry=expiry)


def _pair(desk: Desk, series: _Series, spots: _Quotes) -> _Pair | None:
    """The options at the money, as far as they are needed and listed."""
    spot = spots.get(series.source)
    if spot is None or series.is_forward:
        return None
    of = series.underlying(spot)
    try:
        strike = at_the_money(options.strikes_of(desk, of, series.expiry), of.ltp)
        return strike, *options.pair(desk, of, series.expiry, strike)
    except NotFound:
        return None


def _forward(series: _Series, pair: _Pair | None, spots: _Quotes, prices: _Quotes) -> Decimal | None:
    """None where the underlying has no price."""
    spot = spots.get(series.source)
    if spot is None or pair is None:
        return None if spot is None else spot.ltp
    try:
        return options.parity(*pair, prices.get).price
    except NotFound:
        return spot.ltp


def _valued(
    asked: _Asked, forwards: Mapping[_Series, Decimal | None], prices: _Quotes, terms: Terms
) -> ValuedOption | BridgeError:
    quote = prices.get(asked.option)
    if quote is None:
        return NotFound("Option LTP not available")
    forward = terms.forward if asked.series is None else forwards[asked.series]
    if not forward:
        return NotFound("Underlying LTP not available")
    option = Option(
        is_call=asked.contract.kind is Kind.CE,
        forward=float(forward),
        strike=float(asked.contract.strike),
        years=asked.days / DAYS_A_YEAR,
        rate=float(terms.rate) / _PERCENT,
    )
    try:
        found = valuation(option, float(quote.ltp))
    except ImpossiblePrice:
        return Invalid(f"No volatility gives {asked.name.symbol} a price of {quote.ltp} with a forward of {forward}.")
    return ValuedOption(
        name=asked.name,
        contract=asked.contract,
        forward=forward,
        price=quote.ltp,
        days=asked.days,
        rate=terms.rate,
        valuation=found,
    )


def _expired(name: NamedOption, contract: Contract, expiry: date, terms: Terms) -> ValuedOption:
    note = f"Option has expired on {long_date(expiry)}"
    return ValuedOption(
        name=name,
        contract=contract,
        forward=Decimal(0),
        price=Decimal(0),
        days=0.0,
        rate=terms.rate,
        valuation=Valuation(volatility=0.0, greeks=_NO_GREEKS, intrinsic=0.0, time_value=0.0, note=note),
    )


def _quotes(desk: Desk, instruments: Iterable[Instrument]) -> dict[Instrument, Quote]:
    """Of those that have a price."""
    wanted = list(dict.fromkeys(instruments))
    if not wanted:
        return {}
    found = connected(desk).broker.quotes(wanted)
    return {each: quote for each, quote in zip(wanted, found, strict=True) if quote is not None and quote.ltp > 0}
