"""What an exit is: arithmetic that can never take a position through flat (design 4). Pure.

An order is an exit when its quantity is at most what is held, minus everything that already reduces it: what works
at the broker, and our own messages that the broker may not have counted yet. The bridge goes by the position it
reads, never by the word of whoever sent the order (users M7). What is held for a sale of shares is the position and
what was delivered before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from openalgo_bridge.model.books import BrokerOrder, Holding, Position
from openalgo_bridge.model.order import Action, BrokerOrderId, OrderRequest, PositionKey, PriceType, Product, Ref


def room(
    order: OrderRequest,
    *,
    working: Iterable[BrokerOrder],
    positions: Iterable[Position | Holding],
    counted: Collection[Ref],
    replaces: BrokerOrderId | None = None,
    still_rests: bool = False,
) -> int:
    """How many units the side of ``order`` may still take from its position; 0 where it would add to it.

    ``positions`` must have been read after ``working``: what fills in between is then counted twice, never not at
    all. ``counted`` are the tags of orders that somebody else takes off, ``replaces`` the order that ``order`` is
    the new form of: what that has filled is a part of its quantity, and of no position any more. Where the new form
    ``still_rests`` it may go on working for as much as the old one does, beside others and while anything is open: a
    stop beside a target may be moved. One that would fill at once may not: of the two the other would then open a
    position.
    """
    taken = filled = pending = 0
    for other in working:
        if other.id == replaces:
            filled, pending = other.filled_quantity, other.pending_quantity
        elif is_on_same_side(other.request, order) and other.tag not in counted:
            taken += other.pending_quantity
    held = reducible(net(positions, order), order.action)
    beside_others = pending if still_rests and held else 0
    return max(held - taken, beside_others) + filled


def rests(order: OrderRequest, last_price: Decimal) -> bool:
    """Whether an order would wait for its price, and not fill or be triggered at ``last_price`` (rupees)."""
    above = order.action is Action.SELL
    match order.price_type:
        case PriceType.MARKET:
            return False
        case PriceType.LIMIT:
            return order.price > last_price if above else order.price < last_price
        case PriceType.SL | PriceType.SL_M:
            return order.trigger_price < last_price if above else order.trigger_price > last_price


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an order does to its position if it fills now and nothing beside it: signed nets ``before`` and ``after``.

    ``was_open``: the broker has such a position today, be it closed by now.
    """

    before: int
    after: int
    was_open: bool

    @property
    def is_exit(self) -> bool:
        """Whether it goes against the position and not past it."""
        return self.before * self.after >= 0 and abs(self.after) < abs(self.before)

    @property
    def leaves(self) -> int | None:
        """What an exit leaves of its position, signed; None for what is none."""
        return self.after if self.is_exit else None

    @property
    def may_reverse(self) -> bool:
        """Whether it opens what it may have come to close: nothing of that, or not so much, is open any more."""
        return self.was_open and (self.before == 0 or self.before * self.after < 0)


def effect(order: OrderRequest, positions: Sequence[Position | Holding], filled: int = 0) -> Effect:
    """See :class:`Effect`; ``filled`` is what the order that ``order`` is the new form of has filled already."""
    before = net(positions, order)
    after = before + order.action.sign * (order.quantity - filled)
    return Effect(before=before, after=after, was_open=any(_counts(each, order) for each in positions))


def reducible(position: int, action: Action) -> int:
    """How much of a signed position ``action`` can take away before it is flat; 0 where it adds to it."""
    return max(0, -position * action.sign)


def net(positions: Iterable[Position | Holding], order: OrderRequest) -> int:
    """The signed net of the position that ``order`` would change; 0 when there is none. Delivered shares are a part of
    it where the order sells such: what was sold of them today stands against them as a position below 0, or they are
    fewer already.
    """
    return sum(each.quantity for each in positions if _counts(each, order))


def sells_delivered(order: OrderRequest) -> bool:
    """Whether an order may sell shares that were delivered. None buys them: a purchase closes no holding."""
    return order.product is Product.CNC and order.action is Action.SELL


def _counts(each: Position | Holding, order: OrderRequest) -> bool:
    return is_same_position(each, order) and (sells_delivered(order) or not isinstance(each, Holding))


def filled(book: Iterable[BrokerOrder], order: OrderRequest) -> int:
    """The signed fills of the position that ``order`` would change, as an order book shows them."""
    return sum(
        each.filled_quantity * each.request.action.sign for each in book if is_same_position(each.request, order)
    )


def closing_action(position: int) -> Action:
    """The side that takes a signed position back to flat."""
    return Action.SELL if position > 0 else Action.BUY


def is_on_same_side(one: OrderRequest, other: OrderRequest) -> bool:
    """Whether both add to, or take from, the same position."""
    return one.action is other.action and is_same_position(one, other)


def is_same_position(one: OrderRequest | Position | Holding, other: OrderRequest) -> bool:
    """Whether both change the same position, or the first is what the second changes."""
    return position_of(one) == position_of(other)


def position_of(of: OrderRequest | Position | Holding) -> PositionKey:
    """The position that it is, or would change."""
    return (of.exchange, of.symbol, of.product)


def by_position(book: Iterable[BrokerOrder]) -> dict[PositionKey, list[BrokerOrder]]:
    """The orders of each position, in the order in which the book has them."""
    found: dict[PositionKey, list[BrokerOrder]] = {}
    for each in book:
        found.setdefault(position_of(each.request), []).append(each)
    return found


def is_within(now: int, seen: int) -> bool:
    """Whether a signed quantity is on the side that was seen, and no larger."""
    return now * seen > 0 and abs(now) <= abs(seen)
