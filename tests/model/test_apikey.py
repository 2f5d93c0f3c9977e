"""The shape of a key: whatever was mistyped is told, and no text makes the check fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.apikey import LENGTH, is_well_formed, new_key

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates included
KEYS = st.builds(new_key)


def test_a_new_key_is_32_letters_and_digits_and_no_two_are_alike() -> None:
    keys = {new_key() for _ in range(1000)}
    assert len(keys) == 1000
    for key in keys:
        assert len(key) == LENGTH == 32
        assert set(key) <= set(BASE62)
        assert is_well_formed(key)


def test_the_checksum_never_changes_between_releases() -> None:
    assert is_well_formed("A" * 26 + "0HTix5")
    assert is_well_formed("abcdefghijklmnopqrstuvwxyz" + "1OSrpF")


@given(KEYS, st.integers(0, 31), st.sampled_from(BASE62))
def test_one_wrong_character_is_told(key: str, place: int, character: str) -> None:
    mistyped = key[:place] + character + key[place + 1 :]
    assert is_well_formed(mistyped) is (mistyped == key)


@given(KEYS, st.integers(0, 30))
def test_two_swapped_characters_are_told(key: str, place: int) -> None:
    swapped = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
    assert is_well_formed(swapped) is (swapped == key)


@given(KEYS, ANY_TEXT.filter(bool))
def test_anything_around_a_key_is_told(key: str, more: str) -> None:
    assert not is_well_formed(key + more)
    assert not is_well_formed(more + key)


@given(ANY_TEXT)
def test_no_text_makes_the_check_raise(text: str) -> None:
    assert is_well_formed(text) in {True, False}


@pytest.mark.parametrize("text", ["", "\ud800" * 32, "é" * 32, "٣" * 32, "A" * 1_000_000, "A" * 26 + "0HTix5\n"])
def test_a_hostile_text_is_not_a_key(text: str) -> None:
    assert not is_well_formed(text)
