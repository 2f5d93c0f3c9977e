"""Cancel all, close one, close all from a page: said before, done once, reported as it is."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent, OutcomeUnknown, Rejected
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelRequest,
    CloseRequest,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    Product,
    TradingMode,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.trading import closing, orders
from openalgo_bridge.trading.doors import Doors
from openalgo_bridge.trading.orders import Held, draft_of
from openalgo_bridge.web.closing import BY_HAND
from tests.conftest import TRADER, Account, FixedClock
from tests.fakes import ScriptedBroker, in_threads, with_broker
from tests.web.conftest import Person, a_trader_at, an_order, csrf_token, send
from tests.web.test_pages import Page

RESTING = an_order(quantity=3, price="990")
STOP = replace(an_order(quantity=10, price="1010"), action=Action.SELL)
LONG = "NSE:MIS:10:RELIANCE"
ONE = {"account": "analyze", "which": "one", "position": LONG}
LEG = re.compile(r'<li class="list-group-item">\s*<span class="badge[^>]*>([^<]+)</span> <span[^>]*>([^<]+)</span>')


@dataclass
class Fills(ScriptedBroker):
    """Fills what is sent at market; raises ``faults`` of its symbol, or of the order that is to be withdrawn."""

    faults: dict[str, Exception] | None = None

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        self._raise(permit.request.symbol)
        number = super().place(permit)
        if permit.request.price == 0:
            self.complete(permit.ref)
            self.held = [
                replace(each, quantity=each.quantity + permit.request.action.sign * permit.request.quantity)
                if each.symbol == permit.request.symbol and each.product is permit.request.product
                else each
                for each in self.held
            ]
        return number

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        self._raise(permit.request.broker_order_id)
        super().cancel(permit)

    def _raise(self, name: str) -> None:
        fault = (self.faults or {}).get(name)
        if fault is not None:
            raise fault


@dataclass
class FillsBefore(Fills):
    """An order that is to be withdrawn fills ``part`` of it first; the whole is refused as complete."""

    part: int = 0

    def cancel(self, permit: SendPermit[CancelRequest]) -> None:
        there = self._named(permit.request.broker_order_id)
        self.book[there.tag] = replace(there, filled_quantity=self.part, average_price=self.ltp)
        self.held = [replace(each, quantity=each.quantity - self.part) for each in self.held]
        if self.part < there.request.quantity:
            return super().cancel(permit)
        self.complete(there.tag)
        raise Rejected("Order is complete")


@pytest.fixture
def broker(desk: Desk) -> Fills:
    return Fills(desk, faults={})


@pytest.fixture
def scripted(desk: Desk, account: Account, broker: Fills) -> Desk:
    return with_broker(desk, broker)


@pytest.fixture
def person(scripted: Desk) -> Person:
    return a_trader_at(scripted)


def press(person: Person, path: str, **fields: str | list[str]) -> str:
    """The text of the page that the form leads to."""
    answer = person.post(path, page="/orders/cancel-all", **fields)
    assert answer.status_code == 302, answer.text
    return html.unescape(person.get(answer.location).text)


def close_all(person: Person, account: str = "analyze") -> str:
    """Press the button of the page that names every position; the text of the page it leads to."""
    page = person.get(f"/positions/close?account={account}").text
    named = re.findall(r'name="position" value="([^"]*)"', page)
    return press(person, "/positions/close", account=account, which="all", position=named)


def heading(text: str) -> str:
    found = re.search(r"<h1>([^<]*)</h1>", text)
    assert found is not None
    return found[1]


def net(broker: ScriptedBroker) -> list[int]:
    return [position.quantity for position in broker.positions()]


# -- close -------------------------------------------------------------------------------------------------------


def test_close_all_says_first_what_it_will_send_and_sends_nothing_yet(
    person: Person, scripted: Desk, broker: Fills
) -> None:
    broker.hold("RELIANCE", 10)
    broker.hold("TCS", -5)
    orders.place(scripted, STOP, BY_HAND)
    text = html.unescape(person.get("/positions/close").text)
    steps = re.findall(r'<li class="list-group-item text-break">([^<]*)</li>', text)
    assert steps == [
        "BUY 5 TCS on NSE at market, intraday (MIS)",
        "Cancel order S1: SELL 10 RELIANCE on NSE at limit 1,010.00, intraday (MIS)",
        "SELL 10 RELIANCE on NSE at market, intraday (MIS)",
    ]
    assert "Close every position at market: paper account" in text
    assert len(broker.calls) == 1, "the stop alone"


def test_close_all_closes_each_and_reports_each(person: Person, scripted: Desk, broker: Fills) -> None:
    broker.hold("RELIANCE", 10)
    broker.hold("TCS", -5)
    orders.place(scripted, STOP, BY_HAND)
    text = close_all(person)
    assert heading(text) == "2 of 2 positions closed"
    assert [word for word, _ in LEG.findall(text)] == ["Cancelled", "Closed", "Closed"]
    assert "filled 10 at 1,000.00" in text
    assert "Not everything was done" not in text
    assert net(broker) == [0, 0]


@pytest.mark.parametrize(
    ("fault", "word", "why"),
    [
        (Rejected("Margin exceeds available funds."), "Refused", "Margin exceeds available funds."),
        (OutcomeUnknown("timed out."), "In doubt", "Do not send it again"),
        (NotSent("The connection never opened."), "Refused", "The connection never opened."),
    ],
)
def test_one_that_is_not_closed_is_never_counted_as_closed(
    person: Person, broker: Fills, fault: Exception, word: str, why: str
) -> None:
    for symbol in ("RELIANCE", "TCS", "INFY", "SBIN"):
        broker.hold(symbol, 10)
    broker.faults = {"TCS": fault}
    text = close_all(person)
    assert heading(text) == "3 of 4 positions closed"
    assert "Not everything was done" in text
    told = {what.split()[2]: word for word, what in LEG.findall(text)}
    assert told == {"RELIANCE": "Closed", "TCS": word, "INFY": "Closed", "SBIN": "Closed"}
    assert why in text


def test_a_stop_that_cannot_be_withdrawn_is_told_with_the_position_that_stays(
    person: Person, scripted: Desk, broker: Fills
) -> None:
    broker.hold("RELIANCE", 10)
    orders.place(scripted, STOP, BY_HAND)
    broker.faults = {"S1": Rejected("Too late.")}
    text = close_all(person)
    assert heading(text) == "0 of 1 position closed"
    assert [word for word, _ in LEG.findall(text)] == ["Refused", "Not sent"]
    assert "other orders already close this position" in text


@pytest.mark.parametrize(
    ("part", "told"), [(4, ["Cancelled", "Not needed", "Closed"]), (10, ["Refused", "Not needed"])]
)
def test_a_position_of_which_a_stop_closed_a_part_or_all_is_told_as_closed(
    desk: Desk, account: Account, part: int, told: list[str]
) -> None:
    broker = FillsBefore(desk, part=part)
    both = with_broker(desk, broker)
    broker.hold("RELIANCE", 10)
    orders.place(both, STOP, BY_HAND)
    text = close_all(a_trader_at(both))
    assert heading(text) == "1 of 1 position closed"
    assert [word for word, _ in LEG.findall(text)] == told
    assert "Not everything was done" not in text
    assert net(broker) == [0]


def test_what_a_closing_would_send_is_named_without_asking_for_each_order(
    person: Person, scripted: Desk, broker: Fills
) -> None:
    """A slow broker would answer to none of these within the second that a page waits."""
    broker.hold("RELIANCE", 10)
    orders.place(scripted, STOP, BY_HAND)
    assert "Cancel order S1: SELL 10 RELIANCE" in person.get("/positions/close").text
    assert broker.asked_for == []


@pytest.mark.parametrize("at_the_switch", [False, True])
def test_a_position_that_lost_its_stop_and_is_not_closed_is_told_as_open(
    person: Person, scripted: Desk, broker: Fills, at_the_switch: bool
) -> None:
    orders.place(scripted, STOP, BY_HAND)
    broker.hold("RELIANCE", 10)
    broker.faults = {"RELIANCE": Rejected("Market orders are blocked for this contract")}
    told = "Its stop or target is withdrawn and the position is OPEN: look at it now. Market orders are blocked"
    if at_the_switch:
        person.post("/kill-switch", page="/kill-switch", close_all="y")
        assert told in person.get("/kill-switch").text
        return
    text = close_all(person)
    assert heading(text) == "0 of 1 position closed"
    assert told in text


def test_an_entry_in_doubt_is_told_beside_what_was_closed(person: Person, scripted: Desk, broker: Fills) -> None:
    broker.fault = lambda: OutcomeUnknown("timed out")
    orders.place(scripted, replace(RESTING, symbol="TCS"), BY_HAND)
    broker.fault = None
    broker.hold("RELIANCE", 10)
    text = close_all(person)
    assert "May still open a position: the broker does not show them yet" in text
    assert "Not everything was done." in text


@pytest.mark.parametrize("which", ["cancelled", "closed"])
def test_what_of_a_split_was_not_sent_any_more_stands_in_the_report(
    person: Person, scripted: Desk, broker: Fills, which: str
) -> None:
    split = LegsRequest(kind=LegsKind.SPLIT, orders=(RESTING,) * 3)
    modes = TradingMode.ANALYZE, OrderMode.AUTO
    ticket, _ = scripted.store.journal.plan(
        draft_of(scripted, split, replace(BY_HAND, source="api"), *modes), split.orders
    )
    if which == "closed":
        broker.hold("RELIANCE", 10)
        text = close_all(person)
    else:
        text = press(person, "/orders/cancel-all", account="analyze")
    assert text.count(f'<a href="/action-center/{ticket.id}">Ticket {ticket.id}</a>') == 3
    assert "Not sent any more: the rest of a basket or a split on its way" in text
    assert "Not everything was done." not in text
    assert "3 of its orders were not sent" in person.get(f"/action-center/{ticket.id}").text


def test_a_closing_order_that_only_waits_is_not_called_closed(desk: Desk, account: Account) -> None:
    broker = ScriptedBroker(desk)
    broker.hold("RELIANCE", 10)
    text = press(a_trader_at(with_broker(desk, broker)), "/positions/close", **ONE)
    assert heading(text) == "0 of 1 position closed"
    assert "0 of 10 filled so far" in text
    (placed,) = broker.book.values()
    broker.complete(placed.tag)
    later = a_trader_at(with_broker(desk, broker)).get("/orders/report/1").text
    assert heading(later) == "1 of 1 position closed", "the report tells how it stands now"


def test_one_position_is_closed_alone(person: Person, broker: Fills) -> None:
    broker.hold("RELIANCE", 10)
    broker.hold("RELIANCE", 7, Product.CNC)
    broker.hold("TCS", 5)
    text = press(person, "/positions/close", **ONE)
    assert heading(text) == "1 of 1 position closed"
    assert net(broker) == [0, 7, 5]


def test_a_second_click_finds_nothing_to_close_and_says_so(person: Person, broker: Fills) -> None:
    broker.hold("RELIANCE", 10)
    press(person, "/positions/close", **ONE)
    text = press(person, "/positions/close", **ONE)
    assert heading(text) == "No position was open"
    assert "nothing was sent" in text
    assert (net(broker), len(broker.calls)) == ([0], 1)


def test_eight_clicks_at_once_close_once(scripted: Desk, broker: Fills) -> None:
    broker.hold("RELIANCE", 10)
    first = a_trader_at(scripted)
    token, cookie = csrf_token(first.get("/positions").text), first.cookie()

    def click() -> int:
        tab = Person(first.client.application.test_client())
        tab.client.set_cookie("bridge_5000", cookie, domain="127.0.0.1")
        return tab.post_raw("/positions/close", csrf_token=token, **ONE).status_code

    assert set(in_threads(8, click)) == {302}
    sold = sum(order.filled_quantity + order.pending_quantity for order in broker.order_book())
    assert sold == 10


def test_loading_the_report_again_sends_nothing(person: Person, broker: Fills) -> None:
    broker.hold("RELIANCE", 10)
    press(person, "/positions/close", **ONE)
    broker.hold("RELIANCE", 5)
    for _ in range(3):
        assert person.get("/orders/report/1").status_code == 200
    assert len(broker.calls) == 1


def test_neither_semi_auto_nor_the_kill_switch_nor_live_holds_the_traders_own_click(
    desk: Desk, account: Account, broker: Fills
) -> None:
    live = Fills(desk)
    both = with_broker(with_broker(desk, broker), live, TradingMode.LIVE)
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    desk.store.kill_switch.engage("now", by=TRADER)
    live.hold("RELIANCE", 10)
    person = a_trader_at(both)
    shown = person.get("/positions/close").text
    assert '<strong class="badge text-bg-danger">LIVE account, real money</strong>' in shown
    text = close_all(person, "live")
    assert heading(text) == "1 of 1 position closed"
    assert (net(live), broker.calls) == ([0], [])


def test_it_is_closed_at_the_account_that_the_button_named(desk: Desk, account: Account, broker: Fills) -> None:
    live = Fills(desk)
    both = with_broker(with_broker(desk, broker), live, TradingMode.LIVE)
    broker.hold("RELIANCE", 10)
    live.hold("RELIANCE", 10)
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    press(a_trader_at(both), "/positions/close", **ONE)
    assert (net(broker), net(live)) == ([0], [10])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"account": "analyze"},
        ONE | {"account": "nobody"},
        {"which": "all", "position": LONG},
        {"account": "analyze", "which": "all"},
        {"account": "analyze", "position": LONG},
        ONE | {"which": "everything"},
        ONE | {"position": "NSE:MIS:10:"},
        ONE | {"position": "NSE:MIS:10:" + "X" * 101},
        ONE | {"position": "NSE:XYZ:10:RELIANCE"},
        ONE | {"position": ":MIS:10:RELIANCE"},
        ONE | {"position": "NSE:MIS:0:RELIANCE"},
        ONE | {"position": "NSE:MIS:ten:RELIANCE"},
        ONE | {"position": "RELIANCE"},
        ONE | {"position": [LONG, "NSE:MIS:5:TCS"]},
    ],
)
def test_a_form_that_names_no_position_closes_nothing(
    person: Person, desk: Desk, broker: Fills, fields: dict[str, str | list[str]]
) -> None:
    """Least of all everything, because a field is missing."""
    broker.hold("RELIANCE", 10)
    answer = person.post("/positions/close", page="/positions", **fields)
    assert answer.status_code == 400
    assert "Nothing was sent" in answer.text
    assert (broker.calls, desk.store.journal.mark().ticket_id) == ([], 0)


def test_a_position_that_never_was_is_a_sentence(person: Person, broker: Fills) -> None:
    broker.hold("RELIANCE", 10)
    text = press(person, "/positions/close", **(ONE | {"position": "NSE:MIS:10:NOSUCH"}))
    assert heading(text) == "No position was open"
    assert broker.calls == []


@pytest.mark.parametrize("quantity", [-50, 11])
@pytest.mark.parametrize("which", ["one", "all"])
def test_a_position_that_turned_or_grew_since_it_was_shown_is_not_closed(
    person: Person, desk: Desk, broker: Fills, which: str, quantity: int
) -> None:
    broker.hold("TCS", 5)
    broker.hold("RELIANCE", 10)
    token = csrf_token(person.get("/positions").text)
    broker.held = [replace(each, quantity=quantity) if each.symbol == "RELIANCE" else each for each in broker.held]
    answer = person.post_raw("/positions/close", csrf_token=token, **(ONE | {"which": which}))
    text = html.unescape(answer.text)
    assert answer.status_code == 409
    assert f"RELIANCE is {quantity} now, and was 10 when you looked. Nothing was sent." in text
    assert ("buy 50 RELIANCE" if quantity < 0 else "sell 11 RELIANCE") in text.replace("BUY", "buy").replace(
        "SELL", "sell"
    ), "it is shown again as it is now"
    assert (broker.calls, desk.store.journal.mark().ticket_id) == ([], 0)


def test_a_position_that_became_smaller_is_closed_as_it_is(person: Person, broker: Fills) -> None:
    broker.hold("RELIANCE", 4)
    assert heading(press(person, "/positions/close", **ONE)) == "1 of 1 position closed"
    assert [order.request.quantity for order in broker.order_book()] == [4]


def test_closing_all_leaves_what_opened_after_the_page_was_shown(person: Person, broker: Fills) -> None:
    broker.hold("RELIANCE", 10)
    broker.hold("TCS", 5)
    assert heading(press(person, "/positions/close", **(ONE | {"which": "all"}))) == "1 of 1 position closed"
    assert net(broker) == [0, 5]


def test_positions_that_cannot_be_read_are_not_closed_and_the_page_says_so(person: Person, broker: Fills) -> None:
    broker.hold("RELIANCE", 10)
    broker.unreadable = NotSent("The connection never opened.")
    assert "cannot be read: The connection never opened." in person.get("/positions/close").text
    text = press(person, "/positions/close", **(ONE | {"which": "all"}))
    assert "Nothing was closed, paper account: The connection never opened." in text
    assert broker.calls == []


def test_a_closing_that_a_program_asked_for_and_that_waits_has_no_report_yet(
    person: Person, scripted: Desk, broker: Fills
) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = closing.close(scripted, CloseRequest(), replace(BY_HAND, source="api"))
    assert isinstance(held, Held)
    assert person.get(f"/orders/report/{held.ticket.id}").location == f"/action-center/{held.ticket.id}"


@pytest.mark.parametrize("number", ["999", str(1 << 62), "9" * 400])
def test_a_report_of_no_ticket_is_not_found(person: Person, number: str) -> None:
    assert person.get(f"/orders/report/{number}").status_code == 404


def test_the_report_of_one_order_is_its_ticket(person: Person, scripted: Desk) -> None:
    send(scripted, RESTING)
    assert person.get("/orders/report/1").location == "/action-center/1"


def test_a_report_of_an_earlier_day_still_tells_what_became_of_each(
    trader: Person, desk: Desk, clock: FixedClock
) -> None:
    send(desk, an_order(quantity=10))
    press(trader, "/positions/close", **ONE)
    clock.move(days=1)
    trader.sign_in()
    assert heading(trader.get("/orders/report/2").text) == "1 of 1 position closed"


# -- cancel all --------------------------------------------------------------------------------------------------


def test_cancel_all_lists_first_what_works_in_which_account(person: Person, scripted: Desk, broker: Fills) -> None:
    send(scripted, RESTING)
    send(scripted, an_order("TCS", 2, price="990"))
    (ours, other) = broker.book.values()
    broker.book[ours.tag] = replace(ours, tag=type(ours.tag)(""))
    text = html.unescape(person.get("/orders/cancel-all").text)
    assert "2 orders work now" in text
    assert "BUY 2 TCS on NSE at limit 990.00" in text
    assert text.count("placed elsewhere, not through this bridge") == 1
    assert "Cancel the 2 open orders: paper account" in text
    assert other.status is OrderStatus.OPEN
    assert len(broker.calls) == 2


def test_cancel_all_reports_each_and_never_more_than_was_done(person: Person, scripted: Desk, broker: Fills) -> None:
    for quantity in (1, 2, 3, 4):
        send(scripted, replace(RESTING, quantity=quantity))
    broker.faults = {"S2": Rejected("Too late."), "S3": OutcomeUnknown("timed out")}
    text = press(person, "/orders/cancel-all", account="analyze")
    assert heading(text) == "2 of 4 orders cancelled"
    assert [word for word, _ in LEG.findall(text)] == ["Cancelled", "Refused", "In doubt", "Cancelled"]
    assert "Not everything was done" in text


def test_an_order_that_filled_before_the_cancel_is_not_called_cancelled(
    person: Person, scripted: Desk, broker: Fills
) -> None:
    send(scripted, RESTING)
    press(person, "/orders/cancel-all", account="analyze")
    (there,) = broker.book.values()
    broker.complete(there.tag)
    text = person.get("/orders/report/2").text
    assert heading(text) == "0 of 1 order cancelled"
    assert "Filled before the cancel" in text


def test_what_is_still_to_be_sent_can_be_stopped_although_nothing_works(person: Person, scripted: Desk) -> None:
    split = LegsRequest(kind=LegsKind.SPLIT, orders=(RESTING,) * 3)
    draft = draft_of(scripted, split, replace(BY_HAND, source="api"), TradingMode.ANALYZE, OrderMode.AUTO)
    scripted.store.journal.plan(draft, split.orders)
    text = person.get("/orders/cancel-all").text
    assert "3 orders of a basket, a split or a strategy are still to be sent" in text
    assert "<button" in text[text.index("<main") :]


def test_nothing_to_cancel_says_so_and_sends_nothing(person: Person, broker: Fills) -> None:
    text = person.get("/orders/cancel-all").text
    assert "nothing to cancel" in text
    assert "<button" not in text[text.index("<main") :]
    assert heading(press(person, "/orders/cancel-all", account="analyze")) == "No order was working"
    assert broker.calls == []


def test_a_book_that_cannot_be_read_is_said_before_and_after(person: Person, broker: Fills) -> None:
    broker.unreadable = NotSent("The connection never opened.")
    assert "cannot be read: The connection never opened." in person.get("/orders/cancel-all").text
    assert "No order was cancelled, paper account" in press(person, "/orders/cancel-all", account="analyze")


def test_the_report_says_when_the_broker_stopped_answering(person: Person, scripted: Desk, broker: Fills) -> None:
    send(scripted, RESTING)
    press(person, "/orders/cancel-all", account="analyze")
    broker.unreadable = NotSent("The connection never opened.")
    text = person.get("/orders/report/2").text
    assert "cannot be read: The connection never opened." in text
    assert heading(text) == "1 of 1 order cancelled", "the broker took it"


def test_what_the_pages_show_keeps_the_rules_of_every_page(person: Person, scripted: Desk, broker: Fills) -> None:
    for symbol in ("RELIANCE", "TCS"):
        broker.hold(symbol, 10)
    orders.place(scripted, STOP, BY_HAND)
    broker.faults = {"TCS": Rejected("<script>alert(1)</script>")}
    texts = [person.get(path).text for path in ("/orders", "/orders/cancel-all", "/positions", "/positions/close")]
    close_all(person)
    texts += [person.get(path).text for path in ("/orders/report/2", "/orders")]
    for page in map(Page, texts):
        assert not page.faults
        assert page.headings == 1
        assert len(page.ids) == len(set(page.ids))
        assert set(page.fields) <= page.labels
    assert "&lt;script&gt;" in texts[-1]


# -- the order doors ---------------------------------------------------------------------------------------------


def opening() -> Doors:
    return Doors()


def safe() -> Doors:
    doors = Doors()
    doors.keep_safe("The broker could not be read.")
    return doors


def shut() -> Doors:
    doors = Doors()
    doors.shut("bridge.db is damaged.")
    return doors


@pytest.mark.parametrize(
    ("doors", "told", "may_close", "may_cancel"),
    [
        (opening, "what became of the last orders", False, True),
        (safe, "The broker could not be read.", True, True),
        (shut, "Nothing can be sent. bridge.db is damaged.", False, False),
    ],
)
def test_buttons_say_why_they_cannot_be_pressed(
    scripted: Desk, broker: Fills, doors: Callable[[], Doors], told: str, may_close: bool, may_cancel: bool
) -> None:
    broker.hold("RELIANCE", 10)
    send(scripted, RESTING)
    person = a_trader_at(replace(scripted, doors=doors()))
    for path, may in (
        ("/positions", may_close),
        ("/positions/close", may_close),
        ("/orders", may_cancel),
        ("/orders/cancel-all", may_cancel),
    ):
        text = person.get(path).text
        main = text[text.index("<main") :]
        assert told in main
        assert ("disabled" not in main) is may, path


def test_a_bridge_that_is_starting_says_so_and_closes_nothing(scripted: Desk, broker: Fills) -> None:
    broker.hold("RELIANCE", 10)
    person = a_trader_at(replace(scripted, doors=Doors()))
    assert "Nothing was closed, paper account: The bridge is starting" in press(person, "/positions/close", **ONE)
    assert broker.calls == []


def test_what_was_planned_and_never_tried_is_told(person: Person, scripted: Desk, broker: Fills) -> None:
    draft = orders.draft_of(scripted, CloseRequest(), BY_HAND, TradingMode.ANALYZE, OrderMode.AUTO)
    ticket, _ = scripted.store.journal.plan(draft, [STOP, replace(STOP, symbol="TCS")])
    scripted.store.journal.interrupt()
    text = person.get(f"/orders/report/{ticket.id}").text
    assert heading(text) == "0 of 2 positions closed"
    assert "The bridge stopped before it was sent." in text
    states = [order.state for order in scripted.store.journal.orders_of([ticket.id])]
    assert states == [OrderState.DROPPED] * 2
