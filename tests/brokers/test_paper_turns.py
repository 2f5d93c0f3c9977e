"""Threads that take turns, and one that will not wait for long."""

from __future__ import annotations

import threading

from openalgo_bridge.brokers.paper.turns import Turns


def in_a_thread(turns: Turns, patience_s: float) -> bool:
    taken: list[bool] = []

    def take() -> None:
        with turns.taken(patience_s) as is_taken:
            taken.append(is_taken)

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return taken[0]


def test_who_has_no_patience_goes_without_its_turn_and_the_next_one_has_it() -> None:
    turns = Turns()
    with turns.taken() as is_taken:
        assert is_taken
        assert not in_a_thread(turns, 0)
    assert in_a_thread(turns, 0)


def test_a_turn_that_ends_by_an_error_is_given_back() -> None:
    turns = Turns()
    try:
        with turns.taken():
            raise ValueError
    except ValueError:
        assert in_a_thread(turns, 0)
