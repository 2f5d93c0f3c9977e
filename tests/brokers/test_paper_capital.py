"""What the paper account was given, and how it is begun anew. SBIN stands at 1000.00, bid 999.95, ask 1000.05."""

from __future__ import annotations

from decimal import Decimal

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Exchange, Product
from openalgo_bridge.model.paper import LedgerKind, PaperHolding, to_units
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.paper_capital import ENDED, Begin, PaperCapital
from openalgo_bridge.store.paper_ledger import PaperLedger
from tests.brokers.desk import Floor
from tests.conftest import TRADER

CRORE = Decimal(10_000_000)
LAKH = to_units(Decimal(100_000))


@pytest.fixture
def capital(floor: Floor) -> PaperCapital:
    return PaperCapital(floor.db, floor.book, floor.clock)


def money(floor: Floor) -> tuple[Decimal, Decimal, Decimal]:
    funds = floor.exchange.funds()
    return funds.available, funds.used, funds.realised


def test_another_capital_moves_what_can_be_used_by_the_difference(floor: Floor, capital: PaperCapital) -> None:
    floor.buy(10, Product.CNC)
    capital.set(LAKH, by=TRADER)
    assert money(floor) == (Decimal("89999.5"), Decimal("10000.5"), 0)
    assert floor.position(Product.CNC).quantity == 10
    (line, *_) = PaperLedger(floor.db).lines(limit=1)
    assert (line.kind, line.after.capital) == (LedgerKind.CAPITAL, LAKH)


def test_less_capital_than_is_in_use_leaves_nothing_to_use_and_takes_nothing_away(
    floor: Floor, capital: PaperCapital
) -> None:
    floor.buy(200, Product.CNC)
    capital.set(LAKH, by=TRADER)
    assert money(floor)[0] == Decimal(100_000) - Decimal("200010")
    floor.sell(200, Product.CNC)
    assert money(floor)[0] == Decimal(100_000) - 20


def test_a_change_of_the_capital_is_audited_and_the_same_again_is_none(floor: Floor, capital: PaperCapital) -> None:
    capital.set(LAKH, by=TRADER)
    capital.set(LAKH, by=TRADER)
    (line,) = AuditLog(floor.db, floor.clock).page()
    assert (line.event, line.before, line.after) == (
        AuditEvent.PAPER_CAPITAL, "10000000 rupees", "100000 rupees",
    )  # fmt: skip


def test_an_account_that_is_begun_anew_holds_nothing_and_owes_nothing(floor: Floor, capital: PaperCapital) -> None:
    floor.buy(10)
    floor.sell(4)
    floor.buy(5, Product.CNC)
    working = floor.buy(10, limit="900.00")
    hold(floor)
    capital.reset(LAKH, by=TRADER)
    assert money(floor) == (Decimal(100_000), 0, 0)
    assert (floor.exchange.positions(), floor.book.holdings()) == ([], [])
    assert (floor.exchange.order_book(), floor.exchange.trade_book()) == ([], [])
    assert (floor.order(working).status, floor.order(working).rejection_reason) == (OrderStatus.CANCELLED, ENDED)


def test_nothing_is_deleted(floor: Floor, capital: PaperCapital) -> None:
    floor.buy(10)
    floor.sell(10)
    before = {table: floor.rows(table) for table in ("paper_order", "paper_trade", "paper_ledger")}
    capital.reset(LAKH, by=TRADER)
    after = {table: floor.rows(table) for table in before}
    assert after == before | {"paper_ledger": before["paper_ledger"] + 1}


def test_the_books_tell_what_came_after_it_even_in_the_same_moment(floor: Floor, capital: PaperCapital) -> None:
    floor.buy(10)
    assert len(floor.exchange.order_book()) == 1
    capital.reset(LAKH, by=TRADER)
    again = floor.sell(3)
    assert [each.id for each in floor.exchange.order_book()] == [again]
    assert [each.order_id for each in floor.exchange.trade_book()] == [again]
    assert [(each.quantity, each.realised) for each in floor.exchange.positions()] == [(-3, 0)]


def test_an_order_of_before_is_still_known_by_its_number(floor: Floor, capital: PaperCapital) -> None:
    before = floor.buy(10)
    capital.reset(LAKH, by=TRADER)
    assert floor.order(before).status is OrderStatus.COMPLETE


def test_the_last_begin_is_known_and_how_many_there_were(floor: Floor, capital: PaperCapital) -> None:
    assert capital.begin() == Begin()
    capital.reset(LAKH, by=TRADER)
    floor.buy(1)
    floor.clock.move(minutes=5)
    capital.reset(LAKH, by=TRADER)
    assert capital.begin() == Begin(at=floor.clock.now())
    since = floor.exchange.funds().since_begin
    assert (floor.book.begun_after(), since and since.resets) == (1, 2)


def test_it_is_audited_with_what_was_lost(floor: Floor, capital: PaperCapital) -> None:
    floor.buy(10)
    floor.sell(10)
    capital.reset(LAKH, by=TRADER)
    (line,) = AuditLog(floor.db, floor.clock).page()
    assert (line.event, line.actor.name) == (AuditEvent.PAPER_RESET, "trader")
    assert (line.before, line.after) == ("10000000 rupees, -1.00 booked", "100000 rupees")


def test_it_is_all_or_nothing(floor: Floor, capital: PaperCapital) -> None:
    floor.buy(10)
    before = money(floor)
    floor.db.write("CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(StorageError):
        capital.reset(LAKH, by=TRADER)
    assert money(floor) == before
    assert floor.position().quantity == 10


def hold(floor: Floor) -> None:
    """Seven shares that were delivered."""
    with floor.book.transaction() as book:
        none = PaperHolding(symbol="SBIN", exchange=Exchange.NSE)
        book.save_holding(none, PaperHolding(symbol="SBIN", exchange=Exchange.NSE, quantity=7, cost=70_000_000))
        book.post(LedgerKind.SETTLEMENT, floor.clock.now())
