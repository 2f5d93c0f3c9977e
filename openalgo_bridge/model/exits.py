"""What an exit is: arithmetic that can never take a position through flat (design 4). Pure.

An order is an exit when its quantity is at most what is held, minus everything that already reduces it: orders
working at the broker, and messages of ours the broker may not have counted yet. The bridge goes by the position it
reads, never by the word of whoever sent the order (users M7).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderRequest, Product, Ref, TradingMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of one position: what an order on it adds to, or takes away from."""

    trading_mode: TradingMode
    exchange: Exchange
    symbol: str
    product: Product
    action: Action

    @classmethod
    def of(cls, order: OrderRequest, trading_mode: TradingMode) -> Side:
        """The side that ``order`` is on."""
        return cls(
            trading_mode=trading_mode,
            exchange=order.exchange,
            symbol=order.symbol,
            product=order.product,
            action=order.action,
        )

    def has(self, order: OrderRequest) -> bool:
        """Whether ``order`` is on this side. The trading mode is the caller's to compare."""
        ours = (self.exchange, self.symbol, self.product, self.action)
        return ours == (order.exchange, order.symbol, order.product, order.action)


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """A message of ours on one side whose end is not known: the broker's books may or may not show it yet."""

    order_id: int
    ref: Ref
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """The journal of one side at the moment before the broker is read.

    ``newest`` is the id of the newest order of any side. What is claimed after it, or was in flight then, may be
    missing in what the broker answers, so the claim counts it again.
    """

    newest: int
    in_flight: tuple[InFlight, ...]

    @property
    def refs(self) -> frozenset[Ref]:
        """The tags of what was in flight."""
        return frozenset(each.ref for each in self.in_flight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The proof that an order is an exit, as good as its reading; the claiming transaction completes it.

    ``room`` is the quantity that may still be taken from the position by ``side`` before anything the journal
    knows: the claim subtracts the journal's own orders, in the same transaction in which it adds this one.
    """

    side: Side
    quantity: int
    room: int
    glimpse: Glimpse

    def fits(self, in_flight: int) -> bool:
        """Whether it is an exit still, with ``in_flight`` units of ours on the same side."""
        return self.quantity <= self.room - in_flight


def reservation(
    order: OrderRequest,
    *,
    trading_mode: TradingMode,
    position: int,
    working: Iterable[BrokerOrder],
    glimpse: Glimpse,
    replaces: BrokerOrderId | None = None,
) -> Reservation | None:
    """The reservation for ``order``, or None when it is no exit.

    ``position`` is the signed net, read after ``working`` and that after ``glimpse``: whatever fills in between is
    then counted twice, never not at all. ``replaces`` names the order that ``order`` is the new form of.
    """
    side = Side.of(order, trading_mode)
    at_broker = reducing(side, working, ignored=glimpse.refs, replaces=replaces)
    claim = Reservation(
        side=side, quantity=order.quantity, room=reducible(position, order.action) - at_broker, glimpse=glimpse
    )
    return claim if claim.fits(sum(each.quantity for each in glimpse.in_flight)) else None


def reducible(position: int, action: Action) -> int:
    """How much of a signed position ``action`` can take away before it is flat; 0 where it adds to it."""
    return max(0, -position * action.sign)


def reducing(
    side: Side, orders: Iterable[BrokerOrder], *, ignored: Collection[Ref], replaces: BrokerOrderId | None = None
) -> int:
    """What can still fill on ``side``, except the orders that are counted elsewhere."""
    return sum(
        order.pending_quantity
        for order in orders
        if side.has(order.request) and order.tag not in ignored and order.id != replaces
    )


def net(positions: Iterable[Position], order: OrderRequest) -> int:
    """The signed net of the position that ``order`` would change; 0 when there is none."""
    wanted = (order.exchange, order.symbol, order.product)
    return sum(each.quantity for each in positions if (each.exchange, each.symbol, each.product) == wanted)
