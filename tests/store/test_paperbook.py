"""The books of the paper exchange, in a real file: what the tables themselves refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, PriceType, Product, Ref
from openalgo_bridge.model.paper import (
    LedgerKind,
    PaperHolding,
    PaperMoney,
    PaperOrder,
    PaperPosition,
    PriceRange,
    to_rupees,
    to_units,
)
from openalgo_bridge.store import paper_gtts, paperbook
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
EVERY_PRICE = PriceRange(ask=0, bid=CAPITAL, lowest=0, highest=CAPITAL)
"""Reaches whatever rests."""

NONE_HELD = PaperHolding(symbol="SBIN", exchange=Exchange.NSE)
FLAT = replace(LONG, quantity=0, cost=0, blocked=0, realised=0)


def save(page: OpenPaperBook, after: PaperPosition, gain: int = 0) -> None:
    """A position where there was none, with the line of the ledger."""
    page.save(replace(FLAT, product=after.product), after, gain=gain)
    page.post(LedgerKind.FILL, NOW, after)


def add(page: OpenPaperBook, order: PaperOrder) -> int:
    """A new order, with the line of the ledger."""
    number = page.add(order)
    assert number is not None
    page.post(LedgerKind.ORDER, NOW, order.request, order=number)
    return number


@pytest.fixture
def book(db: Database) -> PaperBook:
    return PaperBook(db)


def test_an_order_comes_back_as_it_went_in(book: PaperBook) -> None:
    with book.transaction() as page:
        number = add(page, OPEN)
        kept = replace(OPEN, number=number, revision=1)
        assert (page.order(number), page.resting()) == (kept, [kept])
    assert book.order(number) == book.find(Ref("A")) == kept
    assert book.resting() == book.reached("SBIN", Exchange.NSE, EVERY_PRICE) == [kept]
    assert book.reached("SBIN", Exchange.BSE, EVERY_PRICE) == []


def test_a_position_comes_back_as_it_went_in(book: PaperBook) -> None:
    with book.transaction() as page:
        assert page.standing(LONG).position is None
        save(page, LONG)
        assert page.standing(LONG).position == LONG
        assert page.standing(replace(LONG, product=Product.CNC)).position is None
    assert book.positions(TODAY) == [book.position(LONG)] == [LONG]


def test_money_is_capital_profit_and_all_that_is_blocked(book: PaperBook) -> None:
    assert book.account(TODAY).money == PaperMoney(capital=CAPITAL, realised=0, blocked=0)
    with book.transaction() as page:
        add(page, OPEN)
        save(page, LONG, gain=-7)
        assert page.money() == page.standing(LONG).money
    assert book.account(TODAY).money == PaperMoney(capital=CAPITAL, realised=-7, blocked=OPEN.blocked + LONG.blocked)
    assert book.account(TODAY).money.available == CAPITAL - 7 - OPEN.blocked - LONG.blocked


def test_an_order_changes_once(book: PaperBook) -> None:
    with book.transaction() as page:
        number = add(page, OPEN)
    before = replace(OPEN, number=number)
    done = replace(before, status=OrderStatus.COMPLETE, filled_quantity=10, filled_value=99_005_000, blocked=0)
    with book.transaction() as page:
        assert page.change(before, done)
        page.post(LedgerKind.FILL, NOW, ASKED, order=number)
        for seen in (before, done):
            assert not page.change(seen, replace(done, status=OrderStatus.CANCELLED, filled_quantity=0, filled_value=0))
    assert book.order(number) == replace(done, revision=2)


@pytest.mark.parametrize(
    "seen",
    [{"status": OrderStatus.TRIGGER_PENDING}, {"filled_quantity": 4}, {"blocked": 1}],
    ids=" ".join,
)
def test_an_order_is_not_changed_by_who_saw_it_otherwise(book: PaperBook, seen: dict[str, Any]) -> None:
    with book.transaction() as page:
        before = replace(OPEN, number=add(page, OPEN))
        assert not page.change(replace(before, **seen), replace(before, status=OrderStatus.CANCELLED, blocked=0))
    assert [order.status for order in book.resting()] == [OrderStatus.OPEN]


def test_the_resting_quantity_counts_one_side_of_one_product(book: PaperBook) -> None:
    others = [
        replace(ASKED, action=Action.SELL),
        replace(ASKED, product=Product.CNC),
        replace(ASKED, exchange=Exchange.BSE),
        replace(ASKED, symbol="INFY"),
    ]
    with book.transaction() as page:
        first = add(page, OPEN)
        add(page, replace(OPEN, tag=Ref("B"), request=replace(ASKED, quantity=7), filled_quantity=3, filled_value=3))
        add(page, replace(OPEN, tag=Ref("S"), request=replace(ASKED, quantity=5), status=OrderStatus.TRIGGER_PENDING))
        add(page, replace(OPEN, tag=Ref("C"), status=OrderStatus.CANCELLED, blocked=0))
        for number, request in enumerate(others):
            add(page, replace(OPEN, tag=Ref(f"O{number}"), request=request))
        assert page.resting_quantity(ASKED, besides=0) == 19
        assert page.resting_quantity(ASKED, besides=first) == 9


def test_a_book_of_a_day_leaves_out_what_came_before(book: PaperBook) -> None:
    with book.transaction() as page:
        old = add(page, replace(OPEN, placed_at=NOW - timedelta(days=1)))
        late = add(page, replace(OPEN, tag=Ref("B")))
        page.add_trade(old, 0, 10, 9_900_500, NOW, multiplier=1)
        page.add_trade(late, 0, 10, 9_900_000, NOW - timedelta(milliseconds=1), multiplier=1)
        save(page, LONG)
        save(page, replace(LONG, product=Product.CNC, quantity=0, cost=0, blocked=0))
    assert [order.number for order in book.orders(NOW)] == [late]
    assert [trade.order.number for trade in book.trades(NOW, TOMORROW)] == [old]
    assert [trade.order.number for trade in book.trades(NOW - timedelta(days=1), NOW)] == [late]
    assert [row.product for row in book.positions(TODAY)] == [Product.CNC, Product.MIS]
    assert [row.product for row in book.positions(TODAY + timedelta(days=1))] == [Product.MIS]


@pytest.mark.parametrize(
    "act",
    [
        lambda page: page.add_trade(1, 0, 6, 9_900_500, NOW, multiplier=1),
        lambda page: page.add_trade(1, 7, 1, 9_900_500, NOW, multiplier=1),
        lambda page: page.add_trade(1, 6, 5, 9_900_500, NOW, multiplier=1),
        lambda page: page.add_trade(99, 0, 10, 9_900_500, NOW, multiplier=1),
        lambda page: page.add(replace(OPEN, tag=Ref("B"), blocked=-1)),
        lambda page: page.add(replace(OPEN, tag=Ref("B"), filled_quantity=11, filled_value=11)),
        lambda page: page.add(replace(OPEN, tag=Ref("B"), status=OrderStatus.CANCELLED)),
        lambda page: page.add(replace(OPEN, tag=Ref("B"), status=OrderStatus.COMPLETE, blocked=0)),
        lambda page: page.add(replace(OPEN, tag=Ref("B"), cause="square-off")),
        lambda page: page.add(replace(OPEN, tag=Ref(""))),
        lambda page: page.add(replace(OPEN, tag=Ref("B"))),
        lambda page: page.save(LONG, replace(LONG, quantity=0), gain=0),
        lambda page: page.save(LONG, LONG, gain=1),
        lambda page: page.save_holding(NONE_HELD, replace(NONE_HELD, quantity=1, cost=1)),
        lambda page: page.save_holding(NONE_HELD, replace(NONE_HELD, cost=1)),
    ],
    ids=[
        "the same part twice",
        "a part left out",
        "more than was ordered",
        "no order",
        "negative",
        "overfilled",
        "blocked at the end",
        "complete and not filled",
        "sent by both",
        "sent by nobody",
        "set aside for no reason",
        "flat but blocked",
        "profit for no reason",
        "invested for no reason",
        "a cost of nothing",
    ],
)
def test_the_tables_refuse_what_must_never_be_and_keep_nothing_of_it(
    book: PaperBook, act: Callable[[OpenPaperBook], object]
) -> None:
    with book.transaction() as page:
        page.add_trade(add(page, OPEN), 0, 6, 9_900_500, NOW, multiplier=1)
    before = book.orders(NOW), book.trades(NOW, TOMORROW), book.positions(TODAY), book.account(TODAY).money
    with pytest.raises(StorageError), book.transaction() as page:
        add(page, replace(OPEN, tag=Ref("goes too")))
        save(page, LONG, gain=1)
        act(page)
    assert (book.orders(NOW), book.trades(NOW, TOMORROW), book.positions(TODAY), book.account(TODAY).money) == before


def test_a_tag_is_entered_once(book: PaperBook) -> None:
    with book.transaction() as page:
        number = add(page, OPEN)
        assert page.add(replace(OPEN, request=replace(ASKED, quantity=99))) is None
    assert book.orders(NOW) == [replace(OPEN, number=number, revision=1)]


def test_the_exchange_may_send_many_orders_without_a_tag(book: PaperBook) -> None:
    own = replace(OPEN, tag=Ref(""), cause="square-off")
    with book.transaction() as page:
        numbers = [add(page, own), add(page, own)]
    assert [order.number for order in book.resting()] == numbers
    assert book.find(Ref("")) is None


def test_an_account_is_its_money_and_its_positions_of_one_moment(book: PaperBook) -> None:
    assert book.account(TODAY).positions == ()
    with book.transaction() as page:
        save(page, LONG, gain=5)
        save(page, replace(LONG, product=Product.CNC, quantity=0, cost=0, blocked=0))
    account = book.account(TODAY)
    assert account.money == PaperMoney(capital=CAPITAL, realised=5, blocked=LONG.blocked)
    assert list(account.positions) == book.positions(TODAY)
    assert list(book.account(TODAY + timedelta(days=1)).positions) == [LONG]


def test_an_order_that_begins_to_rest_is_seen_by_the_next_look(book: PaperBook) -> None:
    assert book.resting() == book.resting() == []
    with book.transaction() as page:
        before = replace(OPEN, number=add(page, OPEN))
    assert [order.number for order in book.resting()] == [before.number]
    with book.transaction() as page:
        assert page.change(before, replace(before, status=OrderStatus.CANCELLED, blocked=0))
        page.post(LedgerKind.ORDER, NOW, ASKED, order=before.number)
    assert book.resting() == book.resting() == []
    with book.transaction() as page:
        add(page, replace(OPEN, tag=Ref("B")))
    assert len(book.reached("SBIN", Exchange.NSE, EVERY_PRICE)) == 1


def test_nothing_is_remembered_that_was_read_while_an_order_began_to_rest(book: PaperBook) -> None:
    with book.transaction() as page:
        add(page, OPEN)
        # Before the commit: this reader still sees an empty book, and must not remember it.
        assert in_threads(1, book.resting) == [[]]
    assert len(book.resting()) == 1


def test_what_rested_no_more_in_a_transaction_that_was_undone_rests_again(book: PaperBook) -> None:
    with book.transaction() as page:
        number = add(page, OPEN)
    with pytest.raises(ZeroDivisionError), book.transaction() as page:
        before = page.order(number)
        assert before is not None
        page.change(before, replace(before, status=OrderStatus.CANCELLED, blocked=0))
        assert book.resting() == []
        raise ZeroDivisionError
    assert [order.number for order in book.resting()] == [number]


def test_looking_for_resting_orders_never_walks_the_book(db: Database, book: PaperBook) -> None:
    with book.transaction() as page:
        add(page, OPEN)
    asked: list[str] = []
    db.tables.conn.set_trace_callback(asked.append)
    book.resting()
    book.reached("SBIN", Exchange.NSE, EVERY_PRICE)
    book.instruments_in_use()
    db.tables.conn.set_trace_callback(None)
    assert len(asked) == 3
    for sql in asked:
        plan = " ".join(row["detail"] for row in db.read(f"EXPLAIN QUERY PLAN {sql}"))
        assert "INDEX paper_order_working" in plan


def test_what_a_price_does_not_reach_is_not_even_looked_at(db: Database) -> None:
    """The index leads to the symbol, the kind of order and the price; of instruments, from one to the next."""
    reached = {"exchange": "NSE", "symbol": "SBIN", **EVERY_PRICE._asdict()}
    plan = [row["detail"] for row in db.read(f"EXPLAIN QUERY PLAN {paperbook._REACHED}", reached)]
    of_each_kind = (
        "SEARCH paper_order USING INDEX paper_order_working (exchange=? AND symbol=? AND status=? AND action=?"
    )
    found = [line.removeprefix(of_each_kind) for line in plan if line.startswith("SEARCH")]
    assert sorted(found) == [" AND <expr><?)", " AND <expr><?)", " AND <expr>>?)", " AND <expr>>?)"]
    plan = [row["detail"] for row in db.read(f"EXPLAIN QUERY PLAN {paperbook._IN_USE}")]
    from_one_to_the_next = "SEARCH paper_order USING COVERING INDEX paper_order_working"
    found = [line.removeprefix(from_one_to_the_next) for line in plan if line.startswith(from_one_to_the_next)]
    assert found == [" (exchange=? AND symbol>?)", " (exchange>?)"]


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        (paper_gtts._ACTIVE, "SCAN paper_gtt USING INDEX paper_gtt_active"),
        (paper_gtts._ENDED, "SEARCH paper_gtt USING INDEX paper_gtt_ended (changed_at>?)"),
    ],
)
def test_gtts_of_long_ago_are_not_looked_at(db: Database, sql: str, read: str) -> None:
    plan = [row["detail"] for row in db.read(f"EXPLAIN QUERY PLAN {sql}", (0,) if "?" in sql else ())]
    assert read in plan


def test_each_instrument_that_orders_rest_in_is_told_once(book: PaperBook) -> None:
    with book.transaction() as page:
        for number, (exchange, symbol) in enumerate([(Exchange.NSE, "SBIN"), (Exchange.BSE, "TCS")] * 3):
            add(page, replace(OPEN, tag=Ref(f"T{number}"), request=replace(ASKED, exchange=exchange, symbol=symbol)))
        add(page, replace(OPEN, tag=Ref("Z"), request=replace(ASKED, symbol="INFY")))
    assert book.instruments_in_use() == [(Exchange.BSE, "TCS"), (Exchange.NSE, "INFY"), (Exchange.NSE, "SBIN")]


def test_a_change_is_told_by_the_next_revision(book: PaperBook) -> None:
    with book.transaction() as page:
        first = add(page, OPEN)
        add(page, replace(OPEN, tag=Ref("B")))
        before = page.order(first)
        assert before is not None
        page.change(before, replace(before, request=replace(ASKED, quantity=11)))
    assert [(order.number, order.revision) for order in book.orders(NOW)] == [(2, 2), (1, 3)]


def test_a_holding_comes_back_as_it_went_in_and_its_cost_is_not_available(book: PaperBook) -> None:
    held = replace(NONE_HELD, quantity=10, cost=99_005_000)
    with book.transaction() as page:
        assert page.holding("SBIN", Exchange.NSE) is None
        page.save_holding(NONE_HELD, held)
        page.post(LedgerKind.SETTLEMENT, NOW, LONG)
        assert page.holding("SBIN", Exchange.NSE) == held
    assert (book.holdings(), book.account(TODAY).money.available) == ([held], CAPITAL - held.cost)
    with book.transaction() as page:
        page.save_holding(held, NONE_HELD)
        page.post(LedgerKind.FILL, NOW, LONG)
    assert (book.holdings(), book.account(TODAY).money.available) == ([], CAPITAL)


@pytest.mark.parametrize("rupees", ["0", "0.0025", "-12.34", "152500.00", "99999999.9999"])
def test_rupees_survive_as_units(rupees: str) -> None:
    assert to_rupees(to_units(Decimal(rupees))) == Decimal(rupees)
