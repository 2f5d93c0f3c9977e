"""A bridge whose file vanished never begins again in silence: it would know of no order that it has sent."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from openalgo_bridge.commands.doctor import examine
from openalgo_bridge.commands.mode import mode
from openalgo_bridge.errors import StorageError
from openalgo_bridge.settings import Settings
from openalgo_bridge.store import integrity
from openalgo_bridge.store.backup import KEPT_ASIDE
from openalgo_bridge.store.store import Store
from tests.conftest import FixedClock, free_port

KILLED_BESIDE_A_NEW_MACHINE_KEY = """
import os, sys
from pathlib import Path
from openalgo_bridge.clock import Clock
from openalgo_bridge.store.store import Store

def die(event, arguments):
    # The draft of the key is removed as soon as the key has its name.
    if event == "os.remove" and ".machine.key." in str(arguments[0]):
        os._exit(9)

sys.addaudithook(die)
getattr(Store, sys.argv[2])(Path(sys.argv[1]), Clock())
"""


@pytest.fixture
def folder(settings: Settings, clock: FixedClock) -> Path:
    """A bridge that was stopped, and its ``bridge.db`` is gone."""
    with closing(Store.open(settings.db_dir, clock)):
        pass
    for path in settings.db_dir.glob("bridge.db*"):
        path.unlink()
    return settings.db_dir


def test_an_empty_folder_is_a_first_start(settings: Settings) -> None:
    assert integrity.why_not_anew(settings.db_dir) == ""


def test_a_first_start_that_was_killed_can_be_repeated(settings: Settings, clock: FixedClock) -> None:
    with closing(Store.open(settings.db_dir, clock)):
        pass
    (settings.db_dir / "machine.key").unlink()
    with closing(Store.open(settings.db_dir, clock)) as store:
        assert store.users.get() is None


@pytest.mark.parametrize("how", ["open", "of_bridge"])
def test_a_first_start_that_was_killed_beside_its_new_machine_key_can_be_repeated(
    settings: Settings, clock: FixedClock, how: str
) -> None:
    script = [sys.executable, "-c", KILLED_BESIDE_A_NEW_MACHINE_KEY, str(settings.db_dir), how]
    assert subprocess.run(script, check=False).returncode == 9
    assert (settings.db_dir / "machine.key").exists()
    with closing(Store.open(settings.db_dir, clock)) as store:
        assert store.users.get() is None


def test_a_start_without_the_file_is_refused_with_the_ways_out(folder: Path, clock: FixedClock) -> None:
    with pytest.raises(StorageError, match=r"run\.py restore FILE.*begin anew"):
        Store.open(folder, clock)
    assert not (folder / "bridge.db").exists()


def test_no_command_and_no_look_makes_an_empty_one(folder: Path) -> None:
    settings = Settings(db_dir=folder, flask_port=free_port())
    done = CliRunner().invoke(mode, ["semi_auto"], obj=settings)
    assert isinstance(done.exception, StorageError)
    (finding,) = (finding for finding in examine(settings) if finding.what == "bridge.db")
    assert not finding.ok
    assert "run.py restore FILE" in finding.words
    assert not (folder / "bridge.db").exists()


def test_the_newest_file_that_a_restore_kept_is_named_and_never_its_log(folder: Path) -> None:
    for name in ("20261120-101500", "20261121-101500", "20261121-101500-wal"):
        (folder / f"{KEPT_ASIDE}{name}").touch()
    assert f"run.py restore '{folder / KEPT_ASIDE}20261121-101500'" in integrity.why_not_anew(folder)


def test_who_moves_the_machine_key_away_begins_anew(folder: Path, clock: FixedClock, tmp_path: Path) -> None:
    (folder / "machine.key").rename(tmp_path / "machine.key")
    with closing(Store.open(folder, clock)) as store:
        assert store.users.get() is None
