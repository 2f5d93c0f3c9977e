"""One SQLite file: a connection for one thread at a time, one process-wide write lock, explicit transactions.

Why: a connection shared by threads loses rows when another thread rolls back (security M8), a deferred
transaction that reads and then writes fails at once with "locked" (M9), and without one lock SQLite's own
back-off costs up to 800 ms (M17).

Who needs a connection is lent the one that was used last, which still knows its statements and pages. The web server
asks its threads in turn, and with a connection for each, the first order of every thread took half as long again.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import sqlite_utils

from openalgo_bridge.errors import StorageError

Parameters = Sequence[Any] | Mapping[str, Any]
Row = sqlite3.Row

_BUSY_TIMEOUT_MS = 5000
_LEFT_ALONE_S = 1.0
_PRIMARY_CODE = 0xFF


class Database:
    """``synchronous`` FULL survives a power cut (security M11); NORMAL only a crash of the process.

    ``patience_ms`` is for a file that nobody should wait for: how long a write waits for another program that holds
    the file. After that, writes are refused at once for a second: whoever waits holds the write lock meanwhile, and
    the waits of all that come would add up.
    """

    def __init__(
        self,
        path: Path,
        *,
        synchronous: Literal["FULL", "NORMAL"],
        patience_ms: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._synchronous = synchronous
        self._is_impatient = patience_ms is not None
        self._busy_timeout_ms = _BUSY_TIMEOUT_MS if patience_ms is None else patience_ms
        self._monotonic = monotonic
        self._left_alone_until = 0.0
        self._write_lock = threading.Lock()
        self._lock = threading.Lock()
        # Under _lock: all connections there are, and those that nobody uses, the one used last at the end.
        self._opened: set[sqlite3.Connection] = set()
        self._idle: list[sqlite3.Connection] = []
        self._kept = threading.local()

    def migrate(self, migrations: sqlite_utils.Migrations) -> None:
        """Apply the pending migrations, with patience. Raises StorageError."""
        with self._write_lock, _Lent(self) as connection, self._waiting(connection, _BUSY_TIMEOUT_MS):
            migrations.apply(_tables(connection))

    def is_current(self, migrations: sqlite_utils.Migrations) -> bool:
        """False where a migration is pending. Changes nothing. Raises StorageError."""
        with _Lent(self) as connection:
            return not migrations.pending(_tables(connection))

    def applied(self, migrations: sqlite_utils.Migrations) -> list[str]:
        """The names of the migrations that the file has, the newest last. Changes nothing. Raises StorageError."""
        with _Lent(self) as connection:
            return [each.name for each in migrations.applied(_tables(connection))]

    @property
    def tables(self) -> sqlite_utils.Database:
        """The connection used last with sqlite-utils around it, for set-up: nothing else may use the file then."""
        with _Lent(self) as connection:
            return _tables(connection)

    def read(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query. Raises StorageError."""
        with _Lent(self) as connection:
            return connection.execute(sql, parameters).fetchall()

    def read_one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, or None when there is none. Raises StorageError."""
        with _Lent(self) as connection:
            row: Row | None = connection.execute(sql, parameters).fetchone()
            return row

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """The rows of a query, a few at a time. Raises StorageError."""
        with _Lent(self) as connection, closing(connection.execute(sql, parameters)) as rows:
            yield from rows

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several reads of one moment, without the write lock. Raises StorageError."""
        self._refuse_nested()
        with _Lent(self) as connection, self._keeping(connection):
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def transaction(self, *, wait_ms: int | None = None, is_synced: bool = True) -> Iterator[sqlite3.Connection]:
        """``BEGIN IMMEDIATE`` under the write lock; commits at the end, rolls back on any error.

        Raises StorageError when the database cannot be written. Not re-entrant: a nested call is a mistake
        and raises RuntimeError rather than waiting for itself. ``wait_ms`` is for what may be left undone: how long
        to wait for this program's other threads, and then for other programs, before it is a StorageError.
        Without ``is_synced`` a power cut, no crash, may undo it until the next commit, which takes it to the disk.
        """
        self._refuse_nested()
        with (
            self._alone(wait_ms),
            _Lent(self, writes=True) as connection,
            self._waiting(connection, wait_ms),
            self._syncing(connection, is_synced=is_synced),
            self._keeping(connection),
        ):
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def write(self, sql: str, parameters: Parameters = ()) -> int:
        """One statement in its own transaction; returns the number of rows changed. Raises StorageError."""
        with self._write_lock, _Lent(self, writes=True) as connection:
            return connection.execute(sql, parameters).rowcount

    def insert(self, sql: str, parameters: Parameters = ()) -> int:
        """One INSERT in its own transaction; returns the new row's id. Raises StorageError."""
        with self._write_lock, _Lent(self, writes=True) as connection:
            return int(connection.execute(sql, parameters).lastrowid or 0)

    def close(self) -> None:
        """Close all connections. The file can then be moved, on Windows too."""
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
            self._idle.clear()

    def lend(self) -> tuple[sqlite3.Connection, bool]:
        """A connection, and whether it must be given back: the thread's own transaction is no loan."""
        kept: sqlite3.Connection | None = getattr(self._kept, "connection", None)
        if kept is not None:
            return kept, False
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        connection = self._open()
        with self._lock:
            self._opened.add(connection)
        return connection, True

    def take_back(self, connection: sqlite3.Connection) -> None:
        """For who needs one next. One that was given up, or closed meanwhile, is nobody's."""
        self._roll_back(connection)
        with self._lock:
            if connection in self._opened:
                self._idle.append(connection)

    def refuse_while_left_alone(self) -> None:
        """Called under the write lock. Raises StorageError while another program has tried our patience."""
        if self._left_alone_until and self._monotonic() < self._left_alone_until:
            raise StorageError(f"The database {self.path.name} is being written by another program.")

    def note_error(self, error: sqlite3.Error) -> None:
        """Leave the file alone for a while where somebody else holds it."""
        # Errors that are not SQLite's own have no code.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY_CODE
        if self._is_impatient and code == sqlite3.SQLITE_BUSY:
            self._left_alone_until = self._monotonic() + _LEFT_ALONE_S

    def _refuse_nested(self) -> None:
        if getattr(self._kept, "connection", None) is not None:
            raise RuntimeError("a transaction of this thread is already open")

    @contextmanager
    def _keeping(self, connection: sqlite3.Connection) -> Iterator[None]:
        """What this thread reads meanwhile, it reads in the transaction that begins here. None is left open."""
        self._kept.connection = connection
        try:
            yield
        finally:
            self._kept.connection = None
            self._roll_back(connection)

    @contextmanager
    def _alone(self, wait_ms: int | None) -> Iterator[None]:
        """Under the write lock; for ``wait_ms`` see :meth:`transaction`."""
        if wait_ms is None:
            with self._write_lock:
                yield
            return
        if not self._write_lock.acquire(timeout=wait_ms / 1000):
            raise StorageError(f"The database {self.path.name} is being written by another request.")
        try:
            yield
        finally:
            self._write_lock.release()

    @contextmanager
    def _waiting(self, connection: sqlite3.Connection, wait_ms: int | None) -> Iterator[None]:
        if wait_ms is None:
            yield
            return
        with _pragma(connection, f"busy_timeout={wait_ms:d}", after=f"busy_timeout={self._busy_timeout_ms:d}"):
            yield

    @contextmanager
    def _syncing(self, connection: sqlite3.Connection, *, is_synced: bool) -> Iterator[None]:
        if is_synced:
            yield
            return
        with _pragma(connection, "synchronous=NORMAL", after=f"synchronous={self._synchronous}"):
            yield

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        """End what is still open: after COMMIT nothing is, and after some errors SQLite itself rolled back.

        A connection that cannot even do that is given up: nobody may find its transaction.
        """
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            with self._lock:
                self._opened.discard(connection)
            connection.close()

    def _open(self) -> sqlite3.Connection:
        # check_same_thread is off because a connection goes from thread to thread: one at a time.
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout_ms / 1000, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={self._synchronous}",
            # 12 MiB: pages that many commits change are then copied into the file once, not once a second.
            "wal_autocheckpoint=3000",
            "foreign_keys=ON",
            # A row that REPLACE takes away is a row deleted: the triggers of the append-only tables see it.
            "recursive_triggers=ON",
            "trusted_schema=OFF",
            # What was deleted, such as the copy of a key, is overwritten where that costs no further page.
            "secure_delete=FAST",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection


def _tables(connection: sqlite3.Connection) -> sqlite_utils.Database:
    return sqlite_utils.Database(connection, recursive_triggers=False)  # they are on; asking costs a statement


@contextmanager
def _pragma(connection: sqlite3.Connection, setting: str, *, after: str) -> Iterator[None]:
    connection.execute(f"PRAGMA {setting}")
    try:
        yield
    finally:
        # One that was given up after an error is closed by now.
        with suppress(sqlite3.ProgrammingError):
            connection.execute(f"PRAGMA {after}")


class _Lent:
    """A connection for the length of a ``with``, and the one place where SQLite's errors become ours.

    Not a generator: that costs three times as much on every read.
    """

    __slots__ = ("_connection", "_database", "_is_loan", "_writes")

    def __init__(self, database: Database, *, writes: bool = False) -> None:
        self._database = database
        self._writes = writes

    def __enter__(self) -> sqlite3.Connection:
        if self._writes:
            self._database.refuse_while_left_alone()
        try:
            self._connection, self._is_loan = self._database.lend()
        except sqlite3.Error as error:
            raise self._translated(error) from error
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._is_loan:
            self._database.take_back(self._connection)
        if isinstance(error, sqlite3.Error):
            raise self._translated(error) from error

    def _translated(self, error: sqlite3.Error) -> StorageError:
        self._database.note_error(error)
        return StorageError(f"The database {self._database.path.name} cannot be used: {error}")
