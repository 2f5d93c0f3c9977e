"""The forms of design 3 that have fields to correct. Rules about passwords, names and codes are the account's."""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, StringField  # type: ignore[import-untyped, unused-ignore]
from wtforms.validators import InputRequired, Length  # type: ignore[import-untyped, unused-ignore]

_LONGEST = 1000


class PageForm(FlaskForm):  # type: ignore[misc, unused-ignore]
    """A form whose faults are shown beside its fields."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)

    @property
    def was_sent(self) -> bool:
        """True for a POST."""
        return bool(self.is_submitted())

    def is_complete(self) -> bool:
        """Whether every field has what it needs; the faults are beside the fields."""
        return bool(self.validate())

    def show_faults(self, faults: Mapping[str, Sequence[str]]) -> None:
        """Put each fault beside the field of its name, or above the form where there is no such field."""
        for name, texts in faults.items():
            field = self._fields.get(name)
            if field is None:
                self.form_errors.extend(texts)
            else:
                field.errors = [*field.errors, *texts]


class CodeField(StringField):  # type: ignore[misc, unused-ignore]
    """A code that never comes back on a page, as a password does not: it may be a recovery code."""

    def _value(self) -> str:
        return ""


class SetupForm(PageForm):
    """``POST /setup``."""

    setup_code = StringField("Set-up code", [InputRequired("Type the code from the console."), Length(max=_LONGEST)])
    username = StringField("User name", [Length(max=_LONGEST)])
    password = PasswordField("Password", [Length(max=_LONGEST)])
    accept_risk = BooleanField("I have read this and accept the risk")


class LoginForm(PageForm):
    """``POST /login``."""

    username = StringField("User name", [InputRequired("Type your user name."), Length(max=_LONGEST)])
    password = PasswordField("Password", [InputRequired("Type your password."), Length(max=_LONGEST)])


class CodeForm(PageForm):
    """``POST /login/totp``: six digits, or a recovery code."""

    code = CodeField(
        "Code", [InputRequired("Type the six digits."), Length(max=_LONGEST)], render_kw={"autofocus": True}
    )
