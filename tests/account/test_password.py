"""What a password must be, and that every text gets an answer."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings

from openalgo_bridge.account import password as passwords
from openalgo_bridge.account.password import Argon2Cost, derive_key, faults_of_new, hash_password, matches
from openalgo_bridge.errors import RateLimited
from openalgo_bridge.settings import PROJECT_FOLDER
from tests.conftest import CHEAP, PASSWORD
from tests.model.test_apikey import ANY_TEXT

# In a process of its own, because what it looks for is a thread that can never be stopped.
TWO_AT_ONCE = """
import contextlib
import threading
from openalgo_bridge.account.password import Argon2Cost, hash_password, matches
from openalgo_bridge.errors import RateLimited

phc = hash_password("correct horse battery", Argon2Cost({cost}))
found, checked = [], []
barrier = threading.Barrier(2)

def check():
    barrier.wait()
    while checked.count(threading.get_ident()) < 3:
        with contextlib.suppress(RateLimited):  # a busy PC: the other one's hash took a second
            found.append(matches("correct horse battery", phc))
            checked.append(threading.get_ident())

threads = [threading.Thread(target=check) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(found.count(True))
"""

HOSTILE = ["", "\x00", "\ud800\udc00" * 6, "\udfff" * 20, "é" * 12, "a\u0301" * 5000, "x" * 1_000_000]


def test_a_password_matches_its_own_hash_and_no_other() -> None:
    phc = hash_password(PASSWORD, CHEAP)
    assert matches(PASSWORD, phc)
    assert not matches(PASSWORD + " ", phc)
    assert not matches(PASSWORD.upper(), phc)


def test_the_same_password_never_gives_the_same_hash() -> None:
    assert hash_password(PASSWORD, CHEAP) != hash_password(PASSWORD, CHEAP)


def test_the_default_cost_is_the_one_that_was_decided() -> None:
    assert hash_password(PASSWORD, Argon2Cost()).startswith("$argon2id$v=19$m=65536,t=3,p=1$")


@pytest.mark.parametrize(
    ("typed", "elsewhere"),
    [
        ("passé composé", "passe\u0301 compose\u0301"),
        ("\uff41bcdefghijkl", "abcdefghijkl"),
        ("Åse går hjem", "Åse går hjem"),
    ],
)
def test_two_ways_to_write_the_same_letters_are_one_password(typed: str, elsewhere: str) -> None:
    assert matches(elsewhere, hash_password(typed, CHEAP))


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_may_be_tried(text: str) -> None:
    assert not matches(text, hash_password(PASSWORD, CHEAP))
    assert len(derive_key(text, b"s" * 16, CHEAP)) == 32


@pytest.mark.parametrize("phc", ["", "junk", "$argon2id$v=19$m=64,t=1,p=1$aa$bb", "é"])
def test_a_damaged_hash_matches_nothing(phc: str) -> None:
    assert not matches(PASSWORD, phc)


def test_a_derived_key_depends_on_password_and_salt() -> None:
    keys = {derive_key(text, salt, CHEAP) for text in (PASSWORD, "another one") for salt in (b"a" * 16, b"b" * 16)}
    assert len(keys) == 4
    assert derive_key(PASSWORD, b"a" * 16, CHEAP) in keys


@pytest.mark.parametrize("cost", ["", "lanes=4"], ids=["as decided", "as an older hash may have it"])
def test_two_checks_at_the_same_moment_both_end(cost: str) -> None:
    command = [sys.executable, "-c", TWO_AT_ONCE.format(cost=cost)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, cwd=PROJECT_FOLDER)
    assert done.stdout.strip() == b"6"


@pytest.mark.parametrize("cost", [Argon2Cost(), CHEAP, Argon2Cost(memory_kib=9999999, iterations=999, lanes=99)])
def test_a_cost_survives_being_written_down(cost: Argon2Cost) -> None:
    assert Argon2Cost.parse(str(cost)) == cost
    assert f"${Argon2Cost()}$" in hash_password(PASSWORD, Argon2Cost())


@pytest.mark.parametrize(
    "text", ["", "m=64,t=1", "m=64,t=1,p=0", "m=64,t=0,p=1", "m=7,t=1,p=1", "m=64,t=1,p=9", "m=\u0666\u0664,t=1,p=1"]
)
def test_what_no_hash_can_cost_is_no_cost(text: str) -> None:
    with pytest.raises(ValueError, match="not a cost"):
        Argon2Cost.parse(text)


def test_who_waits_for_a_hash_too_long_is_refused() -> None:
    with passwords._turn(), pytest.raises(RateLimited) as refused:
        hash_password(PASSWORD, CHEAP)
    assert refused.value.retry_after == 1
    assert hash_password(PASSWORD, CHEAP)


@pytest.mark.parametrize("text", [PASSWORD, "x7#mQ2!vLp9z", "यह मेरा पासवर्ड है", "🐎🔋📎🌲" * 3 + "ab"])
def test_a_good_password_has_no_fault(text: str) -> None:
    assert faults_of_new(text, "trader") == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "At least 12"),
        ("elevenchars", "At least 12"),
        ("e\u0301" * 11, "At least 12"),
        ("x1y2z3" * 22, "At most 128"),
        ("a\u0301" * 500_000, "At most 128"),
        ("PassWord1234", "first passwords"),
        ("qwertyuiopasdf", "first passwords"),
        ("111111111111", "first passwords"),
        ("abcabcabcabcabc", "first passwords"),
        ("\ud800" * 14, "not text"),
        ("Trader.Joe.1234", "user name"),
    ],
)
def test_a_bad_password_gets_a_sentence(text: str, fault: str) -> None:
    (sentence,) = faults_of_new(text, " trader.joe.1234 ")
    assert fault in sentence


def test_every_listed_password_is_long_enough_to_need_listing() -> None:
    assert all(len(word) >= passwords.SHORTEST and word == word.casefold() for word in passwords._COMMON)


@settings(max_examples=200)
@given(ANY_TEXT, ANY_TEXT)
def test_no_text_makes_the_rules_raise(text: str, username: str) -> None:
    assert all(sentence.endswith(".") for sentence in faults_of_new(text, username))
