"""An order that came just before the exchange did something by the clock, and is written only after that.

It is Friday; SBIN and everything else stand at 1000.00. What overtakes is done while the order asks for its price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.books import OrderStatus, Quote
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Action, Product
from openalgo_bridge.model.paper_settings import PaperHours, PaperSettings
from tests.brokers.desk import Floor, order
from tests.brokers.standing import StandingMarket
from tests.brokers.week_off import FRIDAY, at, floor_on_friday

SATURDAY = FRIDAY + timedelta(days=1)
A_MOMENT = timedelta(milliseconds=100)


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    with floor_on_friday(tmp_path) as floor:
        yield floor


def meanwhile(floor: Floor, act: Callable[[], object]) -> None:
    """The next time that somebody asks for a price, before it is told: as another thread would."""

    def told(instrument: Instrument, now: datetime) -> Quote:
        del floor.market.quote  # type: ignore[method-assign]
        act()
        return StandingMarket.quote(floor.market, instrument, now)

    floor.market.quote = told  # type: ignore[method-assign]


def the_timer_comes_at(floor: Floor, moment: datetime) -> Callable[[], object]:
    def come() -> None:
        floor.clock.moment = moment
        floor.exchange.tend()

    return come


def just_before(floor: Floor, moment: datetime) -> None:
    """And somebody looked, so that nothing is to be caught up."""
    floor.clock.moment = moment - A_MOMENT
    floor.exchange.tend()


def test_an_intraday_order_does_not_escape_the_square_off_that_overtakes_it(floor: Floor) -> None:
    floor.settings = PaperSettings(hours=PaperHours.EXCHANGE)
    floor.buy(1)
    just_before(floor, at(FRIDAY, 15, 10))
    meanwhile(floor, the_timer_comes_at(floor, at(FRIDAY, 15, 10, 1)))
    with pytest.raises(Rejected, match="Intraday positions on NSE were closed at 15:10 IST"):
        floor.buy(10)
    assert floor.position().quantity == 0


def test_around_the_clock_it_is_an_order_of_after_the_square_off(floor: Floor) -> None:
    floor.buy(1)
    just_before(floor, at(FRIDAY, 15, 10))
    meanwhile(floor, the_timer_comes_at(floor, at(FRIDAY, 15, 10, 1)))
    late = floor.buy(10)
    assert (floor.order(late).placed_at, floor.position().quantity) == (at(FRIDAY, 15, 10, 1), 10)
    floor.clock.moment = at(SATURDAY, 4)
    assert list(floor.exchange.positions()) == []


def test_what_would_rest_does_not_outlive_the_close_that_overtakes_it(floor: Floor) -> None:
    floor.settings = PaperSettings(hours=PaperHours.EXCHANGE)
    floor.buy(1, Product.CNC, limit="900.00")
    just_before(floor, at(FRIDAY, 15, 30))
    meanwhile(floor, the_timer_comes_at(floor, at(FRIDAY, 15, 30, 1)))
    with pytest.raises(Rejected, match="NSE is closed"):
        floor.buy(10, Product.CNC, limit="950.00")
    assert floor.book.resting() == []


def test_a_change_is_decided_anew_too(floor: Floor) -> None:
    """The order was withdrawn by the square-off: there is nothing left to change."""
    floor.buy(1)
    resting = floor.buy(10, limit="950.00")
    just_before(floor, at(FRIDAY, 15, 10))
    meanwhile(floor, the_timer_comes_at(floor, at(FRIDAY, 15, 10, 1)))
    with pytest.raises(Rejected, match="Cannot modify order in cancelled status"):
        floor.modify(resting, order(Action.BUY, 10, limit="1010.00"))
    assert floor.position().quantity == 0


def test_a_change_of_what_the_square_off_left_goes_by_the_prices_of_after_it(floor: Floor) -> None:
    floor.buy(1)
    resting = floor.buy(10, Product.CNC, limit="950.00")
    just_before(floor, at(FRIDAY, 15, 10))
    meanwhile(floor, the_timer_comes_at(floor, at(FRIDAY, 15, 10, 1)))
    floor.modify(resting, order(Action.BUY, 10, Product.CNC, limit="1010.00"))
    assert floor.exchange.trade_book()[0].traded_at == at(FRIDAY, 15, 10, 1)


def test_its_price_is_that_of_the_moment_in_which_it_counts(floor: Floor) -> None:
    def the_price_moves_as_the_timer_comes() -> None:
        the_timer_comes_at(floor, at(FRIDAY, 15, 10, 1))()
        floor.market.last = Decimal(1010)

    floor.buy(1)
    just_before(floor, at(FRIDAY, 15, 10))
    meanwhile(floor, the_price_moves_as_the_timer_comes)
    assert floor.order(floor.buy(10)).average_price == Decimal("1010.05")


def test_where_the_clock_is_behind_what_was_done_an_order_is_taken_all_the_same(floor: Floor) -> None:
    floor.buy(1)
    floor.clock.moment = at(FRIDAY, 15, 11)
    floor.exchange.tend()
    floor.clock.moment = at(FRIDAY, 14)
    late = floor.buy(10)
    assert (floor.order(late).placed_at, floor.order(late).status) == (at(FRIDAY, 14), OrderStatus.COMPLETE)
    floor.modify(floor.buy(10, limit="900.00"), order(Action.BUY, 10, limit="1001.00"))
    assert floor.position().quantity == 20


def test_an_order_that_is_overtaken_is_written_once(floor: Floor) -> None:
    floor.buy(1)
    just_before(floor, at(FRIDAY, 15, 10))
    meanwhile(floor, the_timer_comes_at(floor, at(FRIDAY, 15, 10, 1)))
    floor.buy(10)
    assert [row["quantity"] for row in floor.db.read("SELECT quantity FROM paper_order WHERE cause = ''")] == [1, 10]


def test_a_change_of_another_order_overtakes_nobody(floor: Floor) -> None:
    resting, came = floor.buy(1, limit="900.00"), at(FRIDAY, 9, 30)

    def another_changes_his() -> None:
        floor.clock.move(seconds=0.3)
        floor.modify(resting, order(Action.BUY, 2, limit="901.00"))

    meanwhile(floor, another_changes_his)
    bought = floor.buy(10)
    assert floor.order(bought).placed_at == came
    assert floor.order(resting).request.quantity == 2
