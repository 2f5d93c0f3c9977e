"""The forms of ``/apikey`` (design 3). What a name, a grant or an address may be is the account's to say."""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

import hashlib
from typing import ClassVar

from wtforms import (  # type: ignore[import-untyped, unused-ignore]
    BooleanField,
    HiddenField,
    RadioField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[import-untyped, unused-ignore]
from wtforms.validators import AnyOf, DataRequired, Length  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.model import address, permission
from openalgo_bridge.model.address import AddressRule, Reach
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.model.permission import PRESETS, Grants, Permission, Preset
from openalgo_bridge.store.api_keys import KeyRules
from openalgo_bridge.web.forms import PageForm
from openalgo_bridge.web.grants import PRESET_CHOICES
from openalgo_bridge.web.step_up import AskedLaterForm, PasswordForm, StepUpForm

_LONGEST_NAME = 1000
_LONGEST_LIST = 5000
_NOT_TICKED = (False, "false", "", "no")


def _tick(label: str, html_id: str) -> BooleanField:
    """What must be ticked, so that nobody does it by mistake."""
    return BooleanField(label, [DataRequired("Tick this first.")], id=html_id, false_values=_NOT_TICKED)


class ViewForm(PasswordForm):
    """``POST /apikey/view``."""

    html_id: ClassVar[str] = "view"


class RegenerateForm(PasswordForm):
    """``POST /apikey/regenerate``. ``replaces`` is the fingerprint that the page showed, so that a second click does
    not replace the key of the first."""

    html_id: ClassVar[str] = "regenerate"

    replaces = StringField("Fingerprint", [Length(max=_LONGEST_NAME)])
    confirm = _tick("I know that programs using the old key stop working at once", "regenerate-confirm")


class RevokeForm(PasswordForm):
    """``POST /apikey/revoke``."""

    html_id: ClassVar[str] = "revoke"

    confirm = _tick("I know that no program can call any more", "revoke-confirm")


class OrderModeForm(StepUpForm):
    """``POST /apikey/mode``. Auto needs the password, because orders then leave without asking; Semi-Auto nothing."""

    html_id: ClassVar[str] = "mode"
    always_asks_password = True

    mode = RadioField(
        "Order mode",
        [AnyOf(list(OrderMode), "Choose Auto or Semi-Auto.")],
        choices=[SelectChoice(OrderMode.AUTO.value, "Auto"), SelectChoice(OrderMode.SEMI_AUTO.value, "Semi-Auto")],
        validate_choice=False,
    )


class NameForm(PageForm):
    """``POST /apikey/name``."""

    html_id: ClassVar[str] = "name"

    name = StringField("Name", [Length(max=_LONGEST_NAME)], id="key-name")


class RuleForm(AskedLaterForm):
    """A form for one rule of the key. ``shown`` is the mark of the rule that its page showed; a script sends none."""

    text_of: ClassVar[staticmethod[[KeyRules], str]]
    """Which rule it is, as it is stored."""

    shown = HiddenField("Shown")

    @classmethod
    def mark_of(cls, rules: KeyRules) -> str:
        """Of the rule as it is in force; 64 characters, like that of a ticket."""
        return hashlib.sha256(cls.text_of(rules).encode()).hexdigest()

    def is_outdated(self, rules: KeyRules) -> bool:
        """Whether the page showed another rule than the one in force."""
        return bool(self.shown.data) and self.shown.data != self.mark_of(rules)


class PermissionsForm(RuleForm):
    """``POST /apikey/permissions``. A preset wins over the boxes, unless it is Custom.

    ``boxes`` tells a page whose boxes were all unticked from a script that sends the preset alone.
    """

    html_id: ClassVar[str] = "permissions"
    text_of: ClassVar[staticmethod[[KeyRules], str]] = staticmethod(lambda rules: permission.to_text(rules.permissions))

    preset = RadioField(
        "Preset",
        [AnyOf(list(Preset), "Choose one of the four.")],
        choices=[SelectChoice(choice.preset.value, choice.label) for choice in PRESET_CHOICES],
        validate_choice=False,
        id="preset",
    )
    permissions = SelectMultipleField(
        "Permissions", choices=[SelectChoice(each.value, each.value) for each in Permission]
    )
    boxes = HiddenField("Boxes")

    @property
    def granted(self) -> Grants:
        """What is asked for. Only for a form that is complete."""
        preset = Preset(self.preset.data)
        return PRESETS.get(preset, self._ticked)

    def left_the_preset(self, before: Preset) -> bool:
        """Whether boxes were changed under a preset that was not: it would win, and the change would be lost."""
        preset = Preset(self.preset.data)
        if preset is not before or preset is Preset.CUSTOM:
            return False
        if not self.permissions.data and not self.boxes.data:
            return False
        return self._ticked != PRESETS[preset]

    @property
    def _ticked(self) -> Grants:
        return frozenset(Permission(value) for value in self.permissions.data or [])


class AddressesForm(RuleForm):
    """``POST /apikey/addresses``. ``networks`` counts for a list only."""

    html_id: ClassVar[str] = "addresses"
    text_of: ClassVar[staticmethod[[KeyRules], str]] = staticmethod(lambda rules: str(rules.addresses))

    reach = RadioField(
        "From where",
        [AnyOf(list(Reach), "Choose one of the three.")],
        choices=[
            SelectChoice(Reach.THIS_PC.value, "This PC only"),
            SelectChoice(Reach.LISTED.value, "These addresses only"),
            SelectChoice(Reach.ANYWHERE.value, "Anywhere"),
        ],
        validate_choice=False,
    )
    networks = TextAreaField("Addresses", [Length(max=_LONGEST_LIST)])

    def rule(self) -> AddressRule:
        """What is asked for. Only for a form that is complete. Raises Invalid naming each fault of the list."""
        match Reach(self.reach.data):
            case Reach.ANYWHERE:
                return address.ANYWHERE
            case Reach.THIS_PC:
                return address.THIS_PC
            case Reach.LISTED:
                return AddressRule.of_networks(self.networks.data or "")


class NeverShowForm(PageForm):
    """``POST /apikey/copy/never``. Safer, so no password; but the copy is lost, so a tick."""

    html_id: ClassVar[str] = "never"

    confirm = _tick("I have the key where I need it. Delete the copy for good", "never-confirm")


class KeepCopyForm(StepUpForm):
    """``POST /apikey/copy/keep``."""

    html_id: ClassVar[str] = "keep"
