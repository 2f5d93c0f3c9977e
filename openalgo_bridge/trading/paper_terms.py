"""By what the paper exchange goes, its settings and the calendar, is changed: what was before stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.order import TradingMode


def change(desk: Desk, save: Callable[[datetime], object], tell: Callable[[str], object]) -> None:
    """Do what is due by what counts until now, let ``save`` write what counts from then on, and begin to go by that.

    ``save`` is told up to when everything is done, and leaves that behind in the commit of the change. ``tell`` is
    given what the trader should know of what was done, before ``save`` can fail. Raises StorageError.
    """
    paper, now = desk.brokers[TradingMode.ANALYZE], desk.clock.now()
    if _can_be_read(desk):
        _tend(paper, tell)
    save(now)
    _tend(paper, tell)


def _tend(paper: Broker, tell: Callable[[str], object]) -> None:
    for sentence in paper.tend():
        tell(sentence)


def _can_be_read(desk: Desk) -> bool:
    """Settings that mean nothing are written over: by them nothing can be done, and what was due is done by the next
    event of its kind.
    """
    try:
        desk.store.paper_settings.load()
    except StorageError:
        return False
    return True
