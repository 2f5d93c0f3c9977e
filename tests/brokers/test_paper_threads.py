"""Several threads at one book: nothing is lost, nothing happens twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import BrokerOrderId, Product
from tests.brokers.desk import SBIN, Floor

THREADS = 8


def together(*acts: Callable[[], object]) -> list[object]:
    """Run every act in a thread of its own, begun at once; what each returned, or the refusal it met."""
    gate = threading.Barrier(len(acts))
    results: list[object] = [None] * len(acts)

    def run(place: int, act: Callable[[], object]) -> None:
        gate.wait()
        try:
            results[place] = act()
        except Rejected as refusal:
            results[place] = refusal

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_eight_threads_trade_one_symbol_and_every_unit_is_counted(floor: Floor) -> None:
    def trade(number: int) -> list[BrokerOrderId]:
        return [floor.buy(number + 1) if turn % 3 else floor.sell(number + 1) for turn in range(15)]

    placed = together(*(partial(trade, number) for number in range(THREADS)))
    ids = [order_id for batch in placed for order_id in batch]  # type: ignore[attr-defined]
    assert len(set(ids)) == THREADS * 15 == floor.rows("paper_trade")
    assert floor.position().quantity == sum((10 - 5) * (number + 1) for number in range(THREADS))
    money = floor.book.account(floor.clock.now().date()).money
    (row,) = floor.book.positions(floor.clock.now().date())
    cash = sum(-t.action.sign * t.quantity * t.price for t in floor.exchange.trade_book())
    assert money.realised - row.cost == cash * 10_000


def test_of_a_fill_and_a_cancel_exactly_one_wins(floor: Floor) -> None:
    for _ in range(25):
        floor.market.last = Decimal("1000")
        order_id = floor.buy(1, limit="980.00")
        trades = floor.rows("paper_trade")
        floor.market.last = Decimal("970")
        results = together(*[partial(floor.cancel, order_id)] * 4, *[floor.exchange.order_book] * 4)
        won = sum(not isinstance(result, Rejected) for result in results[:4])
        filled = floor.rows("paper_trade") - trades
        assert won + filled == 1
        assert floor.order(order_id).status is (OrderStatus.COMPLETE if filled else OrderStatus.CANCELLED)
    rows = floor.book.positions(floor.clock.now().date())
    assert floor.book.account(floor.clock.now().date()).money.blocked == sum(row.blocked for row in rows)
    assert floor.rows("paper_trade") == sum(row.quantity for row in rows)


def test_eight_threads_with_one_reference_buy_once(floor: Floor) -> None:
    ref = floor.ref()
    results = together(*[lambda: floor.send(SBIN, ref)] * THREADS)
    assert sum(isinstance(result, Rejected) for result in results) == THREADS - 1
    assert (floor.rows("paper_order"), floor.position().quantity) == (1, 10)


def test_eight_threads_cannot_spend_the_same_money(floor: Floor) -> None:
    results = together(*[lambda: floor.buy(4_000, Product.CNC)] * THREADS)
    assert sum(isinstance(result, Rejected) for result in results) == THREADS - 2
    assert floor.exchange.funds().available >= 0
