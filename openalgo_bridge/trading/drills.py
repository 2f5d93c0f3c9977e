"""Starting and stopping a drill, and what of it stands in the audit list.

A drill is of the paper account alone and of paper trading alone: beside live orders its messages would be taken for
trouble with real money, or real trouble for a drill.
"""

from __future__ import annotations

import logging

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Invalid, StorageError
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.drill import Drill, DrillKind, DrillLength
from openalgo_bridge.model.order import TradingMode

_log = logging.getLogger(__name__)

_BY_ITSELF = Actor(name="the bridge")
_OVER = "its time was over"
_SPENT = "its order was sent"
_STOPPED = "stopped"
_LIVE = "live trading is on"
_UNREAD = "Held because the broker for paper trading cannot be read since the start: Drill: nobody has logged in to it."


def start(desk: Desk, kind: DrillKind, length: DrillLength, *, by: Actor) -> Drill:
    """From now on the paper account behaves so. A restart ends it.

    Raises Invalid where it cannot last that long; Conflict where live trading is on, another one runs, or orders are
    held already; StorageError where it cannot be written down. Then it does not run.
    """
    if length not in kind.lengths:
        raise Invalid.of({"length": [f"{kind.label} cannot be shown {length.sentence}."]})
    if desk.store.preferences.trading_mode() is TradingMode.LIVE:
        raise Conflict("Drills are for paper trading, and live trading is on.")
    drill = desk.drills.start(kind, length)
    try:
        _begin(desk, drill, by)
    except (Conflict, StorageError):
        desk.drills.stop(drill.id)
        raise
    _log.warning("Drill in the paper account: %s.", drill)
    return drill


def stop(desk: Desk, drill_id: str, *, by: Actor) -> bool:
    """Everything is as ever from now on; False where it had ended already.

    An end that cannot be written down is an end all the same.
    """
    ended = desk.drills.stop(drill_id)
    if ended is not None:
        _end(desk, ended, by, _STOPPED)
    return ended is not None


def keep(desk: Desk) -> None:
    """Of the timer: end what runs although live trading is on by now, and write down what ended by itself.

    Raises StorageError; it is tried again next time.
    """
    running = desk.drills.running()
    if running is not None and desk.store.preferences.trading_mode() is TradingMode.LIVE:
        ended = desk.drills.stop(running.id)
        if ended is not None:
            _end(desk, ended, _BY_ITSELF, _LIVE)
    for drill in desk.drills.untold_ends():
        spent = drill.length is DrillLength.NEXT_ORDER and drill.hit_count > 0
        _tell_end(desk, drill, _BY_ITSELF, _SPENT if spent else _OVER)
        desk.drills.told(drill)


def _begin(desk: Desk, drill: Drill, by: Actor) -> None:
    at_start = drill.kind is DrillKind.NO_LOGIN_AT_START
    if at_start and not desk.doors.read_again(TradingMode.ANALYZE, _UNREAD):
        raise Conflict("Orders are held already, or the bridge is still starting: this is what the drill would show.")
    desk.store.audit.add(by, AuditEvent.DRILL_STARTED, after=str(drill))


def _end(desk: Desk, drill: Drill, by: Actor, why: str) -> None:
    try:
        _tell_end(desk, drill, by, why)
    except StorageError:
        _log.exception("the end of a drill could not be written down: %s", drill)


def _tell_end(desk: Desk, drill: Drill, by: Actor, why: str) -> None:
    messages = "1 message" if drill.hit_count == 1 else f"{drill.hit_count} messages"
    desk.store.audit.add(by, AuditEvent.DRILL_ENDED, before=drill.kind.label, after=f"{why}; it met {messages}")
