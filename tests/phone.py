"""The trader's phone: an authenticator app with a clock that is right, or as wrong as a test wants it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pyotp

from openalgo_bridge.account import two_factor
from openalgo_bridge.account.login import Proof
from openalgo_bridge.clock import Clock
from openalgo_bridge.desk import Desk
from tests.conftest import PASSWORD, TRADER

STEP = timedelta(seconds=30)


@dataclass
class Phone:
    """Shows six digits. ``recovery_codes`` is the paper beside it."""

    secret: str
    clock: Clock
    recovery_codes: list[str] = field(default_factory=list)

    def code(self, steps: int = 0) -> str:
        """The code that it shows, or showed or will show so many steps away."""
        return pyotp.TOTP(self.secret).at(self.clock.now() + steps * STEP)

    def wrong_code(self) -> str:
        """Six digits that are not the code of any step near."""
        near = {self.code(steps) for steps in range(-30, 31)}
        return next(digits for digits in (f"{number:06}" for number in range(100)) if digits not in near)


def set_up(desk: Desk) -> Phone:
    """A trader with two-factor. The code that the phone shows now is used up: move the clock for another."""
    phone = Phone(two_factor.begin(desk).secret, desk.clock)
    phone.recovery_codes = two_factor.finish(desk, Proof(password=PASSWORD), phone.code(), by=TRADER)
    return phone
