"""``/traffic/errors``: what went wrong inside the bridge, newest first, each with the call in which it did."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.store.faults import PER_MINUTE
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.paging import PAGE_SIZE, before_in_url, page_of
from openalgo_bridge.web.traffic_filter import EVERY_KIND

blueprint = Blueprint("traffic_errors", __name__)


@blueprint.get("/traffic/errors")
def errors() -> ResponseReturnValue:
    """A call is led to by its number, which is one of the words that it is found by."""
    desk, before = current_desk(), before_in_url()
    page = page_of(desk.store.faults.page(before=before, limit=PAGE_SIZE + 1), before)
    return render_template(
        "traffic_errors.html",
        page=page,
        kind=EVERY_KIND,
        per_minute=PER_MINUTE,
        kept_days=desk.settings.traffic_log_retention_days,
    )
