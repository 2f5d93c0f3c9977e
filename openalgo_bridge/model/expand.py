"""What one request becomes: the order of a smart order, the slices of a split, the legs of a basket in their order.

Arithmetic only; whoever calls has read position and order book, and holds the lock of the symbol meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.exits import is_same_position, reducible, rests, sells_delivered
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Action, OrderRequest, PriceType, Ref, SmartOrderRequest

MOST_SLICES = 100
MOST_LEGS = 50

FLAT = "No OpenPosition Found. Not placing Exit order."
"""The dialect's sentence for an exit without a position (contract 2.1.2)."""

MATCHED = "Positions Already Matched. No Action needed."
"""The dialect's sentence for a position that is as wanted (contract 2.1.2)."""

_OPENS_NOTHING = f"{FLAT} A position_size of 0 opens no trade while the position is flat; a setting can allow it."
_SELLS_NOTHING = f"{FLAT} A smart order leaves delivered shares alone."
_STOPS = {PriceType.SL, PriceType.SL_M}
_DOUBTFUL = "is in doubt: nobody knows yet whether it is there. See the Orders page."
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartOrderSettings:
    """``counts_working``: what works already is not sent again. ``opens_while_flat``: with a ``position_size`` of 0
    and no position, the order goes out as it is, as OpenAlgo sends it; it was probably meant as an exit."""

    counts_working: bool = True
    opens_while_flat: bool = False

    def widens(self, before: SmartOrderSettings) -> bool:
        """Whether an order goes out with these that would not have gone out ``before``."""
        stops_counting = before.counts_working and not self.counts_working
        return stops_counting or (self.opens_while_flat and not before.opens_while_flat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """Units of one order of the same symbol, exchange and product that may still fill.

    ``is_stop``: it waits for its trigger. ``rests``: it is a LIMIT that provably waits for its price, as the target of
    a bracket does. ``doubt`` is its reference where nobody knows whether the broker has it. What was sent and is not
    in the book yet counts as on its way.
    """

    action: Action
    quantity: int
    is_stop: bool = False
    rests: bool = False
    doubt: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartOrder:
    """The order to send, or None. ``message`` says why nothing is sent, and what works already; else it is empty."""

    order: OrderRequest | None
    message: str = ""


def working_of(
    orders: Iterable[BrokerOrder], order: OrderRequest, last_price: Decimal | None = None
) -> tuple[Working, ...]:
    """What of an order book may still change the position that ``order`` changes.

    ``last_price`` is in rupees; where it is None nothing is proven to wait for its price.
    """
    return tuple(
        Working(
            action=each.request.action,
            quantity=each.pending_quantity,
            is_stop=each.status is OrderStatus.TRIGGER_PENDING,
            rests=_is_resting_limit(each.request, last_price),
        )
        for each in orders
        if each.pending_quantity and is_same_position(each.request, order)
    )


def _is_resting_limit(order: OrderRequest, last_price: Decimal | None) -> bool:
    return order.price_type is PriceType.LIMIT and last_price is not None and rests(order, last_price)


def smart_order(
    request: SmartOrderRequest,
    *,
    position: int,
    working: Sequence[Working],
    settings: SmartOrderSettings,
    last_price: Decimal | None = None,
) -> SmartOrder:
    """What takes the signed ``position`` to ``request.position_size`` (the table of behaviour 2.4).

    Where working orders count, what works on the side of the order is taken off it, so that the position cannot pass
    the target however the orders fill, and the same request twice sends one order. What works on the other side is
    not counted, because it may never fill; it is told, and the next request makes up for it.

    A stop that protects a position does not stand in the way of an exit at once: the exit goes as far as flat, and the
    stop is told. Beyond flat it is counted, because it may be triggered any time. Nor does a LIMIT that waits for its
    price, where the exit does not wait for one itself, by the ``last_price``.
    """
    target, wanted = request.position_size, request.order
    if target == 0 and position == 0:
        return _while_flat(wanted, working, settings)
    missing = target - position
    if missing == 0:
        return SmartOrder(order=None, message=_with_working(MATCHED, working))
    order = replace(wanted, action=Action.BUY if missing > 0 else Action.SELL, quantity=abs(missing))
    return _less_working(order, position, working, settings, last_price)


def _while_flat(wanted: OrderRequest, working: Sequence[Working], settings: SmartOrderSettings) -> SmartOrder:
    """An exit of nothing, or a fresh trade: only here the action of the request means anything."""
    if not wanted.quantity:
        return SmartOrder(order=None, message=_with_working(FLAT, working))
    if sells_delivered(wanted):
        return SmartOrder(order=None, message=_with_working(_SELLS_NOTHING, working))
    if not settings.opens_while_flat:
        return SmartOrder(order=None, message=_with_working(_OPENS_NOTHING, working))
    return _less_working(wanted, 0, working, settings)


def _less_working(
    order: OrderRequest,
    position: int,
    working: Sequence[Working],
    settings: SmartOrderSettings,
    last_price: Decimal | None = None,
) -> SmartOrder:
    same = [each for each in working if each.action is order.action]
    quantity = _still_missing(order, position, same, last_price) if settings.counts_working else order.quantity
    if quantity == 0:
        why = "Nothing was sent." if any(each.doubt for each in same) else "No Action needed."
        return SmartOrder(order=None, message=_with_working(why, working))
    return SmartOrder(order=at_most(order, quantity), message=_with_working("", working))


def _still_missing(order: OrderRequest, position: int, same: Sequence[Working], last_price: Decimal | None) -> int:
    """The quantity, less what works on its side. What waits is counted beyond flat, and against what would wait in the
    same way: two stops may both be triggered, of two LIMIT orders both may fill."""
    beside_all = order.quantity - sum(each.quantity for each in same)
    if order.price_type in _STOPS:
        return max(beside_all, 0)
    goes_at_once = order.price_type is PriceType.MARKET or (last_price is not None and not rests(order, last_price))
    in_the_way = sum(each.quantity for each in same if not (each.is_stop or (each.rests and goes_at_once)))
    to_flat = min(order.quantity, reducible(position, order.action))
    return max(beside_all, to_flat - in_the_way, 0)


def _with_working(message: str, working: Sequence[Working]) -> str:
    told = [message] if message else []
    if known := _told([each for each in working if not each.doubt]):
        told.append(f"Still working: {known}.")
    doubts = (each for each in working if each.doubt)
    told += [f"{each.action} {each.quantity}, order {each.doubt}, {_DOUBTFUL}" for each in doubts]
    return " ".join(told)


def _told(working: Sequence[Working]) -> str:
    """As "BUY 50, SELL 100 (stop), SELL 100 (limit)"."""
    sums: dict[tuple[Action, str], int] = {}
    for each in working:
        kind = each.action, " (stop)" if each.is_stop else " (limit)" if each.rests else ""
        sums[kind] = sums.get(kind, 0) + each.quantity
    return ", ".join(f"{action} {quantity}{kind}" for (action, kind), quantity in sums.items())


def split(order: OrderRequest, *, size: int, lot: int, freeze_quantity: int) -> tuple[OrderRequest, ...]:
    """The slices of a split order, the remainder last; their quantities add up to that of the order.

    No slice is larger than ``size`` or than the exchange takes in one order (``freeze_quantity``, 0 where it names
    none), and each is a multiple of the ``lot``: of a size that is none, as many whole lots as fit. Raises Invalid.
    """
    faults: dict[str, list[str]] = {}
    if order.quantity <= 0 or order.quantity % lot:
        faults["quantity"] = [f"Quantity must be in multiples of lot size {lot}."]
    if size <= 0:
        faults["splitsize"] = ["Split size must be a positive integer."]
    elif size < lot:
        faults["splitsize"] = [f"Split size must be at least the lot size {lot}."]
    if faults:
        raise Invalid.of(faults)
    largest = largest_slice(min(size, freeze_quantity or size), lot)
    if -(-order.quantity // largest) > MOST_SLICES:
        raise Invalid(f"Total number of orders would exceed maximum limit of {MOST_SLICES}")
    return tuple(slices(order, largest))


def largest_slice(most: int, lot: int) -> int:
    """The most whole lots within ``most`` units; one lot where not even that fits: the exchange is then to refuse."""
    return max(most // lot, 1) * lot


def within_freeze(order: OrderRequest, instrument: Instrument) -> tuple[OrderRequest, ...]:
    """The order in as many as the exchange's freeze quantity demands; as a rule it alone."""
    if order.quantity <= instrument.freeze_quantity or not instrument.freeze_quantity:
        return (order,)
    return tuple(slices(order, largest_slice(instrument.freeze_quantity, instrument.lot)))


def slices(order: OrderRequest, largest: int) -> Iterator[OrderRequest]:
    """The order in pieces of ``largest`` units, the remainder last."""
    for begin in range(0, order.quantity, largest):
        yield at_most(order, min(largest, order.quantity - begin))


def at_most(order: OrderRequest, quantity: int) -> OrderRequest:
    """The order, no larger than ``quantity`` units."""
    units = min(order.quantity, quantity)
    return replace(order, quantity=units, disclosed_quantity=min(order.disclosed_quantity, units))


def buy_first(legs: Iterable[_T], action_of: Callable[[_T], Action]) -> tuple[_T, ...]:
    """BUY before SELL, otherwise in the order given: what is bought pays the margin of what is sold."""
    return tuple(sorted(legs, key=lambda leg: action_of(leg) is Action.SELL))
