"""The owner of the files gets in again, and is told what that cost."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from openalgo_bridge import lock
from openalgo_bridge.account import keys, login
from openalgo_bridge.account.login import Proof
from openalgo_bridge.app import open_desk
from openalgo_bridge.commands.reset_password import reset_password
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, Invalid, NotFound, StorageError, WrongCode
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.store.sessions import NewSession
from tests import phone
from tests.conftest import CHEAP, PASSWORD, TRADER, Account, FixedClock, open_session

NEW = "a brand new sentence"


def ran(desk: Desk, *arguments: str, typed: str) -> str:
    """What the command printed; the bridge is stopped meanwhile. Raises what it raised."""
    desk.close()
    done = CliRunner().invoke(reset_password, list(arguments), obj=desk.settings, input=typed)
    if isinstance(done.exception, BridgeError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_new_password_opens_and_the_old_one_does_not(desk: Desk, account: Account) -> None:
    open_session(desk, NewSession(id_hash=b"h" * 32, content="{}", address="", program=""))
    told = ran(desk, "--password-stdin", typed=f"{NEW}\n")
    assert "go on working" in told
    login.confirm(desk, Proof(password=NEW))
    with pytest.raises(Denied):
        login.confirm(desk, Proof(password=PASSWORD))
    assert desk.store.sessions.all() == []
    assert desk.store.audit.has(AuditEvent.PASSWORD_RESET)


def test_without_a_recovery_code_the_key_works_and_can_never_be_shown(desk: Desk, account: Account) -> None:
    told = ran(desk, "--password-stdin", typed=f"{NEW}\n")
    assert "can no longer be shown" in told
    assert keys.verify(desk, account.key)
    with pytest.raises(NotFound):
        keys.view(desk, Proof(password=NEW), by=TRADER)
    fresh = keys.issue(desk, Proof(password=NEW), by=TRADER)
    assert keys.view(desk, Proof(password=NEW), by=TRADER) == fresh


def test_with_a_recovery_code_the_key_can_still_be_shown(desk: Desk, account: Account, clock: FixedClock) -> None:
    app = phone.set_up(desk)
    code = app.recovery_codes[0]
    told = ran(desk, "--password-stdin", "--recovery-code-stdin", typed=f"{NEW}\n{code}\n")
    assert "shown" not in told
    clock.move(minutes=1)
    assert keys.view(desk, Proof(password=NEW, code=app.code()), by=TRADER) == account.key
    with pytest.raises(WrongCode, match="used already"):
        ran(desk, "--password-stdin", "--recovery-code-stdin", typed=f"{NEW}\n{code}\n")
    assert keys.view(desk, Proof(password=NEW, code=app.recovery_codes[1]), by=TRADER) == account.key


def test_a_wrong_recovery_code_changes_nothing(desk: Desk, account: Account) -> None:
    phone.set_up(desk)
    with pytest.raises(WrongCode):
        ran(desk, "--password-stdin", "--recovery-code-stdin", typed=f"{NEW}\nAAAA-AAAA-AAAA-AAAA-AAAA\n")
    login.confirm(desk, Proof(password=PASSWORD, is_fresh=True))


def test_a_lost_phone_is_removed_only_when_asked(desk: Desk, account: Account) -> None:
    phone.set_up(desk)
    assert "recovery codes work no more" in ran(desk, "--password-stdin", typed=f"{NEW}\n")
    assert desk.store.two_factor.get().is_set_up
    assert desk.store.two_factor.recovery_codes() == []
    assert "authenticator app" in ran(desk, "--password-stdin", "--remove-two-factor", typed=f"{NEW}\n")
    assert not desk.store.two_factor.get().is_set_up
    login.confirm(desk, Proof(password=NEW))


def test_a_lost_machine_key_and_a_lost_phone_are_no_dead_end(desk: Desk, account: Account, clock: FixedClock) -> None:
    phone.set_up(desk)
    desk.close()
    (desk.settings.db_dir / "machine.key").unlink()
    ran(desk, "--password-stdin", "--remove-two-factor", typed=f"{NEW}\n")
    reopened = open_desk(desk.settings, clock, CHEAP)
    assert keys.verify(reopened, keys.issue(reopened, Proof(password=NEW), by=TRADER))
    reopened.close()


def test_it_needs_the_account_alone(desk: Desk, account: Account) -> None:
    desk.close()
    for name in ("traffic.db", "instruments.db"):
        (desk.settings.db_dir / name).write_bytes(b"this was a database once " * 1000)
    assert "everybody is signed out" in ran(desk, "--password-stdin", typed=f"{NEW}\n")
    login.confirm(desk, Proof(password=NEW))


def test_a_vanished_bridge_db_is_told_and_not_made_anew(desk: Desk, account: Account) -> None:
    desk.close()
    for path in desk.settings.db_dir.glob("bridge.db*"):
        path.unlink()
    with pytest.raises(StorageError, match=r"run\.py restore"):
        ran(desk, "--password-stdin", typed=f"{NEW}\n")
    assert not (desk.settings.db_dir / "bridge.db").exists()


def test_after_a_lock_out_the_new_password_is_taken_at_once(desk: Desk, account: Account) -> None:
    for _ in range(30):
        desk.store.failed_logins.add("sign-in")
    ran(desk, "--password-stdin", typed=f"{NEW}\n")
    assert login.sign_in(desk, "trader", NEW, device="", address="").username == "trader"


def test_typed_at_the_console_the_password_is_asked_twice_and_a_code_offered(desk: Desk, account: Account) -> None:
    desk.close()
    done = CliRunner().invoke(reset_password, [], obj=desk.settings, input=f"{NEW}\nother\n{NEW}\n{NEW}\n\n")
    assert done.exit_code == 0
    assert "Recovery code (Enter for none)" in done.stderr
    assert NEW not in done.output
    login.confirm(desk, Proof(password=NEW))


@pytest.mark.parametrize("bad", ["short", "trader", "password1234"])
def test_a_bad_new_password_is_refused_as_everywhere(desk: Desk, account: Account, bad: str) -> None:
    with pytest.raises(Invalid):
        ran(desk, "--password-stdin", typed=f"{bad}\n")
    login.confirm(desk, Proof(password=PASSWORD))


def test_it_needs_an_account_and_no_running_bridge(desk: Desk) -> None:
    with pytest.raises(Conflict, match="no account"):
        ran(desk, "--password-stdin", typed=f"{NEW}\n")
    with (
        lock.hold(desk.settings.db_dir / lock.INSTANCE_LOCK, "the bridge"),
        pytest.raises(Conflict, match="the bridge"),
    ):
        ran(desk, "--password-stdin", typed=f"{NEW}\n")
