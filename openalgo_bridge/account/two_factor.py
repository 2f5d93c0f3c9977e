"""Setting the authenticator app up, and its recovery codes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyotp

from openalgo_bridge.account import authenticator, login, recovery
from openalgo_bridge.account.login import Proof
from openalgo_bridge.account.recovery import FreshCode
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, NotFound, WrongCode
from openalgo_bridge.model.audit import Actor

ISSUER = "OpenAlgo Bridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What an app needs to make the codes: ``secret`` in base32, and the same in an ``otpauth`` URI for the QR."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Confirmed:
    """A pending secret whose code was typed."""

    cell: bytes
    step: int


def begin(desk: Desk) -> Enrolment:
    """A new secret, to be shown once. An authenticator that is set up stays in force until :func:`finish`.

    Raises NotFound while there is no account, StorageError.
    """
    user = desk.store.users.get()
    if user is None:
        raise NotFound("There is no account yet.")
    secret = authenticator.new_secret()
    desk.store.two_factor.begin(authenticator.sealed(desk.store.machine_key, secret))
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=ISSUER)
    return Enrolment(secret=secret, uri=uri)


def check_new_code(desk: Desk, new_code: str) -> None:
    """Raises WrongCode unless it is a code of the secret of :func:`begin`; Conflict when there is none.

    Changes nothing, and is not counted: whoever may type it was shown the secret.
    """
    _confirmed(desk, new_code)


def finish(desk: Desk, proof: Proof, new_code: str, *, by: Actor) -> list[str]:
    """Put the new authenticator in force, for signing in and for credentials. Returns ten recovery codes to show once.

    ``new_code`` is used up by this; former recovery codes are worth nothing. The password is needed, because the
    recovery codes wrap the vault key. Raises WrongCode, Denied, RateLimited, StorageError, and Conflict when another
    window was faster; nothing has changed then.
    """
    confirmed = _confirmed(desk, new_code)
    codes = recovery.make(login.open_vault(desk, proof), desk.argon2)
    desk.store.two_factor.set_up(confirmed.cell, confirmed.step, [code.row for code in codes], by=by)
    return _texts(codes)


def new_recovery_codes(desk: Desk, proof: Proof, *, by: Actor) -> list[str]:
    """Ten new codes in place of those that are left, to be shown once.

    The password is needed, as in :func:`finish`. Raises Conflict while nothing is set up, Denied, RateLimited,
    StorageError.
    """
    if not desk.store.two_factor.get().is_set_up:
        raise Conflict("Set up an authenticator app first.")
    vault_key = login.open_vault(desk, proof)
    codes = recovery.make(vault_key, desk.argon2, taken={code.id for code in desk.store.two_factor.recovery_codes()})
    desk.store.two_factor.replace_recovery_codes([code.row for code in codes], by=by)
    return _texts(codes)


def _confirmed(desk: Desk, new_code: str) -> _Confirmed:
    cell = desk.store.two_factor.get().pending
    secret = authenticator.unsealed(desk.store.machine_key, cell) if cell else None
    if cell is None or secret is None:
        raise Conflict("There is no set-up to finish: it was finished already, or must be begun again.")
    digits, now = authenticator.digits_of(new_code), authenticator.step_now(desk)
    step = authenticator.step_of(secret, digits, now)
    if step is None:
        raise WrongCode(authenticator.words_on_clock(secret, digits, now, is_known=True) or authenticator.WRONG)
    return _Confirmed(cell=cell, step=step)


def _texts(codes: list[FreshCode]) -> list[str]:
    return [code.text for code in codes]
