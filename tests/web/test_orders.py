"""The Orders page: every ticket with its one outcome, a sum that adds up, and one order withdrawn by a click."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent, OutcomeUnknown, Rejected
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.guards import Guard
from openalgo_bridge.model.order import (
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    OrderMode,
    TradingMode,
)
from openalgo_bridge.model.paper import to_units
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.trading import closing, orders
from openalgo_bridge.trading.doors import Doors
from openalgo_bridge.trading.watch import Watch
from openalgo_bridge.web.closing import BY_HAND
from tests.conftest import TRADER, Account, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_trader_at, an_order, hold, send

PAPER = "paper account"


@dataclass
class RefusesCancels(ScriptedBroker):
    """Raises ``cancel_fault`` for the withdrawal of any order, or of ``stubborn`` alone."""

    cancel_fault: Callable[[], Exception] = lambda: Rejected("Cannot cancel order in complete status")
    stubborn: str = ""

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        if self.stubborn in {"", permit.request.broker_order_id}:
            raise self.cancel_fault()
        super().cancel(permit)


class KeepsNoPast(ScriptedBroker):
    """As a real broker: of an earlier day it knows nothing."""

    def order(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        self.asked_for.append(order_id)
        return None


class TakesTheCancelLate(ScriptedBroker):
    """Takes a cancel, and shows the order as open for a while."""

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        self.calls.append(permit.ref)


def at(desk: Desk, broker: ScriptedBroker, mode: TradingMode = TradingMode.ANALYZE) -> Desk:
    """The desk with this broker, where INFY trades as it does at the paper exchange."""
    broker.ltp = Decimal(1450)
    return with_broker(desk, broker, mode)


def rest(desk: Desk, symbol: str = "INFY", quantity: int = 7) -> BrokerOrderId:
    """The number of an order that now works at the broker."""
    send(desk, an_order(symbol, quantity, price="1300"))
    (order,) = desk.store.journal.orders_of([desk.store.journal.mark().ticket_id])
    assert order.broker_order_id is not None
    return order.broker_order_id


def working(desk: Desk, mode: TradingMode = TradingMode.ANALYZE) -> list[BrokerOrderId]:
    return [order.id for order in desk.broker(mode).order_book() if order.status.is_working]


def cancel(person: Person, number: str, account: str = "analyze", path: str = "/orders/cancel") -> str:
    """The text of the page that the button leads to."""
    answer = person.post(path, page="/orders", order_id=number, account=account)
    assert answer.status_code == 302
    return person.get(answer.location).text


def tally_of(text: str) -> tuple[int, dict[str, int]]:
    """What the summary says: received, and its parts."""
    parts = re.search(r'<nav class="tally".*?</nav>', text, re.DOTALL)
    assert parts is not None
    received = re.search(r"received <strong>([\d,]+)</strong>", parts[0])
    assert received is not None
    found = re.findall(r"<strong>([\d,]+)</strong> ([a-z: ]+)</a>", parts[0])
    return int(received[1]), {word: int(number) for number, word in found}


def rows_of(text: str) -> int:
    return text.count('<td data-label="What">')


# -- the list ----------------------------------------------------------------------------------------------------


def test_the_summary_adds_up_and_each_part_lists_what_it_counts(trader: Person, desk: Desk) -> None:
    send(desk)
    send(desk, an_order(quantity=3))
    number = rest(desk)
    rest(desk, quantity=2)
    orders.cancel(desk, number, BY_HAND)
    hold(desk)
    text = trader.get("/orders").text
    received, parts = tally_of(text)
    assert parts == {
        "waiting for you": 1,
        "working at the broker": 1,
        "filled": 2,
        "cancelled": 1,
        "done": 1,
    }
    assert received == sum(parts.values()) == rows_of(text)
    links = re.findall(r'href="(/orders\?outcome=[a-z_]+)"[^>]*><strong>(\d+)</strong>', text)
    assert len(links) == len(parts)
    for link, count in links:
        assert rows_of(trader.get(link).text) == int(count), link


@pytest.mark.parametrize(
    ("state", "message", "shown"),
    [
        (OrderState.REJECTED, "Insufficient funds.", "Refused"),
        (OrderState.UNKNOWN, "Outcome unknown at paper.", "In doubt"),
        (OrderState.NOT_PLACED, "The broker has no such order.", "Never reached the broker"),
    ],
)
def test_why_it_did_not_trade_is_one_outcome_and_a_sentence(
    desk: Desk, account: Account, state: OrderState, message: str, shown: str
) -> None:
    faults = {
        OrderState.REJECTED: lambda: Rejected(message),
        OrderState.UNKNOWN: lambda: OutcomeUnknown(message),
        OrderState.NOT_PLACED: lambda: OutcomeUnknown(message),
    }
    scripted = at(desk, ScriptedBroker(desk, fault=faults[state]))
    with suppress(Rejected):
        send(scripted)
    (order,) = desk.store.journal.orders_of([1])
    if order.state is not state:
        desk.store.journal.settle(order.id, Settlement(state=state, message=message), was=order.state)
    text = a_trader_at(scripted).get("/orders").text
    assert f">{shown}</span>" in text
    assert message.rstrip(".") in text


def test_a_denied_order_names_the_guard_and_an_expired_one_the_time(
    trader: Person, desk: Desk, clock: FixedClock
) -> None:
    draft = orders.draft_of(desk, an_order(), BY_HAND, TradingMode.ANALYZE, OrderMode.AUTO)
    desk.store.journal.deny(draft, guard=Guard.ORDER_VALUE, reason="Order value 5,00,000 is over 1,00,000.")
    hold(desk)
    clock.move(minutes=6)
    text = trader.get("/orders").text
    assert "Order value 5,00,000 is over 1,00,000." in text
    assert ">Expired</span>" in text
    assert tally_of(text) == (2, {"denied by a guard": 1, "expired": 1})


def test_a_ticket_of_many_tells_how_many_were_done_and_the_truth_of_each(desk: Desk, account: Account) -> None:
    broker = RefusesCancels(desk)
    scripted = at(desk, broker)
    _, broker.stubborn, _ = [rest(scripted, quantity=quantity) for quantity in (1, 2, 3)]
    closing.cancel_all(scripted, CancelAllRequest(), BY_HAND)
    text = a_trader_at(scripted).get("/orders").text
    assert "2 of 3 orders cancelled" in text
    assert ">Partly done</span>" in text
    legs = re.findall(r"<li>\s*<span class=\"badge[^>]*>([^<]+)</span> <span[^>]*>([^<]+)</span>", text)
    assert [word for word, _ in legs] == ["Cancelled", "Refused", "Cancelled"]
    assert "BUY 2 INFY" in legs[1][1]
    assert "Cannot cancel order in complete status" in text


def test_a_broker_that_does_not_answer_hides_nothing_that_we_know(desk: Desk, account: Account) -> None:
    broker = ScriptedBroker(desk)
    scripted = at(desk, broker)
    number = rest(scripted)
    hold(scripted)
    broker.unreadable = NotSent("The connection never opened.")
    text = a_trader_at(scripted).get("/orders").text
    assert "cannot be read: The connection never opened." in text
    assert tally_of(text) == (2, {"waiting for you": 1, "sent": 1})
    assert f'name="order_id" value="{number}"' in text, "a cancel may still be tried"


def test_the_page_shows_today_and_any_other_day_when_asked(trader: Person, desk: Desk, clock: FixedClock) -> None:
    send(desk, an_order(quantity=10))
    clock.move(days=1)
    trader.sign_in()
    text = trader.get("/orders").text
    assert rows_of(text) == 0
    assert 'The last order came on <a href="/orders?day=2026-11-21">21 Nov 2026</a>' in text
    earlier = trader.get("/orders?day=2026-11-21").text
    assert rows_of(earlier) == 1
    assert "10 of 10" in earlier, "the paper exchange remembers"
    assert tally_of(earlier) == (1, {"sent": 1})


def test_what_was_sent_before_a_reset_still_tells_what_became_of_it(trader: Person, desk: Desk) -> None:
    send(desk, an_order(quantity=10))
    rest(desk)
    desk.store.paper_capital.reset(to_units(Decimal(100_000)), by=TRADER)
    send(desk, an_order("SBIN", quantity=3))
    text = trader.get("/orders").text
    assert rows_of(text) == 3
    assert "10 of 10" in text
    assert "cancelled at the broker. The paper account was reset." in text
    assert "3 of 3" in text
    assert tally_of(text) == (3, {"filled": 2, "cancelled": 1})
    assert rows_of(trader.get("/orders?outcome=cancelled").text) == 1
    assert rows_of(trader.get("/orders?outcome=sent").text) == 0
    exported = csv.DictReader(trader.get("/orders/export.csv").text.splitlines())
    assert [(row["symbol"], row["filled"]) for row in exported] == [("SBIN", "3"), ("INFY", "0"), ("RELIANCE", "10")]


def test_a_broker_without_a_past_is_asked_once_about_an_earlier_day(
    desk: Desk, account: Account, clock: FixedClock
) -> None:
    broker = KeepsNoPast(desk)
    scripted = at(desk, broker)
    for quantity in range(1, 6):
        send(scripted, an_order(quantity=quantity))
    clock.move(days=1)
    text = a_trader_at(scripted).get("/orders?day=2026-11-21").text
    assert rows_of(text) == 5
    assert len(broker.asked_for) == 1


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("symbol=infy", 1),
        ("strategy=other", 1),
        ("symbol=INFY&strategy=other", 0),
        ("outcome=filled", 2),
        ("outcome=nonsense", 3),
        ("day=yesterday", 3),
        ("day=2999-01-01", 3),
        ("day=0001-01-01", 3),
        ("symbol=%00%27;--", 0),
        ("before=junk&outcome=&symbol=&strategy=", 3),
    ],
)
def test_the_filters_narrow_and_nonsense_shows_the_nearest_sensible_list(
    trader: Person, desk: Desk, query: str, rows: int
) -> None:
    rest(desk)
    send(desk, strategy="other")
    send(desk)
    answer = trader.get(f"/orders?{query}")
    assert answer.status_code == 200
    assert rows_of(answer.text) == rows


def test_the_list_is_paged_by_key_and_keeps_its_filter(trader: Person, desk: Desk) -> None:
    for _ in range(52):
        send(desk, an_order(quantity=1))
    first = trader.get("/orders?outcome=filled").text
    assert rows_of(first) == 50
    older = re.search(r'href="(/orders\?outcome=filled&amp;before=3)"', first)
    assert older is not None
    assert rows_of(trader.get("/orders?outcome=filled&before=3").text) == 2


# -- cancel one --------------------------------------------------------------------------------------------------


def test_a_working_order_is_cancelled_by_its_button_and_the_list_stays_as_it_was(trader: Person, desk: Desk) -> None:
    number = rest(desk)
    text = trader.get("/orders?symbol=INFY").text
    assert re.search(rf"Cancel this order<span[^>]*>: BUY 7 INFY[^<]*</span><br>{PAPER}", text)
    answer = trader.post("/orders/cancel?symbol=INFY", page="/orders", order_id=number, account="analyze")
    assert answer.location == "/orders?symbol=INFY"
    after = trader.get(answer.location).text
    assert f"Cancelled: order {number}, BUY 7 INFY" in after
    assert PAPER in after
    assert working(desk) == []
    assert "Cancel this order" not in after


def test_a_second_click_sends_nothing_and_says_that_it_is_over(trader: Person, desk: Desk) -> None:
    number = rest(desk)
    cancel(trader, number)
    tickets = desk.store.journal.mark().ticket_id
    assert f"order {number} is over already: cancelled" in cancel(trader, number)
    assert desk.store.journal.mark().ticket_id == tickets


def test_an_order_that_filled_meanwhile_is_not_called_cancelled(trader: Person, desk: Desk) -> None:
    send(desk, an_order(quantity=10))
    (order,) = desk.store.journal.orders_of([1])
    assert order.broker_order_id is not None
    text = cancel(trader, order.broker_order_id)
    assert "Nothing was sent, paper account" in text
    assert "is over already: filled. 10 of 10 filled at" in text


def test_an_unknown_order_is_a_sentence_and_nothing_is_sent(trader: Person, desk: Desk) -> None:
    for number in ("26112199999999", "x", "' OR 1=1 --"):
        assert "Nothing was sent" in cancel(trader, number)
    assert desk.store.journal.mark().ticket_id == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"order_id": "", "account": "analyze"},
        {"order_id": "1" * 65, "account": "analyze"},
        {"order_id": "1", "account": "paper"},
        {"order_id": "1"},
        {},
    ],
)
def test_a_form_that_names_nothing_is_refused_with_a_sentence(
    trader: Person, desk: Desk, fields: dict[str, str]
) -> None:
    answer = trader.post("/orders/cancel", page="/orders/cancel-all", **fields)
    assert answer.status_code == 400
    assert "Nothing was sent" in answer.text
    assert desk.store.journal.mark().ticket_id == 0


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (lambda: Rejected("Too late."), "The broker did not cancel order S1, paper account: Too late."),
        (lambda: NotSent("No connection."), "Order S1 was not cancelled, paper account. No connection."),
        (lambda: TimeoutError("no answer"), "Whether order S1 is cancelled is in doubt, paper account."),
    ],
)
def test_a_cancel_tells_the_true_outcome(
    desk: Desk, account: Account, fault: Callable[[], Exception], told: str
) -> None:
    scripted = at(desk, RefusesCancels(desk, cancel_fault=fault))
    number = rest(scripted)
    assert told in cancel(a_trader_at(scripted), number)


def test_a_cancel_that_was_taken_is_not_yet_a_cancelled_order(desk: Desk, account: Account) -> None:
    scripted = at(desk, TakesTheCancelLate(desk))
    number = rest(scripted)
    text = cancel(a_trader_at(scripted), number)
    assert "The broker took the cancel, but it is still open" in text


def test_a_cancel_goes_to_the_account_that_the_button_named(desk: Desk, account: Account) -> None:
    live = ScriptedBroker(desk)
    both = at(desk, live, TradingMode.LIVE)
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    orders.place(both, an_order("INFY", 7, price="1300"), BY_HAND)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    person = a_trader_at(both)
    text = person.get("/orders").text
    assert re.search(r"Cancel this order<span[^>]*>[^<]*</span><br>LIVE account, real money", text)
    desk.store.preferences.set_trading_mode(TradingMode.ANALYZE, by=TRADER)
    assert "LIVE account, real money" in cancel(person, "S1", "live")
    assert working(both, TradingMode.LIVE) == []


# -- what the broker and the journal disagree about ----------------------------------------------------------------


def at_odds(desk: Desk, *symbols: str) -> Desk:
    """A desk that has just started and found an order of each symbol at its broker that the journal has as refused."""
    broker = ScriptedBroker(desk, fault=lambda: Rejected("no"), accepts_before_fault=True)
    scripted = at(desk, broker)
    for symbol in symbols:
        with suppress(Rejected):
            send(scripted, an_order(symbol, 7, price="1300" if symbol == "INFY" else "0"))
    broker.fault = None
    started = replace(scripted, doors=Doors())
    Watch(started).round()
    return started


def test_a_break_is_told_with_its_symbol_and_what_to_do(desk: Desk, account: Account) -> None:
    person = a_trader_at(at_odds(desk, "INFY", "RELIANCE"))
    overview = person.get("/").text
    assert "disagree about 2 orders</strong> in INFY, RELIANCE" in overview
    text = person.get("/orders").text
    assert "The broker and the journal disagree about 2 orders" in text
    assert "BUY 7 INFY on NSE, 0 of 7 filled. The journal has it as refused." in text
    assert "cancel it or close what it opened" in text
    assert text.count('<span class="badge text-bg-danger">Reconciliation break</span>') == 2, "at their tickets too"
    ticket = person.get("/action-center/1").text
    assert "<strong>Reconciliation break.</strong>" in ticket
    assert "which compared the broker&#39;s book with the journal" in ticket
    assert "Nothing of it is there." not in ticket


def test_a_break_is_noted_by_one_click_and_entries_go_again(desk: Desk, account: Account) -> None:
    scripted = at_odds(desk, "INFY", "RELIANCE")
    person = a_trader_at(scripted)
    answer = person.post("/orders/breaks/acknowledge", page="/orders", break_id="1")
    text = person.get(answer.location).text
    assert "you have seen what the broker and the journal disagree about in INFY. Nothing was sent." in text
    assert "The broker and the journal disagree about 1 order<" in text
    send(scripted, an_order("INFY", 7, price="1300"))
    assert len(working(scripted)) == 3
    again = person.post("/orders/breaks/acknowledge", page="/orders", break_id="1")
    assert "That has ended already. Nothing was sent." in person.get(again.location).text
    assert "Reconciliation break, seen by you." in person.get("/action-center/1").text


def test_all_breaks_that_are_shown_are_noted_at_once_and_none_besides(desk: Desk, account: Account) -> None:
    scripted = at_odds(desk, "INFY", "RELIANCE", "SBIN")
    person = a_trader_at(scripted)
    person.post("/orders/breaks/acknowledge", page="/orders", break_id=["1", "2"])
    assert [each.symbol for each in scripted.store.breaks.open()] == ["SBIN"]


@pytest.mark.parametrize("fields", [{}, {"break_id": ""}, {"break_id": "1 OR 1"}, {"break_id": "9" * 30}])
def test_a_form_that_names_no_break_is_refused_with_a_sentence(
    desk: Desk, account: Account, fields: dict[str, str]
) -> None:
    scripted = at_odds(desk, "INFY")
    answer = a_trader_at(scripted).post("/orders/breaks/acknowledge", page="/orders", **fields)
    assert answer.status_code == 400
    assert "Nothing was changed" in answer.text
    assert scripted.store.breaks.open_count() == 1


def test_an_order_that_should_not_be_there_can_be_cancelled_beside_its_break(desk: Desk, account: Account) -> None:
    scripted = at_odds(desk, "INFY")
    person = a_trader_at(scripted)
    assert "Cancel this order<span" in person.get("/orders").text
    cancel(person, "S1")
    assert working(scripted) == []
    assert "Cancel this order<span" not in person.get("/orders").text
