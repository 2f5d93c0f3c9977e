"""Who waits for a position keeps a thread of the web server, so few may."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from functools import partial
from queue import SimpleQueue

import pytest

from openalgo_bridge.errors import Busy
from openalgo_bridge.model.order import Exchange, Product, TradingMode
from openalgo_bridge.trading.turns import Turns
from tests.fakes import each_in_a_thread

RELIANCE = (TradingMode.ANALYZE, Exchange.NSE, "RELIANCE", Product.MIS)
TCS = (TradingMode.ANALYZE, Exchange.NSE, "TCS", Product.MIS)
SBIN = (TradingMode.ANALYZE, Exchange.NSE, "SBIN", Product.MIS)

Position = tuple[TradingMode, Exchange, str, Product]


@pytest.fixture
def turns() -> Turns:
    return Turns(quick_s=0)


def asking(turns: Turns, *positions: Position) -> AbstractContextManager[SimpleQueue[object]]:
    """A thread for each position that wants its turn, and what each comes to."""

    def ask(position: Position) -> str:
        try:
            with turns.of(position):
                return "done"
        except Busy:
            return "busy"

    return each_in_a_thread(*(partial(ask, each) for each in positions))


def test_of_those_who_want_one_position_one_waits_and_the_others_are_told_at_once(turns: Turns) -> None:
    held = ExitStack()
    held.enter_context(turns.of(RELIANCE))
    with asking(turns, RELIANCE, RELIANCE, RELIANCE) as said:
        assert [said.get(), said.get()] == ["busy", "busy"]
        held.close()
    assert said.get() == "done"


def test_of_all_positions_together_two_wait(turns: Turns) -> None:
    held = ExitStack()
    for position in (RELIANCE, TCS, SBIN):
        held.enter_context(turns.of(position))
    with asking(turns, RELIANCE, TCS, SBIN) as said:
        assert said.get() == "busy"
        held.close()
    assert [said.get(), said.get()] == ["done", "done"]


def test_who_looks_again_keeps_nobody_from_waiting_for_a_turn(turns: Turns) -> None:
    held = ExitStack()
    held.enter_context(turns.of(RELIANCE))
    with turns.patience() as first, turns.patience() as second, turns.patience() as third:
        assert (first, second, third) == (True, True, False)
        with asking(turns, RELIANCE, RELIANCE) as said:
            assert said.get() == "busy"
            held.close()
        assert said.get() == "done"


def test_who_has_waited_makes_room_for_the_next(turns: Turns) -> None:
    for _ in range(3):
        held = ExitStack()
        held.enter_context(turns.of(RELIANCE))
        with asking(turns, RELIANCE, RELIANCE) as said:
            assert said.get() == "busy"
            held.close()
        assert said.get() == "done"


def test_one_position_does_not_wait_for_another(turns: Turns) -> None:
    with turns.of(RELIANCE), turns.of(TCS):
        pass


def test_a_burst_waits_for_its_turn() -> None:
    turns, held = Turns(quick_s=60), ExitStack()
    held.enter_context(turns.of(RELIANCE))
    with asking(turns, *[RELIANCE] * 8) as said:
        held.close()
    assert [said.get() for _ in range(8)] == ["done"] * 8
