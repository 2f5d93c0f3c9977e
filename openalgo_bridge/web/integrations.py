"""The two lists of ``/apikey`` that the trader ticks: the programs that need a new key, and that the key is stored."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.account import integrations
from openalgo_bridge.web.current import current_desk

blueprint = Blueprint("lists", __name__)


@blueprint.post("/integrations")
def save_integrations() -> ResponseReturnValue:
    """Exactly these programs have the new key. ``dismiss`` drops the list."""
    desk = current_desk()
    if request.form.get("dismiss"):
        integrations.dismiss(desk)
        flash("The list is gone. What still calls with the old key is refused, and stands in the traffic log.", "info")
    else:
        integrations.tick(desk, set(request.form.getlist("updated", type=int)))
        is_whole = all(each.is_done for each in integrations.the_list(desk))
        flash("Every program has the new key." if is_whole else "Saved.", "success")
    return redirect(url_for("apikey.apikey", _anchor="content"))


@blueprint.post("/stored")
def save_stored() -> ResponseReturnValue:
    """The trader says that the key is where it belongs, or takes it back. No program can look."""
    current_desk().store.preferences.note_key_stored(is_stored=request.form.get("stored") == "yes")
    return redirect(url_for("apikey.apikey", _anchor="checklist"))
