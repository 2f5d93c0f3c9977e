"""A restore brings back the day of the backup, but nothing that ended since, and nothing that waited then."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from openalgo_bridge.account import keys, recovery, two_factor
from openalgo_bridge.account.login import Proof
from openalgo_bridge.account.since_backup import Undone
from openalgo_bridge.app import open_desk
from openalgo_bridge.commands.restore import restore
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey, WrongCode
from openalgo_bridge.model.order import Action, Exchange, OrderMode, OrderRequest, TradingMode
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.store import backup as copies
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.trading import approvals, orders
from tests.conftest import CHEAP, PASSWORD, TRADER, Account, FixedClock
from tests.phone import Phone, set_up

ORDER = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=1)
PROOF = Proof(password=PASSWORD, is_fresh=True)


@pytest.fixture
def phone(desk: Desk, account: Account, clock: FixedClock) -> Phone:
    made = set_up(desk)
    clock.move(seconds=30)
    return made


@pytest.fixture
def file(desk: Desk, account: Account, tmp_path: Path) -> Path:
    """Where the backup goes."""
    return tmp_path / "monday.backup"


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
    approvals.approve(desk, held.id, held.shown)
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
