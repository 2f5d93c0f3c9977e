"""A position to be reached: read, compute and send in one turn per position, so that two requests make one order.

What is held is the wish and not the order: it is computed anew when the person lets it go (behaviour 2.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.clock import day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Busy, Conflict, StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.exits import is_same_position
from openalgo_bridge.model.expand import SmartOrder, Working, smart_order, working_of
from openalgo_bridge.model.order import OrderRequest, SmartOrderRequest, TradingMode
from openalgo_bridge.model.ticket import Operation, Origin, Ticket
from openalgo_bridge.trading import exits, guards, routing, several, validation
from openalgo_bridge.trading.legs import PositionName, Report
from openalgo_bridge.trading.orders import Submitted, check_grant, submit

_TURN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToDo:
    """The position is as it was wanted, or will be; nothing was sent."""

    message: str
    trading_mode: TradingMode


def place(desk: Desk, wanted: SmartOrderRequest, origin: Origin) -> tuple[Submitted | NothingToDo, str]:
    """Take a position to its size in the current trading mode. The text is a note for the caller, or empty.

    Raises as :func:`~openalgo_bridge.trading.orders.place`, and Busy where others ask for the same position.
    """
    standing = desk.store.standing.read()
    mode = standing.trading_mode
    if mode is None:
        raise StorageError("The trading mode cannot be read, so nothing is sent.")
    check_grant(mode, origin)
    desk.doors.admit(Operation.SMART)
    validation.check(desk.store.instruments, _whole_lot(desk, wanted), day_in_india(desk.clock.now()))
    broker = desk.broker(mode)
    with _turn(desk, wanted.order, mode):
        step = _step(desk, broker, wanted, mode)
        if step.order is None:
            return NothingToDo(message=step.message, trading_mode=mode), ""
        rules = routing.rules_of(standing)
        return submit(desk, step.order, origin, mode, rules, asked=wanted), step.message


def preview(desk: Desk, wanted: SmartOrderRequest, mode: TradingMode) -> SmartOrder:
    """What would be sent now, for a person who decides about it. Raises StorageError, or a BrokerError."""
    return _step(desk, desk.broker(mode), wanted, mode)


def approve(
    desk: Desk,
    held: Ticket,
    wanted: SmartOrderRequest,
    shown: str,
    seen: Mapping[PositionName, int],
    *,
    by: Actor,
) -> Report:
    """The person lets it go: what takes the position there now, on the side and no more than he saw.

    ``seen`` is the signed quantity of the order that the page named. Raises as :func:`place`, NotFound, and Conflict
    where it is another one by now; the ticket then is still held.
    """
    desk.doors.admit(Operation.SMART)
    mode = held.trading_mode
    broker = desk.broker(mode)
    with _turn(desk, wanted.order, mode):
        step = _step(desk, broker, wanted, mode)
        if step.order is None:
            raise Conflict(f"{step.message} Nothing was sent. Reject it.")
        _check_seen(step.order, seen)
        validation.check(desk.store.instruments, step.order, day_in_india(desk.clock.now()))
        passage = guards.check_approval(desk, broker, replace(held, request=step.order))
        approved, planned = desk.store.journal.approve_plan(held.id, shown, [step.order], by=by)
        legs = [several.send(desk, broker, approved, each, is_approved=True, passage=passage) for each in planned]
    return Report(ticket=approved, legs=tuple(legs))


def _check_seen(order: OrderRequest, seen: Mapping[PositionName, int]) -> None:
    now, before = order.action.sign * order.quantity, seen.get((order.exchange, order.symbol, order.product), 0)
    if now * before <= 0 or abs(now) > abs(before):
        raise Conflict(f"It would {order.action} {order.quantity} {order.symbol} now, which is not what was shown.")


def _step(desk: Desk, broker: Broker, wanted: SmartOrderRequest, mode: TradingMode) -> SmartOrder:
    """What is seen twice while it moves makes it too little that is sent, never too much."""
    order = wanted.order
    with desk.budget.slot():
        there = exits.outlook(desk, broker, order, mode)
    flying = tuple(
        Working(action=each.request.action, quantity=each.request.quantity)
        for each in there.in_flight
        if isinstance(each.request, OrderRequest) and is_same_position(each.request, order)
    )
    return smart_order(
        wanted,
        position=there.net,
        working=(*working_of(there.working, order), *flying),
        settings=desk.store.preferences.smart_orders(),
    )


def _whole_lot(desk: Desk, wanted: SmartOrderRequest) -> OrderRequest:
    """The order with a quantity that can be judged: its own may be 0, and the size is what counts."""
    instrument = desk.store.instruments.find(wanted.order.exchange, wanted.order.symbol)
    size = abs(wanted.position_size) or wanted.order.quantity
    return replace(wanted.order, quantity=size or (1 if instrument is None else instrument.lot))


@contextmanager
def _turn(desk: Desk, order: OrderRequest, mode: TradingMode) -> Iterator[None]:
    """One at a time for each position. Raises Busy: nothing was read or sent."""
    lock = desk.turns.of((mode, order.exchange, order.symbol, order.product))
    if not lock.acquire(timeout=_TURN_S):
        raise Busy(f"Not sent, busy: another smart order for {order.symbol} is still being done. Ask again.")
    try:
        yield
    finally:
        lock.release()
