"""One bridge on one folder, checked with real processes (security T32)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openalgo_bridge import lock
from openalgo_bridge.errors import Conflict, StorageError
from openalgo_bridge.settings import PROJECT_FOLDER

_HOLD = """
import sys
from pathlib import Path
from openalgo_bridge import lock
with lock.hold(Path(sys.argv[1]), "the bridge at http://127.0.0.1:5000"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / lock.INSTANCE_LOCK


@pytest.fixture
def other(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(PROJECT_FOLDER)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_where_the_first_is(path: Path, other: subprocess.Popen[str]) -> None:
    with pytest.raises(Conflict) as refused, lock.hold(path, "me"):
        pass
    assert "http://127.0.0.1:5000" in refused.value.message
    assert str(other.pid) in refused.value.message


def test_the_holder_can_be_named_without_taking_the_lock(path: Path, other: subprocess.Popen[str]) -> None:
    holder = lock.holder(path)
    assert holder == lock.Holder(pid=other.pid, what="the bridge at http://127.0.0.1:5000")


def test_a_killed_holder_leaves_the_lock_free(path: Path, other: subprocess.Popen[str]) -> None:
    other.kill()
    other.wait()
    assert lock.holder(path) is None
    with lock.hold(path, "me"):
        assert path.read_text(encoding="utf-8") == f"{os.getpid()} me\n"


def test_the_lock_is_free_after_the_block(path: Path) -> None:
    with lock.hold(path, "a name that is much longer than the next one"):
        pass
    with lock.hold(path, "me"):
        assert path.read_text(encoding="utf-8") == f"{os.getpid()} me\n"
    assert lock.holder(path) is None


def test_nobody_holds_a_lock_that_was_never_made(path: Path) -> None:
    assert lock.holder(path) is None
    assert not path.exists()


def test_a_holder_that_has_not_written_its_name_is_still_a_holder(path: Path, other: subprocess.Popen[str]) -> None:
    path.write_text("", encoding="utf-8")
    holder = lock.holder(path)
    assert holder is not None
    assert str(holder) == "another bridge"


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="only POSIX can refuse to follow a link")
def test_a_link_in_its_place_is_refused_and_its_target_left_alone(path: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious", encoding="utf-8")
    path.symlink_to(outside)
    with pytest.raises(StorageError, match="is a link"), lock.hold(path, "me"):
        pass
    assert outside.read_text(encoding="utf-8") == "precious"
