"""What the key may do, from where, what it is called, and whether a copy of it is kept.

What makes things safer is saved at once. What makes them less safe is answered with the same form, everything as it
was chosen, and the fields of the step-up: so nobody is asked for a password that is not needed.
"""

from __future__ import annotations

import logging

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.account import key_rules
from openalgo_bridge.errors import CHANGED_MEANWHILE, Conflict, Denied, Invalid, RateLimited
from openalgo_bridge.model.address import AddressRule
from openalgo_bridge.model.permission import Grants, Permission, preset_of
from openalgo_bridge.model.redaction import scrub
from openalgo_bridge.store.preferences import KeyCopy
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.grants import addresses_in_words, permissions_in_words
from openalgo_bridge.web.key_forms import (
    AddressesForm,
    KeepCopyForm,
    NameForm,
    NeverShowForm,
    PermissionsForm,
    RuleForm,
)
from openalgo_bridge.web.key_page import page, refuse
from openalgo_bridge.web.step_up import prove

blueprint = Blueprint("rules", __name__)
_log = logging.getLogger(__name__)


@blueprint.post("/name")
def rename() -> ResponseReturnValue:
    """A name for people; nothing depends on it."""
    form = NameForm()
    if not form.is_complete():
        return page(form, status=400)
    try:
        key_rules.rename(current_desk(), form.name.data or "", by=actor())
    except Invalid as refusal:
        # A key that was typed by mistake must not be on the page either.
        form.name.data = scrub(form.name.data or "")
        form.show_faults(refusal.faults)
        return page(form, status=refusal.status)
    return _saved("Saved. The key has its new name.")


@blueprint.post("/permissions")
def save_permissions() -> ResponseReturnValue:
    """Fewer at once, more after the step-up. It counts from the very next call on."""
    form, desk = PermissionsForm(), current_desk()
    before = key_rules.rules_in_force(desk)
    if not form.is_complete():
        return page(form, status=400)
    if form.is_outdated(before):
        return _changed_meanwhile(form)
    if form.left_the_preset(preset_of(before.permissions)):
        form.show_faults({"preset": ["You changed single boxes. Choose Custom to save them, or another preset."]})
        return page(form, status=400)
    try:
        if key_rules.permits_more(before, form.granted):
            prove(form, "The key could do more than now. Type your password to allow it.")
        key_rules.permit(desk, form.granted, before=before, by=actor())
    except (Denied, RateLimited) as refusal:
        return refuse(form, refusal)
    except Conflict:
        return _changed_meanwhile(form)
    _log.warning("The permissions of the API key are now: %s.", permissions_in_words(form.granted))
    return _saved(f"Saved. {_may(form.granted)} It counts from the next call on.")


@blueprint.post("/addresses")
def save_addresses() -> ResponseReturnValue:
    """A narrower rule at once, a wider one after the step-up. It counts from the very next call on."""
    form, desk = AddressesForm(), current_desk()
    before = key_rules.rules_in_force(desk)
    if not form.is_complete():
        return page(form, status=400)
    if form.is_outdated(before):
        return _changed_meanwhile(form)
    try:
        rule = form.rule()
        if key_rules.reaches_further(before, rule):
            prove(form, "The key could be used from more addresses than now. Type your password to allow it.")
        key_rules.restrict(desk, rule, before=before, by=actor())
    except Invalid as refusal:
        form.show_faults(refusal.faults)
        return page(form, status=refusal.status)
    except (Denied, RateLimited) as refusal:
        return refuse(form, refusal)
    except Conflict:
        return _changed_meanwhile(form)
    _log.warning("The API key may now be used %s.", addresses_in_words(rule))
    return _saved_addresses(rule)


@blueprint.post("/copy/never")
def never_show() -> ResponseReturnValue:
    """Safer, so nothing is asked but a tick, because the copy there is will be lost."""
    form = NeverShowForm()
    if not form.is_complete():
        return page(form, status=400)
    key_rules.keep_copy(current_desk(), KeyCopy.NEVER, by=actor())
    _log.warning("The copy of the API key was deleted, and none is kept from now on.")
    return _saved("The copy was deleted. This key, and every later one, is never shown again.")


@blueprint.post("/copy/keep")
def keep_copy() -> ResponseReturnValue:
    """The next key can be shown again to who types the password."""
    form = KeepCopyForm()
    if not form.is_complete():
        return page(form, status=400)
    try:
        prove(form, "Type your password.")
    except (Denied, RateLimited) as refusal:
        return refuse(form, refusal)
    key_rules.keep_copy(current_desk(), KeyCopy.KEPT, by=actor())
    return _saved("Saved. The next key you generate can be shown again with your password.")


def _changed_meanwhile(form: RuleForm) -> ResponseReturnValue:
    """The page with what is in force by now, and the choice as it was made: sending it again is meant."""
    form.shown.data = form.mark_of(key_rules.rules_in_force(current_desk()))
    form.show_faults({"": [f"{CHANGED_MEANWHILE} Nothing was saved. Your choice still stands here: save it again."]})
    return page(form, status=Conflict.status)


def _saved_addresses(rule: AddressRule) -> ResponseReturnValue:
    if not rule.includes_this_pc:
        flash("Programs on this PC are refused now: neither 127.0.0.1 nor ::1 is in the list.", "warning")
    return _saved(f"Saved. The key may be used {addresses_in_words(rule)}.")


def _may(granted: Grants) -> str:
    if not granted:
        return "The key may do nothing now but say whether it works."
    if Permission.PLACE_ORDERS not in granted:
        return f"The key is {permissions_in_words(granted)} now: it cannot place orders."
    return f"The key is {permissions_in_words(granted)} now."


def _saved(told: str) -> ResponseReturnValue:
    flash(told, "success")
    return redirect(url_for("apikey.apikey", _anchor="content"))
