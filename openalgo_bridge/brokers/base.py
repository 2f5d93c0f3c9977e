"""What every broker promises. The paper exchange is just another one of them.

Every method may raise a :class:`~openalgo_bridge.errors.BrokerError`, and nothing else but a
:class:`~openalgo_bridge.errors.StorageError` where the broker keeps its books in our own database:

* ``Rejected``: the broker's own parsed refusal; ``NotSent``: nothing left this machine;
  ``SessionExpired``: log in again. In these three the order is provably not there.
* ``OutcomeUnknown``: anything after the first byte left that is not a parsed answer. Never retried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from openalgo_bridge.model.books import Bar, BrokerOrder, Depth, Funds, Holding, Position, Quote, Trade
from openalgo_bridge.model.gtt import BrokerGtt
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelGttRequest,
    CancelRequest,
    GttRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderRequest,
    Ref,
)
from openalgo_bridge.model.permit import SendPermit


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """How brokers differ; there is no ``if broker == ...`` anywhere.

    ``reread_after`` is the number of seconds between the two complete reads of the order book that together
    prove an order absent: 0 where a read is always fresh and complete; None where absence cannot be proven.
    ``orders_per_second`` is how many messages that change something it takes; None where it does not count.
    ``rehearsed_per_second`` is the rate that one that does not count keeps while the trader rehearses (design 4).
    ``positions_lag`` is for how many seconds at most the positions may not show a fill that the order book shows; 0
    where both are of one moment.
    ``intervals`` are those of the bars it has, shortest first; ``has_depth`` says whether it tells more than the best
    price of each side, and ``keeps_gtt_orders`` whether it has orders that wait for a price over days.
    """

    reread_after: float | None
    orders_per_second: float | None = None
    rehearsed_per_second: float | None = None
    positions_lag: float = 30.0
    intervals: tuple[Interval, ...] = ()
    has_depth: bool = False
    keeps_gtt_orders: bool = False


class Broker(Protocol):
    """One account at one broker. Thread-safe."""

    @property
    def name(self) -> str:
        """The short name shown to clients, such as ``paper``."""

    @property
    def capabilities(self) -> Capabilities:
        """What this broker can do."""

    def tend(self) -> Sequence[str]:
        """Do what has become due by the clock alone, where this broker is one of ours; the timer asks for it.

        What the trader should know of that, in sentences, each told once. Sends nothing.
        """

    def check(self, order: OrderRequest) -> None:
        """Raises Rejected for what this broker refuses whatever the account holds. Sends nothing."""

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        """Send one order, tagged with ``permit.ref``; return the broker's id of it."""

    def modify(self, permit: SendPermit[ModifyRequest]) -> None:
        """Change one resting order. Raises NotFound for an unknown id.

        Returns when the broker has taken the request, as :meth:`cancel` does.
        """

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        """Withdraw one resting order. Raises NotFound for an unknown id.

        Returns when the broker has taken the request. The order may still work for a moment, and fill: whoever needs it
        gone reads the order book until it is final there.
        """

    def check_gtt(self, gtt: GttRequest) -> None:
        """Raises Rejected for what this broker refuses whatever the account holds. Sends nothing."""

    def place_gtt(self, permit: SendPermit[GttRequest]) -> BrokerOrderId:
        """Let one order wait for its price; return the broker's id of it. These eight raise Unsupported where
        ``keeps_gtt_orders`` is false.
        """

    def modify_gtt(self, permit: SendPermit[ModifyGttRequest]) -> None:
        """Change one GTT that waits. Raises NotFound for an unknown id."""

    def cancel_gtt(self, permit: SendPermit[CancelGttRequest]) -> None:
        """Withdraw one GTT that waits. Raises NotFound for an unknown id."""

    def gtt(self, trigger_id: BrokerOrderId) -> BrokerGtt | None:
        """One GTT, one that ended too; None when the broker provably has none of that id."""

    def find_gtt(self, tag: Ref) -> BrokerGtt | None:
        """The GTT that carries our tag; None only when a complete, fresh read has none. Raises Unsupported where they
        carry none.
        """

    def gtt_book(self) -> Sequence[BrokerGtt]:
        """Every GTT that waits, newest first."""

    def ended_gtts(self, since: datetime) -> Sequence[BrokerGtt]:
        """Those that fired or ended since then, the last one first."""

    def order(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        """One order of today; None when the broker provably has none of that id."""

    def find(self, tag: Ref) -> BrokerOrder | None:
        """The order that carries our tag; None only when a complete, fresh read has none."""

    def order_book(self) -> Sequence[BrokerOrder]:
        """Every order of today, newest first."""

    def trade_book(self) -> Sequence[Trade]:
        """Every fill of today, newest first."""

    def trades_of(self, day: date) -> Sequence[Trade]:
        """Every fill of an earlier trading day, newest first. Raises Unsupported where only today's are kept."""

    def positions(self) -> Sequence[Position]:
        """Today's positions, closed ones (quantity 0) included."""

    def holdings(self) -> Sequence[Holding]:
        """Delivered shares, as many of each as may be sold. What was sold of them today is taken off, or stands against
        them as a position below 0.
        """

    def funds(self) -> Funds:
        """The account's money."""

    def margin(self, order: OrderRequest) -> Decimal:
        """An estimate of what the broker would block for this order now, in rupees. Sends nothing.

        Raises Unsupported where this broker cannot say, and Rejected for what it would refuse anyway.
        """

    def quote(self, instrument: Instrument) -> Quote:
        """The market of one instrument now. Raises Rejected where there is none."""

    def quotes(self, instruments: Sequence[Instrument]) -> Sequence[Quote | None]:
        """The markets of many now, in the same order; None where there is none."""

    def depth(self, instrument: Instrument) -> Depth:
        """The best prices of both sides now. Raises Unsupported where ``has_depth`` is false, and as :meth:`quote`."""

    def history(self, instrument: Instrument, interval: Interval, first: date, last: date) -> Iterable[Bar]:
        """The bars of the trading days ``first`` to ``last`` (India's, both included), ascending; to be read once.

        The last one may be unfinished; of weeks and longer, all that any of these days is in. Raises Unsupported for
        another interval than ``intervals``, and Rejected where there is no price or more is asked for at once than
        the broker gives: before it returns, though the bars may be made as they are read.
        """
