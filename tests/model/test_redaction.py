"""No text that is written down or shown carries a key."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.apikey import LENGTH, is_well_formed, new_key
from openalgo_bridge.model.redaction import TOKEN, has_token, redact, scrub
from tests.model.test_apikey import ANY_TEXT, BASE62, KEYS


def has_key(text: str) -> bool:
    return any(is_well_formed(text[start : start + LENGTH]) for start in range(len(text)))


@given(ANY_TEXT, KEYS, ANY_TEXT)
def test_a_key_anywhere_in_a_text_is_replaced(before: str, key: str, after: str) -> None:
    scrubbed = scrub(before + key + after)
    assert key not in scrubbed
    assert "[key]" in scrubbed


@given(st.text(BASE62, max_size=80), KEYS, st.text(BASE62, max_size=80))
def test_a_key_inside_a_longer_run_is_replaced_and_the_rest_is_kept(before: str, key: str, after: str) -> None:
    assert scrub(before + key + after) == f"{before}[key]{after}"


@given(st.lists(st.one_of(KEYS, ANY_TEXT, st.text(BASE62, max_size=40))))
def test_nothing_that_looks_like_a_key_is_left(parts: list[str]) -> None:
    assert not has_key(scrub("".join(parts)))


@given(ANY_TEXT.filter(lambda text: not has_key(text)))
def test_a_text_without_a_key_stays_as_it_is(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize("wrong", ["a" * 64, "0123456789abcdef" * 4, "A" * 26 + "0HTixx", "A" * 25 + "0HTix5"])
def test_a_long_run_with_a_wrong_checksum_stays(wrong: str) -> None:
    assert scrub(f"id={wrong}") == f"id={wrong}"


@given(ANY_TEXT, st.text(BASE62, min_size=32, max_size=80), ANY_TEXT)
def test_no_long_run_is_left_where_a_stranger_wrote(before: str, run: str, after: str) -> None:
    redacted = redact(before + run + after)
    assert not re.search("[0-9A-Za-z]{32}", redacted)
    assert "[key]" in redacted or "[redacted]" in redacted


@given(KEYS, st.integers(0, LENGTH - 1), st.sampled_from(BASE62))
def test_a_key_with_one_wrong_character_is_redacted(key: str, place: int, wrong: str) -> None:
    mistyped = key[:place] + wrong + key[place + 1 :]
    assert redact(f"/api/{mistyped}/x") == f"/api/{'[key]' if mistyped == key else '[redacted]'}/x"


@given(ANY_TEXT.filter(lambda text: not re.search("[0-9A-Za-z]{32}", text)))
def test_a_text_without_a_long_run_is_not_redacted(text: str) -> None:
    assert redact(text) == text


def test_two_keys_side_by_side_both_go() -> None:
    assert scrub(new_key() + new_key()) == "[key][key]"


def test_a_key_survives_neither_a_url_nor_json() -> None:
    key = new_key()
    assert scrub(quote(f"/api?apikey={key}&x=ä")) == quote("/api?apikey=") + "[key]" + quote("&x=ä")
    assert scrub(json.dumps({"apikey": key})) == '{"apikey": "[key]"}'


def test_a_made_up_window_over_a_real_key_does_not_save_half_of_it() -> None:
    # The decoy's checksum is the beginning of the real key: both windows are right, and they overlap.
    decoy, real = "A" * 26, "0HTix5" + "B" * 20 + "0DsgnW"
    assert is_well_formed(decoy + real[:6])
    assert is_well_formed(real)
    assert scrub(decoy + real) == "[key]"


@given(st.text("abZ09_- é.\ud800", max_size=80))
def test_the_fast_look_for_a_token_finds_what_the_search_finds(text: str) -> None:
    assert has_token(text) == (TOKEN.search(text) is not None)


@given(ANY_TEXT, st.text(BASE62, min_size=32, max_size=80), ANY_TEXT)
def test_whatever_is_redacted_is_in_a_token(before: str, run: str, after: str) -> None:
    assert has_token(before + run + after)
