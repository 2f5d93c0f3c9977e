"""Calls as the recorder writes them, without a server."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from openalgo_bridge.clock import to_ms
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.store.traffic import Arrival, Bodies, Ending

PUBLIC = "103.25.7.9"

_ENDING = {each.name for each in fields(Ending)}


def record(desk: Desk, **told: Any) -> int:
    """One closed call; what is not told is ordinary. Its number."""
    arrival = {
        "request_id": "0123456789abcdef",
        "at": to_ms(desk.clock.now()),
        "method": "POST",
        "endpoint": "/api/v1/quotes",
        "address": "127.0.0.1",
        "program": "python-httpx/0.28",
    }
    ending = {"status": 200, "duration_us": 1_500, "outcome": CallOutcome.OK}
    ending |= {name: value for name, value in told.items() if name in _ENDING}
    call = desk.store.traffic.open(Arrival(**arrival | {name: told[name] for name in told.keys() - _ENDING}))
    desk.store.traffic.close(call, Ending(**ending))
    return call


def spoken(request: str, answer: str = '{"status":"success"}', **sizes: int) -> Bodies:
    """What was said in a call; ``sizes`` where it was longer than what is kept."""
    lengths = {"request_bytes": len(request.encode()), "answer_bytes": len(answer.encode())}
    return Bodies(request=request, answer=answer, **lengths | sizes)


def digest(desk: Desk) -> None:
    """Work up everything, as the upkeep does after a while."""
    while desk.store.traffic_digest.take(500):
        pass
