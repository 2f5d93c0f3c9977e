"""A backup is one whole moment of the bridge, holds no secret, and comes back here and on another PC."""

from __future__ import annotations

import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from openalgo_bridge.commands.backup import backup
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Invalid, NotFound, StorageError
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import Action, Exchange, OrderRequest
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.store import backup as copies
from openalgo_bridge.store.machine_key import SESSION_HASH
from openalgo_bridge.store.sessions import NewSession
from openalgo_bridge.trading import orders
from tests import phone
from tests.conftest import TRADER, Account, open_session
from tests.secrets.test_canaries import found_in

SESSION_ID = "a-session-id-that-only-a-browser-knows"
ORDER = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=1)


def ran(desk: Desk, *arguments: str) -> str:
    """What the command said. Raises what it raised."""
    done: Result = CliRunner().invoke(backup, list(arguments), obj=desk.settings)
    if isinstance(done.exception, BridgeError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def rows(file: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as db:
        return db.execute(sql).fetchall()


def sign_in(desk: Desk) -> NewSession:
    digest = desk.store.machine_key.digest(SESSION_HASH, SESSION_ID.encode())
    session = NewSession(id_hash=digest, content='{"csrf_token": "a-form-token"}', address="127.0.0.1", program="test")
    open_session(desk, session)
    return session


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_backup_is_one_private_file_and_says_what_is_in_it(desk: Desk, account: Account, tmp_path: Path) -> None:
    file = tmp_path / "monday.backup"
    told = ran(desk, str(file))
    assert account.username in told
    assert "machine.key" in told
    assert names(tmp_path) == {"db", file.name}
    assert file.read_bytes()[18:20] == b"\x01\x01", "not in write-ahead mode, so it needs no second file"
    if sys.platform != "win32":
        assert file.stat().st_mode & 0o077 == 0
    (line, *_) = desk.store.audit.page()
    assert (line.event, line.after) == (AuditEvent.BACKUP_MADE, file.name)


def test_a_backup_holds_no_secret_and_nobody_who_is_signed_in(desk: Desk, account: Account, tmp_path: Path) -> None:
    session = sign_in(desk)
    desk.store.failed_logins.add("sign-in")
    secrets = {
        "key": account.key,
        "password": account.password,
        "authenticator": phone.set_up(desk).secret,
        "session": SESSION_ID,
        "form token": session.content,
    }
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran(desk, str(elsewhere / "a.backup"))
    assert found_in(elsewhere, secrets) == []
    copy = (elsewhere / "a.backup").read_bytes()
    assert session.id_hash not in copy
    assert (desk.settings.db_dir / "machine.key").read_bytes() not in copy
    assert rows(elsewhere / "a.backup", "SELECT id FROM session UNION ALL SELECT id FROM failed_login") == []
    assert desk.store.sessions.all() != [], "who is signed in stays so"


def test_what_was_deleted_long_ago_is_not_between_the_pages(desk: Desk, account: Account, tmp_path: Path) -> None:
    db = desk.store.files[0]
    db.read("PRAGMA secure_delete=OFF")  # as SQLite is on some systems
    db.write("CREATE TABLE former (secret TEXT)")
    db.write("INSERT INTO former VALUES (?)", ("a-former-secret " * 2000,))
    db.write("DROP TABLE former")
    ran(desk, str(tmp_path / "a.backup"))
    db.read("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"a-former-secret" in (desk.settings.db_dir / "bridge.db").read_bytes()
    assert b"a-former-secret" not in (tmp_path / "a.backup").read_bytes()


def test_a_backup_under_load_is_one_moment(desk: Desk, account: Account, tmp_path: Path) -> None:
    enough, started = threading.Event(), threading.Event()
    desk.store.guards.save(GuardSettings(orders_per_day=1_000_000), by=TRADER)

    def trade() -> None:
        while not enough.is_set():
            orders.place(desk, ORDER, Origin(source="api", strategy="", request_id="r"))
            started.set()

    trader = threading.Thread(target=trade)
    trader.start()
    try:
        assert started.wait(30)
        for number in range(3):
            ran(desk, str(tmp_path / f"{number}.backup"))
    finally:
        enough.set()
        trader.join()
    for number in range(3):
        file = tmp_path / f"{number}.backup"
        assert rows(file, "PRAGMA integrity_check") == [("ok",)]
        # Ticket and order are one commit; an order without its events would be half a moment.
        assert rows(file, "SELECT id FROM ticket WHERE id NOT IN (SELECT ticket_id FROM orders)") == []
        assert rows(file, "SELECT id FROM orders WHERE ticket_id NOT IN (SELECT ticket_id FROM order_event)") == []


def test_a_file_that_is_there_is_overwritten_only_when_asked(desk: Desk, account: Account, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict, match="--overwrite"):
        ran(desk, str(file))
    assert file.read_text(encoding="utf-8") == "mine"
    ran(desk, str(file), "--overwrite")
    assert rows(file, "SELECT username FROM user") == [("trader",)]


def test_a_backup_never_goes_into_the_data_folder(desk: Desk, account: Account) -> None:
    with pytest.raises(Invalid, match="data folder"):
        ran(desk, str(desk.settings.db_dir / "bridge.db"), "--overwrite")
    assert desk.store.users.get() is not None


def test_without_a_bridge_there_is_nothing_to_back_up(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        copies.make(tmp_path / "none.db", tmp_path / "a.backup", overwrite=False)
    assert names(tmp_path) == {"db"}


def test_a_folder_that_is_not_there_is_a_sentence(desk: Desk, account: Account, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be made"):
        ran(desk, str(tmp_path / "gone" / "a.backup"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
def test_a_disk_that_fills_up_leaves_the_former_backup_and_no_half_one(
    desk: Desk, account: Account, tmp_path: Path
) -> None:
    import resource  # noqa: PLC0415 - not on Windows

    file = tmp_path / "a.backup"
    ran(desk, str(file))
    before = file.read_bytes()
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, former[1]))
    try:
        with pytest.raises(StorageError, match="could not be made"):
            ran(desk, str(file), "--overwrite")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert file.read_bytes() == before
    assert names(tmp_path) == {"db", file.name}


def test_a_damaged_bridge_does_not_replace_a_good_backup(desk: Desk, account: Account, tmp_path: Path) -> None:
    file, damaged = tmp_path / "a.backup", tmp_path / "damaged.db"
    ran(desk, str(file))
    before = file.read_bytes()
    damaged.write_bytes(before[:4096] + b"\xff" * 8192 + before[12288:])
    with pytest.raises(StorageError):
        copies.make(damaged, file, overwrite=True)
    assert file.read_bytes() == before


def test_a_bridge_of_an_older_version_can_be_backed_up(desk: Desk, account: Account, tmp_path: Path) -> None:
    desk.store.files[0].write("DROP TABLE audit")
    done = CliRunner().invoke(backup, [str(tmp_path / "a.backup")], obj=desk.settings)
    assert done.exit_code == 0
    assert "audit list" in done.stderr
    assert (tmp_path / "a.backup").exists()
