"""While the traffic log cannot be written: the pages change nothing, but for what makes the trader safer."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.routing import Rule

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading import approvals
from tests.conftest import PASSWORD, TRADER, Account
from tests.web.conftest import Person, csrf_token, hold

REFUSED = "The traffic log cannot be written, so nothing was done."

# They keep orders from a broker, take them back, close positions, leave real money, end a key, or let the trader in
# and others out.
GOES_ON = {
    "ticket.reject",
    "action_center.bulk.reject_all",
    "orders.cancel",
    "orders.cancel_all",
    "gtt.withdraw",
    "positions.close",
    "kill_switch.engage",
    "leaving_live.leave_live",
    "apikey.revoke",
    "login.login",
    "login.totp",
    "login.logout",
    "security.end_session",
    "security.end_other_sessions",
}
ARGUMENTS = {"ticket_id": 1, "order_id": 1, "indicator_id": 1, "number": 1, "which": "login"}


@pytest.fixture
def ticket(desk: Desk, account: Account) -> Ticket:
    """One that waits, while the mode is Semi-Auto."""
    return hold(desk)


@pytest.fixture
def token(trader: Person, ticket: Ticket, desk: Desk) -> str:
    """Of the trader's session, from before the log failed."""
    found = csrf_token(trader.get(f"/action-center/{ticket.id}").text)
    no_row(desk)
    return found


def no_row(desk: Desk) -> None:
    """From now on no call can be opened in the traffic log."""
    desk.store.files[1].write(
        "CREATE TRIGGER full BEFORE INSERT ON call BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )


def forms(app: Flask) -> dict[str, str]:
    """Every form of the pages: where it is sent."""
    rules = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or set())]
    return {rule.endpoint: address(rule) for rule in rules}


def address(rule: Rule) -> str:
    built = rule.build({name: ARGUMENTS[name] for name in rule.arguments})
    assert built is not None
    return built[1]


def state_of(desk: Desk, ticket: Ticket) -> TicketState:
    return approvals.ticket(desk, ticket.id).state


def sent_orders(desk: Desk) -> int:
    return len(desk.brokers[TradingMode.ANALYZE].order_book())


def test_every_form_is_refused_but_those_that_must_go_on(
    app: Flask, trader: Person, desk: Desk, ticket: Ticket, token: str
) -> None:
    newest = desk.store.audit.page(limit=1)
    for endpoint, path in forms(app).items():
        if endpoint not in GOES_ON:
            answer = trader.post_raw(path, csrf_token=token)
            assert (answer.status_code, REFUSED in answer.text) == (503, True), endpoint
    assert desk.store.audit.page(limit=1) == newest
    assert state_of(desk, ticket) is TicketState.HELD
    assert sent_orders(desk) == 0
    assert trader.get("/action-center").status_code == 200


@pytest.mark.parametrize("endpoint", sorted(GOES_ON))
def test_what_makes_the_trader_safer_is_not_refused(app: Flask, trader: Person, token: str, endpoint: str) -> None:
    answer = trader.post_raw(forms(app)[endpoint], csrf_token=token)
    assert answer.status_code < 500
    assert REFUSED not in answer.text


@pytest.mark.parametrize("path", ["/action-center/1/approve", "/action-center/approve-all"])
def test_an_approval_sends_nothing(trader: Person, desk: Desk, ticket: Ticket, token: str, path: str) -> None:
    shown = ticket.shown
    fields = {"shown": shown, "ticket": f"{ticket.id}:{shown}"}
    assert trader.post_raw(path, csrf_token=token, **fields).status_code == 503
    assert state_of(desk, ticket) is TicketState.HELD
    assert sent_orders(desk) == 0
    assert trader.post_raw(f"/action-center/{ticket.id}/reject", csrf_token=token, shown=shown).status_code == 302
    assert state_of(desk, ticket) is TicketState.REJECTED


def test_auto_is_refused_and_semi_auto_is_not(trader: Person, desk: Desk, token: str) -> None:
    answer = trader.post_raw("/apikey/mode", csrf_token=token, mode="auto", password=PASSWORD)
    assert answer.status_code == 503
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    assert trader.post_raw("/apikey/mode", csrf_token=token, mode="semi_auto").status_code == 302
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
