"""kill -9 at every named moment and at random ones, against an exchange that survives: no order is lost, none is sent
twice, none without an intent, and none that is there is called absent.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import CloseRequest, OrderMode, TradingMode
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import PAGE
from openalgo_bridge.settings import PROJECT_FOLDER
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import approvals, closing, orders
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.recovery import recover
from tests.conftest import TRADER
from tests.crash.exchange import FileExchange
from tests.crash.victim import HITS, ORDER, ORIGIN, REVISION, Death, on_paper, opened

MOMENTS = {
    "auto": ["release.inside", "release.before_commit", "release.after_commit"],
    "approved": [
        "hold.before_commit",
        "hold.after_commit",
        "approve.inside",
        "approve.before_commit",
        "approve.after_commit",
    ],
}
SENDING = ["broker.before", "broker.after", "settle.before_commit", "settle.after_commit"]
RECOVERING = ["interrupt.before_commit", "interrupt.after_commit", "settle.before_commit", "settle.after_commit"]
CLOSING = [
    "plan.inside",
    "plan.before_commit",
    "plan.after_commit",
    "claim.inside",
    "claim.before_commit",
    "claim.after_commit",
]
KILLS = [(route, moment) for route, moments in MOMENTS.items() for moment in [*moments, *SENDING]]


class Nursery:
    """A program that makes victims."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.victim"],
            cwd=PROJECT_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def kill(self, death: Death) -> str:
        """Run a victim to its end; the moment it died at. It must have died."""
        hits = Path(death.folder) / HITS
        before = len(hits.read_text(encoding="utf-8").splitlines()) if hits.exists() else 0
        code = self.try_to_kill(death)
        after = hits.read_text(encoding="utf-8").splitlines() if hits.exists() else []
        assert code not in {0, 1}, f"the victim did not die at {death}"
        assert len(after) == before + 1, f"the victim died of something else: {code}"
        return after[-1]

    def try_to_kill(self, death: Death) -> int:
        """Run a victim to its end; its exit code."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(asdict(death)) + "\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())

    def close(self) -> None:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        self._program.wait(timeout=60)
        self._program.stdout.close()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with its databases, to be copied."""
    folder = tmp_path_factory.mktemp("prepared") / "db"
    folder.mkdir(mode=0o700)
    opened(folder).close()
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "db"))


def restarted(folder: Path) -> tuple[Desk, FileExchange]:
    """A bridge that has recovered, and its exchange."""
    desk = opened(folder)
    recover(desk)
    desk.doors.open()
    exchange = desk.brokers[TradingMode.ANALYZE]
    assert isinstance(exchange, FileExchange)
    return desk, exchange


def check(folder: Path) -> tuple[int, int]:
    """Restart twice; both times bridge and exchange agree. How many tickets there are, and orders at the exchange."""
    for _ in range(2):
        desk, exchange = restarted(folder)
        tickets = desk.store.journal.tickets(limit=10_000)
        known = {order.ref: order for order in desk.store.journal.orders_of([ticket.id for ticket in tickets])}
        taken = Counter(exchange.taken())
        assert set(taken.values()) <= {1}, "doubled"
        assert set(taken) <= set(known), "sent without an intent"
        dropped = {ref for ref, order in known.items() if was_dropped(desk, order)}
        for ref, order in known.items():
            expected = OrderState.SENT if ref in taken else OrderState.NOT_PLACED
            assert order.state is (OrderState.DROPPED if ref in dropped else expected), f"{ref} is {order.state}"
        released = {ticket.id for ticket in tickets if ticket.state is TicketState.RELEASED}
        assert released == {order.ticket_id for order in known.values()}, "lost"
        check_positions(exchange)
        assert all(known[order.tag].request == order.request for order in exchange.order_book())
        desk.close()
    return len(tickets), len(taken)


def was_dropped(desk: Desk, order: JournalOrder) -> bool:
    """It was never on its way, and its ticket says so."""
    moves = [event.state for event in desk.store.journal.events(order.ticket_id) if event.order_id == order.id]
    if moves != ["planned", "dropped"]:
        return False
    assert "of its orders were not sent" in desk.store.journal.ticket(order.ticket_id).reason
    return True


def check_positions(exchange: FileExchange) -> None:
    """Only closings sell here: none of them went past flat."""
    nets: Counter[str] = Counter()
    for order in exchange.order_book():
        nets[order.request.symbol] += order.filled_quantity * order.request.action.sign
        assert nets[order.request.symbol] >= 0, "past flat"


@pytest.mark.parametrize("moment", CLOSING)
def test_a_kill_in_the_middle_of_a_closing_drops_the_rest_and_says_so(
    nursery: Nursery, folder: Path, moment: str
) -> None:
    assert nursery.kill(Death(folder=str(folder), route="closing", moment=moment)) == moment
    is_planned = moment not in {"plan.inside", "plan.before_commit"}
    assert check(folder) == (3 if is_planned else 2, 2)
    desk, exchange = restarted(folder)
    if is_planned:
        (closes,) = desk.store.journal.tickets(limit=1)
        legs = [order.state for order in desk.store.journal.orders_of([closes.id])]
        was_claimed = moment == "claim.after_commit"
        assert legs == [OrderState.NOT_PLACED if was_claimed else OrderState.DROPPED, OrderState.DROPPED]
    report = closing.close(desk, CloseRequest(), replace(ORIGIN, source=PAGE))
    assert isinstance(report, Report)
    assert (report.is_done, [each.quantity for each in exchange.positions()]) == (True, [0, 0])
    desk.close()
    check(folder)


@pytest.mark.parametrize("moment", ["revise.inside", "revise.before_commit", "revise.after_commit", "approve.inside"])
def test_what_a_kill_leaves_of_a_change_is_the_whole_of_it_or_nothing(
    nursery: Nursery, folder: Path, moment: str
) -> None:
    assert nursery.kill(Death(folder=str(folder), route="revised", moment=moment)) == moment
    desk, exchange = restarted(folder)
    (held,) = desk.store.journal.held()
    assert held.order is not None
    was_revised = moment in {"revise.after_commit", "approve.inside"}
    assert held.order.quantity == (REVISION.quantity if was_revised else ORDER.quantity)
    approvals.approve(desk, held.id, held.shown, by=TRADER)
    assert [order.request for order in exchange.order_book()] == [held.order]
    desk.close()
    assert check(folder) == (1, 1)


@pytest.mark.parametrize(("route", "moment"), KILLS)
def test_a_kill_at_a_named_moment_loses_and_doubles_nothing(
    nursery: Nursery, folder: Path, route: str, moment: str
) -> None:
    assert nursery.kill(Death(folder=str(folder), route=route, moment=moment)) == moment
    tickets, taken = check(folder)
    assert taken == (moment in {"broker.after", "settle.before_commit", "settle.after_commit"})
    is_never_accepted = moment in {"release.inside", "release.before_commit", "hold.before_commit"}
    assert tickets == (0 if is_never_accepted else 1)


@pytest.mark.parametrize("first", ["broker.before", "broker.after"])
@pytest.mark.parametrize("moment", RECOVERING)
def test_a_kill_in_the_middle_of_the_recovery_changes_nothing(
    nursery: Nursery, folder: Path, first: str, moment: str
) -> None:
    nursery.kill(Death(folder=str(folder), route="auto", moment=first))
    for _ in range(2 if moment.endswith("before_commit") else 1):
        assert nursery.kill(Death(folder=str(folder), route="recover", moment=moment)) == moment
    assert check(folder) == (1, int(first == "broker.after"))


@pytest.mark.parametrize("moment", ["hold.after_commit", "approve.before_commit"])
def test_what_was_held_is_still_held_and_goes_once(nursery: Nursery, folder: Path, moment: str) -> None:
    nursery.kill(Death(folder=str(folder), route="approved", moment=moment))
    desk, exchange = restarted(folder)
    (held,) = desk.store.journal.held()
    approvals.approve(desk, held.id, held.shown, by=TRADER)
    assert len(exchange.taken()) == 1
    desk.close()
    assert check(folder) == (1, 1)


@pytest.mark.parametrize("route", ["auto", "approved"])
@pytest.mark.parametrize(
    ("moment", "state", "at_the_exchange"),
    [
        ("claim.after_commit", OrderState.NOT_PLACED, 0),
        ("settle.before_commit", OrderState.SENT, 1),
        ("settle.after_commit", OrderState.SENT, 1),
    ],
)
def test_journal_and_paper_exchange_agree_after_a_kill(
    nursery: Nursery, folder: Path, route: str, moment: str, state: OrderState, at_the_exchange: int
) -> None:
    named = moment.replace("claim", "release" if route == "auto" else "approve")
    nursery.kill(Death(folder=str(folder), route=route, moment=named, on_paper=True))
    for _ in range(2):
        desk = on_paper(folder)
        recover(desk)
        (ticket,) = desk.store.journal.tickets()
        (order,) = desk.store.journal.orders_of([ticket.id])
        assert (ticket.state, order.state) == (TicketState.RELEASED, state)
        assert len(desk.broker(TradingMode.ANALYZE).order_book()) == at_the_exchange
        desk.close()


def campaign(nursery: Nursery, folder: Path, seed: int, kills: int) -> int:
    """Kill at random steps of a few orders, again and again in one folder; how many orders are at the exchange."""
    chance = random.Random(seed)
    for _ in range(kills):
        route = chance.choice(["auto", "approved", "revised", "closing"])
        nursery.kill(Death(folder=str(folder), route=route, step=chance.randint(1, 120), rounds=8))
        if chance.random() < 0.3:
            # The next start dies too, unless it is over before.
            nursery.try_to_kill(Death(folder=str(folder), route="recover", step=chance.randint(1, 20)))
        _, taken = check(folder)
    return taken


@pytest.mark.parametrize("seed", range(6))
def test_kills_at_random_moments_lose_and_double_nothing(nursery: Nursery, folder: Path, seed: int) -> None:
    assert campaign(nursery, folder, seed, kills=10) > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 200))
def test_a_thousand_kills_at_random_moments(nursery: Nursery, folder: Path, seed: int) -> None:
    assert campaign(nursery, folder, seed, kills=10) > 0


@pytest.mark.parametrize(("times", "fault"), [(2, "doubled"), (1, "without an intent")])
def test_the_check_finds_what_it_looks_for(folder: Path, times: int, fault: str) -> None:
    desk, exchange = restarted(folder)
    modes = desk.store.preferences.trading_mode(), OrderMode.AUTO
    _, permit = desk.store.journal.release(orders.draft_of(desk, ORDER, ORIGIN, *modes))
    stranger = replace(permit, ref=new_ref(desk.clock.now()))
    for _ in range(times):
        exchange.place(permit if fault == "doubled" else stranger)  # type: ignore[arg-type]
    desk.close()
    with pytest.raises(AssertionError, match=fault):
        check(folder)
