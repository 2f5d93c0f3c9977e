"""Orders of which no look-up can say what became of them: the person looked at the broker and decides (security 4.9).

Each decision is one conditional move: of two clicks, or two tabs, one wins and the other raises Conflict.
"""

from __future__ import annotations

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.order import BrokerOrderId, OrderMode
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Origin, TicketDraft, new_ref
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.trading import approvals
from openalgo_bridge.trading.sending import InDoubt, Sent


def it_is_there(desk: Desk, order_id: int, broker_order_id: BrokerOrderId, *, by: Actor) -> None:
    """The person found it at the broker, under this id. Raises NotFound, Conflict, Invalid or StorageError."""
    named = BrokerOrderId(broker_order_id.strip())
    if not named:
        raise Invalid.of({"broker_order_id": ["Copy the order's number from the broker's own page."]})
    found = Settlement(state=OrderState.SENT, broker_order_id=named, message=f"Found at the broker by {by.name}.")
    _decide(desk, order_id, found, by)


def handled(desk: Desk, order_id: int, *, by: Actor) -> None:
    """It is not at the broker and shall not be sent again. Raises NotFound, Conflict or StorageError."""
    _decide(desk, order_id, Settlement(state=OrderState.NOT_PLACED, message=f"Not there, says {by.name}."), by)


def send_again(desk: Desk, order_id: int, *, by: Actor) -> Sent | InDoubt:
    """It is not at the broker and shall be sent again: under a new reference, as a ticket that names the old one.

    The old order is given up and the new ticket held in one commit, and then approved like any other: when a guard or
    the kill switch says no, or the bridge stops in between, it waits in the Action Center. Raises as
    :func:`approvals.approve`, and Conflict when somebody decided before.
    """
    parked = desk.store.journal.order(order_id)
    old = desk.store.journal.ticket(parked.ticket_id)
    now = desk.clock.now()
    draft = TicketDraft(
        ref=new_ref(now),
        operation=parked.operation,
        request=parked.request,
        order_mode=OrderMode.SEMI_AUTO,
        trading_mode=parked.trading_mode,
        origin=Origin(source="page", strategy=old.origin.strategy, request_id="", may_trade_live=True),
        price_then=old.price_then,
    )
    again = desk.store.journal.replace_parked(order_id, draft, expires_at=now + desk.store.guards.held_for(), by=by)
    return approvals.approve(desk, again.id, again.shown, by=by)


def _decide(desk: Desk, order_id: int, decision: Settlement, by: Actor) -> None:
    desk.store.journal.order(order_id)
    desk.store.journal.settle(order_id, decision, was=OrderState.PARKED, by=by)
