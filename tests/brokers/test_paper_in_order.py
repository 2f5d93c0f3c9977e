"""What rests and what waits is filled and fired in the order in which the price reached it, whoever looked, and when.

It is Friday, 09:30; SBIN and everything else stand at 1000.00 until a test moves them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.errors import Rejected, StorageError
from openalgo_bridge.model.books import Extremes, OrderStatus
from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import GttLeg, PriceType, Product
from openalgo_bridge.model.paper_settings import PaperSettings
from openalgo_bridge.store.paper_settings import SavedPaperSettings
from openalgo_bridge.store.paperbook import OpenPaperBook
from tests.brokers.desk import Floor
from tests.brokers.standing import StandingMarket
from tests.brokers.test_paper_gtts import BUY, SELL, STOP, TARGET, cancel, kept, modify, place
from tests.brokers.week_off import FRIDAY, at, floor_on_friday

NINE_THIRTY, ELEVEN = at(FRIDAY, 9, 30), at(FRIDAY, 11)
A_FALL_AND_A_RISE = ((at(FRIDAY, 10, 5), 940), (at(FRIDAY, 10, 20), 1100), (at(FRIDAY, 10, 30), 1000))


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    with floor_on_friday(tmp_path) as floor:
        yield floor


def leg(trigger: int, price: int, like: GttLeg = STOP) -> tuple[GttLeg]:
    return (replace(like, trigger_price=Decimal(trigger), price=Decimal(price)),)


def the_market_goes(floor: Floor, *steps: tuple[datetime, int], until: datetime = ELEVEN) -> None:
    """And nobody looks."""
    for moment, last in steps:
        floor.clock.moment = moment
        floor.market.last = Decimal(last)
    floor.clock.moment = until


def traded(floor: Floor) -> list[tuple[str, int, datetime]]:
    """Side, quantity and moment of each trade, in the order in which they were entered."""
    return [(each.action, each.quantity, each.traded_at) for each in reversed(floor.exchange.trade_book())]


def test_what_rests_is_bought_before_a_gtt_that_was_reached_later_sells_it(floor: Floor) -> None:
    floor.buy(10, Product.CNC, limit="950.00")
    target = place(floor, replace(SELL, legs=leg(1100, 1100, TARGET)))
    the_market_goes(floor, *A_FALL_AND_A_RISE)
    assert kept(floor, target).state is GttState.TRIGGERED
    assert traded(floor) == [("BUY", 10, at(FRIDAY, 10, 5)), ("SELL", 10, at(FRIDAY, 10, 20, 1))]


def test_of_two_gtts_the_one_that_was_reached_first_fires_first(floor: Floor) -> None:
    place(floor, replace(BUY, legs=leg(950, 960)))
    later = place(floor, replace(SELL, legs=leg(1100, 1090, TARGET)))
    the_market_goes(floor, *A_FALL_AND_A_RISE)
    assert (kept(floor, later).state, kept(floor, later).reason) == (GttState.TRIGGERED, "")
    assert traded(floor) == [("BUY", 10, at(FRIDAY, 10, 5)), ("SELL", 10, at(FRIDAY, 10, 20))]


def test_of_two_gtts_that_one_second_reached_the_older_fires_first(floor: Floor) -> None:
    place(floor, replace(BUY, legs=leg(950, 960)))
    newer = place(floor, replace(SELL, price_type=PriceType.MARKET, legs=leg(940, 0)))
    the_market_goes(floor, (at(FRIDAY, 10, 5), 930))
    assert kept(floor, newer).reason == ""
    assert [side for side, *_ in traded(floor)] == ["BUY", "SELL"]


def test_what_one_second_reached_fills_before_the_gtt_that_it_reached(floor: Floor) -> None:
    floor.buy(10, Product.CNC, limit="950.00")
    stop = place(floor, replace(SELL, price_type=PriceType.MARKET, legs=leg(940, 0)))
    the_market_goes(floor, (at(FRIDAY, 10, 5), 930))
    assert (kept(floor, stop).state, kept(floor, stop).reason) == (GttState.TRIGGERED, "")


def test_it_is_so_within_one_round_of_the_timer_when_somebody_looks_before_it(floor: Floor) -> None:
    floor.exchange.tend()
    floor.buy(10, Product.CNC, limit="950.00")
    stop = place(floor, replace(SELL, price_type=PriceType.MARKET, legs=leg(940, 0)))
    the_market_goes(
        floor,
        (at(FRIDAY, 9, 30, 1), 950),
        (at(FRIDAY, 9, 30, 3), 939),
        (at(FRIDAY, 9, 30, 4), 1000),
        until=at(FRIDAY, 9, 30, 4),
    )
    floor.exchange.order_book()
    assert (kept(floor, stop).state, kept(floor, stop).reason) == (GttState.TRIGGERED, "")
    assert [moment.second for *_, moment in traded(floor)] == [1, 3]


def test_an_order_that_a_gtt_placed_unseen_fills_as_the_price_comes_to_it_unseen(floor: Floor) -> None:
    place(floor, replace(BUY, legs=leg(950, 940)))
    the_market_goes(floor, (at(FRIDAY, 10, 5), 950), (at(FRIDAY, 10, 20), 930), (at(FRIDAY, 10, 30), 1000))
    floor.exchange.tend()
    assert traded(floor) == [("BUY", 10, at(FRIDAY, 10, 20))]


def test_the_timer_fires_the_gtt_of_an_account_that_never_had_an_order(floor: Floor) -> None:
    number = place(floor, replace(BUY, legs=leg(950, 940)))
    the_market_goes(floor, (at(FRIDAY, 10, 5), 950), until=at(FRIDAY, 10, 6))
    floor.exchange.tend()
    the_market_goes(floor, (at(FRIDAY, 10, 20), 930), (at(FRIDAY, 10, 30), 1000))
    floor.exchange.tend()
    the_market_goes(floor, until=at(FRIDAY, 16))
    assert kept(floor, number).changed_at == at(FRIDAY, 10, 5)
    assert traded(floor) == [("BUY", 10, at(FRIDAY, 10, 20))]


# -- a clock that is set back ------------------------------------------------------------------------------


def the_clock_is_set_back_to(floor: Floor, moment: datetime) -> None:
    """And the market is there what it was."""
    floor.clock.moment = moment
    floor.market.forget_after(moment)


def test_a_gtt_watches_on_when_the_clock_is_set_back(floor: Floor) -> None:
    the_market_goes(floor, until=at(FRIDAY, 12))
    floor.buy(10, Product.CNC)
    number = place(floor, replace(SELL, price_type=PriceType.MARKET, legs=leg(950, 0)))
    floor.exchange.tend()
    the_clock_is_set_back_to(floor, ELEVEN)
    floor.exchange.tend()
    assert kept(floor, number).state is GttState.ACTIVE
    the_market_goes(floor, (at(FRIDAY, 11, 5), 900), until=at(FRIDAY, 11, 6))
    floor.exchange.tend()
    assert kept(floor, number).state is GttState.TRIGGERED
    assert floor.position(Product.CNC).quantity == 0


def test_what_rests_fills_by_the_timer_when_the_clock_is_set_back(floor: Floor) -> None:
    the_market_goes(floor, until=at(FRIDAY, 12))
    resting = floor.buy(10, limit="950.00")
    floor.exchange.tend()
    the_clock_is_set_back_to(floor, ELEVEN)
    the_market_goes(floor, (at(FRIDAY, 11, 5), 900), until=at(FRIDAY, 11, 6))
    floor.exchange.tend()
    the_market_goes(floor, (at(FRIDAY, 11, 7), 1000), until=at(FRIDAY, 11, 8))
    assert floor.order(resting).status is OrderStatus.COMPLETE


def test_a_gtt_that_is_changed_while_the_clock_is_set_back_goes_by_its_new_terms(floor: Floor) -> None:
    the_market_goes(floor, until=at(FRIDAY, 12))
    number = place(floor, replace(BUY, legs=leg(950, 940)))
    the_clock_is_set_back_to(floor, ELEVEN)
    modify(floor, number, replace(BUY, legs=leg(920, 910)))
    the_market_goes(floor, (at(FRIDAY, 11, 5), 940), until=at(FRIDAY, 11, 6))
    assert kept(floor, number).state is GttState.ACTIVE
    the_market_goes(floor, (at(FRIDAY, 11, 7), 920), until=at(FRIDAY, 11, 8))
    assert kept(floor, number).changed_at == at(FRIDAY, 11, 7)


# -- an order that never fills whole -------------------------------------------------------------------------


def test_an_order_that_fills_in_thousands_of_parts_leaves_the_others_their_turn(floor: Floor) -> None:
    floor.settings = PaperSettings(protects_market_orders=True)
    floor.market.shown = ((Decimal("0.05"), 1),)
    floor.buy(20_000)
    resting = floor.buy(10, Product.CNC, limit="990.00")
    the_market_goes(floor, (at(FRIDAY, 14), 985), (at(FRIDAY, 14, 10), 1002), until=at(FRIDAY, 15))
    floor.exchange.tend()
    assert floor.order(resting).status is OrderStatus.COMPLETE


def test_of_very_much_a_look_does_a_share_and_skips_nothing(floor: Floor) -> None:
    floor.settings = PaperSettings(protects_market_orders=True)
    floor.market.shown = ((Decimal("0.05"), 1),)
    floor.buy(600)
    resting = floor.buy(10, Product.CNC, limit="990.00")
    the_market_goes(floor, (at(FRIDAY, 9, 38), 985), until=at(FRIDAY, 9, 45))
    floor.exchange.order_book()
    assert 1 < floor.rows("paper_trade") < 400, "the rest is for the next ones"
    assert floor.book.resting()[-1].filled_quantity == 0, "the price of now comes after those of before"
    floor.exchange.tend()
    assert [moment for side, quantity, moment in traded(floor) if quantity == 10] == [at(FRIDAY, 9, 38)]
    assert [moment for side, quantity, moment in traded(floor) if quantity == 1] == [
        at(FRIDAY, 9, 30) + timedelta(seconds=second) for second in range(600)
    ]
    assert floor.order(resting).status is OrderStatus.COMPLETE


# -- a cancel ------------------------------------------------------------------------------------------------


def test_a_cancel_comes_too_late_for_what_the_price_reached_unseen(floor: Floor) -> None:
    resting = floor.buy(10, Product.CNC, limit="950.00")
    the_market_goes(floor, *A_FALL_AND_A_RISE)
    with pytest.raises(Rejected, match="Cannot cancel order in complete status"):
        floor.cancel(resting)
    assert traded(floor) == [("BUY", 10, at(FRIDAY, 10, 5))]


def test_a_cancel_is_done_though_what_the_exchange_goes_by_cannot_be_read(floor: Floor) -> None:
    resting, waits = floor.buy(10, Product.CNC, limit="950.00"), place(floor, BUY)
    floor.db.write("INSERT INTO paper_setting VALUES ('hours', 'sometimes')")
    floor.start_anew(settings=SavedPaperSettings(floor.db, floor.clock).load)
    with pytest.raises(StorageError):
        floor.exchange.order_book()
    floor.cancel(resting)
    cancel(floor, waits)
    assert (floor.book.resting(), floor.book.gtts.active()) == ([], [])


def test_a_cancel_is_done_while_another_thread_catches_up(floor: Floor) -> None:
    resting, waits = floor.buy(10, Product.CNC, limit="950.00"), place(floor, BUY)
    the_market_goes(floor, until=ELEVEN)
    has_begun, may_end = threading.Event(), threading.Event()

    def extremes(instrument: Instrument, since: datetime, until: datetime) -> Extremes:
        has_begun.set()
        may_end.wait()
        return StandingMarket.extremes(floor.market, instrument, since, until)

    floor.market.extremes = extremes  # type: ignore[method-assign]
    timer = threading.Thread(target=floor.exchange.tend)
    timer.start()
    has_begun.wait()
    try:
        floor.cancel(resting)
        cancel(floor, waits)
        assert (floor.book.resting(), floor.book.gtts.active()) == ([], [])
    finally:
        may_end.set()
        timer.join()


# -- what another thread or a fault comes between -------------------------------------------------------------


def test_a_gtt_whose_firing_could_not_be_written_fires_at_the_next_look(floor: Floor) -> None:
    number = place(floor, replace(BUY, legs=leg(950, 960)))
    the_market_goes(floor, (at(FRIDAY, 10, 5), 949), (at(FRIDAY, 10, 5, 1), 1000), until=at(FRIDAY, 10, 5, 2))
    floor.db.write("CREATE TEMP TRIGGER full BEFORE INSERT ON paper_order BEGIN SELECT RAISE(FAIL, 'disk full'); END")
    with pytest.raises(StorageError):
        floor.exchange.tend()
    floor.db.write("DROP TRIGGER full")
    the_market_goes(floor, until=at(FRIDAY, 10, 6))
    floor.exchange.tend()
    assert kept(floor, number).state is GttState.TRIGGERED
    assert traded(floor) == [("BUY", 10, at(FRIDAY, 10, 5))]


def test_a_change_of_a_gtt_counts_from_when_it_came_though_a_page_looks_before_it_is_written(floor: Floor) -> None:
    number = place(floor, replace(BUY, legs=leg(900, 910)))
    the_market_goes(floor, (at(FRIDAY, 10, 0, 12), 949), (at(FRIDAY, 10, 0, 13), 1000), until=at(FRIDAY, 10, 0, 10))
    floor.exchange.tend()
    transaction = floor.book.transaction

    def after_a_page_of_another_thread() -> AbstractContextManager[OpenPaperBook]:
        floor.book.transaction = transaction  # type: ignore[method-assign]
        floor.clock.moment = at(FRIDAY, 10, 0, 14)
        floor.exchange.gtt_book()
        return transaction()

    floor.book.transaction = after_a_page_of_another_thread  # type: ignore[assignment, method-assign]
    modify(floor, number, replace(BUY, legs=leg(950, 960)))
    the_market_goes(floor, until=at(FRIDAY, 10, 5))
    floor.exchange.tend()
    assert traded(floor) == [("BUY", 10, at(FRIDAY, 10, 0, 12))]
