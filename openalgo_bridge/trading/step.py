"""What takes a position to a size now: read, computed, and looked at again where a moment hides it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, BrokerError, Busy, StorageError, Unsettled
from openalgo_bridge.model.exits import Effect, closing_action, is_on_same_side, is_same_position
from openalgo_bridge.model.expand import Working, smart_order, working_of
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Action, OrderRequest, PriceType, SmartOrderRequest, TradingMode
from openalgo_bridge.model.states import IN_DOUBT, OrderState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.outlook import Outlook, outlook

PAUSES_S = (0.25, 0.5, 1.0, 2.0, 3.0, 3.0)
"""Seconds between two looks at a position that cannot be told yet, for one request."""

_PASSING = (Unsettled, BrokerError, Busy, StorageError)
"""What may be over in a moment, and tears no order apart that has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What takes the position ``there`` now, or None and the ``message`` why not.

    ``aim`` is what it takes it to: the wish, or what a fresh trade from flat makes. ``is_reached``: it is there, or
    will be by what works already. ``is_exit``: what is wanted is less of it, and not the other side.
    """

    order: OrderRequest | None
    message: str
    there: Outlook
    aim: SmartOrderRequest
    is_reached: bool
    is_exit: bool


def step_of(
    desk: Desk,
    broker: Broker,
    wanted: SmartOrderRequest,
    mode: TradingMode,
    *,
    begun: Ticket | None = None,
    since: Outlook | None = None,
) -> Step:
    """What is seen twice while it moves makes it too little that is sent, never too much.

    ``begun`` is a ticket that has begun to take it there, whose planned orders are not counted, and ``since`` is how
    the position was then. Raises Unsettled and Conflict where the position cannot be told, a BrokerError where it
    cannot be read, Busy, and StorageError.
    """
    # The way out may take a place that is kept back for it, as far as the wish alone tells that it is one.
    with desk.budget.slot(is_exit=wanted.position_size == 0):
        goes_on = partial(_side_of_several, desk, wanted, begun)
        there = outlook(desk, broker, wanted.order, mode, since, goes_on=goes_on)
    last_price = _last_price(desk, broker, wanted, there)
    in_flight = [each for each in there.in_flight if not _is_planned_of(begun, each)]
    working = (*working_of(there.working, wanted.order, last_price), *_in_flight(in_flight, wanted.order))
    settings = desk.store.preferences.smart_orders()
    found = smart_order(wanted, position=there.net, working=working, settings=settings, last_price=last_price)
    is_there = there.net == wanted.position_size
    return Step(
        order=found.order,
        message=found.message,
        there=there,
        aim=_aim(found.order, wanted) if is_there else wanted,
        is_reached=is_there or (found.order is None and not any(each.doubt for each in working)),
        is_exit=Effect(before=there.net, after=wanted.position_size, was_open=True).is_exit,
    )


def soon(desk: Desk, look: Callable[[], Step], pauses: Iterator[float]) -> Step:
    """What ``look`` finds once that can be told, after a few ``pauses`` at most. Raises as it does.

    The turn of the position is kept: what is asked for later must not go first. Only few may wait so at once; where
    they do already, what hides the position is raised at once: a wish can be held.
    """
    try:
        return look()
    except Unsettled as fault:
        with desk.turns.patience() as is_patient:
            if not is_patient:
                raise
            return _looked_again(desk, look, pauses, fault, (Unsettled,))


def let_go_soon(desk: Desk, look: Callable[[], Step], pauses: Iterator[float], *, has_begun: bool = False) -> Step:
    """As :func:`soon`, of what the trader has approved or an order of which went (``has_begun``): however many wait, it
    waits too. What has begun is not torn apart by anything that may be over in a moment.
    """
    passing = _PASSING if has_begun else (Unsettled,)
    try:
        return look()
    except passing as fault:
        return _looked_again(desk, look, pauses, fault, passing)


def _looked_again(
    desk: Desk,
    look: Callable[[], Step],
    pauses: Iterator[float],
    hidden: BridgeError,
    passing: tuple[type[BridgeError], ...],
) -> Step:
    """Where a further look finds no place at the broker, what hid the position is raised: "busy" would turn a wish away
    that can be held.
    """
    for pause in pauses:
        desk.wait(pause)
        try:
            return look()
        except passing as fault:
            hidden = fault
        except Busy:
            break
    raise hidden


def _side_of_several(desk: Desk, wanted: SmartOrderRequest, begun: Ticket | None, net: int) -> Action | None:
    """The side of the way from ``net``; None where it takes one order and none of it has ``begun``."""
    instrument = instrument_of(desk, wanted)
    missing = wanted.position_size - net
    units = abs(missing) or wanted.order.quantity
    if begun is None and (instrument is None or not 0 < instrument.freeze_quantity < units):
        return None
    return closing_action(-missing) if missing else wanted.order.action


def _aim(order: OrderRequest | None, wanted: SmartOrderRequest) -> SmartOrderRequest:
    return wanted if order is None else replace(wanted, position_size=order.action.sign * order.quantity)


def _is_planned_of(ticket: Ticket | None, order: JournalOrder) -> bool:
    return ticket is not None and order.ticket_id == ticket.id and order.state is OrderState.PLANNED


def _in_flight(in_flight: Iterable[JournalOrder], order: OrderRequest) -> Iterator[Working]:
    for each in in_flight:
        if isinstance(each.request, OrderRequest) and is_same_position(each.request, order):
            doubt = each.ref if each.state in IN_DOUBT else None
            yield Working(action=each.request.action, quantity=each.request.quantity, doubt=doubt)


def _last_price(desk: Desk, broker: Broker, wanted: SmartOrderRequest, there: Outlook) -> Decimal | None:
    """In rupees, where it decides whether a LIMIT stands in the way of an exit. Raises a BrokerError: an exit that may
    be needed badly is not answered with "no action needed" because a price cannot be read.
    """
    instrument = instrument_of(desk, wanted)
    if instrument is None or there.net * (wanted.position_size - there.net) >= 0:
        return None
    closing = replace(wanted.order, action=closing_action(there.net))
    limits = (each for each in there.working if each.request.price_type is PriceType.LIMIT and each.pending_quantity)
    if not any(is_on_same_side(each.request, closing) for each in limits):
        return None
    return broker.quote(instrument).ltp


def instrument_of(desk: Desk, wanted: SmartOrderRequest) -> Instrument | None:
    """What is traded; None where the list has it no more."""
    return desk.store.instruments.find(wanted.order.exchange, wanted.order.symbol)
