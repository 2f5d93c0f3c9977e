"""The step-up: whoever makes something less safe proves again who it is (security 4.6).

A successful one opens a window of five minutes in its session. Inside it no form asks for a code again, and the forms
that only change a setting ask for nothing. An open window is not lengthened, so one code never lasts longer.
"""

# mypy: disable-error-code="no-untyped-call"
# flask-login, Flask-WTF and WTForms have no annotations.

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, cast

from flask import g, session
from flask_login import current_user
from wtforms import PasswordField  # type: ignore[import-untyped, unused-ignore]
from wtforms.validators import InputRequired, Length  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.account import authenticator, login
from openalgo_bridge.account.login import Proof
from openalgo_bridge.clock import from_ms
from openalgo_bridge.errors import BridgeError, Denied, RateLimited, WrongCode
from openalgo_bridge.web import gate, sessions
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.forms import CodeField, PageForm

WINDOW = timedelta(minutes=5)

_PROVED_AT = "proved_at"
_WITH_CODE = "proved_with_code"
_LONGEST_PASSWORD = 1000
_LONGEST_CODE = 100
_NOTHING = timedelta(0)


class StepUpForm(PageForm):
    """A form that asks for password and code, unless they were given less than five minutes ago.

    A subclass sets ``html_id``, so that several of them can stand on one page. Both fields are optional here; what is
    missing is refused by :func:`require`, or by the use case that gets :func:`proof_of`.
    """

    html_id: ClassVar[str] = "step-up"
    always_asks_password: ClassVar[bool] = False

    password = PasswordField("Password", [Length(max=_LONGEST_PASSWORD)])
    code = CodeField("Code from your authenticator app", [Length(max=_LONGEST_CODE)])

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.password.id = f"{self.html_id}-password"
        self.code.id = f"{self.html_id}-code"

    @property
    def asks_password(self) -> bool:
        """Whether the page must show the field."""
        return self.always_asks_password or not is_fresh()

    @property
    def asks_code(self) -> bool:
        """Whether the page must show the field."""
        return authenticator.is_needed_for_credentials(current_desk()) and not is_fresh()

    @property
    def username(self) -> str:
        """Whose password it is, for password managers."""
        return str(current_user.get_id())  # type: ignore[attr-defined, unused-ignore]

    def refuse(self, refusal: BridgeError) -> dict[str, str]:
        """Put the sentence where it belongs. Returns the headers of the answer."""
        if isinstance(refusal, RateLimited):
            self.show_faults({"": [refusal.message]})
            return {"Retry-After": str(refusal.retry_after)}
        self.show_faults({"code" if isinstance(refusal, WrongCode) else "password": [refusal.message]})
        return {}


class PasswordForm(StepUpForm):
    """A form whose password is needed every time: the cryptography needs it, or orders will leave without asking."""

    always_asks_password = True

    password = PasswordField("Password", [InputRequired("Type your password."), Length(max=_LONGEST_PASSWORD)])


class AskedLaterForm(StepUpForm):
    """A form that asks for password and code only once it is known that it makes something less safe.

    ``is_asking`` says that it is: the page then shows the fields, with everything else as it was chosen.
    """

    is_asking = False


def is_fresh() -> bool:
    """Whether the window is open. One opened without a code closes when codes are switched on."""
    proved_at = session.get(_PROVED_AT)
    if proved_at is None:
        return False
    desk = current_desk()
    # A clock that was set back must not lengthen it (security T11).
    if not _NOTHING <= desk.clock.now() - from_ms(proved_at) < WINDOW:
        return False
    return bool(session.get(_WITH_CODE)) or not authenticator.is_needed_for_credentials(desk)


def proof_of(form: StepUpForm) -> Proof:
    """What the person typed, for the use case that checks it."""
    g.proof = Proof(
        password=form.password.data or "",
        code=form.code.data or "",
        is_fresh=is_fresh(),
        device=gate.device_token(),
        by=actor(),
    )
    return cast("Proof", g.proof)


def note(*, proved_code: bool = False) -> None:
    """After the proof of this request was accepted: open the window, and give the session a new id (security T21).

    What was proved is what was typed. A proof that leaned on the window opens no other one: while a password is
    checked, which takes a while, the window may close, and would otherwise begin anew without a code.
    ``proved_code``: a code was accepted that was not part of the proof.
    """
    desk, proof = current_desk(), cast("Proof", g.proof)
    typed_code = proved_code or (bool(proof.code) and desk.store.two_factor.get().is_set_up)
    if not proof.is_fresh:
        session[_PROVED_AT] = desk.clock.now_ms()
        session[_WITH_CODE] = typed_code
    gate.remember_proof(proved_code=typed_code or (proof.is_fresh and bool(session.get(_WITH_CODE))))
    sessions.begin_new_id()


def require(form: StepUpForm) -> None:
    """For a form that needs no more than the window: nothing while it is open, else the step-up.

    Raises Denied, WrongCode, RateLimited, StorageError; the caller shows it with :meth:`StepUpForm.refuse`.
    """
    if is_fresh():
        return
    login.confirm(current_desk(), proof_of(form))
    note()


def prove(form: StepUpForm, why: str) -> None:
    """As :func:`require`, asked for with ``why`` where nothing was typed: what was not typed is no wrong try."""
    if is_fresh():
        return
    if isinstance(form, AskedLaterForm):
        form.is_asking = True
    if not form.password.data:
        raise Denied(why)
    require(form)
