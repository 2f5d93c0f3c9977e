"""The one way to a broker: a permit in, a settled journal row out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import cast

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import (
    BrokerError,
    Busy,
    Conflict,
    NotFound,
    NotSent,
    Rejected,
    SessionExpired,
    StorageError,
)
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    BrokerOrderId,
    BrokerRequest,
    CancelGttRequest,
    CancelRequest,
    GttRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderRequest,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Operation, Ticket
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.trading.throttle import Throttle

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The broker took it under this id."""

    ticket: Ticket
    broker_order_id: BrokerOrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt:
    """The broker may have it. Nobody must send it again."""

    ticket: Ticket
    message: str


_PROVABLY_NOT_THERE = (Rejected, NotSent, SessionExpired, NotFound)
"""Only a parsed refusal, or a failure before the first byte left (design 4). All else is unknown."""


@contextmanager
def clearance(
    desk: Desk,
    broker: Broker,
    operation: Operation,
    *,
    is_exit: Callable[[], bool],
    limits: GuardSettings | None = None,
    has_begun: bool = False,
) -> Iterator[None]:
    """A thread's place and the broker's next token, both taken before anything is claimed as sending.

    Some of both are kept back for cancels and exits. Whether it is an exit is asked only where an entry would have to
    wait or be turned away: the proof costs two reads. ``limits`` are the trader's where they were just read.
    ``has_begun``: it is a further message of a ticket whose first one was cleared. It stands in no line: what others
    ask for meanwhile must not tear the ticket. Raises Busy: nothing was written, and it may be asked again.
    """
    throttle = _throttle(desk, broker, limits)
    with ExitStack() as taken:
        if throttle is None or throttle.take_now():
            _take_place(desk, operation, is_exit, taken)
        else:
            urgent = operation.is_cancel or is_exit()
            # The line before the place: those who find it full must not take the places of exits, not for a moment.
            with throttle.line(urgent=urgent or has_begun):
                taken.enter_context(desk.budget.slot(is_cancel=operation.is_cancel, is_exit=urgent))
                throttle.take(urgent=urgent, has_begun=has_begun)
        yield


def _take_place(desk: Desk, operation: Operation, is_exit: Callable[[], bool], taken: ExitStack) -> None:
    try:
        taken.enter_context(desk.budget.slot(is_cancel=operation.is_cancel))
    except Busy:
        if not is_exit():
            raise
        taken.enter_context(desk.budget.slot(is_exit=True))


def by_itself() -> bool:
    """For :func:`clearance`, of what needs no further proof that it is an exit, or is a cancel."""
    return True


def _throttle(desk: Desk, broker: Broker, limits: GuardSettings | None) -> Throttle | None:
    """The broker's own, or the one that the trader rehearses with. Read from disk at every order."""
    if broker.capabilities.rehearsed_per_second is None:
        return desk.throttles.get(broker.name)
    rehearses = desk.store.guards.rehearses_rate() if limits is None else limits.rehearse_rate
    return desk.throttles.get(broker.name) if rehearses else None


def carry_out(
    desk: Desk, broker: Broker, ticket: Ticket, permit: SendPermit[BrokerRequest], *, if_refused: str = ""
) -> Sent | InDoubt:
    """Send one message once, and write down how it ended before telling anybody.

    Raises what the broker raised where that proves that nothing is there; ``if_refused`` is what its refusal leaves
    behind, and is written down with it. Anything else is in doubt.
    """
    try:
        broker_order_id = _call(broker, permit)
    except _PROVABLY_NOT_THERE as refusal:
        _settle(desk, permit, Settlement(state=OrderState.REJECTED, message=f"{if_refused} {refusal.message}".strip()))
        refusal.ticket_id, refusal.trading_mode = ticket.id, ticket.trading_mode
        raise
    except BaseException as fault:  # noqa: BLE001 - listed in tests/test_architecture.py
        # Whatever an adapter raises here, a panic of a compiled SDK included, the order may be at the broker.
        # It is never called failed, and the caller gets an answer: who hears "failed" or nothing sends it again.
        _log.exception("order %s: the outcome is unknown", permit.ref)
        message = _doubt(broker, fault)
        _settle(desk, permit, Settlement(state=OrderState.UNKNOWN, message=message))
        return InDoubt(ticket=ticket, message=message)
    desk.lately.note(permit.order_id, now=desk.clock.monotonic())
    _settle(desk, permit, Settlement(state=OrderState.SENT, broker_order_id=broker_order_id))
    return Sent(ticket=ticket, broker_order_id=broker_order_id)


def _call(broker: Broker, permit: SendPermit[BrokerRequest]) -> BrokerOrderId:
    # mypy cannot narrow a permit by the type of its request.
    match permit.request:
        case OrderRequest():
            return broker.place(cast("SendPermit[OrderRequest]", permit))
        case ModifyRequest(broker_order_id=target):
            broker.modify(cast("SendPermit[ModifyRequest]", permit))
            return target
        case CancelRequest(broker_order_id=target):
            broker.cancel(cast("SendPermit[CancelRequest]", permit))
            return target
        case GttRequest():
            return broker.place_gtt(cast("SendPermit[GttRequest]", permit))
        case ModifyGttRequest(trigger_id=target):
            broker.modify_gtt(cast("SendPermit[ModifyGttRequest]", permit))
            return target
        case CancelGttRequest(trigger_id=target):
            broker.cancel_gtt(cast("SendPermit[CancelGttRequest]", permit))
            return target


def _settle(desk: Desk, permit: SendPermit[BrokerRequest], outcome: Settlement) -> None:
    """The caller must hear what the broker said even when it cannot be written.

    The row then stays ``sending`` until the timer writes it; after a crash the next start looks it up by its tag.
    """
    try:
        desk.store.journal.settle(permit.order_id, outcome)
    except StorageError:
        _log.exception("order %s: %s could not be written down", permit.ref, outcome.state)
        desk.unwritten.keep(permit.order_id, outcome)
    except Conflict:
        _log.exception("order %s: somebody else wrote down how it ended, not %s", permit.ref, outcome.state)


def write_again(desk: Desk) -> None:
    """What could not be written down when it was known. Raises StorageError while it still cannot be."""
    for order_id, outcome in desk.unwritten.all():
        was = OrderState.PLANNED if outcome.state is OrderState.DROPPED else OrderState.SENDING
        try:
            desk.store.journal.settle(order_id, outcome, was=was)
        except Conflict:
            _log.exception("order %s: somebody else wrote down how it ended, not %s", order_id, outcome.state)
        desk.unwritten.forget(order_id)


def _doubt(broker: Broker, fault: BaseException) -> str:
    said = fault.message if isinstance(fault, BrokerError) else "No clear answer came back."
    return f"Outcome unknown at {broker.name}: {said} Do not send it again: ask orderstatus what became of it."
