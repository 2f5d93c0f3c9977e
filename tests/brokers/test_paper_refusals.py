"""Everything the exchange refuses an order for, word for word. SBIN stands at 1000.00, its account has a crore."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.brokers.paper import decisions, rules
from openalgo_bridge.errors import NotFound, Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderRequest, PriceType, Product, Ref
from tests.brokers.desk import SBIN, Floor, opened, order
from tests.store import listing
from tests.store.listing import DECEMBER, contract, share

CALL = replace(SBIN, symbol="NIFTY29DEC2626000CE", exchange=Exchange.NFO, product=Product.NRML, quantity=65)
FUTURE = replace(CALL, symbol="NIFTY29DEC26FUT")
LISTED = (
    share("SBIN", freeze_quantity=100_000),
    share("NIFTY", exchange=Exchange.NSE_INDEX),
    contract("NIFTY", Kind.FUT, DECEMBER),
    contract("NIFTY", Kind.CE, DECEMBER, 26_000),
)


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    with opened(tmp_path) as floor, listing.opened(tmp_path) as listed:
        listed.take(*LISTED, accept_fewer=True)
        yield floor


def limit(request: OrderRequest, price: str) -> OrderRequest:
    return replace(request, price_type=PriceType.LIMIT, price=Decimal(price))


def stop(request: OrderRequest, trigger: str, price: str | None = None) -> OrderRequest:
    asked = replace(request, price_type=PriceType.SL_M, trigger_price=Decimal(trigger))
    return asked if price is None else replace(asked, price_type=PriceType.SL, price=Decimal(price))


def sell(request: OrderRequest) -> OrderRequest:
    return replace(request, action=Action.SELL)


IN_THE_BOOK = [
    (
        replace(SBIN, symbol="NIFTY", exchange=Exchange.NSE_INDEX),
        "NIFTY is an index: it can be quoted, not traded.",
    ),
    (
        replace(SBIN, product=Product.NRML),
        "NRML product not allowed for NSE equity segment. Use CNC or MIS.",
    ),
    (
        replace(CALL, product=Product.CNC),
        "CNC product not allowed for NFO derivatives segment. Use NRML or MIS.",
    ),
    (replace(CALL, quantity=66), "Quantity must be in multiples of lot size 65"),
    (replace(CALL, quantity=1820), "Quantity 1,820 is above the freeze quantity 1,800 of one order."),
    (replace(SBIN, price_type=PriceType.LIMIT), "LIMIT orders require price"),
    (limit(SBIN, "999.97"), "Price 999.97 is not a multiple of the tick size 0.05."),
    (limit(SBIN, "1000.000001"), "Price 1,000.000001 is not a multiple of the tick size 0.05."),
    (replace(stop(SBIN, "1010"), price_type=PriceType.SL), "SL orders require price"),
    (replace(SBIN, price_type=PriceType.SL, price=Decimal(1010)), "SL orders require trigger_price"),
    (replace(SBIN, price_type=PriceType.SL_M), "SL-M orders require trigger_price"),
    (stop(SBIN, "1010.01"), "Trigger price 1,010.01 is not a multiple of the tick size 0.05."),
    (stop(SBIN, "1010", "1009.95"), "The limit 1,009.95 of a BUY stop must not be below its trigger 1,010.00."),
    (stop(sell(SBIN), "990", "990.05"), "The limit 990.05 of a SELL stop must not be above its trigger 990.00."),
    (
        stop(SBIN, "999.95"),
        "The trigger 999.95 of a BUY stop must not be below the last price 1,000.00: it would be reached at once.",
    ),
    (
        stop(sell(SBIN), "1000.05", "999"),
        "The trigger 1,000.05 of a SELL stop must not be above the last price 1,000.00: it would be reached at once.",
    ),
    (
        stop(FUTURE, "1000", "1030.10"),
        "The limit 1,030.10 is too far from the trigger 1,000.00: NIFTY29DEC26FUT allows 30.00 rupees.",
    ),
    (
        stop(sell(FUTURE), "50", "48.40"),
        "The limit 48.40 is too far from the trigger 50.00: NIFTY29DEC26FUT allows 1.50 rupees.",
    ),
    (
        stop(CALL, "1000", "1200.05"),
        "The limit 1,200.05 is too far from the trigger 1,000.00: NIFTY29DEC2626000CE allows 200.00 rupees.",
    ),
    (
        stop(sell(CALL), "50", "39.95"),
        "The limit 39.95 is too far from the trigger 50.00: NIFTY29DEC2626000CE allows 10.00 rupees.",
    ),
    (
        limit(SBIN, "1200.05"),
        "Price 1,200.05 is outside the price band of SBIN today, 800.00 to 1,200.00 rupees.",
    ),
    (
        limit(sell(SBIN), "799.95"),
        "Price 799.95 is outside the price band of SBIN today, 800.00 to 1,200.00 rupees.",
    ),
    (
        stop(SBIN, "1300"),
        "Trigger price 1,300.00 is outside the price band of SBIN today, 800.00 to 1,200.00 rupees.",
    ),
    (
        limit(FUTURE, "1100.10"),
        "Price 1,100.10 is outside the price band of NIFTY29DEC26FUT today, 900.00 to 1,100.00 rupees.",
    ),
    (
        sell(replace(SBIN, product=Product.CNC)),
        "Insufficient shares for a CNC SELL of 10 SBIN: 0 are free to sell.",
    ),
    (
        replace(SBIN, quantity=50_000),
        "Insufficient funds. Needed: 1,00,00,500.00 rupees, available: 1,00,00,000.00 rupees.",
    ),
]
"""Refused by a row of the book: an order, and why."""


@pytest.mark.parametrize(("request_", "sentence"), IN_THE_BOOK, ids=[sentence[:60] for _, sentence in IN_THE_BOOK])
def test_a_refused_order_stands_in_the_book_with_its_sentence(
    floor: Floor, request_: OrderRequest, sentence: str
) -> None:
    with pytest.raises(Rejected) as refused:
        floor.send(request_)
    (row,) = floor.exchange.order_book()
    assert refused.value.message == sentence == row.rejection_reason
    assert (row.status, floor.rows("paper_trade"), floor.exchange.funds().used) == (OrderStatus.REJECTED, 0, 0)


@pytest.mark.parametrize(
    "request_",
    [
        limit(SBIN, "1200.00"),
        limit(sell(SBIN), "800.00"),
        limit(CALL, "1.00"),
        limit(FUTURE, "900.00"),
        stop(SBIN, "1000.00", "1200.00"),
        stop(sell(SBIN), "1000.00"),
        stop(FUTURE, "1000.00", "1030.00"),
        stop(sell(CALL), "1000.00", "800.00"),
        stop(sell(CALL), "50.00", "40.00"),
    ],
)
def test_what_is_just_inside_every_bound_is_taken(floor: Floor, request_: OrderRequest) -> None:
    assert floor.order(floor.send(request_)).status is not OrderStatus.REJECTED


def test_what_expired_is_refused(floor: Floor) -> None:
    floor.clock.move(days=40)
    with pytest.raises(Rejected) as refused:
        floor.send(CALL)
    assert refused.value.message == "NIFTY29DEC2626000CE expired on 2026-12-29."


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (replace(SBIN, symbol="NOSUCH"), "Symbol NOSUCH not found on NSE"),
        (replace(SBIN, quantity=0), "Quantity or price is out of range."),
        (limit(SBIN, "5000000.05"), "Quantity or price is out of range."),
        (stop(SBIN, "5000000.05"), "Quantity or price is out of range."),
        (replace(SBIN, disclosed_quantity=-1), "Quantity or price is out of range."),
    ],
)
def test_what_no_book_could_hold_is_refused_without_a_row(floor: Floor, request_: OrderRequest, sentence: str) -> None:
    with pytest.raises(Rejected) as refused:
        floor.send(request_)
    assert (refused.value.message, floor.rows("paper_order")) == (sentence, 0)


def test_a_reference_is_used_once(floor: Floor) -> None:
    floor.send(SBIN, Ref("A"))
    with pytest.raises(Rejected) as refused:
        floor.send(SBIN, Ref("A"))
    assert (refused.value.message, floor.rows("paper_order")) == (
        "Reference A was already used by an earlier order.",
        1,
    )


def test_one_paisa_short_is_short_and_the_exact_amount_is_enough(floor: Floor) -> None:
    """10 shares at the ask of 1000.05 need 10000.50; orders that rest set the rest of the crore aside."""
    floor.buy(9_989, Product.CNC, limit="1000.00")
    floor.buy(4, limit="1000.00")
    last = floor.buy(1, limit="997.55")
    assert floor.exchange.funds().available == Decimal("10000.49")
    with pytest.raises(Rejected) as refused:
        floor.buy(10, Product.CNC)
    assert refused.value.message == "Insufficient funds. Needed: 10,000.50 rupees, available: 10,000.49 rupees."
    floor.modify(last, order(Action.BUY, 1, limit="997.50"))
    assert floor.order(floor.buy(10, Product.CNC)).status is OrderStatus.COMPLETE
    assert floor.exchange.funds().available == 0


CHANGES = [
    (order(Action.SELL, 10, limit="980.00"), "The order is BUY SBIN NSE MIS. That part of it cannot be changed."),
    (order(Action.BUY, 10, limit="979.99"), "Price 979.99 is not a multiple of the tick size 0.05."),
    (
        order(Action.BUY, 10, limit="700.00"),
        "Price 700.00 is outside the price band of SBIN today, 800.00 to 1,200.00 rupees.",
    ),
]


@pytest.mark.parametrize(("wanted", "sentence"), CHANGES)
def test_a_refused_change_says_why(floor: Floor, wanted: OrderRequest, sentence: str) -> None:
    order_id = floor.buy(limit="980.00")
    with pytest.raises(Rejected) as refused:
        floor.modify(order_id, wanted)
    assert refused.value.message == sentence


def test_what_has_ended_or_never_was_can_be_neither_changed_nor_withdrawn(floor: Floor) -> None:
    done, unknown = floor.buy(), BrokerOrderId("26112199999999")
    for act, sentence in (
        (lambda: floor.modify(done, SBIN), "Cannot modify order in complete status"),
        (lambda: floor.cancel(done), "Cannot cancel order in complete status"),
    ):
        with pytest.raises(Rejected) as refused:
            act()
        assert refused.value.message == sentence
    with pytest.raises(NotFound) as missing:
        floor.cancel(unknown)
    assert missing.value.message == f"Order {unknown} not found"


def _sentences(source: Path) -> Iterator[str]:
    """The first words of every sentence in a module: of each text that is no docstring and has a space in it."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    first = (node.body[0] for node in ast.walk(tree) if isinstance(node, documented))
    docs = {id(each.value) for each in first if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            words = node.value.strip()
            if words.count(" ") >= 2:
                yield words


def test_no_sentence_about_an_order_is_without_a_test() -> None:
    """Also one that is added later: it must be told here, or in the tests of this folder, word for word."""
    told = "".join(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_paper_*.py")))
    for module in (rules, decisions):
        assert module.__file__ is not None
        for sentence in _sentences(Path(module.__file__)):
            assert sentence in told, f"{module.__name__}: {sentence}"
