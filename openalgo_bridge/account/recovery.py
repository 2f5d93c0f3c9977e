"""Recovery codes: ten, each good once, for the day the phone is lost (security 4.5).

``AAAA-XXXX-XXXX-XXXX-XXXX``: four characters that name the code, so that a try costs one Argon2 and not ten, then 80
random bits. The 80 bits wrap the vault key: there is no hash to compare, a code is right because it opens something.
It needs neither the password nor the machine key.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field

from openalgo_bridge.account import attempts, vault
from openalgo_bridge.account.authenticator import TRIES
from openalgo_bridge.account.devices import limit_of
from openalgo_bridge.account.password import Argon2Cost
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import WrongCode
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.store.two_factor import RecoveryCode, place_of

CODES = 10
FEW = 3

# Crockford's base32: no letter that looks like a digit, and U is left out.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011")
_ID_LENGTH = 4
_SECRET_LENGTH = 16
_GROUP = 4
_LONGEST = 100

# Lighter than the password's: what it guards has 80 random bits.
_COST = Argon2Cost(memory_kib=19456, iterations=2, lanes=1)

_WRONG = "Wrong recovery code. It has five groups of four letters and digits; look at your paper again."
_USED = "This recovery code was used already. Take the next one of your list."


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshCode:
    """A code not written yet: ``text`` is shown once, ``row`` is what is kept."""

    text: str = field(repr=False)
    row: RecoveryCode


def make(vault_key: bytes, cost: Argon2Cost, *, taken: Collection[str] = ()) -> list[FreshCode]:
    """Ten codes for this vault key, none named as one of ``taken``. Writes nothing. Raises RateLimited."""
    cheaper = min(_COST, cost, key=lambda each: each.memory_kib * each.iterations)
    codes: dict[str, FreshCode] = {}
    while len(codes) < CODES:
        text = _random(_ID_LENGTH + _SECRET_LENGTH)
        id_ = text[:_ID_LENGTH]
        if id_ not in taken and id_ not in codes:
            wrapped = vault.wrap(vault_key, text[_ID_LENGTH:], cheaper, place=place_of(id_))
            codes[id_] = FreshCode(text=_grouped(text), row=RecoveryCode(id=id_, wrapped=wrapped))
    return list(codes.values())


def looks_like_one(text: str) -> bool:
    """Whether somebody who typed this means a recovery code, and not the six digits of an app."""
    return len(_bare(text)) == _ID_LENGTH + _SECRET_LENGTH


def confirm_recovery_code(desk: Desk, code: str, *, device: str, by: Actor, ends_sessions: bool = False) -> None:
    """Take a recovery code as second factor and use it up; counted together with the codes of the app.

    Raises WrongCode, RateLimited, StorageError.
    """
    bucket, policy = limit_of(desk, "code", device, for_strangers=TRIES, for_codes=True)
    with attempts.counted(desk.store.failed_logins, bucket, policy, of="codes"):
        open_vault_with_code(desk, code, by=by, ends_sessions=ends_sessions)


def open_vault_with_code(desk: Desk, code: str, *, by: Actor, ends_sessions: bool = False) -> bytes:
    """The vault key, for a code that is used up by this. Of two at the same moment one wins.

    Not counted: who lets others than the person at this PC try must do that. Raises WrongCode, RateLimited when too
    many secrets are being checked, StorageError.
    """
    text = _bare(code)
    row = next((each for each in desk.store.two_factor.recovery_codes() if each.id == text[:_ID_LENGTH]), None)
    if row is None:
        raise WrongCode(_WRONG)
    if row.used_at is not None:
        raise WrongCode(_USED)
    vault_key = vault.opens(row.wrapped, text[_ID_LENGTH:])
    if vault_key is None:
        raise WrongCode(_WRONG)
    if not desk.store.two_factor.use_recovery_code(row.id, by=by, ends_sessions=ends_sessions):
        raise WrongCode(_USED)
    return vault_key


def left(desk: Desk) -> int:
    """How many codes still work. Raises StorageError."""
    return sum(1 for code in desk.store.two_factor.recovery_codes() if code.used_at is None)


def _bare(code: str) -> str:
    """As it was made, whatever was typed: small letters, spaces, dashes of any kind, O for 0, I or L for 1."""
    text = unicodedata.normalize("NFKC", code[:_LONGEST]).upper()
    kept = "".join(character for character in text if character.isascii() and character.isalnum())
    return kept.translate(_MISREAD)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _grouped(text: str) -> str:
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))
