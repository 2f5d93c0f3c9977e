"""``/traffic/export.csv`` and ``.jsonl``: all calls that the traffic page's filter lets through, as a file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from openalgo_bridge.clock import day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Busy
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.traffic_filter import asked_in_url

blueprint = Blueprint("traffic_export", __name__)

_SECOND = "An export is being sent already. Wait until that file is there, or cancel it, and ask again."
_BUSY = "Not exported, busy: too many requests are waiting for the broker. Ask again in a moment."

# Of all apps of this process, because it is about the threads of its server.
_only_one = threading.Lock()


@blueprint.get("/traffic/export.csv")
def csv() -> ResponseReturnValue:
    """The newest call first. Raises Busy while another export is being sent."""
    desk, asked = current_desk(), asked_in_url()
    parts = desk.store.traffic_export.csv(asked.wanted, is_masked=asked.is_masked)
    return _download(desk, parts, kind="csv", mimetype="text/csv")


@blueprint.get("/traffic/export.jsonl")
def jsonl() -> ResponseReturnValue:
    """The same, with a JSON object on each line."""
    desk, asked = current_desk(), asked_in_url()
    parts = desk.store.traffic_export.jsonl(asked.wanted, is_masked=asked.is_masked)
    return _download(desk, parts, kind="jsonl", mimetype="application/jsonl")


def _download(desk: Desk, parts: Iterator[str], *, kind: str, mimetype: str) -> Response:
    """Sent as it is made. The first part is made at once: until then, what goes wrong is still a page that says so.

    What goes wrong later ends the connection in the middle, which a browser tells from the end of a file.
    """
    sending = _sending(desk, parts)
    next(sending)
    answer = Response(sending, mimetype=mimetype)
    name = f"traffic-{day_in_india(desk.clock.now()).isoformat()}.{kind}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _sending(desk: Desk, parts: Iterator[str]) -> Iterator[str]:
    # Ends with the last part, with an error, and when the server closes it because the browser has gone.
    with _place(desk):
        first = next(parts, "")
        yield ""
        yield first
        yield from parts


@contextmanager
def _place(desk: Desk) -> Iterator[None]:
    """A browser that does not read on keeps a thread for as long as it likes: one at most, and of those that reads may
    take, so that no order, no cancel and no page waits for it.
    """
    if not _only_one.acquire(blocking=False):
        raise Busy(_SECOND)
    try:
        with desk.budget.reading(), ExitStack() as held:
            try:
                held.enter_context(desk.budget.slot())
            except Busy as busy:
                raise Busy(_BUSY) from busy
            yield
    finally:
        _only_one.release()
