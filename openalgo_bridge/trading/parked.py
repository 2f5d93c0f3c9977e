"""Orders of which no look-up can say what became of them: the person looked at the broker and decides (security 4.9).

Each decision is one conditional move: of two clicks, or two tabs, one wins and the other raises Conflict.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

from openalgo_bridge.clock import IST
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, BrokerError, Conflict, Invalid, NotSent, Unsupported
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.exits import Effect, is_on_same_side
from openalgo_bridge.model.gtt import BrokerGtt, identity
from openalgo_bridge.model.order import BrokerOrderId, GttRequest, ModifyRequest, OrderMode, OrderRequest
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import PAGE, Operation, Origin, TicketDraft, order_of, target_of
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import approvals, exits, recovery
from openalgo_bridge.trading.approvals import Approved
from openalgo_bridge.trading.arrival import known_prices
from openalgo_bridge.trading.orders import expires_at
from openalgo_bridge.trading.recovery import Shown


def it_is_there(desk: Desk, order_id: int, broker_order_id: BrokerOrderId, *, by: Actor) -> None:
    """The person found it at the broker, under this id; a change or a withdrawal has that of the order it names.

    Raises NotFound, Conflict, StorageError, and Invalid where the id is missing, is another order's, or is provably
    not at the broker.
    """
    parked = desk.store.journal.order(order_id)
    named = target_of(parked.request)
    if named is None:
        named = BrokerOrderId(broker_order_id.strip())
        _check_named(desk, parked, named)
    found = Settlement(state=OrderState.SENT, broker_order_id=named, message=f"Found at the broker by {by.name}.")
    _decide(desk, order_id, found, by)


def handled(desk: Desk, order_id: int, *, by: Actor) -> None:
    """It is not at the broker and shall not be sent again. Where the broker cannot be asked, the person's word counts.

    Raises NotFound, StorageError, and Conflict when somebody decided before or the broker shows it.
    """
    with suppress(BrokerError):
        _check_absent(desk, desk.store.journal.order(order_id))
    _decide(desk, order_id, Settlement(state=OrderState.NOT_PLACED, message=f"Not there, says {by.name}."), by)


def send_again(desk: Desk, order_id: int, *, by: Actor) -> Approved:
    """It is not at the broker and shall be sent again: under a new reference, as a ticket that names the old one.

    The old order is given up and the new ticket held in one commit, and then approved like any other: when a guard or
    the kill switch says no, or the bridge stops in between, it waits in the Action Center. So does what may have come
    to close a position of which not so much is open any more: sent in Auto it was not marked as an exit. Raises as
    :func:`approvals.approve`, with ``ticket_id`` the new ticket's; Conflict when somebody decided before or the broker
    shows it; and NotSent where the broker cannot be asked: one look is all there is between this and a second order.
    """
    parked = desk.store.journal.order(order_id)
    try:
        _check_absent(desk, parked)
        effect = _effect(desk, parked)
    except BrokerError as fault:
        unseen = "Not sent again: whether the first one is there could not be looked up."
        raise NotSent(f"{unseen} {fault.message}") from fault
    old = desk.store.journal.ticket(parked.ticket_id)
    came_to_close = old.is_exit or old.operation is Operation.CLOSE
    question = "" if came_to_close else _question(parked, effect)
    draft = TicketDraft(
        ref=new_ref(desk.clock.now()),
        operation=parked.operation,
        request=parked.request,
        order_mode=OrderMode.SEMI_AUTO,
        trading_mode=parked.trading_mode,
        origin=Origin(source=PAGE, strategy=old.origin.strategy, request_id="", may_trade_live=True),
        price_then=_price(desk, parked) if old.price_then is None else old.price_then,
        # What closed must not open a position because it comes a second time.
        is_exit=came_to_close or (effect is not None and effect.is_exit),
    )
    again = desk.store.journal.replace_parked(
        order_id, draft, expires_at=expires_at(desk, draft), by=by, question=question
    )
    try:
        if question:
            raise Conflict(question)
        return approvals.approve(desk, again.id, again.shown, by=by)
    except BridgeError as refusal:
        refusal.ticket_id = again.id
        raise


def _price(desk: Desk, parked: JournalOrder) -> Decimal | None:
    """In rupees, of the moment at which the person decides; None where it is not known."""
    order = order_of(parked.request)
    broker = desk.broker(parked.trading_mode)
    return None if order is None else known_prices(desk, broker, [order]).get((order.exchange, order.symbol))


def _check_absent(desk: Desk, parked: JournalOrder) -> None:
    """Since it was parked, the broker may have come to show it. Raises Conflict then, BrokerError where it is mute."""
    if parked.state is not OrderState.PARKED:
        return  # Somebody decided: the move itself refuses.
    try:
        there = recovery.look(desk, parked)
    except Unsupported:
        return  # Nothing there carries our reference: the person's word counts.
    if there is not None:
        recovery.settle_found(desk, parked, there)
        raise Conflict(f"It is there, under number {there.id}. Nothing was sent.")


def _effect(desk: Desk, parked: JournalOrder) -> Effect | None:
    """What it would do to its position now; None of a withdrawal and of a GTT. Raises a BridgeError where that cannot
    be read.
    """
    if parked.state is not OrderState.PARKED or not isinstance(parked.request, OrderRequest | ModifyRequest):
        return None
    return exits.effect(desk.broker(parked.trading_mode), parked.request)


def _question(parked: JournalOrder, effect: Effect | None) -> str:
    """What the person is asked first; empty where it is plain what the order does."""
    order = order_of(parked.request)
    if order is None or effect is None or not effect.may_reverse:
        return ""
    held = f"The account holds {effect.before} {order.symbol} now; with this order it would hold {effect.after}."
    return f"{held} Approve it if you mean that."


def _check_named(desk: Desk, parked: JournalOrder, named: BrokerOrderId) -> None:
    if not named:
        raise _wrong_number("Copy the order's number from the broker's own page.")
    for other in desk.store.journal.orders_by_broker_id(named, parked.operation):
        if other.trading_mode is parked.trading_mode:
            raise _wrong_number(f"{named} is the number of another order, {other.ref}.")
    there = _at_broker(desk, parked, named)
    if there is not None and not _is_named_by(parked, there):
        raise _wrong_number(f"{named} is {there.request.action} {there.request.symbol}: not this order.")


def _at_broker(desk: Desk, parked: JournalOrder, named: BrokerOrderId) -> Shown | None:
    """What has that number; None where the broker cannot be asked: the person's word counts then.

    Raises Invalid when the broker provably has none of that number, which it can say of an order of today only.
    """
    is_gtt = isinstance(parked.request, GttRequest)
    try:
        broker = desk.broker(parked.trading_mode)
        there = broker.gtt(named) if is_gtt else broker.order(named)
    except BrokerError:
        return None
    is_of_today = parked.created_at.astimezone(IST).date() == desk.clock.now().astimezone(IST).date()
    if there is None and (is_of_today or is_gtt):
        when = "" if is_gtt else " today"
        raise _wrong_number(f"The broker has no {'GTT' if is_gtt else 'order'} with the number {named}{when}.")
    return there


def _is_named_by(parked: JournalOrder, there: Shown) -> bool:
    if isinstance(there, BrokerGtt):
        return isinstance(parked.request, GttRequest) and identity(there.request) == identity(parked.request)
    order = order_of(parked.request)
    return order is not None and is_on_same_side(there.request, order)


def _wrong_number(sentence: str) -> Invalid:
    return Invalid.of({"broker_order_id": [sentence]})


def _decide(desk: Desk, order_id: int, decision: Settlement, by: Actor) -> None:
    desk.store.journal.order(order_id)
    desk.store.journal.settle(order_id, decision, was=OrderState.PARKED, by=by)
