"""Anything a trader may do and anything time does, in any order; after each step the books are added up by hand from
the rows of trades and ledger alone, and compared with what the exchange says.

SBIN and a future that expires on the way stand around 1000.00. The account is large enough for every intraday order
here, and small enough to run out, and more so where it is begun anew with less.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from openalgo_bridge.brokers.paper import PaperExchange
from openalgo_bridge.clock import IST, from_ms, to_ms
from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import (
    Action,
    CancelGttRequest,
    Exchange,
    GttLeg,
    GttRequest,
    OrderRequest,
    PriceType,
    Product,
    TriggerSide,
)
from openalgo_bridge.model.paper import LedgerKind, to_units
from openalgo_bridge.model.paper_settings import PaperHours, PaperSettings
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.paper_capital import PaperCapital
from openalgo_bridge.store.paperbook import PaperBook
from tests.brokers import by_hand
from tests.brokers.by_hand import Rows
from tests.brokers.desk import SBIN, Floor
from tests.brokers.week_off import EXPIRY, FUTURE, floor_on_friday
from tests.conftest import TRADER

CRORE = to_units(Decimal(10_000_000))
CAPITALS = tuple(to_units(Decimal(rupees)) for rupees in (200_000, 1_000_000, 10_000_000))
TICK = Decimal("0.05")
LOT = 65
EXPIRED_AT = datetime.combine(EXPIRY, time(15, 40), IST)
LAST_DAY = date(2026, 12, 18)
"""Until then the calendar of ``by_hand`` is whole."""

SIDES = st.sampled_from(Action)
PRICE_TYPES = st.sampled_from(PriceType)
OFFSETS = st.integers(-300, 300)
DISTANCES = st.one_of(st.integers(1, 200), st.integers(1_000, 3_000))
"""From a trigger that waits: one that is soon reached, or never."""

MOSTLY_ALWAYS = st.sampled_from([PaperHours.ALWAYS, PaperHours.ALWAYS, PaperHours.EXCHANGE])
UNSEEN = st.lists(OFFSETS, max_size=3)
"""How the price moves while nobody looks."""

TIMES = (time(15, 12), time(15, 37), time(15, 50), time(2, 59, 59), time(3, 1), time(9, 20))
"""After the square-off of shares, that of contracts, the close; in the last second of the books' day and after it; the
opening.
"""

SHARES = st.builds(
    lambda side, quantity, product: replace(SBIN, action=side, quantity=quantity, product=product),
    SIDES,
    st.integers(1, 300),
    st.sampled_from([Product.MIS, Product.CNC]),
)
CONTRACTS = st.builds(
    lambda side, lots, product: replace(FUTURE, action=side, quantity=lots * LOT, product=product),
    SIDES,
    st.integers(1, 6),
    st.sampled_from([Product.MIS, Product.NRML]),
)
ASKED = st.one_of(SHARES, CONTRACTS)


class Books(NamedTuple):
    """What the exchange tells at one moment, and the rows behind it."""

    told: Sequence[BrokerOrder]
    available: Decimal
    rows: Rows

    @property
    def working(self) -> list[BrokerOrder]:
        return [each for each in self.told if each.status.is_working]


class PaperMachine(RuleBasedStateMachine):
    """A trader, his exchange, and time."""

    seen: ClassVar[Counter[str]] = Counter()
    """What happened in all runs: a campaign in which something never did proves nothing about it."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.floor: Floor = self._stack.enter_context(floor_on_friday(self._folder, "NORMAL"))
        # So that nothing that a trader does is of the very moment of an event.
        self.floor.clock.move(seconds=0.5)
        self.floor.market.shown = ((TICK, 100), (Decimal(2), 150), (Decimal(4), 200))
        self.capital = CRORE
        self.before = self.books = self._look()

    def teardown(self) -> None:
        self.seen.update(f"ledger: {row['kind']}" for row in self.books.rows.ledger)
        self.seen.update(f"cause: {row['cause'].split()[0]}" for row in self.books.rows.orders if row["cause"])
        self.seen.update(f"GTT: {row['state']}" for row in self.books.rows.gtts)
        self._stack.close()

    @initialize(
        is_protected=st.booleans(),
        hours=MOSTLY_ALWAYS,
        begun=st.lists(ASKED, min_size=1, max_size=4),
        at=st.sampled_from(TIMES),
        days=st.integers(0, 9),
    )
    def the_trader_begins(
        self, is_protected: bool, hours: PaperHours, begun: list[OrderRequest], at: time, days: int
    ) -> None:
        """On some day, with something that time may end."""
        self.floor.settings = PaperSettings(protects_market_orders=is_protected, hours=hours)
        for asked in begun:
            self.trade(asked)
        for _ in range(days):
            self.a_time_of_day_comes(at, [])

    # -- what a trader does ----------------------------------------------------------------------------

    @rule(asked=ASKED, price_type=PRICE_TYPES, trigger=OFFSETS, limit=OFFSETS)
    def place(self, asked: OrderRequest, price_type: PriceType, trigger: int, limit: int) -> None:
        request = self._request(asked, price_type, trigger, limit)
        count = len(self.books.rows.orders)
        try:
            order_id = self.floor.send(request)
        except Rejected as refused:
            self._look_again()
            newest = self.books.rows.orders[-1]
            assert (newest["status"], newest["rejection_reason"]) == (OrderStatus.REJECTED, refused.message)
        else:
            self._look_again()
            assert self.books.told[0].id == order_id
        assert len(self.books.rows.orders) == count + 1

    @rule(asked=ASKED)
    def trade(self, asked: OrderRequest) -> None:
        """Without a word about prices, and in something that is listed still."""
        is_over = asked.symbol == FUTURE.symbol and self.floor.clock.now().date() >= EXPIRY
        self.place(SBIN if is_over else asked, PriceType.MARKET, 0, 0)

    @precondition(lambda self: self.books.working)
    @rule(data=st.data(), parts=st.integers(1, 9), price_type=PRICE_TYPES, trigger=OFFSETS, limit=OFFSETS)
    def modify(self, data: st.DataObject, parts: int, price_type: PriceType, trigger: int, limit: int) -> None:
        target = data.draw(st.sampled_from(self.books.working))
        keeps_trigger = data.draw(st.booleans())
        wanted = self._request(replace(target.request, quantity=parts * LOT), price_type, trigger, limit)
        if keeps_trigger:
            wanted = replace(wanted, trigger_price=target.request.trigger_price)
        try:
            self.floor.modify(target.id, wanted)
        except Rejected:
            assert self.floor.order(target.id) == target
        self._look_again()

    @precondition(lambda self: self.books.working)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        target = data.draw(st.sampled_from(self.books.working))
        self.floor.cancel(target.id)
        self._look_again()
        assert self.floor.order(target.id).status is OrderStatus.CANCELLED
        assert self.floor.order(target.id).filled_quantity == target.filled_quantity

    @rule(asked=ASKED, below=DISTANCES, above=DISTANCES, limit=OFFSETS, sides=st.integers(1, 3))
    def place_gtt(self, asked: OrderRequest, below: int, above: int, limit: int, sides: int) -> None:
        """Below the market, above it, or both."""
        last = self.floor.market.last
        triggers = ((TriggerSide.STOPLOSS, last - below * TICK), (TriggerSide.TARGET, last + above * TICK))
        legs = [GttLeg(side=side, trigger_price=at, price=at + limit * TICK) for side, at in triggers]
        product = Product.CNC if asked.exchange is Exchange.NSE else Product.NRML
        request = GttRequest(
            symbol=asked.symbol,
            exchange=asked.exchange,
            action=asked.action,
            quantity=asked.quantity,
            price_type=PriceType.LIMIT,
            product=product,
            legs=tuple(leg for bit, leg in enumerate(legs) if sides & (1 << bit)),
        )
        before = self.books
        try:
            self.floor.exchange.place_gtt(SendPermit(order_id=1, ref=self.floor.ref(), request=request))
        except Rejected:
            self._look_again()
            assert (self.books.rows.gtts, self.books.rows.ledger) == (before.rows.gtts, before.rows.ledger)
        else:
            self._look_again()
            assert len(self.books.rows.waiting) == len(before.rows.waiting) + 1

    @precondition(lambda self: self.books.rows.waiting)
    @rule(data=st.data())
    def cancel_gtt(self, data: st.DataObject) -> None:
        target = data.draw(st.sampled_from(self.floor.exchange.gtt_book()))
        request = CancelGttRequest(trigger_id=target.id)
        self.floor.exchange.cancel_gtt(SendPermit(order_id=1, ref=self.floor.ref(), request=request))
        self._look_again()
        assert target.id not in {each.id for each in self.floor.exchange.gtt_book()}

    @rule()
    def protection_is_switched(self) -> None:
        chosen = self.floor.settings
        self.floor.settings = replace(chosen, protects_market_orders=not chosen.protects_market_orders)

    @precondition(lambda self: self.books.rows.ledger[-1]["kind"] != LedgerKind.CAPITAL)
    @rule(capital=st.sampled_from(CAPITALS))
    def the_capital_is_changed(self, capital: int) -> None:
        self._account().set(capital, by=TRADER)
        self.capital = capital
        self._look_again()

    @precondition(lambda self: len(self.books.rows.orders) > self.books.rows.begun_after + 5)
    @rule(capital=st.sampled_from(CAPITALS))
    def the_account_is_reset(self, capital: int) -> None:
        self._account().reset(capital, by=TRADER)
        self.capital = capital
        self._look_again()
        assert (self.books.working, self.books.rows.waiting, self.books.rows.open, self.books.told) == ([], [], [], [])
        assert to_units(self.books.available) == capital

    @precondition(lambda self: len(self.books.rows.held) > 1)
    @rule()
    def everything_is_withdrawn_and_closed(self) -> None:
        """Around the clock, whatever the trader's hours are, and without protection, which leaves a remainder."""
        chosen, self.floor.settings = self.floor.settings, PaperSettings()
        for each in self.books.working:
            self.floor.cancel(each.id)
        for row in self.books.rows.waiting:
            (one,) = [each for each in self.floor.exchange.gtt_book() if each.tag == row["tag"]]
            request = CancelGttRequest(trigger_id=one.id)
            self.floor.exchange.cancel_gtt(SendPermit(order_id=1, ref=self.floor.ref(), request=request))
        for row in self.books.rows.open:
            if row["symbol"] != FUTURE.symbol or self.floor.clock.now() < EXPIRED_AT:
                self.floor.send(_closing(row))
        self.floor.settings = chosen
        self._look_again()
        if not self.books.rows.open:
            assert self.floor.exchange.funds().used == 0

    @rule()
    def the_bridge_is_started_anew(self) -> None:
        """On the same files; nothing that was done is done again, and nothing is forgotten."""
        self.floor.db.close()
        self.floor.db = Database(self._folder / "bridge.db", synchronous="NORMAL")
        self._stack.callback(self.floor.db.close)
        self.floor.book = PaperBook(self.floor.db)
        self.floor.exchange = PaperExchange(
            book=self.floor.book,
            market=self.floor.market,
            instruments=self.floor.instruments,
            clock=self.floor.clock,
            calendar=lambda: SHIPPED,
            settings=lambda: self.floor.settings,
        )
        before = self.books
        self._look_again()
        assert self.books == before

    # -- what time does --------------------------------------------------------------------------------

    @rule(ticks=OFFSETS)
    def tick(self, ticks: int) -> None:
        """The price moves, and a second later is looked at."""
        self.floor.clock.move(seconds=1)
        self._price_moves(ticks)
        self._look_again()

    @precondition(lambda self: self.floor.clock.now().date() < LAST_DAY)
    @rule(minutes=st.integers(1, 120), unseen=UNSEEN)
    def minutes_pass(self, minutes: int, unseen: list[int]) -> None:
        self._pass(timedelta(minutes=minutes), unseen)

    @precondition(lambda self: self.floor.clock.now().date() < LAST_DAY)
    @rule(at=st.sampled_from(TIMES), unseen=UNSEEN)
    def a_time_of_day_comes(self, at: time, unseen: list[int]) -> None:
        now = self.floor.clock.now().astimezone(IST)
        wanted = datetime.combine(now.date(), at, IST).replace(microsecond=500_000)
        self._pass(wanted - now if wanted > now else wanted + timedelta(days=1) - now, unseen)

    @precondition(lambda self: self.floor.clock.now().date() < LAST_DAY)
    @rule(days=st.integers(2, 8), unseen=UNSEEN)
    def the_pc_is_off(self, days: int, unseen: list[int]) -> None:
        """Over a weekend, a holiday, an expiry."""
        self._pass(timedelta(days=days), unseen)
        self.the_bridge_is_started_anew()

    @precondition(lambda self: self.floor.clock.now().date() < EXPIRY)
    @rule(unseen=UNSEEN)
    def the_contract_expires(self, unseen: list[int]) -> None:
        self._pass(EXPIRED_AT + timedelta(seconds=0.5) - self.floor.clock.now(), unseen)

    # -- what is always so -----------------------------------------------------------------------------

    @invariant()
    def position_and_holding_are_the_sum_of_the_trades(self) -> None:
        by_hand.check_quantities(self.books.rows)

    @invariant()
    def no_order_fills_twice_or_beyond_its_quantity(self) -> None:
        by_hand.check_orders(self.books.rows)

    @invariant()
    def no_fill_is_worse_than_its_limit(self) -> None:
        """Of one that filled in parts, the first may have been another kind of order: it may have been changed."""
        once = Counter(trade["order_id"] for trade in self.books.rows.trades)
        orders = {row["id"]: row for row in self.books.rows.orders if row["price_type"] in {"LIMIT", "SL"}}
        for trade in self.books.rows.trades:
            order = orders.get(trade["order_id"])
            if order is not None and order["status"] == OrderStatus.COMPLETE and once[order["id"]] == 1:
                assert Action(order["action"]).sign * (trade["price"] - order["price"]) <= 0

    @invariant()
    def what_has_ended_stays_as_it_was(self) -> None:
        assert self.books.rows.trades[: len(self.before.rows.trades)] == self.before.rows.trades
        assert self.books.rows.ledger[: len(self.before.rows.ledger)] == self.before.rows.ledger
        orders = {row["id"]: row for row in self.books.rows.orders}
        gtts = {row["id"]: row for row in self.books.rows.gtts}
        assert all(orders[row["id"]] == row for row in self.before.rows.orders if not by_hand.is_working(row))
        assert all(gtts[row["id"]] == row for row in self.before.rows.gtts if row["state"] != GttState.ACTIVE)
        self.before = self.books

    @invariant()
    def a_gtt_that_fired_placed_one_order(self) -> None:
        fired = [row["fired_order_id"] for row in self.books.rows.gtts if row["fired_order_id"]]
        placed = [row["id"] for row in self.books.rows.orders if row["cause"].startswith("GTT")]
        assert sorted(fired) == sorted(placed)
        for row in self.books.rows.gtts:
            assert (row["fired_order_id"] is not None) == (row["state"] in {GttState.TRIGGERED, GttState.REJECTED})

    @invariant()
    def the_ledger_is_the_account(self) -> None:
        by_hand.check_ledger(self.books.rows)
        last = self.books.rows.ledger[-1]
        left = last["capital_after"] + last["realised_after"] - last["invested_after"] - last["blocked_after"]
        assert (last["capital_after"], left) == (self.capital, to_units(self.books.available))

    @invariant()
    def money_adds_up_to_the_unit(self) -> None:
        by_hand.check_money(self.books.rows, self._settled())

    @invariant()
    def nothing_is_blocked_but_for_what_is_there(self) -> None:
        by_hand.check_blocked(self.books.rows)

    @invariant()
    def delivery_is_never_sold_short(self) -> None:
        delivery = [row for row in self.books.rows.positions if row["product"] == Product.CNC]
        assert all(row["quantity"] >= 0 for row in [*delivery, *self.books.rows.holdings])

    @invariant()
    def nothing_intraday_outlives_its_square_off(self) -> None:
        for row in self.books.rows.open:
            if row["product"] == Product.MIS:
                ended = to_ms(by_hand.last_end(by_hand.SQUARE_OFF[row["exchange"]], self.floor.clock.now()))
                since = [trade for trade in self.books.rows.own_trades if trade["traded_at"] > ended]
                assert by_hand.net(since)[by_hand.thing(row)] == row["quantity"]

    @invariant()
    def nothing_rests_beyond_the_close_of_its_day(self) -> None:
        for row in self.books.rows.working:
            ended = by_hand.last_end(by_hand.CLOSE[row["exchange"]], self.floor.clock.now())
            assert row["placed_at"] > to_ms(ended)

    @invariant()
    def nothing_is_left_of_an_expired_contract(self) -> None:
        if self.floor.clock.now() >= EXPIRED_AT:
            left = [*self.books.rows.open, *self.books.rows.working, *self.books.rows.waiting]
            assert FUTURE.symbol not in {row["symbol"] for row in left}

    @invariant()
    def shares_are_delivered_on_the_next_trading_day(self) -> None:
        delivered = to_ms(by_hand.last_delivery(self.floor.clock.now()))
        bought = sum(
            row["quantity"]
            for row in self.books.rows.own_trades
            if row["product"] == Product.CNC and row["action"] == Action.BUY and row["traded_at"] >= delivered
        )
        assert sum(row["quantity"] for row in self.books.rows.open if row["product"] == Product.CNC) <= bought

    @invariant()
    def the_order_book_is_that_of_the_day(self) -> None:
        begin = to_ms(by_hand.day_begin(self.floor.clock.now()))
        own = [
            row
            for row in self.books.rows.orders
            if row["placed_at"] >= begin and row["id"] > self.books.rows.begun_after
        ]
        told = [(each.status, each.filled_quantity) for each in self.books.told]
        assert told == [(row["status"], row["filled_quantity"]) for row in reversed(own)]

    # -- how -------------------------------------------------------------------------------------------

    def _look_again(self) -> None:
        self.books = self._look()
        self.seen.update({f"order: {each.status}" for each in self.books.told})

    def _look(self) -> Books:
        """What is told first: whoever reads that has what rests matched, and what is due done."""
        told, available = list(self.floor.exchange.order_book()), self.floor.exchange.funds().available
        return Books(told=told, available=available, rows=by_hand.read(self.floor.db))

    def _account(self) -> PaperCapital:
        return PaperCapital(self.floor.db, self.floor.book, self.floor.clock)

    def _pass(self, wait: timedelta, unseen: list[int]) -> None:
        """The price moves while nobody looks, in equal parts of the time."""
        begin, parts = self.floor.clock.moment, len(unseen) + 1
        for number, ticks in enumerate(unseen, 1):
            self.floor.clock.moment = begin + timedelta(seconds=wait * number // parts // timedelta(seconds=1))
            self._price_moves(ticks)
        self.floor.clock.moment = begin + wait
        self._look_again()

    def _price_moves(self, ticks: int) -> None:
        self.floor.market.last = max(Decimal(900), min(Decimal(1100), self.floor.market.last + ticks * TICK))

    def _settled(self) -> int:
        """The cash of the contracts that expired, at the price of the moment of their line."""
        traded, future = by_hand.net(self.books.rows.own_trades), self._future()
        return sum(
            traded[by_hand.thing(line)] * to_units(self.floor.market.price(future, from_ms(line["at"])))
            for line in self.books.rows.expiries
        )

    def _future(self) -> Instrument:
        found = self.floor.instruments.find(FUTURE.exchange, FUTURE.symbol)
        assert found is not None
        return found

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


def _closing(row: Row) -> OrderRequest:
    return OrderRequest(
        symbol=row["symbol"],
        exchange=Exchange(row["exchange"]),
        action=Action.SELL if row["quantity"] > 0 else Action.BUY,
        quantity=abs(row["quantity"]),
        product=Product(row["product"]),
    )


def _of(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )


TestPaperMachine = PaperMachine.TestCase
TestPaperMachine.settings = _of(15, 20)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_long_campaign_in_which_everything_happened() -> None:
    PaperMachine.seen.clear()
    run_state_machine_as_test(PaperMachine, settings=_of(300, 50))
    happened = set(PaperMachine.seen)
    assert happened >= {f"ledger: {kind}" for kind in LedgerKind if kind is not LedgerKind.CARRIED}
    assert happened >= {f"order: {status}" for status in OrderStatus}
    assert happened >= {f"GTT: {state}" for state in GttState}
    assert happened >= {"cause: GTT", "cause: square-off"}
