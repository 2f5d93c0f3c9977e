"""Which browsers are known (security 4.5, T19, T20).

Unknown browsers share one limit: whoever floods it locks out other unknown browsers, but never the trader's own,
which carries a device token and only has a back-off of at most 30 seconds.

A token says what its browser proved. One given for the password alone makes nobody known where codes are guessed:
who has the password could fetch a new token, and with it a new count, for every guess. And it ends when password or
authenticator change, so that a thief's browser is a stranger again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta

from openalgo_bridge.account.attempts import BackOff, Policy
from openalgo_bridge.account.signing import sign, signed_text
from openalgo_bridge.desk import Desk
from openalgo_bridge.store.machine_key import DEVICE_TOKEN

DEVICE_LIFE = timedelta(days=90)

_PASSWORD = "password"  # noqa: S105 - what was proved
_WITH_CODE = "code"
_ID_BYTES = 24
_ERA_LENGTH = 16


def new_device_token(desk: Desk, *, proved_code: bool = False) -> str:
    """What a browser keeps for 90 days after a full login, so that it is known the next time.

    ``proved_code``: the person typed a code of the authenticator, too.
    """
    proof = _WITH_CODE if proved_code else _PASSWORD
    text = f"{secrets.token_urlsafe(_ID_BYTES)}.{proof}.{_era(desk)}"
    return sign(desk.store.machine_key, DEVICE_TOKEN, text, expires=desk.clock.now() + DEVICE_LIFE)


def known_device(desk: Desk, token: str, *, for_codes: bool = False) -> bool:
    """True for a token of :func:`new_device_token` that still counts. Any text is allowed."""
    text = signed_text(desk.store.machine_key, DEVICE_TOKEN, token, now=desk.clock.now())
    if text is None:
        return False
    _, _, told = text.partition(".")
    proof, _, era = told.partition(".")
    return hmac.compare_digest(era.encode(), _era(desk).encode()) and (proof == _WITH_CODE or not for_codes)


def limit_of(
    desk: Desk, what: str, device: str, *, for_strangers: Policy, for_codes: bool = False
) -> tuple[str, Policy]:
    """The bucket in which tries at ``what`` from this browser are counted, and how many it may make."""
    if not known_device(desk, device, for_codes=for_codes):
        return what, for_strangers
    return f"{what}:{hashlib.sha256(device.encode('ascii')).hexdigest()[:32]}", BackOff()


def _era(desk: Desk) -> str:
    """Another one after every change of the password or the authenticator."""
    user, two_factor = desk.store.users.get(), desk.store.two_factor.get()
    told = f"{user.password_hash if user else ''}|{two_factor.set_up_at}"
    return desk.store.machine_key.digest(DEVICE_TOKEN, told.encode()).hex()[:_ERA_LENGTH]
