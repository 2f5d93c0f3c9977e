"""``machine.key``: one key whoever starts first, never half a key, never one that others may read."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.store.machine_key import (
    APIKEY_LOOKUP,
    CSRF,
    DEVICE_TOKEN,
    FLASK_SECRET,
    MARK,
    SESSION_HASH,
    MachineKey,
)

LABELS = [APIKEY_LOOKUP, SESSION_HASH, CSRF, FLASK_SECRET, DEVICE_TOKEN, MARK]
posix_only = pytest.mark.skipif(os.name != "posix", reason="Windows protects the folder, not the file")

STARTER = """
import sys
from pathlib import Path
from openalgo_bridge.store.machine_key import MachineKey
sys.stdin.readline()
print(MachineKey.load_or_create(Path(sys.argv[1])).derive("test").hex())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "machine.key"


def test_the_second_start_finds_the_key_of_the_first(path: Path) -> None:
    first = MachineKey.load_or_create(path)
    assert MachineKey.load_or_create(path).derive(CSRF) == first.derive(CSRF)


def test_two_folders_have_different_keys(tmp_path: Path) -> None:
    keys = {MachineKey.load_or_create(tmp_path / name).derive(CSRF) for name in ("a.key", "b.key")}
    assert len(keys) == 2


def test_threads_that_start_at_once_agree_and_leave_one_file(path: Path) -> None:
    barrier, found = threading.Barrier(8), set[bytes]()

    def start() -> None:
        barrier.wait()
        found.add(MachineKey.load_or_create(path).derive(CSRF))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    assert [each.name for each in path.parent.iterdir()] == ["machine.key"]


def test_processes_that_start_at_once_agree(path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(path)]
    root = Path(__file__).resolve().parents[2]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    starters = [subprocess.Popen(command, cwd=root, **pipes) for _ in range(4)]
    for starter in starters:
        starter.stdin.write("go\n")
        starter.stdin.flush()
    answers = [starter.communicate()[0] for starter in starters]
    assert len(answers[0].strip()) == 64
    assert len(set(answers)) == 1


def test_half_a_file_left_by_a_crash_is_not_the_key(path: Path) -> None:
    path.with_name(".machine.key.0123456789abcdef.tmp").write_bytes(b"half")
    MachineKey.load_or_create(path)
    assert len(path.read_bytes()) == 32


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 31, b"x" * 33])
def test_a_key_of_the_wrong_length_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StorageError, match="damaged"):
        MachineKey.load_or_create(path)
    assert path.read_bytes() == content


@posix_only
def test_the_file_is_readable_by_its_owner_alone(path: Path) -> None:
    MachineKey.load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600


@posix_only
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_that_others_may_read_is_refused_with_the_fix(path: Path, mode: int) -> None:
    MachineKey.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(StorageError, match="chmod 600"):
        MachineKey.load_or_create(path)


@posix_only
def test_a_link_or_a_folder_in_its_place_is_refused(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"x" * 32)
    elsewhere.chmod(0o600)
    path.symlink_to(elsewhere)
    with pytest.raises(StorageError):
        MachineKey.load_or_create(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError):
        MachineKey.load_or_create(path)


def test_a_folder_that_does_not_exist_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        MachineKey.load_or_create(tmp_path / "nowhere" / "machine.key")


def test_every_label_gives_a_key_of_its_own(path: Path) -> None:
    key = MachineKey.load_or_create(path)
    derived = {key.derive(label) for label in LABELS}
    assert len(derived) == len(LABELS)
    assert {len(each) for each in derived} == {32}
    assert path.read_bytes() not in derived


def test_the_derivation_never_changes_between_releases() -> None:
    assert (
        MachineKey(bytes(32)).derive(APIKEY_LOOKUP).hex()
        == "a673710c56bafaa22e36c52763b8c650e543742d5c80a5bf314cb55d4ae3ad24"
    )
    assert (
        MachineKey(bytes(32)).digest(APIKEY_LOOKUP, b"message").hex()
        == "365c8a63dd465169c10e574e754aa7e9e70c4b8f03b7250fecc030ab1b2e7754"
    )


def test_its_text_form_shows_nothing() -> None:
    key = MachineKey(b"R" * 32)
    key.derive(CSRF)
    assert repr(key) == str(key) == "MachineKey(***)"
