"""The person decides: once, and about what was shown."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from flask import Flask

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent, Rejected
from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, PriceType, Product
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading import approvals
from tests.conftest import TRADER, Account, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.store.listing import DECEMBER, contract
from tests.web.conftest import Person, a_browser, a_trader_at, an_order, csrf_token, hold, send


class WithoutPrices(ScriptedBroker):
    """Its prices cannot be had: the person can decide all the same."""

    def quote(self, instrument: Instrument) -> Quote:
        raise NotSent("No prices.")


def trades(desk: Desk) -> int:
    row = desk.store.files[0].read_one("SELECT count(*) AS n FROM paper_trade")
    assert row is not None
    return int(row["n"])


def waiting(person: Person) -> dict[str, int]:
    """What every page asks for to keep its badge."""
    told = person.get("/action-center/pending").get_json()
    return {name: told[name] for name in ("count", "latest", "exits")}


def decide(person: Person, ticket: Ticket, verb: str, **fields: str) -> tuple[int, str]:
    """The answer's status, and the text of the page it leads to."""
    path = f"/action-center/{ticket.id}/{verb}"
    answer = person.post(path, page="/action-center", **({"shown": ticket.shown} | fields))
    page = person.get(answer.location) if answer.location else answer
    return answer.status_code, page.text


def test_a_held_order_is_told_in_one_sentence(trader: Person, desk: Desk) -> None:
    hold(desk, an_order("RELIANCE", 10))
    hold(desk, an_order("INFY", 1200, price="1400"))
    text = trader.get("/action-center").text
    assert "BUY 10 RELIANCE on NSE at market, intraday (MIS)" in text
    assert "BUY 1,200 INFY on NSE at limit 1,400.00, intraday (MIS)" in text
    assert "Approve: buy 10 RELIANCE" in text
    assert "paper account" in text
    assert "₹16,80,000.00" in text
    assert text.index("RELIANCE on NSE") < text.index("INFY on NSE"), "oldest first"


def test_a_lot_is_worth_all_that_the_limit_on_value_counts_of_it(desk: Desk, account: Account) -> None:
    """One of crude oil is a hundred barrels, and its price is that of one."""
    terms = {"exchange": Exchange.MCX, "broker_exchange": "MCX", "lot": 1, "freeze_quantity": 0}
    oil = contract("CRUDEOIL", Kind.FUT, DECEMBER, multiplier=100, **terms)
    desk.store.instrument_lists.replace([oil], source="broker", edition="any", accept_fewer=True)
    scripted = with_broker(desk, ScriptedBroker(desk))
    two = OrderRequest(symbol=oil.symbol, exchange=Exchange.MCX, action=Action.BUY, quantity=2, product=Product.NRML)
    held = hold(scripted, two)
    hold(scripted, replace(two, price_type=PriceType.LIMIT, price=Decimal(950)))
    trader = a_trader_at(scripted)
    listed = trader.get("/action-center").text
    assert "₹2,00,000.00" in listed
    assert "₹1,90,000.00" in listed
    assert "₹2,00,000.00" in trader.get(f"/action-center/{held.id}").text


def test_an_exit_that_waits_is_marked_where_it_is_decided(trader: Person, desk: Desk) -> None:
    send(desk)
    entry, leaving = hold(desk, an_order("TCS")), hold(desk, replace(an_order(), action=Action.SELL))
    listed = trader.get("/action-center").text
    assert listed.count("<strong>An exit waits:</strong>") == 1
    assert listed.index(f'data-ticket="{leaving.id}"') < listed.index("An exit waits:")
    marked = {each.id: "An exit waits:" in trader.get(f"/action-center/{each.id}").text for each in (entry, leaving)}
    assert marked == {entry.id: False, leaving.id: True}
    assert waiting(trader) == {"count": 2, "latest": leaving.id, "exits": 1}


def test_of_an_exit_that_waits_nothing_is_said_that_is_untrue_once_its_position_is_closed(
    trader: Person, desk: Desk
) -> None:
    send(desk)
    leaving = hold(desk, replace(an_order(), action=Action.SELL))
    send(desk, replace(an_order(), action=Action.SELL))
    for path in ("/", "/action-center", f"/action-center/{leaving.id}"):
        page = trader.get(path).text
        assert "it came to close a position, and closes nothing until you decide." in page
        assert "stays open" not in page


def test_an_approved_order_fills_and_says_so(trader: Person, desk: Desk) -> None:
    ticket = hold(desk)
    status, text = decide(trader, ticket, "approve")
    assert status == 302
    assert "Filled: BUY 10 RELIANCE" in text
    assert trades(desk) == 1


def test_a_resting_order_is_not_called_filled(trader: Person, desk: Desk) -> None:
    _, text = decide(trader, hold(desk, an_order("RELIANCE", 10, price="1200")), "approve")
    assert "Working at the broker: BUY 10 RELIANCE on NSE at limit 1,200.00" in text
    assert "Filled:" not in text


def test_the_second_click_is_a_conflict_with_a_sentence(trader: Person, desk: Desk) -> None:
    ticket = hold(desk)
    decide(trader, ticket, "approve")
    for verb in ("approve", "reject"):
        status, text = decide(trader, ticket, verb)
        assert status == 409
        assert "already released" in text
        assert 'href="/action-center"' in text
    assert trades(desk) == 1


def test_eight_tabs_approve_at_once_and_one_order_leaves(trader: Person, app: Flask, desk: Desk) -> None:
    ticket = hold(desk)
    token = csrf_token(trader.get("/action-center").text)
    cookie = trader.cookie()
    start, statuses = threading.Barrier(8), []

    def click() -> None:
        tab = a_browser(app)
        tab.client.set_cookie("bridge_5000", cookie, domain="127.0.0.1")
        start.wait()
        answer = tab.post_raw(f"/action-center/{ticket.id}/approve", csrf_token=token, shown=ticket.shown)
        statuses.append(answer.status_code)

    tabs = [threading.Thread(target=click) for _ in range(8)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert sorted(statuses) == [302] + [409] * 7
    assert trades(desk) == 1


@pytest.mark.parametrize("shown", ["", "0" * 64, "x" * 5000])
def test_what_was_not_shown_is_not_approved(trader: Person, desk: Desk, shown: str) -> None:
    ticket = hold(desk)
    status, _ = decide(trader, ticket, "approve", shown=shown)
    assert status == 409
    assert trades(desk) == 0
    assert desk.store.journal.ticket(ticket.id).state is TicketState.HELD


def test_a_rejected_order_is_gone_for_good(trader: Person, desk: Desk) -> None:
    ticket = hold(desk)
    status, text = decide(trader, ticket, "reject", reason="too large")
    assert status == 302
    assert "Nothing was sent" in text
    rejected = desk.store.journal.ticket(ticket.id)
    assert (rejected.state, rejected.reason) == (TicketState.REJECTED, "too large")
    assert trades(desk) == 0


def test_a_key_in_a_reason_is_not_kept_also_where_the_reason_is_cut(
    trader: Person, account: Account, desk: Desk
) -> None:
    for words in ("wrong key ", "x " * 95):
        ticket = hold(desk)
        approvals.reject(desk, ticket.id, ticket.shown, words + account.key, by=TRADER)
        moves = desk.store.journal.events(ticket.id)
        kept = [desk.store.journal.ticket(ticket.id).reason, *(move.reason for move in moves)]
        assert kept.count((words + "[key]")[:200]) == 2
        assert not any(account.key[:9] in reason for reason in kept)


def test_an_expired_order_has_no_buttons_and_cannot_be_approved(trader: Person, desk: Desk, clock: FixedClock) -> None:
    ticket = hold(desk)
    clock.move(minutes=6)
    assert "Approve:" not in trader.get("/action-center").text
    details = trader.get(f"/action-center/{ticket.id}").text
    assert "Expired" in details
    assert "Approve:" not in details
    status, text = decide(trader, ticket, "approve")
    assert status == 409
    assert "expired" in text
    assert trades(desk) == 0


def test_the_badge_counts_what_may_still_be_decided(trader: Person, desk: Desk, clock: FixedClock) -> None:
    assert waiting(trader) == {"count": 0, "latest": 0, "exits": 0}
    hold(desk)
    second = hold(desk)
    assert waiting(trader) == {"count": 2, "latest": second.id, "exits": 0}
    clock.move(minutes=6)
    assert waiting(trader) == {"count": 0, "latest": 0, "exits": 0}


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (lambda: Rejected("Insufficient funds."), "The broker refused it: Insufficient funds."),
        (lambda: NotSent("The connection never opened."), "Not sent: The connection never opened."),
        (lambda: TimeoutError("no answer"), "In doubt: BUY 10 RELIANCE"),
    ],
)
def test_an_approval_tells_the_true_outcome(
    desk: Desk, account: Account, fault: Callable[[], Exception], sentence: str
) -> None:
    scripted = with_broker(desk, WithoutPrices(desk, fault=fault))
    person = a_trader_at(scripted)
    _, text = decide(person, hold(scripted), "approve")
    assert sentence in text


def test_a_ticket_tells_its_whole_story(trader: Person, desk: Desk) -> None:
    ticket = hold(desk, strategy="breakout")
    decide(trader, ticket, "approve")
    text = trader.get(f"/action-center/{ticket.id}").text
    told = ["Accepted", "Waiting for you", "Approved", "Released", "Sending", "Sent"]
    story = text[text.index("What happened") :]
    assert [story.index(word) for word in told] == sorted(story.index(word) for word in told)
    assert ticket.ref in text


@pytest.mark.parametrize("number", ["999", str(1 << 62), "9" * 400])
def test_an_unknown_ticket_is_a_friendly_404(trader: Person, number: str) -> None:
    answer = trader.get(f"/action-center/{number}")
    assert answer.status_code == 404
    assert "<h1>" in answer.text
