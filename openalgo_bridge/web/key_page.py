"""The page of the key as every form of ``/apikey`` answers with it: fresh forms, and the one that was refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.account import checklist, integrations, keys
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, NotFound
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.model.permission import preset_of
from openalgo_bridge.store.api_keys import ActiveKey
from openalgo_bridge.web import grants, remedies, snippets
from openalgo_bridge.web.current import current_desk, order_mode
from openalgo_bridge.web.forms import PageForm
from openalgo_bridge.web.key_forms import (
    AddressesForm,
    KeepCopyForm,
    NameForm,
    NeverShowForm,
    OrderModeForm,
    PermissionsForm,
    RegenerateForm,
    RevokeForm,
    ViewForm,
)
from openalgo_bridge.web.optional import if_readable
from openalgo_bridge.web.step_up import StepUpForm


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownKey:
    """A key on its way into one answer. ``is_new``: it was generated just now and is not hidden again."""

    text: str = field(repr=False)
    is_new: bool


def page(refused: PageForm | None = None, *, shown: ShownKey | None = None, status: int = 200) -> tuple[str, int]:
    """The page with fresh forms, and in place of one of them the form that was refused, as it was filled in."""
    desk = current_desk()
    key, mode = desk.store.api_keys.active(), order_mode(desk)
    forms = _fresh_forms(key, mode)
    if refused is not None:
        forms[refused.html_id] = refused
    text = render_template(
        "apikey.html",
        shown=shown,
        key=key,
        uses=if_readable(lambda: desk.store.key_uses.of(key.key.fingerprint) if key else []),
        machine_key_was_replaced=keys.machine_key_was_replaced(desk),
        key_copy=desk.store.preferences.key_copy(),
        mode=mode,
        forms=forms,
        refused=refused,
        to_update=if_readable(lambda: _to_update(desk)),
        checklist=if_readable(lambda: checklist.checklist(desk)),
        groups=grants.GROUPS,
        presets=grants.PRESET_CHOICES,
        preset_now=preset_of(key.rules.permissions) if key else None,
        checks=snippets.checks(desk.settings.url),
        programs=snippets.programs(desk.settings.url),
        troubles=remedies.TROUBLES,
        url=desk.settings.url,
    )
    return text, status


def refuse(form: StepUpForm, refusal: BridgeError) -> ResponseReturnValue:
    """The page with the sentence where it belongs. Nothing was changed."""
    if isinstance(refusal, (NotFound, Conflict)):
        form.show_faults({"": [refusal.message]})
        return page(form, status=refusal.status)
    headers = form.refuse(refusal)
    return *page(form, status=refusal.status), headers


def _fresh_forms(key: ActiveKey | None, mode: OrderMode | None) -> dict[str, PageForm]:
    every: list[PageForm] = [
        ViewForm(formdata=None),
        RegenerateForm(formdata=None),
        RevokeForm(formdata=None),
        OrderModeForm(formdata=None, mode=mode),
        NeverShowForm(formdata=None),
        KeepCopyForm(formdata=None),
    ]
    if key is not None:
        rules = key.rules
        typed = grants.as_typed(rules.addresses)
        every += [
            NameForm(formdata=None, name=rules.name),
            PermissionsForm(
                formdata=None,
                preset=preset_of(rules.permissions).value,
                permissions=sorted(rules.permissions),
                shown=PermissionsForm.mark_of(rules),
            ),
            AddressesForm(
                formdata=None,
                reach=rules.addresses.reach.value,
                networks=typed,
                shown=AddressesForm.mark_of(rules),
            ),
        ]
    return {form.html_id: form for form in every}


def _to_update(desk: Desk) -> list[integrations.Integration]:
    """The programs that need the new key, as long as one of them is open."""
    listed = integrations.the_list(desk)
    return [] if all(each.is_done for each in listed) else listed
