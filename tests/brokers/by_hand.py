"""The books of the paper exchange as their rows tell them, added up without any sum of the product's; and when, by the
clock on the wall, an exchange closes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from itertools import accumulate, zip_longest
from typing import NamedTuple

from openalgo_bridge.clock import IST
from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.order import Action, Exchange
from openalgo_bridge.model.paper import LedgerKind
from openalgo_bridge.model.paper_settings import PaperSettings
from openalgo_bridge.store.database import Database, Row

Thing = tuple[str, str]
"""A symbol and a product: what trades add up to."""

Times = tuple[time, time]
"""Of a trading day before the hours of December 2026, and from then on."""

# callers 5.1 and 5.2: from 7 December shares with derivatives go on until 15:30, and contracts until 15:45.
DECEMBER_HOURS = date(2026, 12, 7)
SQUARE_OFF: Mapping[str, Times] = {"NSE": (time(15, 10), time(15, 25)), "NFO": (time(15, 35), time(15, 40))}
OPEN = time(9, 15)
CLOSE: Mapping[str, Times] = {"NSE": (time(15, 30), time(15, 30)), "NFO": (time(15, 40), time(15, 45))}

_HOLIDAYS = {date(2026, 11, 24), date(2026, 12, 25)}
_BOOKS_BEGIN = time(3)
_A_DAY = timedelta(days=1)

_TRADES = (
    "SELECT paper_trade.*, symbol, product, action"
    " FROM paper_trade JOIN paper_order ON paper_order.id = order_id ORDER BY paper_trade.id"
)
_LEG = "(SELECT {column} FROM paper_gtt_leg WHERE gtt_id = paper_gtt.id AND {which})"
_GTTS = (
    f"SELECT paper_gtt.*, {_LEG.format(column='fired_order_id', which='fired_order_id IS NOT NULL')} AS fired_order_id,"
    f" {_LEG.format(column='trigger_price', which='side = ' + repr('stoploss'))} AS falls_to,"
    f" {_LEG.format(column='trigger_price', which='side = ' + repr('target'))} AS rises_to FROM paper_gtt ORDER BY id"
)


class Terms(NamedTuple):
    """What the trader chose, and after when it counts."""

    since: datetime
    settings: PaperSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All of one moment, oldest first."""

    orders: list[Row]
    trades: list[Row]
    ledger: list[Row]
    positions: list[Row]
    holdings: list[Row]
    gtts: list[Row]

    def tables(self) -> list[tuple[str, list[Row]]]:
        return [(each.name, getattr(self, each.name)) for each in fields(self)]

    @property
    def working(self) -> list[Row]:
        return [row for row in self.orders if is_working(row)]

    @property
    def open(self) -> list[Row]:
        return [row for row in self.positions if row["quantity"]]

    @property
    def waiting(self) -> list[Row]:
        return [row for row in self.gtts if row["state"] == GttState.ACTIVE]

    @property
    def begun_after(self) -> int:
        """The number of the last order before the account was begun anew."""
        resets = self._resets()
        return (resets[-1]["order_id"] or 0) if resets else 0

    @property
    def own_trades(self) -> list[Row]:
        """Those since the account was begun anew."""
        return [row for row in self.trades if row["order_id"] > self.begun_after]

    @property
    def expiries(self) -> list[Row]:
        """The lines of settled contracts since the account was begun anew."""
        resets = self._resets()
        begun = resets[-1]["id"] if resets else 0
        return [row for row in self.ledger if row["kind"] == LedgerKind.EXPIRY and row["id"] > begun]

    @property
    def held(self) -> dict[Thing, int]:
        """Positions, and what was delivered with what was bought for it."""
        held: Counter[Thing] = Counter()
        for row in self.open:
            held[thing(row)] += row["quantity"]
        for row in self.holdings:
            held[row["symbol"], "CNC"] += row["quantity"]
        return without_nothing(held)

    def _resets(self) -> list[Row]:
        return [row for row in self.ledger if row["kind"] == LedgerKind.RESET]


def read(db: Database) -> Rows:
    """Every row."""
    return Rows(
        orders=db.read("SELECT * FROM paper_order ORDER BY id"),
        trades=db.read(_TRADES),
        ledger=db.read("SELECT * FROM paper_ledger ORDER BY id"),
        positions=db.read("SELECT * FROM paper_position"),
        holdings=db.read("SELECT * FROM paper_holding"),
        gtts=db.read(_GTTS),
    )


def is_working(row: Row) -> bool:
    return row["status"] in {"open", "trigger pending"}


def thing(row: Row) -> Thing:
    return row["symbol"], row["product"]


def net(trades: Iterable[Row]) -> Counter[Thing]:
    """What these add up to, of each thing."""
    total: Counter[Thing] = Counter()
    for row in trades:
        total[thing(row)] += Action(row["action"]).sign * row["quantity"]
    return total


def without_nothing(quantities: Mapping[Thing, int]) -> dict[Thing, int]:
    return {key: quantity for key, quantity in quantities.items() if quantity}


def paid(trades: Iterable[Row]) -> int:
    """The cash that came in, less what went out."""
    return -sum(Action(row["action"]).sign * row["quantity"] * row["price"] for row in trades)


def day_begin(now: datetime) -> datetime:
    """The last 03:00 in India."""
    here = now.astimezone(IST)
    begin = datetime.combine(here.date(), _BOOKS_BEGIN, IST)
    return begin if here >= begin else begin - _A_DAY


def last_end(times: Times, now: datetime) -> datetime:
    """The last of these times of a trading day, or of the ends of the days of the books, not after now."""
    begin = day_begin(now)
    day = begin.date()
    moment = datetime.combine(day, times[day >= DECEMBER_HOURS], IST)
    return moment if is_trading_day(day) and moment <= now else begin


def last_square_off(exchange: str, now: datetime, history: Sequence[Terms]) -> datetime:
    """The last time at which intraday positions were closed, by what counted then; or the end of a day of the books."""
    begin = day_begin(now)
    day, found = begin.date(), [begin]
    for terms, following in zip_longest(history, history[1:]):
        own = terms.settings.square_off_times.get(Exchange(exchange))
        moment = datetime.combine(day, own or SQUARE_OFF[exchange][day >= DECEMBER_HOURS], IST)
        until = now if following is None else min(now, following.since)
        if is_trading_day(day) and terms.since < moment <= until:
            found.append(moment)
    return max(found)


def is_open(exchange: str, moment: datetime) -> bool:
    """Whether the exchange trades at that moment."""
    here = moment.astimezone(IST)
    closes = CLOSE[exchange][here.date() >= DECEMBER_HOURS]
    return is_trading_day(here.date()) and OPEN <= here.time() < closes


def is_at_its_price(row: Row, last: int, tick: int) -> bool:
    """Whether the market that is bid and asked a tick from ``last`` fills or triggers an order that rests. What has a
    band takes what the market shows, so some of it may be left.
    """
    buys = row["action"] == "BUY"
    if row["status"] == "trigger pending":
        return bool(last >= row["trigger_price"] if buys else last <= row["trigger_price"])
    if row["bound"] is not None:
        return False
    return bool(last + tick <= row["price"] if buys else last - tick >= row["price"])


def is_at_its_trigger(row: Row, last: int, second: int) -> bool:
    """Whether a GTT is where it fires, and was not placed or changed in this very second."""
    falls, rises = row["falls_to"], row["rises_to"]
    is_met = (falls is not None and last <= falls) or (rises is not None and last >= rises)
    return is_met and not second <= row["changed_at"] < second + 1000


def last_delivery(now: datetime) -> datetime:
    """The last 03:00 of a trading day."""
    begin = day_begin(now)
    while not is_trading_day(begin.date()):
        begin -= _A_DAY
    return begin


def is_trading_day(day: date) -> bool:
    return day.weekday() < 5 and day not in _HOLIDAYS


def check(rows: Rows, settled: int = 0) -> None:
    """That the books add up. ``settled`` is the cash of contracts that expired, which are no trades."""
    check_quantities(rows)
    check_orders(rows)
    check_ledger(rows)
    check_money(rows, settled)
    check_blocked(rows)


def check_quantities(rows: Rows) -> None:
    """Position and holding are the sum of the trades since the account was begun anew."""
    traded = net(rows.own_trades)
    for line in rows.expiries:
        assert traded.pop(thing(line), 0), "settled twice, or where nothing was held"
    assert rows.held == without_nothing(traded)


def check_orders(rows: Rows) -> None:
    """No order fills twice, or beyond its quantity."""
    parts: defaultdict[int, list[Row]] = defaultdict(list)
    for trade in rows.trades:
        parts[trade["order_id"]].append(trade)
    for each in rows.orders:
        own = parts[each["id"]]
        filled = sum(trade["quantity"] for trade in own)
        assert filled == each["filled_quantity"] <= each["quantity"]
        assert each["filled_value"] == sum(trade["quantity"] * trade["price"] for trade in own)
        assert (filled == each["quantity"]) == (each["status"] == "complete")
        assert [trade["filled_before"] for trade in own] == [0, *accumulate(t["quantity"] for t in own)][: len(own)]


def check_ledger(rows: Rows) -> None:
    """Each running balance is the sum of the moves."""
    for name in ("capital", "realised", "invested", "blocked"):
        moves = accumulate(line[name] for line in rows.ledger)
        assert list(moves) == [line[f"{name}_after"] for line in rows.ledger], name


def check_money(rows: Rows, settled: int) -> None:
    """Profit booked minus what is open at cost is the cash that went over the counter."""
    last, things = rows.ledger[-1], [*rows.open, *rows.holdings]
    assert last["realised_after"] - sum(row["cost"] for row in things) == paid(rows.own_trades) + settled
    assert last["invested_after"] == sum(row["cost"] for row in rows.holdings)


def check_blocked(rows: Rows) -> None:
    """Nothing is set aside but for what rests, waits or is open."""
    blocked = rows.ledger[-1]["blocked_after"]
    assert blocked == sum(row["blocked"] for row in [*rows.orders, *rows.positions, *rows.gtts])
    assert all(row["blocked"] == row["cost"] == 0 for row in rows.positions if not row["quantity"])
    if not (rows.working or rows.waiting or rows.open):
        assert blocked == 0, "flat, and nothing rests or waits"
