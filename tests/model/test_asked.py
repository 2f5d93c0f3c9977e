"""What a program asked for is kept as it came, without its secrets."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from openalgo_bridge.model.apikey import new_key
from openalgo_bridge.model.asked import CUT, LEFT_OUT, LONGEST, as_asked


def test_it_keeps_the_order_the_types_and_the_letters() -> None:
    fields = {"symbol": "M&M", "quantity": "10", "price": Decimal("1450.05"), "n": 5, "on": True, "x": None, "é": "ü"}
    assert as_asked(fields) == '{"symbol":"M&M","quantity":"10","price":1450.05,"n":5,"on":true,"x":null,"é":"ü"}'


@pytest.mark.parametrize("digits", ["0.1", "1450.50", "99999999999999.12345678", "1e18", "0.000000000000000001"])
def test_no_digit_of_a_price_is_lost(digits: str) -> None:
    kept = json.loads(as_asked({"price": Decimal(digits)}), parse_float=Decimal)["price"]
    assert Decimal(kept) == Decimal(digits)


@pytest.mark.parametrize("wrap", ["{}", "x{}y", "https://host/?apikey={}", "note: {} (old)"])
def test_no_key_is_kept_however_it_got_in_nor_one_with_a_typing_mistake(wrap: str) -> None:
    key = new_key()
    mistyped = ("a" if key[0] != "a" else "b") + key[1:]
    for secret in (key, mistyped):
        for fields in ({"strategy": wrap.format(secret)}, {"legs": [{"note": wrap.format(secret)}]}, {secret: 1}):
            assert secret[1:] not in as_asked(fields)


@pytest.mark.parametrize("name", ["password", "api_secret", "access-token", "TOTP", "pin", "broker password", "otp"])
def test_what_is_named_a_secret_is_left_out(name: str) -> None:
    assert json.loads(as_asked({"legs": [{name: "hunter2"}], name: ["hunter2"]})) == {
        "legs": [{name: LEFT_OUT}],
        name: LEFT_OUT,
    }


def test_words_that_only_look_like_one_stay() -> None:
    assert "NIFTYPIN" in as_asked({"symbol": "NIFTYPIN", "spinning": "NIFTYPIN"})


def test_what_is_too_long_is_cut_with_a_mark_and_no_part_of_a_key_is_left_at_the_cut() -> None:
    key = new_key()
    for length in range(LONGEST - 60, LONGEST + 10):
        text = as_asked({"note": "é " * ((length - len(key)) // 3) + key})
        assert len(text.encode()) <= LONGEST
        assert key[:8] not in text
    text = as_asked({"note": "é" * LONGEST})
    assert text.endswith(CUT)
    assert LONGEST - 4 < len(text.encode()) <= LONGEST
