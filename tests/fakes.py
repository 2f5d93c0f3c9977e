"""The one double of the suite, a broker that follows a script, and many threads doing one thing at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from queue import SimpleQueue

from openalgo_bridge.brokers.base import Capabilities
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, NotFound, Rejected, Unsupported
from openalgo_bridge.model.books import Bar, BrokerOrder, Depth, Funds, Holding, OrderStatus, Position, Quote, Trade
from openalgo_bridge.model.gtt import BrokerGtt, GttState
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelGttRequest,
    CancelRequest,
    Exchange,
    GttRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderRequest,
    PriceType,
    Product,
    Ref,
    TradingMode,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.trading.budget import Budget


@dataclass
class ScriptedBroker:
    """Takes every order, unless ``fault`` raises first. ``accepts_before_fault`` keeps it all the same."""

    desk: Desk
    fault: Callable[[], BaseException] | None = None
    accepts_before_fault: bool = False
    reread_after: float | None = 0.0
    positions_lag: float = 30.0
    book: dict[Ref, BrokerOrder] = field(default_factory=dict)
    calls: list[Ref] = field(default_factory=list)
    asked_for: list[BrokerOrderId] = field(default_factory=list)
    before_answering: Callable[[], None] = lambda: None
    refuses: str = ""
    name: str = "scripted"
    ltp: Decimal = Decimal(1000)
    held: list[Position] = field(default_factory=list)
    profit: Decimal = Decimal(0)
    unreadable: BaseException | None = None
    margin_of: Decimal | None = None
    trades: list[Trade] = field(default_factory=list)
    shares: list[Holding] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    while_reading: Callable[[], None] = lambda: None
    news: list[str] = field(default_factory=list)
    keeps_gtts: bool = False
    has_gtt_tags: bool = True
    gtts: dict[Ref, BrokerGtt] = field(default_factory=dict)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            reread_after=self.reread_after, positions_lag=self.positions_lag, keeps_gtt_orders=self.keeps_gtts
        )

    def tend(self) -> list[str]:
        news, self.news = self.news, []
        return news

    def check(self, order: OrderRequest) -> None:
        if self.refuses:
            raise Rejected(self.refuses)

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        self.calls.append(permit.ref)
        order_id = BrokerOrderId(f"S{len(self.calls)}")
        if self.fault is None or self.accepts_before_fault:
            self.book[permit.ref] = BrokerOrder(
                id=order_id,
                tag=permit.ref,
                request=permit.request,
                status=working_status(permit.request),
                filled_quantity=0,
                average_price=permit.request.price,
                placed_at=self.desk.clock.now(),
            )
        if self.fault is not None:
            raise self.fault()
        return order_id

    def modify(self, permit: SendPermit[ModifyRequest]) -> None:
        self.calls.append(permit.ref)
        there = self._named(permit.request.broker_order_id)
        self.book[there.tag] = replace(there, request=permit.request.order)
        if self.fault is not None:
            raise self.fault()

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        self.calls.append(permit.ref)
        there = self._named(permit.request.broker_order_id)
        self.book[there.tag] = replace(there, status=OrderStatus.CANCELLED)
        if self.fault is not None:
            raise self.fault()

    def check_gtt(self, gtt: GttRequest) -> None:
        if self.refuses:
            raise Rejected(self.refuses)

    def place_gtt(self, permit: SendPermit[GttRequest]) -> BrokerOrderId:
        self.calls.append(permit.ref)
        number = BrokerOrderId(f"G{len(self.calls)}")
        if self.fault is None or self.accepts_before_fault:
            now = self.desk.clock.now()
            self.gtts[permit.ref] = BrokerGtt(
                id=number,
                tag=permit.ref,
                request=permit.request,
                state=GttState.ACTIVE,
                last_price=self.ltp,
                blocked=Decimal(0),
                created_at=now,
                changed_at=now,
                expires_at=permit.request.expires_at,
            )
        if self.fault is not None:
            raise self.fault()
        return number

    def modify_gtt(self, permit: SendPermit[ModifyGttRequest]) -> None:
        self._change_gtt(permit.ref, permit.request.trigger_id, request=permit.request.gtt)

    def cancel_gtt(self, permit: SendPermit[CancelGttRequest]) -> None:
        self._change_gtt(permit.ref, permit.request.trigger_id, state=GttState.CANCELLED)

    def _change_gtt(self, ref: Ref, number: BrokerOrderId, **changes: GttRequest | GttState) -> None:
        """With a ``fault`` it is as with :meth:`place_gtt`."""
        self.calls.append(ref)
        there = self.gtt(number)
        if there is None:
            raise NotFound(f"GTT {number} not found")
        if self.fault is None or self.accepts_before_fault:
            self.gtts[there.tag] = replace(there, **changes)  # type: ignore[arg-type]
        if self.fault is not None:
            raise self.fault()

    def gtt(self, trigger_id: BrokerOrderId) -> BrokerGtt | None:
        self._read("gtt")
        return next((each for each in self.gtts.values() if each.id == trigger_id), None)

    def find_gtt(self, tag: Ref) -> BrokerGtt | None:
        if not self.has_gtt_tags:
            raise Unsupported("A GTT carries no tag here.")
        return self.gtts.get(tag)

    def gtt_book(self) -> list[BrokerGtt]:
        self._read("gtt_book")
        return [each for each in reversed(self.gtts.values()) if each.state is GttState.ACTIVE]

    def ended_gtts(self, since: datetime) -> list[BrokerGtt]:
        self._read("ended_gtts")
        over = (each for each in reversed(self.gtts.values()) if each.state is not GttState.ACTIVE)
        return [each for each in over if each.changed_at >= since]

    def order(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        self.asked_for.append(order_id)
        self.before_answering()
        return next((order for order in self.book.values() if order.id == order_id), None)

    def find(self, tag: Ref) -> BrokerOrder | None:
        return self.book.get(tag)

    def order_book(self) -> list[BrokerOrder]:
        self._read("order_book")
        return list(reversed(self.book.values()))

    def trade_book(self) -> list[Trade]:
        self._read("trade_book")
        return list(self.trades)

    def trades_of(self, day: date) -> list[Trade]:
        raise Unsupported("This broker tells today's trades only.")

    def positions(self) -> list[Position]:
        self._read("positions")
        return list(self.held)

    def holdings(self) -> list[Holding]:
        self._read("holdings")
        return list(self.shares)

    def funds(self) -> Funds:
        self._read("funds")
        zero = Decimal(0)
        return Funds(available=zero, used=zero, collateral=zero, realised=self.profit, unrealised=zero)

    def margin(self, order: OrderRequest) -> Decimal:
        self._read("margin")
        if self.margin_of is None:
            raise Unsupported("This broker does not say what it would block.")
        return self.margin_of

    def quote(self, instrument: Instrument) -> Quote:
        self._read("quote")
        return Quote(
            ltp=self.ltp,
            bid=self.ltp,
            ask=self.ltp,
            open=self.ltp,
            high=self.ltp,
            low=self.ltp,
            prev_close=self.ltp,
            volume=0,
            oi=0,
        )

    def quotes(self, instruments: Sequence[Instrument]) -> list[Quote | None]:
        return [self.quote(instrument) for instrument in instruments]

    def depth(self, instrument: Instrument) -> Depth:
        raise Unsupported("This broker tells the best prices only.")

    def history(self, instrument: Instrument, interval: Interval, first: date, last: date) -> list[Bar]:
        raise Unsupported("This broker has no bars.")

    def hold(self, symbol: str, quantity: int, product: Product = Product.MIS) -> None:
        """Stand in the position book with this net."""
        self.held.append(
            Position(
                symbol=symbol,
                exchange=Exchange.NSE,
                product=product,
                quantity=quantity,
                average_price=self.ltp,
                ltp=self.ltp,
                realised=Decimal(0),
            )
        )

    def complete(self, ref: Ref) -> None:
        """Fill the whole order, at the last price. What that makes of the positions is for :meth:`hold`."""
        there = self.book[ref]
        quantity = there.request.quantity
        self.book[ref] = replace(there, status=OrderStatus.COMPLETE, filled_quantity=quantity, average_price=self.ltp)

    def _read(self, what: str) -> None:
        """``unreadable`` is what every book and quote then raises."""
        self.reads.append(what)
        self.while_reading()
        if self.unreadable is not None:
            raise self.unreadable

    def _named(self, order_id: BrokerOrderId) -> BrokerOrder:
        order = self.order(order_id)
        assert order is not None
        return order


def working_status(request: OrderRequest) -> OrderStatus:
    """A stop waits for its trigger."""
    is_stop = request.price_type in {PriceType.SL, PriceType.SL_M}
    return OrderStatus.TRIGGER_PENDING if is_stop else OrderStatus.OPEN


def with_broker(desk: Desk, broker: ScriptedBroker, mode: TradingMode = TradingMode.ANALYZE) -> Desk:
    """The same desk, with ``broker`` for ``mode``: in place of the paper exchange, or beside it.

    Seconds that the desk waits for it pass at once.
    """
    return replace(desk, brokers={**desk.brokers, mode: broker}, wait=lambda seconds: None)


def in_threads(count: int, act: Callable[[], object]) -> list[object]:
    """What ``count`` threads get when they all do the same thing at the same moment."""
    barrier = threading.Barrier(count)

    def together() -> object:
        barrier.wait()
        return act()

    with each_in_a_thread(*[together] * count) as outcomes:
        pass
    return [outcomes.get() for _ in range(outcomes.qsize())]


@contextmanager
def each_in_a_thread(*acts: Callable[[], object]) -> Iterator[SimpleQueue[object]]:
    """What they come to, a refusal too, in the order in which they do. They are waited for at the end."""
    outcomes: SimpleQueue[object] = SimpleQueue()

    def run(act: Callable[[], object]) -> None:
        try:
            outcomes.put(act())
        except BridgeError as error:
            outcomes.put(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    yield outcomes
    for thread in threads:
        thread.join()


def taken(
    budget: Budget,
    *,
    is_cancel: bool = False,
    is_exit: bool = False,
    only_reads: bool = False,
    is_history: bool = False,
) -> threading.Event:
    """Another thread that has a place until the event is set."""
    inside, release = threading.Event(), threading.Event()

    def hold() -> None:
        with (
            budget.history() if is_history else nullcontext(),
            budget.reading() if only_reads else nullcontext(),
            budget.slot(is_cancel=is_cancel, is_exit=is_exit),
        ):
            inside.set()
            release.wait(60)

    threading.Thread(target=hold).start()
    assert inside.wait(60)
    return release
