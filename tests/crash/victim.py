"""A bridge that kills itself. Run as a program: reads one :class:`Death` a line, answers how each ended.

On POSIX each death is a fork of this program, which has everything imported: a tenth of a second instead of seconds.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # sqlite-utils imports pandas where it is installed, which takes a second that no user's bridge spends.
    sys.modules["pandas"] = None  # type: ignore[assignment]

from openalgo_bridge.account.password import Argon2Cost
from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.order import Action, CloseRequest, Exchange, OrderMode, OrderRequest, TradingMode
from openalgo_bridge.model.ticket import PAGE, Origin
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.journal import Journal
from openalgo_bridge.trading import approvals, closing, orders
from openalgo_bridge.trading.approvals import Revision
from openalgo_bridge.trading.recovery import recover
from tests.crash import paper_scenes
from tests.crash.exchange import FileExchange
from tests.faults import WatchedDatabase, with_database

TRADER = Actor(name="trader")
ORIGIN = Origin(source="api", strategy="crash", request_id="r1")
ORDER = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
REVISION = Revision(quantity=3, price=Decimal(0), trigger_price=Decimal(0), product=ORDER.product)
HITS = "hits.txt"
"""Where a victim writes down, before it dies, at which moment it does."""

DIED = 77
"""What the kill looks like where the operating system has no signals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """Where and when: at the named ``moment``, or at the ``step``-th moment of any name. ``route`` is what it does
    ``rounds`` times: ``auto``, ``approved``, ``revised``, ``closing`` or ``recover``, or the name of a scene of
    ``paper_scenes``. ``on_paper``: at the paper exchange, whose books are in the same file as the journal.
    """

    folder: str
    route: str
    moment: str = ""
    step: int = 0
    rounds: int = 1
    on_paper: bool = False


class Fuse:
    """Ends the process, as the power switch does: no handler runs, nothing is flushed."""

    def __init__(self, death: Death) -> None:
        self._death = death
        self._count = 0
        self.phase = "other"

    def step(self, moment: str) -> None:
        self._count += 1
        if moment == self._death.moment or self._count == self._death.step:
            hits = Path(self._death.folder) / HITS
            with hits.open("a", encoding="utf-8") as file:
                file.write(f"{moment}\n")
            if hasattr(signal, "SIGKILL"):
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(DIED)

    def before(self, sql: str) -> None:
        if sql == "COMMIT":
            self.step(f"{self.phase}.before_commit")

    def after(self, sql: str) -> None:
        self.step(f"{self.phase}.after_commit" if sql == "COMMIT" else f"{self.phase}.inside")


def phased(fuse: Fuse) -> type[Journal]:
    """A journal that tells ``fuse`` which of its transactions runs."""

    @contextmanager
    def phase(name: str) -> Iterator[None]:
        fuse.phase = name
        yield
        fuse.phase = "other"

    class PhasedJournal(Journal):
        def release(self, *given: Any, **named: Any) -> Any:
            with phase("release"):
                return super().release(*given, **named)

        def hold(self, *given: Any, **named: Any) -> Any:
            with phase("hold"):
                return super().hold(*given, **named)

        def approve(self, *given: Any, **named: Any) -> Any:
            with phase("approve"):
                return super().approve(*given, **named)

        def revise(self, *given: Any, **named: Any) -> Any:
            with phase("revise"):
                return super().revise(*given, **named)

        def plan(self, *given: Any, **named: Any) -> Any:
            with phase("plan"):
                return super().plan(*given, **named)

        def claim(self, *given: Any, **named: Any) -> Any:
            with phase("claim"):
                return super().claim(*given, **named)

        def settle(self, *given: Any, **named: Any) -> None:
            with phase("settle"):
                super().settle(*given, **named)

        def interrupt(self) -> Any:
            with phase("interrupt"):
                return super().interrupt()

    return PhasedJournal


def on_paper(folder: Path) -> Desk:
    """A desk in ``folder`` as the product opens it."""
    return open_desk(Settings(db_dir=folder), argon2=Argon2Cost(memory_kib=64, iterations=1, lanes=1))


def opened(folder: Path) -> Desk:
    """A desk in ``folder`` at the exchange that survives."""
    desk = on_paper(folder)
    return replace(desk, brokers={TradingMode.ANALYZE: FileExchange(desk, folder)})


def run(death: Death) -> None:
    """Live until the fuse blows, or to the end."""
    fuse, folder = Fuse(death), Path(death.folder)
    if death.route in paper_scenes.SCENES:
        paper_scenes.play(folder, death.route, fuse.step)
        return
    desk = on_paper(folder)
    database: Database = WatchedDatabase(desk.store.files[0].path, before=fuse.before, after=fuse.after)
    brokers = desk.brokers if death.on_paper else {TradingMode.ANALYZE: FileExchange(desk, folder, fuse.step)}
    desk = replace(with_database(desk, database, phased(fuse)), brokers=brokers)
    if death.route == "recover":
        recover(desk)
        return
    desk.doors.open()
    for _ in range(death.rounds):
        one_order(desk, death.route)


def one_order(desk: Desk, route: str) -> None:
    mode = OrderMode.AUTO if route in {"auto", "closing"} else OrderMode.SEMI_AUTO
    if desk.store.preferences.order_mode() is not mode:
        desk.store.preferences.set_order_mode(mode, by=TRADER)
    made = orders.place(desk, ORDER, ORIGIN).ticket
    if route == "revised":
        made = approvals.revise(desk, made.id, made.shown, REVISION, by=TRADER)
    if route in {"approved", "revised"}:
        approvals.approve(desk, made.id, made.shown, by=TRADER)
    if route == "closing":
        orders.place(desk, replace(ORDER, symbol="TCS"), ORIGIN)
        closing.close(desk, CloseRequest(), replace(ORIGIN, source=PAGE))


def ended(death: Death) -> int:
    """Run one victim in a process of its own; its exit code."""
    if not hasattr(os, "fork"):
        given = json.dumps(asdict(death))
        return subprocess.run([sys.executable, "-m", "tests.crash.victim", given], check=False).returncode
    child = os.fork()
    if child == 0:
        try:
            run(death)
        except BridgeError as error:
            print(f"victim: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    if len(sys.argv) > 1:
        run(Death(**json.loads(sys.argv[1])))
        return
    for line in sys.stdin:
        print(ended(Death(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
