"""A paper exchange that kills itself while it fires a GTT. Run as a program: folder, moment."""

from __future__ import annotations

import os
import signal
import sys
from decimal import Decimal
from pathlib import Path

if __name__ == "__main__":
    # sqlite-utils imports pandas where it is installed, which takes a second that no user's bridge spends.
    sys.modules["pandas"] = None  # type: ignore[assignment]

from openalgo_bridge.brokers.paper import PaperExchange
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.store.paperbook import PaperBook
from tests.brokers.desk import opened
from tests.faults import WatchedDatabase

MOMENTS = ("after UPDATE paper_gtt", "after INSERT INTO paper_order", "before COMMIT", "after COMMIT")
DIED = 77
"""What the kill looks like where the operating system has no signals."""


def die(_: object = None) -> None:
    """As the power switch does: no handler runs, nothing is flushed."""
    if hasattr(signal, "SIGKILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(DIED)


def look(folder: Path, moment: str) -> None:
    """Look at the market once it has come to the trigger, and die at ``moment``."""
    when, _, sql = moment.partition(" ")

    def watch(statement: str) -> None:
        if statement.startswith(sql):
            die()

    with opened(folder) as floor:
        watched = WatchedDatabase(folder / "bridge.db", **{when: watch})
        floor.clock.move(seconds=1)
        floor.market.last = Decimal(895)
        PaperExchange(
            book=PaperBook(watched),
            market=floor.market,
            instruments=floor.instruments,
            clock=floor.clock,
            calendar=lambda: SHIPPED,
        ).funds()


if __name__ == "__main__":
    look(Path(sys.argv[1]), sys.argv[2])
