"""The page of one ticket: what was asked, what became of it and why, and the three decisions about it."""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from flask import Flask

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent, OutcomeUnknown, Rejected
from openalgo_bridge.model.books import OrderStatus, Trade
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    Action,
    CloseRequest,
    Exchange,
    OrderMode,
    Product,
    TradingMode,
)
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.trading import approvals, closing, orders
from openalgo_bridge.trading.orders import Held
from tests.conftest import TRADER, Account, FixedClock, app_of, client_of
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_browser, an_order, csrf_token, hold, send

API = Origin(source="api", strategy="breakout", request_id="r1")


def path_of(ticket: Ticket, verb: str = "") -> str:
    return f"/action-center/{ticket.id}" + (f"/{verb}" if verb else "")


def decide(person: Person, ticket: Ticket, verb: str, **fields: str | list[str]) -> tuple[int, str]:
    """The answer's status, and the text of the page it leads to."""
    answer = person.post(path_of(ticket, verb), page=path_of(ticket), **({"shown": ticket.shown} | fields))
    page = person.get(answer.location) if answer.location else answer
    return answer.status_code, page.text


def modify(person: Person, ticket: Ticket, **fields: str) -> tuple[int, str]:
    """Change what ``fields`` name, as the page's form does: the others are sent as they are shown."""
    order = ticket.order
    assert order is not None
    shown = {"quantity": str(order.quantity), "product": order.product.value, "price": str(order.price)}
    return decide(person, ticket, "modify", **(shown | fields))


def words_of(text: str) -> str:
    """What a person reads of the page."""
    bare = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", text[text.index("<main") :], flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(bare))


def outcome_of(person: Person, ticket: Ticket) -> str:
    """The one line that names what became of it."""
    found = re.search(r'<p class="outcome[^"]*">(.*?)</p>', person.get(path_of(ticket)).text, re.DOTALL)
    assert found is not None
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", found[1]))).strip()


def placed(desk: Desk) -> int:
    row = desk.store.files[0].read_one("SELECT count(*) AS n FROM paper_order")
    assert row is not None
    return int(row["n"])


def at(desk: Desk) -> Person:
    """The trader, signed in at another desk over the same files."""
    person = a_browser(app_of(desk))
    person.sign_in()
    return person


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, account: Account, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


# -- what was asked ----------------------------------------------------------------------------------------------


def call(app: Flask, account: Account, endpoint: str = "placeorder", **fields: object) -> dict[str, object]:
    order = {"symbol": "RELIANCE", "exchange": "NSE", "action": "BUY", "product": "MIS", "pricetype": "MARKET"}
    body = order | {"apikey": account.key, "quantity": "10", "strategy": "breakout"} | fields
    answer: dict[str, object] = client_of(app).post(f"/api/v1/{endpoint}", json=body).get_json()
    return answer


def test_the_request_is_shown_as_it_came_and_the_key_is_nowhere(
    trader: Person, app: Flask, desk: Desk, account: Account
) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    hostile = '<script>alert(1)</script>"&'
    note = f"my key is {account.key} and {'Z' * 40}"
    answer = call(app, account, strategy=hostile, chart={"alert": "éè", "password": "hunter2"}, note=note)
    text = trader.get(f"/action-center/{answer['pending_order_id']}").text
    asked = re.search(r'<pre class="asked"[^>]*>(.*?)</pre>', text, re.DOTALL)
    assert asked is not None
    assert "<script>alert" not in text
    kept = json.loads(html.unescape(asked[1]))
    assert kept["strategy"] == hostile
    assert kept["chart"] == {"alert": "éè", "password": "[left out]"}
    assert kept["note"] == "my key is [key] and [redacted]"
    assert (kept["symbol"], kept["quantity"], "apikey" in kept) == ("RELIANCE", "10", False)
    dump = "\n".join(desk.store.files[0].read_one("SELECT group_concat(asked) AS t FROM ticket") or ())
    assert account.key not in dump
    assert "hunter2" not in dump


def test_what_a_page_asked_for_was_no_request(trader: Person, desk: Desk) -> None:
    report = closing.close(desk, CloseRequest(), Origin(source="page", strategy="", request_id=""))
    assert "It was asked for on a page" in trader.get(path_of(report.ticket)).text


def test_what_was_asked_is_never_written_over(desk: Desk, account: Account) -> None:
    hold(desk)
    with pytest.raises(Exception, match="never changes"):
        desk.store.files[0].write("UPDATE ticket SET asked = 'x'")


# -- what it is --------------------------------------------------------------------------------------------------


def test_it_tells_what_is_needed_to_decide(trader: Person, desk: Desk, clock: FixedClock) -> None:
    ticket = hold(desk, an_order("RELIANCE", 10, price="1200"))
    clock.move(minutes=2)
    told = words_of(trader.get(path_of(ticket)).text)
    for words in (
        "BUY 10 RELIANCE on NSE at limit 1,200.00, intraday (MIS)",
        "Waiting for you Nothing is sent until you decide.",
        "Goes to paper account",
        "Value, about ₹12,000.00",
        "Margin, about ₹2,400.00",
        "Funds available ₹1,00,00,000.00",
        "Asked by a program, through the API",
        "Strategy breakout",
        f"reference {ticket.ref}",
        "(2 min 00 s ago)",
        "Expires in 3 min 00 s",
        "In mode Semi-Auto, Analyzer (paper money)",
        "Call r1",
        "Approve: buy 10 RELIANCE (paper account)",
    ):
        assert words in told
    assert re.search(r"Price when it came [\d,.]+ \((no change|[+-]\d+\.\d\d %) since\)", told)


def test_a_margin_that_cannot_be_told_is_said_and_more_than_there_is_too(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    ticket = hold(scripted)
    person = at(scripted)
    assert "Margin, about not known: This broker does not tell it" in words_of(person.get(path_of(ticket)).text)
    broker.margin_of = Decimal(500)
    assert "₹500.00 more than is available" in words_of(person.get(path_of(ticket)).text)
    broker.unreadable = NotSent("The line is dead.")
    told = words_of(person.get(path_of(ticket)).text)
    assert "Margin, about not known: The line is dead." in told
    assert "Approve: buy 10 RELIANCE" in told, "the person can decide all the same"


def test_hostile_words_are_words(trader: Person, desk: Desk) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    ticket = hold(desk, strategy=hostile)
    decide(trader, ticket, "reject", reason=hostile)
    text = trader.get(path_of(ticket)).text
    assert "<img" not in text
    assert text.count(html.escape(hostile)) >= 3, "strategy, reason and its event"


@pytest.mark.parametrize("number", ["999", str(1 << 62), "9" * 400])
@pytest.mark.parametrize("verb", ["", "/approve", "/reject", "/modify"])
def test_an_unknown_ticket_is_a_friendly_404(trader: Person, number: str, verb: str) -> None:
    token = csrf_token(trader.get("/").text)
    path = f"/action-center/{number}{verb}"
    answer = trader.post_raw(path, csrf_token=token, shown="x") if verb else trader.get(path)
    assert answer.status_code == 404
    assert "<h1>" in answer.text


# -- one named outcome -------------------------------------------------------------------------------------------


def test_what_waits_or_was_decided_is_named(trader: Person, desk: Desk, clock: FixedClock) -> None:
    waiting, rejected, withdrawn, late = (hold(desk) for _ in range(4))
    decide(trader, rejected, "reject", reason="too large")
    orders.cancel(desk, withdrawn.ref, API)
    assert outcome_of(trader, waiting) == "Waiting for you Nothing is sent until you decide."
    assert outcome_of(trader, rejected) == "Turned down By you. too large"
    assert outcome_of(trader, withdrawn) == "Turned down Withdrawn by the program that sent it."
    clock.move(minutes=6)
    assert outcome_of(trader, late) == "Expired Nobody decided in time."
    assert "Approve:" not in trader.get(path_of(late)).text


def test_what_a_guard_refused_names_the_guard(trader: Person, desk: Desk) -> None:
    desk.store.guards.save(GuardSettings(order_value=Decimal(100)), by=TRADER)
    with pytest.raises(Exception, match="order_value"):
        send(desk)
    (denied,) = desk.store.journal.tickets()
    assert outcome_of(trader, denied).startswith("Denied by a guard Order value. It is worth")
    assert "by the guard order value" in words_of(trader.get(path_of(denied)).text)


def test_what_the_broker_took_is_told_by_the_broker(scripted: Desk, broker: ScriptedBroker, clock: FixedClock) -> None:
    send(scripted, an_order(price="1000"))
    (ticket,) = scripted.store.journal.tickets()
    person = at(scripted)
    assert "Working at the broker" in outcome_of(person, ticket)
    there = broker.book[ticket.ref]
    broker.book[ticket.ref] = replace(
        there, status=OrderStatus.CANCELLED, filled_quantity=4, average_price=Decimal(999)
    )
    broker.trades.append(
        Trade(
            id="T77",
            order_id=there.id,
            symbol="RELIANCE",
            exchange=Exchange.NSE,
            product=Product.MIS,
            action=Action.BUY,
            quantity=4,
            price=Decimal(999),
            traded_at=clock.now(),
        )
    )
    assert "Partly filled" in outcome_of(person, ticket)
    told = words_of(person.get(path_of(ticket)).text)
    assert "Filled 4 of 10 at 999.00 on average" in told
    assert "T77" in told


@pytest.mark.parametrize(
    ("fault", "flashed", "named"),
    [
        (lambda: Rejected("No funds."), "The broker refused it: No funds.", "Refused No funds."),
        (lambda: NotSent("No line."), "Not sent: No line.", "Refused No line."),
        (lambda: TimeoutError("?"), "In doubt: BUY 10 RELIANCE", "In doubt Outcome unknown at scripted"),
    ],
)
def test_an_approval_tells_the_true_outcome(
    scripted: Desk, broker: ScriptedBroker, fault: Callable[[], Exception], flashed: str, named: str
) -> None:
    broker.fault = fault
    person, ticket = at(scripted), hold(scripted)
    status, text = decide(person, ticket, "approve")
    assert (status, flashed in text) == (302, True)
    assert outcome_of(person, ticket).startswith(named)


def test_what_is_still_looked_up_says_when(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.fault = lambda: OutcomeUnknown("timed out")
    send(scripted)
    (ticket,) = scripted.store.journal.tickets()
    told = words_of(at(scripted).get(path_of(ticket)).text)
    assert "Do not send it again." in told
    assert "every 5 seconds" in told
    assert broker.calls == [ticket.ref]


def test_a_broker_that_does_not_answer_hides_nothing_that_we_know(scripted: Desk, broker: ScriptedBroker) -> None:
    send(scripted)
    (ticket,) = scripted.store.journal.tickets()
    silent = replace(scripted, brokers={})
    told = words_of(at(silent).get(path_of(ticket)).text)
    assert "The broker cannot be asked" in told
    assert "Sending → to Sent by the broker" in told


# -- its story ---------------------------------------------------------------------------------------------------


def test_every_move_says_from_what_to_what_when_by_whom_and_why(trader: Person, desk: Desk) -> None:
    ticket = hold(desk)
    decide(trader, ticket, "approve")
    text = trader.get(path_of(ticket)).text
    story = words_of("<main" + text[text.index("What happened") :])
    told = [
        "Accepted by the program, through the API",
        "Accepted → to Waiting for you by the program, through the API",
        "Waiting for you → to Approved by you (trader)",
        "Approved → to Released by you (trader)",
        "About to be sent by you (trader)",
        "About to be sent → to Sending by you (trader)",
        "Sending → to Sent by the broker",
        "At the broker",
        "Filled 10 of 10 at",
        "Trade Time (IST) Quantity Price",
    ]
    places = [story.find(words) for words in told]
    assert -1 not in places
    assert places == sorted(places)
    assert re.search(r'title="2026-11-21 05:00:00.000 UTC">21 Nov 10:30:00.000<', text)


def test_closing_all_tells_the_truth_of_each_leg(scripted: Desk, broker: ScriptedBroker) -> None:
    for symbol, quantity in (("INFY", 10), ("SBIN", -5)):
        broker.hold(symbol, quantity)
    broker.fault = lambda: Rejected("Not today.")
    report = closing.close(scripted, CloseRequest(), Origin(source="page", strategy="", request_id=""))
    broker.fault = None
    person = at(scripted)
    told = words_of(person.get(path_of(report.ticket)).text)
    assert "0 of 2 positions closed" in told
    for leg in scripted.store.journal.orders_of([report.ticket.id]):
        assert f"Reference {leg.ref}" in told
    assert told.count("Not today.") >= 2
    assert "BUY 5 SBIN" in told
    assert "SELL 10 INFY" in told


def test_a_held_closing_is_approved_on_its_page_and_closes(trader: Person, desk: Desk) -> None:
    send(desk, an_order("INFY", 10))
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    asked = closing.close(desk, CloseRequest(), API)
    assert isinstance(asked, Held)
    page = trader.get(path_of(asked.ticket)).text
    assert "Change it first" not in page
    assert "SELL 10 INFY on NSE at market" in words_of(page)
    status, text = decide(trader, asked.ticket, "approve", position=positions_in(page))
    assert status == 302
    assert "Filled: Close every open position. 1 of 1 position closed." in text
    assert [position.quantity for position in desk.broker(TradingMode.ANALYZE).positions()] == [0]
    status, text = decide(trader, asked.ticket, "approve", position=positions_in(page))
    assert (status, placed(desk)) == (409, 2)


def closing_held(desk: Desk) -> Ticket:
    """A program's closing of everything, which waits."""
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    asked = closing.close(desk, CloseRequest(), API)
    assert isinstance(asked, Held)
    return asked.ticket


def positions_in(page: str) -> list[str]:
    """What the approval of a closing carries."""
    return re.findall(r'name="position" value="([^"]*)"', page)


def test_a_held_closing_names_each_order_that_it_would_send(scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10)
    broker.hold("TCS", -300, Product.NRML)
    broker.hold("INFY", 0)
    send(scripted, replace(an_order("RELIANCE", 4, price="1010"), action=Action.SELL))
    page = at(scripted).get(path_of(closing_held(scripted))).text
    told = words_of(page)
    assert "BUY 300 TCS on NSE at market, overnight (NRML)" in told
    assert -1 < told.find("Cancel order S1: SELL 4 RELIANCE") < told.find("SELL 10 RELIANCE on NSE")
    assert "Approve: send what stands here (paper account)" in told
    assert set(positions_in(page)) == {"NSE:MIS:10:RELIANCE", "NSE:NRML:-300:TCS"}


def test_a_large_position_is_named_whole_where_it_takes_several_orders(scripted: Desk, broker: ScriptedBroker) -> None:
    instrument = scripted.store.instruments.find(Exchange.NSE, "RELIANCE")
    assert instrument is not None
    broker.hold("RELIANCE", units := instrument.freeze_quantity + 1)
    ticket, person = closing_held(scripted), at(scripted)
    page = person.get(path_of(ticket)).text
    assert positions_in(page) == [f"NSE:MIS:{units}:RELIANCE"]
    assert decide(person, ticket, "approve", position=positions_in(page))[0] == 302
    assert sum(order.request.quantity for order in broker.order_book()) == units
    assert len(broker.calls) == 2


def test_a_held_closing_of_what_changed_since_it_was_shown_is_409_and_shown_as_it_is(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.hold("RELIANCE", 10)
    ticket, person = closing_held(scripted), at(scripted)
    seen = positions_in(person.get(path_of(ticket)).text)
    broker.held = [replace(broker.held[0], quantity=-40)]
    broker.hold("INFY", -500)
    status, text = decide(person, ticket, "approve", position=seen)
    assert (status, broker.calls) == (409, [])
    assert "RELIANCE is -40 now, and was 10 when you looked. Nothing was sent." in words_of(text)
    again = person.get(path_of(ticket)).text
    assert "BUY 40 RELIANCE" in again
    assert "BUY 500 INFY" in again


@pytest.mark.parametrize("named", [[], ["NSE:MIS:x:RELIANCE"], ["everything"]])
def test_a_held_closing_is_not_approved_by_a_form_that_names_nothing(
    scripted: Desk, broker: ScriptedBroker, named: list[str]
) -> None:
    broker.hold("RELIANCE", 10)
    ticket = closing_held(scripted)
    decide(at(scripted), ticket, "approve", position=named)
    assert (approvals.ticket(scripted, ticket.id).state, broker.calls) == (TicketState.HELD, [])


def test_a_held_closing_of_what_cannot_be_read_is_said_and_offers_no_approval(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    ticket, person = closing_held(scripted), at(scripted)
    nothing = words_of(person.get(path_of(ticket)).text)
    broker.unreadable = NotSent("The connection never opened.")
    unreadable = words_of(person.get(path_of(ticket)).text)
    assert "Nothing is open that it would close" in nothing
    assert ["An exit waits" in page for page in (nothing, unreadable)] == [False, True]
    assert "The positions cannot be read: The connection never opened." in unreadable
    for told in (nothing, unreadable):
        assert "Approve" not in told
        assert "Reject: send nothing" in told


# -- changing it -------------------------------------------------------------------------------------------------


def test_a_change_is_shown_as_a_difference_and_only_then_approved(trader: Person, desk: Desk) -> None:
    ticket = hold(desk, an_order(price="1200"))
    status, text = modify(trader, ticket, quantity="5", price="1,199.50", product="CNC")
    told = words_of(text)
    assert (status, placed(desk)) == (302, 0)
    assert "You changed it at" in told
    assert "quantity 10 → to 5" in told
    assert "price 1200 → to 1199.50" in told
    assert "product MIS → to CNC" in told
    assert "Approve: buy 5 RELIANCE" in told
    again = approvals.ticket(desk, ticket.id)
    assert f'value="{again.shown}"' in text
    assert decide(trader, again, "approve")[0] == 302
    (there,) = desk.broker(TradingMode.ANALYZE).order_book()
    assert (there.request.quantity, there.request.price, there.request.product) == (5, Decimal("1199.5"), Product.CNC)


def test_two_changes_are_both_told(trader: Person, desk: Desk) -> None:
    ticket = hold(desk)
    modify(trader, ticket, quantity="5")
    told = words_of(modify(trader, approvals.ticket(desk, ticket.id), quantity="7")[1])
    assert "Before that you changed at" in told
    assert "quantity 5 → to 7" in told


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("quantity", "", "Type a whole number above 0."),
        ("quantity", "0", "Type a whole number above 0."),
        ("quantity", "-5", "Type a whole number above 0."),
        ("quantity", "1.5", "Type a whole number above 0."),
        ("quantity", "ten", "Type a whole number above 0."),
        ("quantity", "9" * 30, "Type a whole number above 0."),
        ("quantity", "\u0661\u0662", "Type a whole number above 0."),
        ("quantity", "50", "Quantity 50 is above the 20 you allow"),
        ("price", "cheap", "Type a price in rupees"),
        ("price", "-1", "Type a price in rupees"),
        ("price", "NaN", "Type a price in rupees"),
        ("price", "", "LIMIT orders require price."),
        ("price", "1200.001", "is not a multiple of the tick size"),
        ("price", "5", "away from the last price"),
        ("product", "XYZ", "Choose one of the products."),
        ("product", "NRML", "The broker would refuse it: NRML product not allowed"),
    ],
)
def test_what_makes_no_sense_is_said_at_its_field_and_nothing_is_changed(
    trader: Person, desk: Desk, field: str, typed: str, sentence: str
) -> None:
    desk.store.guards.save(GuardSettings(maximum_quantity=20), by=TRADER)
    ticket = hold(desk, an_order(price="1200"))
    status, text = modify(trader, ticket, **{"quantity": "7", field: typed})
    assert status == 400
    assert sentence in html.unescape(text)
    assert "<details" in text[: text.index("Change it first")].rpartition("open")[0], "the form is open"
    shown = re.search(rf'<(?:input|select)[^>]*id="{"quantity" if field != "quantity" else "price"}"[^>]*>', text)
    assert shown is not None
    assert f'value="{"7" if field != "quantity" else "1200"}"' in shown[0], "what was typed stays"
    assert (approvals.ticket(desk, ticket.id), placed(desk)) == (ticket, 0)


def test_a_quantity_that_is_no_multiple_of_the_lot_is_said(trader: Person, desk: Desk) -> None:
    desk.store.files[2].write("UPDATE instrument SET lot = 25 WHERE symbol = 'INFY'")
    ticket = hold(desk, an_order("INFY", 50))
    status, text = modify(trader, ticket, quantity="51")
    assert (status, "multiples of lot size 25" in text) == (400, True)


def test_no_change_at_all_is_said(trader: Person, desk: Desk) -> None:
    ticket = hold(desk)
    status, text = modify(trader, ticket)
    assert (status, "Nothing was changed." in text) == (400, True)


def test_a_price_that_the_order_does_not_use_is_neither_asked_nor_taken(trader: Person, desk: Desk) -> None:
    ticket = hold(desk)
    assert 'id="price"' not in trader.get(path_of(ticket)).text
    modify(trader, ticket, quantity="3", price="1", trigger_price="2")
    order = approvals.ticket(desk, ticket.id).order
    assert order is not None
    assert (order.quantity, order.price, order.trigger_price) == (3, Decimal(0), Decimal(0))


def test_a_held_change_of_an_order_can_be_changed_too(trader: Person, desk: Desk) -> None:
    send(desk, an_order(price="1200"))
    (there,) = desk.broker(TradingMode.ANALYZE).order_book()
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.modify(desk, there.id, an_order(price="1201"), API).ticket
    assert 'id="product"' not in trader.get(path_of(held)).text
    assert modify(trader, held, price="1202", product="CNC")[0] == 302
    again = approvals.ticket(desk, held.id)
    decide(trader, again, "approve")
    (there,) = desk.broker(TradingMode.ANALYZE).order_book()
    assert (there.request.price, there.request.product) == (Decimal(1202), Product.MIS)


def test_what_was_changed_between_show_and_click_is_not_decided(trader: Person, desk: Desk) -> None:
    ticket = hold(desk)
    modify(trader, ticket, quantity="5")
    for verb in ("approve", "reject", "modify"):
        status, text = decide(trader, ticket, verb, quantity="6")
        assert status == 409
        assert "Too late" in text
        assert "not what was shown" in text
        assert f'href="{path_of(ticket)}"' in text
    assert approvals.ticket(desk, ticket.id).state is TicketState.HELD
    assert placed(desk) == 0


def test_what_was_decided_or_has_expired_is_not_changed(trader: Person, desk: Desk, clock: FixedClock) -> None:
    sent, late = hold(desk), hold(desk)
    decide(trader, sent, "approve")
    clock.move(minutes=6)
    for ticket, word in ((sent, "already released"), (late, "expired")):
        status, text = modify(trader, ticket, quantity="nonsense")
        assert (status, word in text) == (409, True)
        assert f'href="{path_of(ticket)}"' in text
    assert placed(desk) == 1


@pytest.mark.parametrize("verb", ["approve", "reject", "modify"])
def test_without_what_was_shown_nothing_is_decided(trader: Person, desk: Desk, verb: str) -> None:
    ticket = hold(desk)
    for shown in ("", "0" * 64, "x" * 5000):
        assert decide(trader, ticket, verb, shown=shown, quantity="5")[0] == 409
    assert (approvals.ticket(desk, ticket.id), placed(desk)) == (ticket, 0)


def test_approve_against_change_has_one_outcome(trader: Person, app: Flask, desk: Desk) -> None:
    tickets = [hold(desk) for _ in range(8)]
    token, cookie = csrf_token(trader.get("/").text), trader.cookie()

    def click(ticket: Ticket, verb: str, start: threading.Barrier, statuses: list[int]) -> None:
        tab = a_browser(app)
        tab.client.set_cookie("bridge_5000", cookie, domain="127.0.0.1")
        start.wait()
        answer = tab.post_raw(
            path_of(ticket, verb), csrf_token=token, shown=ticket.shown, quantity="5", product="MIS", price="0"
        )
        statuses.append(answer.status_code)

    for ticket in tickets:
        start: threading.Barrier = threading.Barrier(2)
        statuses: list[int] = []
        tabs = [threading.Thread(target=click, args=(ticket, verb, start, statuses)) for verb in ("approve", "modify")]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()
        assert sorted(statuses) == [302, 409]
        now = approvals.ticket(desk, ticket.id)
        was_changed = now.order != ticket.order
        assert now.state is (TicketState.HELD if was_changed else TicketState.RELEASED)
        assert [order.tag for order in desk.broker(TradingMode.ANALYZE).order_book()].count(ticket.ref) == (
            0 if was_changed else 1
        )


def test_an_order_in_doubt_in_the_same_symbol_is_said_before_and_keeps_the_ticket(
    scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.fault = lambda: OutcomeUnknown("timed out")
    send(scripted)
    broker.fault = None
    person, ticket = at(scripted), hold(scripted)
    assert "in the same symbol is in doubt" in words_of(person.get(path_of(ticket)).text)
    status, text = decide(person, ticket, "approve")
    assert (status, "<h1>Not sent</h1>" in text, "is in doubt" in text) == (409, True, True)
    assert approvals.ticket(scripted, ticket.id).state is TicketState.HELD


def test_a_limit_is_kept_by_a_smaller_quantity(trader: Person, desk: Desk) -> None:
    ticket = hold(desk, an_order(price="1200"))
    desk.store.guards.save(GuardSettings(order_value=Decimal(6500)), by=TRADER)
    assert modify(trader, ticket, quantity="6")[0] == 400
    assert modify(trader, ticket, quantity="5")[0] == 302
