"""The ledger of the paper exchange, and a file of before it that comes along with its money."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.order import Exchange, Product
from openalgo_bridge.model.paper import LedgerKind, PaperMoney, PaperPosition
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.paper_ledger import PaperLedger
from openalgo_bridge.store.paperbook import PaperBook

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
CRORE = 100_000_000_000
FLAT = PaperPosition(symbol="SBIN", exchange=Exchange.NSE, product=Product.MIS, realised_on=NOW.date())
LONG = PaperPosition(
    symbol="SBIN",
    exchange=Exchange.NSE,
    product=Product.MIS,
    quantity=10,
    cost=100_005_000,
    blocked=20_001_000,
    realised_on=NOW.date(),
)


@pytest.fixture
def former(tmp_path: Path) -> Iterator[Database]:
    """A file as it was before there was a ledger."""
    with closing(Database(tmp_path / "bridge.db", synchronous="FULL")) as db:
        schema.bridge.apply(db.tables, stop_before="m024_paper_exchange")
        yield db


def test_a_new_account_has_one_line_and_it_is_its_capital(db: Database) -> None:
    (line,) = PaperLedger(db).lines(limit=10)
    assert (line.kind, line.capital, line.after) == (
        LedgerKind.CAPITAL,
        CRORE,
        PaperMoney(capital=CRORE, realised=0, blocked=0),
    )


def test_a_line_tells_what_moved_why_and_what_is_there_now(db: Database) -> None:
    with PaperBook(db).transaction() as page:
        page.save(FLAT, LONG, gain=0)
        page.post(LedgerKind.FILL, NOW, LONG)
        page.save(LONG, FLAT, gain=-500)
        page.post(LedgerKind.EXPIRY, NOW, LONG)
        page.post(LedgerKind.EXPIRY, NOW, LONG)
    last, first, capital = PaperLedger(db).lines(limit=10)
    assert (first.kind, first.at, first.symbol, first.exchange, first.product) == (
        LedgerKind.FILL,
        NOW,
        "SBIN",
        Exchange.NSE,
        Product.MIS,
    )
    assert (first.blocked, first.after.available) == (LONG.blocked, CRORE - LONG.blocked)
    assert (last.kind, last.realised, last.blocked) == (LedgerKind.EXPIRY, -500, -LONG.blocked)
    assert last.after == PaperMoney(capital=CRORE, realised=-500, blocked=0)
    assert PaperLedger(db).lines(before=last.number, limit=1) == [first]
    assert PaperLedger(db).lines(before=first.number, limit=5) == [capital]


_COPY = (
    "INSERT INTO paper_ledger SELECT {number}, at, kind, order_id, gtt_id, symbol, exchange, product, {capital},"
    " realised, invested, blocked, capital_after, realised_after, invested_after, blocked_after + {blocked}"
    " FROM paper_ledger ORDER BY id DESC LIMIT 1"
)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE paper_ledger SET realised = 1",
        "DELETE FROM paper_ledger",
        "INSERT OR REPLACE INTO paper_ledger SELECT * FROM paper_ledger",
        _COPY.format(number="NULL", capital="1", blocked="0"),
        _COPY.format(number="NULL", capital="0", blocked="1"),
        _COPY.format(number="-1", capital="0", blocked="0"),
    ],
    ids=["changed", "deleted", "replaced", "a move without a balance", "a balance without a move", "put in between"],
)
def test_the_ledger_is_only_ever_added_to_and_always_adds_up(db: Database, sql: str) -> None:
    before = PaperLedger(db).lines(limit=10)
    with pytest.raises(StorageError, match="ledger"):
        db.write(sql)
    assert PaperLedger(db).lines(limit=10) == before


def test_a_copy_of_the_last_line_that_moves_nothing_is_what_the_rules_let_through(db: Database) -> None:
    """So that each refusal above is of the one thing it names."""
    assert db.write(_COPY.format(number="NULL", capital="0", blocked="0")) == 1


def _trade_as_before(db: Database) -> None:
    """A day of before: a fill and its profit, a resting order, a stop that was refused, a position closed since."""
    order = "INSERT INTO paper_order VALUES (?, ?, 'SBIN', 'NSE', 'BUY', 10, ?, 'MIS', 9900500, 0, 2, ?, ?, ?, ?, ?, ?)"
    db.write(order, (1, "A", "MARKET", "complete", 10, 10_000_500, 0, "", 1_000))
    db.write(order, (2, "B", "LIMIT", "open", 0, 0, 19_801_000, "", 3_000))
    db.write(order, (5, "C", "SL", "rejected", 0, 0, 0, "later", 2_500))
    db.write("INSERT INTO paper_trade VALUES (7, 1, 10, 10000500, 4000)")
    position = "INSERT INTO paper_position VALUES (?, 'NSE', ?, ?, ?, ?, ?, '2026-11-20')"
    db.write(position, ("SBIN", "MIS", 10, 100_005_000, 20_001_000, 5))
    db.write(position, ("INFY", "CNC", 0, 0, 0, -12_345))
    db.write("UPDATE paper_account SET capital = 5000000000, realised = -12340")


def test_a_file_of_before_comes_along_with_its_money_to_the_unit(former: Database) -> None:
    _trade_as_before(former)
    former.migrate(schema.bridge)
    book = PaperBook(former)
    account = book.account(NOW.date())
    blocked = 19_801_000 + 20_001_000
    assert account.money == PaperMoney(capital=5_000_000_000, realised=-12_340, blocked=blocked)
    lines = PaperLedger(former).lines(limit=10)
    assert [(line.kind, line.symbol, line.order_number, line.blocked, line.realised) for line in lines] == [
        (LedgerKind.CARRIED, "SBIN", None, 20_001_000, 0),
        (LedgerKind.CARRIED, "SBIN", 2, 19_801_000, 0),
        (LedgerKind.CARRIED, None, None, 0, -12_340),
        (LedgerKind.CAPITAL, None, None, 0, 0),
    ]
    (position,) = account.positions
    assert (position.quantity, position.cost, position.blocked, position.realised) == (10, 100_005_000, 20_001_000, 5)


def test_a_file_of_before_comes_along_with_its_orders_and_trades(former: Database) -> None:
    _trade_as_before(former)
    columns = "id, tag, price_type, status, filled_quantity, blocked, rejection_reason, placed_at"
    before = [tuple(row) for row in former.read(f"SELECT {columns} FROM paper_order")]
    former.migrate(schema.bridge)
    assert [tuple(row) for row in former.read(f"SELECT {columns} FROM paper_order")] == before
    (trade,) = former.read("SELECT * FROM paper_trade")
    assert tuple(trade) == (7, 1, 0, 10, 10_000_500, 4_000, 1), "number, order, before, quantity, price, at, multiplier"
    assert [row["n"] for row in former.read("SELECT filled_value AS n FROM paper_order")] == [100_005_000, 0, 0]
    assert [row["n"] for row in former.read("SELECT filled_at AS n FROM paper_order")] == [4_000, None, None]
    assert [row["done_until"] for row in former.read("SELECT done_until FROM paper_clock")] == [4_000]
    assert former.read("PRAGMA foreign_key_check") == []
    book = PaperBook(former)
    (resting,) = book.resting()
    with book.transaction() as page:
        assert page.change(resting, resting)
        assert page.add(resting) is None, "its reference is used already"
        page.add_trade(2, 0, 10, 9_900_500, NOW, multiplier=1)


def test_an_untouched_account_has_no_day_that_is_due(former: Database) -> None:
    former.migrate(schema.bridge)
    assert former.read("SELECT * FROM paper_clock") == []
    assert len(PaperLedger(former).lines(limit=10)) == 1


def test_trades_of_before_count_as_their_position_does(former: Database) -> None:
    _trade_as_before(former)
    schema.bridge.apply(former.tables, stop_before="m026_multiplier_of_trades")
    former.write("UPDATE paper_position SET multiplier = 100")
    former.migrate(schema.bridge)
    assert [row["multiplier"] for row in former.read("SELECT multiplier FROM paper_trade")] == [100]
