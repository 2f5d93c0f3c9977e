"""A desk with real files and no broker: the account needs nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.store import Store
from openalgo_bridge.trading.budget import Budget
from openalgo_bridge.trading.doors import Doors
from openalgo_bridge.trading.drilled import Drills
from tests.conftest import CHEAP, FixedClock


@pytest.fixture
def desk(settings: Settings, clock: FixedClock, new_files: Path) -> Iterator[Desk]:
    shutil.copytree(new_files, settings.db_dir, dirs_exist_ok=True)
    opened = open_desk(settings, clock)
    yield opened
    opened.close()


def open_desk(settings: Settings, clock: FixedClock) -> Desk:
    store = Store.open(settings.db_dir, clock)
    return Desk(
        settings=settings,
        clock=clock,
        store=store,
        brokers={},
        argon2=CHEAP,
        doors=Doors(),
        budget=Budget(1),
        throttles={},
        drills=Drills(clock),
    )
