"""Signing in, and the step-up: the person at an open session proves who it is (security 4.5, 4.6).

First the password, then the code, so that a mistyped password does not use a code up. Each is counted by itself.
"""

from __future__ import annotations

import hmac
import logging
import unicodedata
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from openalgo_bridge.account import attempts, authenticator, recovery, vault
from openalgo_bridge.account.attempts import Windows
from openalgo_bridge.account.devices import limit_of
from openalgo_bridge.account.password import matches
from openalgo_bridge.account.signing import sign, signed_text
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Denied, NotFound
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.store.machine_key import PASSWORD_WAS_RIGHT
from openalgo_bridge.store.users import User

FIRST_STEP_LIFE = timedelta(minutes=5)
LONGEST_NAME = 64

_WRONG = "Wrong user name or password."
_SOMEBODY = Actor(name="somebody at this PC")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the person typed to prove who it is. ``is_fresh``: proved with a code less than five minutes ago, so that
    no further code is needed; the password always is. ``code`` may be a recovery code as well. ``device`` is the
    browser's device token; ``by`` is for the audit list."""

    password: str = field(repr=False)
    code: str = field(default="", repr=False)
    is_fresh: bool = False
    device: str = field(default="", repr=False)
    by: Actor = _SOMEBODY


class Factor(StrEnum):
    """What was taken as second factor. The value is stored in the audit list, and is read by people."""

    AUTHENTICATOR = "with a code"
    RECOVERY_CODE = "with a recovery code"


def sign_in(desk: Desk, username: str, password: str, *, device: str, address: str) -> User:
    """The user, when name and password are right; nobody is signed in by that alone where a code is needed.

    ``device`` is the browser's device token, or empty.

    Raises Denied, with the same sentence after the same work whichever of the two was wrong; RateLimited;
    StorageError when the counters cannot be used, before the password is looked at.
    """
    strangers = Windows.parse(desk.settings.login_rate_limit)
    bucket, policy = limit_of(desk, "sign-in", device, for_strangers=strangers)
    with attempts.counted(desk.store.failed_logins, bucket, policy):
        user = desk.store.users.get()
        if user is None:
            raise Denied(_WRONG)
        # Both are always checked: an unknown name must not answer sooner.
        right_password = matches(password, user.password_hash)
        right_name = hmac.compare_digest(_folded(username), _folded(user.username))
        if not (right_password and right_name):
            _log.warning("A sign-in from %s was refused: wrong user name or password.", address)
            raise Denied(_WRONG)
    return user


def first_step(desk: Desk, user: User) -> str:
    """What a browser carries from the right password to the code. It says nothing else and opens nothing.

    Good for five minutes, and until a code is used, the password changes or two-factor does.
    """
    expires = desk.clock.now() + FIRST_STEP_LIFE
    return sign(desk.store.machine_key, PASSWORD_WAS_RIGHT, _state(desk, user), expires=expires)


def user_after(desk: Desk, carried: str) -> User | None:
    """The user whose password was right, by what :func:`first_step` made; None for any other text."""
    state = signed_text(desk.store.machine_key, PASSWORD_WAS_RIGHT, carried, now=desk.clock.now())
    user = desk.store.users.get() if state is not None else None
    if state is None or user is None or not hmac.compare_digest(state, _state(desk, user)):
        return None
    return user


def second_step(desk: Desk, code: str, *, device: str, by: Actor) -> Factor:
    """The code at the sign-in, of the app or a recovery code, which also ends every session.

    Raises WrongCode, RateLimited, StorageError.
    """
    return _confirm_code(desk, code, device=device, by=by, ends_sessions=True)


def confirm(desk: Desk, proof: Proof) -> None:
    """The step-up. Raises Denied, WrongCode, RateLimited, StorageError.

    Counted apart from :func:`sign_in`, under the same limit: who took over a session cannot guess for ever, nor
    lock the trader out.
    """
    _require_password(proof)
    with _counted(desk, proof):
        user = desk.store.users.get()
        if user is None or not matches(proof.password, user.password_hash):
            raise Denied("Wrong password.")
    _confirm_code_of(desk, proof)


def open_vault(desk: Desk, proof: Proof) -> bytes:
    """The vault key, for a use that needs it; as :func:`confirm`, but it is the cryptography that refuses."""
    wrapped = desk.store.vault.get()
    if wrapped is None:
        return _new_vault(desk, proof)
    _require_password(proof)
    with _counted(desk, proof):
        vault_key = vault.opens(wrapped, proof.password)
        if vault_key is None:
            raise Denied("Wrong password.")
    _confirm_code_of(desk, proof)
    return vault_key


def _new_vault(desk: Desk, proof: Proof) -> bytes:
    """For an account of the version before there was a vault, of whose key no copy was left: the first vault key."""
    if desk.store.users.get() is None:
        raise NotFound("There is no account yet.")
    confirm(desk, proof)
    vault_key = vault.new_key()
    desk.store.vault.begin(vault.wrap(vault_key, proof.password, desk.argon2))
    return vault_key


def _require_password(proof: Proof) -> None:
    """A field that was left empty is no try, and costs no wait."""
    if not proof.password:
        raise Denied("Type your password.")


def _counted(desk: Desk, proof: Proof) -> AbstractContextManager[None]:
    """Around one try at the password from an open session; see :func:`attempts.counted`."""
    strangers = Windows.parse(desk.settings.login_rate_limit)
    bucket, policy = limit_of(desk, "confirm", proof.device, for_strangers=strangers)
    return attempts.counted(desk.store.failed_logins, bucket, policy)


def _confirm_code_of(desk: Desk, proof: Proof) -> None:
    """The code of a step-up, where one is needed. One that was typed is always looked at."""
    two_factor = desk.store.two_factor.get()
    is_needed = two_factor.for_credentials and not proof.is_fresh
    if two_factor.is_set_up and (is_needed or proof.code):
        _confirm_code(desk, proof.code, device=proof.device, by=proof.by)


def _confirm_code(desk: Desk, code: str, *, device: str, by: Actor, ends_sessions: bool = False) -> Factor:
    if recovery.looks_like_one(code):
        recovery.confirm_recovery_code(desk, code, device=device, by=by, ends_sessions=ends_sessions)
        return Factor.RECOVERY_CODE
    authenticator.confirm_code(desk, code, device=device)
    return Factor.AUTHENTICATOR


def _state(desk: Desk, user: User) -> str:
    """A digest of what must not have changed between password and code. Any code that is used changes it."""
    two_factor = desk.store.two_factor.get()
    told = f"{user.password_hash}|{two_factor.last_step}|{two_factor.set_up_at}|{recovery.left(desk)}"
    return desk.store.machine_key.digest(PASSWORD_WAS_RIGHT, told.encode()).hex()


def _folded(name: str) -> bytes:
    """Names are compared without regard to case. One longer than allowed stays too long to be anybody's."""
    cut = name.strip()[: LONGEST_NAME + 1]
    return unicodedata.normalize("NFKC", cut).casefold().encode("utf-8", "surrogatepass")
