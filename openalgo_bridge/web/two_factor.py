"""``/security/two-factor``: the authenticator app, its two switches, its recovery codes.

The secret and the recovery codes are each in one answer, to the form that made them. They are never in the answer to
a GET, in a URL, a session, a flash or a log.
"""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ClassVar

import segno
from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import InputRequired, Length  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.account import authenticator, recovery, two_factor
from openalgo_bridge.account.two_factor import Enrolment
from openalgo_bridge.errors import BridgeError, Denied, RateLimited, WrongCode
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.web import step_up
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.forms import CodeField
from openalgo_bridge.web.step_up import PasswordForm, StepUpForm

blueprint = Blueprint("two_factor", __name__, url_prefix="/security/two-factor")
_log = logging.getLogger(__name__)

_LONGEST_CODE = 100


class BeginForm(StepUpForm):
    """``POST /security/two-factor/begin``. Another authenticator needs the step-up, the first one nothing."""

    html_id: ClassVar[str] = "begin"


class FinishForm(PasswordForm):
    """``POST /security/two-factor/finish``."""

    html_id: ClassVar[str] = "finish"

    code = CodeField("Code of your old authenticator app", [Length(max=_LONGEST_CODE)])
    new_code = CodeField(
        "Code that the app shows now", [InputRequired("Type the six digits."), Length(max=_LONGEST_CODE)]
    )


class LoginOffForm(StepUpForm):
    """``POST /security/two-factor/login/off``."""

    html_id: ClassVar[str] = "login-off"


class CredentialsOffForm(StepUpForm):
    """``POST /security/two-factor/credentials/off``."""

    html_id: ClassVar[str] = "credentials-off"


class RecoveryCodesForm(PasswordForm):
    """``POST /security/two-factor/recovery-codes``. The password, because they wrap the vault key."""

    html_id: ClassVar[str] = "codes"


class RemoveForm(StepUpForm):
    """``POST /security/two-factor/remove``."""

    html_id: ClassVar[str] = "remove"


_SWITCHES = {"login": AuditEvent.LOGIN_CODE, "credentials": AuditEvent.CREDENTIALS_CODE}
_OFF_FORMS: dict[str, type[StepUpForm]] = {"login": LoginOffForm, "credentials": CredentialsOffForm}
_IS_ON = {
    "login": "From now on a code is asked at every sign-in.",
    "credentials": "From now on a code is asked before anything secret is shown or made less safe.",
}
_IS_OFF = {
    "login": "From now on the password alone signs in.",
    "credentials": "From now on the password alone shows and changes the API key.",
}


@blueprint.get("", endpoint="two_factor")
def page_without_secrets() -> ResponseReturnValue:
    """How it stands, and the forms that change it."""
    return _page()


@blueprint.post("/begin")
def begin() -> ResponseReturnValue:
    """A new secret, in this answer only."""
    form, desk = BeginForm(), current_desk()
    if not form.is_complete():
        return _page(form, status=400)
    try:
        if desk.store.two_factor.get().is_set_up:
            step_up.require(form)
    except (Denied, RateLimited) as refusal:
        return _refused(form, refusal)
    return _page(enrolment=two_factor.begin(desk))


@blueprint.post("/finish")
def finish() -> ResponseReturnValue:
    """The new authenticator in force, and its recovery codes in this answer only."""
    form, desk = FinishForm(), current_desk()
    if not form.is_complete():
        return _page(form, status=400)
    try:
        two_factor.check_new_code(desk, form.new_code.data)
    except WrongCode as refusal:
        form.show_faults({"new_code": [refusal.message]})
        return _page(form, status=refusal.status)
    return _codes(
        form,
        lambda: two_factor.finish(desk, step_up.proof_of(form), form.new_code.data, by=actor()),
        proved_code=True,
    )


@blueprint.post("/recovery-codes")
def new_recovery_codes() -> ResponseReturnValue:
    """Ten new codes, in this answer only."""
    form = RecoveryCodesForm()
    if not form.is_complete():
        return _page(form, status=400)
    return _codes(form, lambda: two_factor.new_recovery_codes(current_desk(), step_up.proof_of(form), by=actor()))


@blueprint.post("/<any(login, credentials):which>/on")
def switch_on(which: str) -> ResponseReturnValue:
    """Safer, so nothing is asked."""
    current_desk().store.two_factor.switch(_SWITCHES[which], is_on=True, by=actor())
    flash(_IS_ON[which], "success")
    return redirect(url_for("two_factor.two_factor"))


@blueprint.post("/<any(login, credentials):which>/off")
def switch_off(which: str) -> ResponseReturnValue:
    """Less safe, so the step-up is asked."""
    return _after_step_up(
        _OFF_FORMS[which](),
        lambda: current_desk().store.two_factor.switch(_SWITCHES[which], is_on=False, by=actor()),
        told=_IS_OFF[which],
    )


@blueprint.post("/remove")
def remove() -> ResponseReturnValue:
    """No authenticator and no recovery codes."""
    return _after_step_up(
        RemoveForm(),
        lambda: current_desk().store.two_factor.remove(by=actor()),
        told="Two-factor was removed. From now on the password alone signs in.",
    )


def _codes(form: StepUpForm, make: Callable[[], list[str]], *, proved_code: bool = False) -> ResponseReturnValue:
    """The page with the ten codes that ``make`` returns, or the form with what was wrong."""
    try:
        codes = make()
    except (Denied, RateLimited) as refusal:
        return _refused(form, refusal)
    step_up.note(proved_code=proved_code)
    _log.warning("New recovery codes were made; former ones are worth nothing.")
    return _page(codes=codes)


def _after_step_up(form: StepUpForm, change: Callable[[], None], *, told: str) -> ResponseReturnValue:
    if not form.is_complete():
        return _page(form, status=400)
    try:
        step_up.require(form)
    except (Denied, RateLimited) as refusal:
        return _refused(form, refusal)
    change()
    _log.warning("%s", told)
    flash(told, "success")
    return redirect(url_for("two_factor.two_factor"))


def _refused(form: StepUpForm, refusal: BridgeError) -> ResponseReturnValue:
    headers = form.refuse(refusal)
    return *_page(form, status=refusal.status), headers


def _page(
    refused: StepUpForm | None = None,
    *,
    enrolment: Enrolment | None = None,
    codes: list[str] | None = None,
    status: int = 200,
) -> tuple[str, int]:
    """The page with fresh forms, and in place of one of them the form that was refused."""
    desk = current_desk()
    kinds = (BeginForm, FinishForm, LoginOffForm, CredentialsOffForm, RecoveryCodesForm, RemoveForm)
    forms = {kind.html_id.replace("-", "_"): kind(formdata=None) for kind in kinds}
    if refused is not None:
        forms[refused.html_id.replace("-", "_")] = refused
    text = render_template(
        "two_factor.html",
        two_factor=desk.store.two_factor.get(),
        is_readable=authenticator.is_readable(desk),
        left=recovery.left(desk),
        few=recovery.FEW,
        enrolment=enrolment,
        qr=_qr(enrolment) if enrolment is not None else "",
        codes=codes,
        refused=refused,
        forms=forms,
    )
    return text, status


def _qr(enrolment: Enrolment) -> str:
    """A ``data:`` URI: the policy of the pages allows no inline style. White around it, or no camera finds it."""
    return str(segno.make_qr(enrolment.uri, error="m").svg_data_uri(scale=5, border=4, dark="#000", light="#fff"))
