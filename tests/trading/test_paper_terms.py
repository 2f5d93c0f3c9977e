"""What the trader changes for the paper exchange counts from then on, and is no judge of what was before.

It is Monday, 23 November 2026, and SBIN stands at 1000.00 until a test moves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.account.password import Argon2Cost
from openalgo_bridge.app import open_desk
from openalgo_bridge.clock import IST
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.calendar import SpecialDay
from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Exchange, Product, TradingMode
from openalgo_bridge.model.paper_settings import PaperHours, PaperSettings, SquareOffGroup
from openalgo_bridge.model.trading_hours import Hours
from openalgo_bridge.settings import Settings
from openalgo_bridge.trading import paper_terms
from tests.brokers.desk import Floor
from tests.brokers.standing import StandingMarket
from tests.brokers.test_paper_gtts import BUY, STOP, kept, place
from tests.conftest import TRADER, FixedClock

MONDAY = date(2026, 11, 23)
AT_TWO = PaperSettings(square_off=((SquareOffGroup.SHARES, time(14, 0)),))
SHORT_DAY = SpecialDay(
    day=MONDAY,
    exchange=Exchange.NSE,
    description="A short day",
    hours=Hours(opens=time(9, 15), closes=time(14, 0)),
)


def at(hour: int, minute: int = 0, day: date = MONDAY) -> datetime:
    return datetime.combine(day, time(hour, minute), IST)


@dataclass
class Bridge:
    """A whole desk, whose paper exchange has a standing market and the settings and the calendar of the files."""

    desk: Desk
    floor: Floor
    told: list[str] = field(default_factory=list)

    def comes_to(self, moment: datetime, last: int | None = None) -> None:
        """The timer, too."""
        self.floor.clock.moment = moment
        if last is not None:
            self.floor.market.last = Decimal(last)
        self.floor.exchange.tend()

    def change_settings(self, wanted: PaperSettings) -> None:
        saved = self.desk.store.paper_settings
        paper_terms.change(self.desk, lambda since: saved.save(wanted, by=TRADER, since=since), self.told.append)

    def change_calendar(self, special: SpecialDay) -> None:
        calendar = self.desk.store.calendar
        paper_terms.change(self.desk, lambda since: calendar.put([special], by=TRADER, since=since), self.told.append)

    def start_anew(self) -> None:
        self.floor.start_anew(self.desk.store.paper_settings.load, self.desk.store.calendar.load)
        self.desk.brokers[TradingMode.ANALYZE] = self.floor.exchange  # type: ignore[index]

    def trades(self) -> list[tuple[str, Decimal, datetime]]:
        return [(each.action, each.price, each.traded_at) for each in reversed(self.floor.exchange.trade_book())]


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Bridge]:
    clock = FixedClock()
    clock.moment = at(10)
    market = StandingMarket("1000", clock)
    desk = open_desk(Settings(db_dir=tmp_path), clock, Argon2Cost(memory_kib=64, iterations=1, lanes=1))
    floor = Floor(
        exchange=desk.brokers[TradingMode.ANALYZE],
        market=market,
        clock=clock,
        book=desk.store.paperbook,
        db=desk.store.files[0],
        instruments=desk.store.instruments,
    )
    bridge = Bridge(desk=replace(desk, brokers=dict(desk.brokers)), floor=floor)
    bridge.start_anew()
    yield bridge
    desk.close()


def test_a_time_that_has_passed_closes_nothing_at_a_price_of_before(bridge: Bridge) -> None:
    bridge.floor.buy(1)
    bridge.comes_to(at(14, 5), 800)
    bridge.comes_to(at(14, 10))
    bridge.floor.buy(100)
    bridge.comes_to(at(14, 20), 900)
    bridge.change_settings(AT_TWO)
    bridge.comes_to(at(14, 21))
    assert bridge.floor.position().quantity == 101
    assert bridge.floor.exchange.funds().realised == 0


def test_a_time_yet_to_come_counts_at_once(bridge: Bridge) -> None:
    """Also for whoever looks before the timer goes round."""
    bridge.floor.buy(1)
    bridge.comes_to(at(13, 59))
    bridge.change_settings(AT_TWO)
    bridge.floor.clock.moment = at(14)
    assert bridge.floor.position().quantity == 0


def test_what_was_due_by_the_settings_of_before_is_done_by_them(bridge: Bridge) -> None:
    bridge.change_settings(AT_TWO)
    bridge.floor.buy(1)
    resting = bridge.floor.buy(1, Product.CNC, limit="990.00")
    bridge.floor.clock.moment = at(13, 50)
    bridge.floor.market.last = Decimal(985)
    bridge.floor.clock.moment = at(14, 5)
    bridge.change_settings(PaperSettings())
    assert bridge.trades()[1:] == [("BUY", Decimal(990), at(13, 50)), ("SELL", Decimal("984.95"), at(14))]
    assert bridge.floor.order(resting).status is OrderStatus.COMPLETE


def test_a_bridge_that_ends_right_after_the_change_begins_with_it(bridge: Bridge) -> None:
    bridge.floor.buy(1)
    bridge.comes_to(at(14, 20), 900)
    saved = bridge.desk.store.paper_settings
    saved.save(AT_TWO, by=TRADER, since=bridge.floor.clock.now())
    bridge.start_anew()
    bridge.comes_to(at(14, 30))
    assert bridge.floor.position().quantity == 1


def test_a_day_that_is_made_shorter_closes_nothing_at_a_price_of_before(bridge: Bridge) -> None:
    bridge.floor.buy(1)
    resting = bridge.floor.buy(1, limit="820.00")
    bridge.comes_to(at(14, 5), 850)
    bridge.comes_to(at(14, 20))
    bridge.change_calendar(SHORT_DAY)
    bridge.start_anew()
    bridge.comes_to(at(14, 21))
    assert bridge.floor.position().quantity == 1
    assert bridge.floor.order(resting).status is OrderStatus.OPEN
    bridge.comes_to(at(9, day=date(2026, 11, 24)))
    assert bridge.floor.book.resting() == []
    assert bridge.floor.exchange.funds().used == 0


@pytest.mark.parametrize("is_started_anew", [False, True])
def test_a_gtt_does_not_fire_by_prices_that_did_not_count(bridge: Bridge, is_started_anew: bool) -> None:
    bridge.change_settings(PaperSettings(hours=PaperHours.EXCHANGE))
    number = place(bridge.floor, replace(BUY, legs=(replace(STOP, trigger_price=Decimal(950)),)))
    bridge.comes_to(at(22), 940)
    bridge.comes_to(at(23), 1000)
    bridge.comes_to(at(11, day=date(2026, 11, 25)))
    bridge.change_settings(PaperSettings())
    if is_started_anew:
        bridge.start_anew()
    bridge.comes_to(at(11, 5, day=date(2026, 11, 25)))
    assert kept(bridge.floor, number).state is GttState.ACTIVE


def test_settings_that_cannot_be_read_can_be_written_over(bridge: Bridge) -> None:
    bridge.floor.buy(1)
    bridge.floor.db.write("INSERT INTO paper_setting VALUES ('hours', 'sometimes')")
    bridge.floor.clock.moment = at(14, 20)
    with pytest.raises(StorageError):
        bridge.floor.exchange.tend()
    bridge.change_settings(AT_TWO)
    assert bridge.floor.position().quantity == 1
    bridge.comes_to(at(4, day=date(2026, 11, 24)))
    assert list(bridge.floor.exchange.positions()) == []


def test_a_position_is_no_business_of_what_falls_due_later_and_was_before_it(bridge: Bridge) -> None:
    """Even where nothing was left behind: the file of a calendar may be written by other hands."""
    bridge.floor.buy(1)
    bridge.comes_to(at(14, 10), 800)
    bridge.floor.buy(100)
    bridge.floor.db.write("INSERT INTO paper_setting VALUES ('square_off_shares', '14:00')")
    bridge.comes_to(at(14, 20), 900)
    assert bridge.floor.position().quantity == 101
    assert bridge.floor.exchange.funds().realised == 0


def test_a_gtt_is_not_fired_by_new_settings_for_the_time_in_which_none_could_be_read(bridge: Bridge) -> None:
    bridge.change_settings(PaperSettings(hours=PaperHours.EXCHANGE))
    number = place(bridge.floor, replace(BUY, legs=(replace(STOP, trigger_price=Decimal(950)),)))
    bridge.comes_to(at(21))
    bridge.floor.db.write("UPDATE paper_setting SET value = 'sometimes' WHERE name = 'hours'")
    for moment, last in ((at(21, 30), 940), (at(21, 40), 1000)):
        bridge.floor.clock.moment = moment
        bridge.floor.market.last = Decimal(last)
    bridge.floor.clock.moment = at(22)
    bridge.change_settings(PaperSettings())
    bridge.comes_to(at(22, 1))
    assert kept(bridge.floor, number).state is GttState.ACTIVE


def test_what_the_trader_should_know_is_told_though_the_change_cannot_be_saved(bridge: Bridge) -> None:
    bridge.floor.buy(1)
    bridge.floor.exchange.tend()
    find = bridge.floor.instruments.find

    def without_a_price(exchange: Exchange, symbol: str) -> Instrument | None:
        found = find(exchange, symbol)
        return None if found is None else replace(found, reference_price=Decimal(0))

    bridge.floor.instruments.find = without_a_price  # type: ignore[method-assign]
    bridge.floor.clock.moment = at(15, 11)
    bridge.floor.db.write(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON paper_setting BEGIN SELECT RAISE(FAIL, 'disk full'); END"
    )
    with pytest.raises(StorageError):
        bridge.change_settings(AT_TWO)
    assert bridge.told == ["SBIN on NSE could not be closed: it has no price. It stays open."]
