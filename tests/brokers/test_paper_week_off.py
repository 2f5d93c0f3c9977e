"""The PC was off for a week and more: what was due is done once, in its order, whatever breaks while it is done."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.order import Action
from openalgo_bridge.store.database import Database
from tests.brokers.test_paper_threads import THREADS, together
from tests.brokers.week_off import (
    DIED,
    FRIDAY,
    Fuse,
    at,
    exchange_on_wednesday,
    floor_on_friday,
    let_the_week_pass,
    trade_on_friday,
)
from tests.faults import WatchedDatabase

ROOT = Path(__file__).resolve().parents[2]
CRORE = Decimal(10_000_000)
plain: Callable[[Path], Database] = partial(Database, synchronous="FULL")


@pytest.fixture
def friday(tmp_path: Path) -> Path:
    """The folder as the PC was switched off."""
    folder = tmp_path / "friday"
    folder.mkdir()
    with floor_on_friday(folder) as floor:
        trade_on_friday(floor)
    return folder


def books(exchange: Broker) -> dict[str, object]:
    """All that can be seen, without the numbers of rows."""
    days = [FRIDAY + timedelta(days=number) for number in range(15)]
    return {
        "positions": [(each.symbol, each.product, each.quantity) for each in exchange.positions()],
        "holdings": [(each.symbol, each.quantity, each.average_price) for each in exchange.holdings()],
        # Each account was begun when its file was made, by the clock of this PC.
        "funds": replace(exchange.funds(), since_begin=None),
        "trades": [
            (each.traded_at, each.action, each.quantity, each.price)
            for day in days
            for each in exchange.trades_of(day)
            if each.symbol == "SBIN"
        ],
    }


def found_in(folder: Path, database: Callable[[Path], Database] = plain) -> dict[str, object]:
    exchange, files = exchange_on_wednesday(folder, database)
    try:
        return books(exchange)
    finally:
        for file in files:
            file.close()


def test_everything_happened_at_its_own_time_and_price(friday: Path) -> None:
    found = found_in(friday)
    assert found["positions"] == []
    assert found["holdings"] == [("SBIN", 20, Decimal("1000.05"))]
    trades = found["trades"]
    assert isinstance(trades, list)
    assert trades[:2] == [
        (at(FRIDAY, 15, 10), Action.SELL, 20, Decimal("984.95")),
        (at(FRIDAY, 14), Action.BUY, 10, Decimal(990)),
    ]
    exchange, files = exchange_on_wednesday(friday, plain)
    funds = exchange.funds()
    closed = 10 * (Decimal("984.95") - Decimal("1000.05")) + 10 * (Decimal("984.95") - 990)
    settled = 65 * (Decimal(1050) - Decimal("1000.05"))
    assert (funds.used, funds.available) == (0, CRORE + closed + settled - 20 * Decimal("1000.05"))
    for file in files:
        file.close()


def test_whether_somebody_looked_meanwhile_makes_no_difference(friday: Path, tmp_path: Path) -> None:
    (tmp_path / "looking").mkdir()
    with floor_on_friday(tmp_path / "looking") as floor:
        trade_on_friday(floor)
        begin = floor.clock.moment
        let_the_week_pass(floor.market, floor.clock)
        end, floor.clock.moment = floor.clock.moment, begin
        while floor.clock.moment < end:
            floor.exchange.funds()
            floor.clock.moment = min(end, floor.clock.moment + timedelta(minutes=47))
        assert books(floor.exchange) == found_in(friday)


def test_eight_threads_that_look_at_once_do_each_thing_once(friday: Path) -> None:
    exchanges, files = zip(*(exchange_on_wednesday(friday, plain) for _ in range(THREADS)), strict=True)
    seen = together(*(exchange.funds for exchange in exchanges))
    for each in files:
        for file in each:
            file.close()
    assert len(set(map(str, seen))) == 1
    assert len(found_in(friday)["trades"]) == 4  # type: ignore[arg-type]


def test_whatever_statement_fails_the_next_look_goes_on_from_there(friday: Path, tmp_path: Path) -> None:
    whole = copied(friday, tmp_path / "whole")
    counting = Fuse(0, lambda: None)
    expected = found_in(whole, lambda path: WatchedDatabase(path, before=counting))
    assert counting.count > 20
    for n in range(1, counting.count + 1):
        folder = copied(friday, tmp_path / str(n))
        with pytest.raises((StorageError, sqlite3.OperationalError)):
            found_in(folder, lambda path, n=n: WatchedDatabase(path, before=Fuse(n, _fail)))  # type: ignore[misc]
        assert found_in(folder) == expected, f"after statement {n}"


def test_a_kill_leaves_each_thing_done_or_not_done(friday: Path, tmp_path: Path) -> None:
    counting = Fuse(0, lambda: None)
    expected = found_in(copied(friday, tmp_path / "whole"), lambda path: WatchedDatabase(path, before=counting))
    command = [sys.executable, "-m", "tests.brokers.week_off", str(friday), str(counting.count // 2)]
    assert subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode == DIED
    assert found_in(friday) == expected


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def _fail() -> None:
    raise sqlite3.OperationalError("disk I/O error")
