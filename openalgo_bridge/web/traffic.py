"""``/traffic``: every API call, newest first, whatever its end."""

from __future__ import annotations

import logging
from collections.abc import Container

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import StorageError
from openalgo_bridge.store.traffic import CUT_OFF
from openalgo_bridge.web.current import api_paths, current_desk
from openalgo_bridge.web.paging import PAGE_SIZE, before_in_url, page_of

blueprint = Blueprint("traffic", __name__)
_log = logging.getLogger(__name__)

_STATUS_CLASSES = {
    "2": "Answered (2xx)",
    "4": "Refused (4xx)",
    "5": "Failed (5xx)",
    str(CUT_OFF): "Cut off by a stop",
}


@blueprint.get("/traffic")
def traffic() -> ResponseReturnValue:
    """Any endpoint may be asked for: one that was never called has no rows, and never shows those of others."""
    desk = current_desk()
    _note_opened(desk)
    status = _one_of(_STATUS_CLASSES, request.args.get("status", ""))
    endpoint = request.args.get("endpoint", "")
    before = before_in_url()
    calls = desk.store.traffic.page(
        before=before,
        limit=PAGE_SIZE + 1,
        status_class=int(status) if status else None,
        endpoint=endpoint or None,
    )
    return render_template(
        "traffic.html",
        page=page_of(calls, before),
        statuses=_STATUS_CLASSES,
        status=status,
        endpoints=_with(endpoint, api_paths()),
        endpoint=endpoint,
    )


def _note_opened(desk: Desk) -> None:
    """For the checklist of the key's page: once for each key, so that looking writes nothing as a rule."""
    try:
        key, opened = desk.store.api_keys.active(), desk.store.preferences.traffic_log_opened()
        if key is not None and (opened is None or opened < key.created_at):
            desk.store.preferences.note_traffic_log_opened()
    except StorageError:
        # The log is what is looked at when something is wrong.
        _log.exception("that the traffic log was opened could not be noted")


def _with(asked: str, paths: list[str]) -> list[str]:
    """What is asked for must stand in the list, or the page would say that it shows all."""
    return paths if not asked or asked in paths else [asked, *paths]


def _one_of(allowed: Container[str], given: str) -> str:
    return given if given in allowed else ""
