"""Copies of ``bridge.db``: making one beside a running bridge, and putting one in its place.

A copy is whole or not there. It is made as a draft beside its name, checked, written through to the disk, and only
then given the name in one step. What is good on this PC alone (``machine.key``) is in no copy; who is signed in and
who mistyped a password are deleted from it, and nothing deleted is left between its pages.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlite_utils

from openalgo_bridge.errors import Conflict, Invalid, NotFound, StorageError
from openalgo_bridge.store import failed_logins, schema, sessions

KEPT_ASIDE = "bridge.db.before-restore-"
"""How the name of a former ``bridge.db`` begins."""

# Begins as the database's own files do, so that the folder's owner alone may read it.
_DRAFT = "bridge.db.draft-"
_SIDE_FILES = ("-wal", "-journal")
_LONGEST_WAIT_S = 2
_TRIES = 10
_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a copy holds, for the person who made it."""

    username: str
    orders: int


def make(source: Path, target: Path, *, overwrite: bool) -> Contents:
    """Copy the database ``source``, which others may be writing, to ``target``: one moment of it, without sessions.

    Raises NotFound when there is no ``source``, Conflict when there is a ``target`` that may not be overwritten, and
    StorageError when the database is damaged or the copy cannot be written. There is no half copy then, and a former
    ``target`` is as it was.
    """
    if not source.exists():
        raise NotFound("There is nothing to back up yet: no bridge was set up here.")
    if target.exists() and not overwrite:
        raise Conflict(f"{target} exists already. Choose another name, or add --overwrite.")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with _told(f"The backup {target} could not be made"):
            _copy(_read_only(source), draft)
            contents = _cleanse(draft)
            _flush(draft)
            _publish(draft, target, overwrite=overwrite)
    finally:
        _remove(draft)
    return contents


@contextmanager
def drafted(file: Path, folder: Path) -> Iterator[Path]:
    """A copy of the backup ``file`` in the data folder, checked; gone at the end unless it was put in place.

    ``file`` may also be a ``bridge.db`` that was copied or kept aside. Raises NotFound when it is not there, Invalid
    when it is no backup of a bridge, is damaged, or was made by a newer bridge; StorageError when the copy cannot be
    made.
    """
    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    for left_by_a_crash in folder.glob(f"{_DRAFT}*"):
        left_by_a_crash.unlink(missing_ok=True)
    draft = folder / f"{_DRAFT}{secrets.token_hex(8)}"
    try:
        with _told(f"{file} could not be copied"):
            _fetch(file, draft)
        _check(draft, file)
        yield draft
    finally:
        _remove(draft)


@contextmanager
def snapshot(live: Path) -> Iterator[Path]:
    """A copy of ``live`` to look things up in, gone at the end; ``live`` and its log are only read.

    Raises StorageError when it cannot be read.
    """
    draft = live.with_name(f"{_DRAFT}{secrets.token_hex(8)}")
    try:
        with _told(f"{live.name} could not be read"):
            _copy(_read_only(live), draft)
        yield draft
    finally:
        _remove(draft)


def name_aside(folder: Path, moment: datetime) -> Path:
    """A free name for the former ``bridge.db``."""
    name = f"{KEPT_ASIDE}{moment:%Y%m%d-%H%M%S}"
    taken = len(list(folder.glob(f"{name}*")))
    return folder / (f"{name}-{taken + 1}" if taken else name)


def put_in_place(draft: Path, live: Path, aside: Path) -> None:
    """Let ``draft``, which nobody has open, be the database ``live``, and keep the former one as ``aside``.

    There is a whole database under the name at every moment, whenever the power goes. Raises Conflict while another
    program has the former one open, and StorageError; it is in place then.
    """
    with _told("The backup could not be put in place"):
        _rest(draft)
        _flush(draft)
        if live.exists():
            _set_aside(live, aside)
        # SQLite would apply what is in them to the new file.
        for suffix in (*_SIDE_FILES, "-shm"):
            _beside(live, suffix).unlink(missing_ok=True)
        _replace(draft, live)
        _flush_names(live.parent)


def _read_only(path: Path) -> str:
    return f"{path.resolve().as_uri()}?mode=ro"


def _unwritten(path: Path) -> str:
    """For a file that nobody writes: it may then lie on a disk that cannot be written."""
    has_log = any(_beside(path, suffix).exists() for suffix in _SIDE_FILES)
    return _read_only(path) if has_log else f"{path.resolve().as_uri()}?mode=ro&immutable=1"


def _copy(source: str, draft: Path) -> None:
    """Through SQLite, in one read transaction: it sees no half commit and keeps no writer waiting."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(draft, flags, 0o600))
    with closing(sqlite3.connect(source, uri=True)) as whole, closing(sqlite3.connect(draft)) as copy:
        whole.backup(copy)


def _cleanse(draft: Path) -> Contents:
    with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
        # Out of the write-ahead log, so that the copy is one file; the draft is thrown away after a crash, so its own
        # journal need not be on the disk.
        copy.execute("PRAGMA journal_mode=MEMORY")
        copy.execute("PRAGMA temp_store=MEMORY")
        sessions.end_others(copy, None)
        failed_logins.forget_all(copy)
        # Deleted rows stay in free pages until a file is written anew: these, and those deleted long ago.
        copy.execute("VACUUM")
        faults = _faults_of(copy)
        if faults:
            raise StorageError(f"bridge.db is damaged ({faults[0]}), so no backup was made. Ask run.py doctor.")
        user = copy.execute("SELECT username FROM user").fetchone()
        orders: int = copy.execute("SELECT count(*) FROM orders").fetchone()[0]
        return Contents(username=user[0] if user else "", orders=orders)


def _fetch(file: Path, draft: Path) -> None:
    try:
        _copy(_unwritten(file), draft)
    except sqlite3.OperationalError:
        raise  # such as a full disk, which says nothing about the file
    except sqlite3.DatabaseError as error:
        raise Invalid(f"{file} is no backup of this bridge: {error}.") from error


def _check(draft: Path, file: Path) -> None:
    """Raises Invalid, naming ``file``."""
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
            applied = {migration.name for migration in schema.bridge.applied(sqlite_utils.Database(copy))}
            faults = _faults_of(copy)
    except sqlite3.DatabaseError as error:
        raise Invalid(f"{file} is damaged: {error}. Take another backup.") from error
    if not applied:
        raise Invalid(f"{file} is no backup of this bridge.")
    if applied - _known():
        raise Invalid(f"{file} was made by a newer bridge. Update this one first.")
    if faults:
        raise Invalid(f"{file} is damaged: {faults[0]}. Take another backup.")


def _known() -> set[str]:
    """Every migration of this program: an empty database has them all before it."""
    with closing(sqlite3.connect(":memory:")) as empty:
        return {migration.name for migration in schema.bridge.pending(sqlite_utils.Database(empty))}


def _faults_of(copy: sqlite3.Connection) -> list[str]:
    answers = [str(row[0]) for row in copy.execute("PRAGMA quick_check(5)")]
    return [] if answers == ["ok"] else answers


def _publish(draft: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        _replace(draft, target)
    else:
        _give_free_name(draft, target)
    _flush_names(target.parent)


def _give_free_name(draft: Path, target: Path) -> None:
    """Raises FileExistsError when somebody made the target meanwhile."""
    if os.name != "posix":
        draft.rename(target)  # on Windows a rename refuses an existing target
        return
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:
        # A memory stick's file system knows no second name.
        if target.exists():
            raise
        draft.replace(target)


def _set_aside(live: Path, aside: Path) -> None:
    """A second name for ``live``, with all that stands in its log. A damaged one keeps its log beside it."""
    log, log_aside = _beside(live, "-wal"), _beside(aside, "-wal")
    # First, because SQLite deletes a log that it cannot make sense of.
    _keep(log, log_aside)
    try:
        _rest(live)
    except Conflict:
        log_aside.unlink(missing_ok=True)
        raise
    except sqlite3.DatabaseError:
        _keep(live, aside)
    else:
        log_aside.unlink(missing_ok=True)
        _keep(live, aside)
    _flush_names(live.parent)


def _rest(path: Path) -> None:
    """Bring what stands in the log into the file, and make sure that nobody else has it open. Raises Conflict.

    Who had it open would go on writing a log under the old name, which SQLite would apply to the new file.
    """
    try:
        with closing(sqlite3.connect(path, timeout=_LONGEST_WAIT_S, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise Conflict(f"Another program has {path.name} open. Close it and try again.") from error
        raise


def _keep(former: Path, aside: Path) -> None:
    """A second name for the same file, or a copy where the file system knows none. Never overwrites."""
    if not former.exists():
        return
    try:
        os.link(former, aside)
    except FileExistsError:
        raise
    except OSError:
        with former.open("rb") as source, aside.open("xb") as copy:
            shutil.copyfileobj(source, copy)
        _flush(aside)


def _replace(draft: Path, target: Path) -> None:
    """On Windows a virus scanner may have the file open for a moment (dependencies 4.7)."""
    for _ in range(_TRIES - 1):
        try:
            draft.replace(target)
        except PermissionError:
            time.sleep(_PAUSE_S)
        else:
            return
    draft.replace(target)


def _flush(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _flush_names(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(draft: Path) -> None:
    for suffix in ("", *_SIDE_FILES, "-shm"):
        _beside(draft, suffix).unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise Conflict(f"{what}: {error.filename2 or error.filename} exists already.") from error
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"{what}: {getattr(error, 'strerror', None) or error}.") from error
