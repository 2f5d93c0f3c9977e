"""What an options request means now: its underlying, its expiry, and the listed contract of an offset (contract 2.5.1).

Prices come from the broker of the current trading mode, contracts from the instrument list. Nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError, Invalid, NotFound
from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.instrument import OPTIONS, Instrument, Kind, spot_exchange
from openalgo_bridge.model.options import Offset, OptionType, at_the_money, on_grid, strike_at
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import (
    Contract,
    compact_date,
    derivative_exchange,
    lists_contracts,
    split_underlying,
    symbol_of,
)
from openalgo_bridge.model.trading_hours import next_expiry_day
from openalgo_bridge.trading.books import connected

_EXPIRIES_TOLD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Underlying:
    """What options are asked for on. ``exchange`` is where these are traded, ``name`` their base there.

    ``expiry`` is that of the request, None where it names none. ``instrument`` is whose price counts: the share or
    index, or the future where there is no spot price.
    """

    name: str
    exchange: Exchange
    expiry: date | None
    instrument: Instrument
    quote: Quote

    @property
    def ltp(self) -> Decimal:
        """Its last price in rupees."""
        return self.quote.ltp

    def expiry_of(self, own: date | None = None) -> date:
        """``own`` is that of a leg that names one, and wins. Raises Invalid where there is none at all."""
        day = own or self.expiry
        if day is None:
            fault = f"Expiry date is required, here or in the underlying, such as {self.name}28OCT25."
            raise Invalid.of({"expiry_date": [fault]})
        return day


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticFuture:
    """A call bought and a put sold at ``strike``, which together move as a future does. ``price`` is in rupees."""

    strike: Decimal
    price: Decimal


def underlying(desk: Desk, name: str, exchange: Exchange, expiry: date | None = None) -> Underlying:
    """The underlying of a request: ``NIFTY`` or ``NIFTY28OCT25FUT``, on its own exchange or on that of its options.

    ``expiry`` wins over the one in ``name``, which may be that of the future it is about.
    Raises Invalid, NotFound where no future stands for the spot price or there is no price, and a BrokerError.
    """
    base, embedded = split_underlying(name)
    instrument = price_source(desk, base, exchange, future=embedded, expiry=expiry or embedded)
    try:
        quote = connected(desk).broker.quote(instrument)
    except BrokerError as fault:
        raise type(fault)(f"Failed to fetch LTP for {base}. {fault.message}") from fault
    if quote.ltp <= 0:
        # Brokers say 0 where they have no price; nearest to it is the lowest strike of all.
        raise NotFound(f"Failed to fetch LTP for {base}. There is no price of {instrument.symbol}.")
    return Underlying(
        name=base,
        exchange=derivative_exchange(exchange),
        expiry=expiry or embedded,
        instrument=instrument,
        quote=quote,
    )


def contract(
    desk: Desk,
    of: Underlying,
    offset: Offset,
    option_type: OptionType,
    *,
    strike_int: int | None = None,
    expiry: date | None = None,
) -> Instrument:
    """The listed option so many strikes out of the money; ``expiry`` is that of a leg that names its own.

    ``strike_int`` leaves only the strikes on that grid. Raises Invalid without an expiry or beyond the list, NotFound
    where there are no strikes or the contract is not listed.
    """
    day = of.expiry_of(expiry)
    strikes = on_grid(strikes_of(desk, of, day), strike_int)
    if not strikes:
        raise NotFound(f"No strikes found for {of.name} expiring {compact_date(day)} at steps of {strike_int}.")
    return _listed(desk, of, day, strike_at(strikes, of.ltp, offset, option_type), option_type)


def strikes_of(desk: Desk, of: Underlying, expiry: date) -> list[Decimal]:
    """The strikes listed for an expiry, ascending. Raises NotFound for none, naming the expiries there are."""
    today = next_expiry_day(of.exchange, desk.clock.now())
    listed = desk.store.instruments.strikes(of.exchange, of.name, expiry) if expiry >= today else []
    if not listed:
        raise no_strikes(desk, of.name, of.exchange, expiry)
    return listed


def no_strikes(desk: Desk, base: str, exchange: Exchange, expiry: date) -> NotFound:
    """The refusal of an expiry on which nothing is listed."""
    today = next_expiry_day(exchange, desk.clock.now())
    near = desk.store.instruments.expiries(exchange, base, OPTIONS, today=today)[:_EXPIRIES_TOLD]
    told = f"Listed are {', '.join(map(compact_date, near))}." if near else f"{exchange} lists no options on it."
    return NotFound(f"No strikes found for {base} expiring {compact_date(expiry)}. {told}")


def synthetic_future(desk: Desk, of: Underlying, expiry: date) -> SyntheticFuture:
    """What the options at the money say the underlying is worth at expiry (contract 2.5.5).

    Raises NotFound where there is no such pair or no price of it, and a BrokerError.
    """
    strike = at_the_money(strikes_of(desk, of, expiry), of.ltp)
    call, put = pair(desk, of, expiry, strike)
    quotes = dict(zip((call, put), connected(desk).broker.quotes([call, put]), strict=True))
    return parity(strike, call, put, quotes.get)


def pair(desk: Desk, of: Underlying, expiry: date, strike: Decimal) -> tuple[Instrument, Instrument]:
    """The call and the put of a strike. Raises NotFound where one is not listed."""
    return _listed(desk, of, expiry, strike, OptionType.CE), _listed(desk, of, expiry, strike, OptionType.PE)


def parity(
    strike: Decimal, call: Instrument, put: Instrument, quote_of: Callable[[Instrument], Quote | None]
) -> SyntheticFuture:
    """Strike plus call minus put. Raises NotFound where one of them has no price, or they have none that fit."""
    price = strike + _price("Call", call, quote_of(call)) - _price("Put", put, quote_of(put))
    if price <= 0:
        raise NotFound(f"The prices of {call.symbol} and {put.symbol} do not fit each other.")
    return SyntheticFuture(strike=strike, price=price)


def price_source(
    desk: Desk, base: str, exchange: Exchange, *, future: date | None = None, expiry: date | None = None
) -> Instrument:
    """Whose price stands for an underlying: the share or index, else its future (of that day, or of the first after
    ``expiry``). Raises Invalid, and NotFound without a future.

    An index that is asked for with NSE, or a share with NSE_INDEX, means the same options.
    """
    spot = spot_exchange(base, derivative_exchange(exchange))
    if spot is None:
        return _future(desk, base, derivative_exchange(exchange), future, expiry)
    asked = () if lists_contracts(exchange) else (exchange,)
    found = next(filter(None, (desk.store.instruments.find(each, base) for each in (*asked, spot))), None)
    if found is None or found.left_on is not None:
        raise Invalid.of({"underlying": [f"Failed to fetch LTP for {base}. It is not listed on {spot}."]})
    return found


def _future(desk: Desk, base: str, exchange: Exchange, named: date | None, expiry: date | None) -> Instrument:
    """Options on a future turn into the first one that expires with them or later."""
    listed = desk.store.instruments.futures(exchange, base, today=next_expiry_day(exchange, desk.clock.now()))
    if not listed:
        raise NotFound(f"No unexpired future of {base} is listed on {exchange}, and nothing else has its price.")
    exact = next((each for each in listed if each.expiry == named), None)
    later = (each for each in listed if expiry is None or (each.expiry is not None and each.expiry >= expiry))
    return exact or next(later, listed[-1])


def _price(word: str, option: Instrument, quote: Quote | None) -> Decimal:
    if quote is None or quote.ltp <= 0:
        raise NotFound(f"Could not fetch LTP for {word} option: there is no price for {option.symbol}.")
    return quote.ltp


def _listed(desk: Desk, of: Underlying, expiry: date, strike: Decimal, option_type: OptionType) -> Instrument:
    symbol = symbol_of(Contract(base=of.name, kind=Kind(option_type), expiry=expiry, strike=strike))
    found = desk.store.instruments.find(of.exchange, symbol)
    if found is None or found.left_on is not None:
        raise NotFound(f"Option symbol {symbol} not found in {of.exchange}. It is not listed.")
    return found
