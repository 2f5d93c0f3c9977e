"""Which browsers are known (security 4.5, T19).

Unknown browsers share one limit: whoever floods it locks out other unknown browsers, but never the trader's own,
which carries a device token and only has a back-off of at most 30 seconds.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from openalgo_bridge.account.attempts import BackOff, Policy
from openalgo_bridge.account.signing import sign, signed_text
from openalgo_bridge.desk import Desk
from openalgo_bridge.store.machine_key import DEVICE_TOKEN

DEVICE_LIFE = timedelta(days=90)


def new_device_token(desk: Desk) -> str:
    """What a browser keeps for 90 days after a full login, so that it is known the next time."""
    expires = desk.clock.now() + DEVICE_LIFE
    return sign(desk.store.machine_key, DEVICE_TOKEN, secrets.token_urlsafe(32), expires=expires)


def known_device(desk: Desk, token: str) -> bool:
    """True for a token of :func:`new_device_token` that has not expired. Any text is allowed."""
    return signed_text(desk.store.machine_key, DEVICE_TOKEN, token, now=desk.clock.now()) is not None


def limit_of(desk: Desk, what: str, device: str, *, for_strangers: Policy) -> tuple[str, Policy]:
    """The bucket in which tries at ``what`` from this browser are counted, and how many it may make."""
    if not known_device(desk, device):
        return what, for_strangers
    return f"{what}:{hashlib.sha256(device.encode('ascii')).hexdigest()[:32]}", BackOff()
