"""kill -9 while a GTT fires at the paper exchange: it and its order are written together or not at all, and once."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.settings import PROJECT_FOLDER
from tests.brokers.desk import Floor, opened
from tests.brokers.test_paper_gtts import BUY, kept, place
from tests.crash.gtt_victim import MOMENTS


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_leaves_it_waiting_or_fired_and_it_fires_once(tmp_path: Path, moment: str) -> None:
    with opened(tmp_path) as floor:
        number = place(floor, BUY)
    victim = subprocess.run([sys.executable, "-m", "tests.crash.gtt_victim", tmp_path, moment], cwd=PROJECT_FOLDER)
    assert victim.returncode not in {0, 1}, "the victim did not die"
    with opened(tmp_path) as floor:
        was_fired = moment == "after COMMIT"
        assert (kept(floor, number).state, orders_of(floor)) == (
            (GttState.TRIGGERED, 1) if was_fired else (GttState.ACTIVE, 0)
        )
        assert floor.exchange.funds().used == 8_900
        floor.clock.move(seconds=2)
        floor.market.last = Decimal(895)
        assert (kept(floor, number).state, orders_of(floor)) == (GttState.TRIGGERED, 1)


def orders_of(floor: Floor) -> int:
    return floor.rows("paper_order")
