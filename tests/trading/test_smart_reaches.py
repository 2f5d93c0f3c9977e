"""A smart order reaches its target from every state: in slices, worked out anew, whatever others send meanwhile."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.order import BrokerOrderId, CloseRequest, Exchange, OrderRequest, SmartOrderRequest
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.settings import Settings
from openalgo_bridge.trading import closing, orders, smart
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.smart import NothingToDo
from openalgo_bridge.trading.throttle import Throttle
from tests.conftest import CHEAP, FixedClock
from tests.fakes import with_broker
from tests.trading.test_smart_overtaken import BUY, BY_HAND, OTHER, PROGRAM, SELL, Filling, after_the_first_order


class Meddling(StrEnum):
    """What others do while a smart order is carried out. Many is more than one order of it may be."""

    NOTHING = "nothing"
    BUYS_A_FEW = "buys a few"
    SELLS_A_FEW = "sells a few"
    BUYS_MANY = "buys many"
    SELLS_MANY = "sells many"
    CLOSES = "closes everything"
    ELSEWHERE = "trades another symbol"


@dataclass
class Watched(Filling):
    """Notes the position before and after each order that is not of others, and lets them act in between."""

    steps: list[tuple[int, int]] = field(default_factory=list)
    between: list[Meddling] = field(default_factory=list)
    freeze: int = 0
    is_of_others: bool = False

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        before = self.net()
        order_id = super().place(permit)
        if not self.is_of_others:
            self.steps.append((before, self.net()))
        return order_id

    def meddle(self, desk: Desk, meddling: Meddling) -> None:
        """What the bridge refuses others is none of the smart order's business."""
        self.is_of_others = True
        with suppress(BridgeError):
            self._meddle(desk, meddling)
        self.is_of_others = False

    def _meddle(self, desk: Desk, meddling: Meddling) -> None:
        many = self.freeze * 3 // 2
        asked = {
            Meddling.BUYS_A_FEW: replace(BUY, quantity=7),
            Meddling.SELLS_A_FEW: replace(SELL, quantity=7),
            Meddling.BUYS_MANY: replace(BUY, quantity=many),
            Meddling.SELLS_MANY: replace(SELL, quantity=many),
            Meddling.ELSEWHERE: replace(BUY, symbol="TCS"),
        }
        if meddling is Meddling.CLOSES:
            closing.close(desk, CloseRequest(), BY_HAND)
        elif meddling in asked:
            orders.place(desk, asked[meddling], OTHER)


class Crowded(Throttle):
    """Between two orders somebody else acts: after each one, when the next asks whether it may go."""

    def __init__(self, desk: Desk, broker: Watched) -> None:
        super().__init__(8, monotonic=desk.clock.monotonic, wait=lambda _: None)
        self._desk, self._broker, self._seen = desk, broker, 0

    def take_now(self) -> bool:
        broker = self._broker
        if broker.between and not broker.is_of_others and len(broker.steps) > self._seen:
            self._seen = len(broker.steps)
            broker.meddle(self._desk, broker.between.pop(0))
        return True


@contextmanager
def opened(new_files: Path) -> Iterator[Desk]:
    """A desk that nobody has used: one example must not see the orders of another."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(new_files, folder, dirs_exist_ok=True)
        desk = open_desk(Settings(db_dir=Path(folder)), FixedClock(), CHEAP)
        desk.doors.open()
        try:
            yield desk
        finally:
            desk.close()


def freeze_of(desk: Desk) -> int:
    instrument = desk.store.instruments.find(Exchange.NSE, "RELIANCE")
    assert instrument is not None
    return instrument.freeze_quantity


sizes = st.tuples(st.integers(-3, 3), st.integers(-9, 9))
"""So many times the freeze quantity, and a few units."""


@pytest.mark.parametrize("most", [60, pytest.param(1500, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_whatever_others_do_it_goes_towards_its_target_and_a_quiet_request_gets_there(
    new_files: Path, most: int
) -> None:
    @settings(max_examples=most, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    # Others carry it past the target between two slices, or take a little of it upon themselves.
    @example((0, 0), (3, 0), [Meddling.BUYS_MANY], Meddling.BUYS_MANY)
    @example((0, 0), (-2, 0), [Meddling.SELLS_A_FEW], Meddling.NOTHING)
    @given(sizes, sizes, st.lists(st.sampled_from(Meddling), max_size=4), st.sampled_from(Meddling))
    def reaches(there: tuple[int, int], wanted: tuple[int, int], between: list[Meddling], reading: Meddling) -> None:
        with opened(new_files) as desk:
            freeze = freeze_of(desk)
            broker = Watched(desk, between=between, freeze=freeze)
            broker.hold("RELIANCE", there[0] * freeze + there[1])
            scripted = with_broker(desk, broker)
            broker.late = lambda: broker.meddle(scripted, reading)
            crowded = replace(scripted, throttles={"scripted": Crowded(scripted, broker)})
            reach(crowded, broker, wanted[0] * freeze + wanted[1])

    reaches()


def reach(desk: Desk, broker: Watched, target: int) -> None:
    wanted = SmartOrderRequest(order=replace(BUY, quantity=0), position_size=target)
    with suppress(BridgeError):
        smart.place(desk, wanted, PROGRAM)
    assert desk.store.journal.on_their_way() == [], "what is not sent is given up"
    broker.between.clear()
    broker.late = None
    smart.place(desk, wanted, PROGRAM)
    assert broker.net() == target
    for before, after in broker.steps:
        assert before < after <= target or before > after >= target, "each order goes towards the target, never past it"
    assert isinstance(smart.place(desk, wanted, PROGRAM)[0], NothingToDo)
    assert desk.store.journal.on_their_way() == []


def test_what_others_carry_past_the_target_between_two_slices_is_not_carried_further(desk: Desk) -> None:
    freeze, broker = freeze_of(desk), Filling(desk)
    scripted = with_broker(desk, broker)

    def buys_more(desk: Desk) -> None:
        for _ in range(3):
            assert isinstance(orders.place(desk, replace(BUY, quantity=freeze), OTHER), Sent)

    wanted = SmartOrderRequest(order=BUY, position_size=2 * freeze + 1)
    report, _ = smart.place(after_the_first_order(scripted, broker, buys_more), wanted, PROGRAM)
    assert isinstance(report, Report)
    assert [isinstance(leg.result, Sent) for leg in report.legs] == [True, False, False]
    assert broker.net() == 4 * freeze, "the other side was not let go"
    assert scripted.store.journal.on_their_way() == []
