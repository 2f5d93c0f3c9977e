"""One SQLite file: a connection per thread, one process-wide write lock, explicit transactions.

Why: a connection shared by threads loses rows when another thread rolls back (security M8), a deferred
transaction that reads and then writes fails at once with "locked" (M9), and without one lock SQLite's own
back-off costs up to 800 ms (M17).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import sqlite_utils

from openalgo_bridge.errors import StorageError

Parameters = Sequence[Any] | Mapping[str, Any]
Row = sqlite3.Row

_BUSY_TIMEOUT_MS = 5000


class Database:
    """``synchronous`` FULL survives a power cut (security M11); NORMAL only a crash of the process."""

    def __init__(self, path: Path, *, synchronous: Literal["FULL", "NORMAL"]) -> None:
        self.path = path
        self._synchronous = synchronous
        self._local = threading.local()
        self._write_lock = threading.Lock()
        self._opened: list[sqlite3.Connection] = []
        self._opened_lock = threading.Lock()

    def migrate(self, migrations: sqlite_utils.Migrations) -> None:
        """Apply the pending migrations. Raises StorageError."""
        with self._write_lock, _translated(self.path):
            migrations.apply(self.tables)

    def is_current(self, migrations: sqlite_utils.Migrations) -> bool:
        """False where a migration is pending. Changes nothing. Raises StorageError."""
        with _translated(self.path):
            return not migrations.pending(self.tables)

    @property
    def tables(self) -> sqlite_utils.Database:
        """This thread's connection with sqlite-utils around it, for migrations and set-up."""
        self._connection()
        tables: sqlite_utils.Database = self._local.tables
        return tables

    def read(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query. Raises StorageError."""
        with _translated(self.path):
            return self._connection().execute(sql, parameters).fetchall()

    def read_one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, or None when there is none. Raises StorageError."""
        with _translated(self.path):
            row: Row | None = self._connection().execute(sql, parameters).fetchone()
            return row

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """The rows of a query, a few at a time. Raises StorageError."""
        with _translated(self.path):
            yield from self._connection().execute(sql, parameters)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several reads of one moment, without the write lock. Raises StorageError."""
        connection = self._connection()
        if connection.in_transaction:
            raise RuntimeError("a transaction of this thread is already open")
        with _translated(self.path):
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                self._roll_back(connection)

    @contextmanager
    def transaction(self, *, wait_ms: int | None = None, is_synced: bool = True) -> Iterator[sqlite3.Connection]:
        """``BEGIN IMMEDIATE`` under the write lock; commits at the end, rolls back on any error.

        Raises StorageError when the database cannot be written. Not re-entrant: a nested call is a mistake
        and raises RuntimeError rather than waiting for itself. ``wait_ms`` is for what may be left undone: how long
        to wait for this program's other threads, and then for other programs, before it is a StorageError.
        Without ``is_synced`` a power cut, no crash, may undo it until the next commit, which takes it to the disk.
        """
        connection = self._connection()
        if connection.in_transaction:
            raise RuntimeError("a transaction of this thread is already open")
        with self._alone(connection, wait_ms), _translated(self.path), self._syncing(connection, is_synced=is_synced):
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                self._roll_back(connection)

    def write(self, sql: str, parameters: Parameters = ()) -> int:
        """One statement in its own transaction; returns the number of rows changed. Raises StorageError."""
        with self._write_lock, _translated(self.path):
            return self._connection().execute(sql, parameters).rowcount

    def insert(self, sql: str, parameters: Parameters = ()) -> int:
        """One INSERT in its own transaction; returns the new row's id. Raises StorageError."""
        with self._write_lock, _translated(self.path):
            return int(self._connection().execute(sql, parameters).lastrowid or 0)

    def close(self) -> None:
        """Close the connections of all threads. The file can then be moved, on Windows too."""
        with self._opened_lock:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
        self._local = threading.local()

    @contextmanager
    def _alone(self, connection: sqlite3.Connection, wait_ms: int | None) -> Iterator[None]:
        """Under the write lock; for ``wait_ms`` see :meth:`transaction`."""
        if wait_ms is None:
            with self._write_lock:
                yield
            return
        if not self._write_lock.acquire(timeout=wait_ms / 1000):
            raise StorageError(f"The database {self.path.name} is being written by another request.")
        try:
            with _translated(self.path):
                connection.execute(f"PRAGMA busy_timeout = {wait_ms:d}")
            yield
        finally:
            self._write_lock.release()
            # One that was given up after an error is closed by now.
            with suppress(sqlite3.ProgrammingError):
                connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS:d}")

    @contextmanager
    def _syncing(self, connection: sqlite3.Connection, *, is_synced: bool) -> Iterator[None]:
        if is_synced:
            yield
            return
        connection.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            # One that was given up after an error is closed by now.
            with suppress(sqlite3.ProgrammingError):
                connection.execute(f"PRAGMA synchronous={self._synchronous}")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        return connection if connection is not None else self._open()

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        """End what is still open: after COMMIT nothing is, and after some errors SQLite itself rolled back.

        A connection that cannot even do that is given up: the next call of this thread must not find its transaction.
        """
        if not connection.in_transaction:
            return
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            del self._local.connection
            connection.close()

    def _open(self) -> sqlite3.Connection:
        with _translated(self.path):
            # check_same_thread is off only so that close() can reach the connections of other threads.
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
            )
            connection.row_factory = sqlite3.Row
            for pragma in (
                "journal_mode=WAL",
                f"synchronous={self._synchronous}",
                # 12 MiB: pages that many commits change are then copied into the file once, not once a second.
                "wal_autocheckpoint=3000",
                "foreign_keys=ON",
                "trusted_schema=OFF",
                # What was deleted, such as the copy of a key, is overwritten where that costs no further page.
                "secure_delete=FAST",
            ):
                connection.execute(f"PRAGMA {pragma}")
        with self._opened_lock:
            self._opened.append(connection)
        self._local.connection = connection
        self._local.tables = sqlite_utils.Database(connection)
        return connection


class _translated:  # noqa: N801 - used as a function; a generator costs three times as much on every read
    """The one place where SQLite's errors become ours."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise StorageError(f"The database {self._path.name} cannot be used: {error}") from error
