"""The order book is remembered from look to look, and always tells what a fresh look at the file would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from openalgo_bridge.brokers.paper.day_book import DayBook
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import Action
from tests.brokers.desk import Floor, order


def fresh(floor: Floor) -> Sequence[BrokerOrder]:
    """What somebody reads who remembers nothing."""
    return DayBook(floor.book).orders(floor.clock.now() - timedelta(hours=1))


def test_what_happens_between_two_looks_is_in_the_second(floor: Floor) -> None:
    ended, to_fill = floor.buy(), floor.buy(limit="980.00")
    to_cancel, to_change = floor.buy(limit="970.00"), floor.buy(limit="960.00")
    assert [each.id for each in floor.exchange.order_book()] == [to_change, to_cancel, to_fill, ended]
    floor.cancel(to_cancel)
    floor.modify(to_change, order(Action.BUY, 7, limit="950.00"))
    newest = floor.sell(limit="1100.00")
    floor.market.last = Decimal("975")
    seen = {each.id: each for each in floor.exchange.order_book()}
    assert list(seen) == [newest, to_change, to_cancel, to_fill, ended]
    assert (seen[to_fill].status, seen[to_cancel].status) == (OrderStatus.COMPLETE, OrderStatus.CANCELLED)
    assert (seen[to_change].request.quantity, seen[to_change].request.price) == (7, Decimal("950.00"))
    assert list(seen.values()) == fresh(floor)


def test_a_change_at_the_second_look_and_an_end_at_the_third_are_both_seen(floor: Floor) -> None:
    resting = floor.buy(limit="980.00")
    for quantity in (3, 4):
        floor.modify(resting, order(Action.BUY, quantity, limit="980.00"))
        assert [each.request.quantity for each in floor.exchange.order_book()] == [quantity]
    floor.cancel(resting)
    assert [each.status for each in floor.exchange.order_book()] == [OrderStatus.CANCELLED]
    assert list(floor.exchange.order_book()) == fresh(floor)


def test_a_new_day_begins_with_an_empty_book(floor: Floor) -> None:
    yesterday = floor.buy()
    assert [each.id for each in floor.exchange.order_book()] == [yesterday]
    floor.clock.move(days=1)
    assert floor.exchange.order_book() == []
    today = floor.buy()
    assert [each.id for each in floor.exchange.order_book()] == [today]


def test_a_caller_cannot_change_what_is_remembered(floor: Floor) -> None:
    floor.buy()
    book = floor.exchange.order_book()
    assert isinstance(book, list)
    book.append(replace(book[0], id="foreign"))
    assert len(floor.exchange.order_book()) == 1


def test_a_second_look_reads_only_what_may_have_changed(floor: Floor) -> None:
    for _ in range(20):
        floor.buy(1)
    floor.exchange.order_book()
    seen: list[str] = []
    floor.db.tables.conn.set_trace_callback(seen.append)
    floor.exchange.order_book()
    floor.db.tables.conn.set_trace_callback(None)
    (look,) = [text for text in seen if "FROM paper_order" in text]
    assert floor.db.read(look) == [], "nothing rests and nothing is new, so no row is read"
