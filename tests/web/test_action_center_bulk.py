"""Many decisions at once: counted and summed before, each told truly after, and never about more than was shown."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Busy, Rejected
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CloseRequest,
    LegsKind,
    LegsRequest,
    OrderRequest,
    Product,
    TradingMode,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading import approvals
from openalgo_bridge.trading.approvals import Revision
from openalgo_bridge.web.bulk import MOST
from tests.conftest import TRADER, Account, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_trader_at, an_order, csrf_token, hold
from tests.web.test_action_center_lists import draft_of, link, many

LIST = "/action-center"
APPROVE, REJECT = f"{LIST}/approve-all", f"{LIST}/reject-all"
_LINE = re.compile(r'data-label="What">([^<]*)</td>.*?<span class="badge[^>]*>([^<]*)</span>', re.DOTALL)
_HEADING = re.compile(r"<h1>([^<]*)</h1>")
_FORM = re.compile(r'<input type="hidden" name="form" value="([0-9a-f]{16})">')
_FIELD = re.compile(r'<input type="hidden" name="ticket" value="([^"]*)">')


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


@pytest.fixture
def person(scripted: Desk, account: Account) -> Person:
    return a_trader_at(scripted)


def named(*tickets: Ticket) -> list[str]:
    return [f"{ticket.id}:{ticket.shown}" for ticket in tickets]


def ticked(*tickets: Ticket) -> str:
    return "&".join(f"ticket={text}" for text in named(*tickets))


def fields(text: str) -> list[str]:
    """The tickets that the form of a confirming page names."""
    return _FIELD.findall(text)


def send(person: Person, page: str, path: str = APPROVE, **typed: str) -> str:
    """Press the button of a confirming page; the text of the page it leads to."""
    return person.get(press(person, page, path, **typed)).text


def press(person: Person, page: str, path: str = APPROVE, **typed: str) -> str:
    """Press the button of a confirming page; the address it leads to."""
    (form,) = _FORM.findall(page)
    answer = person.post_raw(path, csrf_token=csrf_token(page), form=form, ticket=fields(page), **typed)
    assert answer.status_code == 302, answer.text
    return answer.location


def heading(text: str) -> str:
    found = _HEADING.search(text)
    assert found is not None
    return html.unescape(found[1])


def told(text: str) -> list[tuple[str, str]]:
    """What and its outcome, line by line."""
    return [(what, end) for what, end in _LINE.findall(text)]


def states(desk: Desk, *tickets: Ticket) -> list[TicketState]:
    return [approvals.ticket(desk, ticket.id).state for ticket in tickets]


WORKING = "Working at the broker"
RELEASED, HELD, REJECTED = TicketState.RELEASED, TicketState.HELD, TicketState.REJECTED


def test_the_ticked_ones_are_counted_summed_and_named_before_anything_is_sent(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    one, two = hold(scripted, an_order("RELIANCE", 10)), hold(scripted, an_order("INFY", 5, price="990"))
    three, _ = hold(scripted, replace(an_order("TCS", 3), action=Action.SELL)), hold(scripted)
    page = person.get(f"{APPROVE}?{ticked(three, one, two)}").text
    assert heading(page) == "Approve these 3 orders?"
    for summed in (
        '"Orders" class="num">3<',
        '"BUY" class="num">2<',
        "₹14,950.00",
        '"SELL" class="num">1<',
        "₹3,000.00",
    ):
        assert summed in page
    assert "Approve 3: send 3 to the paper account" in page
    assert fields(page) == named(one, two, three), "in the order they arrived"
    assert page.index("BUY 10 RELIANCE") < page.index("BUY 5 INFY") < page.index("SELL 3 TCS")
    assert (broker.calls, scripted.store.ticket_lists.queue().count) == ([], 4)


def test_what_was_confirmed_is_sent_in_the_order_it_arrived_and_nothing_else(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    one, left_alone, two = hold(scripted), hold(scripted), hold(scripted, an_order("INFY"))
    page = person.get(f"{APPROVE}?{ticked(two, one)}").text
    late = hold(scripted)
    text = send(person, page)
    assert broker.calls == [one.ref, two.ref]
    assert heading(text) == "2 orders: 2 working at the broker"
    assert states(scripted, one, left_alone, two, late) == [RELEASED, HELD, RELEASED, HELD]


def test_all_that_match_the_filter_are_chosen_and_no_other(person: Person, scripted: Desk) -> None:
    wanted = [hold(scripted, strategy="scalp"), hold(scripted, strategy="scalp")]
    other = hold(scripted)
    listed = person.get(f"{LIST}?strategy=scalp").text
    page = person.get(link(listed, "Approve all that match the filter…")).text
    assert fields(page) == named(*wanted)
    assert fields(person.get(link(listed, "Approve all waiting…")).text) == named(*wanted, other)


def test_a_filter_that_means_nothing_never_becomes_all(person: Person, scripted: Desk) -> None:
    hold(scripted)
    answer = person.get(f"{APPROVE}?which=matching&exchange=MOON")
    assert answer.status_code == 400
    assert "The filter means nothing: exchange" in answer.text


def test_more_than_one_click_may_decide_are_said_and_left_waiting(person: Person, scripted: Desk) -> None:
    made = many(scripted, MOST + 3)
    page = person.get(f"{APPROVE}?which=matching").text
    assert fields(page) == named(*made[:MOST])
    assert f"These are the oldest {MOST} tickets. 3 more wait" in page


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["1"],
        ["1:"],
        ["x:" + "0" * 64],
        ["1:" + "g" * 64],
        ["1:" + "0" * 63],
        ["-1:" + "0" * 64],
        ["9" * 19 + ":" + "0" * 64],
        ["1:" + "0" * 64, "1:" + "1" * 64],
        ["1:" + "0" * 64 + " "],
    ],
)
@pytest.mark.parametrize("path", [APPROVE, REJECT])
def test_a_damaged_form_decides_nothing_at_all(
    person: Person, scripted: Desk, broker: ScriptedBroker, texts: list[str], path: str
) -> None:
    good = hold(scripted), hold(scripted)
    page = person.get(f"{APPROVE}?{ticked(*good)}").text
    answer = person.post_raw(path, csrf_token=csrf_token(page), ticket=[*(named(good[1]) if texts else []), *texts])
    assert answer.status_code == 400
    assert "Nothing was sent" in answer.text
    assert (broker.calls, states(scripted, *good)) == ([], [HELD, HELD])


def test_more_than_any_page_shows_is_refused_whole(person: Person, scripted: Desk, broker: ScriptedBroker) -> None:
    made = many(scripted, MOST + 1)
    token = csrf_token(person.get(LIST).text)
    answer = person.post_raw(APPROVE, csrf_token=token, ticket=named(*made))
    assert answer.status_code == 400
    assert f"decides about {MOST} at most" in answer.text
    assert (broker.calls, scripted.store.ticket_lists.queue().count) == ([], MOST + 1)


def test_without_the_token_of_the_page_nothing_is_sent(person: Person, scripted: Desk, broker: ScriptedBroker) -> None:
    ticket = hold(scripted)
    assert person.post_raw(APPROVE, ticket=named(ticket)).status_code == 400
    assert (broker.calls, states(scripted, ticket)) == ([], [HELD])


def test_one_that_changed_after_it_was_shown_is_not_sent_and_its_line_says_so(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    tickets = [hold(scripted, an_order("RELIANCE", 10, price="1000")) for _ in range(3)]
    page = person.get(f"{APPROVE}?{ticked(*tickets)}").text
    smaller = Revision(quantity=5, price=Decimal(1000), trigger_price=Decimal(0), product=Product.MIS)
    approvals.revise(scripted, tickets[1].id, tickets[1].shown, smaller, by=TRADER)
    text = send(person, page)
    assert [end for _, end in told(text)] == [WORKING, "Not sent", WORKING]
    assert "is not what was shown" in text
    assert states(scripted, *tickets) == [RELEASED, HELD, RELEASED]
    assert broker.calls == [tickets[0].ref, tickets[2].ref]


def test_one_that_expired_meanwhile_is_not_sent_and_its_line_says_so(
    person: Person, scripted: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    old = hold(scripted)
    clock.move(minutes=3)
    young = hold(scripted, an_order("INFY"))
    page = person.get(f"{APPROVE}?which=matching").text
    clock.move(minutes=3)
    text = send(person, page)
    assert told(text) == [
        ("BUY 10 RELIANCE on NSE at market, intraday (MIS)", "Not sent"),
        ("BUY 10 INFY on NSE at market, intraday (MIS)", WORKING),
    ]
    assert "has expired: nobody decided in time" in text or "already expired" in text
    assert (broker.calls, states(scripted, old)) == ([young.ref], [TicketState.EXPIRED])


@pytest.mark.parametrize(
    ("stop", "ends"), [("yes", [WORKING, "Not sent", "Not tried"]), ("", [WORKING, "Not sent", WORKING])]
)
def test_the_first_refusal_stops_the_rest_where_that_is_ticked(
    person: Person, scripted: Desk, stop: str, ends: list[str]
) -> None:
    tickets = [hold(scripted), hold(scripted, an_order("INFY")), hold(scripted, an_order("TCS"))]
    page = person.get(f"{APPROVE}?{ticked(*tickets)}").text
    approvals.ticket(scripted, tickets[1].id)
    scripted.store.files[0].write(
        "UPDATE ticket SET request = replace(request, '\"quantity\":10', '\"quantity\":11') WHERE id = ?",
        (tickets[1].id,),
    )
    text = send(person, page, stop=stop)
    assert [end for _, end in told(text)] == ends
    assert states(scripted, tickets[2]) == [HELD if stop else RELEASED]


@pytest.mark.parametrize(
    ("fault", "end", "sentence"),
    [
        (Rejected("Insufficient funds."), "Refused", "Insufficient funds."),
        (TimeoutError("no answer"), "In doubt", "Do not send it again"),
        (Busy("Not sent, busy."), "In doubt", "Outcome unknown"),
    ],
)
def test_each_line_tells_the_true_outcome(
    person: Person, scripted: Desk, broker: ScriptedBroker, fault: BridgeError, end: str, sentence: str
) -> None:
    ticket = hold(scripted)
    page = person.get(f"{APPROVE}?{ticked(ticket)}").text
    broker.fault = lambda: fault
    text = send(person, page)
    assert told(text) == [("BUY 10 RELIANCE on NSE at market, intraday (MIS)", end)]
    assert sentence in text
    assert heading(text) == f"1 order: 1 {end.lower()}"


def test_the_paper_exchange_fills_and_the_line_says_at_what(trader: Person, desk: Desk) -> None:
    hold(desk)
    text = send(trader, trader.get(f"{APPROVE}?which=matching").text)
    assert heading(text) == "1 order: 1 filled"
    assert re.search(r"At [\d,.]+\. Order", text)


@pytest.mark.parametrize("stop", ["yes", ""])
def test_the_same_orders_from_two_pages_are_sent_once_and_the_second_says_so(
    person: Person, scripted: Desk, broker: ScriptedBroker, stop: str
) -> None:
    tickets = [hold(scripted), hold(scripted, an_order("INFY"))]
    page, other = (person.get(f"{APPROVE}?{ticked(*tickets)}").text for _ in range(2))
    send(person, page, stop=stop)
    again = send(person, other, stop=stop)
    assert heading(again) == "2 orders: 2 decided before"
    assert [end for _, end in told(again)] == ["Decided before"] * 2
    assert broker.calls == [ticket.ref for ticket in tickets]


def test_the_same_form_twice_leads_to_the_result_of_the_first(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    tickets = [hold(scripted), hold(scripted, an_order("INFY"))]
    page = person.get(f"{APPROVE}?{ticked(*tickets)}").text
    broker.fault = lambda: Rejected("Not now.")
    first = press(person, page, stop="yes")
    broker.fault = None
    assert press(person, page, stop="yes") == first
    assert heading(person.get(first).text) == "2 orders: 1 refused, 1 not tried"
    assert (len(broker.calls), states(scripted, tickets[1])) == (1, [HELD])


@dataclass
class ClickedTwice(ScriptedBroker):
    """While it takes the first order, the button is pressed once more."""

    press: Callable[[], None] = lambda: None

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        press, self.press = self.press, lambda: None
        press()
        return super().place(permit)


def test_a_double_click_never_says_that_an_order_was_left_which_is_about_to_be_sent(
    desk: Desk, account: Account
) -> None:
    broker = ClickedTwice(desk)
    person = a_trader_at(with_broker(desk, broker))
    tickets = [hold(desk), hold(desk, an_order("INFY"))]
    page = person.get(f"{APPROVE}?{ticked(*tickets)}").text
    seen: list[str] = []
    broker.press = lambda: seen.append(send(person, page, stop="yes"))
    done = send(person, page, stop="yes")
    assert heading(seen[0]) == "Not through yet: 2 orders: 1 sending, 1 waiting for you"
    assert "not tried" not in seen[0]
    assert '<meta http-equiv="refresh"' in seen[0]
    assert heading(done) == "2 orders: 2 working at the broker"
    assert '<meta http-equiv="refresh"' not in done
    assert broker.calls == [ticket.ref for ticket in tickets]


def test_each_result_has_an_address_of_its_own(person: Person, scripted: Desk, broker: ScriptedBroker) -> None:
    one, two, three = (hold(scripted, an_order(symbol)) for symbol in ("RELIANCE", "TCS", "INFY"))
    approved = press(person, person.get(f"{APPROVE}?{ticked(one, two)}").text)
    rejected = press(person, person.get(f"{REJECT}?{ticked(three)}").text, REJECT)
    assert heading(person.get(approved).text) == "2 orders: 2 working at the broker"
    assert heading(person.get(rejected).text) == "1 order: 1 turned down"


def test_what_was_not_tried_and_is_decided_later_is_told_as_it_is_then(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    tickets = [hold(scripted), hold(scripted, an_order("INFY"))]
    broker.fault = lambda: Rejected("Not now.")
    address = press(person, person.get(f"{APPROVE}?{ticked(*tickets)}").text, stop="yes")
    assert "this one still waits for you" in person.get(address).text
    approvals.reject(scripted, tickets[1].id, tickets[1].shown, "no", by=TRADER)
    assert heading(person.get(address).text) == "2 orders: 1 refused, 1 turned down"


def test_a_result_of_which_nothing_is_remembered_is_told_from_the_journal(
    person: Person, scripted: Desk, broker: ScriptedBroker, account: Account
) -> None:
    """As after a restart."""
    tickets = [hold(scripted), hold(scripted, an_order("INFY"))]
    address = press(person, person.get(f"{APPROVE}?{ticked(*tickets)}").text)
    assert heading(a_trader_at(scripted).get(address).text) == "2 orders: 2 working at the broker"
    text = person.get(f"{LIST}/result?tickets=2.77.x&form=none").text
    assert heading(text) == "1 order: 1 working at the broker"
    assert "There is no ticket 77." in text


def test_to_load_the_result_again_sends_nothing(person: Person, scripted: Desk, broker: ScriptedBroker) -> None:
    tickets = [hold(scripted), hold(scripted, an_order("INFY"))]
    page = person.get(f"{APPROVE}?{ticked(*tickets)}").text
    broker.fault = lambda: Rejected("Not now.")
    address = press(person, page, stop="yes")
    broker.fault = None
    for _ in range(2):
        assert heading(person.get(address).text) == "2 orders: 1 refused, 1 not tried"
    assert (len(broker.calls), states(scripted, tickets[1])) == (1, [HELD])


def test_there_is_no_result_before_the_first_form(person: Person) -> None:
    assert person.get(f"{LIST}/result").location == LIST


def hold_closing(desk: Desk) -> Ticket:
    return desk.store.journal.hold(draft_of(desk, CloseRequest()), expires_at=None, reason="")


def result_of_approving(person: Person, desk: Desk, closing: Ticket) -> str:
    """The closing is approved for ten of RELIANCE; the text of the page that tells what became of it."""
    with contextlib.suppress(BridgeError):
        approvals.approve(desk, closing.id, closing.shown, by=TRADER, seen={("NSE", "RELIANCE", "MIS"): 10})
    return person.get(f"{LIST}/result?tickets={closing.id}").text


@pytest.mark.parametrize("chosen", ["which=matching", "ticked"])
def test_a_held_closing_leads_to_its_page_which_names_what_it_would_close(
    person: Person, scripted: Desk, broker: ScriptedBroker, chosen: str
) -> None:
    broker.hold("RELIANCE", 10)
    closing = hold_closing(scripted)
    answer = person.get(f"{APPROVE}?{ticked(closing) if chosen == 'ticked' else chosen}")
    assert answer.location == f"{LIST}/{closing.id}"
    text = person.get(answer.location).text
    assert "A closing is approved on its own page" in text
    assert "SELL 10 RELIANCE" in text


def test_a_held_closing_beside_orders_is_left_out_by_name_and_not_sent_with_them(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.hold("RELIANCE", 10)
    order, closing = hold(scripted, an_order("INFY")), hold_closing(scripted)
    page = person.get(f"{APPROVE}?which=matching").text
    assert f"Ticket {closing.id} is left out: close every open position" in page
    assert f'href="{LIST}/{closing.id}"' in page
    assert fields(page) == named(order)
    send(person, page)
    assert (broker.calls, states(scripted, order, closing)) == ([order.ref], [RELEASED, HELD])


def test_a_form_that_names_a_held_closing_all_the_same_sends_nothing_of_it(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    broker.hold("RELIANCE", 10)
    closing = hold_closing(scripted)
    token = csrf_token(person.get(LIST).text)
    answer = person.post_raw(APPROVE, csrf_token=token, ticket=named(closing))
    text = person.get(answer.location).text
    assert told(text) == [("Close every open position", "Not sent")]
    assert "approved on its page" in text
    assert (broker.calls, states(scripted, closing)) == ([], [HELD])


def test_closings_are_turned_down_among_others(person: Person, scripted: Desk) -> None:
    both = hold(scripted, an_order("INFY")), hold_closing(scripted)
    page = person.get(f"{REJECT}?which=matching").text
    assert "1 other ticket" in page
    send(person, page, REJECT)
    assert states(scripted, *both) == [REJECTED, REJECTED]


def test_the_result_tells_a_closing_leg_by_leg(person: Person, scripted: Desk, broker: ScriptedBroker) -> None:
    broker.hold("RELIANCE", 10)
    text = result_of_approving(person, scripted, hold_closing(scripted))
    assert told(text) == [("Close every open position", WORKING)]
    assert "0 of 1 position closed." in text, "taken by the broker is not closed"
    assert "Order S1: open, 0 of 10 filled so far." in text
    assert [order.request.action for order in broker.book.values()] == [Action.SELL]


@pytest.mark.parametrize(
    ("quantity", "fault", "end"),
    [
        (0, None, "Nothing to do"),
        (10, Rejected("No."), "Refused"),
        (10, TimeoutError("no answer"), "In doubt"),
    ],
)
def test_a_closing_of_which_nothing_was_taken_is_not_called_sent(
    person: Person, scripted: Desk, broker: ScriptedBroker, quantity: int, fault: Exception | None, end: str
) -> None:
    broker.hold("RELIANCE", quantity)
    broker.fault = None if fault is None else lambda: fault
    text = result_of_approving(person, scripted, hold_closing(scripted))
    assert told(text) == [("Close every open position", end)]


def test_real_money_is_red_in_the_sum_and_on_the_button(trader: Person, desk: Desk) -> None:
    paper = hold(desk)
    live = desk.store.journal.hold(draft_of(desk, an_order(), mode=TradingMode.LIVE), expires_at=None, reason="")
    page = trader.get(f"{APPROVE}?{ticked(paper, live)}").text
    assert "Approve 2: send 1 to the LIVE account, real money, and 1 to the paper account" in page
    assert "btn-danger" in page[page.index('name="stop"') :]
    assert page.index("LIVE account") < page.index("paper account</th>")
    assert "btn-danger" not in (plain := trader.get(f"{APPROVE}?{ticked(paper)}").text)[plain.index('name="stop"') :]


def test_a_missing_price_is_said_in_the_sum(desk: Desk, account: Account) -> None:
    person = a_trader_at(desk)
    gone = desk.store.journal.hold(draft_of(desk, an_order("NOSUCHSYMBOL")), expires_at=None, reason="")
    page = person.get(f"{APPROVE}?{ticked(gone)}").text
    assert "<strong>1 without a known price</strong>" in page
    assert "price not known" in page


def test_what_was_ticked_and_cannot_be_decided_is_left_out_and_said(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    gone, stays = hold(scripted), hold(scripted, an_order("INFY"))
    approvals.reject(scripted, gone.id, gone.shown, "no", by=TRADER)
    page = person.get(f"{APPROVE}?{ticked(gone, stays)}&ticket=77:{'0' * 64}").text
    assert fields(page) == named(stays)
    assert "Ticket 1 is left out: it is already rejected" in page
    assert "There is no ticket 77" in page
    changed = person.get(f"{APPROVE}?ticket={stays.id}:{'0' * 64}")
    assert changed.location == LIST
    assert "it was changed meanwhile" in person.get(LIST).text


def test_nothing_ticked_leads_back_with_a_word(person: Person) -> None:
    for path in (APPROVE, REJECT):
        assert person.get(path).location == LIST
        assert "there is nothing to decide" in person.get(LIST).text


def test_the_ticked_ones_are_rejected_with_one_reason(person: Person, scripted: Desk, broker: ScriptedBroker) -> None:
    one, two, other = hold(scripted), hold(scripted, an_order("INFY")), hold(scripted)
    page = person.get(f"{REJECT}?{ticked(one, two)}").text
    assert "Reject 2: send nothing, for good" in page
    approvals.approve(scripted, two.id, two.shown, by=TRADER)
    text = send(person, page, REJECT, reason="news at noon")
    assert [end for _, end in told(text)] == ["Turned down", "Decided before"]
    assert states(scripted, one, two, other) == [REJECTED, RELEASED, HELD]
    assert scripted.store.journal.ticket(one.id).reason == "news at noon"
    assert broker.calls == [two.ref]


def test_two_hundred_at_once_fit_into_the_form_and_its_answer(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    made = many(scripted, MOST)
    text = send(person, person.get(f"{APPROVE}?which=matching").text)
    assert heading(text) == f"{MOST} orders: {MOST} working at the broker"
    assert broker.calls == [ticket.ref for ticket in made]


def test_hostile_words_in_a_line_are_text(person: Person, scripted: Desk, broker: ScriptedBroker) -> None:
    ticket = hold(scripted, strategy="<script>alert(1)</script>")
    broker.fault = lambda: Rejected("<img src=x onerror=alert(1)>")
    text = send(person, person.get(f"{APPROVE}?{ticked(ticket)}").text)
    assert "<img" not in text
    assert "&lt;img" in text


def hold_basket(desk: Desk, *orders: OrderRequest) -> Ticket:
    draft = draft_of(desk, LegsRequest(kind=LegsKind.BASKET, orders=orders))
    return desk.store.journal.hold(draft, expires_at=None, reason="")


def test_the_orders_of_a_basket_are_counted_and_summed_one_by_one(
    person: Person, scripted: Desk, broker: ScriptedBroker
) -> None:
    one = hold(scripted, an_order("RELIANCE", 10))
    basket = hold_basket(
        scripted, an_order("INFY", 1000), an_order("TCS", 2000), replace(an_order("TCS", 3), action=Action.SELL)
    )
    page = person.get(f"{APPROVE}?{ticked(one, basket)}").text
    assert heading(page) == "Approve these 4 orders?"
    for summed in (
        '"Orders" class="num">4<',
        '"BUY" class="num">3<',
        "₹30,10,000.00",
        '"SELL" class="num">1<',
        "₹3,000.00",
        '"Not in the sum">nothing<',
        "about ₹30,03,000.00",
    ):
        assert summed in page
    assert "Approve 4: send 4 to the paper account" in page
    assert heading(send(person, page, stop="yes")).startswith("2 tickets: ")
    assert len(broker.calls) == 4
