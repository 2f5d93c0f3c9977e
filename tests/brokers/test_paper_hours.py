"""When the exchange takes orders. It is Saturday 21 November 2026, 10:30 IST; the Tuesday after it is a holiday."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.brokers.paper import rules
from openalgo_bridge.brokers.paper.days import Schedule
from openalgo_bridge.brokers.paper.hours import why_closed, why_not_opened
from openalgo_bridge.clock import IST
from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import Action, Exchange, Product
from openalgo_bridge.model.paper_settings import PaperHours, PaperSettings
from tests.brokers.desk import SBIN, Floor, order
from tests.store import listing
from tests.store.listing import DECEMBER, contract

BY_THE_EXCHANGE = PaperSettings(hours=PaperHours.EXCHANGE)
CLOSED = "NSE is closed. It trades next on 23 Nov 2026 from 09:15 to 15:30 IST."


@pytest.mark.parametrize(
    ("moment", "exchange", "told"),
    [
        ("2026-11-23 09:15", Exchange.NSE, ""),
        ("2026-11-23 15:29", Exchange.NSE, ""),
        ("2026-11-23 09:14", Exchange.NSE, CLOSED),
        ("2026-11-23 15:30", Exchange.NSE, "NSE is closed. It trades next on 25 Nov 2026 from 09:15 to 15:30 IST."),
        ("2026-11-24 12:00", Exchange.NSE, "NSE is closed. It trades next on 25 Nov 2026 from 09:15 to 15:30 IST."),
        ("2026-11-24 12:00", Exchange.MCX, "MCX is closed. It trades next on 24 Nov 2026 from 17:00 to 23:55 IST."),
        ("2026-11-23 16:30", Exchange.CDS, ""),
        ("2026-11-22 03:00", Exchange.CRYPTO, ""),
    ],
)
def test_the_sentence_names_the_next_hours(moment: str, exchange: Exchange, told: str) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=IST)
    assert why_closed(SHIPPED, exchange, now) == told


def test_around_the_clock_an_order_is_taken_on_a_saturday(floor: Floor) -> None:
    assert floor.order(floor.buy(10)).status is OrderStatus.COMPLETE


def test_by_the_hours_of_the_exchange_it_is_rejected_and_stands_in_the_book(floor: Floor) -> None:
    floor.settings = BY_THE_EXCHANGE
    with pytest.raises(Rejected, match=CLOSED):
        floor.buy(10)
    (row,) = floor.exchange.order_book()
    assert (row.status, row.rejection_reason) == (OrderStatus.REJECTED, CLOSED)


def test_an_exit_has_no_other_hours(floor: Floor) -> None:
    floor.buy(10)
    floor.settings = BY_THE_EXCHANGE
    with pytest.raises(Rejected, match=CLOSED):
        floor.sell(10)
    with pytest.raises(Rejected, match=CLOSED):
        floor.exchange.check(order(Action.SELL, 10))


def test_what_rests_can_be_withdrawn_but_not_changed(floor: Floor) -> None:
    resting = floor.buy(10, limit="900.00")
    floor.settings = BY_THE_EXCHANGE
    with pytest.raises(Rejected, match=CLOSED):
        floor.modify(resting, order(Action.BUY, 10, limit="910.00"))
    floor.cancel(resting)
    assert floor.order(resting).status is OrderStatus.CANCELLED


def test_in_its_hours_the_exchange_takes_orders(floor: Floor) -> None:
    floor.settings = BY_THE_EXCHANGE
    floor.clock.move(days=2)
    assert floor.order(floor.buy(10)).status is OrderStatus.COMPLETE


def test_a_share_with_derivatives_is_closed_from_its_closing_auction_on(floor: Floor, tmp_path: Path) -> None:
    floor.settings = BY_THE_EXCHANGE
    with listing.opened(tmp_path) as listed:
        listed.take(contract("SBIN", Kind.FUT, DECEMBER), *floor.instruments.stream(Exchange.NSE), accept_fewer=True)
    floor.instruments.forget()
    floor.clock.moment = datetime(2026, 11, 23, 15, 14, 59, tzinfo=IST)
    floor.buy(10, Product.CNC)
    floor.clock.move(seconds=1)
    with pytest.raises(Rejected, match=r"on 25 Nov 2026 from 09:15 to 15:15 IST\."):
        floor.buy(10, Product.CNC)
    floor.send(replace(SBIN, symbol="TCS", product=Product.CNC))


def test_no_price_of_the_closing_auction_fills_what_rests(floor: Floor, tmp_path: Path) -> None:
    """Nor one of the night: unseen, or looked at as it is."""
    floor.settings = BY_THE_EXCHANGE
    with listing.opened(tmp_path) as listed:
        listed.take(contract("SBIN", Kind.FUT, DECEMBER), *floor.instruments.stream(Exchange.NSE), accept_fewer=True)
    floor.instruments.forget()
    floor.clock.moment = datetime(2026, 11, 23, 10, 0, tzinfo=IST)
    resting = floor.buy(10, Product.CNC, "990.00")
    other = floor.send(replace(order(Action.BUY, 10, Product.CNC, "990.00"), symbol="TCS"))
    floor.clock.moment = datetime(2026, 11, 23, 15, 20, tzinfo=IST)
    floor.market.last = Decimal(985)
    assert floor.order(resting).status is OrderStatus.OPEN
    floor.clock.move(seconds=30)
    floor.exchange.tend()
    assert floor.order(resting).status is OrderStatus.OPEN
    assert floor.order(other).status is OrderStatus.COMPLETE, "no auction closes a share without derivatives"
    floor.clock.moment = datetime(2026, 11, 23, 16, 0, tzinfo=IST)
    assert floor.order(resting).rejection_reason == "Not filled on its trading day: the order lapsed."


def test_a_price_of_a_saturday_fills_nothing_that_rests(floor: Floor) -> None:
    resting = floor.buy(10, Product.CNC, "990.00")
    floor.settings = BY_THE_EXCHANGE
    floor.clock.move(seconds=1)
    floor.market.last = Decimal(985)
    assert floor.order(resting).status is OrderStatus.OPEN


def test_after_the_square_off_an_intraday_order_only_makes_a_position_smaller(floor: Floor) -> None:
    floor.settings = BY_THE_EXCHANGE
    floor.clock.moment = datetime(2026, 11, 23, 15, 9, 59, tzinfo=IST)
    floor.buy(10)
    floor.clock.move(seconds=1)
    with pytest.raises(Rejected, match="Intraday positions on NSE were closed at 15:10 IST"):
        floor.buy(10)
    floor.buy(10, Product.CNC)


def test_a_position_that_the_square_off_left_can_still_be_closed() -> None:
    schedule = Schedule(calendar=SHIPPED, square_off={})
    now = datetime(2026, 11, 23, 15, 20, tzinfo=IST)
    assert why_not_opened(schedule, SBIN, now) == (
        "Intraday positions on NSE were closed at 15:10 IST. "
        "Until the next session an MIS order can only make one smaller."
    )
    assert rules.left_by(replace(SBIN, action=Action.SELL), 10) == 0
    assert rules.left_by(replace(SBIN, action=Action.SELL, quantity=20), 10) is None
    assert not why_not_opened(schedule, replace(SBIN, product=Product.CNC), now)
    assert not why_not_opened(schedule, SBIN, now.replace(hour=15, minute=9))
