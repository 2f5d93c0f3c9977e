"""What a page says of one broker does not depend on how another one answers."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotAsked
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.trading.budget import Budget
from openalgo_bridge.trading.patience import reading
from tests.conftest import FixedClock
from tests.fakes import ScriptedBroker, with_broker

PAPER, LIVE = TradingMode.ANALYZE, TradingMode.LIVE
MANY_PAGES = 8


class SteppingClock(FixedClock):
    """Whose steady time moves only when a test moves it, too."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def two_brokers(desk: Desk) -> tuple[Desk, ScriptedBroker]:
    """A paper account that holds something, and the live broker."""
    paper, live = ScriptedBroker(desk), ScriptedBroker(desk)
    paper.hold("RELIANCE", 10)
    return with_broker(with_broker(desk, paper), live, LIVE), live


def test_as_many_reads_as_hang_at_one_broker_keep_no_page_from_the_other(desk: Desk) -> None:
    both, live = two_brokers(replace(desk, budget=Budget(MANY_PAGES + 1)))
    is_asked, let_go = threading.Semaphore(0), threading.Event()

    def hang() -> None:
        is_asked.release()
        let_go.wait()

    def look() -> None:
        with contextlib.suppress(NotAsked):
            reading(both).broker(LIVE).positions()

    live.while_reading = hang
    pages = [threading.Thread(target=look) for _ in range(MANY_PAGES)]
    try:
        for page in pages:
            page.start()
        for _ in pages:
            assert is_asked.acquire(timeout=30)
        assert [each.quantity for each in reading(both).broker(PAPER).positions()] == [10]
    finally:
        let_go.set()
        for page in pages:
            page.join()


def test_the_time_that_one_broker_took_is_not_taken_from_the_other(desk: Desk) -> None:
    clock = SteppingClock()
    both, live = two_brokers(desk)
    page = reading(replace(both, clock=clock))

    def dawdle() -> None:
        clock.seconds += 3600

    live.while_reading = dawdle
    assert list(page.broker(LIVE).positions()) == []
    assert [each.quantity for each in page.broker(PAPER).positions()] == [10]
