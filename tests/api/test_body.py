"""Whatever arrives as a body is an object of plain fields, or one sentence."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.api import body
from openalgo_bridge.api.body import Fields
from openalgo_bridge.errors import Invalid
from openalgo_bridge.traffic import Note

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
    "brackets_behind_a_text_that_ends": b'{"a": "\\\\", "b": ' + b"[" * 100_000,
    "brackets_in_a_text_without_an_end": b'{"a": "' + b"[" * 100_000,
    "quotes_in_a_text_without_an_end": b'{"a": "' + b'[\\"' * 60_000,
    "neither_utf8_nor_of_windows": b'{"symbol": "\x81\xfe"}',
    "only_the_end_of_a_text": b"\x00",
    "utf16": '{"symbol": "SBIN"}'.encode("utf-16"),
    "control_character": b'{"symbol": "SB\x00IN"}',
}


def read_fields(raw: bytes) -> Fields:
    """Of a call whose traffic row nobody looks at."""
    return body.read_fields(raw, Note(request_id="1"))


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


def test_brackets_inside_texts_are_not_depth_wherever_the_texts_end() -> None:
    layout = json.dumps({"panes": [{"sources": [{"lines": [[[[['a "quoted" one', "C:\\"]]]]]}]}]})
    sent = {"layout": layout, "rows": [{"note": "[" * 50}] * 10, "open": '{"[{[{[{[{[{['}
    assert read_fields(json.dumps(sent).encode()) == sent


@pytest.mark.parametrize("end", [b"\x00", b"\x00\x00", b"\r\n\x00"])
def test_the_end_of_a_text_in_c_is_no_part_of_the_body(end: bytes) -> None:
    assert read_fields(b'{"symbol": "SBIN"}' + end) == {"symbol": "SBIN"}


def test_what_a_windows_program_writes_is_read_and_noted() -> None:
    note = Note(request_id="1")
    assert body.read_fields('{"strategy": "Scalp \u2013 5m"}'.encode("cp1252"), note) == {
        "strategy": "Scalp \N{EN DASH} 5m"
    }
    assert note.message == "The body is not UTF-8; it was read as Windows-1252."


def test_nothing_is_noted_of_a_body_as_it_should_be() -> None:
    note = Note(request_id="1")
    assert body.read_fields('{"strategy": "Scalp \u2013 5m"}'.encode(), note)["strategy"] == "Scalp \N{EN DASH} 5m"
    assert note.message is None


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
