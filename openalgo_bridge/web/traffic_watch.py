"""``/traffic/watch``: what deserves a look in the traffic, why, and the trader's answer to it: "this was me"."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.account import indicators
from openalgo_bridge.errors import Conflict
from openalgo_bridge.model.indicators import HISTORY_DAYS, HOURS_DAYS, IndicatorState
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.indicator_words import WORDS, told
from openalgo_bridge.web.paging import row_id
from openalgo_bridge.web.traffic import is_masked

blueprint = Blueprint("traffic_watch", __name__)

_PAST_SHOWN = 20
_SAID = "Noted: this was you. You hear of it again when it becomes far more, or something else."
_DONE = "Noted. When the same comes again, it stands here again."


@blueprint.get("/traffic/watch")
def watch() -> ResponseReturnValue:
    """Open ones first; below what is known, and what was dealt with."""
    return _page()


@blueprint.post("/traffic/watch/<int:indicator_id>/known")
def this_was_me(indicator_id: int) -> ResponseReturnValue:
    """What the page showed is known from now on. Raises NotFound, StorageError."""
    try:
        indicators.acknowledge(current_desk(), row_id(indicator_id), request.form.get("shown", ""), by=actor())
    except Conflict as conflict:
        return _page(conflict.message), conflict.status
    flash(_SAID, "success")
    return redirect(url_for("traffic_watch.watch"))


@blueprint.post("/traffic/watch/<int:indicator_id>/past")
def put_past(indicator_id: int) -> ResponseReturnValue:
    """It is dealt with, or known no more. Raises NotFound, StorageError."""
    try:
        indicators.put_past(current_desk(), row_id(indicator_id), request.form.get("shown", ""), by=actor())
    except Conflict as conflict:
        return _page(conflict.message), conflict.status
    flash(_DONE, "success")
    return redirect(url_for("traffic_watch.watch"))


def _page(fault: str = "") -> str:
    store = current_desk().store.indicators
    return render_template(
        "traffic_watch.html",
        fault=fault,
        open=told(store.of(IndicatorState.OPEN)),
        open_count=store.count(IndicatorState.OPEN),
        known=told(store.of(IndicatorState.KNOWN)),
        known_count=store.count(IndicatorState.KNOWN),
        past=told(store.of(IndicatorState.PAST, limit=_PAST_SHOWN)),
        since=store.since(),
        words=WORDS.values(),
        history_days=HISTORY_DAYS,
        hours_days=HOURS_DAYS,
        is_masked=is_masked(),
    )
