"""Anything a trader may do, in any order; after each step the books are added up by hand from trades and ledger alone.

SBIN stands around 1000.00. The account is large enough for every intraday order here, and small enough to run out.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.books import BrokerOrder, OrderStatus, Trade
from openalgo_bridge.model.order import Action, BrokerOrderId, OrderRequest, PriceType, Product
from openalgo_bridge.model.paper import LedgerLine, PaperPosition, to_units
from openalgo_bridge.model.paper_settings import PaperSettings
from openalgo_bridge.store.paper_ledger import PaperLedger
from tests.brokers.desk import Floor, opened, order

CRORE = to_units(Decimal(10_000_000))
TICK = Decimal("0.05")
EVER = 1_000_000

SIDES = st.sampled_from(Action)
PRODUCTS = st.sampled_from([Product.MIS, Product.CNC])
QUANTITIES = st.integers(1, 900)
PRICE_TYPES = st.sampled_from(PriceType)
OFFSETS = st.integers(-300, 300)


class Books(NamedTuple):
    """What the exchange tells at one moment."""

    orders: list[BrokerOrder]
    trades: list[Trade]
    positions: list[PaperPosition]
    ledger: list[LedgerLine]

    @property
    def working(self) -> list[BrokerOrder]:
        return [each for each in self.orders if each.status.is_working]


class PaperMachine(RuleBasedStateMachine):
    """A trader and his exchange."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self.floor: Floor = self._stack.enter_context(opened(Path(folder), "NORMAL"))
        self.floor.market.shown = ((TICK, 100), (Decimal(2), 150), (Decimal(4), 200))
        self.ended: dict[BrokerOrderId, BrokerOrder] = {}
        self.books = self._look()

    def teardown(self) -> None:
        self._stack.close()

    @initialize(is_protected=st.booleans())
    def the_trader_chooses(self, is_protected: bool) -> None:
        self.floor.settings = PaperSettings(protects_market_orders=is_protected)

    @rule(side=SIDES, product=PRODUCTS, quantity=QUANTITIES, price_type=PRICE_TYPES, trigger=OFFSETS, limit=OFFSETS)
    def place(
        self, side: Action, product: Product, quantity: int, price_type: PriceType, trigger: int, limit: int
    ) -> None:
        before = self.books
        request = self._request(order(side, quantity, product), price_type, trigger, limit)
        try:
            order_id = self.floor.send(request)
        except Rejected as refused:
            self.books = self._look()
            newest = self.books.orders[0]
            assert (newest.status, newest.rejection_reason) == (OrderStatus.REJECTED, refused.message)
            assert len(self.books.orders) == len(before.orders) + 1
        else:
            self.books = self._look()
            assert self.books.orders[0].id == order_id

    @precondition(lambda self: self.books.working)
    @rule(data=st.data(), quantity=QUANTITIES, price_type=PRICE_TYPES, trigger=OFFSETS, limit=OFFSETS)
    def modify(self, data: st.DataObject, quantity: int, price_type: PriceType, trigger: int, limit: int) -> None:
        target = data.draw(st.sampled_from(self.books.working))
        keeps_trigger = data.draw(st.booleans())
        wanted = self._request(replace(target.request, quantity=quantity), price_type, trigger, limit)
        if keeps_trigger:
            wanted = replace(wanted, trigger_price=target.request.trigger_price)
        try:
            self.floor.modify(target.id, wanted)
        except Rejected:
            assert self.floor.order(target.id) == target
        self.books = self._look()

    @precondition(lambda self: self.books.working)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        target = data.draw(st.sampled_from(self.books.working))
        self.floor.cancel(target.id)
        self.books = self._look()
        assert self.floor.order(target.id).filled_quantity == target.filled_quantity

    @rule(ticks=OFFSETS)
    def tick(self, ticks: int) -> None:
        """The price moves, and a second later is looked at."""
        self.floor.clock.move(seconds=1)
        self.floor.market.last = max(Decimal(900), min(Decimal(1100), self.floor.market.last + ticks * TICK))
        self.books = self._look()

    @rule()
    def protection_is_switched(self) -> None:
        self.floor.settings = PaperSettings(protects_market_orders=not self.floor.settings.protects_market_orders)

    @rule()
    def everything_is_withdrawn_and_closed(self) -> None:
        for each in self.books.working:
            self.floor.cancel(each.id)
        self.floor.settings = PaperSettings()
        for row in self.floor.exchange.positions():
            if row.quantity:
                side = Action.SELL if row.quantity > 0 else Action.BUY
                self.floor.send(order(side, abs(row.quantity), row.product))
        self.books = self._look()
        assert self.floor.exchange.funds().used == 0
        assert self.floor.exchange.funds().available * 10_000 == CRORE + _cash_flow(self.books.trades)

    @invariant()
    def a_position_is_the_sum_of_its_trades(self) -> None:
        bought: defaultdict[Product, int] = defaultdict(int)
        for trade in self.books.trades:
            bought[trade.product] += trade.action.sign * trade.quantity
        assert {row.product: row.quantity for row in self.books.positions} == dict(bought)

    @invariant()
    def no_order_fills_twice_or_beyond_its_quantity(self) -> None:
        for each in self.books.orders:
            own = [trade for trade in self.books.trades if trade.order_id == each.id]
            filled = sum(trade.quantity for trade in own)
            assert filled == each.filled_quantity <= each.request.quantity
            assert (filled == each.request.quantity) == (each.status is OrderStatus.COMPLETE)
            if own:
                assert each.average_price == sum(t.price * t.quantity for t in own) / filled

    @invariant()
    def no_fill_is_worse_than_its_limit(self) -> None:
        requests = {each.id: each.request for each in self.books.orders if each.status is OrderStatus.COMPLETE}
        for trade in self.books.trades:
            request = requests.get(trade.order_id)
            if request is not None and request.price_type in {PriceType.LIMIT, PriceType.SL} and self._is_alone(trade):
                assert request.action.sign * (trade.price - request.price) <= 0

    @invariant()
    def what_has_ended_stays_as_it_was(self) -> None:
        now = {each.id: each for each in self.books.orders if not each.status.is_working}
        assert {key: now.get(key) for key in self.ended} == self.ended
        self.ended = now

    @invariant()
    def the_ledger_is_the_account(self) -> None:
        last = self.books.ledger[0].after
        moved = self.books.ledger
        assert last.capital == sum(line.capital for line in moved) == CRORE
        assert last.realised == sum(line.realised for line in moved)
        assert last.blocked == sum(line.blocked for line in moved)
        assert last.available == to_units(self.floor.exchange.funds().available)

    @invariant()
    def money_adds_up_to_the_unit(self) -> None:
        """Profit booked minus what is open at cost is the cash that went over the counter."""
        account = self.books.ledger[0].after
        assert account.realised - sum(row.cost for row in self.books.positions) == _cash_flow(self.books.trades)
        resting = sum(each.blocked for each in self.floor.book.resting())
        assert account.blocked == resting + sum(row.blocked for row in self.books.positions)
        assert all(row.blocked == row.cost == 0 for row in self.books.positions if not row.quantity)

    @invariant()
    def each_thing_in_the_books_has_what_the_ledger_set_aside_for_it(self) -> None:
        if self.books.working or any(row.quantity for row in self.books.positions):
            return
        assert self.books.ledger[0].after.blocked == 0, "flat, and nothing rests"

    @invariant()
    def delivery_is_never_sold_short(self) -> None:
        assert all(row.quantity >= 0 for row in self.books.positions if row.product is Product.CNC)

    def _look(self) -> Books:
        """Orders first: whoever reads them has what rests matched."""
        orders = list(self.floor.exchange.order_book())
        return Books(
            orders=orders,
            trades=list(self.floor.exchange.trade_book()),
            positions=self.floor.book.positions(self.floor.clock.now().date()),
            ledger=PaperLedger(self.floor.db).lines(limit=EVER),
        )

    def _request(self, asked: OrderRequest, price_type: PriceType, trigger: int, limit: int) -> OrderRequest:
        """With prices on both sides of the market; those of a stop mostly where the exchange wants them."""
        last = self.floor.market.last
        asked = replace(asked, price_type=price_type, price=Decimal(0), trigger_price=Decimal(0))
        if price_type is PriceType.LIMIT:
            return replace(asked, price=last + limit * TICK)
        if not price_type.is_stop:
            return asked
        trigger_price = last + asked.action.sign * (abs(trigger) - 10) * TICK
        if price_type is PriceType.SL_M:
            return replace(asked, trigger_price=trigger_price)
        return replace(
            asked, trigger_price=trigger_price, price=trigger_price + asked.action.sign * (abs(limit) - 10) * TICK
        )

    def _is_alone(self, trade: Trade) -> bool:
        """Whether it is its order's only one: one that filled in parts may have been another kind of order before."""
        return sum(each.order_id == trade.order_id for each in self.books.trades) == 1


def _cash_flow(trades: list[Trade]) -> int:
    return to_units(sum((-each.action.sign * each.value for each in trades), Decimal(0)))


TestPaperMachine = PaperMachine.TestCase
TestPaperMachine.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
