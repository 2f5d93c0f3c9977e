"""kill -9 at each statement of what moves money at the paper exchange: the books are as before or as after it, never in
between; it is done once, and the journal agrees.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.store.database import Database
from openalgo_bridge.trading.reconciliation import Absentees, reconcile
from openalgo_bridge.trading.recovery import recover
from tests.brokers import by_hand
from tests.crash.paper_scenes import SCENES, opened, play, prepare
from tests.crash.test_crash import Nursery
from tests.crash.victim import Death

SAMPLE = [
    ("market fill", "after INSERT INTO paper_trade"),
    ("resting fill", "after UPDATE paper_order"),
    ("square-off", "before INSERT INTO paper_ledger"),
    ("reset", "after COMMIT"),
]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


class Rehearsal:
    """A scene that nobody disturbs: its moments in their order, and the books before and after it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.prepared = folder / "prepared"
        self.prepared.mkdir(mode=0o700)
        prepare(self.prepared, SCENES[name])
        self.before = books(self.prepared)
        self.moments: list[str] = []
        whole = self.copy(folder / "whole")
        play(whole, name, self.moments.append)
        self.after = books(whole)
        written = {moment.removeprefix("after ") for moment in self.moments}
        assert written >= SCENES[name].writes
        assert self.before != self.after

    def copy(self, to: Path) -> Path:
        return Path(shutil.copytree(self.prepared, to))


@pytest.mark.parametrize(("name", "moment"), SAMPLE)
def test_a_kill_in_the_middle_leaves_all_of_it_or_nothing(
    nursery: Nursery, tmp_path: Path, name: str, moment: str
) -> None:
    rehearsal = Rehearsal(tmp_path, name)
    folder = rehearsal.copy(tmp_path / "killed")
    assert nursery.kill(Death(folder=str(folder), route=name, moment=moment)) == moment
    assert was_done(rehearsal, folder) == (moment == "after COMMIT")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", SCENES)
def test_a_kill_at_any_statement_leaves_all_of_it_or_nothing(nursery: Nursery, tmp_path: Path, name: str) -> None:
    rehearsal = Rehearsal(tmp_path, name)
    done = []
    for step, moment in enumerate(rehearsal.moments, 1):
        folder = rehearsal.copy(tmp_path / str(step))
        assert nursery.kill(Death(folder=str(folder), route=name, step=step)) == moment
        done.append(was_done(rehearsal, folder))
        shutil.rmtree(folder)
    first = done.index(True)
    assert rehearsal.moments[first] == "after COMMIT"
    assert done == [False] * first + [True] * (len(done) - first)


def was_done(rehearsal: Rehearsal, folder: Path) -> bool:
    """Whether the scene was played whole before the kill; it was not played in part. The bridge is started twice."""
    left = books(folder)
    assert left in (rehearsal.before, rehearsal.after), "in part"
    for _ in range(2):
        restart(rehearsal, folder, is_done=left == rehearsal.after)
    return left == rehearsal.after


def restart(rehearsal: Rehearsal, folder: Path, *, is_done: bool) -> None:
    """The journal finds out what became of its order, and who looks does what the market or the clock ask for."""
    scene = SCENES[rehearsal.name]
    with opened(folder, scene.moment, scene.last) as stage:
        recover(stage.desk)
        book = stage.exchange.order_book()
        assert reconcile(stage.desk, TradingMode.ANALYZE, book, Absentees(stage.desk.clock)) == []
        tickets = stage.desk.store.journal.tickets(limit=10)
        states = {order.state for order in stage.desk.store.journal.orders_of([each.id for each in tickets])}
        is_asked_for_again = rehearsal.name in {"market fill", "reset"} and not is_done
        is_lost = rehearsal.name == "market fill" and not is_done
        assert states == {OrderState.NOT_PLACED if is_lost else OrderState.SENT}
    assert books(folder) == (rehearsal.before if is_asked_for_again else rehearsal.after)


def books(folder: Path) -> dict[str, object]:
    """All rows, which add up, without the references: they are new in every play."""
    db = Database(folder / "bridge.db", synchronous="FULL")
    try:
        rows = by_hand.read(db)
    finally:
        db.close()
    by_hand.check(rows)
    return {
        table: [{key: row[key] for key in row.keys() if key != "tag"} for row in found]  # noqa: SIM118
        for table, found in rows.tables()
    }
