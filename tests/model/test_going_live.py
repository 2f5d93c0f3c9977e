"""Each limit is set or declined by itself before orders use real money, and nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from decimal import Decimal

import pytest

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.going_live import LIMITS, decided, declining, undecided
from openalgo_bridge.model.guards import GuardSettings, TradingWindow
from openalgo_bridge.model.order import OrderMode

ALL = {"maximum_quantity": "10", "order_value": "50000.50", "orders_per_day": "20", "loss_of_day": "2000"}
NONE = {declining(name): "yes" for name in LIMITS}
SEMI = {"order_mode": "semi_auto"}
OTHERS = GuardSettings(
    open_positions=3,
    allowed_symbols=frozenset({"NSE:SBIN"}),
    trading_window=TradingWindow(opens=time(9, 20), closes=time(15)),
    price_drift=Decimal(1),
    held_for=60,
    rehearse_rate=True,
)


def faults(fields: dict[str, str], guards: GuardSettings = OTHERS) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as refused:
        decided(fields, guards)
    return refused.value.faults


def test_what_is_set_and_what_is_declined_is_in_force_and_every_other_guard_stays() -> None:
    terms = decided(ALL | SEMI | {"let_exits_through": "yes"}, OTHERS)
    assert terms.order_mode is OrderMode.SEMI_AUTO
    assert terms.declined == ()
    assert terms.guards == replace(
        OTHERS,
        maximum_quantity=10,
        order_value=Decimal("50000.50"),
        orders_per_day=20,
        loss_of_day=Decimal(2000),
        let_exits_through=True,
    )
    declined = decided(NONE | {"order_mode": "auto"}, terms.guards)
    assert (declined.order_mode, declined.declined) == (OrderMode.AUTO, LIMITS)
    assert declined.guards == OTHERS


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_that_is_neither_set_nor_declined_is_asked_for(name: str) -> None:
    others = {each: text for each, text in (ALL | SEMI).items() if each != name}
    assert faults(others) == {name: ["Type a limit, or tick that you want none."]}
    assert faults(others | {name: "  "}) == {name: ["Type a limit, or tick that you want none."]}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_cannot_be_both(name: str) -> None:
    assert faults(ALL | SEMI | {declining(name): "yes"}) == {name: ["A limit, or none: not both."]}


@pytest.mark.parametrize("mode", ["", "live", "AUTO"])
def test_every_fault_is_told_at_once(mode: str) -> None:
    wrong = ALL | {"order_mode": mode, "maximum_quantity": "ten", "order_value": "", "loss_of_day": "-1"}
    told = faults(wrong)
    assert set(told) == {"order_mode", "maximum_quantity", "order_value", "loss_of_day"}
    assert told["maximum_quantity"] == ["Must be a whole number from 1 to 100000000."]


def test_only_what_the_person_has_set_is_offered_again() -> None:
    assert undecided(GuardSettings()) == dict.fromkeys(LIMITS, ""), "a default is no decision"
    assert undecided(decided(ALL | SEMI, OTHERS).guards) == ALL
