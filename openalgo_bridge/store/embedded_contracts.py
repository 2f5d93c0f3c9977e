"""The current futures and options of the embedded list, made by rule from the day (callers 5.1 and 5.3).

Expiries follow the exchanges' rules and the calendar. Levels are round figures for the simulated market to move around;
lots are those in force for the series of 2026, as far as they are known, and of commodities the units per lot, so that
price times quantity is rupees. The ticks and strikes of options, the freeze quantities of shares and commodities and
the exact days of commodities are near the exchanges', not theirs: a broker's daily file has those.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice

from openalgo_bridge.model.calendar import Calendar
from openalgo_bridge.model.expiries import (
    MONTH_END,
    THURSDAY,
    TUESDAY,
    DayOfMonth,
    LastWeekday,
    MonthlyRule,
    monthly,
    nearest,
    weekly,
)
from openalgo_bridge.model.instrument import OPTIONS, Instrument, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import Contract, symbol_of
from openalgo_bridge.store import embedded_shares

_MONTHS_LISTED = 3
_WEEKS_LISTED = 5
_QUARTERS_LISTED = 3
_STOCK_OPTION_MONTHS = 2
_QUARTERS = frozenset({3, 6, 9, 12})

_OPTION_TICK = Decimal("0.05")
_CURRENCY_TICK = Decimal("0.0025")
_STOCK_FREEZE_LOTS = 40

# Below each price (rupees) the tick of shares and of futures on them, reviewed monthly by the exchange (callers 5.3).
_TICKS = (
    (Decimal(250), Decimal("0.01")),
    (Decimal(1_000), Decimal("0.05")),
    (Decimal(5_000), Decimal("0.10")),
    (Decimal(10_000), Decimal("0.50")),
    (Decimal(20_000), Decimal("1.00")),
)
_HIGHEST_TICK = Decimal("5.00")
# Up to each level the tick of index futures, and the freeze quantity of index derivatives (callers 5.3).
_INDEX_FUTURE_TICKS = ((Decimal(15_000), Decimal("0.05")), (Decimal(30_000), Decimal("0.10")))
_HIGHEST_INDEX_FUTURE_TICK = Decimal("0.20")
_INDEX_FREEZE = (
    (Decimal(5_750), 8_500),
    (Decimal(8_625), 5_500),
    (Decimal(11_500), 4_200),
    (Decimal(17_250), 2_800),
    (Decimal(27_500), 1_800),
    (Decimal(40_000), 1_200),
    (Decimal(55_000), 900),
)
_LEAST_INDEX_FREEZE = 600
# Below each price of a share the distance of two strikes.
_STOCK_STEPS = (
    (Decimal(50), Decimal("0.5")),
    (Decimal(100), Decimal(1)),
    (Decimal(250), Decimal("2.5")),
    (Decimal(500), Decimal(5)),
    (Decimal(1_000), Decimal(10)),
    (Decimal(2_500), Decimal(20)),
    (Decimal(5_000), Decimal(50)),
    (Decimal(10_000), Decimal(100)),
)
_LARGEST_STOCK_STEP = Decimal(200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Underlying:
    """What contracts are listed on, and by which rules. Prices in rupees, quantities in units.

    The strikes lie ``step`` apart: ``near`` of them on each side of ``level``, then ``far`` more at twice the distance.
    ``months`` are those that have futures (None: all). Options expire with the futures, or ``options_before`` trading
    days earlier; ``option_months`` is how many months have them, 0 for none.
    """

    base: str
    exchange: Exchange
    level: Decimal
    lot: int
    freeze_quantity: int
    future_tick: Decimal
    rule: MonthlyRule
    option_tick: Decimal = _OPTION_TICK
    weekday: int | None = None
    months: frozenset[int] | None = None
    days_before: int = 0
    has_quarters: bool = False
    option_months: int = _MONTHS_LISTED
    options_before: int = 0
    step: Decimal = Decimal(0)
    near: int = 20
    far: int = 10


def tick_size(price: Decimal) -> Decimal:
    """The tick in rupees of a share that closed at ``price`` (callers 5.3)."""
    return next((tick for below, tick in _TICKS if price < below), _HIGHEST_TICK)


def index_freeze_quantity(level: Decimal) -> int:
    """The largest order in derivatives of an index at that level (callers 5.3)."""
    return next((most for upto, most in _INDEX_FREEZE if level <= upto), _LEAST_INDEX_FREEZE)


def contracts(today: date, calendar: Calendar) -> Iterator[Instrument]:
    """Every future and option that is current on that day in India."""
    for underlying, (of_futures, of_options) in zip(UNDERLYINGS, expiries(today, calendar), strict=True):
        yield from (_future(underlying, expiry) for expiry in of_futures)
        strikes = tuple(_strikes(underlying))
        for expiry in of_options:
            yield from (_option(underlying, expiry, strike, kind) for strike in strikes for kind in OPTIONS)


def expiries(today: date, calendar: Calendar) -> list[tuple[tuple[date, ...], tuple[date, ...]]]:
    """Of each of ``UNDERLYINGS`` the days on which its futures and its options expire."""
    return [
        (tuple(_future_expiries(each, today, calendar)), _option_expiries(each, today, calendar))
        for each in UNDERLYINGS
    ]


def _future_expiries(of: Underlying, today: date, calendar: Calendar) -> Iterator[date]:
    days = monthly(of.rule, of.exchange, calendar, today=today, months=of.months, days_before=of.days_before)
    return islice(days, _MONTHS_LISTED)


def _option_expiries(of: Underlying, today: date, calendar: Calendar) -> tuple[date, ...]:
    before = of.days_before + of.options_before
    series = [
        (monthly(of.rule, of.exchange, calendar, today=today, months=of.months, days_before=before), of.option_months)
    ]
    if of.weekday is not None:
        series.append((weekly(of.weekday, of.exchange, calendar, today=today), _WEEKS_LISTED))
    if of.has_quarters:
        series.append((monthly(of.rule, of.exchange, calendar, today=today, months=_QUARTERS), _QUARTERS_LISTED))
    return nearest(*series)


def _strikes(of: Underlying) -> Iterator[Decimal]:
    """Ascending, on the exchange's grid, around the level."""
    if not of.option_months:
        return
    # Even, as ``near`` is: so the far ones lie on the doubled grid, as the exchange's do.
    middle = 2 * round(of.level / of.step / 2)
    wings = [2 * number for number in range(1, of.far + 1)]
    offsets = [*(-of.near - each for each in reversed(wings)), *range(-of.near, of.near + 1)]
    offsets += [of.near + each for each in wings]
    yield from ((middle + each) * of.step for each in offsets if middle + each > 0)


def _future(of: Underlying, expiry: date) -> Instrument:
    return _instrument(of, Contract(base=of.base, kind=Kind.FUT, expiry=expiry), of.future_tick)


def _option(of: Underlying, expiry: date, strike: Decimal, kind: Kind) -> Instrument:
    return _instrument(of, Contract(base=of.base, kind=kind, expiry=expiry, strike=strike), of.option_tick)


def _instrument(of: Underlying, contract: Contract, tick: Decimal) -> Instrument:
    symbol = symbol_of(contract)
    return Instrument(
        symbol=symbol,
        exchange=of.exchange,
        name=of.base,
        kind=contract.kind,
        lot=of.lot,
        tick=tick,
        freeze_quantity=of.freeze_quantity,
        token=_token(f"{of.exchange}:{symbol}"),
        reference_price=of.level,
        expiry=contract.expiry,
        strike=contract.strike,
    )


def _token(name: str) -> str:
    """Made from the name, so that a contract keeps it while others come and go. It has more digits than a share's."""
    return str(10**14 + int.from_bytes(hashlib.blake2b(name.encode(), digest_size=5).digest()))


def _indices() -> Iterator[Underlying]:
    levels = {symbol: Decimal(level) for symbol, _, _, level in embedded_shares.INDICES}
    for base, exchange, lot, step, weekday, rule in _INDEX_TERMS:
        level = levels[base]
        future_tick = next((tick for upto, tick in _INDEX_FUTURE_TICKS if level <= upto), _HIGHEST_INDEX_FUTURE_TICK)
        yield Underlying(
            base=base,
            exchange=exchange,
            level=level,
            lot=lot,
            freeze_quantity=index_freeze_quantity(level),
            future_tick=future_tick,
            rule=rule,
            weekday=weekday,
            has_quarters=weekday is not None,
            step=Decimal(step),
            near=40,
            far=20,
        )


def _stocks() -> Iterator[Underlying]:
    levels = {symbol: Decimal(level) for symbol, _, level in (*embedded_shares.ON_BOTH, *embedded_shares.ON_NSE)}
    for base, lot in _STOCK_LOTS:
        level = levels[base]
        yield Underlying(
            base=base,
            exchange=Exchange.NFO,
            level=level,
            lot=lot,
            freeze_quantity=_STOCK_FREEZE_LOTS * lot,
            future_tick=tick_size(level),
            rule=_LAST_TUESDAY,
            option_months=_STOCK_OPTION_MONTHS,
            step=next((step for below, step in _STOCK_STEPS if level < below), _LARGEST_STOCK_STEP),
            near=12,
            far=6,
        )


def _commodities() -> Iterator[Underlying]:
    for base, level, lot, most_lots, tick, rule, months, step in _COMMODITY_TERMS:
        yield Underlying(
            base=base,
            exchange=Exchange.MCX,
            level=Decimal(level),
            lot=lot,
            freeze_quantity=most_lots * lot,
            future_tick=Decimal(tick),
            option_tick=Decimal(tick),
            rule=rule,
            months=months,
            option_months=2 if step else 0,
            options_before=2,
            step=Decimal(step or 0),
        )


def _currencies() -> Iterator[Underlying]:
    for base, level, step in _CURRENCY_TERMS:
        yield Underlying(
            base=base,
            exchange=Exchange.CDS,
            level=Decimal(level),
            lot=1_000,
            freeze_quantity=10_000 * 1_000,
            future_tick=_CURRENCY_TICK,
            option_tick=_CURRENCY_TICK,
            # Two trading days before the last one of the month.
            rule=MONTH_END,
            days_before=2,
            option_months=_MONTHS_LISTED if step else 0,
            step=Decimal(step or 0),
            far=0,
        )


_LAST_TUESDAY = LastWeekday(TUESDAY)
_LAST_THURSDAY = LastWeekday(THURSDAY)

# (base, exchange, lot, distance of the strikes, weekday of the weekly contracts, day of the monthly ones)
_INDEX_TERMS = (
    ("NIFTY", Exchange.NFO, 65, 50, TUESDAY, _LAST_TUESDAY),
    ("BANKNIFTY", Exchange.NFO, 30, 100, None, _LAST_TUESDAY),
    ("FINNIFTY", Exchange.NFO, 60, 50, None, _LAST_TUESDAY),
    ("MIDCPNIFTY", Exchange.NFO, 120, 25, None, _LAST_TUESDAY),
    ("NIFTYNXT50", Exchange.NFO, 25, 100, None, _LAST_TUESDAY),
    ("SENSEX", Exchange.BFO, 20, 100, THURSDAY, _LAST_THURSDAY),
    ("BANKEX", Exchange.BFO, 30, 100, None, _LAST_THURSDAY),
)

# (symbol, lot). The exchange reviews the lots twice a year.
_STOCK_LOTS = (
    ("ADANIENT", 300),
    ("ADANIPORTS", 475),
    ("AXISBANK", 625),
    ("BAJAJ-AUTO", 75),
    ("BAJFINANCE", 750),
    ("BEL", 1425),
    ("BHARTIARTL", 475),
    ("BPCL", 1975),
    ("BSE", 375),
    ("CIPLA", 375),
    ("COALINDIA", 1350),
    ("DLF", 825),
    ("DRREDDY", 625),
    ("EICHERMOT", 100),
    ("ETERNAL", 2425),
    ("HAL", 150),
    ("HCLTECH", 350),
    ("HDFCBANK", 550),
    ("HINDALCO", 700),
    ("HINDUNILVR", 300),
    ("ICICIBANK", 700),
    ("INDIGO", 150),
    ("INFY", 400),
    ("ITC", 1600),
    ("JIOFIN", 2350),
    ("JSWSTEEL", 675),
    ("KOTAKBANK", 400),
    ("LT", 175),
    ("M&M", 200),
    ("MARUTI", 50),
    ("NTPC", 1500),
    ("ONGC", 2250),
    ("PFC", 1300),
    ("POWERGRID", 1900),
    ("RELIANCE", 500),
    ("SBIN", 750),
    ("SUNPHARMA", 350),
    ("TATAPOWER", 1450),
    ("TATASTEEL", 5500),
    ("TCS", 175),
    ("TITAN", 175),
    ("TMPV", 800),
    ("ULTRACEMCO", 50),
    ("VEDL", 1150),
    ("WIPRO", 3000),
)

_EVEN = frozenset({2, 4, 6, 8, 10, 12})
_SILVER = frozenset({3, 5, 7, 9, 12})
_SILVER_MINI = frozenset({2, 4, 6, 8, 11})
# (base, level, lot, lots in the largest order, tick, day, months, distance of the strikes or None without options)
_COMMODITY_TERMS = (
    ("CRUDEOIL", 5_300, 100, 100, "1", DayOfMonth(19), None, 50),
    ("CRUDEOILM", 5_300, 10, 1_000, "1", DayOfMonth(19), None, None),
    ("NATURALGAS", 390, 1_250, 48, "0.10", DayOfMonth(26), None, 5),
    ("NATGASMINI", 390, 250, 240, "0.10", DayOfMonth(26), None, None),
    ("GOLD", 124_000, 100, 10, "1", DayOfMonth(5), _EVEN, 1_000),
    ("GOLDM", 124_000, 10, 100, "1", DayOfMonth(5), None, 1_000),
    ("SILVER", 156_000, 30, 20, "1", DayOfMonth(5), _SILVER, 1_000),
    ("SILVERM", 156_000, 5, 120, "1", MONTH_END, _SILVER_MINI, 1_000),
    ("COPPER", 1_000, 2_500, 28, "0.05", MONTH_END, None, None),
    ("ZINC", 300, 5_000, 20, "0.05", MONTH_END, None, None),
    ("ALUMINIUM", 270, 5_000, 20, "0.05", MONTH_END, None, None),
)
# (base, level, distance of the strikes or None without options)
_CURRENCY_TERMS = (
    ("USDINR", "89.00", "0.25"),
    ("EURINR", "103.50", None),
    ("GBPINR", "117.50", None),
    ("JPYINR", "57.50", None),
)

_FAMILIES: tuple[Callable[[], Iterator[Underlying]], ...] = (_indices, _stocks, _commodities, _currencies)
UNDERLYINGS = tuple(underlying for family in _FAMILIES for underlying in family())
"""All that futures are listed on, and the terms of their contracts."""
