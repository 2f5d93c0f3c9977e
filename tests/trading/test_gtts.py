"""GTTs on their way to a broker: sent or held as orders are, judged by the same guards, never sent twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from threading import Event, Thread

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import (
    BrokerError,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    NotOffered,
    NotSent,
    OutcomeUnknown,
    Rejected,
)
from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    Exchange,
    GttRequest,
    OrderMode,
    OrderRequest,
    Product,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Origin
from openalgo_bridge.trading import approvals, books, gtts, orders, parked
from openalgo_bridge.trading.orders import Held, Withdrawn
from openalgo_bridge.trading.recovery import Absences, look_up_all, recover
from openalgo_bridge.trading.sending import InDoubt, Sent
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker
from tests.gtt_requests import OCO, SELL, STOP, TARGET

ORIGIN = Origin(source="api", strategy="test", request_id="r1")


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk, keeps_gtts=True)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


def semi_auto(desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)


def placed(desk: Desk, wanted: GttRequest = SELL) -> Sent:
    result = gtts.place(desk, wanted, ORIGIN)
    assert isinstance(result, Sent)
    return result


def held(desk: Desk, wanted: GttRequest = SELL) -> Held:
    result = gtts.place(desk, wanted, ORIGIN)
    assert isinstance(result, Held)
    return result


def state_of_only_order(desk: Desk) -> OrderState:
    (ticket,) = desk.store.journal.tickets()
    (order,) = desk.store.journal.orders_of([ticket.id])
    return order.state


def test_auto_sends_it_once_under_our_reference(scripted: Desk, broker: ScriptedBroker) -> None:
    result = placed(scripted, OCO)
    (kept,) = broker.gtt_book()
    assert (kept.id, kept.tag, kept.request) == (result.broker_order_id, result.ticket.ref, OCO)
    (order,) = scripted.store.journal.orders_of([result.ticket.id])
    assert (order.operation, order.state, order.request) == (Operation.PLACE_GTT, OrderState.SENT, OCO)
    assert not broker.book


def test_the_journal_reads_back_what_was_asked(scripted: Desk, clock: FixedClock) -> None:
    until = replace(OCO, expires_at=clock.now() + timedelta(days=30))
    result = placed(scripted, until)
    assert scripted.store.journal.ticket(result.ticket.id).request == until


def test_semi_auto_holds_it_and_an_approval_sends_it(scripted: Desk, broker: ScriptedBroker) -> None:
    semi_auto(scripted)
    ticket = held(scripted).ticket
    assert not broker.calls
    result = approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER)
    assert isinstance(result, Sent)
    assert [each.request for each in broker.gtt_book()] == [SELL]
    with pytest.raises(Conflict):
        approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER)
    assert len(broker.calls) == 1


def test_eight_approvals_at_once_send_one(scripted: Desk, broker: ScriptedBroker) -> None:
    semi_auto(scripted)
    ticket = held(scripted).ticket
    results = in_threads(8, lambda: approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER))
    assert sum(isinstance(each, Sent) for each in results) == 1
    assert len(broker.calls) == 1


def test_a_change_of_the_mode_between_look_and_claim_holds_it(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.guards.save(GuardSettings(loss_of_day=Decimal(1000)), by=TRADER)
    broker.while_reading = lambda: semi_auto(scripted)
    assert isinstance(gtts.place(scripted, SELL, ORIGIN), Held)
    assert not broker.calls


def test_a_change_goes_and_a_held_one_waits(scripted: Desk, broker: ScriptedBroker) -> None:
    number = placed(scripted).broker_order_id
    assert isinstance(gtts.modify(scripted, number, replace(SELL, quantity=5), ORIGIN), Sent)
    assert broker.gtt_book()[0].request.quantity == 5
    semi_auto(scripted)
    waits = gtts.modify(scripted, number, replace(SELL, quantity=7), ORIGIN)
    assert isinstance(waits, Held)
    approvals.approve(scripted, waits.ticket.id, waits.ticket.shown, by=TRADER)
    assert broker.gtt_book()[0].request.quantity == 7


@pytest.mark.parametrize(
    "becomes",
    [
        replace(SELL, action=Action.BUY),
        replace(SELL, symbol="INFY"),
        replace(SELL, exchange=Exchange.BSE),
        replace(SELL, product=Product.NRML),
        OCO,
    ],
)
def test_what_it_is_cannot_be_changed(scripted: Desk, broker: ScriptedBroker, becomes: GttRequest) -> None:
    number = placed(scripted).broker_order_id
    with pytest.raises(Invalid, match="cannot be changed"):
        gtts.modify(scripted, number, becomes, ORIGIN)
    assert len(broker.calls) == 1


def test_only_what_waits_can_be_changed(scripted: Desk, broker: ScriptedBroker) -> None:
    with pytest.raises(NotFound, match="No active GTT with trigger_id 'G7'"):
        gtts.modify(scripted, "G7", SELL, ORIGIN)
    number = placed(scripted).broker_order_id
    gtts.cancel(scripted, number, ORIGIN)
    with pytest.raises(NotFound, match="No active GTT"):
        gtts.modify(scripted, number, SELL, ORIGIN)


def test_a_cancel_goes_in_semi_auto_and_past_the_kill_switch(scripted: Desk, broker: ScriptedBroker) -> None:
    number = placed(scripted).broker_order_id
    semi_auto(scripted)
    scripted.store.kill_switch.engage("stop", by=TRADER)
    assert isinstance(gtts.cancel(scripted, number, ORIGIN), Sent)
    assert [each.state for each in broker.gtts.values()] == [GttState.CANCELLED]


def test_a_cancel_takes_back_what_still_waits(scripted: Desk, broker: ScriptedBroker) -> None:
    semi_auto(scripted)
    ticket = held(scripted).ticket
    assert isinstance(gtts.cancel(scripted, ticket.ref, ORIGIN), Withdrawn)
    assert scripted.store.journal.ticket(ticket.id).state is TicketState.REJECTED
    assert not broker.calls


def test_it_is_named_by_our_reference_too(scripted: Desk, broker: ScriptedBroker) -> None:
    ref = placed(scripted).ticket.ref
    gtts.modify(scripted, ref, replace(SELL, quantity=4), ORIGIN)
    gtts.cancel(scripted, ref, ORIGIN)
    assert [(each.state, each.request.quantity) for each in broker.gtts.values()] == [(GttState.CANCELLED, 4)]


def test_an_order_is_no_gtt_and_a_gtt_no_order(scripted: Desk) -> None:
    order = orders.place(scripted, OrderRequest(**_plain()), ORIGIN)
    waits = placed(scripted)
    with pytest.raises(NotFound, match="is a placeorder, not a GTT order"):
        gtts.cancel(scripted, order.ticket.ref, ORIGIN)
    with pytest.raises(NotFound):
        orders.cancel(scripted, waits.ticket.ref, ORIGIN)


def _plain() -> dict[str, object]:
    return {"symbol": "RELIANCE", "exchange": Exchange.NSE, "action": Action.BUY, "quantity": 1}


def test_a_broker_without_them_says_so_and_nothing_is_written(desk: Desk) -> None:
    without = with_broker(desk, ScriptedBroker(desk))
    for act in (
        lambda: gtts.place(without, SELL, ORIGIN),
        lambda: gtts.modify(without, "G1", SELL, ORIGIN),
        lambda: gtts.cancel(without, "G1", ORIGIN),
    ):
        with pytest.raises(NotOffered, match="GTT orders are not supported for broker 'scripted' yet"):
            act()
    assert desk.store.journal.mark().ticket_id == 0


@pytest.mark.parametrize(
    ("wanted", "field", "told"),
    [
        (replace(SELL, symbol="NOSUCH"), "symbol", "Symbol NOSUCH not found on NSE."),
        (replace(SELL, legs=(replace(STOP, price=Decimal(0)),)), "price", "LIMIT orders require price."),
        (
            replace(SELL, legs=(replace(STOP, trigger_price=Decimal("900.03")),)),
            "triggerprice_sl",
            "900.03 is not a multiple of the tick size",
        ),
        (
            replace(OCO, legs=(STOP, replace(TARGET, price=Decimal("1210.01")))),
            "target",
            "1210.01 is not a multiple of the tick size",
        ),
        (
            replace(OCO, legs=(replace(STOP, price=Decimal("889.99")), TARGET)),
            "stoploss",
            "889.99 is not a multiple of the tick size",
        ),
    ],
)
@pytest.mark.parametrize("mode", OrderMode)
def test_bad_input_is_told_before_it_is_held_or_sent(
    scripted: Desk, broker: ScriptedBroker, mode: OrderMode, wanted: GttRequest, field: str, told: str
) -> None:
    scripted.store.preferences.set_order_mode(mode, by=TRADER)
    with pytest.raises(Invalid) as refusal:
        gtts.place(scripted, wanted, ORIGIN)
    assert refusal.value.faults[field][0].startswith(told)
    assert scripted.store.journal.mark().ticket_id == 0


@pytest.mark.parametrize("days", [-1, 366])
def test_it_lives_for_a_year_at_most(scripted: Desk, clock: FixedClock, days: int) -> None:
    with pytest.raises(Invalid, match="at most 365 days"):
        gtts.place(scripted, replace(SELL, expires_at=clock.now() + timedelta(days=days)), ORIGIN)


def test_what_the_broker_never_takes_is_told_at_once(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.refuses = "NRML product not allowed"
    with pytest.raises(Rejected):
        gtts.place(scripted, SELL, ORIGIN)
    assert scripted.store.journal.mark().ticket_id == 0


# -- guards ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "wanted", "guard"),
    [
        (GuardSettings(maximum_quantity=9), SELL, "maximum_quantity"),
        # By what it may place at most, not by the price of now: 10 at 1,210.
        (GuardSettings(order_value=Decimal(12_099)), OCO, "order_value"),
        (GuardSettings(allowed_symbols=frozenset({"NSE:INFY"})), SELL, "allowed_symbols"),
        (GuardSettings(loss_of_day=Decimal(500)), SELL, "loss_of_day"),
        (GuardSettings(), replace(SELL, quantity=10_000_000), "maximum_quantity"),
        # A limit that its trigger can hardly mean.
        (GuardSettings(), replace(SELL, legs=(replace(STOP, price=Decimal(500)),)), "price_band"),
    ],
)
def test_the_guards_judge_what_it_may_place(
    scripted: Desk, broker: ScriptedBroker, limits: GuardSettings, wanted: GttRequest, guard: str
) -> None:
    broker.profit = Decimal(-500)
    scripted.store.guards.save(limits, by=TRADER)
    with pytest.raises(Denied) as refusal:
        gtts.place(scripted, wanted, ORIGIN)
    assert refusal.value.guard == guard
    (ticket,) = scripted.store.journal.tickets()
    assert (ticket.state, ticket.operation) == (TicketState.DENIED, Operation.PLACE_GTT)
    assert not broker.calls


def test_a_trigger_far_from_the_market_is_no_slip_of_the_finger(scripted: Desk) -> None:
    placed(scripted, replace(SELL, legs=(replace(STOP, trigger_price=Decimal(500), price=Decimal(495)),)))


def test_it_is_counted_with_the_orders_of_the_day(scripted: Desk) -> None:
    scripted.store.guards.save(GuardSettings(orders_per_day=1), by=TRADER)
    placed(scripted)
    with pytest.raises(Denied, match="used up"):
        orders.place(scripted, OrderRequest(**_plain()), ORIGIN)


def test_the_same_twice_is_a_repeat_and_another_price_is_none(scripted: Desk) -> None:
    scripted.store.guards.save(GuardSettings(duplicate_window=60), by=TRADER)
    placed(scripted)
    with pytest.raises(Denied) as refusal:
        gtts.place(scripted, replace(SELL, legs=(replace(STOP, price=Decimal("890.0")),)), ORIGIN)
    assert refusal.value.guard == "duplicate_signal"
    placed(scripted, replace(SELL, legs=(replace(STOP, price=Decimal(885)),)))


def test_a_guard_refuses_an_approval_which_stays_held(scripted: Desk, broker: ScriptedBroker) -> None:
    semi_auto(scripted)
    ticket = held(scripted).ticket
    scripted.store.guards.save(GuardSettings(maximum_quantity=1), by=TRADER)
    with pytest.raises(Denied):
        approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER)
    assert scripted.store.journal.ticket(ticket.id).state is TicketState.HELD
    assert not broker.calls


def test_the_kill_switch_stops_what_may_open_and_not_what_closes(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.kill_switch.engage("stop", by=TRADER)
    broker.hold("RELIANCE", 10, Product.CNC)
    with pytest.raises(Denied) as refusal:
        gtts.place(scripted, replace(OCO, quantity=11), ORIGIN)
    assert refusal.value.guard == "kill_switch"
    placed(scripted, OCO)
    # What waits already closes all of it.
    with pytest.raises(Denied):
        gtts.place(scripted, replace(SELL, legs=(TARGET,)), ORIGIN)


def test_of_two_that_close_the_same_at_once_one_passes_the_kill_switch(scripted: Desk, broker: ScriptedBroker) -> None:
    scripted.store.kill_switch.engage("stop", by=TRADER)
    broker.hold("RELIANCE", 10, Product.CNC)

    def outcome() -> object:
        try:
            return gtts.place(scripted, SELL, ORIGIN)
        except Denied as refusal:
            return refusal

    results = in_threads(8, outcome)
    assert sum(isinstance(each, Sent) for each in results) == 1
    assert len(broker.gtt_book()) == 1


class _AtLeisure(ScriptedBroker):
    """Has a GTT on its way for as long as :attr:`shows` is not set."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, keeps_gtts=True)
        self.has_it, self.shows = Event(), Event()

    def place_gtt(self, permit: SendPermit[GttRequest]) -> BrokerOrderId:
        self.has_it.set()
        assert self.shows.wait(timeout=30)
        return super().place_gtt(permit)


def test_one_that_was_on_its_way_when_another_was_measured_takes_its_part(desk: Desk) -> None:
    broker = _AtLeisure(desk)
    scripted = with_broker(desk, broker)
    scripted.store.kill_switch.engage("stop", by=TRADER)
    broker.hold("RELIANCE", 10, Product.CNC)
    first = Thread(target=lambda: gtts.place(scripted, SELL, ORIGIN))

    def let_the_first_arrive_after_the_gtts() -> None:
        if broker.reads[-1] == "positions" and not broker.shows.is_set():
            broker.shows.set()
            first.join()

    first.start()
    assert broker.has_it.wait(timeout=30)
    broker.while_reading = let_the_first_arrive_after_the_gtts
    with pytest.raises(Denied):
        gtts.place(scripted, SELL, ORIGIN)
    assert broker.shows.is_set()
    assert len(broker.gtt_book()) == 1


def test_with_exits_let_through_only_a_change_passes_semi_auto(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10, Product.CNC)
    number = placed(scripted).broker_order_id
    scripted.store.guards.save(GuardSettings(let_exits_through=True), by=TRADER)
    semi_auto(scripted)
    assert isinstance(gtts.modify(scripted, number, replace(SELL, quantity=8), ORIGIN), Sent)
    assert isinstance(gtts.modify(scripted, number, replace(SELL, quantity=11), ORIGIN), Held)
    assert isinstance(gtts.place(scripted, replace(SELL, quantity=1), ORIGIN), Held)


def test_what_came_to_close_is_marked_and_never_approved_for_more_than_there_is(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.hold("RELIANCE", 10, Product.CNC)
    semi_auto(scripted)
    ticket = held(scripted).ticket
    assert ticket.is_exit
    broker.held.clear()
    broker.hold("RELIANCE", 3, Product.CNC)
    with pytest.raises(Conflict, match="only 3 are left to close"):
        approvals.approve(scripted, ticket.id, ticket.shown, by=TRADER)
    assert not broker.calls


# -- doubt -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Rejected, NotSent])
def test_a_provable_refusal_is_told_and_written_down(
    scripted: Desk, broker: ScriptedBroker, fault: Callable[[str], BrokerError]
) -> None:
    broker.fault = lambda: fault("Trigger already met.")
    with pytest.raises(BrokerError, match="Trigger already met"):
        gtts.place(scripted, SELL, ORIGIN)
    assert state_of_only_order(scripted) is OrderState.REJECTED


@pytest.mark.parametrize(
    ("arrived", "becomes"), [(True, OrderState.SENT), (False, OrderState.NOT_PLACED)], ids=["arrived", "lost"]
)
def test_a_time_out_is_looked_up_by_its_tag_and_never_sent_again(
    scripted: Desk, broker: ScriptedBroker, arrived: bool, becomes: OrderState
) -> None:
    broker.fault, broker.accepts_before_fault = lambda: OutcomeUnknown("timed out"), arrived
    assert isinstance(gtts.place(scripted, SELL, ORIGIN), InDoubt)
    assert state_of_only_order(scripted) is OrderState.UNKNOWN
    look_up_all(scripted, Absences(scripted.clock))
    assert state_of_only_order(scripted) is becomes
    assert len(broker.calls) == 1


def test_where_nothing_carries_a_tag_the_person_decides(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.fault, broker.has_gtt_tags = lambda: OutcomeUnknown("timed out"), False
    gtts.place(scripted, SELL, ORIGIN)
    look_up_all(scripted, Absences(scripted.clock))
    (lost,) = scripted.store.journal.parked()
    broker.fault = None
    again = parked.send_again(scripted, lost.id, by=TRADER)
    assert isinstance(again, Sent)
    assert len(broker.gtt_book()) == 1


def test_the_person_names_the_one_that_is_there(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.fault, broker.has_gtt_tags = lambda: OutcomeUnknown("timed out"), False
    broker.accepts_before_fault = True
    gtts.place(scripted, SELL, ORIGIN)
    look_up_all(scripted, Absences(scripted.clock))
    (lost,) = scripted.store.journal.parked()
    with pytest.raises(Invalid, match="no GTT with the number G9"):
        parked.it_is_there(scripted, lost.id, BrokerOrderId("G9"), by=TRADER)
    parked.it_is_there(scripted, lost.id, BrokerOrderId("G1"), by=TRADER)
    assert gtts.find(scripted, lost.ref).broker_order_id == "G1"


@pytest.mark.parametrize("arrived", [True, False])
def test_a_change_and_a_withdrawal_in_doubt_are_looked_up(
    scripted: Desk, broker: ScriptedBroker, arrived: bool
) -> None:
    number = placed(scripted).broker_order_id
    broker.fault, broker.accepts_before_fault = lambda: OutcomeUnknown("timed out"), arrived
    becomes = OrderState.SENT if arrived else OrderState.NOT_PLACED
    assert isinstance(gtts.modify(scripted, number, replace(SELL, quantity=5), ORIGIN), InDoubt)
    assert look_up_all(scripted, Absences(scripted.clock)) == [becomes]
    assert isinstance(gtts.cancel(scripted, number, ORIGIN), InDoubt)
    assert look_up_all(scripted, Absences(scripted.clock)) == [becomes]


def test_one_in_doubt_holds_new_entries_of_its_symbol(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.fault = lambda: OutcomeUnknown("timed out")
    gtts.place(scripted, SELL, ORIGIN)
    broker.fault = None
    assert isinstance(orders.place(scripted, OrderRequest(**_plain()), ORIGIN), Held)
    assert isinstance(gtts.place(scripted, replace(SELL, quantity=1), ORIGIN), Held)


def test_a_restart_sends_nothing(scripted: Desk, broker: ScriptedBroker) -> None:
    number = placed(scripted).broker_order_id
    recover(scripted)
    assert len(broker.calls) == 1
    assert gtts.find(scripted, number).broker_order_id == number


def test_its_fate_is_told_by_reference_and_by_the_reference_of_a_change(scripted: Desk, broker: ScriptedBroker) -> None:
    first = placed(scripted, OCO)
    fate = books.order_fate(scripted, first.ticket.ref)
    assert (fate.id, fate.status, fate.request.quantity) == (first.broker_order_id, GttState.ACTIVE, 10)
    change = gtts.modify(scripted, first.broker_order_id, replace(OCO, quantity=6), ORIGIN)
    told = books.order_fate(scripted, change.ticket.ref)
    assert told.remark.startswith(f"modifygttorder {change.ticket.ref} is sent.")
    assert told.request.quantity == 6


def test_a_held_one_has_a_fate_too(scripted: Desk) -> None:
    semi_auto(scripted)
    ref = held(scripted).ticket.ref
    assert books.order_fate(scripted, ref).status == "held"


def test_a_change_that_a_later_one_hides_is_for_the_person_to_decide(scripted: Desk, broker: ScriptedBroker) -> None:
    number = placed(scripted).broker_order_id
    broker.fault = lambda: OutcomeUnknown("timed out")
    gtts.modify(scripted, number, replace(SELL, quantity=5), ORIGIN)
    broker.fault = None
    gtts.modify(scripted, number, replace(SELL, quantity=6), ORIGIN)
    assert look_up_all(scripted, Absences(scripted.clock)) == [OrderState.PARKED]
