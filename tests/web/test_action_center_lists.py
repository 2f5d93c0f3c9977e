"""The lists of the Action Center: tabs with their counts, every filter, both orders, pages by key, the empty states."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent
from openalgo_bridge.model.guards import Guard
from openalgo_bridge.model.order import (
    Action,
    CancelAllRequest,
    CloseRequest,
    Exchange,
    OrderMode,
    OrderRequest,
    TicketRequest,
    TradingMode,
)
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.ticket import Origin, Ticket, TicketDraft, operation_of
from openalgo_bridge.trading import approvals, closing
from tests.bridge_rows import rows_of_every_table
from tests.conftest import TRADER, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_trader_at, an_order, hold, send

LIST = "/action-center"
_ROW = re.compile(r'data-ticket="(\d+)"')
_LINE = re.compile(r"/action-center/(\d+)\">Details<")
_TAB = re.compile(r'(Waiting|Decided|All) <span class="badge[^>]*>([\d,]+)</span>')


def draft_of(
    desk: Desk,
    request: TicketRequest,
    *,
    mode: TradingMode = TradingMode.ANALYZE,
    source: str = "api",
    strategy: str = "breakout",
) -> TicketDraft:
    return TicketDraft(
        ref=new_ref(desk.clock.now()),
        operation=operation_of(request),
        request=request,
        order_mode=OrderMode.SEMI_AUTO,
        trading_mode=mode,
        origin=Origin(source=source, strategy=strategy, request_id="r1"),
        price_then=Decimal(1000),
    )


def many(desk: Desk, number: int) -> list[Ticket]:
    """As many waiting tickets, written straight into the journal."""
    return [desk.store.journal.hold(draft_of(desk, an_order()), expires_at=None, reason="") for _ in range(number)]


def rows(text: str) -> list[int]:
    """The waiting tickets of a page, in their order."""
    return [int(number) for number in _ROW.findall(text)]


def lines(text: str) -> list[int]:
    """The tickets of a page of the other tabs, in their order."""
    return [int(number) for number in _LINE.findall(text)]


def tabs(text: str) -> dict[str, str]:
    return dict(_TAB.findall(text))


def link(text: str, label: str) -> str:
    """Where the link with this text leads."""
    found = re.search(rf'href="([^"]+)">{label}<', text)
    assert found is not None, f"there is no link {label}"
    return html.unescape(found[1])


@pytest.fixture
def mixed(desk: Desk, clock: FixedClock) -> dict[str, Ticket]:
    """One ticket in each state, all of one symbol but the waiting one."""
    expired, rejected = hold(desk), hold(desk)
    approvals.reject(desk, rejected.id, rejected.shown, "too large", by=TRADER)
    clock.move(minutes=6)
    denied = desk.store.journal.deny(
        draft_of(desk, an_order()), guard=Guard.ORDER_VALUE, reason="It is worth too much."
    )
    send(desk)
    waiting = hold(desk, an_order("INFY", 5))
    released = desk.store.journal.ticket(waiting.id - 1)
    return {"expired": expired, "rejected": rejected, "denied": denied, "released": released, "held": waiting}


def test_each_ticket_stands_in_its_tab_and_the_counts_add_up(
    trader: Person, desk: Desk, mixed: dict[str, Ticket]
) -> None:
    newest_first = sorted((ticket.id for ticket in mixed.values()), reverse=True)
    first = trader.get(LIST).text
    assert tabs(first) == {"Waiting": "1", "Decided": "4", "All": "5"}
    assert rows(first) == [mixed["held"].id]
    assert lines(trader.get(f"{LIST}?tab=decided").text) == newest_first[1:]
    assert lines(trader.get(f"{LIST}?tab=all").text) == newest_first


def test_who_decided_is_nobody_where_nothing_waited(trader: Person, desk: Desk) -> None:
    held = hold(desk)
    approvals.approve(desk, held.id, held.shown, by=TRADER)
    closing.cancel_all(desk, CancelAllRequest(), Origin(source="api", strategy="breakout", request_id="r2"))
    text = trader.get(f"{LIST}?tab=decided").text
    told = re.findall(r'data-label="Decided by">([^<]*)<', text)
    assert told == ["nobody: sent at once", "you"], "the cancel of Semi-Auto, then the order"


def test_what_did_not_trade_says_why(trader: Person, mixed: dict[str, Ticket]) -> None:
    text = trader.get(f"{LIST}?tab=decided").text
    for why in ("too large", "It is worth too much.", "Nobody decided in time."):
        assert why in text
    for word in ("Turned down", "Denied by a guard", "Expired", "Filled"):
        assert f">{word}</span>" in text


@pytest.mark.parametrize("status", ["held", "released", "rejected", "expired", "denied"])
def test_the_status_filter_finds_its_ticket_alone(trader: Person, mixed: dict[str, Ticket], status: str) -> None:
    text = trader.get(f"{LIST}?tab=all&status={status}").text
    assert lines(text) == [mixed[status].id]
    assert tabs(text)["All"] == "5", "the tabs say what is in them"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("symbol=infy", [2]),
        ("strategy=scalp", [3]),
        ("exchange=BSE", [4]),
        ("action=SELL", [5]),
        ("source=webhook:tv", [6]),
        ("symbol=RELIANCE&action=BUY&exchange=NSE&source=api&strategy=breakout", [1]),
        ("symbol=INFY&action=SELL", []),
        ("strategy=%27+OR+1%3D1--", []),
        ("strategy=%00", []),
        ("strategy=%ED%A0%80", []),
    ],
)
@pytest.mark.parametrize("tab", ["waiting", "all"])
def test_every_filter_narrows_and_the_address_is_all_it_takes(
    trader: Person, desk: Desk, query: str, found: list[int], tab: str
) -> None:
    journal, one = desk.store.journal, an_order()
    for draft in (
        draft_of(desk, one),
        draft_of(desk, an_order("INFY")),
        draft_of(desk, one, strategy="scalp"),
        draft_of(desk, replace(one, exchange=Exchange.BSE)),
        draft_of(desk, replace(one, action=Action.SELL)),
        draft_of(desk, one, source="webhook:tv"),
    ):
        journal.hold(draft, expires_at=None, reason="")
    text = trader.get(f"{LIST}?tab={tab}&sort=oldest&{query}").text
    assert (rows(text) if tab == "waiting" else lines(text)) == found
    assert tabs(text)["Waiting"] == str(len(found))
    assert rows(trader.get(link(text, "Clear the filter")).text if tab == "waiting" else "") == (
        [1, 2, 3, 4, 5, 6] if tab == "waiting" else []
    )


def test_a_filter_that_means_nothing_is_left_out_and_said(trader: Person, desk: Desk) -> None:
    hold(desk)
    text = trader.get(f"{LIST}?exchange=MOON&action=HODL").text
    assert rows(text) == [1]
    assert "exchange and action means nothing" in text


@pytest.mark.parametrize(("tab", "found"), [("waiting", rows), ("all", lines)])
@pytest.mark.parametrize("sort", ["oldest", "newest"])
def test_pages_meet_every_ticket_once_in_both_orders(
    trader: Person, desk: Desk, tab: str, found: object, sort: str
) -> None:
    assert callable(found)
    made = [ticket.id for ticket in many(desk, 101)]
    seen: list[int] = []
    text = trader.get(f"{LIST}?tab={tab}&sort={sort}&symbol=RELIANCE").text
    for size in (50, 50, 1):
        page = found(text)
        assert len(page) == size
        seen += page
        onward = "Older" if sort == "newest" else "Newer"
        if size == 50:
            text = trader.get(link(text, onward)).text
    assert seen == (made if sort == "oldest" else made[::-1])
    assert f">{onward}<" not in text


def test_what_arrives_meanwhile_moves_no_page(trader: Person, desk: Desk) -> None:
    many(desk, 60)
    second = rows(trader.get(f"{LIST}?after=50").text)
    hold(desk)
    assert rows(trader.get(f"{LIST}?after=50").text) == [*second, 61]


def test_a_row_tells_what_the_decision_needs(desk: Desk, clock: FixedClock, account: object) -> None:
    scripted = with_broker(desk, ScriptedBroker(desk, ltp=Decimal(1000)))
    ticket = hold(scripted, an_order("RELIANCE", 10))
    clock.move(minutes=2)
    moved = with_broker(desk, ScriptedBroker(desk, ltp=Decimal(1010)))
    text = a_trader_at(moved).get(LIST).text
    for told in (
        "BUY 10 RELIANCE on NSE at market, intraday (MIS)",
        "paper account",
        "<dd>1,000.00</dd>",
        "1,010.00 (+1.00 %)",
        "₹10,100.00",
        "2 min 00 s</span> ago",
        "a program, through the API, breakout",
        "3 min 00 s</strong>",
        f'href="/action-center/{ticket.id}"',
    ):
        assert told in text


def test_a_row_says_why_it_waits_and_that_an_order_of_its_symbol_is_in_doubt(desk: Desk, account: object) -> None:
    scripted = with_broker(desk, ScriptedBroker(desk, fault=lambda: TimeoutError("no answer")))
    send(scripted)
    (doubtful,) = scripted.store.journal.unresolved()
    send(scripted)
    text = a_trader_at(scripted).get(LIST).text
    assert rows(text) == [2]
    assert f"<strong>Why it waits:</strong> Held because order {doubtful.ref} in RELIANCE is in doubt." in text
    assert "the broker may have it already" in text


class Priceless(ScriptedBroker):
    """It has no prices, and counts how often it is asked for one."""

    def quote(self, instrument: object) -> object:
        self.reads.append("quote")
        raise NotSent("No prices.")


def test_a_broker_without_prices_is_asked_once_for_a_page_and_the_rows_say_so(desk: Desk, account: object) -> None:
    broker = Priceless(desk)
    for symbol in ("RELIANCE", "INFY", "TCS"):
        desk.store.journal.hold(draft_of(desk, an_order(symbol)), expires_at=None, reason="")
    text = a_trader_at(with_broker(desk, broker)).get(LIST).text
    assert broker.reads.count("quote") == 1
    assert re.findall(r'data-live="price">([^<]*)<', text) == ["not known"] * 3


def test_each_symbol_is_asked_for_once_however_many_rows_it_has(desk: Desk, account: object) -> None:
    broker = ScriptedBroker(desk)
    for symbol in ("RELIANCE", "INFY") * 10:
        desk.store.journal.hold(draft_of(desk, an_order(symbol)), expires_at=None, reason="")
    a_trader_at(with_broker(desk, broker)).get(LIST)
    assert broker.reads.count("quote") == 2


def test_real_money_is_marked_in_its_row(trader: Person, desk: Desk) -> None:
    desk.store.journal.hold(draft_of(desk, an_order(), mode=TradingMode.LIVE), expires_at=None, reason="")
    text = trader.get(LIST).text
    assert '<strong class="text-danger-emphasis">LIVE account, real money</strong>' in text
    assert "Approve: buy 10 RELIANCE, real money" in text


def test_a_held_closing_has_its_row_too_which_leads_to_what_it_would_close(trader: Person, desk: Desk) -> None:
    ticket = desk.store.journal.hold(draft_of(desk, CloseRequest()), expires_at=None, reason="")
    text = trader.get(LIST).text
    assert "Close every open position" in text
    assert link(text, "See what it would send, then decide") == f"{LIST}/{ticket.id}"
    assert f'action="{LIST}/{ticket.id}/approve"' not in text, "it is not approved unseen"
    assert f'action="{LIST}/{ticket.id}/reject"' in text


def test_an_empty_list_says_why(trader: Person, desk: Desk) -> None:
    assert "orders are sent at once" in trader.get(LIST).text
    assert "Nothing was decided yet" in trader.get(f"{LIST}?tab=decided").text
    assert "No order yet" in trader.get(f"{LIST}?tab=all").text
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    assert "waits at most 5 min 00 s" in trader.get(LIST).text
    hold(desk)
    narrowed = trader.get(f"{LIST}?symbol=TCS").text
    assert "No waiting order matches the filter" in narrowed
    assert "Nothing matches the filter" in trader.get(f"{LIST}?tab=all&symbol=TCS").text
    desk.doors.keep_safe("The broker cannot be read: orders are held.")
    assert "The broker cannot be read" in trader.get(f"{LIST}?after=9").text


def test_looking_writes_nothing_even_when_something_is_overdue(trader: Person, desk: Desk, clock: FixedClock) -> None:
    hold(desk)
    clock.move(minutes=6)
    trader.get(LIST)
    before = rows_of_every_table(desk)
    for path in (
        LIST,
        f"{LIST}?tab=decided",
        f"{LIST}/waiting",
        f"{LIST}/pending",
        f"{LIST}/standing",
        f"{LIST}/approve-all?which=matching",
    ):
        trader.get(path)
    assert rows_of_every_table(desk) == before
    assert ">Expired</span>" in trader.get(f"{LIST}?tab=decided").text


def test_the_rows_by_themselves_are_those_of_the_page(trader: Person, desk: Desk) -> None:
    many(desk, 3)
    alone = trader.get(f"{LIST}/waiting?after=1").text
    assert rows(alone) == [2, 3]
    assert "<html" not in alone
    assert 'data-waiting="3"' in alone


def test_the_rows_by_themselves_are_no_sign_of_a_person(trader: Person, desk: Desk, clock: FixedClock) -> None:
    trader.get(LIST)
    (before,) = [each.seen_at for each in desk.store.sessions.all()]
    clock.move(minutes=10)
    trader.get(f"{LIST}/waiting")
    assert [each.seen_at for each in desk.store.sessions.all()] == [before]


def test_the_badge_counts_all_that_waits_however_many(trader: Person, desk: Desk) -> None:
    made = many(desk, 250)
    told = {"count": 250, "latest": made[-1].id, "exits": 0, "stopped": False, "doors": "open"}
    told |= {"orders": "auto", "trading": "analyze", "drill": None}
    assert trader.get(f"{LIST}/pending").get_json() == told
    assert 'data-count="250"' in trader.get("/orders").text


def an_invalid_order() -> OrderRequest:
    return an_order("NOSUCHSYMBOL")


def test_a_symbol_that_is_gone_hides_no_other_price(trader: Person, desk: Desk) -> None:
    for order in (an_invalid_order(), an_order()):
        desk.store.journal.hold(draft_of(desk, order), expires_at=None, reason="")
    prices = re.findall(r'data-live="price">([^<]*)<', trader.get(LIST).text)
    assert prices[0] == "not known"
    assert prices[1][0].isdigit()
