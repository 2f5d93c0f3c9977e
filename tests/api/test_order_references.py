"""Every message of a ticket has a reference of its own, and ``orderstatus`` answers it."""

from __future__ import annotations

from typing import Any

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import LegsRequest, OrderMode
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading import approvals
from tests.api.conftest import ORDER, Post, rest
from tests.conftest import TRADER


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


# -- a basket that was approved when the bridge stopped, and waits again ---------------------------


def held_again(post: Post, desk: Desk, *quantities: int) -> Ticket:
    """A basket of orders that will work, approved and not begun when the bridge stopped."""
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    post("basketorder", strategy="t", orders=[low(post, quantity) for quantity in quantities])
    (held,) = desk.store.journal.held()
    assert isinstance(held.request, LegsRequest)
    desk.store.journal.approve_plan(held.id, held.shown, held.request.orders, by=TRADER)
    desk.store.journal.interrupt()
    return desk.store.journal.ticket(held.id)


def test_a_basket_that_waits_again_after_a_crash_is_told_as_held_by_every_reference(post: Post, desk: Desk) -> None:
    ticket = held_again(post, desk, 10, 20)
    for reference in (ticket.ref, f"{ticket.ref}AB"):
        answer = post("orderstatus", orderid=reference)[1]
        told = answer["data"]
        assert (told["orderid"], told["order_status"]) == (ticket.ref, "held")
        assert told["rejection_reason"] == "The bridge stopped before it was sent. Decide again."
        assert "message" not in answer


def test_a_basket_that_went_after_a_crash_is_told_by_what_went(post: Post, desk: Desk) -> None:
    ticket = held_again(post, desk, 10, 20)
    approvals.approve(desk, ticket.id, ticket.shown, by=TRADER)
    first, second = in_the_book_by_quantity(post)
    answer = post("orderstatus", orderid=ticket.ref)[1]
    assert (answer["data"]["orderid"], answer["data"]["order_status"]) == (first, "open")
    assert "basketorder of 2 orders" in answer["message"]
    other = answer["message"].split("ask for ")[1].split(" too")[0]
    assert post("orderstatus", orderid=other)[1]["data"]["orderid"] == second
    assert post("orderstatus", orderid=f"{ticket.ref}AB")[1]["data"]["orderid"] == first, "an order that never went"
    assert sorted(post("cancelorder", orderid=ticket.ref)[1]["canceled_orders"]) == sorted([first, second])


def in_the_book_by_quantity(post: Post) -> list[str]:
    orders = post("orderbook")[1]["data"]["orders"]
    return [each["orderid"] for each in sorted(orders, key=lambda each: int(each["quantity"]))]


def test_a_basket_of_one_that_went_after_a_crash_is_changed_and_cancelled_by_its_reference(
    post: Post, desk: Desk
) -> None:
    ticket = held_again(post, desk, 10)
    approvals.approve(desk, ticket.id, ticket.shown, by=TRADER)
    (number,) = in_the_book(post)
    desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    changed = post("modifyorder", **low(post, 5), product="MIS", orderid=ticket.ref)[1]
    assert (changed["status"], changed["orderid"]) == ("success", number)
    assert post("cancelorder", orderid=ticket.ref)[1]["orderid"] == number


@pytest.mark.parametrize("quantities", [(10,), (10, 20)], ids=["one", "two"])
def test_a_basket_that_waits_again_after_a_crash_is_taken_back_by_its_reference(
    post: Post, desk: Desk, quantities: tuple[int, ...]
) -> None:
    ticket = held_again(post, desk, *quantities)
    assert post("cancelorder", orderid=ticket.ref)[1]["status"] == "success"
    assert desk.store.journal.held() == []
    assert in_the_book(post) == {}


def test_a_basket_that_waits_again_after_a_crash_is_not_asked_for_twice(post: Post, desk: Desk) -> None:
    desk.store.guards.save(GuardSettings(duplicate_window=600), by=TRADER)
    ticket = held_again(post, desk, 10, 20)
    status, answer = post("basketorder", strategy="t", orders=[low(post, quantity) for quantity in (10, 20)])
    assert (status, answer["guard"]) == (403, "duplicate_signal")
    assert [each.id for each in desk.store.journal.held()] == [ticket.id]
