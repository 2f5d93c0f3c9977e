"""What is decided as of one moment is not written after what time did at a later one.

An order that came just before a square-off and had to wait until that was done would escape it: it is decided anew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from openalgo_bridge.brokers.paper.book import OpenBook
from openalgo_bridge.clock import Clock
from openalgo_bridge.model.paper import PaperOrder, PaperStanding

_T = TypeVar("_T")


class Overtaken(Exception):
    """While something waited to be written, all was done that time does until a later moment."""

    def __init__(self, done_until: datetime) -> None:
        super().__init__(done_until)
        self.done_until = done_until


def in_time(clock: Clock, act: Callable[[datetime, datetime | None], _T]) -> _T:
    """Do it as of now, and anew, as of then, where it is overtaken.

    ``act`` is told up to when everything is known to be done: told the same twice, the clock was set back behind that,
    and it goes by the clock.
    """
    known = None
    while True:
        try:
            return act(clock.now(), known)
        except Overtaken as passed:
            known = passed.done_until


def standing(
    book: OpenBook,
    order: PaperOrder,
    now: datetime,
    known: datetime | None,
    is_eventful: Callable[[datetime, datetime], bool],
) -> PaperStanding:
    """What an order meets that is decided as of ``now``. ``is_eventful`` tells whether time does anything after one
    moment until another: a change of another order moves on the watermark, too, and overtakes nobody. Raises Overtaken.
    """
    found = book.standing(order.request)
    done_until = found.done_until
    if done_until is not None and now < done_until != known and is_eventful(now, done_until):
        raise Overtaken(done_until)
    return found
