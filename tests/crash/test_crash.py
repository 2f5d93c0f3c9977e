"""kill -9 around the broker call, in a real process: no order lost, none sent twice, none called failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.settings import PROJECT_FOLDER, Settings
from openalgo_bridge.trading import approvals
from openalgo_bridge.trading.recovery import recover
from tests.conftest import CHEAP, TRADER


def run_to_its_death(folder: Path, moment: str, route: str) -> None:
    victim = [sys.executable, "-m", "tests.crash.victim", str(folder), moment, route]
    ended = subprocess.run(victim, cwd=PROJECT_FOLDER, capture_output=True, text=True, timeout=60)
    assert ended.returncode not in {0, 1}, f"the victim did not die: {ended.stderr}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "db"
    folder.mkdir(mode=0o700)
    return folder


def restarted(folder: Path) -> Desk:
    desk = open_desk(Settings(db_dir=folder), argon2=CHEAP)
    recover(desk)
    desk.doors.open()
    return desk


def orders_at_the_exchange(desk: Desk) -> int:
    return len(desk.broker(TradingMode.ANALYZE).order_book())


@pytest.mark.parametrize("route", ["auto", "approved"])
@pytest.mark.parametrize(
    ("moment", "state", "at_the_exchange"),
    [
        ("before_the_call", OrderState.NOT_PLACED, 0),
        ("after_the_call", OrderState.SENT, 1),
        ("after_settling", OrderState.SENT, 1),
    ],
)
def test_a_kill_around_the_broker_call_loses_and_doubles_nothing(
    folder: Path, route: str, moment: str, state: OrderState, at_the_exchange: int
) -> None:
    run_to_its_death(folder, moment, route)
    for _ in range(2):
        desk = restarted(folder)
        (ticket,) = desk.store.journal.tickets()
        (order,) = desk.store.journal.orders_of([ticket.id])
        assert (ticket.state, order.state) == (TicketState.RELEASED, state)
        assert orders_at_the_exchange(desk) == at_the_exchange
        assert (order.broker_order_id is not None) == (at_the_exchange == 1)
        desk.close()


def test_what_was_held_is_still_held_and_goes_once(folder: Path) -> None:
    run_to_its_death(folder, "while_held", "approved")
    desk = restarted(folder)
    (held,) = desk.store.journal.held()
    approvals.approve(desk, held.id, held.shown, by=TRADER)
    assert orders_at_the_exchange(desk) == 1
    desk.close()
    desk = restarted(folder)
    assert orders_at_the_exchange(desk) == 1
    desk.close()
