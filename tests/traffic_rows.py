"""The traffic log as tests look at it: every row there is, pages included."""

from __future__ import annotations

from openalgo_bridge.desk import Desk
from openalgo_bridge.store.traffic import Call, call_of


def rows(desk: Desk) -> list[Call]:
    """All of them, in the order in which they were opened."""
    traffic = desk.store.files[1]
    return [call_of(row) for row in traffic.read("SELECT * FROM call ORDER BY id")]


def last_row(desk: Desk) -> Call:
    return rows(desk)[-1]
