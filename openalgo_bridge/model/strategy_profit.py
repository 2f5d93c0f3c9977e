"""What each strategy made of an account that all of them share. Pure; money is in units (``model/paper.py``).

The account nets what strategies do: one is long, another short in the same symbol, and the broker says flat. Here each
has a position of its own at its own average cost. So what one has booked may be open with another, and only booked and
open profit together, over all strategies, are the account's, to the unit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from openalgo_bridge.model.order import PositionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyFill:
    """One fill, or a settlement. ``quantity`` is signed; ``price`` is what one unit costs, the multiplier of its
    contract in it. ``strategy`` is empty where none asked for it: a square-off, an expiry, an order by hand.
    """

    strategy: str
    position: PositionKey
    quantity: int
    price: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyProfit:
    """Booked and open profit of one strategy; the empty name is what belongs to none."""

    strategy: str
    realised: int
    unrealised: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.realised + self.unrealised


@dataclass(slots=True)
class _Share:
    """What one strategy holds of a position. ``cost`` is the exact sum paid for it, negative for a short one."""

    quantity: int = 0
    cost: int = 0

    def trade(self, quantity: int, price: int) -> int:
        """Take a fill; what it closes is booked, and returned. What is left over opens the other side."""
        closing = _reducing(self.quantity, quantity)
        cost_out = _part(self.cost, closing, self.quantity)
        opening = quantity + closing
        self.quantity += quantity
        self.cost += opening * price - cost_out
        return closing * price - cost_out


class _Shares:
    """One position of the account, divided: by strategy, the one that opened first at the front."""

    def __init__(self) -> None:
        self._held: dict[str, _Share] = {}
        self.last_price = 0

    def __iter__(self) -> Iterator[tuple[str, _Share]]:
        return iter(self._held.items())

    def take(self, fill: StrategyFill) -> Iterator[tuple[str, int]]:
        """Who books how much of a fill."""
        self.last_price = fill.price
        left = fill.quantity
        if not fill.strategy:
            for strategy, quantity in self._closed_by(left):
                yield strategy, self._trade(strategy, quantity, fill.price)
                left -= quantity
        if left:
            yield fill.strategy, self._trade(fill.strategy, left, fill.price)

    def _closed_by(self, quantity: int) -> list[tuple[str, int]]:
        """How much of what nobody in particular traded closes whose share, the oldest first."""
        found = []
        for strategy, share in self._held.items():
            closing = -_reducing(share.quantity, quantity)
            found += [(strategy, closing)] if closing else []
            quantity -= closing
        return found

    def _trade(self, strategy: str, quantity: int, price: int) -> int:
        share = self._held.setdefault(strategy, _Share())
        gain = share.trade(quantity, price)
        if not share.quantity:
            # Whoever opens again is the youngest then.
            del self._held[strategy]
        return gain


def strategy_profits(fills: Iterable[StrategyFill], prices: Mapping[PositionKey, int]) -> list[StrategyProfit]:
    """Each strategy by name, from all ``fills`` since the account was flat, in the order in which they happened.

    A fill of a strategy changes its own share of a position. One of none closes what strategies hold against it, the
    one that opened first before the others, as an exchange that squares off knows no strategies; only what is left is
    nobody's. ``prices`` are what a unit of each position is worth now. A position that has none is flat for the
    account, its contract expired perhaps, and counts at what was paid last: strategies may still stand against each
    other there.
    """
    positions: defaultdict[PositionKey, _Shares] = defaultdict(_Shares)
    realised: defaultdict[str, int] = defaultdict(int)
    for fill in fills:
        for strategy, gain in positions[fill.position].take(fill):
            realised[strategy] += gain
    unrealised: defaultdict[str, int] = defaultdict(int)
    for key, shares in positions.items():
        price = prices.get(key, shares.last_price)
        for strategy, share in shares:
            unrealised[strategy] += share.quantity * price - share.cost
    return [
        StrategyProfit(strategy=name, realised=realised[name], unrealised=unrealised[name]) for name in sorted(realised)
    ]


def _reducing(held: int, quantity: int) -> int:
    """How much of ``held``, with its sign, a trade of ``quantity`` closes; 0 where it only adds."""
    if held * quantity >= 0:
        return 0
    return held if abs(held) <= abs(quantity) else -quantity


def _part(cost: int, closing: int, held: int) -> int:
    """The cost of what is closed, rounded towards 0 as the exchange does; the rest stays with what is left."""
    if not closing:
        return 0
    share = abs(cost) * abs(closing) // abs(held)
    return share if cost >= 0 else -share
