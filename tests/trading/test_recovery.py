"""After a crash: nothing is sent again, and what is known is only what the broker shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import OutcomeUnknown, SessionExpired
from openalgo_bridge.model.order import Action, Exchange, ModifyRequest, OrderRequest, PriceType
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Operation, Origin, Ticket, TicketDraft
from openalgo_bridge.trading import orders
from openalgo_bridge.trading.recovery import recover
from openalgo_bridge.trading.sending import Sent
from tests.fakes import ScriptedBroker, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1", may_trade_live=True)
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)


def after_an_unclear_answer(desk: Desk, broker: ScriptedBroker) -> tuple[Desk, OrderState]:
    """A desk whose only order is unknown, recovered; and the state it ended in."""
    broker.fault = lambda: OutcomeUnknown("timed out")
    scripted = with_broker(desk, broker)
    orders.place(scripted, BUY, ORIGIN)
    broker.fault = None
    recover(scripted)
    (order,) = scripted.store.journal.orders_of([1])
    return scripted, order.state


def test_an_order_found_by_its_tag_was_sent(desk: Desk) -> None:
    broker = ScriptedBroker(desk, accepts_before_fault=True)
    _, state = after_an_unclear_answer(desk, broker)
    assert (state, len(broker.calls)) == (OrderState.SENT, 1)


def test_an_order_absent_in_two_fresh_reads_was_not_placed(desk: Desk) -> None:
    broker = ScriptedBroker(desk)
    _, state = after_an_unclear_answer(desk, broker)
    assert (state, len(broker.calls)) == (OrderState.NOT_PLACED, 1)


def test_absence_that_cannot_be_proven_is_parked_for_the_person(desk: Desk) -> None:
    broker = ScriptedBroker(desk, reread_after=None)
    _, state = after_an_unclear_answer(desk, broker)
    assert (state, len(broker.calls)) == (OrderState.PARKED, 1)


def test_a_broker_that_cannot_be_asked_leaves_it_unknown(desk: Desk) -> None:
    class Unreachable(ScriptedBroker):
        def find(self, tag: object) -> None:
            raise SessionExpired("log in")

    broker = Unreachable(desk)
    scripted, state = after_an_unclear_answer(desk, broker)
    assert state is OrderState.UNKNOWN
    assert recover(scripted).in_doubt == 1


def test_a_clean_start_says_nothing(desk: Desk) -> None:
    assert str(recover(desk)) == ""


@pytest.mark.parametrize("times", [1, 2, 3])
def test_recovering_again_changes_nothing(desk: Desk, times: int) -> None:
    broker = ScriptedBroker(desk, accepts_before_fault=True)
    scripted, state = after_an_unclear_answer(desk, broker)
    for _ in range(times):
        assert str(recover(scripted)) == ""
    assert (state, len(broker.calls)) == (OrderState.SENT, 1)


def test_a_change_that_never_left_is_not_found_by_an_equal_price(desk: Desk) -> None:
    broker = ScriptedBroker(desk)
    scripted = with_broker(desk, broker)
    limit = replace(BUY, price_type=PriceType.LIMIT, price=Decimal(1000))
    placed = orders.place(scripted, limit, ORIGIN)
    assert isinstance(placed, Sent)
    to_market = replace(limit, price_type=PriceType.MARKET)
    change = ModifyRequest(broker_order_id=placed.broker_order_id, order=to_market)
    draft = replace(as_draft(placed.ticket), ref=new_ref(datetime.now(UTC)), operation=Operation.MODIFY, request=change)
    scripted.store.journal.release(draft)
    recovered = recover(scripted)
    assert (recovered.found, recovered.absent) == (0, 1)


def test_an_adapters_own_exception_does_not_keep_the_bridge_from_starting(desk: Desk) -> None:
    class Broken(ScriptedBroker):
        def find(self, tag: object) -> None:
            raise ConnectionResetError("proxy")

    _, state = after_an_unclear_answer(desk, Broken(desk))
    assert state is OrderState.UNKNOWN


def as_draft(ticket: Ticket) -> TicketDraft:
    return TicketDraft(
        ref=ticket.ref,
        operation=ticket.operation,
        request=ticket.request,
        order_mode=ticket.order_mode,
        trading_mode=ticket.trading_mode,
        origin=ticket.origin,
    )
