"""Auto needs the person, Semi-Auto nothing at all."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from openalgo_bridge import lock
from openalgo_bridge.commands.mode import mode
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, StorageError, WrongCode
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.settings import Settings
from openalgo_bridge.store import schema
from tests import phone
from tests.conftest import PASSWORD, TRADER, Account

AUTO = ("auto", "--password-stdin")


def ran(desk: Desk, *arguments: str, typed: str = "") -> Result:
    """What the command said. Raises what it raised."""
    done = CliRunner().invoke(mode, list(arguments), obj=desk.settings, input=typed)
    if isinstance(done.exception, BridgeError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def test_semi_auto_is_written_down_with_who_chose_it(desk: Desk, account: Account) -> None:
    assert ran(desk, "semi_auto").stdout.startswith("semi_auto:")
    (line, *_) = desk.store.audit.page()
    assert (line.event, line.after, line.actor.name) == (AuditEvent.ORDER_MODE, "semi_auto", "run.py mode")


def test_semi_auto_holds_although_the_audit_list_cannot_be_written(desk: Desk, account: Account) -> None:
    desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    desk.store.files[0].write("DROP TABLE audit")
    done = ran(desk, "semi_auto")
    assert done.stdout.startswith("semi_auto:")
    assert "audit list" in done.stderr
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    with pytest.raises(StorageError):
        ran(desk, *AUTO, typed=f"{PASSWORD}\n")
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO, "what makes less safe needs its line"


def test_a_file_of_an_older_version_is_brought_up_to_date_unless_its_bridge_runs(desk: Desk, account: Account) -> None:
    db = desk.store.files[0]
    db.write("DROP TABLE integration")
    db.write("DELETE FROM _sqlite_migrations WHERE name = 'm009_integration'")
    with lock.hold(desk.settings.db_dir / lock.INSTANCE_LOCK, "the bridge"):
        assert ran(desk, "semi_auto").stdout.startswith("semi_auto:")
    assert not db.is_current(schema.bridge)
    ran(desk, "semi_auto")
    assert db.is_current(schema.bridge)


def test_auto_needs_the_code_where_credentials_two_factor_is_on(desk: Desk, account: Account) -> None:
    app = phone.set_up(desk)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    with pytest.raises(Conflict, match="--code"):
        ran(desk, *AUTO, typed=f"{PASSWORD}\n")
    with pytest.raises(WrongCode):
        ran(desk, *AUTO, "--code", app.wrong_code(), typed=f"{PASSWORD}\n")
    with pytest.raises(Denied):
        ran(desk, *AUTO, "--code", app.recovery_codes[0], typed="not the password\n")
    assert desk.store.preferences.order_mode() is OrderMode.SEMI_AUTO
    assert ran(desk, *AUTO, "--code", app.recovery_codes[0], typed=f"{PASSWORD}\n").stdout.startswith("auto:")
    assert ran(desk, "semi_auto").stdout.startswith("semi_auto:")


def test_auto_needs_no_other_file(desk: Desk, account: Account) -> None:
    desk.close()
    for name in ("traffic.db", "instruments.db"):
        (desk.settings.db_dir / name).write_bytes(b"this was a database once " * 1000)
    assert ran(desk, *AUTO, typed=f"{PASSWORD}\n").stdout.startswith("auto:")


def test_auto_makes_no_machine_key_where_it_was_lost(desk: Desk, account: Account) -> None:
    desk.close()
    (desk.settings.db_dir / "machine.key").unlink()
    with pytest.raises(StorageError, match="put back your copy"):
        ran(desk, *AUTO, typed=f"{PASSWORD}\n")
    assert not (desk.settings.db_dir / "machine.key").exists()
    assert ran(desk, "semi_auto").stdout.startswith("semi_auto:"), "what makes safer is not hindered"


def test_auto_without_an_account_is_refused_and_makes_no_machine_key(settings: Settings) -> None:
    done = CliRunner().invoke(mode, list(AUTO), obj=settings, input=f"{PASSWORD}\n")
    assert isinstance(done.exception, Conflict)
    assert "no account yet" in done.exception.message
    assert not (settings.db_dir / "machine.key").exists()
