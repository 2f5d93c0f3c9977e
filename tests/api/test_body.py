"""Whatever arrives as a body is an object of plain fields, or one sentence."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.api.body import read_fields
from openalgo_bridge.errors import Invalid

BAD = {
    "nothing": b"",
    "spaces": b"  \n ",
    "not_json": b"symbol=SBIN&action=BUY",
    "cut_off": b'{"symbol": "SBI',
    "two_objects": b"{}{}",
    "an_array": b'[{"symbol":"SBIN"}]',
    "a_string": b'"BUY"',
    "a_number": b"5",
    "null": b"null",
    "nan": b'{"price": NaN}',
    "infinity": b'{"price": -Infinity}',
    "beyond_floats": b'{"price": 1e400}',
    "a_duplicate_key": b'{"quantity": 1, "quantity": 100}',
    "a_nested_duplicate_key": b'{"a": {"b": 1, "b": 2}}',
    "a_5000_digit_number": b'{"quantity": ' + b"9" * 5000 + b"}",
    "a_5000_digit_fraction": b'{"price": 0.' + b"9" * 5000 + b"}",
    "a_lone_surrogate": b'{"symbol": "\\ud800"}',
    "a_lone_surrogate_as_a_name": b'{"\\udfff": 1}',
    "100000_brackets": b"[" * 100_000,
    "100000_nested_objects": b'{"a":' * 100_000,
    "not_utf8": b'{"symbol": "\xff\xfe"}',
    "utf16": '{"symbol": "SBIN"}'.encode("utf-16"),
    "control_character": b'{"symbol": "SB\x00IN"}',
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_a_bad_body_is_refused_with_a_sentence(raw: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        read_fields(raw)
    assert refused.value.message.endswith(".")
    assert len(refused.value.message) < 200


def test_a_pretty_printed_body_with_a_mark_and_any_numbers_is_taken() -> None:
    raw = b'\xef\xbb\xbf{\r\n  "quantity": 1.0,\r\n  "price": 24567.85,\n "n": 75, "text": "\\ud83d\\ude00"\n}\n'
    fields = read_fields(raw)
    assert fields == {"quantity": Decimal("1.0"), "price": Decimal("24567.85"), "n": 75, "text": "\N{GRINNING FACE}"}


def test_a_price_keeps_every_digit_it_was_sent_with() -> None:
    assert read_fields(b'{"price": 0.1}')["price"] == Decimal("0.1")


def test_brackets_inside_a_text_are_not_depth() -> None:
    text = "{{strategy.order.action}} " * 20
    assert read_fields(json.dumps({"strategy": text}).encode())["strategy"] == text


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_invalid(raw: bytes) -> None:
    try:
        assert isinstance(read_fields(raw), dict)
    except Invalid as refused:
        assert refused.message


_PLAIN = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text()


@given(st.dictionaries(st.text(max_size=8), _PLAIN, max_size=6))
def test_every_plain_object_survives(fields: dict[str, object]) -> None:
    assert read_fields(json.dumps(fields).encode()) == fields
