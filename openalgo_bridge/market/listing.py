"""What the simulated market knows of one instrument: the path it follows, its hours, its prices, its activity.

A derivative follows the path of its underlying. Days are the market's own: every day of the calendar is a trading
day, weekends and holidays too, and lasts until the next one opens, so that there is something to see on a Sunday.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time

from openalgo_bridge.market import pricing
from openalgo_bridge.market.activity import Activity
from openalgo_bridge.market.cells import DAY, Cell
from openalgo_bridge.market.chance import Chance
from openalgo_bridge.market.path import Path
from openalgo_bridge.market.pricing import UNITS, Level, Premium, Straight
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import expiry_time, hours_on

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

# How much of the path's movement an instrument shows, in per cent. An index averages its shares out.
_INDEX_VOLATILITY = 55
_CURRENCY_VOLATILITY = 18
_LEAST_VOLATILITY = 80
_VOLATILITY_RANGE = 41
_CURRENCIES = {Exchange.CDS, Exchange.BCD}

# A share turns over some 300 crore rupees a day.
_TURNOVER = 3_000_000_000 * UNITS

# What stands at one price: of a share, one part in so many of what is traded in a day; of a contract, lots.
_PRICES_A_DAY = 20_000
_LOTS_AT_A_PRICE = 4

# Lots a day and open lots of the nearest future and of the option at the money that expires next.
_FUTURE_LOTS, _FUTURE_OPEN = 30_000, 90_000
_OPTION_LOTS, _OPTION_OPEN = 900_000, 120_000
_SHARE_OF_INDEX = 60
# Up to how many days before it expires how much of that, per cent; and of what expires even later.
_VOLUME_BY_DAYS = ((8, 100), (35, 30), (65, 6))
_OPEN_BY_DAYS = ((8, 100), (35, 70), (65, 20))
_LATER = 2
_VOLUME_WIDTH, _OPEN_WIDTH = 1.1, 1.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One instrument. ``spot`` are the prices of its path, ``expires`` is the second of the path at which it does.

    ``market`` is whose path it follows: many contracts share theirs.
    """

    instrument: Instrument
    market: tuple[Exchange, str]
    path: Path
    chance: Chance
    level: Level
    spot: Straight
    expires: int | None

    @classmethod
    def of(cls, seed: int, instrument: Instrument) -> Listing:
        """Raises ValueError for an instrument without a reference price."""
        if instrument.reference_price <= 0:
            raise ValueError(f"{instrument.symbol} on {instrument.exchange} has no reference price")
        exchange = instrument.underlying_exchange or instrument.exchange
        symbol = instrument.underlying or instrument.symbol
        path = Path.of(seed, symbol, exchange, _seconds(_opening(exchange)))
        tick = int(instrument.tick * UNITS)
        reference = int(instrument.reference_price * UNITS)
        level = Level(reference=max(reference, tick), tick=tick, volatility=_volatility(exchange, path))
        return cls(
            instrument=instrument,
            market=(exchange, symbol),
            path=path,
            chance=Chance.of(seed, f"{instrument.symbol}|{instrument.exchange}"),
            level=level,
            spot=Straight.at(level),
            expires=_expires(instrument),
        )

    @property
    def is_option(self) -> bool:
        """True where a price depends on the time that is left."""
        return self.instrument.kind.is_option

    @property
    def lots_at_a_price(self) -> int:
        """How many lots usually stand at one price."""
        if self.expires is not None:
            return _LOTS_AT_A_PRICE
        return max(1, _TURNOVER // (self.level.reference * self.instrument.lot * _PRICES_A_DAY))

    @property
    def settlement(self) -> int:
        """The ticks at which a contract settles when it expires: what it is worth then."""
        if self.expires is None:
            raise ValueError(f"{self.instrument.symbol} does not expire")
        day = self.path.day(self.path.day_of(self.expires))
        at_expiry = self.path.stretch(day, DAY, self.expires, first=self.expires)
        return self.prices(day).ticks(at_expiry.close, self.expires)

    def has_expired(self, second: int) -> bool:
        """From the second on at which it settles."""
        return self.expires is not None and second >= self.expires

    def until(self, second: int) -> int:
        """``second``, or the one at which it settled: after that nothing moves."""
        return second if self.expires is None else min(second, self.expires)

    def closes(self, number: int) -> int:
        """The second at which the session of a day ends."""
        hours = hours_on(self.instrument.exchange, date.fromordinal(EPOCH_ORDINAL + number))
        closes = number * DAY + _seconds(hours.closes)
        if self.expires is not None and self.expires // DAY == number:
            return min(closes, self.expires)
        return closes

    def prices(self, day: Cell) -> Straight | Premium:
        """What the path's values of a day are in ticks."""
        if self.expires is None:
            return self.spot
        if not self.is_option:
            return pricing.future(self.level, day, self.expires)
        return pricing.option(
            is_call=self.instrument.kind is Kind.CE,
            strike=float(self.instrument.strike),
            level=self.level,
            day=day,
            closes=self.closes(day.start // DAY),
            expires=self.expires,
        )

    def activity(self, day: Cell) -> Activity:
        """What is traded and open on a day."""
        number = day.start // DAY
        before = 0 if self.expires is None else self.path.level(number)
        return Activity.of(
            self.chance,
            lot=self.instrument.lot,
            begins=day.start,
            closes=self.closes(number),
            lots=self._usual_lots(day),
            open_lots=(self._usual_open_lots(number, before), self._usual_open_lots(number + 1, day.close)),
        )

    def _usual_lots(self, day: Cell) -> int:
        if self.instrument.is_index:
            return 0
        if self.expires is None:
            return _TURNOVER // (self.level.reference * self.instrument.lot)
        number = day.start // DAY
        part = _by_days(_VOLUME_BY_DAYS, self.expires // DAY - number)
        if not self.is_option:
            return _FUTURE_LOTS * part // (100 * self._smaller)
        near = pricing.bell(self._moneyness(day.open, number), _VOLUME_WIDTH)
        return int(_OPTION_LOTS * near) * part // (100 * self._smaller)

    def _usual_open_lots(self, number: int, value: int) -> int:
        """Before the day of that number, when the path was at ``value``."""
        if self.expires is None:
            return 0
        part = _by_days(_OPEN_BY_DAYS, self.expires // DAY - number)
        if not self.is_option:
            return _FUTURE_OPEN * part // (100 * self._smaller)
        near = pricing.bell(self._moneyness(value, number), _OPEN_WIDTH)
        return int(_OPTION_OPEN * near) * part // (100 * self._smaller)

    def _moneyness(self, value: int, number: int) -> float:
        level, strike = self.level, float(self.instrument.strike)
        spot = level.reference / UNITS * (1.0 + value * level.volatility / 1e11)
        left = (self.expires or 0) - number * DAY
        return pricing.moneyness(strike, spot, level.yearly_volatility, left)

    @property
    def _smaller(self) -> int:
        """How many times less is done than on an index."""
        underlying = self.instrument.underlying_exchange
        return 1 if underlying is not None and underlying.endswith("_INDEX") else _SHARE_OF_INDEX


def _volatility(exchange: Exchange, path: Path) -> int:
    if exchange.endswith("_INDEX"):
        return _INDEX_VOLATILITY
    if exchange in _CURRENCIES:
        return _CURRENCY_VOLATILITY
    return _LEAST_VOLATILITY + path.shared.key % _VOLATILITY_RANGE


def _expires(instrument: Instrument) -> int | None:
    if instrument.expiry is None:
        return None
    number = instrument.expiry.toordinal() - EPOCH_ORDINAL
    return number * DAY + _seconds(expiry_time(instrument.exchange))


def _opening(exchange: Exchange) -> time:
    """Exchanges change when they close, not when they open."""
    return hours_on(exchange, date.fromordinal(EPOCH_ORDINAL)).opens


def _seconds(at: time) -> int:
    return at.hour * 3_600 + at.minute * 60


def _by_days(table: tuple[tuple[int, int], ...], days: int) -> int:
    return next((part for most, part in table if days <= most), _LATER)
