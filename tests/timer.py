"""A bridge as it starts: its doors closed, until its timer, by hand, has opened them."""

from __future__ import annotations

from dataclasses import replace

from openalgo_bridge.desk import Desk
from openalgo_bridge.trading.doors import Doors, DoorState
from openalgo_bridge.trading.watch import Watch


def closed(desk: Desk) -> Desk:
    """The same desk as it is opened."""
    return replace(desk, doors=Doors())


def first_round(desk: Desk) -> Watch:
    """The timer, which has opened the doors."""
    watching = Watch(desk)
    watching.round()
    assert desk.doors.state is DoorState.OPEN
    return watching
