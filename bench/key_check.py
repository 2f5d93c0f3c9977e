"""What checking a key costs, and whether the time it takes says anything: ``python bench/key_check.py FOLDER``.

Prints one line of JSON. In this process and without HTTP, on an account of its own in FOLDER; the bridge's own code
must be importable.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import random
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from openalgo_bridge.account import keys
from openalgo_bridge.account.password import Argon2Cost
from openalgo_bridge.account.setup import create_account
from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey
from openalgo_bridge.model import apikey
from openalgo_bridge.model.address import MOST_NETWORKS, AddressRule
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.permission import Permission
from openalgo_bridge.settings import Settings

_PASSWORD = "bench only, never a real account"
_CHEAP = Argon2Cost(memory_kib=64, iterations=1, lanes=1)
_CALLER = "127.0.0.1"
_WARM_UP = 200
_TRIMMED = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCheck:
    """``check_us`` is the median in microseconds of key, permission and address together; ``listed_us`` the same with
    the longest list of addresses, the caller's own in its last line. ``t`` is Welch's, between unknown keys that
    differ from the real one in the first and in the last place before the checksum.
    """

    check_us: float
    listed_us: float
    t: float
    samples: int


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the check of the API key.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=20_000)
    given = parser.parse_args()
    with closing(open_desk(Settings(db_dir=given.folder), argon2=_CHEAP)) as desk:
        key = create_account(desk, "bench", _PASSWORD, risk_accepted=True)
        print(json.dumps(asdict(measure(desk, key, given.samples))))


def measure(desk: Desk, key: str, samples: int) -> KeyCheck:
    """All figures, from ``samples`` checks of the right key and as many of each class of wrong ones."""
    gc.disable()
    try:
        check_us = _check_us(desk, key, samples)
        first, last = wrong_key_times(desk, key, samples)
        desk.store.api_keys.restrict(_longest_list(), by=Actor(name="bench"))
        listed_us = _check_us(desk, key, samples)
    finally:
        gc.enable()
    return KeyCheck(check_us=check_us, listed_us=listed_us, t=welch_t(first, last), samples=samples)


def wrong_key_times(desk: Desk, key: str, samples: int) -> tuple[list[int], list[int]]:
    """Nanoseconds of each check, wrong in the first place and wrong in the last, asked in random order."""
    classes = [_near(key, 0), _near(key, apikey.RANDOM_LENGTH - 1)]
    order = [0, 1] * samples
    random.shuffle(order)
    for wrong in classes[0] + classes[1]:
        _refused_ns(desk, wrong)
    times: tuple[list[int], list[int]] = ([], [])
    for which in order:
        times[which].append(_refused_ns(desk, random.choice(classes[which])))
    return times


def welch_t(first: Sequence[float], last: Sequence[float]) -> float:
    """The difference of the means in standard errors, after the slowest twentieth of each was left out."""
    kept = [sorted(times)[: math.ceil(len(times) * (1 - _TRIMMED))] for times in (first, last)]
    error = math.sqrt(sum(statistics.variance(times) / len(times) for times in kept))
    return (statistics.fmean(kept[0]) - statistics.fmean(kept[1])) / error


def _longest_list() -> AddressRule:
    others = (f"10.0.{number}.0/24" for number in range(MOST_NETWORKS - 1))
    return AddressRule.of_networks(" ".join([*others, _CALLER]))


def _near(key: str, place: int) -> list[str]:
    """Every key that differs in this one place, each with its right checksum, so that the database is asked."""
    alphabet = sorted({*apikey._ALPHABET} - {key[place]})
    bodies = (key[:place] + other + key[place + 1 : apikey.RANDOM_LENGTH] for other in alphabet)
    return [body + apikey._checksum(body) for body in bodies]


def _refused_ns(desk: Desk, wrong: str) -> int:
    began = time.perf_counter_ns()
    try:
        keys.verify(desk, wrong)
    except BadApiKey:
        return time.perf_counter_ns() - began
    raise SystemExit("A wrong key was taken.")


def _check_us(desk: Desk, key: str, samples: int) -> float:
    times = []
    for _ in range(_WARM_UP + samples):
        began = time.perf_counter_ns()
        caller = keys.verify(desk, key)
        caller.require_address(_CALLER)
        caller.require(Permission.PLACE_ORDERS)
        times.append(time.perf_counter_ns() - began)
    return statistics.median(times[_WARM_UP:]) / 1000


if __name__ == "__main__":
    main()
