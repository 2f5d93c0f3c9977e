"""The arithmetic of exits: whatever is working and wherever the position stands, never past flat."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model import exits
from openalgo_bridge.model.books import BrokerOrder, Holding, OrderStatus, Position
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderRequest, PriceType, Product, Ref

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)


def an_order(action: Action, quantity: int, symbol: str = "RELIANCE", product: Product = Product.MIS) -> OrderRequest:
    return OrderRequest(symbol=symbol, exchange=Exchange.NSE, action=action, quantity=quantity, product=product)


def at_broker(
    request: OrderRequest, number: int = 1, filled: int = 0, status: OrderStatus = OrderStatus.OPEN
) -> BrokerOrder:
    return BrokerOrder(
        id=BrokerOrderId(str(number)),
        tag=Ref(f"T{number}"),
        request=request,
        status=status,
        filled_quantity=filled,
        average_price=Decimal(0),
        placed_at=NOW,
    )


def a_position(quantity: int, symbol: str = "RELIANCE", product: Product = Product.MIS) -> Position:
    return Position(
        symbol=symbol,
        exchange=Exchange.NSE,
        product=product,
        quantity=quantity,
        average_price=Decimal(100),
        ltp=Decimal(100),
        realised=Decimal(0),
    )


actions = st.sampled_from(Action)
quantities = st.integers(1, 500)
orders = st.builds(
    an_order, actions, quantities, st.sampled_from(["RELIANCE", "TCS"]), st.sampled_from([Product.MIS, Product.CNC])
)
books = st.lists(st.tuples(orders, st.integers(0, 500), st.sampled_from(OrderStatus)), max_size=8).map(
    lambda rows: [
        at_broker(order, number, min(filled, order.quantity), status)
        for number, (order, filled, status) in enumerate(rows)
    ]
)


@given(st.integers(-500, 500), orders, books)
def test_an_exit_and_all_that_works_beside_it_never_pass_flat(
    held: int, order: OrderRequest, working: list[BrokerOrder]
) -> None:
    position = a_position(held, order.symbol, order.product)
    room = exits.room(order, working=working, positions=[position], counted=())
    if order.quantity > room:
        return
    same_side = sum(other.pending_quantity for other in working if exits.is_on_same_side(other.request, order))
    after = held + order.action.sign * (order.quantity + same_side)
    assert held != 0
    assert after == 0 or (after > 0) == (held > 0)


@given(st.integers(-500, 500), orders, books)
def test_room_is_exactly_what_is_left(held: int, order: OrderRequest, working: list[BrokerOrder]) -> None:
    """The counterpart: an exit that fits is not refused either."""
    room = exits.room(order, working=working, positions=[a_position(held, order.symbol, order.product)], counted=())
    same_side = sum(other.pending_quantity for other in working if exits.is_on_same_side(other.request, order))
    against = abs(held) if held * order.action.sign < 0 else 0
    assert room == max(0, against - same_side)


def test_an_order_that_adds_is_no_exit() -> None:
    assert exits.room(an_order(Action.BUY, 1), working=(), positions=[a_position(10)], counted=()) == 0
    assert exits.room(an_order(Action.SELL, 1), working=(), positions=[a_position(-10)], counted=()) == 0


def test_another_product_or_symbol_is_another_position() -> None:
    others = [a_position(10, product=Product.CNC), a_position(10, symbol="TCS")]
    assert exits.room(an_order(Action.SELL, 1), working=(), positions=others, counted=()) == 0


@pytest.mark.parametrize(
    ("action", "product", "before", "was_open"),
    [
        (Action.SELL, Product.CNC, 6, True),
        (Action.BUY, Product.CNC, -4, True),
        (Action.SELL, Product.MIS, 0, False),
    ],
)
def test_delivered_shares_count_for_a_delivery_sale_alone(
    action: Action, product: Product, before: int, *, was_open: bool
) -> None:
    delivered = Holding(
        symbol="RELIANCE", exchange=Exchange.NSE, quantity=10, average_price=Decimal(90), ltp=Decimal(100)
    )
    held: list[Position | Holding] = [a_position(-4, product=Product.CNC), delivered]
    effect = exits.effect(an_order(action, 1, product=product), held)
    assert (effect.before, effect.was_open) == (before, was_open)


def test_what_is_counted_elsewhere_and_what_is_replaced_takes_no_room() -> None:
    resting = at_broker(an_order(Action.SELL, 10))
    selling = an_order(Action.SELL, 10)
    room = {
        "neither": exits.room(selling, working=[resting], positions=[a_position(10)], counted=()),
        "counted": exits.room(selling, working=[resting], positions=[a_position(10)], counted={resting.tag}),
        "replaced": exits.room(selling, working=[resting], positions=[a_position(10)], counted=(), replaces=resting.id),
    }
    assert room == {"neither": 0, "counted": 10, "replaced": 10}


@pytest.mark.parametrize(("still_rests", "room"), [(True, 10), (False, 0)])
def test_beside_others_a_new_form_has_room_only_while_it_rests(still_rests: bool, room: int) -> None:
    stop, target = at_broker(an_order(Action.SELL, 10)), at_broker(an_order(Action.SELL, 10), number=2)
    moved = an_order(Action.SELL, 10)
    assert room == exits.room(
        moved,
        working=[stop, target],
        positions=[a_position(10)],
        counted=(),
        replaces=stop.id,
        still_rests=still_rests,
    )


@pytest.mark.parametrize(
    ("action", "price_type", "price", "rests"),
    [
        (Action.SELL, PriceType.MARKET, 0, False),
        (Action.SELL, PriceType.LIMIT, 101, True),
        (Action.SELL, PriceType.LIMIT, 100, False),
        (Action.BUY, PriceType.LIMIT, 99, True),
        (Action.BUY, PriceType.LIMIT, 100, False),
        (Action.SELL, PriceType.SL, 99, True),
        (Action.SELL, PriceType.SL_M, 100, False),
        (Action.BUY, PriceType.SL, 101, True),
        (Action.BUY, PriceType.SL_M, 100, False),
    ],
)
def test_an_order_rests_while_the_last_price_of_100_does_not_fill_or_trigger_it(
    action: Action, price_type: PriceType, price: int, rests: bool
) -> None:
    order = replace(an_order(action, 10), price_type=price_type, price=Decimal(price), trigger_price=Decimal(price))
    assert exits.rests(order, Decimal(100)) is rests


@pytest.mark.parametrize(
    ("held", "sells", "is_exit", "may_reverse"),
    [
        (10, 10, True, False),
        (10, 4, True, False),
        (10, 11, False, True),
        (0, 10, False, True),
        (-10, 10, False, False),
        (None, 10, False, False),
    ],
    ids=["to flat", "a part", "past flat", "closed today", "adds", "never held"],
)
def test_what_an_order_does_to_its_position(held: int | None, sells: int, is_exit: bool, may_reverse: bool) -> None:
    positions = [a_position(50, symbol="TCS")] + ([] if held is None else [a_position(held)])
    effect = exits.effect(an_order(Action.SELL, sells + 3), positions, filled=3)
    assert (effect.is_exit, effect.may_reverse) == (is_exit, may_reverse)


def test_only_what_can_still_fill_takes_room() -> None:
    partly = at_broker(an_order(Action.SELL, 10), filled=4)
    over = at_broker(an_order(Action.SELL, 10), number=2, status=OrderStatus.CANCELLED)
    assert exits.room(an_order(Action.SELL, 1), working=[partly, over], positions=[a_position(10)], counted=()) == 4


def test_the_closing_side_is_the_other_one() -> None:
    assert (exits.closing_action(5), exits.closing_action(-5)) == (Action.SELL, Action.BUY)
