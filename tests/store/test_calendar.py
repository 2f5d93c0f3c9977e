"""What the trader changes of the shipped calendar: kept as a difference, and told to the audit list."""

from __future__ import annotations

from datetime import date, time

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.calendar import SpecialDay
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import Hours
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.calendar import CalendarChanges, TradingCalendar
from openalgo_bridge.store.database import Database
from tests.conftest import TRADER, FixedClock

NSE, BSE = Exchange.NSE, Exchange.BSE
REPUBLIC_DAY = date(2027, 1, 26)
CHRISTMAS = date(2026, 12, 25)
EVENING = Hours(opens=time(18, 15), closes=time(19, 15))


def closed(day: date, exchange: Exchange, description: str = "Republic Day") -> SpecialDay:
    return SpecialDay(day=day, exchange=exchange, description=description)


@pytest.fixture
def calendar(db: Database, clock: FixedClock) -> TradingCalendar:
    return TradingCalendar(db, clock)


def told(db: Database, clock: FixedClock) -> list[tuple[str, str]]:
    lines = AuditLog(db, clock).page(event=AuditEvent.CALENDAR)
    return [(line.before, line.after) for line in reversed(lines)]


def test_a_fresh_bridge_has_the_shipped_calendar(calendar: TradingCalendar) -> None:
    assert calendar.load() == SHIPPED
    assert calendar.changes() == CalendarChanges()


def test_a_day_counts_at_once_and_survives_a_restart(
    calendar: TradingCalendar, db: Database, clock: FixedClock
) -> None:
    session = SpecialDay(day=CHRISTMAS, exchange=NSE, description="Late party", hours=EVENING)
    calendar.put([closed(REPUBLIC_DAY, NSE), session], by=TRADER)
    loaded = TradingCalendar(db, clock).load()
    assert loaded.special_days[REPUBLIC_DAY, NSE] == closed(REPUBLIC_DAY, NSE)
    assert loaded.special_days[CHRISTMAS, NSE] == session
    assert loaded.special_days[CHRISTMAS, BSE] == SHIPPED.special_days[CHRISTMAS, BSE]


def test_an_own_day_that_is_removed_leaves_nothing_behind(calendar: TradingCalendar) -> None:
    calendar.put([closed(REPUBLIC_DAY, NSE)], by=TRADER)
    calendar.remove([(REPUBLIC_DAY, NSE)], by=TRADER)
    assert calendar.changes() == CalendarChanges()


def test_a_shipped_day_can_be_removed_and_restored(calendar: TradingCalendar) -> None:
    calendar.remove([(CHRISTMAS, NSE)], by=TRADER)
    assert calendar.load().is_trading_day(NSE, CHRISTMAS)
    assert not calendar.load().is_trading_day(BSE, CHRISTMAS)
    assert calendar.changes().ordinary == {(CHRISTMAS, NSE)}
    calendar.restore([(CHRISTMAS, NSE)], by=TRADER)
    assert calendar.load() == SHIPPED


def test_what_replaced_a_shipped_day_is_removed_with_it(calendar: TradingCalendar) -> None:
    session = SpecialDay(day=CHRISTMAS, exchange=NSE, description="Late party", hours=EVENING)
    calendar.put([session], by=TRADER)
    calendar.remove([(CHRISTMAS, NSE)], by=TRADER)
    assert calendar.load().sessions(NSE, CHRISTMAS)[0].opens.time() == time(9, 15)
    calendar.put([session], by=TRADER)
    assert calendar.load().special_days[CHRISTMAS, NSE] == session, "after it was removed it can be added again"


def test_a_year_is_complete_when_the_trader_says_so(calendar: TradingCalendar) -> None:
    assert not calendar.load().knows(NSE, REPUBLIC_DAY)
    calendar.set_complete(2027, is_complete=True, by=TRADER)
    calendar.set_complete(2027, is_complete=True, by=TRADER)
    assert calendar.load().knows(NSE, REPUBLIC_DAY)
    calendar.set_complete(2027, is_complete=False, by=TRADER)
    assert not calendar.load().knows(NSE, REPUBLIC_DAY)


def test_every_change_is_told_once_in_words(calendar: TradingCalendar, db: Database, clock: FixedClock) -> None:
    for _ in range(2):
        calendar.put([closed(REPUBLIC_DAY, NSE), closed(REPUBLIC_DAY, BSE)], by=TRADER)
    calendar.remove([(CHRISTMAS, NSE)], by=TRADER)
    calendar.restore([(CHRISTMAS, NSE)], by=TRADER)
    calendar.restore([(CHRISTMAS, NSE)], by=TRADER)
    calendar.set_complete(2027, is_complete=True, by=TRADER)
    assert told(db, clock) == [
        ("2027-01-26 trades as usual: NSE, BSE", "2027-01-26 closed (Republic Day): NSE, BSE"),
        ("2026-12-25 closed (Christmas): NSE", "2026-12-25 trades as usual: NSE"),
        ("2026-12-25 trades as usual: NSE", "2026-12-25 closed (Christmas): NSE"),
        ("2027 not complete", "2027 complete"),
    ]


def test_a_change_that_cannot_be_told_is_not_made(calendar: TradingCalendar, db: Database) -> None:
    db.write("DROP TABLE audit")
    with pytest.raises(StorageError):
        calendar.put([closed(REPUBLIC_DAY, NSE)], by=TRADER)
    with pytest.raises(StorageError):
        calendar.remove([(CHRISTMAS, NSE)], by=TRADER)
    with pytest.raises(StorageError):
        calendar.set_complete(2027, is_complete=True, by=TRADER)
    assert calendar.changes() == CalendarChanges()


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE calendar_day",
        "INSERT INTO calendar_day VALUES ('never', 'NSE', 'closed', '', '', 'x')",
        "INSERT INTO calendar_day VALUES ('2027-01-26', 'NYSE', 'closed', '', '', 'x')",
        "INSERT INTO calendar_day VALUES ('2027-01-26', 'NSE', 'hours', '1', '2 pm', 'x')",
    ],
)
def test_what_cannot_be_read_stops_no_order_the_shipped_calendar_counts(
    calendar: TradingCalendar, db: Database, damage: str
) -> None:
    db.write(damage)
    assert calendar.load() == SHIPPED
    with pytest.raises(StorageError):
        calendar.changes()


@pytest.mark.parametrize(
    "row",
    [
        "'hours', '19:15', '18:15'",
        "'hours', '', ''",
        "'closed', '18:15', '19:15'",
        "'ordinary', '18:15', '19:15'",
        "'open', '', ''",
    ],
)
def test_the_database_refuses_a_day_that_means_nothing(db: Database, row: str) -> None:
    with pytest.raises(StorageError):
        db.write(f"INSERT INTO calendar_day VALUES ('2027-01-26', 'NSE', {row}, 'x')")
