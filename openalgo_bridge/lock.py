"""One process at a time (security T32): an operating-system lock, held for life and gone with the process."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openalgo_bridge.errors import Conflict, StorageError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

INSTANCE_LOCK = "bridge.lock"
"""The lock's name inside the data folder."""

# Windows locks bytes, and a locked byte cannot be read; so the lock lies far beyond the text.
_LOCKED_BYTE = 1 << 30
_TEXT_BYTES = 500
_TRIES = 4
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has the lock. ``pid`` is None for the instant before the holder has written its name."""

    pid: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.pid is None else f"{self.what} (process {self.pid})"


def bridge_at(url: str) -> str:
    """How a bridge that serves names itself in its lock."""
    return f"the bridge at {url}"


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Hold the lock ``path`` for the time of the block, and tell others ``what`` holds it.

    Raises Conflict naming the holder, within half a second, when another process has it; StorageError when the
    file cannot be opened.
    """
    descriptor = _open(path, os.O_RDWR | os.O_CREAT)
    try:
        if not _taken_patiently(descriptor):
            raise Conflict(f"Already running: {_read(descriptor)}.")
        _write(descriptor, f"{os.getpid()} {what}\n")
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock ``path``; None when nobody does. Raises StorageError when the file cannot be opened."""
    try:
        descriptor = _open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        return None if _taken(descriptor) else _read(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path, flags: int) -> int:
    # A link planted here would have its target overwritten with our name.
    try:
        return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StorageError(f"{path} is a link to another file. Remove it and start again.") from error
        raise StorageError(f"{path} cannot be opened: {error.strerror}.") from error


def _taken_patiently(descriptor: int) -> bool:
    """A ``holder()`` elsewhere has the lock for an instant; that must not look like a running bridge."""
    for _ in range(_TRIES):
        if _taken(descriptor):
            return True
        time.sleep(_PAUSE_S)
    return False


def _taken(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _read(descriptor: int) -> Holder:
    os.lseek(descriptor, 0, os.SEEK_SET)
    text = os.read(descriptor, _TEXT_BYTES).decode("utf-8", errors="replace").strip()
    pid, _, what = text.partition(" ")
    return Holder(pid=int(pid) if pid.isdecimal() else None, what=what or "another bridge")


def _write(descriptor: int, text: str) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, text.encode("utf-8"))
