"""The exchange's arithmetic on its own: rounding, and the smallest amounts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from openalgo_bridge.brokers.paper.fills import Fill
from openalgo_bridge.brokers.paper.matching import effect, margin, reducing_quantity
from openalgo_bridge.model.order import Action, Exchange, Product
from openalgo_bridge.model.paper import PaperPosition
from tests.brokers.desk import order

TODAY = date(2026, 11, 21)
FLAT = PaperPosition(symbol="SBIN", exchange=Exchange.NSE, product=Product.MIS, realised_on=TODAY)


@pytest.mark.parametrize(("value", "blocked"), [(0, 0), (1, 1), (5, 1), (6, 2), (10, 2)])
def test_a_margin_is_rounded_up(value: int, blocked: int) -> None:
    assert margin(order(Action.BUY, product=Product.MIS), Fill(1, value), 1) == blocked
    assert margin(order(Action.BUY, product=Product.CNC), Fill(1, value), 1) == value


@pytest.mark.parametrize(("side", "sign"), [(Action.BUY, 1), (Action.SELL, -1)])
def test_cost_that_does_not_divide_is_rounded_towards_zero_and_the_rest_stays(side: Action, sign: int) -> None:
    held = replace(FLAT, quantity=3 * sign, cost=100 * sign, blocked=20)
    other = Action.SELL if side is Action.BUY else Action.BUY
    first = effect(held, order(other, 1), Fill(40, 1), TODAY)
    assert (first.position.cost, first.position.blocked, first.released) == (67 * sign, 14, 6)
    assert first.gain == (40 - 33) * sign
    last = effect(first.position, order(other, 2), Fill(40, 2), TODAY)
    assert (last.position.quantity, last.position.cost, last.position.blocked) == (0, 0, 0)
    assert first.gain + last.gain == (120 - 100) * sign


def test_a_reversal_closes_at_cost_and_opens_at_the_price() -> None:
    held = replace(FLAT, quantity=2, cost=200, blocked=40)
    turned = effect(held, order(Action.SELL, 5), Fill(110, 5), TODAY)
    assert (turned.position.quantity, turned.position.cost, turned.position.blocked) == (-3, -330, 66)
    assert (turned.gain, turned.margin, turned.released) == (20, 66, 40)


def test_only_a_close_touches_the_profit_of_the_day() -> None:
    yesterday = date(2026, 11, 20)
    held = replace(FLAT, quantity=1, cost=100, blocked=20, realised=7, realised_on=yesterday)
    opened = effect(held, order(Action.BUY, 1), Fill(100, 1), TODAY).position
    assert (opened.realised, opened.realised_on) == (7, yesterday)
    closed = effect(held, order(Action.SELL, 1), Fill(103, 1), TODAY).position
    assert (closed.realised, closed.realised_on) == (3, TODAY)
    again = effect(replace(held, realised_on=TODAY), order(Action.SELL, 1), Fill(103, 1), TODAY).position
    assert again.realised == 10


@pytest.mark.parametrize(
    ("held", "side", "quantity", "closing"),
    [
        (0, Action.BUY, 5, 0),
        (3, Action.BUY, 5, 0),
        (3, Action.SELL, 5, 3),
        (9, Action.SELL, 5, 5),
        (-3, Action.BUY, 5, 3),
    ],
)
def test_what_closes_is_what_is_open_on_the_other_side(held: int, side: Action, quantity: int, closing: int) -> None:
    assert reducing_quantity(replace(FLAT, quantity=held, cost=held), side, quantity) == closing
