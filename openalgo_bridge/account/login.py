"""Signing in, the step-up, and which browsers are known (security 4.5, T19).

Unknown browsers share one limit, LOGIN_RATE_LIMIT: whoever floods it locks out other unknown browsers, but never
the trader's own, which carries a device token and only has a back-off of at most 30 seconds.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import unicodedata
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta

from openalgo_bridge.account import attempts, vault
from openalgo_bridge.account.attempts import BackOff, Policy, Windows
from openalgo_bridge.account.password import matches
from openalgo_bridge.account.signing import sign, signed_text
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Denied, NotFound
from openalgo_bridge.store.machine_key import DEVICE_TOKEN
from openalgo_bridge.store.users import User

DEVICE_LIFE = timedelta(days=90)
LONGEST_NAME = 64

_WRONG = "Wrong user name or password."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the person typed to prove who it is. ``is_fresh``: proved with a code less than five minutes ago, so that
    no further code is needed; the password always is."""

    password: str = field(repr=False)
    code: str = field(default="", repr=False)
    is_fresh: bool = False


def sign_in(desk: Desk, username: str, password: str, *, device: str, address: str) -> User:
    """The user, when name and password are right. ``device`` is the browser's device token, or empty.

    Raises Denied, with the same sentence after the same work whichever of the two was wrong; RateLimited;
    StorageError when the counters cannot be used, before the password is looked at.
    """
    bucket, policy = _limit_of(desk, device)
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


def confirm(desk: Desk, proof: Proof) -> None:
    """The step-up: the person at an open session proves who it is.

    Counted apart from :func:`sign_in`, under the same limit: who took over a session cannot guess for ever, nor
    lock the trader out. Raises Denied, RateLimited, StorageError.
    """
    with _confirmation(desk):
        user = desk.store.users.get()
        if user is None or not matches(proof.password, user.password_hash):
            raise Denied("Wrong password.")


def open_vault(desk: Desk, proof: Proof) -> bytes:
    """The vault key, for a use that needs it; as :func:`confirm`, but it is the cryptography that refuses."""
    wrapped = desk.store.vault.get()
    if wrapped is None:
        raise NotFound("There is no account yet.")
    with _confirmation(desk):
        vault_key = vault.opens(wrapped, proof.password)
        if vault_key is None:
            raise Denied("Wrong password.")
    return vault_key


def _confirmation(desk: Desk) -> AbstractContextManager[None]:
    """Around one try at the password from an open session; see :func:`attempts.counted`."""
    return attempts.counted(desk.store.failed_logins, "confirm", Windows.parse(desk.settings.login_rate_limit))


def new_device_token(desk: Desk) -> str:
    """What a browser keeps for 90 days after a full login, so that it is known the next time."""
    expires = desk.clock.now() + DEVICE_LIFE
    return sign(desk.store.machine_key, DEVICE_TOKEN, secrets.token_urlsafe(32), expires=expires)


def known_device(desk: Desk, token: str) -> bool:
    """True for a token of :func:`new_device_token` that has not expired. Any text is allowed."""
    return signed_text(desk.store.machine_key, DEVICE_TOKEN, token, now=desk.clock.now()) is not None


def _limit_of(desk: Desk, device: str) -> tuple[str, Policy]:
    if not known_device(desk, device):
        return "sign-in", Windows.parse(desk.settings.login_rate_limit)
    return f"sign-in:{hashlib.sha256(device.encode('ascii')).hexdigest()[:32]}", BackOff()


def _folded(name: str) -> bytes:
    """Names are compared without regard to case. One longer than allowed stays too long to be anybody's."""
    cut = name.strip()[: LONGEST_NAME + 1]
    return unicodedata.normalize("NFKC", cut).casefold().encode("utf-8", "surrogatepass")
