"""What the pages switch: read from disk every time, and told to the audit list in the same commit."""

from __future__ import annotations

import pytest

from openalgo_bridge.errors import Conflict, StorageError
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.expand import SmartOrderSettings
from openalgo_bridge.model.going_live import LiveTerms
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.store.api_keys import ApiKeys
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.guards import Guards
from openalgo_bridge.store.preferences import KeyCopy, Preferences
from tests.conftest import TRADER, FixedClock
from tests.store.test_api_keys import a_key

TERMS = LiveTerms(
    order_mode=OrderMode.SEMI_AUTO,
    guards=GuardSettings(maximum_quantity=10),
    declined=("order_value", "loss_of_day"),
)


@pytest.fixture
def preferences(db: Database, clock: FixedClock) -> Preferences:
    return Preferences(db, clock)


@pytest.fixture
def guards(db: Database, clock: FixedClock) -> Guards:
    return Guards(db, clock)


def told(db: Database, clock: FixedClock) -> list[tuple[str, str, str]]:
    return [(line.event, line.before, line.after) for line in reversed(AuditLog(db, clock).page())]


def test_a_fresh_bridge_is_paper_auto_and_keeps_a_copy_of_the_key(preferences: Preferences) -> None:
    assert preferences.order_mode() is OrderMode.AUTO
    assert preferences.trading_mode() is TradingMode.ANALYZE
    assert preferences.key_copy() is KeyCopy.KEPT
    assert preferences.key_stored() is None
    assert preferences.traffic_log_opened() is None


def test_a_choice_counts_at_once_and_is_told(preferences: Preferences, db: Database, clock: FixedClock) -> None:
    preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    assert preferences.order_mode() is OrderMode.SEMI_AUTO
    assert preferences.trading_mode() is TradingMode.LIVE
    assert told(db, clock) == [
        (AuditEvent.ORDER_MODE, "auto", "semi_auto"),
        (AuditEvent.TRADING_MODE, "analyze", "live"),
    ]


def test_going_live_that_cannot_be_told_is_not_done(preferences: Preferences, db: Database) -> None:
    db.write("DROP TABLE audit")
    with pytest.raises(StorageError):
        preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    assert preferences.trading_mode() is TradingMode.ANALYZE


def test_going_live_sets_both_modes_and_the_guards_and_tells_each(
    preferences: Preferences, guards: Guards, db: Database, clock: FixedClock
) -> None:
    preferences.go_live(TERMS, expected=GuardSettings(), by=TRADER)
    assert (preferences.trading_mode(), preferences.order_mode()) == (TradingMode.LIVE, OrderMode.SEMI_AUTO)
    assert guards.load() == TERMS.guards
    assert told(db, clock) == [
        (AuditEvent.GUARDS, "maximum quantity: off", "maximum quantity: 10"),
        (AuditEvent.ORDER_MODE, "auto", "semi_auto"),
        (AuditEvent.LIMITS_DECLINED, "", "order value, loss of day"),
        (AuditEvent.TRADING_MODE, "analyze", "live"),
    ]


@pytest.mark.parametrize("fails", ["audit", "guard", "preference"])
def test_going_live_is_done_whole_or_not_at_all(
    preferences: Preferences, guards: Guards, db: Database, fails: str
) -> None:
    db.write(f"CREATE TRIGGER full BEFORE INSERT ON {fails} BEGIN SELECT raise(ABORT, 'full'); END")
    with pytest.raises(StorageError):
        preferences.go_live(TERMS, expected=GuardSettings(), by=TRADER)
    assert (preferences.trading_mode(), preferences.order_mode()) == (TradingMode.ANALYZE, OrderMode.AUTO)
    assert guards.load() == GuardSettings()


def test_nobody_goes_live_on_guards_that_changed_meanwhile(preferences: Preferences, guards: Guards) -> None:
    guards.save(GuardSettings(maximum_quantity=1), by=TRADER)
    with pytest.raises(Conflict):
        preferences.go_live(TERMS, expected=GuardSettings(), by=TRADER)
    assert preferences.trading_mode() is TradingMode.ANALYZE
    assert guards.load() == GuardSettings(maximum_quantity=1)


@pytest.mark.parametrize("now", ["live", "nonsense"])
def test_only_from_analyze_one_goes_live(preferences: Preferences, guards: Guards, db: Database, now: str) -> None:
    db.write("UPDATE preference SET value = ? WHERE name = 'trading_mode'", (now,))
    with pytest.raises(Conflict):
        preferences.go_live(TERMS, expected=GuardSettings(), by=TRADER)
    assert preferences.order_mode() is OrderMode.AUTO
    assert guards.load() == GuardSettings()


@pytest.mark.parametrize("now", ["live", "nonsense"])
def test_the_way_back_to_paper_is_told_once_also_from_a_mode_that_means_nothing(
    preferences: Preferences, db: Database, clock: FixedClock, now: str
) -> None:
    db.write("UPDATE preference SET value = ? WHERE name = 'trading_mode'", (now,))
    assert [preferences.leave_live(by=TRADER), preferences.leave_live(by=TRADER)] == [True, False]
    assert preferences.trading_mode() is TradingMode.ANALYZE
    assert told(db, clock) == [(AuditEvent.TRADING_MODE, now, "analyze")]


def test_never_deletes_the_copy_and_none_is_written_again_until_it_is_kept(
    preferences: Preferences, db: Database, clock: FixedClock
) -> None:
    keys = ApiKeys(db, clock)
    keys.replace(a_key(1), by=TRADER)
    preferences.set_key_copy(KeyCopy.NEVER, by=TRADER)
    # As when "never" is saved while a new key is on its way with its copy.
    keys.replace(a_key(2), by=TRADER)
    assert [row["sealed"] for row in db.read("SELECT sealed FROM api_key")] == [None, None]
    preferences.set_key_copy(KeyCopy.KEPT, by=TRADER)
    assert [row["sealed"] for row in db.read("SELECT sealed FROM api_key")] == [None, None]
    keys.replace(a_key(3), by=TRADER)
    active = keys.active()
    assert active is not None
    assert active.key == a_key(3)
    copies = [line for line in told(db, clock) if line[0] == AuditEvent.KEY_COPY]
    assert copies == [
        (AuditEvent.KEY_COPY, "kept", "never, the copy was deleted"),
        (AuditEvent.KEY_COPY, "never", "kept"),
    ]


@pytest.mark.parametrize("damage", ["DELETE FROM preference", "UPDATE preference SET value = 'perhaps'"])
def test_a_choice_that_means_nothing_is_an_error_and_no_default(
    preferences: Preferences, db: Database, clock: FixedClock, damage: str
) -> None:
    db.write(damage)
    for read in (preferences.order_mode, preferences.trading_mode, preferences.key_copy):
        with pytest.raises(StorageError, match="cannot be read"):
            read()
    keys = ApiKeys(db, clock)
    keys.replace(a_key(1), by=TRADER)
    active = keys.active()
    assert active is not None
    assert active.key.sealed is None, "where nobody knows, no copy is kept"


def test_a_tick_remembers_its_moment_and_can_be_taken_back(preferences: Preferences, clock: FixedClock) -> None:
    preferences.note_key_stored()
    assert preferences.key_stored() == clock.now()
    preferences.note_key_stored(is_stored=False)
    assert preferences.key_stored() is None
    clock.move(minutes=1)
    preferences.note_traffic_log_opened()
    assert preferences.traffic_log_opened() == clock.now()


@pytest.mark.parametrize("value", ["yes", "9" * 30])
def test_a_moment_that_is_none_is_an_error(preferences: Preferences, db: Database, value: str) -> None:
    db.write("INSERT INTO preference VALUES ('key_stored', ?)", (value,))
    with pytest.raises(StorageError, match="cannot be read"):
        preferences.key_stored()


def test_auto_is_not_repeated_over_a_semi_auto_of_the_same_moment(
    preferences: Preferences, db: Database, clock: FixedClock
) -> None:
    preferences.set_order_mode(OrderMode.AUTO, expected=OrderMode.AUTO, by=TRADER)
    preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    lines = told(db, clock)
    with pytest.raises(Conflict):
        preferences.set_order_mode(OrderMode.AUTO, expected=OrderMode.AUTO, by=TRADER)
    assert preferences.order_mode() is OrderMode.SEMI_AUTO
    assert told(db, clock) == lines


def test_smart_orders_count_what_works_and_open_nothing_while_flat(preferences: Preferences) -> None:
    assert preferences.smart_orders() == SmartOrderSettings(counts_working=True, opens_while_flat=False)


def test_how_smart_orders_are_worked_out_counts_at_once_and_is_told_once(
    preferences: Preferences, db: Database, clock: FixedClock
) -> None:
    wanted = SmartOrderSettings(counts_working=False, opens_while_flat=True)
    preferences.set_smart_orders(wanted, by=TRADER)
    preferences.set_smart_orders(wanted, by=TRADER)
    assert preferences.smart_orders() == wanted
    assert told(db, clock) == [
        (
            AuditEvent.SMART_ORDERS,
            "count working orders: yes; open a trade while flat: no",
            "count working orders: no; open a trade while flat: yes",
        )
    ]


def test_smart_orders_that_changed_meanwhile_are_not_overwritten(
    preferences: Preferences, db: Database, clock: FixedClock
) -> None:
    seen = SmartOrderSettings(counts_working=False, opens_while_flat=True)
    preferences.set_smart_orders(seen, by=TRADER)
    preferences.set_smart_orders(SmartOrderSettings(), by=TRADER)
    lines = told(db, clock)
    with pytest.raises(Conflict):
        preferences.set_smart_orders(SmartOrderSettings(opens_while_flat=True), by=TRADER, expected=seen)
    assert preferences.smart_orders() == SmartOrderSettings()
    assert told(db, clock) == lines


def test_a_smart_order_setting_that_means_nothing_is_an_error(preferences: Preferences, db: Database) -> None:
    db.write("UPDATE preference SET value = 'perhaps' WHERE name = 'smart_opens_while_flat'")
    with pytest.raises(StorageError):
        preferences.smart_orders()
