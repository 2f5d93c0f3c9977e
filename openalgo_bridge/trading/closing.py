"""Out of everything: cancel all orders, close all positions or one, with a true word about each (design 4).

One ticket, and one order of it for each message. All are planned in one commit and then claimed one by one, so that a
crash in between leaves a ticket that says what was not sent. A cancel asks nobody. A closing order is claimed as an
exit, proven from a fresh reading: whatever fills meanwhile, it never takes a position past flat.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Invalid
from openalgo_bridge.model import exits
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.order import (
    BrokerOrderId,
    BrokerRequest,
    CancelAllRequest,
    CancelRequest,
    CloseRequest,
    Exchange,
    OrderMode,
    OrderRequest,
    TradingMode,
)
from openalgo_bridge.model.session import session_end
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Operation, Origin, Ticket, TicketDraft
from openalgo_bridge.store.claims import Reservation
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import routing
from openalgo_bridge.trading.exits import prove
from openalgo_bridge.trading.orders import DECISIONS, Held, check_grant, draft_of
from openalgo_bridge.trading.routing import Route
from openalgo_bridge.trading.sending import InDoubt, Sent, by_itself, carry_out, clearance

_NO_EXIT = "Not sent: other orders already close this position, or it changed meanwhile. Look at it again."
NOT_WITHDRAWN = "Not withdrawn: nobody knows yet whether it is there."
_CLOSING = Actor(name="closing")
_log = logging.getLogger(__name__)

PositionName = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """What became of one message: ``result``, or the ``refusal`` for which nothing is at the broker."""

    request: BrokerRequest
    result: Sent | InDoubt | None = None
    refusal: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the broker took it. What is in doubt is not done."""
        return isinstance(self.result, Sent)

    @property
    def why_not(self) -> str:
        """The sentence to show where it is not done."""
        return self.result.message if isinstance(self.result, InDoubt) else self.refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of each message of a ticket, in the order in which they were tried."""

    ticket: Ticket
    legs: tuple[Leg, ...]

    @property
    def is_done(self) -> bool:
        """Whether all of it was; true also when there was nothing to do."""
        return all(leg.is_done for leg in self.legs)

    def cancels(self) -> list[tuple[CancelRequest, Leg]]:
        """The withdrawals."""
        return [(leg.request, leg) for leg in self.legs if isinstance(leg.request, CancelRequest)]

    def closures(self) -> dict[PositionName, list[Leg]]:
        """The closing orders of each position, by exchange, symbol and product. A large one takes several."""
        found: dict[PositionName, list[Leg]] = {}
        for leg in self.legs:
            if isinstance(leg.request, OrderRequest):
                name = (leg.request.exchange, leg.request.symbol, leg.request.product)
                found.setdefault(name, []).append(leg)
        return found


def cancel_all(desk: Desk, wanted: CancelAllRequest, origin: Origin, mode: TradingMode | None = None) -> Report:
    """Withdraw every order that is working at the broker, whatever the modes and the guards say.

    ``mode`` is the current trading mode unless it is given. Raises StorageError, and a BrokerError when the broker
    cannot say what is working; a withdrawal that fails is in the report, and so is, by our reference, an order that
    may still come to be there.
    """
    desk.doors.admit(Operation.CANCEL_ALL)
    mode = mode or desk.store.preferences.trading_mode()
    broker = desk.broker(mode)
    draft = draft_of(desk, wanted, origin, mode, routing.rules(desk).order_mode)
    with desk.budget.slot(is_cancel=True):
        # The journal first: what arrives between the two readings shows in the second.
        on_their_way = desk.store.journal.doubts()
        book = broker.order_book()
        working = [each for each in book if each.status.is_working and _is_meant(wanted, each.request)]
        ticket, planned = desk.store.journal.plan(draft, [_withdrawal(each) for each in reversed(working)])
        report = _carried_out(desk, broker, ticket, planned)
    shown = {each.tag for each in book}
    missing = [each for each in _unseen(on_their_way, ticket) if each.ref not in shown]
    return replace(report, legs=(*report.legs, *map(_not_withdrawn, missing)))


def unseen(desk: Desk, ticket: Ticket) -> list[JournalOrder]:
    """What a ticket that cancels everything could not withdraw and may still come to be there. Raises StorageError."""
    return _unseen(desk.store.journal.doubts(), ticket)


def not_withdrawn(desk: Desk, ticket: Ticket) -> tuple[Leg, ...]:
    """What :func:`unseen` finds, as a report tells it. Raises StorageError."""
    return tuple(map(_not_withdrawn, unseen(desk, ticket)))


def _unseen(doubts: Iterable[JournalOrder], ticket: Ticket) -> list[JournalOrder]:
    wanted = ticket.request
    if not isinstance(wanted, CancelAllRequest):
        return []
    earlier = [each for each in doubts if each.trading_mode is ticket.trading_mode and each.ticket_id < ticket.id]
    return [each for each in earlier if isinstance(each.request, OrderRequest) and _is_meant(wanted, each.request)]


def _not_withdrawn(order: JournalOrder) -> Leg:
    return Leg(request=CancelRequest(broker_order_id=BrokerOrderId(order.ref)), refusal=NOT_WITHDRAWN)


def close(
    desk: Desk,
    wanted: CloseRequest,
    origin: Origin,
    mode: TradingMode | None = None,
    *,
    seen: Mapping[PositionName, int] | None = None,
) -> Report | Held:
    """Close every position, those of one symbol, or one. Orders that work on the closing side are withdrawn first:
    they would open a position again once it is flat.

    In Semi-Auto a program's request waits for the person, unless exits are let through; what the trader himself
    clicks is never held. ``seen`` are the positions that a page named beside its button, signed: no other is closed.
    Raises as :func:`cancel_all`, and Conflict when one of these is on the other side by now, or larger.
    """
    desk.doors.admit(Operation.CLOSE)
    mode = mode or desk.store.preferences.trading_mode()
    check_grant(mode, origin)
    broker = desk.broker(mode)
    reason = ""
    for _ in range(DECISIONS):
        decision = routing.decide_closing(desk)
        reason = decision.reason or reason
        if decision.route is Route.HOLD and not origin.is_by_hand:
            break
        draft = draft_of(desk, wanted, origin, mode, decision.order_mode)
        with desk.budget.slot(is_exit=True):
            messages = _closing_messages(desk, broker, wanted, seen)
            try:
                ticket, planned = desk.store.journal.plan(draft, messages)
            except Conflict as refusal:
                reason = refusal.message
                continue
            return _carried_out(desk, broker, ticket, planned)
    return _hold(desk, draft_of(desk, wanted, origin, mode, OrderMode.SEMI_AUTO), wanted, reason)


def messages(desk: Desk, wanted: CloseRequest, mode: TradingMode) -> list[BrokerRequest]:
    """What a closing would send now, in its order, for a person who decides about it. Sends and writes nothing.

    Raises Busy, and a BrokerError when the broker cannot be read.
    """
    broker = desk.broker(mode)
    with desk.budget.slot(is_exit=True):
        return _closing_messages(desk, broker, wanted)


def approve(desk: Desk, ticket: Ticket, shown: str, *, by: Actor) -> Report:
    """The trader lets a held closing go: it closes what is open now. Raises as :func:`close`, NotFound and Conflict."""
    if not isinstance(ticket.request, CloseRequest):
        raise Invalid(f"Ticket {ticket.id} is no closing of positions.")
    desk.doors.admit(Operation.CLOSE)
    broker = desk.broker(ticket.trading_mode)
    with desk.budget.slot(is_exit=True):
        messages = _closing_messages(desk, broker, ticket.request)
        approved, planned = desk.store.journal.approve_plan(ticket.id, shown, messages, by=by)
        return _carried_out(desk, broker, approved, planned)


def _hold(desk: Desk, draft: TicketDraft, wanted: CloseRequest, reason: str) -> Held:
    held_for = desk.store.guards.held_for(draft.origin.source)
    expires_at = session_end(wanted.exchange or Exchange.NSE, desk.clock.now(), held_for)
    draft = replace(draft, is_exit=True)
    return Held(ticket=desk.store.journal.hold(draft, expires_at=expires_at, reason=reason), reason=reason)


def _carried_out(desk: Desk, broker: Broker, ticket: Ticket, planned: Sequence[JournalOrder]) -> Report:
    return Report(ticket=ticket, legs=tuple(_attempt(desk, broker, ticket, order) for order in planned))


def _attempt(desk: Desk, broker: Broker, ticket: Ticket, order: JournalOrder) -> Leg:
    """Claim one planned order and carry it out. Whatever comes of it, the others still have their turn."""
    try:
        with clearance(desk, broker, order.operation, is_exit=by_itself):
            permit = desk.store.journal.claim(order.id, reserve=_proof(desk, broker, ticket, order))
            return Leg(request=order.request, result=carry_out(desk, broker, ticket, permit))
    except BridgeError as refusal:
        _drop(desk, order, refusal.message)
        return Leg(request=order.request, refusal=refusal.message)


def _proof(desk: Desk, broker: Broker, ticket: Ticket, order: JournalOrder) -> Reservation | None:
    """A closing order goes as an exit or not at all. Raises Conflict, or a BridgeError when nobody can tell."""
    if not isinstance(order.request, OrderRequest):
        return None
    reserve = prove(desk, broker, order.request, ticket.trading_mode)
    if reserve is None:
        raise Conflict(_NO_EXIT)
    return reserve


def _drop(desk: Desk, order: JournalOrder, reason: str) -> None:
    """What was never claimed must not wait for the next start to be given up."""
    dropped = Settlement(state=OrderState.DROPPED, message=reason)
    try:
        desk.store.journal.settle(order.id, dropped, was=OrderState.PLANNED, by=_CLOSING)
    except Conflict:
        return  # It was claimed, and the broker refused it: that stands in the journal already.
    except BridgeError:
        _log.exception("order %s: that it was not sent could not be written down", order.ref)


def _closing_messages(
    desk: Desk, broker: Broker, wanted: CloseRequest, seen: Mapping[PositionName, int] | None = None
) -> list[BrokerRequest]:
    """First all withdrawals, then the closing orders, those of short positions first: they are the larger risk, and
    buying back needs no margin.
    """
    working = [each for each in broker.order_book() if each.status.is_working]
    meant = _as_seen([each for each in broker.positions() if each.quantity and _is_meant(wanted, each)], seen)
    exits_wanted = [exit_of(each) for each in sorted(meant, key=lambda each: each.quantity > 0)]
    withdrawals = [
        _withdrawal(each)
        for each in reversed(working)
        if any(exits.is_on_same_side(each.request, wanted_exit) for wanted_exit in exits_wanted)
    ]
    return [*withdrawals, *(slice_ for order in exits_wanted for slice_ in _slices(desk, order))]


def _as_seen(positions: Sequence[Position], seen: Mapping[PositionName, int] | None) -> Sequence[Position]:
    """Those that the person saw, none of them turned or grown since. Raises Conflict."""
    if seen is None:
        return positions
    known = [each for each in positions if name_of(each) in seen]
    for each in known:
        before = seen[name_of(each)]
        if each.quantity * before <= 0 or abs(each.quantity) > abs(before):
            raise Conflict(f"{each.symbol} is {each.quantity} now, and was {before} when you looked. Nothing was sent.")
    return known


def name_of(position: Position) -> PositionName:
    """Exchange, symbol and product."""
    return position.exchange, position.symbol, position.product


def exit_of(position: Position) -> OrderRequest:
    """What closes an open position: a MARKET order for all of it."""
    return OrderRequest(
        symbol=position.symbol,
        exchange=position.exchange,
        action=exits.closing_action(position.quantity),
        quantity=abs(position.quantity),
        product=position.product,
    )


def _slices(desk: Desk, order: OrderRequest) -> Iterator[OrderRequest]:
    """In as many orders as the freeze quantity of the exchange demands."""
    instrument = desk.store.instruments.find(order.exchange, order.symbol)
    freeze = instrument.freeze_quantity // instrument.lot * instrument.lot if instrument is not None else 0
    left = order.quantity
    while left > 0:
        quantity = min(left, freeze or left)
        yield replace(order, quantity=quantity)
        left -= quantity


def _withdrawal(order: BrokerOrder) -> CancelRequest:
    return CancelRequest(broker_order_id=order.id)


def _is_meant(wanted: CancelAllRequest | CloseRequest, other: OrderRequest | Position) -> bool:
    """Whether a request that names nothing, or an exchange, a symbol, a product, names this one."""
    product = wanted.product if isinstance(wanted, CloseRequest) else None
    return (
        wanted.symbol in {"", other.symbol}
        and wanted.exchange in {None, other.exchange}
        and product in {None, other.product}
    )
