"""The options of one expiry by strike, with prices and, if asked for, greeks (contract 2.5.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotFound
from openalgo_bridge.model.black76 import DAYS_A_YEAR, ImpossiblePrice, Option
from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.options import Offset, OptionType, at_the_money
from openalgo_bridge.model.trading_hours import expires, next_expiry_day
from openalgo_bridge.store.instruments import ChainRow
from openalgo_bridge.trading import options
from openalgo_bridge.trading.books import connected
from openalgo_bridge.trading.option_greeks import Valuation, valuation
from openalgo_bridge.trading.options import Underlying

_SECONDS_A_YEAR = DAYS_A_YEAR * 86_400
_PERCENT = 100.0

# By symbol, because all are of one exchange.
_Quotes = Mapping[str, Quote | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainOption:
    """One option of a chain. ``quote`` is None where it has no price; ``valuation`` where none was asked for, or where
    the price is none that any volatility gives.
    """

    instrument: Instrument
    offset: Offset
    quote: Quote | None
    valuation: Valuation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStrike:
    """The call and the put of one strike; None where it is not listed."""

    strike: Decimal
    call: ChainOption | None
    put: ChainOption | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """``strikes`` ascend. ``at_the_money`` is the strike nearest to the underlying; ``forward`` is what the greeks were
    made with, None without them.
    """

    underlying: Underlying
    expiry: date
    expires: datetime
    read_at: datetime
    at_the_money: Decimal
    forward: Decimal | None
    strikes: tuple[ChainStrike, ...]


def chain(desk: Desk, of: Underlying, *, around: int | None = None, rate: Decimal | None = None) -> Chain:
    """The options of the expiry asked for: all, or ``around`` strikes on each side of the one at the money.

    ``rate`` in per cent a year asks for greeks. Raises Invalid without an expiry, NotFound where nothing is listed,
    and a BrokerError.
    """
    now = desk.clock.now()
    expiry, today = of.expiry_of(), next_expiry_day(of.exchange, now)
    listed = desk.store.instruments.chain(of.exchange, of.name, expiry) if expiry >= today else ()
    if not listed:
        raise options.no_strikes(desk, of.name, of.exchange, expiry)
    strikes = [row.strike for row in listed]
    middle = at_the_money(strikes, of.ltp)
    place = strikes.index(middle)
    first = 0 if around is None else max(0, place - around)
    rows = listed[first:] if around is None else listed[first : place + around + 1]
    quotes = _quotes(desk, rows)
    forward = None if rate is None else _forward(listed[place], of, quotes)
    expiring = expires(of.exchange, expiry)
    reader = _Reader(
        quotes=quotes,
        forward=forward,
        years=(expiring - now).total_seconds() / _SECONDS_A_YEAR,
        rate=float(rate or 0) / _PERCENT,
    )
    return Chain(
        underlying=of,
        expiry=expiry,
        expires=expiring,
        read_at=now,
        at_the_money=middle,
        forward=forward,
        strikes=tuple(reader.strike(row, number - place) for number, row in enumerate(rows, first)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """What all options of a chain share. Without a ``forward`` nothing is valued; ``rate`` is a fraction."""

    quotes: _Quotes
    forward: Decimal | None
    years: float
    rate: float

    def strike(self, row: ChainRow, above: int) -> ChainStrike:
        """A row with its prices; it is so many listed strikes above the one at the money."""
        return ChainStrike(
            strike=row.strike,
            call=self._option(row.call, Offset.above(above, OptionType.CE)),
            put=self._option(row.put, Offset.above(above, OptionType.PE)),
        )

    def _option(self, instrument: Instrument | None, offset: Offset) -> ChainOption | None:
        if instrument is None:
            return None
        quote = self.quotes[instrument.symbol]
        return ChainOption(
            instrument=instrument,
            offset=offset,
            quote=quote,
            valuation=self._valuation(instrument, quote),
        )

    def _valuation(self, instrument: Instrument, quote: Quote | None) -> Valuation | None:
        if self.forward is None or quote is None or quote.ltp <= 0:
            return None
        option = Option(
            is_call=instrument.kind is Kind.CE,
            forward=float(self.forward),
            strike=float(instrument.strike),
            years=self.years,
            rate=self.rate,
        )
        try:
            return valuation(option, float(quote.ltp))
        except ImpossiblePrice:
            return None


def _forward(middle: ChainRow, of: Underlying, quotes: _Quotes) -> Decimal:
    """The synthetic future at the money, or the price of the underlying where there is none."""
    if middle.call is None or middle.put is None:
        return of.ltp
    try:
        return options.parity(middle.strike, middle.call, middle.put, lambda each: quotes.get(each.symbol)).price
    except NotFound:
        return of.ltp


def _quotes(desk: Desk, rows: Sequence[ChainRow]) -> _Quotes:
    """All in one question."""
    wanted = [each for row in rows for each in (row.call, row.put) if each is not None]
    return dict(zip((each.symbol for each in wanted), connected(desk).broker.quotes(wanted), strict=True))
