"""Orders that wait at the paper exchange for their price over days. SBIN stands at 1000.00, tick 0.05."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.clock import IST
from openalgo_bridge.errors import NotFound, Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.gtt import BrokerGtt, GttState
from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelGttRequest,
    Exchange,
    GttRequest,
    ModifyGttRequest,
    PriceType,
    Product,
    Ref,
)
from openalgo_bridge.model.paper import LedgerKind, to_units
from openalgo_bridge.model.paper_settings import PaperHours, PaperSettings
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.store.paper_capital import PaperCapital
from openalgo_bridge.store.paper_ledger import PaperLedger
from tests import gtt_requests
from tests.brokers.desk import Floor, opened
from tests.conftest import TRADER
from tests.fakes import in_threads
from tests.gtt_requests import STOP
from tests.store import listing
from tests.store.listing import DECEMBER, contract

TARGET = replace(gtt_requests.TARGET, trigger_price=Decimal(1100), price=Decimal(1110))
SELL = replace(gtt_requests.SELL, symbol="SBIN")
BUY = replace(SELL, action=Action.BUY)
OCO = replace(SELL, legs=(STOP, TARGET))
"""Sells what is held when it falls to 900, or rises to 1100."""


def place(floor: Floor, asked: GttRequest, ref: str | None = None) -> BrokerOrderId:
    return floor.exchange.place_gtt(SendPermit(order_id=1, ref=Ref(ref) if ref else floor.ref(), request=asked))


def modify(floor: Floor, number: BrokerOrderId, becomes: GttRequest) -> None:
    request = ModifyGttRequest(trigger_id=number, gtt=becomes)
    floor.exchange.modify_gtt(SendPermit(order_id=1, ref=floor.ref(), request=request))


def cancel(floor: Floor, number: BrokerOrderId) -> None:
    request = CancelGttRequest(trigger_id=number)
    floor.exchange.cancel_gtt(SendPermit(order_id=1, ref=floor.ref(), request=request))


def kept(floor: Floor, number: BrokerOrderId) -> BrokerGtt:
    found = floor.exchange.gtt(number)
    assert found is not None
    return found


def market_comes_to(floor: Floor, price: str) -> None:
    floor.clock.move(seconds=1)
    floor.market.last = Decimal(price)


def test_it_waits_and_is_told_whole(floor: Floor) -> None:
    number = place(floor, OCO, "MINE")
    assert number == "GTT-261121-00000001"
    (waits,) = floor.exchange.gtt_book()
    assert (waits.id, waits.tag, waits.state) == (number, "MINE", GttState.ACTIVE)
    assert waits.request == OCO
    assert waits.last_price == Decimal(1000)
    assert waits.expires_at == floor.clock.now() + timedelta(days=365)
    assert floor.exchange.find_gtt(Ref("MINE")) == waits
    assert floor.exchange.order_book() == []


@pytest.mark.parametrize("reached", ["900.00", "880.00"])
def test_a_fall_to_its_trigger_places_its_order(floor: Floor, reached: str) -> None:
    number = place(floor, BUY)
    market_comes_to(floor, "900.05")
    assert kept(floor, number).state is GttState.ACTIVE
    market_comes_to(floor, reached)
    fired = kept(floor, number)
    assert fired.state is GttState.TRIGGERED
    (order,) = floor.exchange.order_book()
    assert (order.id, order.tag) == (fired.fired, "")
    assert (order.request.price, order.request.quantity) == (Decimal(890), 10)
    assert floor.exchange.gtt_book() == []


def test_a_limit_behind_its_trigger_rests_and_fills_later(floor: Floor) -> None:
    number = place(floor, BUY)
    market_comes_to(floor, "900")
    fired = kept(floor, number).fired
    assert fired is not None
    assert floor.order(fired).status is OrderStatus.OPEN
    market_comes_to(floor, "885")
    assert floor.order(fired).status is OrderStatus.COMPLETE


def test_at_market_it_fills_as_it_fires(floor: Floor) -> None:
    rises = replace(BUY, price_type=PriceType.MARKET, legs=(replace(TARGET, price=Decimal(0)),))
    number = place(floor, rises)
    market_comes_to(floor, "1100")
    fired = kept(floor, number).fired
    assert fired is not None
    assert floor.order(fired).average_price == Decimal("1100.05")


@pytest.mark.parametrize(("price", "limit"), [("899.00", 890), ("1150.00", 1110)])
def test_of_two_triggers_the_first_reached_ends_the_other(floor: Floor, price: str, limit: int) -> None:
    floor.buy(product=Product.CNC)
    number = place(floor, OCO)
    market_comes_to(floor, price)
    fired = kept(floor, number)
    assert fired.state is GttState.TRIGGERED
    for other in ("1150.00", "899.00", "1000.00"):
        market_comes_to(floor, other)
        floor.exchange.funds()
    gtt_orders = [each for each in floor.exchange.order_book() if not each.tag]
    assert [each.request.price for each in gtt_orders] == [Decimal(limit)]


def test_eight_threads_that_look_at_once_fire_it_once(floor: Floor) -> None:
    for round_ in range(5):
        floor.market.last = Decimal(1000)
        place(floor, replace(BUY, quantity=round_ + 1))
        market_comes_to(floor, "895")
        in_threads(8, floor.exchange.funds)
        floor.clock.move(seconds=1)
    assert [each.request.quantity for each in floor.exchange.order_book()] == [5, 4, 3, 2, 1]


def test_it_is_fired_or_cancelled_never_both(floor: Floor) -> None:
    for _ in range(5):
        floor.market.last = Decimal(1000)
        number = place(floor, BUY)
        before = len(floor.exchange.order_book())
        market_comes_to(floor, "895")

        def act(number: BrokerOrderId = number) -> object:
            try:
                return cancel(floor, number)
            except NotFound as refusal:
                return refusal

        outcomes = in_threads(8, act)
        fired = len(floor.exchange.order_book()) - before
        assert fired + sum(each is None for each in outcomes) == 1
        floor.clock.move(seconds=1)


def test_it_survives_a_restart_and_fires_by_the_prices_since(tmp_path: Path) -> None:
    with opened(tmp_path) as floor:
        number = place(floor, BUY)
        at = floor.clock.now()
    with opened(tmp_path) as again:
        again.clock.moment = at
        market_comes_to(again, "900")
        assert kept(again, number).state is GttState.TRIGGERED
        assert len(again.exchange.order_book()) == 1
    with opened(tmp_path) as third:
        third.clock.moment = at + timedelta(seconds=5)
        third.market.last = Decimal(900)
        assert kept(third, number).state is GttState.TRIGGERED
        assert len(third.exchange.order_book()) == 1


def test_a_refused_order_ends_it_with_the_reason(floor: Floor) -> None:
    number = place(floor, SELL)
    market_comes_to(floor, "900")
    ended = kept(floor, number)
    assert ended.state is GttState.REJECTED
    assert "Insufficient shares" in ended.reason
    assert ended.fired is not None
    assert floor.order(ended.fired).status is OrderStatus.REJECTED
    assert floor.exchange.gtt_book() == []


def test_it_sets_aside_what_the_larger_leg_would_block_and_gives_it_back_once(floor: Floor) -> None:
    before = floor.exchange.funds()
    two = replace(BUY, legs=(STOP, TARGET))
    number = place(floor, two)
    assert floor.exchange.funds().used == Decimal(1110) * 10
    assert kept(floor, number).blocked == Decimal(11_100)
    modify(floor, number, replace(two, quantity=5))
    assert floor.exchange.funds().used == Decimal(1110) * 5
    cancel(floor, number)
    after = floor.exchange.funds()
    assert (after.used, after.available) == (before.used, before.available)


def test_its_own_money_pays_for_its_order(floor: Floor) -> None:
    """All there is waits for it: the order that it places needs the very same money."""
    all_of_it = int(floor.exchange.funds().available / Decimal(890))
    number = place(floor, replace(BUY, quantity=all_of_it))
    with pytest.raises(Rejected, match="Insufficient funds"):
        place(floor, BUY)
    market_comes_to(floor, "900")
    fired = kept(floor, number)
    assert (fired.state, fired.reason) == (GttState.TRIGGERED, "")
    assert floor.exchange.funds().used == Decimal(890) * all_of_it


def test_a_sale_of_what_is_held_needs_no_money(floor: Floor) -> None:
    place(floor, OCO)
    assert floor.exchange.funds().used == 0


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (replace(BUY, symbol="NOSUCH"), "Symbol NOSUCH not found on NSE"),
        (replace(BUY, product=Product.NRML), "NRML product not allowed for NSE equity segment"),
        (replace(BUY, quantity=100_000_000), "above the freeze quantity"),
        (replace(BUY, quantity=200_000_000), "out of range"),
        (replace(BUY, legs=(replace(STOP, price=Decimal("890.01")),)), "not a multiple of the tick size 0.05"),
        (replace(BUY, legs=(replace(STOP, trigger_price=Decimal("900.01")),)), "not a multiple of the tick size"),
        (replace(BUY, legs=(replace(STOP, trigger_price=Decimal(1000)),)), "reached already"),
        (replace(BUY, legs=(replace(TARGET, trigger_price=Decimal(999)),)), "reached already"),
    ],
)
def test_a_refusal_has_a_sentence_and_leaves_nothing(floor: Floor, asked: GttRequest, sentence: str) -> None:
    with pytest.raises(Rejected, match=sentence):
        place(floor, asked, "REFUSED")
    assert floor.exchange.find_gtt(Ref("REFUSED")) is None
    assert floor.exchange.funds().used == 0


def test_short_by_one_paisa_is_refused_and_enough_is_taken(floor: Floor) -> None:
    floor.buy(quantity=1, product=Product.CNC)
    available = floor.exchange.funds().available
    quantity = int(available // Decimal(890))
    place(floor, replace(BUY, quantity=quantity))
    left = floor.exchange.funds().available
    assert 0 <= left < 890
    with pytest.raises(Rejected, match="Insufficient funds"):
        place(floor, replace(BUY, quantity=1))


def test_a_reference_is_taken_once(floor: Floor) -> None:
    place(floor, BUY, "TWICE")
    with pytest.raises(Rejected, match="already used"):
        place(floor, BUY, "TWICE")
    assert len(floor.exchange.gtt_book()) == 1


def test_a_change_replaces_its_prices_and_what_it_is_stays(floor: Floor) -> None:
    number = place(floor, BUY)
    becomes = replace(BUY, quantity=7, legs=(replace(STOP, trigger_price=Decimal(950), price=Decimal(945)),))
    modify(floor, number, becomes)
    assert kept(floor, number).request == becomes
    market_comes_to(floor, "950")
    assert kept(floor, number).state is GttState.TRIGGERED


def test_the_price_of_before_a_change_does_not_fire_what_it_became(floor: Floor) -> None:
    market = floor.market
    market.last = Decimal(960)
    number = place(floor, BUY)
    market_comes_to(floor, "1000")
    modify(floor, number, replace(BUY, legs=(replace(STOP, trigger_price=Decimal(970)),)))
    floor.clock.move(seconds=30)
    assert kept(floor, number).state is GttState.ACTIVE


@pytest.mark.parametrize(
    "becomes",
    [SELL, replace(BUY, legs=(TARGET,)), replace(BUY, legs=(STOP, TARGET)), replace(BUY, symbol="INFY")],
)
def test_a_change_into_another_one_is_refused(floor: Floor, becomes: GttRequest) -> None:
    number = place(floor, BUY)
    with pytest.raises(Rejected, match="cannot be changed"):
        modify(floor, number, becomes)
    assert kept(floor, number).request == BUY


@pytest.mark.parametrize("wanted", ["GTT-261121-00000009", "GTT-261120-00000001", "26112100000001", "1"])
def test_an_unknown_one_can_be_neither_changed_nor_withdrawn(floor: Floor, wanted: str) -> None:
    place(floor, BUY)
    with pytest.raises(NotFound, match=f"No active GTT with trigger_id '{wanted}'"):
        cancel(floor, BrokerOrderId(wanted))
    with pytest.raises(NotFound):
        modify(floor, BrokerOrderId(wanted), BUY)
    assert floor.exchange.gtt(BrokerOrderId(wanted)) is None


def test_what_ended_stays_ended(floor: Floor) -> None:
    number = place(floor, BUY)
    cancel(floor, number)
    with pytest.raises(NotFound):
        cancel(floor, number)
    with pytest.raises(NotFound):
        modify(floor, number, BUY)
    market_comes_to(floor, "880")
    assert (kept(floor, number).state, floor.exchange.order_book()) == (GttState.CANCELLED, [])


def test_it_ends_unused_after_a_year_or_when_it_was_told_to(floor: Floor) -> None:
    year = place(floor, BUY)
    month = place(floor, replace(BUY, expires_at=floor.clock.now() + timedelta(days=30)))
    floor.clock.move(days=30)
    assert [each.id for each in floor.exchange.gtt_book()] == [year]
    assert kept(floor, month).state is GttState.EXPIRED
    floor.clock.move(days=335)
    assert kept(floor, year).state is GttState.EXPIRED
    assert floor.exchange.funds().used == 0
    market_comes_to(floor, "880")
    assert floor.exchange.order_book() == []


def test_a_price_that_came_and_went_unseen_fires_it_at_its_second(floor: Floor) -> None:
    number = place(floor, BUY)
    market_comes_to(floor, "880")
    at = floor.clock.now()
    market_comes_to(floor, "1000")
    floor.clock.move(hours=1)
    fired = kept(floor, number)
    assert (fired.state, fired.changed_at) == (GttState.TRIGGERED, at)
    assert fired.fired is not None
    order = floor.order(fired.fired)
    assert (order.placed_at, order.status, order.average_price) == (at, OrderStatus.COMPLETE, Decimal("880.05"))


def test_one_on_a_contract_ends_with_it(floor: Floor, tmp_path: Path) -> None:
    with listing.opened(tmp_path) as listed:
        listed.take(contract("NIFTY", Kind.FUT, DECEMBER), accept_fewer=True)
    asked = replace(BUY, symbol="NIFTY29DEC26FUT", exchange=Exchange.NFO, quantity=65, product=Product.NRML)
    number = place(floor, asked)
    floor.clock.move(days=60)
    ended = kept(floor, number)
    assert (ended.state, ended.reason) == (GttState.EXPIRED, "Its price did not come before the contract expired.")
    assert floor.exchange.funds().used == 0


def test_beginning_anew_ends_what_waits(floor: Floor) -> None:
    number = place(floor, BUY)
    PaperCapital(floor.db, floor.book, floor.clock).reset(to_units(Decimal(100_000)), by=TRADER)
    ended = kept(floor, number)
    assert (ended.state, ended.blocked) == (GttState.CANCELLED, 0)
    assert floor.exchange.funds().used == 0


def test_every_move_of_its_money_is_a_line_of_the_ledger(floor: Floor) -> None:
    place(floor, replace(BUY, legs=(STOP, TARGET)))
    market_comes_to(floor, "895")
    floor.exchange.funds()
    newest, *_ = lines = PaperLedger(floor.db).lines(limit=3)
    assert [(each.kind, each.blocked) for each in lines] == [
        (LedgerKind.ORDER, to_units(Decimal(8_900))),
        (LedgerKind.GTT, -to_units(Decimal(11_100))),
        (LedgerKind.GTT, to_units(Decimal(11_100))),
    ]
    assert newest.after.blocked == to_units(Decimal(8_900))


def test_in_the_hours_of_the_exchange_a_price_of_the_night_counts_when_it_opens(floor: Floor) -> None:
    floor.settings = PaperSettings(hours=PaperHours.EXCHANGE)
    number = place(floor, BUY)  # on a Saturday: a GTT is taken at any time
    market_comes_to(floor, "880")
    assert kept(floor, number).state is GttState.ACTIVE
    floor.clock.moment = datetime(2026, 11, 23, 9, 15, tzinfo=IST)
    fired = kept(floor, number)
    assert (fired.state, fired.changed_at) == (GttState.TRIGGERED, floor.clock.now())


def test_what_fired_or_ended_since_a_moment_is_told_with_the_last_one_first(floor: Floor) -> None:
    before, waits, fires, goes = (place(floor, replace(BUY, quantity=each)) for each in (4, 1, 2, 3))
    cancel(floor, before)
    floor.clock.move(seconds=1)
    since = floor.clock.now()
    modify(floor, fires, replace(BUY, quantity=2, legs=(replace(STOP, trigger_price=Decimal(950)),)))
    market_comes_to(floor, "950")
    floor.exchange.order_book()
    floor.clock.move(seconds=1)
    cancel(floor, goes)
    told = [(each.id, each.state, each.fired is not None) for each in floor.exchange.ended_gtts(since)]
    assert told == [(goes, GttState.CANCELLED, False), (fires, GttState.TRIGGERED, True)]
    assert [each.id for each in floor.exchange.gtt_book()] == [waits]
