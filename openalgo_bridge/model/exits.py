"""What an exit is: arithmetic that can never take a position through flat (design 4). Pure.

An order is an exit when its quantity is at most what is held, minus everything that already reduces it: what works
at the broker, and our own messages that the broker may not have counted yet. The bridge goes by the position it
reads, never by the word of whoever sent the order (users M7).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.order import Action, BrokerOrderId, OrderRequest, Ref


def room(
    order: OrderRequest,
    *,
    working: Iterable[BrokerOrder],
    positions: Iterable[Position],
    counted: Collection[Ref],
    replaces: BrokerOrderId | None = None,
) -> int:
    """How many units the side of ``order`` may still take from its position; 0 where it would add to it.

    ``positions`` must have been read after ``working``: what fills in between is then counted twice, never not at
    all. ``counted`` are the tags of orders that somebody else takes off, ``replaces`` the order that ``order`` is
    the new form of: what that has filled is a part of its quantity, and of no position any more. As much as that
    works for already it may go on working for beside others: a stop beside a target may be moved.
    """
    taken = filled = pending = 0
    for other in working:
        if other.id == replaces:
            filled, pending = other.filled_quantity, other.pending_quantity
        elif is_on_same_side(other.request, order) and other.tag not in counted:
            taken += other.pending_quantity
    held = reducible(net(positions, order), order.action)
    return max(held - taken, min(held, pending)) + filled


def reducible(position: int, action: Action) -> int:
    """How much of a signed position ``action`` can take away before it is flat; 0 where it adds to it."""
    return max(0, -position * action.sign)


def net(positions: Iterable[Position], order: OrderRequest) -> int:
    """The signed net of the position that ``order`` would change; 0 when there is none."""
    wanted = (order.exchange, order.symbol, order.product)
    return sum(each.quantity for each in positions if (each.exchange, each.symbol, each.product) == wanted)


def closing_action(position: int) -> Action:
    """The side that takes a signed position back to flat."""
    return Action.SELL if position > 0 else Action.BUY


def is_on_same_side(one: OrderRequest, other: OrderRequest) -> bool:
    """Whether both add to, or take from, the same position."""
    return one.action is other.action and is_same_position(one, other)


def is_same_position(one: OrderRequest, other: OrderRequest) -> bool:
    """Whether both change the same position."""
    return (one.exchange, one.symbol, one.product) == (other.exchange, other.symbol, other.product)
