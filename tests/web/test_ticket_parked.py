"""An order of which only the person can say what became of it: three buttons, and each of them once."""

from __future__ import annotations

import html
import re
import threading
from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent, OutcomeUnknown
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import Action, BrokerOrderId, OrderRequest, Ref
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import orders
from openalgo_bridge.trading.recovery import recover
from openalgo_bridge.trading.sending import Sent
from tests.conftest import TRADER, Account, FixedClock, app_of
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_browser, an_order, csrf_token, send

PAGE = "/action-center/1"


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk, reread_after=None)


@pytest.fixture
def scripted(desk: Desk, account: Account, broker: ScriptedBroker) -> Desk:
    """A desk whose only order is parked."""
    scripted = with_broker(desk, broker)
    broker.fault = lambda: OutcomeUnknown("The line went dead.")
    send(scripted)
    broker.fault = None
    recover(scripted)
    return scripted


@pytest.fixture
def person(scripted: Desk) -> Person:
    signed_in = a_browser(app_of(scripted))
    signed_in.sign_in()
    return signed_in


def state_of(desk: Desk, order_id: int = 1) -> OrderState:
    return desk.store.journal.order(order_id).state


def click(person: Person, verb: str, **fields: str) -> tuple[int, str]:
    answer = person.post(f"{PAGE}/orders/1/{verb}", page=PAGE, **fields)
    page = person.get(answer.location) if answer.location else answer
    return answer.status_code, html.unescape(page.text)


def at_broker(desk: Desk, broker: ScriptedBroker, number: str, request: OrderRequest) -> None:
    broker.book[Ref(f"OTHER{number}")] = BrokerOrder(
        id=BrokerOrderId(number),
        tag=Ref(""),
        request=request,
        status=OrderStatus.OPEN,
        filled_quantity=0,
        average_price=Decimal(0),
        placed_at=desk.clock.now(),
    )


def test_it_says_what_happened_what_to_look_for_and_what_each_button_does(person: Person, scripted: Desk) -> None:
    text = person.get(PAGE).text
    ref = scripted.store.journal.order(1).ref
    for words in (
        "In doubt: decide",
        "The line went dead.",
        f"with the tag <code>{ref}</code>",
        "BUY 10 RELIANCE on NSE at market",
        "It is there",
        "It is not there: send again (buy 10 RELIANCE, paper account)",
        "I handled it",
    ):
        assert words in text


def test_what_the_person_found_is_followed_under_its_number(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    at_broker(scripted, broker, "B77", an_order())
    status, text = click(person, "there", broker_order_id=" B77 ")
    assert (status, "is at the broker" in text) == (302, True)
    assert scripted.store.journal.order(1).broker_order_id == "B77"
    assert "Working at the broker" in text
    assert len(broker.calls) == 1


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Copy the order's number"),
        ("B78", "B78 is SELL INFY: not this order."),
        ("B99", "The broker has no order with the number B99 today."),
        ("S2", "S2 is the number of another order"),
        ("<b>", "The broker has no order with the number <b> today."),
    ],
)
def test_a_wrong_number_is_said_at_the_field_and_what_was_typed_stays(
    person: Person, scripted: Desk, broker: ScriptedBroker, typed: str, sentence: str
) -> None:
    at_broker(scripted, broker, "B78", replace(an_order("INFY"), action=Action.SELL))
    orders.place(scripted, an_order("SBIN"), Origin(source="api", strategy="", request_id=""))
    status, text = click(person, "there", broker_order_id=typed)
    assert (status, sentence in text) == (400, True)
    field = re.search(r'<input class="form-control is-invalid" id="found-1"[^>]* value="([^"]*)"', person.texts[-1])
    assert field is not None
    assert html.unescape(field[1]) == typed
    assert state_of(scripted) is OrderState.PARKED


def test_the_persons_word_counts_where_the_broker_cannot_tell(
    person: Person, scripted: Desk, clock: FixedClock
) -> None:
    clock.move(hours=24)
    person.sign_in()
    assert click(person, "there", broker_order_id="OLD1")[0] == 302
    assert state_of(scripted) is OrderState.SENT


def test_what_was_handled_is_not_sent(person: Person, scripted: Desk, broker: ScriptedBroker) -> None:
    status, text = click(person, "handled")
    assert (status, "Nothing was sent" in text) == (302, True)
    assert (state_of(scripted), len(broker.calls)) == (OrderState.NOT_PLACED, 1)
    assert "Never reached the broker" in text


def test_sending_again_is_a_new_ticket_and_the_second_click_is_too_late(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    status, text = click(person, "send-again")
    assert (status, "Working at the broker: BUY 10 RELIANCE" in text) == (302, True)
    assert "Ticket 2" in text
    status, text = click(person, "send-again")
    assert (status, "Too late" in text, f'href="{PAGE}"' in text) == (409, True, True)
    assert len(broker.calls) == 2


def test_eight_tabs_send_again_once(person: Person, scripted: Desk, broker: ScriptedBroker) -> None:
    token, cookie = csrf_token(person.get(PAGE).text), person.cookie()
    app = person.client.application
    start, statuses = threading.Barrier(8), []

    def again() -> None:
        tab = a_browser(app)
        tab.client.set_cookie("bridge_5000", cookie, domain="127.0.0.1")
        start.wait()
        statuses.append(tab.post_raw(f"{PAGE}/orders/1/send-again", csrf_token=token).status_code)

    tabs = [threading.Thread(target=again) for _ in range(8)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert sorted(statuses) == [302] + [409] * 7
    assert len(broker.calls) == 2


def test_what_a_guard_refuses_leads_to_the_ticket_that_waits(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    scripted.store.kill_switch.engage("lunch", by=TRADER)
    status, text = click(person, "send-again")
    assert (status, "Not sent (kill_switch). The kill switch is on" in text) == (302, True)
    assert "Waiting for you" in text
    assert scripted.store.journal.ticket(2).state is TicketState.HELD
    assert len(broker.calls) == 1


def test_what_the_broker_proves_to_be_absent_is_told_when_it_is_sent_again(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.fault = lambda: NotSent("No line.")
    status, text = click(person, "send-again")
    assert (status, "Not sent: No line." in text, "Ticket 2" in text) == (302, True, True)


@pytest.mark.parametrize("path", ["/action-center/1/orders/9", "/action-center/7/orders/1", f"{PAGE}/orders/{1 << 63}"])
@pytest.mark.parametrize("verb", ["there", "send-again", "handled"])
def test_an_order_of_another_ticket_or_none_is_not_found(
    person: Person, scripted: Desk, broker: ScriptedBroker, path: str, verb: str
) -> None:
    answer = person.post(f"{path}/{verb}", page=PAGE, broker_order_id="1")
    assert answer.status_code == 404
    assert (state_of(scripted), len(broker.calls)) == (OrderState.PARKED, 1)


def test_a_parked_cancel_needs_no_number(desk: Desk, account: Account, broker: ScriptedBroker) -> None:
    scripted = with_broker(desk, broker)
    placed = orders.place(scripted, an_order(price="1000"), Origin(source="api", strategy="", request_id=""))
    assert isinstance(placed, Sent)
    broker.fault = lambda: OutcomeUnknown("The line went dead.")
    doubt = orders.cancel(scripted, placed.broker_order_id, Origin(source="api", strategy="", request_id=""))
    broker.fault = None
    broker.book[placed.ticket.ref] = replace(broker.book[placed.ticket.ref], status=OrderStatus.OPEN)
    recover(scripted)
    person = a_browser(app_of(scripted))
    person.sign_in()
    page = f"/action-center/{doubt.ticket.id}"
    assert "broker_order_id" not in person.get(page).text
    assert person.post(f"{page}/orders/2/there", page=page).status_code == 302
    assert (state_of(scripted, 2), scripted.store.journal.order(2).broker_order_id) == (
        OrderState.SENT,
        placed.broker_order_id,
    )
