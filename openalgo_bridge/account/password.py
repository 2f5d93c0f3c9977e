"""Passwords: what makes one acceptable, and Argon2id as hash and as source of a key (security 4.5).

A password is normalised with NFKC before it is hashed, because keyboards and systems disagree on how to write
the same accented letter; nothing is cut off. Every text gets an answer, lone surrogates included.
"""

from __future__ import annotations

import os
import re
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from openalgo_bridge.errors import RateLimited

SHORTEST = 12
LONGEST = 128
SALT_LENGTH = 16

_KEY_LENGTH = 32
_FEWEST_DIFFERENT = 5

# One hash at a time, and one lane in new ones. cryptography 50.0.2 with OpenSSL 4.0.3 hangs for ever when two
# derivations with more than one lane overlap: their lanes wait for each other's threads. A check takes its lanes from
# the stored hash, so the single lane would not do without the lock. The lock also keeps a flood of passwords at 64 MiB
# of memory (security 4.5). A hash takes 0.2 s, so whoever still waits after a second is in that flood.
_LONGEST_WAIT_S = 1.0
_one_at_a_time = threading.Lock()

_COST = re.compile(r"m=([0-9]{1,7}),t=([0-9]{1,3}),p=([0-9]{1,2})")

# The commonest passwords long enough to pass the length rule, and ours of the day.
_COMMON_WORDS = """
123456789012 1234567890123 12345678901234 1234567890qwerty 123456789abc 123456789qwe 123412341234
0123456789ab 098765432109 987654321098 1q2w3e4r5t6y 1q2w3e4r5t6y7u 1qaz2wsx3edc 1qaz2wsx3edc4rfv
abcdefghijkl abcdefghijklm abcdefghijklmnop abcdefg12345 abcd1234abcd abc123abc123 admin1234567
administrator administrator1 asdfghjkl123 asdfghjkl1234 asdfghjklqwerty changemenow1 changeme1234
computer1234 football1234 iloveyou1234 iloveyou12345 iloveyouforever iloveyousomuch letmein12345
letmeinplease michael12345 mypassword12 mypassword123 openalgo1234 openalgo12345 openalgobridge
openalgo_bridge password1234 password12345 password123456 password123! password@123 passwordpassword
princess1234 qazwsxedcrfv qwerty123456 qwerty1234567 qwertyqwerty qwertyuiop12 qwertyuiop123 qwertyuiopas
qwertyuiopasdf qwertyuiop[] sunshine1234 superman1234 thisismypassword tradingview123 trading123456
trustno1trustno1 welcome12345 welcome123456 zaq12wsxcde3 zxcvbnm12345 zxcvbnmasdfg
correcthorsebatterystaple
"""
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2Cost:
    """What one hash costs: about 0.2 s with the defaults. At least 8 KiB for each lane.

    Its text form is that of a PHC string, ``m=65536,t=3,p=1``.
    """

    memory_kib: int = 65536
    iterations: int = 3
    lanes: int = 1

    def __str__(self) -> str:
        return f"m={self.memory_kib},t={self.iterations},p={self.lanes}"

    @classmethod
    def parse(cls, text: str) -> Argon2Cost:
        """The inverse of ``str``. Raises ValueError where no hash can cost that."""
        found = _COST.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a cost of Argon2id.")
        memory_kib, iterations, lanes = (int(number) for number in found.groups())
        if iterations < 1 or lanes < 1 or memory_kib < 8 * lanes:
            raise ValueError(f"{text!r} is not a cost of Argon2id.")
        return cls(memory_kib=memory_kib, iterations=iterations, lanes=lanes)


def faults_of_new(password: str, username: str) -> list[str]:
    """What is wrong with a password somebody wants to set, in sentences; empty when nothing is."""
    if len(password) > LONGEST:
        return [f"At most {LONGEST} characters."]
    text = unicodedata.normalize("NFKC", password)
    if any("\ud800" <= character <= "\udfff" for character in text):
        return ["It contains characters that are not text."]
    if len(text) < SHORTEST:
        return [f"At least {SHORTEST} characters. Four unrelated words are easy to remember."]
    folded = text.casefold()
    if folded == unicodedata.normalize("NFKC", username.strip()[:LONGEST]).casefold():
        return ["It must not be the user name."]
    if folded in _COMMON or len(set(folded)) < _FEWEST_DIFFERENT:
        return ["This is one of the first passwords anybody would try. Choose another."]
    return []


def hash_password(password: str, cost: Argon2Cost) -> str:
    """The Argon2id PHC string of a password, with a salt of its own. Raises RateLimited."""
    with _turn():
        return _argon2id(os.urandom(SALT_LENGTH), cost).derive_phc_encoded(_secret(password))


def matches(password: str, phc: str) -> bool:
    """True when ``phc`` was made of this password. A damaged ``phc`` matches nothing. Raises RateLimited."""
    with _turn():
        try:
            Argon2id.verify_phc_encoded(_secret(password), phc)
        except InvalidKey:
            return False
    return True


def derive_key(password: str, salt: bytes, cost: Argon2Cost) -> bytes:
    """32 bytes that only this password and salt give. Raises RateLimited."""
    with _turn():
        return _argon2id(salt, cost).derive(_secret(password))


@contextmanager
def _turn() -> Iterator[None]:
    if not _one_at_a_time.acquire(timeout=_LONGEST_WAIT_S):
        raise RateLimited("Too many passwords are being checked. Try again in 1 second.", retry_after=1)
    try:
        yield
    finally:
        _one_at_a_time.release()


def _argon2id(salt: bytes, cost: Argon2Cost) -> Argon2id:
    return Argon2id(
        salt=salt, length=_KEY_LENGTH, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib
    )


def _secret(password: str) -> bytes:
    """The bytes that are hashed. No stored password is longer than LONGEST, so a longer one need not be normalised:
    that takes quadratic time on a long run of combining marks."""
    text = password if len(password) > LONGEST else unicodedata.normalize("NFKC", password)
    return text.encode("utf-8", "surrogatepass")
