"""The order doors: closed until it is known what became of the last orders; pages and reads never wait for them."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import OutcomeUnknown, SessionExpired, Starting, StorageError
from openalgo_bridge.model.order import Action, CloseRequest, Exchange, OrderRequest, TradingMode
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Origin
from openalgo_bridge.trading import approvals, books, closing, orders, routing
from openalgo_bridge.trading.doors import Doors, DoorState
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import InDoubt, Sent
from openalgo_bridge.trading.watch import Watch
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
LIVE = replace(ORIGIN, may_trade_live=True)
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)


class Unreadable(ScriptedBroker):
    """Shows nothing while ``away``."""

    away = True

    def order_book(self) -> list[object]:  # type: ignore[override]
        if self.away:
            raise SessionExpired("Log in to the broker.")
        return list(super().order_book())


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


def starting(desk: Desk, broker: ScriptedBroker) -> Desk:
    """A desk as a start finds it, with its doors closed."""
    return replace(with_broker(desk, broker), doors=Doors())


def test_nothing_is_sent_or_written_before_the_doors_open(desk: Desk, broker: ScriptedBroker) -> None:
    closed = starting(desk, broker)
    with pytest.raises(Starting, match="nothing was written"):
        orders.place(closed, BUY, ORIGIN)
    assert (broker.calls, closed.store.journal.tickets()) == ([], [])
    assert books.connected(closed).broker.order_book() == []
    Watch(closed).round()
    assert closed.doors.state is DoorState.OPEN
    assert isinstance(orders.place(closed, BUY, ORIGIN), Sent)


def test_a_held_ticket_cannot_be_approved_before_the_doors_open(desk: Desk, broker: ScriptedBroker) -> None:
    held = with_broker(desk, broker).store.journal.hold(
        orders.draft_of(desk, BUY, ORIGIN, *modes(desk)), expires_at=None, reason=""
    )
    with pytest.raises(Starting):
        approvals.approve(starting(desk, broker), held.id, held.shown, by=TRADER)
    assert desk.store.journal.ticket(held.id).state is TicketState.HELD


def modes(desk: Desk) -> tuple[object, object]:
    return desk.store.preferences.trading_mode(), desk.store.preferences.order_mode()


def test_a_cancel_passes_as_soon_as_the_journal_is_in_order() -> None:
    doors = Doors()
    passed = threading.Event()

    def cancel() -> None:
        doors.admit(Operation.CANCEL)
        passed.set()

    waiting = threading.Thread(target=cancel)
    waiting.start()
    doors.journal_ready()
    waiting.join()
    assert passed.is_set()
    with pytest.raises(Starting):
        doors.admit(Operation.PLACE)


def test_while_the_broker_cannot_be_read_orders_are_held_and_cancels_tried(desk: Desk) -> None:
    broker = Unreadable(desk)
    placed = orders.place(with_broker(desk, broker), BUY, ORIGIN)
    assert isinstance(placed, Sent)
    safe = starting(desk, broker)
    watch = Watch(safe)
    watch.round()
    assert safe.doors.state is DoorState.SAFE
    held = orders.place(safe, BUY, ORIGIN)
    assert isinstance(held, Held)
    assert "Log in to the broker" in held.reason
    assert len(broker.calls) == 1
    assert isinstance(orders.cancel(safe, placed.broker_order_id, ORIGIN), Sent)
    broker.away = False
    watch.round()
    assert safe.doors.state is DoorState.OPEN
    assert isinstance(orders.place(safe, BUY, ORIGIN), Sent)


def test_a_login_to_the_live_broker_that_is_over_holds_no_order_of_the_paper_account(
    desk: Desk, broker: ScriptedBroker
) -> None:
    live, told = Unreadable(desk), []
    safe = with_broker(starting(desk, broker), live, TradingMode.LIVE)
    watch = Watch(safe, tell=told.append)
    watch.round()
    assert safe.doors.state is DoorState.SAFE
    assert "the broker for live trading" in safe.doors.reason
    assert isinstance(orders.place(safe, BUY, ORIGIN), Sent)
    held = orders.submit(safe, BUY, LIVE, TradingMode.LIVE, routing.rules(safe))
    assert isinstance(held, Held)
    assert held.reason == safe.doors.reason
    live.away = False
    watch.round()
    assert safe.doors.state is DoorState.OPEN
    assert safe.doors.are_open_for(TradingMode.LIVE)
    assert told == ["The broker can be read again: orders are no longer held."]


def test_the_accounts_are_let_in_one_after_the_other(desk: Desk) -> None:
    paper, live = Unreadable(desk), Unreadable(desk)
    safe = with_broker(starting(desk, paper), live, TradingMode.LIVE)
    watch = Watch(safe)
    watch.round()
    assert isinstance(closing.close(safe, CloseRequest(), ORIGIN), Held)
    paper.away = False
    watch.round()
    assert isinstance(closing.close(safe, CloseRequest(), ORIGIN), Report)
    assert isinstance(closing.close(safe, CloseRequest(), LIVE, TradingMode.LIVE), Held)


def test_a_damaged_journal_shuts_the_doors_for_good(desk: Desk, broker: ScriptedBroker) -> None:
    closed = starting(desk, broker)
    path = closed.settings.db_dir / "bridge.db"
    closed.store.files[0].write("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = bytearray(path.read_bytes())
    # The root page of a table in the middle of the file.
    middle = len(pages) // 2 // 4096 * 4096
    pages[middle : middle + 512] = b"\xff" * 512
    copy = closed.settings.db_dir / "damaged"
    copy.mkdir()
    (copy / "bridge.db").write_bytes(pages)
    damaged = replace(closed, settings=replace(closed.settings, db_dir=copy))
    watch = Watch(damaged)
    for _ in range(2):
        watch.round()
        assert damaged.doors.state is DoorState.SHUT
    with pytest.raises(StorageError, match="backup"):
        orders.place(damaged, BUY, ORIGIN)
    assert (broker.calls, closed.store.journal.tickets()) == ([], [])


def test_a_journal_that_cannot_be_read_just_now_is_not_called_damaged(desk: Desk, broker: ScriptedBroker) -> None:
    folder = desk.settings.db_dir / "elsewhere"
    (folder / "bridge.db").mkdir(parents=True)
    closed = starting(desk, broker)
    unreadable = replace(closed, settings=replace(closed.settings, db_dir=folder))
    watch = Watch(unreadable)
    watch.round()
    assert unreadable.doors.state is DoorState.OPENING
    with pytest.raises(Starting):
        orders.place(unreadable, BUY, ORIGIN)
    (folder / "bridge.db").rmdir()
    watch.round()
    assert unreadable.doors.state is DoorState.OPEN


def test_what_is_no_database_is_damaged(desk: Desk, broker: ScriptedBroker) -> None:
    folder = desk.settings.db_dir / "elsewhere"
    folder.mkdir()
    (folder / "bridge.db").write_bytes(b"no database at all" * 100)
    closed = starting(desk, broker)
    damaged = replace(closed, settings=replace(closed.settings, db_dir=folder))
    Watch(damaged).round()
    assert damaged.doors.state is DoorState.SHUT


def test_an_adapters_own_exception_keeps_the_doors_safe_and_says_so(desk: Desk, broker: ScriptedBroker) -> None:
    broker.unreadable = ValueError("a bug of the SDK")
    safe = starting(desk, broker)
    watch = Watch(safe)
    watch.round()
    assert safe.doors.state is DoorState.SAFE
    held = orders.place(safe, BUY, ORIGIN)
    assert isinstance(held, Held)
    assert "ValueError" in held.reason
    broker.unreadable = None
    watch.round()
    assert safe.doors.state is DoorState.OPEN


def test_a_start_looks_up_what_the_last_run_left(desk: Desk, broker: ScriptedBroker) -> None:
    running = with_broker(desk, broker)
    running.store.journal.release(orders.draft_of(desk, BUY, ORIGIN, *modes(desk)))
    told: list[str] = []
    again = starting(desk, broker)
    Watch(again, tell=told.append).round()
    assert again.store.journal.order(1).state is OrderState.NOT_PLACED
    assert "never reached" in told[0]


def test_the_watch_needs_two_reads_apart_and_never_sends(desk: Desk, clock: FixedClock) -> None:
    class Ticking(FixedClock):
        seconds = 0.0

        def monotonic(self) -> float:
            return self.seconds

    ticking = Ticking()
    broker = ScriptedBroker(desk, reread_after=10.0)
    timed = replace(with_broker(desk, broker), clock=ticking)
    broker.fault = lambda: OutcomeUnknown("timed out")
    orders.place(timed, BUY, ORIGIN)
    broker.fault = None
    watch = Watch(replace(timed, doors=Doors()))
    watch.round()
    for seconds, state in ((5, OrderState.UNKNOWN), (9, OrderState.UNKNOWN), (10, OrderState.NOT_PLACED)):
        ticking.seconds = seconds
        # The interruption is over; what is unknown is looked up by the timer.
        watch.round()
        assert timed.store.journal.order(1).state is state
    assert len(broker.calls) == 1


def test_a_late_order_is_found_by_the_second_read(desk: Desk) -> None:
    broker = ScriptedBroker(desk, reread_after=10.0)
    scripted = with_broker(desk, broker)
    broker.fault = lambda: OutcomeUnknown("timed out")
    doubt = orders.place(scripted, BUY, ORIGIN)
    broker.fault = None
    watch = Watch(replace(scripted, doors=Doors()))
    watch.round()
    other = ScriptedBroker(desk)
    orders.place(with_broker(desk, other), replace(BUY, symbol="SBIN"), ORIGIN)
    (there,) = other.book.values()
    broker.book[doubt.ticket.ref] = replace(there, tag=doubt.ticket.ref)
    watch.round()
    assert scripted.store.journal.order(1).state is OrderState.SENT


def test_the_watch_expires_tickets_and_outlives_every_fault(desk: Desk, clock: FixedClock) -> None:
    class Broken(ScriptedBroker):
        def find(self, tag: object) -> None:
            raise ZeroDivisionError

    broker = Broken(desk)
    scripted = with_broker(desk, broker)
    broker.fault = lambda: OutcomeUnknown("timed out")
    orders.place(scripted, replace(BUY, symbol="SBIN"), ORIGIN)
    held = scripted.store.journal.hold(
        orders.draft_of(desk, BUY, ORIGIN, *modes(desk)), expires_at=clock.now(), reason=""
    )
    watch = Watch(replace(scripted, doors=Doors()))
    watch.round()
    assert scripted.store.journal.ticket(held.id).state is TicketState.EXPIRED
    desk.store.files[0].write("ALTER TABLE idempotency RENAME TO elsewhere")
    watch.round()
    assert scripted.store.journal.order(1).state is OrderState.UNKNOWN


def test_the_watch_stops_when_it_is_told_to(desk: Desk, broker: ScriptedBroker) -> None:
    watch = Watch(starting(desk, broker), interval_s=3600)
    watch.start()
    assert watch.stop(timeout=60)


def test_an_outcome_that_could_not_be_written_is_written_by_the_timer(desk: Desk, broker: ScriptedBroker) -> None:
    running = replace(with_broker(desk, broker), doors=Doors())
    watch = Watch(running)
    watch.round()
    cannot_be_written(desk, broker, OutcomeUnknown("timed out"))
    assert isinstance(orders.place(running, BUY, ORIGIN), InDoubt)
    watch.round()
    assert running.store.journal.order(1).state is OrderState.SENDING, "it still cannot be written"
    desk.store.files[0].write("ALTER TABLE elsewhere RENAME TO order_event")
    broker.reread_after = None
    watch.round()
    assert running.store.journal.order(1).state is OrderState.PARKED, "written, and looked up"
    assert running.unwritten.all() == []


def test_an_entry_waits_while_the_last_one_is_sent_for_longer_than_any_call(
    desk: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    scripted = with_broker(desk, broker)
    cannot_be_written(desk, broker, OutcomeUnknown("timed out"))
    orders.place(scripted, BUY, ORIGIN)
    desk.store.files[0].write("ALTER TABLE elsewhere RENAME TO order_event")
    broker.fault = None
    clock.move(minutes=2, seconds=1)
    held = orders.place(scripted, BUY, ORIGIN)
    assert isinstance(held, Held)
    assert "in doubt" in held.reason
    assert isinstance(orders.place(scripted, replace(BUY, symbol="SBIN"), ORIGIN), Sent)


def cannot_be_written(desk: Desk, broker: ScriptedBroker, fault: BaseException) -> None:
    """The next order is claimed and ends with ``fault``, which the journal cannot take."""

    def fail() -> BaseException:
        desk.store.files[0].write("ALTER TABLE order_event RENAME TO elsewhere")
        return fault

    broker.fault = fail
