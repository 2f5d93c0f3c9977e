"""What a ticket tells of itself: what was changed, and what it counts as when its time is over."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from openalgo_bridge.model.order import Action, Exchange, OrderRequest
from openalgo_bridge.model.ticket import Change, changes_in, difference

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
