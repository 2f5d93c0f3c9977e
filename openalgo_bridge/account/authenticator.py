"""The authenticator app: a code of six digits every 30 seconds, each good once, ever (RFC 6238; security 4.5, T20).

The steps are counted from the epoch and never pass through a local time, so neither time zone nor summer time
matters (T29).
"""

from __future__ import annotations

import base64
import hmac
import os
import unicodedata

import pyotp
from cryptography.exceptions import InvalidTag

from openalgo_bridge.account import attempts
from openalgo_bridge.account.attempts import Windows
from openalgo_bridge.account.devices import known_device, limit_of
from openalgo_bridge.account.sealing import seal, unseal
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import WrongCode
from openalgo_bridge.store.machine_key import TOTP_WRAP, MachineKey

TRIES = Windows.parse("5 per 15 minute;50 per day")
"""For unknown browsers together: 3.6 % a year for somebody who has the password already (T20)."""

UNREADABLE = (
    "The codes of your authenticator app cannot be checked: the file machine.key was lost or replaced. "
    "Type one of your recovery codes, or run this on the PC of the bridge: run.py reset-password --remove-two-factor"
)

# pending and secret share one place: the store moves the sealed bytes from the one to the other.
_PLACE = "two_factor|secret|1|1"
_SECRET_LENGTH = 20
_STEP_MS = 30_000
_DIGITS = 6
_LONGEST = 40
_FAR = 10  # steps: five minutes
_LARGEST_IN_SECONDS = 90

_MISSING = "Type the six digits that your authenticator app shows now."
_USED = "This code was used already. Wait for the next one (up to 30 s)."
_CLOCK_WENT_BACK = "The clock of this PC stands before the last code that was used. Set it to automatic time."
WRONG = (
    "Wrong code. Type the newest one. If that is wrong too, set the clocks of this PC and of your phone "
    "to automatic time."
)


def is_needed_at_login(desk: Desk) -> bool:
    """Whether the password alone signs nobody in. True as well while the secret cannot be read. Raises StorageError."""
    return desk.store.two_factor.get().at_login


def is_needed_for_credentials(desk: Desk) -> bool:
    """Whether a step-up needs a code. True as well while the secret cannot be read. Raises StorageError."""
    return desk.store.two_factor.get().for_credentials


def is_readable(desk: Desk) -> bool:
    """False when the secret was sealed under another machine key: then only a recovery code is a second factor."""
    cell = desk.store.two_factor.get().secret
    return cell is None or unsealed(desk.store.machine_key, cell) is not None


def confirm_code(desk: Desk, code: str, *, device: str = "") -> None:
    """Take one code of the authenticator app, and use it up. ``device`` is the browser's device token, or empty.

    Raises WrongCode with the sentence to show; RateLimited; StorageError, before the code is looked at when the
    counters cannot be used.
    """
    cell = desk.store.two_factor.get().secret
    secret = unsealed(desk.store.machine_key, cell) if cell else None
    if secret is None:
        raise WrongCode(UNREADABLE)
    digits = digits_of(code)
    bucket, policy = limit_of(desk, "code", device, for_strangers=TRIES, for_codes=True)
    with attempts.counted(desk.store.failed_logins, bucket, policy, of="codes"):
        step = step_of(secret, digits, step_now(desk))
        if step is None:
            raise WrongCode(_why_wrong(desk, secret, digits, is_known=known_device(desk, device, for_codes=True)))
        if not desk.store.two_factor.use_step(step):
            raise WrongCode(_why_used(desk))


def new_secret() -> str:
    """20 random bytes as base32, which is what the apps take."""
    return base64.b32encode(os.urandom(_SECRET_LENGTH)).decode("ascii")


def sealed(machine_key: MachineKey, secret: str) -> bytes:
    """The secret as it may be written."""
    return seal(machine_key.derive(TOTP_WRAP), secret.encode("ascii"), _PLACE)


def unsealed(machine_key: MachineKey, cell: bytes) -> str | None:
    """The inverse of :func:`sealed`; None under another machine key."""
    try:
        return unseal(machine_key.derive(TOTP_WRAP), cell, _PLACE).decode("ascii")
    except InvalidTag:
        return None


def digits_of(code: str) -> str:
    """The six digits, as a person types them: with spaces, or in the wide form of some keyboards. Raises WrongCode."""
    text = unicodedata.normalize("NFKC", code[:_LONGEST])
    digits = "".join(character for character in text if not character.isspace())
    if len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
        raise WrongCode(_MISSING)
    return digits


def step_now(desk: Desk) -> int:
    """How many times 30 seconds have passed since the epoch."""
    return desk.clock.now_ms() // _STEP_MS


def step_of(secret: str, digits: str, now: int) -> int | None:
    """The step whose code this is: ``now`` or the one before. None for any other, so one that is to come as well."""
    found = [step for step in (now - 1, now) if _is_code_of(secret, step, digits)]
    return found[-1] if found else None


def words_on_clock(secret: str, digits: str, now: int, *, is_known: bool) -> str:
    """What a code of the minutes around says about the clocks; empty when it is none of them.

    A stranger is told nothing about a code that is to come: having guessed one, he would only have to wait for it.
    """
    to_come = range(1, _FAR + 1) if is_known else range(0)
    for distance in (*range(2, _FAR + 1), *(-steps for steps in to_come)):
        if _is_code_of(secret, now - distance, digits):
            return (
                f"The clock of this PC or your phone is off by about {_spoken(abs(distance))}. "
                "Set both to automatic time, then type the newest code."
            )
    return ""


def _why_wrong(desk: Desk, secret: str, digits: str, *, is_known: bool) -> str:
    return words_on_clock(secret, digits, step_now(desk), is_known=is_known) or WRONG


def _why_used(desk: Desk) -> str:
    return _CLOCK_WENT_BACK if desk.store.two_factor.get().last_step > step_now(desk) else _USED


def _is_code_of(secret: str, step: int, digits: str) -> bool:
    return hmac.compare_digest(pyotp.HOTP(secret).at(step).encode("ascii"), digits.encode("ascii"))


def _spoken(steps: int) -> str:
    seconds = steps * _STEP_MS // 1000
    return f"{seconds} seconds" if seconds <= _LARGEST_IN_SECONDS else f"{round(seconds / 60)} minutes"
