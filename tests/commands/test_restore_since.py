"""A restore brings back the day of the backup, but nothing that ended since, and nothing that waited then.

Nor does it undo what made the account safer since; where it must, it says so.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from openalgo_bridge.account import keys, login, recovery, two_factor
from openalgo_bridge.account.change_password import change_password
from openalgo_bridge.account.login import Proof
from openalgo_bridge.account.orders_since import STOPPED_BECAUSE
from openalgo_bridge.account.reset_password import reset_password
from openalgo_bridge.account.undone import Undone
from openalgo_bridge.app import open_desk
from openalgo_bridge.commands.restore import restore
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey, Conflict, Denied, NotFound, OutcomeUnknown, WrongCode
from openalgo_bridge.model.address import ANYWHERE, THIS_PC, AddressRule
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.expand import SmartOrderSettings
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelAllRequest,
    CancelRequest,
    Exchange,
    OrderMode,
    OrderRequest,
    TradingMode,
)
from openalgo_bridge.model.permission import PRESETS, Grants, Preset
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.store import backup as copies
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.store.preferences import KeyCopy
from openalgo_bridge.trading import approvals, orders, parked
from openalgo_bridge.trading.approvals import Revision
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.recovery import recover
from openalgo_bridge.trading.sending import InDoubt, Sent
from tests.conftest import CHEAP, PASSWORD, TRADER, Account, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.phone import Phone, set_up

ORDER = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=1)
ORIGIN = Origin(source="api", strategy="", request_id="r")
PROOF = Proof(password=PASSWORD, is_fresh=True)
NEW = "four unrelated new words"
ONE_OFFICE = AddressRule.of_networks("203.0.113.0/24")


@pytest.fixture
def phone(desk: Desk, account: Account, clock: FixedClock) -> Phone:
    made = set_up(desk)
    clock.move(seconds=30)
    return made


@pytest.fixture
def file(desk: Desk, account: Account, tmp_path: Path) -> Path:
    """Where the backup goes."""
    return tmp_path / "monday.backup"


def set_up_anew(desk: Desk) -> Phone:
    """Another authenticator in place of whatever there was."""
    other = Phone(two_factor.begin(desk).secret, desk.clock)
    other.recovery_codes = two_factor.finish(desk, PROOF, other.code(), by=TRADER)
    return other


def kept_aside(desk: Desk) -> Path:
    """What a restore replaced."""
    (aside,) = desk.settings.db_dir.glob(f"{copies.KEPT_ASIDE}*")
    return aside


def back_up(desk: Desk, file: Path) -> None:
    copies.make(desk.settings.db_dir / "bridge.db", file, overwrite=False)


def restored(desk: Desk, file: Path) -> tuple[Desk, str]:
    """The bridge as it starts afterwards, and what the command said."""
    desk.close()
    done = CliRunner().invoke(restore, [str(file)], obj=desk.settings)
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    return open_desk(desk.settings, desk.clock, CHEAP), done.stderr


@pytest.mark.parametrize("how", ["regenerated", "revoked"])
def test_a_key_that_ended_since_stays_refused(desk: Desk, account: Account, file: Path, how: str) -> None:
    back_up(desk, file)
    if how == "regenerated":
        keys.issue(desk, PROOF, by=TRADER)
    else:
        keys.revoke(desk, PROOF, by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.KEY in told
        with pytest.raises(BadApiKey):
            keys.verify(back, account.key)
        fresh = keys.issue(back, PROOF, by=TRADER)
        assert keys.view(back, PROOF, by=TRADER) == fresh, "the way on is open"


def test_a_key_that_is_in_force_stays_so(desk: Desk, account: Account, file: Path) -> None:
    back_up(desk, file)
    back, told = restored(desk, file)
    with closing(back):
        assert keys.verify(back, account.key)
        assert not any(undone in told for undone in Undone)


def test_a_recovery_code_that_was_used_since_stays_used(desk: Desk, phone: Phone, file: Path) -> None:
    back_up(desk, file)
    recovery.open_vault_with_code(desk, phone.recovery_codes[0], by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.RECOVERY_CODES in told
        with pytest.raises(WrongCode):
            recovery.open_vault_with_code(back, phone.recovery_codes[0], by=TRADER)
        recovery.open_vault_with_code(back, phone.recovery_codes[1], by=TRADER)


def test_recovery_codes_that_were_replaced_since_stay_worthless(desk: Desk, phone: Phone, file: Path) -> None:
    back_up(desk, file)
    two_factor.new_recovery_codes(desk, PROOF, by=TRADER)
    back, _ = restored(desk, file)
    with closing(back):
        assert recovery.left(back) == 0


def test_a_recovery_code_that_was_used_before_the_app_was_removed_stays_used(
    desk: Desk, phone: Phone, file: Path
) -> None:
    back_up(desk, file)
    recovery.open_vault_with_code(desk, phone.recovery_codes[0], by=TRADER)
    desk.store.two_factor.remove(by=TRADER)
    back, _ = restored(desk, file)
    with closing(back):
        assert recovery.left(back) == 9
        recovery.open_vault_with_code(back, phone.recovery_codes[1], by=TRADER)


@pytest.mark.parametrize("since", ["new codes", "another app", "the first app"])
def test_who_restored_the_wrong_file_goes_back_to_recovery_codes_that_work(
    desk: Desk, account: Account, file: Path, clock: FixedClock, since: str
) -> None:
    if since != "the first app":
        set_up(desk)
        clock.move(minutes=1)
    back_up(desk, file)
    clock.move(days=1)
    if since == "new codes":
        paper = two_factor.new_recovery_codes(desk, PROOF, by=TRADER)
    else:
        paper = set_up_anew(desk).recovery_codes
    back, _ = restored(desk, file)
    again, told = restored(back, kept_aside(back))
    with closing(again):
        assert Undone.RECOVERY_CODES not in told
        assert recovery.left(again) == 10
        recovery.open_vault_with_code(again, paper[0], by=TRADER)


def test_a_code_of_the_app_that_was_used_since_is_not_good_again(
    desk: Desk, phone: Phone, file: Path, clock: FixedClock
) -> None:
    back_up(desk, file)
    desk.store.two_factor.use_step(clock.now_ms() // 30_000)
    back, _ = restored(desk, file)
    with closing(back):
        assert not back.store.two_factor.use_step(clock.now_ms() // 30_000)


def test_an_order_that_was_approved_since_cannot_be_approved_again(
    desk: Desk, account: Account, file: Path, clock: FixedClock
) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    orders.place(desk, ORDER, Origin(source="api", strategy="", request_id="r"))
    # The command has the wall clock. On it the order may have expired, which is not what is tried here.
    desk.store.files[0].write("UPDATE ticket SET expires_at = NULL")
    (held,) = desk.store.journal.held()
    back_up(desk, file)
    approvals.approve(desk, held.id, held.shown, by=TRADER)
    assert len(desk.broker(TradingMode.ANALYZE).order_book()) == 1
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.ORDERS in told
        assert back.store.journal.held() == []
        (ticket,) = back.store.journal.tickets()
        assert ticket.state is TicketState.REJECTED
        assert "backup" in ticket.reason


def test_another_account_on_this_pc_says_nothing_about_the_backup(
    desk: Desk, account: Account, phone: Phone, file: Path
) -> None:
    back_up(desk, file)
    desk.close()
    for path in desk.settings.db_dir.glob("bridge.db*"):
        path.unlink()
    with closing(Database(desk.settings.db_dir / "bridge.db", synchronous="FULL")) as other:
        other.migrate(schema.bridge)
    back, _ = restored(desk, file)
    with closing(back):
        assert recovery.left(back) == 10
        assert keys.verify(back, account.key)


def test_a_file_that_cannot_be_read_is_told(desk: Desk, account: Account, file: Path) -> None:
    back_up(desk, file)
    desk.close()
    (desk.settings.db_dir / "bridge.db").write_bytes(b"no database any more " * 1000)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.UNKNOWN in told
        assert keys.verify(back, account.key)


def test_a_copy_that_was_never_to_be_kept_again_does_not_come_back(desk: Desk, account: Account, file: Path) -> None:
    back_up(desk, file)
    desk.store.preferences.set_key_copy(KeyCopy.NEVER, by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.COPY in told
        assert back.store.preferences.key_copy() is KeyCopy.NEVER
        with pytest.raises(NotFound):
            keys.view(back, PROOF, by=TRADER)


@pytest.mark.parametrize(
    ("then", "now", "after"),
    [
        (PRESETS[Preset.FULL], PRESETS[Preset.READ_ONLY], PRESETS[Preset.READ_ONLY]),
        (PRESETS[Preset.READ_ONLY], PRESETS[Preset.FULL], PRESETS[Preset.READ_ONLY]),
        (
            PRESETS[Preset.READ_ONLY],
            PRESETS[Preset.TRADE_ONLY],
            PRESETS[Preset.READ_ONLY] & PRESETS[Preset.TRADE_ONLY],
        ),
    ],
)
def test_the_key_may_do_only_what_it_might_then_and_may_now(
    desk: Desk, account: Account, file: Path, then: Grants, now: Grants, after: Grants
) -> None:
    desk.store.api_keys.permit(then, by=TRADER)
    back_up(desk, file)
    desk.store.api_keys.permit(now, by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert keys.verify(back, account.key).rules.permissions == after
        assert (Undone.PERMISSIONS in told) == (after != then)


@pytest.mark.parametrize(
    ("then", "now", "after"),
    [
        (ANYWHERE, THIS_PC, THIS_PC),
        (THIS_PC, ANYWHERE, THIS_PC),
        (THIS_PC, ONE_OFFICE, ONE_OFFICE),
    ],
)
def test_the_key_is_taken_from_no_address_that_was_shut_out_since(
    desk: Desk, account: Account, file: Path, then: AddressRule, now: AddressRule, after: AddressRule
) -> None:
    desk.store.api_keys.restrict(then, by=TRADER)
    back_up(desk, file)
    desk.store.api_keys.restrict(now, by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert keys.verify(back, account.key).rules.addresses == after
        assert (Undone.ADDRESSES in told) == (after != then)


def test_rules_that_cannot_be_read_here_leave_the_key_no_permission(desk: Desk, account: Account, file: Path) -> None:
    back_up(desk, file)
    desk.store.files[0].write("UPDATE api_key SET permissions = 'everything', addresses = 'the moon'")
    back, told = restored(desk, file)
    with closing(back):
        rules = keys.verify(back, account.key).rules
        assert (rules.permissions, rules.addresses) == (frozenset(), THIS_PC)
        assert Undone.PERMISSIONS in told
        assert Undone.ADDRESSES in told


@pytest.mark.parametrize("ending", ["regenerated", "revoked"])
def test_the_next_key_has_the_narrower_rules_too(desk: Desk, account: Account, file: Path, ending: str) -> None:
    back_up(desk, file)
    desk.store.api_keys.permit(PRESETS[Preset.READ_ONLY], by=TRADER)
    if ending == "regenerated":
        keys.issue(desk, PROOF, by=TRADER)
    else:
        keys.revoke(desk, PROOF, by=TRADER)
    back, _ = restored(desk, file)
    with closing(back):
        fresh = keys.issue(back, PROOF, by=TRADER)
        assert keys.verify(back, fresh).rules.permissions == PRESETS[Preset.READ_ONLY]


@pytest.mark.parametrize("password_changed", [False, True])
def test_an_authenticator_that_was_set_up_since_stays_in_force_with_its_codes(
    desk: Desk, phone: Phone, file: Path, clock: FixedClock, password_changed: bool
) -> None:
    back_up(desk, file)
    clock.move(days=1)
    other = set_up_anew(desk)
    desk.store.two_factor.switch(AuditEvent.LOGIN_CODE, is_on=False, by=TRADER)
    if password_changed:
        change_password(desk, PROOF, NEW, NEW, keep_session=None, by=TRADER)
    clock.move(minutes=1)
    expected = desk.store.two_factor.get()
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.TWO_FACTOR in told
        assert back.store.two_factor.get() == expected
        with pytest.raises(WrongCode):
            login.confirm(back, Proof(password=PASSWORD, code=phone.code()))
        login.confirm(back, Proof(password=PASSWORD, code=other.code()))
        with pytest.raises(WrongCode):
            recovery.open_vault_with_code(back, phone.recovery_codes[0], by=TRADER)
        vault_key = login.open_vault(back, PROOF)
        assert recovery.open_vault_with_code(back, other.recovery_codes[0], by=TRADER) == vault_key


def test_a_first_authenticator_stays_in_force(desk: Desk, account: Account, file: Path) -> None:
    back_up(desk, file)
    set_up(desk)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.TWO_FACTOR in told
        assert back.store.two_factor.get().at_login
        assert recovery.left(back) == 10


def test_where_its_codes_open_another_vault_the_former_authenticator_is_off_and_that_is_told(
    desk: Desk, phone: Phone, file: Path, clock: FixedClock
) -> None:
    back_up(desk, file)
    reset_password(desk, NEW, recovery_code="", removes_two_factor=False, by=TRADER)
    clock.move(days=1)
    phone = Phone(two_factor.begin(desk).secret, clock)
    two_factor.finish(desk, Proof(password=NEW, is_fresh=True), phone.code(), by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.TWO_FACTOR_OFF in told
        assert Undone.PASSWORD in told
        assert not back.store.two_factor.get().is_set_up
        assert back.store.two_factor.recovery_codes() == []
        login.confirm(back, Proof(password=PASSWORD))


def test_codes_are_asked_where_they_were_asked_last(desk: Desk, phone: Phone, file: Path) -> None:
    desk.store.two_factor.switch(AuditEvent.LOGIN_CODE, is_on=False, by=TRADER)
    back_up(desk, file)
    desk.store.two_factor.switch(AuditEvent.LOGIN_CODE, is_on=True, by=TRADER)
    desk.store.two_factor.switch(AuditEvent.CREDENTIALS_CODE, is_on=False, by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.SWITCHES in told
        stands = back.store.two_factor.get()
        assert (stands.at_login, stands.for_credentials) == (True, True), "the safer of the two days"


@pytest.mark.parametrize("how", ["changed", "reset"])
def test_that_the_older_password_is_in_force_again_is_told(desk: Desk, account: Account, file: Path, how: str) -> None:
    back_up(desk, file)
    if how == "changed":
        change_password(desk, PROOF, NEW, NEW, keep_session=None, by=TRADER)
    else:
        reset_password(desk, NEW, recovery_code="", removes_two_factor=False, by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.PASSWORD in told
        login.confirm(back, Proof(password=PASSWORD))


# -- what stops orders -------------------------------------------------------------------------------------------


def test_a_kill_switch_that_is_on_stays_on_with_its_reason_and_its_time(
    desk: Desk, account: Account, file: Path, clock: FixedClock
) -> None:
    back_up(desk, file)
    clock.move(minutes=5)
    state = desk.store.kill_switch.engage("the feed is wrong", by=TRADER).state
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.KILL_SWITCH in told
        assert back.store.kill_switch.state() == state
        back.doors.open()
        with pytest.raises(Denied):
            orders.place(back, ORDER, ORIGIN)
        assert back.store.audit.first_broken() is None


def test_a_kill_switch_of_the_backup_comes_back_with_it(desk: Desk, account: Account, file: Path) -> None:
    desk.store.kill_switch.engage("the feed is wrong", by=TRADER)
    back_up(desk, file)
    desk.store.kill_switch.release(by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.KILL_SWITCH not in told
        assert back.store.kill_switch.state().is_on


SENDS_MORE = SmartOrderSettings(counts_working=False, opens_while_flat=True)
STRICT, LOOSE = GuardSettings(maximum_quantity=10), GuardSettings(maximum_quantity=100)
OTHERWISE_STRICT = GuardSettings(orders_per_day=5)


@pytest.mark.parametrize(
    ("then", "now", "after"),
    [
        (LOOSE, STRICT, STRICT),
        (GuardSettings(), STRICT, STRICT),
        (STRICT, LOOSE, STRICT),
        (STRICT, OTHERWISE_STRICT, OTHERWISE_STRICT),
        (STRICT, STRICT, STRICT),
    ],
)
def test_the_guards_never_stop_less_than_just_now(
    desk: Desk, account: Account, file: Path, then: GuardSettings, now: GuardSettings, after: GuardSettings
) -> None:
    desk.store.guards.save(then, by=TRADER)
    back_up(desk, file)
    desk.store.guards.save(now, by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert back.store.guards.load() == after
        assert (Undone.GUARDS in told) == (after != then)


@pytest.mark.parametrize(
    ("then", "now", "after"),
    [
        (SENDS_MORE, SmartOrderSettings(), SmartOrderSettings()),
        (SmartOrderSettings(), SENDS_MORE, SmartOrderSettings()),
        (SENDS_MORE, SENDS_MORE, SENDS_MORE),
    ],
)
def test_smart_orders_never_send_more_than_just_now(
    desk: Desk,
    account: Account,
    file: Path,
    then: SmartOrderSettings,
    now: SmartOrderSettings,
    after: SmartOrderSettings,
) -> None:
    desk.store.preferences.set_smart_orders(then, by=TRADER)
    back_up(desk, file)
    desk.store.preferences.set_smart_orders(now, by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert back.store.preferences.smart_orders() == after
        assert (Undone.SMART_ORDERS in told) == (after != then)


@pytest.mark.parametrize("broken", ["then", "now"])
def test_guards_that_cannot_be_read_do_not_hide_the_rest(desk: Desk, account: Account, file: Path, broken: str) -> None:
    desk.store.guards.save(STRICT, by=TRADER)
    nonsense = "INSERT OR REPLACE INTO guard VALUES ('maximum_quantity', 'lots')"
    if broken == "then":
        desk.store.files[0].write(nonsense)
    back_up(desk, file)
    if broken == "then":
        desk.store.guards.save(STRICT, by=TRADER)
    else:
        desk.store.files[0].write(nonsense)
    keys.revoke(desk, PROOF, by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert back.store.guards.load() == STRICT
        assert (Undone.GUARDS if broken == "then" else Undone.GUARDS_UNKNOWN) in told
        assert Undone.KEY in told


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    """Nobody can tell what it took."""
    return ScriptedBroker(desk, fault=lambda: OutcomeUnknown("timed out"), reread_after=None)


def test_an_order_in_doubt_that_was_decided_since_is_not_offered_to_be_sent_again(
    desk: Desk, account: Account, file: Path, broker: ScriptedBroker
) -> None:
    scripted = with_broker(desk, broker)
    for symbol in ("RELIANCE", "TCS", "INFY"):
        orders.place(scripted, replace(ORDER, symbol=symbol), ORIGIN)
    recover(scripted)
    there, handled, open_still = desk.store.journal.parked()
    back_up(desk, file)
    broker.fault = None
    found = Settlement(state=OrderState.SENT, broker_order_id=BrokerOrderId("B7"))
    desk.store.journal.settle(there.id, found, was=OrderState.PARKED, by=TRADER)
    parked.send_again(scripted, handled.id, by=TRADER)
    calls = len(broker.calls)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.DOUBTS in told
        again = with_broker(back, broker)
        recover(again)
        states = {order.ref: order.state for order in back.store.journal.orders_of([1, 2, 3])}
        assert states == {
            there.ref: OrderState.SENT,
            handled.ref: OrderState.NOT_PLACED,
            open_still.ref: OrderState.PARKED,
        }
        assert [order.ref for order in back.store.journal.parked()] == [open_still.ref]
        with pytest.raises(Conflict):
            parked.send_again(again, handled.id, by=TRADER)
        assert len(broker.calls) == calls


def test_what_was_being_sent_when_the_backup_was_made_is_in_doubt_and_never_called_sent(
    desk: Desk, account: Account, file: Path, clock: FixedClock
) -> None:
    draft = orders.draft_of(desk, ORDER, ORIGIN, TradingMode.ANALYZE, OrderMode.AUTO)
    desk.store.journal.release(draft)
    back_up(desk, file)
    back, _ = restored(desk, file)
    with closing(back):
        (order,) = back.store.journal.orders_of([1])
        assert order.state is OrderState.UNKNOWN
        assert back.store.journal.in_doubt_count() == 1
        recover(back)
        recover(back)
        assert back.store.journal.order(order.id).state is OrderState.NOT_PLACED, "the paper account has no such order"
        assert back.broker(TradingMode.ANALYZE).order_book() == []


# -- what came in doubt since ------------------------------------------------------------------------------------


def waiting_since_the_backup(desk: Desk, file: Path, order: OrderRequest = ORDER) -> Ticket:
    """A held ticket, and the backup that has it as held."""
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(desk, order, ORIGIN).ticket
    back_up(desk, file)
    return held


def test_an_order_that_was_approved_since_and_is_in_doubt_stays_so_and_its_symbol_waits(
    desk: Desk, account: Account, file: Path, broker: ScriptedBroker
) -> None:
    scripted = with_broker(desk, broker)
    held = waiting_since_the_backup(scripted, file)
    three = Revision(quantity=3, price=Decimal(0), trigger_price=Decimal(0), product=ORDER.product)
    changed = approvals.revise(scripted, held.id, held.shown, three, by=TRADER)
    approvals.approve(scripted, held.id, changed.shown, by=TRADER)
    recover(scripted)
    (before,) = desk.store.journal.parked()
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.DOUBTS_KEPT in told
        (after,) = back.store.journal.parked()
        assert (after.ref, after.request, after.created_at) == (before.ref, before.request, before.created_at)
        ticket = back.store.journal.ticket(after.ticket_id)
        assert (ticket.ref, ticket.state, ticket.request) == (held.ref, TicketState.RELEASED, before.request)
        assert "restore" in ticket.reason
        assert back.store.journal.events(ticket.id)[-1].by == "run.py restore"
        again = with_broker(back, broker)
        recover(again)
        back.doors.open()
        back.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
        calls = len(broker.calls)
        assert isinstance(orders.place(again, ORDER, ORIGIN), Held)
        assert len(broker.calls) == calls, "the same entry is not sent a second time"
        broker.fault = None
        parked.handled(again, after.id, by=TRADER)
        assert isinstance(orders.place(again, ORDER, ORIGIN), Sent), "the way on is open"


def test_an_order_that_came_after_the_backup_and_is_in_doubt_is_taken_over_with_its_ticket(
    desk: Desk, account: Account, file: Path, broker: ScriptedBroker
) -> None:
    back_up(desk, file)
    doubtful = orders.place(with_broker(desk, broker), ORDER, ORIGIN)
    assert isinstance(doubtful, InDoubt)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.DOUBTS_KEPT in told
        (order,) = back.store.journal.unresolved()
        assert order.ref == doubtful.ticket.ref, "the broker knows it by this tag"
        assert back.store.journal.ticket(order.ticket_id).origin.source == ORIGIN.source
        assert back.store.journal.order_by_ref(order.ref) == order
        recover(with_broker(back, broker))
        assert [each.ref for each in back.store.journal.parked()] == [order.ref]


def test_what_was_being_sent_when_the_bridge_was_killed_is_taken_over(desk: Desk, account: Account, file: Path) -> None:
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    back_up(desk, file)
    desk.store.journal.release(orders.draft_of(desk, ORDER, ORIGIN, TradingMode.LIVE, OrderMode.AUTO))
    back, _ = restored(desk, file)
    with closing(back):
        (order,) = back.store.journal.unresolved()
        assert (order.trading_mode, order.request) == (TradingMode.LIVE, ORDER)


def test_a_leg_that_was_planned_then_and_is_in_doubt_now_is_not_called_dropped(
    desk: Desk, account: Account, file: Path
) -> None:
    legs = [CancelRequest(broker_order_id=BrokerOrderId(name)) for name in ("B1", "B2", "B3")]
    draft = orders.draft_of(desk, CancelAllRequest(), ORIGIN, TradingMode.ANALYZE, OrderMode.AUTO)
    _, planned = desk.store.journal.plan(draft, legs)
    desk.store.journal.claim(planned[0].id)
    back_up(desk, file)
    for leg in planned[1:]:
        desk.store.journal.claim(leg.id)
    for leg in planned[:2]:
        desk.store.journal.settle(leg.id, Settlement(state=OrderState.UNKNOWN))
    back, _ = restored(desk, file)
    with closing(back):
        states = [order.state for order in back.store.journal.orders_of([1])]
        assert states == [OrderState.PARKED] * 3, "no later message is here that could hide one of these"
        assert len(back.store.journal.tickets()) == 1


def test_a_doubt_of_a_ticket_that_was_turned_down_here_gets_a_ticket_of_its_own_and_keeps_its_tag(
    desk: Desk, account: Account, file: Path, broker: ScriptedBroker
) -> None:
    scripted = with_broker(desk, broker)
    held = waiting_since_the_backup(scripted, file)
    approvals.approve(scripted, held.id, held.shown, by=TRADER)
    with closing(sqlite3.connect(file)) as copy:
        copy.execute("UPDATE ticket SET state = 'rejected'")
        copy.commit()
    back, _ = restored(desk, file)
    with closing(back):
        (order,) = back.store.journal.unresolved()
        new, old = back.store.journal.tickets()
        assert (order.ticket_id, order.ref, old.state) == (new.id, held.ref, TicketState.REJECTED)
        assert new.ref != held.ref


def test_a_doubt_that_the_backup_knows_better_stays_found_out(
    desk: Desk, account: Account, file: Path, broker: ScriptedBroker, tmp_path: Path
) -> None:
    scripted = with_broker(desk, broker)
    orders.place(scripted, ORDER, ORIGIN)
    back_up(desk, tmp_path / "doubtful.backup")
    desk.store.journal.settle(1, Settlement(state=OrderState.NOT_PLACED), was=OrderState.UNKNOWN)
    back_up(desk, file)
    desk.close()
    (desk.settings.db_dir / "bridge.db").unlink()
    for left in desk.settings.db_dir.glob("bridge.db-*"):
        left.unlink()
    shutil.copy(tmp_path / "doubtful.backup", desk.settings.db_dir / "bridge.db")
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.DOUBTS_KEPT not in told
        assert back.store.journal.order(1).state is OrderState.NOT_PLACED


def test_orders_in_doubt_of_another_account_on_this_pc_are_taken_over_too(
    desk: Desk, account: Account, file: Path, broker: ScriptedBroker
) -> None:
    back_up(desk, file)
    orders.place(with_broker(desk, broker), ORDER, ORIGIN)
    desk.store.kill_switch.engage("theirs", by=TRADER)
    desk.store.files[0].write("UPDATE user SET created_at = created_at + 1")
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.DOUBTS_KEPT in told
        assert len(back.store.journal.unresolved()) == 1
        assert not back.store.kill_switch.state().is_on


# -- where the file that is replaced is damaged ------------------------------------------------------------------


def damage(desk: Desk, *tables: str) -> None:
    """One page of each of these tables is lost, as on a worn disk."""
    path = desk.settings.db_dir / "bridge.db"
    desk.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = db.execute("PRAGMA page_size").fetchone()[0]
        names = ", ".join("?" * len(tables))
        pages = db.execute(f"SELECT rootpage FROM sqlite_master WHERE name IN ({names})", tables).fetchall()
    with path.open("r+b") as file:
        for (page,) in pages:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)


@pytest.mark.parametrize("table", ["audit", "recovery_code", "session", "api_key", "two_factor", "user"])
def test_a_damaged_page_hides_its_own_part_alone(desk: Desk, phone: Phone, file: Path, table: str) -> None:
    back_up(desk, file)
    desk.store.kill_switch.engage("the feed is wrong", by=TRADER)
    desk.store.guards.save(STRICT, by=TRADER)
    damage(desk, table)
    back, told = restored(desk, file)
    with closing(back):
        assert back.store.kill_switch.state().reason == "the feed is wrong"
        assert back.store.guards.load() == STRICT
        assert (Undone.STOPPED in told) == (table != "session"), "nobody asks for the sessions"


@pytest.mark.parametrize("table", ["kill_switch", "guard", "orders", "ticket", "preference", "user", None])
def test_where_a_part_cannot_be_read_entries_stop(desk: Desk, account: Account, file: Path, table: str | None) -> None:
    desk.store.journal.release(orders.draft_of(desk, ORDER, ORIGIN, TradingMode.ANALYZE, OrderMode.AUTO))
    back_up(desk, file)
    if table is None:
        desk.close()
        (desk.settings.db_dir / "bridge.db").write_bytes(b"no database any more " * 1000)
    else:
        damage(desk, table)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.UNKNOWN in told
        assert Undone.STOPPED in told
        assert back.store.kill_switch.state().reason == STOPPED_BECAUSE
        assert (Undone.GUARDS_UNKNOWN in told) == (table in {"guard", None})
        assert (Undone.DOUBTS_UNKNOWN in told) == (table in {"orders", "ticket", None})


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE ticket SET price_then = 'many'",
        "UPDATE orders SET request = '[]'",
        "UPDATE orders SET request = '{}'",
        "UPDATE orders SET request = 'not JSON'",
        "UPDATE orders SET operation = 'paint'",
    ],
)
def test_a_doubt_that_makes_no_sense_stops_entries_and_not_the_restore(
    desk: Desk, account: Account, file: Path, damage: str
) -> None:
    back_up(desk, file)
    desk.store.journal.release(orders.draft_of(desk, ORDER, ORIGIN, TradingMode.ANALYZE, OrderMode.AUTO))
    desk.store.files[0].write("DROP TRIGGER orders_kept")
    desk.store.files[0].write(damage)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.DOUBTS_UNKNOWN in told
        assert back.store.kill_switch.state().reason == STOPPED_BECAUSE


def test_a_damaged_page_that_stops_the_new_tables_hides_nothing_else(desk: Desk, account: Account, file: Path) -> None:
    back_up(desk, file)
    desk.store.kill_switch.engage("the feed is wrong", by=TRADER)
    # As a former release left it: this table is still to be rebuilt.
    desk.store.files[0].write("DELETE FROM _sqlite_migrations WHERE name = 'm016_idempotency_by_key'")
    damage(desk, "idempotency")
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.KILL_SWITCH in told
        assert Undone.UNKNOWN not in told


# -- which account -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("now", ["analyze", "nonsense", "no database"])
def test_orders_never_go_live_because_of_a_restore(desk: Desk, account: Account, file: Path, now: str) -> None:
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    back_up(desk, file)
    if now == "no database":
        desk.close()
        (desk.settings.db_dir / "bridge.db").write_bytes(b"no database any more " * 1000)
    else:
        desk.store.files[0].write("UPDATE preference SET value = ? WHERE name = 'trading_mode'", (now,))
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.ANALYZE in told
        assert back.store.preferences.trading_mode() is TradingMode.ANALYZE


@pytest.mark.parametrize("then", [TradingMode.LIVE, TradingMode.ANALYZE])
def test_while_it_is_live_the_mode_is_that_of_the_backup(
    desk: Desk, account: Account, file: Path, then: TradingMode
) -> None:
    desk.store.preferences.set_trading_mode(then, by=TRADER)
    back_up(desk, file)
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    back, told = restored(desk, file)
    with closing(back):
        assert Undone.ANALYZE not in told
        assert back.store.preferences.trading_mode() is then


def test_what_stops_orders_stays_although_the_machine_key_was_replaced(
    desk: Desk, account: Account, file: Path
) -> None:
    back_up(desk, file)
    desk.store.kill_switch.engage("the feed is wrong", by=TRADER)
    keys.revoke(desk, PROOF, by=TRADER)
    desk.close()
    (desk.settings.db_dir / "machine.key").unlink()
    done = CliRunner().invoke(restore, [str(file), "--password-stdin"], obj=desk.settings, input=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    with closing(open_desk(desk.settings, desk.clock, CHEAP)) as back:
        assert back.store.kill_switch.state().reason == "the feed is wrong"
        assert Undone.KILL_SWITCH in done.stderr
        assert Undone.KEY not in done.stderr
        assert keys.verify(back, done.stdout.strip()), "under another machine.key a new key is made anyway"
