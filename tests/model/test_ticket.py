"""What a ticket tells of itself: what was changed, and what it counts as when its time is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from openalgo_bridge.model.order import Action, Exchange, OrderRequest
from openalgo_bridge.model.order_changes import Change, changes_in, difference
from openalgo_bridge.model.refs import child_ref, made_at, new_ref

ORDER = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)


def test_what_was_changed_is_read_back_field_by_field() -> None:
    after = replace(ORDER, quantity=5, trigger_price=Decimal("99.50"))
    assert changes_in(difference(ORDER, after)) == (
        Change(name="quantity", before="10", after="5"),
        Change(name="trigger price", before="0", after="99.50"),
    )


def test_nothing_changed_is_nothing_to_tell() -> None:
    assert difference(ORDER, ORDER) == ""
    assert changes_in("") == ()


def test_a_value_that_looks_like_the_sentence_about_it_is_one_value() -> None:
    odd = replace(ORDER, symbol="A, quantity 1 -> 2, B")
    assert changes_in(difference(odd, ORDER)) == (
        Change(name="symbol", before="A, quantity 1 -> 2, B", after="RELIANCE"),
    )


def test_a_reference_tells_the_second_in_which_it_was_made() -> None:
    now = datetime(2026, 11, 21, 5, 0, 7, 999_999, tzinfo=UTC)
    for ref in (new_ref(now), child_ref(new_ref(now), 3)):
        assert made_at(ref) == datetime(2026, 11, 21, 5, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize("tag", ["", "breakout", "n" * 13, "1" * 13, "A" * 12, "A" * 14, "A" * 16, "AAAAAAAAAAAA\n"])
def test_what_is_not_of_the_form_of_a_reference_tells_nothing(tag: str) -> None:
    assert made_at(tag) is None
