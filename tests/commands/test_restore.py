"""A backup comes back: on this PC as if nothing had been, on another one with what cannot travel made anew."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from openalgo_bridge import lock
from openalgo_bridge.account import authenticator, keys, login
from openalgo_bridge.account.login import Proof
from openalgo_bridge.app import open_desk
from openalgo_bridge.commands.restore import restore
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BadApiKey, BridgeError, Conflict, Denied, Invalid, NotFound, StorageError
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.order import Action, Exchange, OrderMode, OrderRequest
from openalgo_bridge.model.permission import PRESETS, Preset
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.settings import PROJECT_FOLDER, Settings
from openalgo_bridge.store import backup as copies
from openalgo_bridge.trading import orders
from tests import phone
from tests.conftest import CHEAP, PASSWORD, TRADER, Account, FixedClock
from tests.phone import Phone

ORDER = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=1)


@pytest.fixture
def app_of(desk: Desk, account: Account) -> Phone:
    return phone.set_up(desk)


@pytest.fixture
def file(desk: Desk, account: Account, app_of: Phone, tmp_path: Path) -> Path:
    """A backup of a trader with a key of few permissions, two-factor and one order. The bridge is stopped then."""
    orders.place(desk, ORDER, Origin(source="api", strategy="", request_id="r"))
    desk.store.api_keys.permit(PRESETS[Preset.READ_ONLY], by=TRADER)
    desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    made = tmp_path / "monday.backup"
    copies.make(desk.settings.db_dir / "bridge.db", made, overwrite=False)
    desk.close()
    return made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    """Another PC, with nothing on it."""
    return Settings(db_dir=tmp_path / "elsewhere" / "db")


def ran(settings: Settings, *arguments: str, typed: str = "") -> Result:
    """What the command said. Raises what it raised."""
    done = CliRunner().invoke(restore, list(arguments), obj=settings, input=typed)
    if isinstance(done.exception, BridgeError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


@contextmanager
def started(settings: Settings, clock: FixedClock) -> Iterator[Desk]:
    desk = open_desk(settings, clock, CHEAP)
    yield desk
    desk.close()


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != lock.INSTANCE_LOCK}


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{copies.KEPT_ASIDE}*"))


def test_on_this_pc_key_and_authenticator_go_on_working(
    desk: Desk, account: Account, app_of: Phone, file: Path, clock: FixedClock
) -> None:
    orders.place(desk, ORDER, Origin(source="api", strategy="", request_id="after the backup"))
    desk.close()
    done = ran(desk.settings, str(file))
    assert done.stdout == "", "no new key"
    clock.move(minutes=1)
    with started(desk.settings, clock) as back:
        assert keys.verify(back, account.key).rules.permissions == PRESETS[Preset.READ_ONLY]
        assert keys.view(back, Proof(password=PASSWORD, code=app_of.code()), by=TRADER) == account.key
        assert len(back.store.journal.tickets()) == 1
        assert back.store.audit.has(AuditEvent.RESTORED)
        assert back.store.audit.first_broken() is None


def test_what_was_there_is_kept_aside_whole(desk: Desk, account: Account, file: Path, clock: FixedClock) -> None:
    orders.place(desk, ORDER, Origin(source="api", strategy="", request_id="after the backup"))
    desk.close()
    done = ran(desk.settings, str(file))
    (former,) = kept(desk.settings.db_dir)
    assert str(former) in done.stderr
    ran(desk.settings, str(former))
    with started(desk.settings, clock) as back:
        assert len(back.store.journal.tickets()) == 2


def test_after_a_restore_orders_wait_and_nobody_is_signed_in(desk: Desk, file: Path, clock: FixedClock) -> None:
    assert "Semi-Auto" in ran(desk.settings, str(file)).stderr
    with started(desk.settings, clock) as back:
        assert back.store.preferences.order_mode() is OrderMode.SEMI_AUTO
        assert back.store.sessions.all() == []


def test_on_another_pc_key_and_authenticator_are_made_anew(
    account: Account, file: Path, elsewhere: Settings, clock: FixedClock
) -> None:
    done = ran(elsewhere, str(file), "--password-stdin", typed=f"{PASSWORD}\n")
    assert "authenticator app" in done.stderr
    fresh = done.stdout.strip().splitlines()[-1]
    with started(elsewhere, clock) as back:
        assert keys.verify(back, fresh).rules.permissions == PRESETS[Preset.READ_ONLY]
        with pytest.raises(BadApiKey):
            keys.verify(back, account.key)
        login.confirm(back, Proof(password=PASSWORD))
        assert keys.view(back, Proof(password=PASSWORD), by=TRADER) == fresh
        assert not back.store.two_factor.get().is_set_up
        assert back.store.two_factor.recovery_codes() == []
        assert not keys.machine_key_was_replaced(back)
        assert len(back.store.journal.tickets()) == 1
        assert back.store.audit.first_broken() is None


def test_on_another_pc_a_wrong_password_changes_nothing(file: Path, elsewhere: Settings) -> None:
    with pytest.raises(Denied, match="Wrong password"):
        ran(elsewhere, str(file), "--password-stdin", typed="not the password at all\n")
    assert content(elsewhere.db_dir) == {}, "not even a machine.key is made"


def test_on_a_pc_with_a_bridge_of_its_own_that_one_is_kept_aside(
    file: Path, elsewhere: Settings, clock: FixedClock
) -> None:
    elsewhere.db_dir.mkdir(parents=True, mode=0o700)
    with started(elsewhere, clock):
        pass
    machine_key = (elsewhere.db_dir / "machine.key").read_bytes()
    ran(elsewhere, str(file), "--password-stdin", typed=f"{PASSWORD}\n")
    assert len(kept(elsewhere.db_dir)) == 1
    assert (elsewhere.db_dir / "machine.key").read_bytes() == machine_key
    with started(elsewhere, clock) as back:
        assert authenticator.is_readable(back)


def test_a_file_that_is_no_sound_backup_changes_nothing(desk: Desk, file: Path, tmp_path: Path) -> None:
    before = content(desk.settings.db_dir)
    whole = file.read_bytes()
    strange, empty, foreign, damaged, newer = (
        tmp_path / name for name in ("txt", "empty", "foreign", "damaged", "new")
    )
    strange.write_bytes(b"this is a letter to my bank " * 500)
    empty.touch()
    with closing(sqlite3.connect(foreign)) as db:
        db.execute("CREATE TABLE songs (name)")
    damaged.write_bytes(whole[: len(whole) // 2])
    shutil.copy(file, newer)
    with closing(sqlite3.connect(newer)) as db:
        db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('bridge', 'm999', '')")
        db.commit()
    for path, told in (
        (strange, "no backup"),
        (empty, "no backup"),
        (foreign, "no backup"),
        (damaged, "no backup|damaged"),
        (newer, "newer bridge"),
    ):
        with pytest.raises(Invalid, match=told):
            ran(desk.settings, str(path))
    with pytest.raises(NotFound):
        ran(desk.settings, str(tmp_path / "gone"))
    with pytest.raises(Conflict, match="own file"):
        ran(desk.settings, str(desk.settings.db_dir / "bridge.db"))
    assert content(desk.settings.db_dir) == before


def test_beside_a_running_bridge_nothing_is_restored(desk: Desk, file: Path) -> None:
    before = content(desk.settings.db_dir)
    with (
        lock.hold(desk.settings.db_dir / lock.INSTANCE_LOCK, "the bridge"),
        pytest.raises(Conflict, match="the bridge"),
    ):
        ran(desk.settings, str(file))
    assert content(desk.settings.db_dir) == before


def test_a_file_that_another_program_has_open_is_not_replaced(desk: Desk, file: Path) -> None:
    with closing(sqlite3.connect(desk.settings.db_dir / "bridge.db")) as reader:
        reader.execute("SELECT * FROM user").fetchone()
        with pytest.raises(Conflict, match="open"):
            ran(desk.settings, str(file))
    assert kept(desk.settings.db_dir) == []


def test_a_damaged_bridge_is_kept_with_its_log_and_replaced(desk: Desk, file: Path, clock: FixedClock) -> None:
    live = desk.settings.db_dir / "bridge.db"
    live.write_bytes(b"not a database any more " * 1000)
    log = live.with_name("bridge.db-wal")
    log.write_bytes(b"its log")
    ran(desk.settings, str(file))
    (former, former_log) = kept(desk.settings.db_dir)
    assert former.read_bytes().startswith(b"not a database")
    assert former_log.read_bytes() == b"its log"
    with started(desk.settings, clock) as back:
        assert len(back.store.journal.tickets()) == 1


def test_a_bridge_that_was_killed_keeps_its_last_orders_aside(desk: Desk, file: Path, clock: FixedClock) -> None:
    live = desk.settings.db_dir / "bridge.db"
    with closing(sqlite3.connect(live, isolation_level=None)) as alive:
        alive.execute("INSERT INTO preference VALUES ('last', 'words')")
        left = {path: path.read_bytes() for path in (live, live.with_name("bridge.db-wal"))}
    for path, text in left.items():
        path.write_bytes(text)
    ran(desk.settings, str(file))
    (former,) = kept(desk.settings.db_dir)
    with closing(sqlite3.connect(former)) as db:
        assert db.execute("SELECT value FROM preference WHERE name = 'last'").fetchone() == ("words",)


def test_a_kill_at_any_step_leaves_the_former_bridge_or_the_restored_one(
    desk: Desk, account: Account, file: Path, clock: FixedClock, tmp_path: Path
) -> None:
    orders.place(desk, ORDER, Origin(source="api", strategy="", request_id="after the backup"))
    killed = tmp_path / "killed"
    shutil.copytree(desk.settings.db_dir, killed)
    assert (killed / "bridge.db-wal").stat().st_size, "the bridge was killed too, so its log holds the last order"
    folders = [tmp_path / f"step{step}" for step in range(1, 9)]
    victims = []
    for step, folder in enumerate(folders, start=1):
        shutil.copytree(killed, folder)
        victim = [sys.executable, "-m", "tests.crash.restorer", str(folder), str(file), str(step)]
        victims.append(subprocess.Popen(victim, cwd=PROJECT_FOLDER, stderr=subprocess.DEVNULL))
    codes = [victim.wait(timeout=60) for victim in victims]
    found = []
    for folder in folders:
        assert (folder / "bridge.db").exists()
        with started(Settings(db_dir=folder), clock) as back:
            assert keys.verify(back, account.key)
            found.append(len(back.store.journal.tickets()))
            assert back.store.audit.has(AuditEvent.RESTORED) == (found[-1] == 1)
        assert found[-1] == 2 or len(kept(folder)) == 1
    assert [code == 0 for code in codes] == [False] * 7 + [True]
    # Killed seven times: six before the swap, once after it. Then nobody was in its way.
    assert found == [2, 2, 2, 2, 2, 2, 1, 1]


def test_a_bridge_file_that_vanished_beside_a_kept_one_is_no_empty_bridge(
    desk: Desk, file: Path, clock: FixedClock
) -> None:
    ran(desk.settings, str(file))
    live = desk.settings.db_dir / "bridge.db"
    live.unlink()
    with pytest.raises(StorageError, match=r"run\.py restore"):
        open_desk(desk.settings, clock, CHEAP)
    assert not live.exists()
    ran(desk.settings, str(kept(desk.settings.db_dir)[0]))
    with started(desk.settings, clock) as back:
        assert back.store.users.get() is not None
