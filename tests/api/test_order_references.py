"""Every message of a ticket has a reference of its own, and ``orderstatus`` answers it."""

from __future__ import annotations

from typing import Any

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


def test_a_ticket_of_many_that_sent_nothing_tells_its_state(post: Post) -> None:
    reference = post("cancelallorder")[1]["reference"]
    status, answer = post("orderstatus", orderid=reference)
    assert (status, answer["data"]["orderid"], answer["data"]["order_status"]) == (200, reference, "released")
    assert "no order was sent" in answer["message"]


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


@pytest.fixture
def basket(post: Post) -> dict[str, Any]:
    """The answer to a basket of three orders that work; a fourth is beside it, of another ticket."""
    rest(post)
    return post("basketorder", strategy="t", orders=[low(post, quantity) for quantity in (10, 20, 30)])[1]


def low(post: Post, quantity: int) -> dict[str, Any]:
    ltp = post("quotes", symbol="RELIANCE", exchange="NSE")[1]["data"]["ltp"]
    return {**ORDER, "quantity": quantity, "pricetype": "LIMIT", "price": round(ltp * 0.9)}


def in_the_book(post: Post) -> dict[str, str]:
    return {each["orderid"]: each["order_status"] for each in post("orderbook")[1]["data"]["orders"]}


def numbers(basket: dict[str, Any]) -> list[str]:
    return [each["orderid"] for each in basket["results"]]


def test_a_cancel_by_the_reference_of_several_withdraws_all_of_them_and_no_other(
    post: Post, basket: dict[str, Any]
) -> None:
    before = in_the_book(post)
    status, answer = post("cancelorder", orderid=basket["reference"])
    assert (status, answer["status"], answer["orderid"]) == (200, "success", basket["reference"])
    assert sorted(answer["canceled_orders"]) == sorted(numbers(basket))
    assert in_the_book(post) == before | dict.fromkeys(numbers(basket), "cancelled")


def test_a_cancel_of_several_of_which_none_is_open_is_an_error(post: Post, basket: dict[str, Any]) -> None:
    post("cancelorder", orderid=basket["reference"])
    _, answer = post("cancelorder", orderid=basket["reference"])
    assert (answer["status"], answer["canceled_orders"]) == ("error", [])
    assert "open any more" in answer["message"]


def test_what_of_several_is_over_already_does_not_keep_the_rest(post: Post, basket: dict[str, Any]) -> None:
    first, *others = numbers(basket)
    post("cancelorder", orderid=first)
    answer = post("cancelorder", orderid=basket["reference"])[1]
    assert (answer["status"], sorted(answer["canceled_orders"])) == ("success", sorted(others))


def test_a_change_by_the_reference_of_several_is_refused_and_names_them(post: Post, basket: dict[str, Any]) -> None:
    before = post("orderbook")[1]
    status, answer = post("modifyorder", **low(post, 60), product="MIS", orderid=basket["reference"])
    assert (status, post("orderbook")[1]) == (409, before)
    assert all(number in answer["message"] for number in numbers(basket))


def test_a_basket_of_one_is_cancelled_and_changed_by_its_reference(post: Post) -> None:
    one = post("basketorder", strategy="t", orders=[low(post, 10)])[1]
    changed = post("modifyorder", **low(post, 5), product="MIS", orderid=one["reference"])[1]
    assert (changed["status"], changed["orderid"]) == ("success", one["results"][0]["orderid"])
    assert post("cancelorder", orderid=one["reference"])[1]["orderid"] == one["results"][0]["orderid"]
    assert list(in_the_book(post).values()) == ["cancelled"]
