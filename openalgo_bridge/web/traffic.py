"""``/traffic``: every API call, newest first, whatever its end."""

from __future__ import annotations

from collections.abc import Container

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from openalgo_bridge.store.traffic import CUT_OFF
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.paging import PAGE_SIZE, before_in_url, page_of

blueprint = Blueprint("traffic", __name__)

_STATUS_CLASSES = {
    "2": "Answered (2xx)",
    "4": "Refused (4xx)",
    "5": "Failed (5xx)",
    str(CUT_OFF): "Cut off by a stop",
}


@blueprint.get("/traffic")
def traffic() -> ResponseReturnValue:
    """A filter that makes no sense is no filter: the nearest sensible page."""
    desk = current_desk()
    endpoints = desk.store.traffic.endpoints()
    status = _one_of(_STATUS_CLASSES, request.args.get("status", ""))
    endpoint = _one_of(endpoints, request.args.get("endpoint", ""))
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
        endpoints=endpoints,
        endpoint=endpoint,
    )


def _one_of(allowed: Container[str], given: str) -> str:
    return given if given in allowed else ""
