"""One click stops every order, the report is true, and only the password lets them go again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from flask import Flask

from openalgo_bridge import web
from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Denied, OutcomeUnknown
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.guards import Guard, GuardSettings
from openalgo_bridge.model.order import Action, OrderRequest, PriceType
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import approvals, orders, parked
from openalgo_bridge.trading.recovery import recover
from openalgo_bridge.trading.sending import Sent
from tests.conftest import CHEAP, TRADER, Account, FixedClock, app_of, client_of
from tests.fakes import with_broker
from tests.trading.test_closing import PartlyStubborn
from tests.web.conftest import Person, a_browser, an_order, csrf_token, hold

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BUY = an_order()
SELL = replace(BUY, action=Action.SELL)
RESTING = replace(BUY, price_type=PriceType.LIMIT, price=Decimal(900))
CALL = {"strategy": "s", "symbol": "RELIANCE", "exchange": "NSE", "action": "BUY", "quantity": "1"}


@pytest.fixture
def broker(desk: Desk) -> PartlyStubborn:
    return PartlyStubborn(desk)


@pytest.fixture
def scripted(desk: Desk, broker: PartlyStubborn) -> Desk:
    return with_broker(desk, broker)


@pytest.fixture
def app(scripted: Desk) -> Flask:
    """The pages with a broker that follows the test."""
    return app_of(scripted)


def stop(person: Person, page: str = "/kill-switch", **fields: str) -> str:
    """Press the button of a page; the text it leads to."""
    answer = person.post("/kill-switch", page=page, **fields)
    assert answer.status_code == 302
    return person.get(answer.location).text


def rest(desk: Desk, *requests: OrderRequest) -> list[str]:
    """The ids of orders that now work at the broker."""
    sent = [orders.place(desk, request, ORIGIN) for request in requests]
    return [result.broker_order_id for result in sent if isinstance(result, Sent)]


def rows(page: str) -> list[list[str]]:
    """The cells of the report, as a person reads them."""
    found = re.findall(r"<tr>\s*(<td.*?)</tr>", page, re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in found]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in cells]


MENU = sorted(
    {entry.endpoint for _, entry in web.PAGES if entry is not None} | {"audit.audit", "two_factor.two_factor"}
)


def test_one_click_on_any_page_stops_all_orders(app: Flask, trader: Person, scripted: Desk) -> None:
    with app.test_request_context():
        paths = [app.url_for(endpoint) for endpoint in MENU]
    for path in paths:
        page = trader.get(path).text
        (form,) = re.findall(
            r'<form class="stop[^"]*" method="post" action="/kill-switch">(.*?)</form>', page, re.DOTALL
        )
        assert form.index("csrf_token") < form.index("Stop all orders")
        assert " checked" not in form, "nothing is cancelled or closed unless it is ticked"
        assert trader.post_raw("/kill-switch", csrf_token=csrf_token(form)).status_code == 302
        assert scripted.store.kill_switch.state().is_on, path
        again = trader.get(path).text
        assert "Orders are stopped</strong> since" in again, path
        assert "no reason noted" in again
        assert 'class="stop' not in again
        scripted.store.kill_switch.release(by=TRADER)


def test_the_button_beside_a_folded_box_does_not_do_what_is_ticked_in_it(trader: Person) -> None:
    """Nobody sees the ticks there, and a browser may bring back those of an earlier visit."""
    forms = re.findall(r'<form[^>]*action="/kill-switch">.*?</form>', trader.get("/orders").text, re.DOTALL)
    sent = {re.findall(r"<button[^>]*>([^<]*)<", form)[0]: re.findall(r' name="(\w+)"', form) for form in forms}
    assert sent == {
        "Stop all orders": ["csrf_token"],
        "Stop all orders, and do what is ticked here": ["csrf_token", "reason", "cancel_all", "close_all"],
    }
    boxes = re.findall(r'<input[^>]*type="checkbox"[^>]*>', "".join(forms))
    assert [' autocomplete="off"' in box for box in boxes] == [True, True]


def test_the_banner_says_since_when_by_whom_and_why_and_what_still_goes(trader: Person, clock: FixedClock) -> None:
    stop(trader, "/orders", reason="the feed <b>lies</b>")
    clock.move(minutes=5)
    stop(trader, "/kill-switch", reason="again")
    text = trader.get("/orders").text
    (banner,) = re.findall(r'<p class="banner text-bg-danger".*?</p>', text, re.DOTALL)
    for told in ("21 Nov 2026 10:30:00", "by trader", "the feed &lt;b&gt;lies&lt;/b&gt;", "exits and cancels still go"):
        assert told in banner
    assert "again" not in banner, "the first stop is the one that holds"
    assert 'href="/kill-switch"' in banner


# -- every path, from the commit on ------------------------------------------------------------------------------


def call(app: Flask, path: str, account: Account, **fields: str) -> dict[str, object]:
    body = json.dumps({"apikey": account.key, **fields})
    answer: dict[str, object] = client_of(app).post(f"/api/v1/{path}", data=body).get_json()
    return answer


def test_a_program_is_refused_by_name(app: Flask, trader: Person, account: Account, broker: PartlyStubborn) -> None:
    stop(trader)
    answer = call(app, "placeorder", account, **CALL)
    assert (answer["status"], answer["guard"]) == ("error", Guard.KILL_SWITCH)
    assert "kill switch" in str(answer["message"])
    assert broker.calls == []


def test_an_approval_is_refused_and_the_ticket_waits_on(trader: Person, scripted: Desk, broker: PartlyStubborn) -> None:
    held = hold(scripted)
    stop(trader)
    trader.post(f"/action-center/{held.id}/approve", page="/", shown=held.shown)
    assert approvals.ticket(scripted, held.id).state is TicketState.HELD
    verdicts = list(approvals.approve_many(scripted, [(held.id, held.shown)], by=TRADER, stop_at_refusal=False))
    assert [isinstance(each.refusal, Denied) for each in verdicts] == [True]
    assert broker.calls == []


def test_a_change_that_adds_and_an_order_sent_again_are_refused(
    trader: Person, scripted: Desk, broker: PartlyStubborn
) -> None:
    (resting,) = rest(scripted, RESTING)
    broker.reread_after = None
    broker.fault = lambda: OutcomeUnknown("timed out")
    orders.place(scripted, replace(BUY, symbol="TCS"), ORIGIN)
    broker.fault = None
    recover(scripted)
    (doubtful,) = scripted.store.journal.parked()
    before = list(broker.calls)
    stop(trader)
    with pytest.raises(Denied):
        orders.modify(scripted, resting, replace(RESTING, quantity=20), ORIGIN)
    with pytest.raises(Denied):
        parked.send_again(scripted, doubtful.id, by=TRADER)
    assert broker.calls == before


def test_the_page_says_what_of_the_exits_is_refused_all_the_same(
    app: Flask, trader: Person, account: Account, desk: Desk, broker: PartlyStubborn
) -> None:
    desk.store.guards.save(GuardSettings(duplicate_window=60), by=TRADER)
    broker.hold("RELIANCE", 10)
    stop(trader)
    words = " ".join(trader.get("/kill-switch").text.split())
    assert re.search(r"takes a position down\. A <a [^>]*>guard</a> that holds for exits too still refuses it", words)
    sell = CALL | {"action": "SELL"}
    assert [call(app, "placeorder", account, **sell)["status"] for _ in range(2)] == ["success", "error"]


def test_exits_and_cancels_go_on(
    app: Flask, trader: Person, account: Account, scripted: Desk, broker: PartlyStubborn
) -> None:
    (resting,) = rest(scripted, replace(RESTING, symbol="TCS"))
    broker.hold("RELIANCE", 10)
    stop(trader)
    assert call(app, "placeorder", account, **(CALL | {"action": "SELL"}))["status"] == "success"
    assert call(app, "cancelorder", account, strategy="s", orderid=resting)["status"] == "success"


# -- what else it does, and the report ---------------------------------------------------------------------------


def test_the_report_is_true_for_each_when_the_broker_refused_one(
    trader: Person, scripted: Desk, broker: PartlyStubborn
) -> None:
    ids = rest(scripted, RESTING, replace(RESTING, symbol="INFY"))
    broker.hold("TCS", 5)
    broker.stubborn = ids[1]
    page = stop(trader, "/orders", reason="enough", cancel_all="yes", close_all="yes")
    assert "1 of 3 done" in page
    told = {what.rsplit(": ", 1)[-1].split(" on ")[0]: (became, why) for what, became, why, _ in rows(page)}
    assert told == {
        "BUY 10 INFY": ("Refused", "Cannot cancel order in complete status"),
        "BUY 10 RELIANCE": ("Cancelled", ""),
        "SELL 5 TCS": ("Working at the broker", "Order S4: open, 0 of 5 filled so far."),
    }
    assert rows(page)[0][1] != "Cancelled", "what was not done stands first"
    assert "squared off" not in page


def test_what_is_in_doubt_is_not_called_done(trader: Person, scripted: Desk, broker: PartlyStubborn) -> None:
    rest(scripted, RESTING)
    broker.fault = lambda: OutcomeUnknown("timed out")
    page = stop(trader, cancel_all="yes")
    assert "0 of 1 done" in page
    ((_, became, why, _),) = rows(page)
    assert became == "In doubt"
    assert "Do not send it again" in why


def test_it_closes_what_is_open_in_the_paper_account_and_says_at_what_price(desk: Desk, account: Account) -> None:
    orders.place(desk, BUY, ORIGIN)
    rest(desk, replace(RESTING, price=Decimal(1200)))
    person = a_browser(app_of(desk))
    person.sign_in()
    page = stop(person, "/positions", cancel_all="yes", close_all="yes")
    became = sorted((row[1], row[2].split(": ")[-1]) for row in rows(page))
    assert [word for word, _ in became] == ["Cancelled", "Closed"]
    assert re.fullmatch(r"filled 10 at [\d,.]+\.", became[1][1])
    assert "<strong>0</strong> open orders" in page
    assert "<strong>0</strong> open positions" in page


def test_stopping_alone_touches_nothing_that_is_there(trader: Person, scripted: Desk, broker: PartlyStubborn) -> None:
    rest(scripted, RESTING)
    page = stop(trader)
    assert "Nothing: it stopped new orders" in page
    assert "<strong>1</strong> open order" in page
    assert len(broker.calls) == 1


def test_more_can_be_cancelled_while_it_is_on(trader: Person, scripted: Desk, clock: FixedClock) -> None:
    rest(scripted, RESTING)
    stop(trader, reason="first")
    clock.move(seconds=30)
    page = stop(trader, reason="second", cancel_all="yes")
    assert "1 of 1 done" in page
    assert scripted.store.kill_switch.state().reason == "first"


def test_a_broker_that_does_not_answer_is_told_and_it_is_on_all_the_same(
    trader: Person, scripted: Desk, broker: PartlyStubborn
) -> None:
    broker.unreadable = OutcomeUnknown("no connection")
    page = stop(trader, cancel_all="yes")
    assert "not all of the rest could be tried: analyze: no connection" in page
    assert "cannot be read now" in page
    assert scripted.store.kill_switch.state().is_on


# -- whatever else is broken -------------------------------------------------------------------------------------


def break_tickets(desk: Desk) -> None:
    desk.store.files[0].write("ALTER TABLE ticket RENAME TO lost")


def break_traffic(desk: Desk) -> None:
    desk.store.files[1].write("DROP TABLE call")


def lose_modes(desk: Desk) -> None:
    desk.store.files[0].write("DELETE FROM preference")


def fill_audit(desk: Desk) -> None:
    desk.store.files[0].write(
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )


@pytest.mark.parametrize("break_it", [break_tickets, break_traffic, lose_modes, fill_audit])
def test_it_goes_on_although_something_else_cannot_be_read_or_written(
    trader: Person, scripted: Desk, break_it: Callable[[Desk], None]
) -> None:
    token = csrf_token(trader.get("/orders").text)
    break_it(scripted)
    answer = trader.post_raw("/kill-switch", csrf_token=token, reason="broken")
    assert answer.status_code == 302
    assert scripted.store.kill_switch.state().is_on
    page = trader.get("/kill-switch")
    assert page.status_code == 200
    assert "Orders are stopped" in page.text
    assert ("audit list could not be written" in page.text) == (break_it is fill_audit)


def test_a_flood_of_pages_does_not_keep_it_from_going_on(trader: Person, scripted: Desk) -> None:
    token = csrf_token(trader.get("/orders").text)
    # The cheapest page, and the click right after the first refusal: each page counts for itself.
    flood = (trader.client.get("/action-center/pending").status_code for _ in range(1000))
    assert 429 in flood
    assert trader.post_raw("/kill-switch", csrf_token=token).status_code == 302
    assert scripted.store.kill_switch.state().is_on


@pytest.fixture
def unwritable(desk: Desk) -> Iterator[Callable[[], None]]:
    """Makes ``bridge.db`` a file that can be read and not written, as on a full disk; mended at the end."""
    yield lambda: desk.store.files[0].tables.conn.execute("PRAGMA query_only=ON") and None
    desk.store.files[0].tables.conn.execute("PRAGMA query_only=OFF")


def test_a_database_that_cannot_be_written_is_said_in_red_with_what_to_do(
    trader: Person, scripted: Desk, clock: FixedClock, unwritable: Callable[[], None]
) -> None:
    token = csrf_token(trader.get("/orders").text)
    clock.move(minutes=5)
    unwritable()
    answer = trader.post_raw("/kill-switch", csrf_token=token, cancel_all="yes")
    assert answer.status_code == 503
    assert "The kill switch is NOT on" in answer.text
    assert "alert-danger" in answer.text
    assert "<kbd>C</kbd>" in answer.text
    assert not scripted.store.kill_switch.state().is_on


def test_a_switch_that_cannot_be_read_is_said_on_every_page(trader: Person, scripted: Desk) -> None:
    scripted.store.files[0].write("DELETE FROM kill_switch")
    for path in ("/orders", "/kill-switch"):
        page = trader.get(path)
        assert page.status_code == 200
        assert "cannot be read, so no new order is sent" in page.text


# -- release -----------------------------------------------------------------------------------------------------


def shown_since(page: str) -> str:
    found = re.search(r'name="since" value="(\d+)"', page)
    assert found is not None
    return found[1]


def test_release_needs_the_password_and_says_what_goes_again(
    trader: Person, scripted: Desk, account: Account, clock: FixedClock
) -> None:
    page = stop(trader, reason="lunch")
    assert "go at once again</strong>: to the paper account" in page
    since = shown_since(page)
    for password in ("", "wrong password 1"):
        refused = trader.post("/kill-switch/release", page="/kill-switch", since=since, password=password)
        assert refused.status_code == 403
        assert scripted.store.kill_switch.state().is_on
        clock.move(minutes=1)
    done = trader.post("/kill-switch/release", page="/kill-switch", since=since, password=account.password)
    assert done.status_code == 302
    assert not scripted.store.kill_switch.state().is_on
    assert "Stop all orders" in trader.get("/").text
    assert isinstance(orders.place(scripted, BUY, ORIGIN), Sent)
    events = [line.event for line in scripted.store.audit.page(limit=2)]
    assert events == [AuditEvent.KILL_SWITCH_OFF, AuditEvent.KILL_SWITCH_ON]


def test_in_semi_auto_the_release_says_that_orders_wait_again(trader: Person, scripted: Desk) -> None:
    hold(scripted)
    page = stop(trader)
    assert "held for you again" in page
    assert "1 order waits in the Action Center" in page


@pytest.mark.parametrize("nonsense", ["", "yesterday", "9" * 40, "1"])
def test_a_stop_that_was_pulled_since_is_not_released_by_an_older_page(
    trader: Person, scripted: Desk, account: Account, clock: FixedClock, nonsense: str
) -> None:
    since = nonsense or shown_since(stop(trader, reason="first"))
    scripted.store.kill_switch.release(by=TRADER)
    clock.move(minutes=1)
    scripted.store.kill_switch.engage("second", by=TRADER)
    late = trader.post("/kill-switch/release", page="/kill-switch", since=since, password=account.password)
    assert late.status_code == 409
    assert "engaged again since you looked" in late.text
    assert scripted.store.kill_switch.state().is_on


def test_it_survives_a_restart_and_so_does_the_report(
    trader: Person, scripted: Desk, clock: FixedClock, broker: PartlyStubborn
) -> None:
    rest(scripted, RESTING)
    stop(trader, reason="power cut", cancel_all="yes")
    scripted.close()
    again = with_broker(open_desk(scripted.settings, clock, CHEAP), broker)
    try:
        again.doors.open()
        person = a_browser(app_of(again))
        person.sign_in()
        page = person.get("/kill-switch").text
        assert "power cut" in page
        assert "1 of 1 done" in page
        with pytest.raises(Denied):
            orders.place(again, BUY, ORIGIN)
    finally:
        again.close()


def test_who_is_not_signed_in_stops_nothing(app: Flask, account: Account, scripted: Desk) -> None:
    stranger = a_browser(app)
    assert stranger.post_raw("/kill-switch").status_code == 401
    assert stranger.get("/kill-switch").status_code == 302
    assert not scripted.store.kill_switch.state().is_on


def test_looking_at_the_page_changes_nothing(trader: Person, scripted: Desk) -> None:
    trader.get("/kill-switch")
    assert not scripted.store.kill_switch.state().is_on
    assert scripted.store.audit.page(event=AuditEvent.KILL_SWITCH_ON) == []


# -- the doors ---------------------------------------------------------------------------------------------------


def test_every_page_says_whether_the_order_doors_are_open(trader: Person, scripted: Desk) -> None:
    def banner(path: str) -> str:
        return " ".join(re.findall(r'<p class="banner[^"]*" role="status">(.*?)</p>', trader.get(path).text, re.DOTALL))

    assert "order" not in banner("/traffic")
    scripted.doors.keep_safe("Held because the broker cannot be read since the start: no connection")
    assert "Orders wait for you" in banner("/traffic")
    assert "no connection" in banner("/positions")
    scripted.doors.shut("No order can be taken: bridge.db is damaged. Put a backup in its place.")
    assert "Every order is refused" in banner("/traffic")
    assert "Put a backup in its place" in banner("/traffic")


def test_while_the_doors_open_every_page_says_that_no_order_is_taken_yet(
    scripted: Desk, account: Account, clock: FixedClock
) -> None:
    scripted.close()
    starting = open_desk(scripted.settings, clock, CHEAP)
    try:
        person = a_browser(app_of(starting))
        person.sign_in()
        assert "still reading what became of the last orders" in person.get("/orders").text
        assert stop(person, "/orders", reason="in time"), "the switch does not wait for the doors"
        assert starting.store.kill_switch.state().is_on
    finally:
        starting.close()


def test_a_key_in_the_reason_is_not_kept(trader: Person, scripted: Desk, account: Account) -> None:
    stop(trader, reason=f"leaked {account.key}")
    assert account.key not in scripted.store.kill_switch.state().reason
    assert account.key not in trader.get("/kill-switch").text
