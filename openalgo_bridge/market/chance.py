"""Hashed numbers: the same on every machine, for the same seed, name and moment.

Whole numbers from fixed algorithms, because the sequence of a random generator is a promise of its library only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Chance:
    """All that is left to chance about one name. ``purpose`` keeps apart what must not depend on each other."""

    key: int

    @classmethod
    def of(cls, seed: int, name: str) -> Chance:
        """The same seed and name give the same numbers on every machine."""
        return cls(int.from_bytes(hashlib.blake2b(f"{seed}|{name}".encode(), digest_size=8).digest(), "big"))

    def bits(self, purpose: int, number: int) -> int:
        """32 bits."""
        return mix(self.key + purpose * _GOLDEN, number) >> 32

    def label(self, purpose: int) -> bytes:
        """What :func:`octets` are hashed from, for one purpose."""
        return self.key.to_bytes(8, "little") + purpose.to_bytes(1, "little")


def octets(label: bytes, number: int) -> bytes:
    """64 numbers from 0 to 255."""
    return hashlib.blake2b(label + number.to_bytes(8, "little", signed=True)).digest()


def mix(key: int, number: int) -> int:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014): 64 well mixed bits of two numbers."""
    bits = (key ^ (number * _GOLDEN)) & _MASK
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB & _MASK
    return bits ^ (bits >> 31)
