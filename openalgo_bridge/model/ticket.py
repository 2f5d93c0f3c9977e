"""A ticket: what somebody asked for, with the modes it keeps from its acceptance on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, get_args

from openalgo_bridge.model import gtt
from openalgo_bridge.model.legs import Arrival
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    BrokerRequest,
    CancelAllRequest,
    CancelGttRequest,
    CancelRequest,
    CloseRequest,
    Exchange,
    GttLeg,
    GttRequest,
    LegsKind,
    LegsRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
    Ref,
    SmartOrderRequest,
    TicketRequest,
    TradingMode,
)
from openalgo_bridge.model.states import TicketState

PAGE = "page"
"""The source of what the trader himself asks for at this PC: his click is the approval."""


class Operation(StrEnum):
    """What was asked for, by the name of its endpoint."""

    PLACE = "placeorder"
    MODIFY = "modifyorder"
    CANCEL = "cancelorder"
    CANCEL_ALL = "cancelallorder"
    CLOSE = "closeposition"
    SMART = "placesmartorder"
    BASKET = "basketorder"
    SPLIT = "splitorder"
    OPTIONS = "optionsorder"
    MULTI_LEG = "optionsmultiorder"
    PLACE_GTT = "placegttorder"
    MODIFY_GTT = "modifygttorder"
    CANCEL_GTT = "cancelgttorder"

    @property
    def is_of_many(self) -> bool:
        """Whether its ticket is carried out order by order, each claimed by itself."""
        return self not in _OPERATIONS_OF_ONE

    @property
    def is_of_the_moment(self) -> bool:
        """Whether what it sends depends on the positions of the moment in which it is let go."""
        return self in {Operation.CLOSE, Operation.SMART}

    @property
    def places(self) -> bool:
        """Whether it may open a position."""
        return not self.is_cancel and self not in {Operation.MODIFY, Operation.MODIFY_GTT, Operation.CLOSE}

    @property
    def is_cancel(self) -> bool:
        """A cancel is never refused and never waits (design 4)."""
        return self in {Operation.CANCEL, Operation.CANCEL_ALL, Operation.CANCEL_GTT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who asked: ``source`` is ``api``, ``page`` or ``webhook:<name>``; ``request_id`` is the traffic row's.

    ``may_trade_live`` is what the sender may do on arrival, ``signal_at`` when the signal arose, where its sender says
    so. Both are judged once, so the journal keeps neither; what waits after that is the person's decision.
    ``asked`` is the request as it came (``model/asked.py``), empty where a page asked.
    """

    source: str
    strategy: str
    request_id: str
    asked: str = ""
    may_trade_live: bool = field(default=False, compare=False)
    signal_at: datetime | None = None

    @property
    def is_by_hand(self) -> bool:
        """Whether the trader himself asked for it, at this PC."""
        return self.source == PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDraft:
    """A ticket before it has an id. The modes are stamped here and never change again (behaviour X20).

    ``price_then`` is the last price when it arrived, None where none was known. ``is_exit``: it went as a proven
    exit, or is held and looked like one when it arrived, so that it must never open a position later. ``is_unread``:
    nobody could tell whether it is one: the person is asked when that can be read, as about a price. Of a ticket of
    several that is held, ``arrivals`` says both of each of its orders.
    """

    ref: Ref
    operation: Operation
    request: TicketRequest
    order_mode: OrderMode
    trading_mode: TradingMode
    origin: Origin
    price_then: Decimal | None = None
    is_exit: bool = False
    is_unread: bool = False
    arrivals: tuple[Arrival, ...] = ()
    wish: SmartOrderRequest | None = None

    @property
    def signal(self) -> str:
        """See :func:`signal_of`: that of the ``wish`` where the order was worked out from one."""
        return signal_of(self.wish or self.request)

    @property
    def order(self) -> OrderRequest | None:
        """The order it is about; None where it names one, or all."""
        return order_of(self.request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One row of the journal. ``reason`` says why it is in its state, where that needs saying.

    ``is_exit``, ``arrivals`` and ``signal`` are as it arrived (:class:`TicketDraft`), whatever was changed since.
    """

    id: int
    ref: Ref
    operation: Operation
    request: TicketRequest
    order_mode: OrderMode
    trading_mode: TradingMode
    origin: Origin
    state: TicketState
    reason: str
    created_at: datetime
    expires_at: datetime | None
    decided_at: datetime | None
    price_then: Decimal | None = None
    is_exit: bool = False
    is_unread: bool = False
    arrivals: tuple[Arrival, ...] = ()
    signal: str = ""

    @property
    def order(self) -> OrderRequest | None:
        """The order it is about; None where it names one, or all."""
        return order_of(self.request)

    @property
    def shown(self) -> str:
        """SHA-256 of what an approval page shows of this ticket; an approval must carry it (design 3). A page without
        the question that was put since is not what is approved.
        """
        unknown = (self.is_unread, self.price_then is None, [each.price is None for each in self.arrivals])
        significant = (self.id, self.ref, self.operation, self.trading_mode, to_json(self.request), *unknown)
        return hashlib.sha256("|".join(map(str, significant)).encode()).hexdigest()

    def as_of(self, now: datetime) -> Ticket:
        """The ticket as it counts at ``now``: what was held for too long waits for nobody, swept or not."""
        if self.state is not TicketState.HELD or self.expires_at is None or self.expires_at > now:
            return self
        return replace(self, state=TicketState.EXPIRED, decided_at=self.expires_at)


def named_order(request: TicketRequest) -> OrderRequest | None:
    """The order by which a list finds a request: its own, that of a position to be reached, or the first of several or
    of a GTT.
    """
    match request:
        case GttRequest() | ModifyGttRequest():
            return gtt.orders_of(gtt_of(request))[0]
        case SmartOrderRequest():
            return request.order
        case LegsRequest(orders=orders):
            return orders[0] if orders else None
        case _:
            return order_of(request)


def operation_of(request: TicketRequest) -> Operation:
    """The operation a request stands for."""
    return Operation(request.kind) if isinstance(request, LegsRequest) else _OPERATIONS[type(request)]


def order_of(request: TicketRequest) -> OrderRequest | None:
    """The order a request is about; None where it names one, or all."""
    match request:
        case OrderRequest():
            return request
        case ModifyRequest():
            return request.order
        case _:
            return None


def gtt_of(request: GttRequest | ModifyGttRequest) -> GttRequest:
    """The GTT that a request asks for, or that a change shall lead to."""
    return request if isinstance(request, GttRequest) else request.gtt


def signal_of(request: TicketRequest) -> str:
    """What a new order asks for, as a digest: two that ask for the same have the same, however they spell it.

    Empty for everything that is no new order, and for a position to be reached: asking for that twice changes nothing.
    A price counts only where the price type uses it.
    """
    if isinstance(request, LegsRequest):
        return hashlib.sha256("|".join((request.kind, *map(signal_of, request.orders))).encode()).hexdigest()
    if isinstance(request, GttRequest):
        return gtt.signal(request)
    if not isinstance(request, OrderRequest):
        return ""
    prices = (
        request.price if request.price_type in {PriceType.LIMIT, PriceType.SL} else Decimal(0),
        request.trigger_price if request.price_type in {PriceType.SL, PriceType.SL_M} else Decimal(0),
    )
    plain = (str(getattr(request, name)) for name in request.__slots__ if name not in {"price", "trigger_price"})
    asked = (*plain, *(f"{price.normalize():f}" for price in prices))
    return hashlib.sha256("|".join(asked).encode()).hexdigest()


def target_of(request: TicketRequest) -> BrokerOrderId | None:
    """The broker's order, or GTT, that a request names; None where it names none."""
    match request:
        case ModifyRequest(broker_order_id=target) | CancelRequest(broker_order_id=target):
            return target
        case ModifyGttRequest(trigger_id=target) | CancelGttRequest(trigger_id=target):
            return target
        case _:
            return None


_OPERATIONS: dict[type[TicketRequest], Operation] = {
    OrderRequest: Operation.PLACE,
    ModifyRequest: Operation.MODIFY,
    CancelRequest: Operation.CANCEL,
    CancelAllRequest: Operation.CANCEL_ALL,
    CloseRequest: Operation.CLOSE,
    SmartOrderRequest: Operation.SMART,
    GttRequest: Operation.PLACE_GTT,
    ModifyGttRequest: Operation.MODIFY_GTT,
    CancelGttRequest: Operation.CANCEL_GTT,
}
_OPERATIONS_OF_ONE = {_OPERATIONS[kind] for kind in get_args(BrokerRequest)}


_LEGS = {Operation(kind) for kind in LegsKind}


def to_json(request: TicketRequest) -> str:
    """The request as canonical JSON, as the journal keeps it."""
    return _ENCODER.encode(request)


@lru_cache(maxsize=16)
def from_json(operation: Operation, text: str) -> TicketRequest:
    """The inverse of :func:`to_json`. Indexes directly: a wrong row must fail loudly.

    Remembered, because each of a basket's fifty orders is claimed under a ticket that holds all fifty.
    """
    if operation is Operation.SMART:
        fields = json.loads(text)
        return SmartOrderRequest(order=_order(fields["order"]), position_size=int(fields["position_size"]))
    if operation in _LEGS:
        fields = json.loads(text)
        return LegsRequest(kind=LegsKind(fields["kind"]), orders=tuple(map(_order, fields["orders"])))
    if operation is Operation.CANCEL_ALL:
        fields = json.loads(text)
        # What was written before a ticket could be named has no such field.
        return CancelAllRequest(symbol=fields["symbol"], exchange=_exchange(fields), ticket=fields.get("ticket"))
    if operation is Operation.CLOSE:
        fields = json.loads(text)
        product = None if fields["product"] is None else Product(fields["product"])
        return CloseRequest(symbol=fields["symbol"], exchange=_exchange(fields), product=product)
    return message_from_json(operation, text)


def message_from_json(operation: Operation, text: str) -> BrokerRequest:
    """As :func:`from_json`, for what is one message to a broker."""
    fields = json.loads(text)
    if operation is Operation.PLACE:
        return _order(fields)
    if operation is Operation.PLACE_GTT:
        return gtt.from_fields(fields)
    if operation is Operation.MODIFY_GTT:
        return ModifyGttRequest(trigger_id=BrokerOrderId(fields["trigger_id"]), gtt=gtt.from_fields(fields["gtt"]))
    if operation is Operation.CANCEL_GTT:
        return CancelGttRequest(trigger_id=BrokerOrderId(fields["trigger_id"]))
    target = BrokerOrderId(fields["broker_order_id"])
    if operation is Operation.MODIFY:
        return ModifyRequest(broker_order_id=target, order=_order(fields["order"]))
    return CancelRequest(broker_order_id=target)


def _exchange(fields: dict[str, Any]) -> Exchange | None:
    return None if fields["exchange"] is None else Exchange(fields["exchange"])


def _fields(value: object) -> object:
    """A request as its fields, a price as its digits. ``dataclasses.asdict`` copies deeply: five times as slow."""
    if isinstance(value, Decimal | datetime):
        return str(value)
    if isinstance(value, TicketRequest | GttLeg):
        return {name: getattr(value, name) for name in value.__slots__}
    raise TypeError(f"{type(value).__name__} has no form in the journal")


_ENCODER = json.JSONEncoder(default=_fields, sort_keys=True, separators=(",", ":"))


def _order(fields: dict[str, Any]) -> OrderRequest:
    return OrderRequest(
        symbol=fields["symbol"],
        exchange=Exchange(fields["exchange"]),
        action=Action(fields["action"]),
        quantity=int(fields["quantity"]),
        price_type=PriceType(fields["price_type"]),
        product=Product(fields["product"]),
        price=Decimal(fields["price"]),
        trigger_price=Decimal(fields["trigger_price"]),
        disclosed_quantity=int(fields["disclosed_quantity"]),
    )
