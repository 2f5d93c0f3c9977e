"""The first minutes: a code that proves you sit at this PC, the risk warning, the account with its first key."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable
from datetime import timedelta

from openalgo_bridge.account import keys, vault
from openalgo_bridge.account.login import LONGEST_NAME
from openalgo_bridge.account.password import faults_of_new, hash_password
from openalgo_bridge.clock import Clock
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, Invalid
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.store.users import NewUser

RISK_WARNING = """\
The API key made now can place orders. Once you connect a broker and switch to live trading, these orders use \
your money, without asking you again unless you choose Semi-Auto.

Programs make mistakes: a script may loop, an alert may fire twice, a price may be wrong, this bridge may have \
errors, your PC or your connection may fail in the middle of an order. You can lose money, and more than you \
meant to risk. Nobody but you answers for what is sent with your key.

Keep the key like a password: give it to nobody, put it in no shared file, generate a new one when in doubt.

The bridge starts in paper mode: nothing reaches a broker until you decide so."""

RISK_VERSION = "2026-11"
"""Which text of the warning was accepted is recorded: a changed text gets another version."""

SETUP = Actor(name="set-up")

CODE_LIFE = timedelta(minutes=15)
WRONG_TRIES = 5

_CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without 0 O 1 I L
_GROUPS = 3
_GROUP_LENGTH = 4
_WALL_CLOCK = Clock()


def create_account(desk: Desk, username: str, password: str, *, risk_accepted: bool, by: Actor = SETUP) -> str:
    """Make the user and the first key in one commit. Returns the key, to be shown once.

    Raises Invalid naming every fault, Conflict when there is an account already, RateLimited, StorageError.
    """
    if desk.store.users.get() is not None:
        raise Conflict("There is an account on this bridge already. Sign in.")
    name = username.strip()
    faults = _faults(name, password, risk_accepted=risk_accepted)
    if faults:
        raise Invalid.of(faults)
    password_hash = hash_password(password, desk.argon2)
    vault_key = vault.new_key()
    fresh = keys.make(desk.store.machine_key, vault_key)
    user = NewUser(
        username=name,
        password_hash=password_hash,
        risk_version=RISK_VERSION,
        key=fresh.row,
        vault=vault.wrap(vault_key, password, desk.argon2),
    )
    desk.store.users.create(user, by=by)
    return fresh.text


class SetupCode:
    """A one-time code on the console: only who sees this PC's screen can make the account (security T3).

    ``announce`` gets the code now, and a fresh one after 15 minutes or 5 wrong tries. A right code is not used up
    by :meth:`check`, so that a refused password does not cost it; once an account exists there is nothing left
    that it opens. Thread-safe.
    """

    def __init__(self, announce: Callable[[str], None], *, clock: Clock = _WALL_CLOCK) -> None:
        self._announce = announce
        self._clock = clock
        self._lock = threading.Lock()
        with self._lock:
            self._renew()

    def check(self, code: str) -> None:
        """Raises Denied, with a sentence, unless this is the code. Case, spaces and dashes do not matter."""
        with self._lock:
            if self._clock.monotonic() - self._made_at >= CODE_LIFE.total_seconds():
                self._renew()
                raise Denied("The set-up code has expired. A new one is on the console of the bridge.")
            if hmac.compare_digest(_bare(code), _bare(self._code)):
                return
            self._wrong += 1
            if self._wrong >= WRONG_TRIES:
                self._renew()
                raise Denied("Wrong set-up code, too many times. A new one is on the console of the bridge.")
            raise Denied("Wrong set-up code. It is on the console of the bridge.")

    def _renew(self) -> None:
        self._code = _new_code()
        self._made_at = self._clock.monotonic()
        self._wrong = 0
        self._announce(self._code)


def _faults(name: str, password: str, *, risk_accepted: bool) -> dict[str, list[str]]:
    faults = {
        "username": _name_faults(name),
        "password": faults_of_new(password, name),
        "accept_risk": [] if risk_accepted else ["Read the risk warning and accept it."],
    }
    return {field: texts for field, texts in faults.items() if texts}


def _name_faults(name: str) -> list[str]:
    if not name:
        return ["Choose a user name."]
    if len(name) > LONGEST_NAME:
        return [f"At most {LONGEST_NAME} characters."]
    if not name.isprintable():  # neither control characters nor lone surrogates, which SQLite cannot hold
        return ["Letters, digits, spaces and punctuation only."]
    return []


def _new_code() -> str:
    groups = ("".join(secrets.choice(_CODE_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def _bare(code: str) -> bytes:
    bare = "".join(character for character in code if character not in " -\t\r\n")
    return bare.upper().encode("utf-8", "surrogatepass")
