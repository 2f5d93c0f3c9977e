"""The two lists of ``/apikey`` that the trader ticks: the programs that need a new key, and that the key is stored."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.account import integrations
from openalgo_bridge.errors import Conflict
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.optional import if_readable

blueprint = Blueprint("lists", __name__)


@blueprint.post("/integrations")
def save_integrations() -> ResponseReturnValue:
    """Exactly these programs have the new key. ``dismiss`` drops the list. ``fingerprint`` says whose list it is."""
    try:
        flash(*_save())
    except Conflict as refusal:
        flash(refusal.message, "warning")
    return redirect(url_for("apikey.apikey", _anchor="content"))


def _save() -> tuple[str, str]:
    """What to say, and how it is coloured. Raises Conflict, StorageError."""
    desk, shown = current_desk(), request.form.get("fingerprint", "")
    if request.form.get("dismiss"):
        integrations.dismiss(desk, shown=shown)
        return "The list is gone. What still calls with the old key is refused, and stands in the traffic log.", "info"
    integrations.tick(desk, set(request.form.getlist("updated", type=int)), shown=shown)
    listed = if_readable(lambda: integrations.the_list(desk))
    is_whole = listed is not None and all(each.is_done for each in listed)
    return "Every program has the new key." if is_whole else "Saved.", "success"


@blueprint.post("/stored")
def save_stored() -> ResponseReturnValue:
    """The trader says that the key is where it belongs, or takes it back. No program can look."""
    current_desk().store.preferences.note_key_stored(is_stored=request.form.get("stored") == "yes")
    return redirect(url_for("apikey.apikey", _anchor="checklist"))
