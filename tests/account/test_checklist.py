"""The list before going live: each line is done when it is done, and a new key begins anew."""

from __future__ import annotations

from openalgo_bridge.account import keys
from openalgo_bridge.account.checklist import What, checklist
from openalgo_bridge.account.login import Proof
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import Action, Exchange, OrderMode, OrderRequest, TradingMode
from openalgo_bridge.model.refs import new_ref
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Operation, Origin, TicketDraft
from openalgo_bridge.store.journal import Settlement
from tests.conftest import TRADER, Account, FixedClock


def done(desk: Desk) -> set[What]:
    return {item.what for item in checklist(desk) if item.is_done}


def send_order(
    desk: Desk, mode: TradingMode, *, source: str = "api", ends: OrderState = OrderState.SENT, is_let_go: bool = True
) -> None:
    draft = TicketDraft(
        ref=new_ref(desk.clock.now()),
        operation=Operation.PLACE,
        request=OrderRequest(symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=1),
        order_mode=OrderMode.AUTO,
        trading_mode=mode,
        origin=Origin(source=source, strategy="t", request_id="r"),
    )
    if not is_let_go:
        desk.store.journal.hold(draft, expires_at=None, reason="")
        return
    _, permit = desk.store.journal.release(draft)
    desk.store.journal.settle(permit.order_id, Settlement(state=ends))


def do_everything(desk: Desk) -> None:
    active = desk.store.api_keys.active()
    assert active is not None
    desk.store.preferences.note_key_stored()
    desk.store.key_uses.note(fingerprint=active.key.fingerprint, program="x", address="127.0.0.1", endpoint="/ping")
    desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    send_order(desk, TradingMode.ANALYZE)
    desk.store.preferences.note_traffic_log_opened()


def test_before_there_is_a_key_nothing_is_done(desk: Desk) -> None:
    assert [item.what for item in checklist(desk)] == list(What)
    assert done(desk) == set()
    assert all(item.how.endswith(".") for item in checklist(desk))


def test_a_fresh_account_has_its_key_and_nothing_else(desk: Desk, account: Account) -> None:
    assert done(desk) == {What.KEY_MADE}


def test_each_line_is_done_by_itself(desk: Desk, account: Account) -> None:
    active = desk.store.api_keys.active()
    assert active is not None
    steps = {
        What.KEY_STORED: desk.store.preferences.note_key_stored,
        What.PROGRAM_CALLED: lambda: desk.store.key_uses.note(
            fingerprint=active.key.fingerprint, program="x", address="127.0.0.1", endpoint="/ping"
        ),
        What.MODE_CHOSEN: lambda: desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER),
        What.TEST_ORDER: lambda: send_order(desk, TradingMode.ANALYZE),
        What.LOG_OPENED: desk.store.preferences.note_traffic_log_opened,
    }
    expected = {What.KEY_MADE}
    for what, step in steps.items():
        step()
        expected.add(what)
        assert done(desk) == expected
    assert expected == set(What)


def test_a_live_order_is_no_test(desk: Desk, account: Account) -> None:
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    send_order(desk, TradingMode.LIVE)
    assert What.TEST_ORDER not in done(desk)


def test_what_was_never_sent_or_was_refused_or_came_from_a_page_is_no_test(desk: Desk, account: Account) -> None:
    send_order(desk, TradingMode.ANALYZE, is_let_go=False)
    (held,) = desk.store.journal.held()
    desk.store.journal.reject(held.id, held.shown, "no", by=TRADER)
    send_order(desk, TradingMode.ANALYZE, ends=OrderState.REJECTED)
    send_order(desk, TradingMode.ANALYZE, source="page")
    assert What.TEST_ORDER not in done(desk)
    send_order(desk, TradingMode.ANALYZE)
    assert What.TEST_ORDER in done(desk)


def test_a_tick_can_be_taken_back(desk: Desk, account: Account) -> None:
    desk.store.preferences.note_key_stored()
    desk.store.preferences.note_key_stored(is_stored=False)
    assert What.KEY_STORED not in done(desk)


def test_a_new_key_begins_anew_but_for_the_order_mode(desk: Desk, account: Account, clock: FixedClock) -> None:
    do_everything(desk)
    assert done(desk) == set(What)
    clock.move(minutes=1)
    keys.issue(desk, Proof(password=account.password), by=TRADER)
    assert done(desk) == {What.KEY_MADE, What.MODE_CHOSEN}
    do_everything(desk)
    assert done(desk) == set(What)


def test_a_revoked_key_leaves_only_the_order_mode(desk: Desk, account: Account) -> None:
    do_everything(desk)
    keys.revoke(desk, Proof(password=account.password), by=TRADER)
    assert done(desk) == {What.MODE_CHOSEN}
