"""A body is laid out to be read, and stays what was said."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.web.json_layout import laid_out

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def test_each_member_has_a_line() -> None:
    assert laid_out('{"a":1,"b":[],"c":{"d":["x, {y}",2]}}') == (
        '{\n  "a": 1,\n  "b": [],\n  "c": {\n    "d": [\n      "x, {y}",\n      2\n    ]\n  }\n}'
    )


@given(VALUES, st.booleans())
def test_what_is_laid_out_says_the_same(value: object, is_ascii: bool) -> None:
    assert json.loads(laid_out(json.dumps(value, ensure_ascii=is_ascii))) == value


@given(st.text())
def test_nothing_but_space_is_added_or_lost(text: str) -> None:
    assert "".join(laid_out(text).split()) == "".join(text.split())


@given(VALUES.map(json.dumps), st.integers(0, 200))
def test_what_was_cut_is_laid_out_as_far_as_it_goes(text: str, length: int) -> None:
    assert "".join(laid_out(text[:length]).split()) == "".join(text[:length].split())


def test_what_was_said_twice_or_too_precisely_stays() -> None:
    assert laid_out('{"quantity":10,"quantity":1e400,"price":0.10000000000000000001}') == (
        '{\n  "quantity": 10,\n  "quantity": 1e400,\n  "price": 0.10000000000000000001\n}'
    )


def test_an_escape_stays_an_escape() -> None:
    assert laid_out('["\\u202e"]') == '[\n  "\\u202e"\n]'


def test_other_text_is_left_alone() -> None:
    assert laid_out("symbol=SBIN&quantity=1, 2") == "symbol=SBIN&quantity=1, 2"


def test_a_body_of_brackets_is_no_page_of_spaces() -> None:
    assert len(laid_out("[" * 4096)) < 4096 * 30
