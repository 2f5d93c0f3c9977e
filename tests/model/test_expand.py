"""Smart orders, splits and baskets: the arithmetic, from every state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.exits import rests
from openalgo_bridge.model.expand import (
    FLAT,
    MATCHED,
    MOST_SLICES,
    SmartOrder,
    SmartOrderSettings,
    Working,
    smart_order,
    split,
    working_of,
)
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, PriceType, Product, Ref, SmartOrderRequest
from tests.model.test_exits import an_order, at_broker

BUY, SELL = Action.BUY, Action.SELL
AS_OPENALGO = SmartOrderSettings(counts_working=False, opens_while_flat=True)
CAREFUL = SmartOrderSettings()
ZERO, LAST = Decimal(0), Decimal(100)


def worked_out(
    target: int,
    position: int,
    *working: Working,
    action: Action = BUY,
    quantity: int = 10,
    price_type: PriceType = PriceType.MARKET,
    settings: SmartOrderSettings = CAREFUL,
    price: Decimal = ZERO,
    last_price: Decimal | None = None,
) -> SmartOrder:
    order = replace(an_order(action, quantity), price_type=price_type, price=price)
    request = SmartOrderRequest(order=order, position_size=target)
    return smart_order(request, position=position, working=working, settings=settings, last_price=last_price)


def sent(result: SmartOrder) -> tuple[Action, int] | None:
    return None if result.order is None else (result.order.action, result.order.quantity)


# The table of behaviour 2.4, row by row: target, position, quantity, and what OpenAlgo sends.
TABLE = [
    (0, 0, 10, (SELL, 10)),
    (0, 0, 0, None),
    (0, 25, 10, (SELL, 25)),
    (0, -25, 10, (BUY, 25)),
    (40, 40, 10, None),
    (-40, -40, 0, None),
    (40, 0, 10, (BUY, 40)),
    (-40, 0, 10, (SELL, 40)),
    (40, 15, 10, (BUY, 25)),
    (40, -15, 10, (BUY, 55)),
    (-15, -40, 10, (BUY, 25)),
    (15, 40, 10, (SELL, 25)),
    (-15, 40, 10, (SELL, 55)),
    (-40, -15, 10, (SELL, 25)),
]


@pytest.mark.parametrize(("target", "position", "quantity", "order"), TABLE)
@pytest.mark.parametrize("counts_working", [True, False])
def test_a_row_of_the_table(
    target: int, position: int, quantity: int, order: tuple[Action, int] | None, counts_working: bool
) -> None:
    settings = SmartOrderSettings(counts_working=counts_working, opens_while_flat=True)
    result = worked_out(target, position, action=SELL, quantity=quantity, settings=settings)
    assert sent(result) == order


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(("target", "position"), [row[:2] for row in TABLE if row[:2] != (0, 0)])
def test_the_action_asked_for_means_nothing_where_there_is_a_position_or_a_target(
    action: Action, target: int, position: int
) -> None:
    assert worked_out(target, position, action=action) == worked_out(target, position)


def test_what_is_not_sent_is_told_in_the_words_of_the_dialect() -> None:
    assert worked_out(0, 0, quantity=0).message == FLAT
    assert worked_out(40, 40).message == MATCHED


def test_an_exit_while_flat_opens_nothing_unless_the_trader_said_so() -> None:
    nothing = worked_out(0, 0, action=SELL)
    assert nothing.order is None
    assert nothing.message.startswith(FLAT)
    assert "opens no trade while the position is flat; a setting can allow it" in nothing.message
    allowed = worked_out(0, 0, action=SELL, settings=SmartOrderSettings(opens_while_flat=True))
    assert sent(allowed) == (SELL, 10)
    assert allowed.message == ""


def test_everything_but_side_and_quantity_stays_as_it_was_asked() -> None:
    asked = replace(
        an_order(SELL, 10, product=Product.NRML), price_type=PriceType.LIMIT, price=Decimal("101.5"), symbol="TCS"
    )
    request = SmartOrderRequest(order=asked, position_size=40)
    result = smart_order(request, position=15, working=(), settings=CAREFUL)
    assert result.order == replace(asked, action=BUY, quantity=25)


def test_what_works_already_is_not_sent_again() -> None:
    working = Working(action=BUY, quantity=30)
    assert sent(worked_out(40, 0, working)) == (BUY, 10)
    enough = worked_out(30, 0, working)
    assert enough.order is None
    assert enough.message == "No Action needed. Still working: BUY 30."
    assert sent(worked_out(40, 0, working, settings=AS_OPENALGO)) == (BUY, 40), "as the setting says"


def test_a_fresh_trade_while_flat_is_not_sent_a_second_time() -> None:
    settings = SmartOrderSettings(opens_while_flat=True)
    assert sent(worked_out(0, 0, Working(action=BUY, quantity=10), settings=settings)) is None
    assert sent(worked_out(0, 0, Working(action=SELL, quantity=10), settings=settings)) == (BUY, 10)


def test_what_works_on_the_other_side_is_told_and_does_not_make_the_order_larger() -> None:
    result = worked_out(40, 0, Working(action=SELL, quantity=15))
    assert sent(result) == (BUY, 40)
    assert result.message == "Still working: SELL 15."
    assert worked_out(40, 40, Working(action=SELL, quantity=15)).message == f"{MATCHED} Still working: SELL 15."


def test_once_it_has_filled_the_next_request_makes_up_for_it() -> None:
    assert sent(worked_out(40, 25)) == (BUY, 15)


def test_a_protective_stop_does_not_stand_in_the_way_of_an_exit() -> None:
    stop = Working(action=SELL, quantity=100, is_stop=True)
    result = worked_out(0, 100, stop)
    assert sent(result) == (SELL, 100)
    assert result.message == "Still working: SELL 100 (stop)."
    assert worked_out(100, 100, stop).order is None


def test_a_stop_is_counted_beyond_flat() -> None:
    stop = Working(action=SELL, quantity=100, is_stop=True)
    assert sent(worked_out(-50, 100, stop)) == (SELL, 100), "to flat at once, beyond it the stop may carry it"
    assert sent(worked_out(-150, 100, stop)) == (SELL, 150), "as far as all of them together reach the target"
    assert sent(worked_out(-50, 0, stop)) is None


def test_a_stop_asked_for_twice_works_once() -> None:
    stop = Working(action=SELL, quantity=100, is_stop=True)
    assert worked_out(0, 100, stop, price_type=PriceType.SL_M).order is None
    entry = Working(action=BUY, quantity=100, is_stop=True)
    assert worked_out(100, 0, entry, price_type=PriceType.SL).order is None


def test_a_target_that_waits_for_its_price_does_not_stand_in_the_way_of_an_exit_at_once() -> None:
    target = Working(action=SELL, quantity=100, rests=True)
    result = worked_out(0, 100, target)
    assert sent(result) == (SELL, 100)
    assert result.message == "Still working: SELL 100 (limit)."
    assert sent(worked_out(-50, 100, target)) == (SELL, 100), "to flat at once, beyond it the target may carry it"
    assert sent(worked_out(-50, 0, target)) is None


@pytest.mark.parametrize(
    ("price", "last_price", "order"),
    [
        (Decimal(99), LAST, (SELL, 100)),
        (LAST, LAST, (SELL, 100)),
        (Decimal(101), LAST, None),
        (Decimal(99), None, None),
    ],
)
def test_beside_a_target_a_limit_goes_only_where_it_does_not_wait_itself(
    price: Decimal, last_price: Decimal | None, order: tuple[Action, int] | None
) -> None:
    target = Working(action=SELL, quantity=100, rests=True)
    result = worked_out(0, 100, target, price_type=PriceType.LIMIT, price=price, last_price=last_price)
    assert sent(result) == order


def test_a_stop_is_not_sent_beside_a_target() -> None:
    target = Working(action=SELL, quantity=100, rests=True)
    assert sent(worked_out(0, 100, target, price_type=PriceType.SL_M)) is None


def test_what_is_in_doubt_is_named_as_such_and_not_sent_again() -> None:
    doubt = Working(action=SELL, quantity=100, doubt=Ref("NMASKUBC6XDQB"))
    result = worked_out(0, 100, doubt, Working(action=BUY, quantity=5))
    assert result.order is None
    assert result.message == (
        "Nothing was sent. Still working: BUY 5. SELL 100, order NMASKUBC6XDQB, is in doubt: nobody knows yet whether"
        " it is there. See the Orders page."
    )


def test_a_limit_is_known_to_wait_where_its_price_is_away_from_the_last_one() -> None:
    limits = [replace(an_order(SELL, 10), price_type=PriceType.LIMIT, price=Decimal(price)) for price in (99, 100, 101)]
    orders = [at_broker(each, number) for number, each in enumerate(limits)]
    assert [each.rests for each in working_of(orders, an_order(SELL, 1), LAST)] == [False, False, True]
    assert not any(each.rests for each in working_of(orders, an_order(SELL, 1)))
    triggered = replace(limits[2], price_type=PriceType.SL, trigger_price=Decimal(102))
    assert not working_of([at_broker(triggered, 1)], an_order(SELL, 1), LAST)[0].rests


def test_a_disclosed_quantity_is_never_more_than_what_is_missing() -> None:
    asked = SmartOrderRequest(order=replace(an_order(BUY, 40), disclosed_quantity=20), position_size=40)
    order = smart_order(asked, position=30, working=(), settings=CAREFUL).order
    assert order is not None
    assert (order.quantity, order.disclosed_quantity) == (10, 10)


def test_only_orders_of_the_same_position_work_for_it() -> None:
    mine = an_order(BUY, 50)
    orders = [
        at_broker(mine, 1, filled=20),
        at_broker(an_order(SELL, 30), 2, status=OrderStatus.TRIGGER_PENDING),
        at_broker(mine, 3, filled=50, status=OrderStatus.COMPLETE),
        at_broker(mine, 4, status=OrderStatus.CANCELLED),
        at_broker(an_order(BUY, 50, symbol="TCS"), 5),
        at_broker(an_order(BUY, 50, product=Product.CNC), 6),
    ]
    assert working_of(orders, an_order(SELL, 1)) == (
        Working(action=BUY, quantity=30),
        Working(action=SELL, quantity=30, is_stop=True),
    )


sides = st.sampled_from(Action)
sizes = st.just(0) | st.integers(-300, 300)
quantities = st.integers(1, 200)
# What waits for its trigger waits for no price; what does neither is on its way.
kinds = st.sampled_from([{}, {"is_stop": True}, {"rests": True}])
workings = st.lists(
    st.builds(lambda side, quantity, kind: Working(action=side, quantity=quantity, **kind), sides, quantities, kinds)
)
states = st.tuples(sizes, workings)
careful = st.builds(SmartOrderSettings, counts_working=st.just(True), opens_while_flat=st.booleans())
price_types = st.sampled_from(PriceType)


def reach(position: int, working: list[Working], side: Action, waits: Callable[[Working], bool]) -> int:
    """Where the position gets when what works on one side and does not wait fills, in the direction of that side."""
    filled = sum(each.quantity for each in working if each.action is side and not waits(each))
    return position * side.sign + filled


@given(sizes, states, careful, price_types, st.sampled_from([None, Decimal(99), LAST, Decimal(101)]))
def test_it_never_carries_the_position_past_the_target(
    target: int,
    state: tuple[int, list[Working]],
    settings: SmartOrderSettings,
    price_type: PriceType,
    last_price: Decimal | None,
) -> None:
    position, working = state
    result = worked_out(
        target, position, *working, price_type=price_type, settings=settings, price=LAST, last_price=last_price
    )
    order = result.order
    if order is None:
        return
    is_at_once = price_type is PriceType.MARKET or (last_price is not None and not rests(order, last_price))

    def waits(other: Working) -> bool:
        return other.is_stop or (other.rests and is_at_once)

    goal = target * order.action.sign if target or position else 10  # what a fresh trade asks for
    assert order.quantity > 0
    assert reach(position, working, order.action, waits) + order.quantity <= goal
    waiting = sum(each.quantity for each in working if each.action is order.action and waits(each))
    farthest = reach(position, working, order.action, lambda _: False) + order.quantity
    assert farthest <= max(goal, min(goal, 0) + waiting), "what waits counts beyond flat"


class Market:
    """A broker that fills and cancels whatever hypothesis draws."""

    def __init__(self, position: int, working: list[Working]) -> None:
        self.position = position
        self.working = list(working)

    def take(self, order: OrderRequest) -> None:
        self.working.append(Working(action=order.action, quantity=order.quantity))

    def move(self, data: st.DataObject) -> None:
        """Each working order fills, fills in part, is cancelled, or goes on working."""
        left = []
        for each in self.working:
            filled = data.draw(st.integers(0, each.quantity))
            self.position += filled * each.action.sign
            if filled < each.quantity and data.draw(st.booleans()):
                left.append(replace(each, quantity=each.quantity - filled))
        self.working = left

    def settle(self) -> None:
        """Everything that still works fills."""
        self.position += sum(each.quantity * each.action.sign for each in self.working)
        self.working = []


@given(sizes, states, st.data())
def test_repeated_it_reaches_the_target_from_every_state(
    target: int, state: tuple[int, list[Working]], data: st.DataObject
) -> None:
    market = Market(*state)
    for _ in range(data.draw(st.integers(0, 4))):
        order = worked_out(target, market.position, *market.working).order
        if order is not None:
            market.take(order)
        market.move(data)
    market.settle()
    last = worked_out(target, market.position).order
    if last is not None:
        market.take(last)
        market.settle()
    assert market.position == target
    assert worked_out(target, market.position).order is None


@given(sizes, sizes, st.integers(1, 5))
def test_the_same_request_many_times_sends_one_order_while_it_works(target: int, position: int, times: int) -> None:
    market = Market(position, [])
    orders = []
    for _ in range(times):
        order = worked_out(target, market.position, *market.working).order
        if order is not None:
            orders.append(order)
            market.take(order)
    assert len(orders) == (target != position)


lots = st.sampled_from([1, 15, 25, 65, 120])


@given(lots, st.integers(1, 400), st.integers(1, 20_000), st.integers(0, 3_000))
def test_the_slices_add_up_and_each_is_what_the_exchange_takes(lot: int, count: int, size: int, freeze: int) -> None:
    order = an_order(BUY, lot * count)
    try:
        slices = split(order, size=size, lot=lot, freeze_quantity=freeze)
    except Invalid as refusal:
        most = max(min(size, freeze or size) // lot, 1) * lot
        assert size < lot or order.quantity > most * MOST_SLICES, refusal.message
        return
    assert sum(each.quantity for each in slices) == order.quantity
    assert len(slices) <= MOST_SLICES
    assert all(each.quantity % lot == 0 and 0 < each.quantity <= size for each in slices)
    if freeze >= lot:
        assert all(each.quantity <= freeze for each in slices)
    assert len({each.quantity for each in slices[:-1]}) <= 1, "only the last may be smaller"
    assert all(each.quantity >= slices[-1].quantity for each in slices)


def quantities_of(order: OrderRequest, **how: int) -> list[int]:
    return [each.quantity for each in split(order, **how)]


def test_a_split_is_as_asked_with_the_remainder_last() -> None:
    assert quantities_of(an_order(BUY, 25), size=10, lot=1, freeze_quantity=0) == [10, 10, 5]
    assert quantities_of(an_order(BUY, 10), size=20, lot=1, freeze_quantity=0) == [10]


def test_a_slice_is_a_whole_number_of_lots_below_the_freeze_quantity() -> None:
    nifty = an_order(SELL, 65 * 60)
    assert quantities_of(nifty, size=5_000, lot=65, freeze_quantity=1_800) == [1_755, 1_755, 390]
    assert quantities_of(nifty, size=1_000, lot=65, freeze_quantity=1_800) == [975, 975, 975, 975]


def test_a_disclosed_quantity_is_never_more_than_its_slice() -> None:
    order = replace(an_order(BUY, 25), disclosed_quantity=8)
    assert [each.disclosed_quantity for each in split(order, size=10, lot=1, freeze_quantity=0)] == [8, 8, 5]


@pytest.mark.parametrize(
    ("quantity", "size", "sentence"),
    [
        (65 * 101, 65, "Total number of orders would exceed maximum limit of 100"),
        (130, 0, "splitsize: Split size must be a positive integer."),
        (130, -65, "splitsize: Split size must be a positive integer."),
        (130, 64, "splitsize: Split size must be at least the lot size 65."),
        (100, 65, "quantity: Quantity must be in multiples of lot size 65."),
        (0, 65, "quantity: Quantity must be in multiples of lot size 65."),
    ],
)
def test_a_split_that_cannot_be_is_told(quantity: int, size: int, sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        split(an_order(BUY, quantity), size=size, lot=65, freeze_quantity=1_800)
    assert refusal.value.message == sentence


def test_a_hundred_slices_are_allowed() -> None:
    assert len(split(an_order(BUY, 6_500), size=65, lot=65, freeze_quantity=0)) == MOST_SLICES


def test_the_orders_are_of_the_exchange_of_the_request() -> None:
    order = worked_out(40, 0).order
    assert order is not None
    assert order.exchange is Exchange.NSE
