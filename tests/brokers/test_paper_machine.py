"""Anything a trader may do and anything time does, in any order; after each step the books are added up by hand from
the rows of trades and ledger alone, and compared with what the exchange says.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, time, timedelta
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

from openalgo_bridge.clock import IST, from_ms, to_ms
from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import (
    Action,
    CancelGttRequest,
    OrderRequest,
    PriceType,
    Product,
)
from openalgo_bridge.model.paper import LedgerKind, to_units
from openalgo_bridge.model.paper_settings import PaperHours, PaperSettings
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.paper_capital import PaperCapital
from tests.brokers import by_hand
from tests.brokers.by_hand import Rows, Terms
from tests.brokers.desk import SBIN, Floor
from tests.brokers.paper_inputs import (
    ASKED,
    CAPITALS,
    CRORE,
    DISTANCES,
    EXPIRED_AT,
    LAST_DAY,
    LOT,
    OFFSETS,
    PRICE_TYPES,
    SETTINGS,
    TICK,
    TIMES,
    UNSEEN,
    closing,
    gtt_at,
    request_at,
)
from tests.brokers.week_off import EXPIRY, FUTURE, floor_on_friday
from tests.conftest import TRADER


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
        self.history = [Terms(since=self.floor.clock.now(), settings=self.floor.settings)]
        self.latest = self.floor.clock.now()
        self.hours_of_step = {self.floor.settings.hours}
        self.before = self.books = self._look()

    def teardown(self) -> None:
        self.seen.update(f"ledger: {row['kind']}" for row in self.books.rows.ledger)
        self.seen.update(f"cause: {row['cause'].split()[0]}" for row in self.books.rows.orders if row["cause"])
        self.seen.update(f"GTT: {row['state']}" for row in self.books.rows.gtts)
        self._stack.close()

    @initialize(
        chosen=SETTINGS,
        begun=st.lists(ASKED, min_size=1, max_size=4),
        at=st.sampled_from(TIMES),
        days=st.integers(0, 9),
    )
    def the_trader_begins(self, chosen: PaperSettings, begun: list[OrderRequest], at: time, days: int) -> None:
        """On some day, with something that time may end."""
        self.the_settings_are_changed(chosen)
        for asked in begun:
            self.trade(asked)
        for _ in range(days):
            self.a_time_of_day_comes(at, [])

    # -- what a trader does ----------------------------------------------------------------------------

    @rule(asked=ASKED, price_type=PRICE_TYPES, trigger=OFFSETS, limit=OFFSETS)
    def place(self, asked: OrderRequest, price_type: PriceType, trigger: int, limit: int) -> None:
        request = request_at(self.floor.market.last, asked, price_type, trigger, limit)
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
        wanted = request_at(
            self.floor.market.last, replace(target.request, quantity=parts * LOT), price_type, trigger, limit
        )
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
        request = gtt_at(self.floor.market.last, asked, below, above, limit, sides)
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

    @rule(chosen=SETTINGS)
    def the_settings_are_changed(self, chosen: PaperSettings) -> None:
        """What was before is done by those of before."""
        self.floor.change_settings(chosen)
        self.hours_of_step.add(chosen.hours)
        self.history.append(Terms(since=self.latest, settings=chosen))
        self._look_again()

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
        chosen = self.floor.settings
        self.the_settings_are_changed(PaperSettings())
        for each in self.books.working:
            self.floor.cancel(each.id)
        for row in self.books.rows.waiting:
            (one,) = [each for each in self.floor.exchange.gtt_book() if each.tag == row["tag"]]
            request = CancelGttRequest(trigger_id=one.id)
            self.floor.exchange.cancel_gtt(SendPermit(order_id=1, ref=self.floor.ref(), request=request))
        for row in self.books.rows.open:
            if row["symbol"] != FUTURE.symbol or self.floor.clock.now() < EXPIRED_AT:
                self.floor.send(closing(row))
        self.the_settings_are_changed(chosen)
        if not self.books.rows.open:
            assert self.floor.exchange.funds().used == 0

    @rule()
    def the_bridge_is_started_anew(self) -> None:
        """On the same files; nothing that was done is done again, and nothing is forgotten."""
        self.floor.db.close()
        self.floor.db = Database(self._folder / "bridge.db", synchronous="NORMAL")
        self._stack.callback(self.floor.db.close)
        self.floor.start_anew()
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

    @precondition(lambda self: self._last_event() < self.floor.clock.now() - timedelta(minutes=3))
    @rule(minutes=st.integers(2, 240))
    def the_clock_is_set_back(self, minutes: int) -> None:
        """Behind nothing that was done at its time; the market is what it was then."""
        now = self.floor.clock.now()
        self.floor.clock.moment = max(now - timedelta(minutes=minutes), self._last_event() + timedelta(minutes=1))
        self.floor.market.forget_after(self.floor.clock.moment)
        self._look_again()

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

    @invariant()
    def what_happened_is_entered_in_the_order_of_time(self) -> None:
        trades = self.books.rows.trades[len(self.before.rows.trades) :]
        orders = self.books.rows.orders[len(self.before.rows.orders) :]
        assert [row["traded_at"] for row in trades] == sorted(row["traded_at"] for row in trades)
        assert [row["placed_at"] for row in orders] == sorted(row["placed_at"] for row in orders)

    @invariant()
    def nothing_rests_or_waits_at_its_price(self) -> None:
        """Where prices count around the clock."""
        if self.floor.settings.hours is PaperHours.EXCHANGE:
            return
        last, second = to_units(self.floor.market.last), self.floor.clock.now().replace(microsecond=0)
        assert [row for row in self.books.rows.working if by_hand.is_at_its_price(row, last, to_units(TICK))] == []
        seen = to_units(self.floor.market.price(self._future(), second))
        assert [row for row in self.books.rows.waiting if by_hand.is_at_its_trigger(row, seen, to_ms(second))] == []

    @invariant()
    def nothing_fills_outside_of_the_hours_that_count(self) -> None:
        if self.hours_of_step != {PaperHours.EXCHANGE}:
            return
        orders = {row["id"]: row for row in self.books.rows.orders}
        for trade in self.books.rows.trades[len(self.before.rows.trades) :]:
            order = orders[trade["order_id"]]
            assert order["cause"] == "square-off" or by_hand.is_open(order["exchange"], from_ms(trade["traded_at"]))

    @invariant()
    def z_the_next_step_begins_here(self) -> None:
        """The last one, by its name."""
        self.before = self.books
        self.hours_of_step = {self.floor.settings.hours}
        self.latest = max(self.latest, self.floor.clock.now())

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
                ended = to_ms(by_hand.last_square_off(row["exchange"], self.floor.clock.now(), self.history))
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

    def _last_event(self) -> datetime:
        """Of all that the clock brings, by any settings so far."""
        now = self.floor.clock.now()
        ends = [by_hand.last_end(by_hand.CLOSE[name], now) for name in by_hand.CLOSE]
        ends += [by_hand.last_square_off(name, now, self.history) for name in by_hand.SQUARE_OFF]
        return max([*ends, self.history[0].since, *([EXPIRED_AT] if now >= EXPIRED_AT else [])])

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
