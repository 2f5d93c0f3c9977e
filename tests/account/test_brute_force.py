"""Many wrong keys at full speed (security T18): none gets in, each is in the log, and the trader notices nothing."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.model import apikey
from openalgo_bridge.settings import Settings
from tests.conftest import PASSWORD, Live
from tests.wire import Wire

ATTACKERS = 8
OWNERS_CALLS = 25
"""Fewer than the 30 of the default limit, so a 429 could only come from somebody else's calls."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The limits that a trader has."""
    return replace(settings, order_rate_limit="10 per second", api_rate_limit="30 per second")


@pytest.fixture
def key(live: Live) -> str:
    return create_account(live.desk, "trader", PASSWORD, risk_accepted=True)


@dataclass
class Attack:
    """So many wrong keys, divided among the connections. ``turns`` is released when the owner shall call in between."""

    live: Live
    key: str
    tries: int
    turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def run(self) -> Counter[int]:
        """What was answered, and how often."""
        with ThreadPoolExecutor(ATTACKERS) as pool:
            return sum(pool.map(self._attack, range(ATTACKERS)), Counter[int]())

    def _attack(self, number: int) -> Counter[int]:
        own, every = self.tries // ATTACKERS, self.tries // OWNERS_CALLS
        answers: Counter[int] = Counter()
        with Wire(self.live.port) as wire:
            for turn, wrong in zip(range(own), wrong_keys(self.key, random.Random(number)), strict=False):
                answers[wire.ask(ping(self.live.port, wrong)).status] += 1
                if (number * own + turn) % every == 0:
                    self.turns.release()
        return answers


def wrong_keys(right: str, chance: random.Random) -> Iterator[str]:
    """Random ones, and ever nearer ones: with a right checksum, with one wrong character, cut, doubled, turned."""
    while True:
        yield apikey.new_key()
        place = chance.randrange(apikey.RANDOM_LENGTH)
        near = _changed(right[: apikey.RANDOM_LENGTH], place)
        yield near + apikey._checksum(near)
        yield _changed(right, chance.randrange(apikey.LENGTH))
        yield chance.choice(
            [right[:-1], right[1:], right * 2, right[::-1], right.swapcase(), right + "\0", f"'{right}'"]
        )


def _changed(text: str, place: int) -> str:
    return text[:place] + ("B" if text[place] != "B" else "C") + text[place + 1 :]


def ping(port: int, key: str) -> bytes:
    body = json.dumps({"apikey": key})
    head = f"POST /api/v1/ping HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def check(live: Live, key: str, tries: int) -> None:
    attack = Attack(live, key, tries)
    with ThreadPoolExecutor(1) as aside, Wire(live.port) as owner:
        attacking = aside.submit(attack.run)
        answers = Counter[int]()
        for _ in range(OWNERS_CALLS):
            assert attack.turns.acquire(timeout=60)
            answers[owner.ask(ping(live.port, key)).status] += 1
        refused = attacking.result()
    assert refused == {403: tries}
    assert answers == {200: OWNERS_CALLS}
    assert logged(live) == {("wrong key", 403, False): tries, ("ok", 200, True): OWNERS_CALLS}


def logged(live: Live) -> Counter[tuple[str | None, int | None, bool]]:
    """How often each ending is in the traffic log, and whether it names the key."""
    found: Counter[tuple[str | None, int | None, bool]] = Counter()
    before: int | None = None
    while calls := live.desk.store.traffic.page(before=before, limit=1000):
        found.update((call.outcome, call.status, call.key_fingerprint is not None) for call in calls)
        before = calls[-1].id
    return found


def test_wrong_keys_by_many_never_get_in_nor_in_the_way(live: Live, key: str) -> None:
    check(live, key, 1600)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_thousand_wrong_keys_never_get_in_nor_in_the_way(live: Live, key: str) -> None:
    check(live, key, 100_000)


def test_the_wrong_keys_are_wrong(key: str) -> None:
    """Otherwise the campaign would prove nothing, or fail for nothing."""
    tried = [wrong for wrong, _ in zip(wrong_keys(key, random.Random(0)), range(2000), strict=False)]
    assert key not in tried
    assert sum(apikey.is_well_formed(wrong) for wrong in tried) >= 1000
