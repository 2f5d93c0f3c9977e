"""Every message of a ticket has a reference of its own, and ``orderstatus`` answers it."""

from __future__ import annotations

import pytest

from openalgo_bridge.desk import Desk
from tests.api.conftest import ORDER, Post, rest


def test_each_closing_order_is_asked_for_by_its_reference(post: Post, desk: Desk) -> None:
    for symbol in ("RELIANCE", "TCS", "INFY"):
        post("placeorder", **ORDER | {"symbol": symbol})
    ticket = desk.store.journal.ticket_by_ref(post("closeposition")[1]["reference"])
    assert ticket is not None
    legs = desk.store.journal.orders_of([ticket.id])
    assert len(legs) == 3
    for leg in legs:
        status, answer = post("orderstatus", orderid=leg.ref)
        data = answer["data"]
        assert (status, data["orderid"], data["order_status"]) == (200, leg.broker_order_id, "complete")
        assert (data["action"], data["symbol"]) == ("SELL", getattr(leg.request, "symbol", ""))


def test_the_reference_of_many_names_the_others(post: Post, desk: Desk) -> None:
    for symbol in ("RELIANCE", "TCS"):
        post("placeorder", **ORDER | {"symbol": symbol})
    reference = post("closeposition")[1]["reference"]
    ticket = desk.store.journal.ticket_by_ref(reference)
    assert ticket is not None
    first, second = desk.store.journal.orders_of([ticket.id])
    answer = post("orderstatus", orderid=reference)[1]
    assert (first.ref, answer["data"]["orderid"]) == (reference, first.broker_order_id)
    assert "closeposition of 2 orders" in answer["message"]
    assert second.ref in answer["message"]


def test_each_withdrawal_of_all_tells_the_order_that_it_named(post: Post, desk: Desk) -> None:
    numbers = {rest(post), rest(post)}
    ticket = desk.store.journal.ticket_by_ref(post("cancelallorder")[1]["reference"])
    assert ticket is not None
    told = {}
    for leg in desk.store.journal.orders_of([ticket.id]):
        answer = post("orderstatus", orderid=leg.ref)[1]
        told[answer["data"]["orderid"]] = answer["data"]["order_status"]
        assert f"cancelorder {leg.ref} is sent" in answer["message"]
    assert told == dict.fromkeys(numbers, "cancelled")


def test_a_ticket_of_many_that_sent_nothing_is_not_found(post: Post) -> None:
    reference = post("cancelallorder")[1]["reference"]
    status, answer = post("orderstatus", orderid=reference)
    assert (status, "none was sent" in answer["message"]) == (404, True)


@pytest.mark.parametrize("end", ["", "AA", "ZZ", "A", "AAA"])
def test_what_only_looks_like_a_reference_is_not_found(post: Post, desk: Desk, end: str) -> None:
    rest(post)
    (ticket,) = desk.store.journal.tickets()
    wrong = ticket.ref[:-1] + ("A" if ticket.ref[-1] != "A" else "B") + end if not end else ticket.ref + end
    assert post("orderstatus", orderid=wrong)[0] == 404


def test_a_leg_is_cancelled_or_changed_by_its_own_reference_only_where_it_is_an_order(post: Post, desk: Desk) -> None:
    for symbol in ("RELIANCE", "TCS"):
        post("placeorder", **ORDER | {"symbol": symbol})
    ticket = desk.store.journal.ticket_by_ref(post("closeposition")[1]["reference"])
    assert ticket is not None
    leg = desk.store.journal.orders_of([ticket.id])[1]
    status, answer = post("cancelorder", orderid=leg.ref)
    assert (status, "complete" in answer["message"]) == (400, True), "it reached the broker, which has filled it"
    rest(post)
    cancels = desk.store.journal.ticket_by_ref(post("cancelallorder")[1]["reference"])
    assert cancels is not None
    assert post("cancelorder", orderid=cancels.ref)[0] == 404
