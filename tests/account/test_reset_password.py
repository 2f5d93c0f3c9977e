"""Who forgot the password gets back in; what only the old one opened is lost, unless a recovery code opens it."""

from __future__ import annotations

import pytest

from openalgo_bridge.account import keys, login, recovery
from openalgo_bridge.account.attempts import Windows
from openalgo_bridge.account.login import Proof, confirm, sign_in
from openalgo_bridge.account.reset_password import Reset, reset_password
from openalgo_bridge.account.setup import create_account
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Denied, Invalid, NotFound, RateLimited, WrongCode
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.sessions import NewSession
from tests.account.conftest import open_desk
from tests.bridge_rows import rows_of_every_table
from tests.conftest import PASSWORD, TRADER, FixedClock, open_session
from tests.phone import Phone, set_up

NEW = "four unrelated new words"


@pytest.fixture
def key(desk: Desk) -> str:
    return create_account(desk, "trader", PASSWORD, risk_accepted=True)


@pytest.fixture
def phone(desk: Desk, key: str, clock: FixedClock) -> Phone:
    made = set_up(desk)
    clock.move(seconds=30)
    return made


def reset(desk: Desk, password: str = NEW, code: str = "", *, removes_two_factor: bool = False) -> Reset:
    return reset_password(desk, password, recovery_code=code, removes_two_factor=removes_two_factor, by=TRADER)


def signs_in(desk: Desk, password: str) -> bool:
    try:
        sign_in(desk, "trader", password, device="", address="127.0.0.1")
    except Denied:
        return False
    return True


def test_the_new_password_signs_in_and_the_old_one_does_not(desk: Desk, key: str) -> None:
    reset(desk)
    assert signs_in(desk, NEW)
    assert not signs_in(desk, PASSWORD)


def test_without_a_recovery_code_programs_go_on_but_the_key_is_never_shown_again(desk: Desk, key: str) -> None:
    assert reset(desk) == Reset(key_copy_lost=True, recovery_codes_lost=False, two_factor_removed=False)
    assert keys.verify(desk, key)
    for password in (NEW, PASSWORD):
        with pytest.raises(NotFound, match="No copy"):
            keys.view(desk, Proof(password=password), by=TRADER)


def test_a_key_made_afterwards_is_shown_with_the_new_password(desk: Desk, key: str) -> None:
    reset(desk)
    fresh = keys.issue(desk, Proof(password=NEW), by=TRADER)
    assert keys.view(desk, Proof(password=NEW), by=TRADER) == fresh


def test_with_a_recovery_code_the_key_is_shown_with_the_new_password(desk: Desk, key: str, phone: Phone) -> None:
    done = reset(desk, code=phone.recovery_codes[3])
    assert done == Reset(key_copy_lost=False, recovery_codes_lost=False, two_factor_removed=False)
    assert keys.view(desk, Proof(password=NEW, code=phone.code()), by=TRADER) == key
    with pytest.raises(Denied, match="Wrong password"):
        keys.view(desk, Proof(password=PASSWORD), by=TRADER)


def test_the_recovery_code_is_used_up_and_the_others_still_open_the_vault(desk: Desk, phone: Phone) -> None:
    reset(desk, code=phone.recovery_codes[0])
    assert recovery.left(desk) == 9
    with pytest.raises(WrongCode, match="used already"):
        reset(desk, code=phone.recovery_codes[0])
    opened = login.open_vault(desk, Proof(password=NEW, code=phone.code()))
    assert recovery.open_vault_with_code(desk, phone.recovery_codes[1], by=TRADER) == opened


def test_without_a_code_no_recovery_code_opens_anything_any_more(desk: Desk, phone: Phone) -> None:
    assert reset(desk).recovery_codes_lost
    with pytest.raises(WrongCode):
        reset(desk, code=phone.recovery_codes[0])


def test_the_authenticator_stays_unless_it_is_to_go(desk: Desk, phone: Phone, clock: FixedClock) -> None:
    reset(desk)
    with pytest.raises(WrongCode):
        confirm(desk, Proof(password=NEW))
    confirm(desk, Proof(password=NEW, code=phone.code()))
    assert reset(desk, removes_two_factor=True).two_factor_removed
    confirm(desk, Proof(password=NEW))


def test_where_there_is_no_authenticator_none_is_removed(desk: Desk, key: str) -> None:
    assert not reset(desk, removes_two_factor=True).two_factor_removed
    assert not desk.store.audit.has(AuditEvent.TWO_FACTOR_REMOVED)


def test_everybody_is_signed_out(desk: Desk, key: str) -> None:
    open_session(desk, NewSession(id_hash=b"a browser", content="{}", address="", program=""))
    reset(desk)
    assert desk.store.sessions.all() == []


def test_the_owner_meets_no_lock_out(desk: Desk, key: str) -> None:
    (most, _), *_ = Windows.parse(desk.settings.login_rate_limit).windows
    for _ in range(most):
        assert not signs_in(desk, "a wrong password")
    with pytest.raises(RateLimited):
        signs_in(desk, PASSWORD)
    reset(desk)
    assert signs_in(desk, NEW)


@pytest.mark.parametrize("password", ["", "short", "aaaaaaaaaaaaaaaa", "x" * 129])
def test_a_password_nobody_may_set_changes_nothing_and_costs_no_code(desk: Desk, phone: Phone, password: str) -> None:
    before = rows_of_every_table(desk)
    with pytest.raises(Invalid) as refused:
        reset(desk, password, code=phone.recovery_codes[0])
    assert list(refused.value.faults) == ["password"]
    assert rows_of_every_table(desk) == before


def test_a_wrong_recovery_code_changes_nothing(desk: Desk, phone: Phone) -> None:
    before = rows_of_every_table(desk)
    for code in ("0000-0000-0000-0000-0000", phone.recovery_codes[0][:-1] + "*", "123456"):
        with pytest.raises(WrongCode):
            reset(desk, code=code, removes_two_factor=True)
    assert rows_of_every_table(desk) == before


def test_without_an_account_there_is_nothing_to_reset(desk: Desk) -> None:
    with pytest.raises(Conflict, match="no account"):
        reset(desk)


def test_the_audit_list_tells_what_was_lost_and_removed(desk: Desk, phone: Phone) -> None:
    reset(desk, removes_two_factor=True)
    removed, done, *_ = desk.store.audit.page()
    assert (removed.event, removed.actor) == (AuditEvent.TWO_FACTOR_REMOVED, TRADER)
    assert (done.event, done.after) == (AuditEvent.PASSWORD_RESET, "copy of the key lost")
    assert desk.store.audit.first_broken() is None


def test_a_lost_machine_key_and_a_forgotten_password_are_no_dead_end(
    desk: Desk, phone: Phone, settings: Settings, clock: FixedClock
) -> None:
    desk.close()
    (settings.db_dir / "machine.key").unlink()
    again = open_desk(settings, clock)
    with pytest.raises(WrongCode, match="reset-password --remove-two-factor"):
        confirm(again, Proof(password=PASSWORD, code=phone.code()))
    reset(again, removes_two_factor=True)
    confirm(again, Proof(password=NEW))
    again.close()
