"""The books of the paper exchange, in a real file: what the tables themselves refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, PriceType, Product, Ref
from openalgo_bridge.model.paper import PaperMoney, PaperOrder, PaperPosition, to_rupees, to_units
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.paperbook import OpenPaperBook, PaperBook
from tests.fakes import in_threads

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
TODAY = date(2026, 11, 21)
TOMORROW = NOW + timedelta(days=1)
CAPITAL = 100_000_000_000
ASKED = OrderRequest(
    symbol="SBIN",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=10,
    price_type=PriceType.LIMIT,
    product=Product.MIS,
    price=Decimal("990.05"),
    disclosed_quantity=2,
)
OPEN = PaperOrder(tag=Ref("A"), request=ASKED, placed_at=NOW, blocked=19_801_000)
LONG = PaperPosition(
    symbol="SBIN",
    exchange=Exchange.NSE,
    product=Product.MIS,
    quantity=10,
    cost=99_005_000,
    blocked=19_801_000,
    realised=5,
    realised_on=TODAY,
)


@pytest.fixture
def book(db: Database) -> PaperBook:
    return PaperBook(db)


def test_an_order_comes_back_as_it_went_in(book: PaperBook) -> None:
    with book.transaction() as page:
        number = page.add(OPEN)
        assert page.order(number) == replace(OPEN, number=number)
    assert book.order(number) == book.find(Ref("A")) == replace(OPEN, number=number)
    assert book.resting() == book.resting_in("SBIN", Exchange.NSE) == [replace(OPEN, number=number)]
    assert book.resting_in("SBIN", Exchange.BSE) == []


def test_a_position_comes_back_as_it_went_in(book: PaperBook) -> None:
    with book.transaction() as page:
        assert page.position("SBIN", Exchange.NSE, Product.MIS) is None
        page.save(LONG, 0)
        assert page.position("SBIN", Exchange.NSE, Product.MIS) == LONG
        assert page.position("SBIN", Exchange.NSE, Product.CNC) is None
    assert book.positions(TODAY) == [LONG]


def test_money_is_capital_profit_and_all_that_is_blocked(book: PaperBook) -> None:
    assert book.account(TODAY).money == PaperMoney(capital=CAPITAL, realised=0, blocked=0)
    with book.transaction() as page:
        page.add(OPEN)
        page.save(LONG, gain=-7)
        assert page.money().blocked == OPEN.blocked + LONG.blocked
    assert book.account(TODAY).money == PaperMoney(capital=CAPITAL, realised=-7, blocked=OPEN.blocked + LONG.blocked)
    assert book.account(TODAY).money.available == CAPITAL - 7 - OPEN.blocked - LONG.blocked


def test_an_order_changes_once(book: PaperBook) -> None:
    with book.transaction() as page:
        number = page.add(OPEN)
    done = replace(OPEN, number=number, status=OrderStatus.COMPLETE, filled_quantity=10, blocked=0)
    with book.transaction() as page:
        assert page.change(done)
        assert not page.change(replace(done, status=OrderStatus.CANCELLED, filled_quantity=0))
    assert book.order(number) == done


def test_the_resting_quantity_counts_one_side_of_one_product(book: PaperBook) -> None:
    others = [
        replace(ASKED, action=Action.SELL),
        replace(ASKED, product=Product.CNC),
        replace(ASKED, exchange=Exchange.BSE),
        replace(ASKED, symbol="INFY"),
    ]
    with book.transaction() as page:
        first = page.add(OPEN)
        page.add(replace(OPEN, tag=Ref("B"), request=replace(ASKED, quantity=7)))
        page.add(replace(OPEN, tag=Ref("C"), status=OrderStatus.CANCELLED, blocked=0))
        for number, request in enumerate(others):
            page.add(replace(OPEN, tag=Ref(f"O{number}"), request=request))
        assert page.resting_quantity(ASKED, besides=0) == 17
        assert page.resting_quantity(ASKED, besides=first) == 7


def test_a_book_of_a_day_leaves_out_what_came_before(book: PaperBook) -> None:
    with book.transaction() as page:
        old = page.add(replace(OPEN, placed_at=NOW - timedelta(days=1)))
        late = page.add(replace(OPEN, tag=Ref("B")))
        page.add_trade(old, 10, 9_900_500, NOW)
        page.add_trade(late, 10, 9_900_000, NOW - timedelta(milliseconds=1))
        page.save(LONG, 0)
        page.save(replace(LONG, product=Product.CNC, quantity=0, cost=0, blocked=0), 0)
    assert [order.number for order in book.orders(NOW)] == [late]
    assert [trade.order.number for trade in book.trades(NOW, TOMORROW)] == [old]
    assert [trade.order.number for trade in book.trades(NOW - timedelta(days=1), NOW)] == [late]
    assert [row.product for row in book.positions(TODAY)] == [Product.CNC, Product.MIS]
    assert [row.product for row in book.positions(TODAY + timedelta(days=1))] == [Product.MIS]


@pytest.mark.parametrize(
    "act",
    [
        lambda page: page.add_trade(1, 10, 9_900_500, NOW),
        lambda page: page.add_trade(99, 10, 9_900_500, NOW),
        lambda page: page.add(replace(OPEN, tag=Ref("B"), blocked=-1)),
        lambda page: page.add(replace(OPEN, tag=Ref("B"), filled_quantity=11)),
        lambda page: page.add(replace(OPEN, tag=Ref("B"), status=OrderStatus.CANCELLED)),
        lambda page: page.save(replace(LONG, quantity=0), 0),
    ],
    ids=["second trade", "no order", "negative", "overfilled", "blocked at the end", "flat but blocked"],
)
def test_the_tables_refuse_what_must_never_be_and_keep_nothing_of_it(
    book: PaperBook, act: Callable[[OpenPaperBook], object]
) -> None:
    with book.transaction() as page:
        page.add_trade(page.add(OPEN), 10, 9_900_500, NOW)
    before = book.orders(NOW), book.trades(NOW, TOMORROW), book.positions(TODAY), book.account(TODAY).money
    with pytest.raises(StorageError), book.transaction() as page:
        page.add(replace(OPEN, tag=Ref("goes too")))
        page.save(LONG, gain=1)
        act(page)
    assert (book.orders(NOW), book.trades(NOW, TOMORROW), book.positions(TODAY), book.account(TODAY).money) == before


def test_a_tag_is_entered_once(book: PaperBook) -> None:
    with book.transaction() as page:
        number = page.add(OPEN)
        assert page.add(replace(OPEN, request=replace(ASKED, quantity=99))) is None
    assert book.orders(NOW) == [replace(OPEN, number=number)]


def test_an_account_is_its_money_and_its_positions_of_one_moment(book: PaperBook) -> None:
    assert book.account(TODAY).positions == ()
    with book.transaction() as page:
        page.save(LONG, gain=5)
        page.save(replace(LONG, product=Product.CNC, quantity=0, cost=0, blocked=0), 0)
    account = book.account(TODAY)
    assert account.money == PaperMoney(capital=CAPITAL, realised=5, blocked=LONG.blocked)
    assert list(account.positions) == book.positions(TODAY)
    assert list(book.account(TODAY + timedelta(days=1)).positions) == [LONG]


def test_an_order_that_begins_to_rest_is_seen_by_the_next_look(book: PaperBook) -> None:
    assert book.resting() == book.resting() == []
    with book.transaction() as page:
        number = page.add(OPEN)
    assert [order.number for order in book.resting()] == [number]
    with book.transaction() as page:
        page.change(replace(OPEN, number=number, status=OrderStatus.CANCELLED, blocked=0))
    assert book.resting() == book.resting() == []
    with book.transaction() as page:
        page.add(replace(OPEN, tag=Ref("B")))
    assert len(book.resting_in("SBIN", Exchange.NSE)) == 1


def test_nothing_is_remembered_that_was_read_while_an_order_began_to_rest(book: PaperBook) -> None:
    with book.transaction() as page:
        page.add(OPEN)
        # Before the commit: this reader still sees an empty book, and must not remember it.
        assert in_threads(1, book.resting) == [[]]
    assert len(book.resting()) == 1


def test_looking_for_resting_orders_never_walks_the_book(db: Database, book: PaperBook) -> None:
    with book.transaction() as page:
        page.add(OPEN)
    asked: list[str] = []
    db.tables.conn.set_trace_callback(asked.append)
    book.resting()
    book.resting_in("SBIN", Exchange.NSE)
    db.tables.conn.set_trace_callback(None)
    assert len(asked) == 2
    for sql in asked:
        plan = " ".join(row["detail"] for row in db.read(f"EXPLAIN QUERY PLAN {sql}"))
        assert "USING INDEX paper_order_resting" in plan


@pytest.mark.parametrize("rupees", ["0", "0.0025", "-12.34", "152500.00", "99999999.9999"])
def test_rupees_survive_as_units(rupees: str) -> None:
    assert to_rupees(to_units(Decimal(rupees))) == Decimal(rupees)
