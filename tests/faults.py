"""A database whose every statement can be watched, refused or survived by nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from openalgo_bridge.desk import Desk
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.guards import Guards
from openalgo_bridge.store.idempotency import Idempotency
from openalgo_bridge.store.journal import Journal
from openalgo_bridge.store.kill_switch import KillSwitch
from openalgo_bridge.store.preferences import Preferences
from openalgo_bridge.store.standing import StandingReads

Watcher = Callable[[str], None]


def _nothing(_: str) -> None:
    pass


class WatchedDatabase(Database):
    """Real SQLite. ``before`` and ``after`` learn of each statement, and may raise or end the process."""

    def __init__(self, path: Path, *, before: Watcher = _nothing, after: Watcher = _nothing) -> None:
        super().__init__(path, synchronous="FULL")
        self._watched = (before, after)

    def _open(self) -> Any:
        return _Watched(super()._open(), *self._watched)


class _Watched:
    def __init__(self, connection: sqlite3.Connection, before: Watcher, after: Watcher) -> None:
        self._connection = connection
        self._before = before
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        self._before(sql)
        cursor = self._connection.execute(sql, *parameters)
        self._after(sql)
        return cursor


class NthFails:
    """Counts statements; while armed, the one with the number ``n`` fails, before or after it was carried out.

    ``was_claimed``: by then an order had been committed as one that is being sent. ``failures``: how many failed, one
    after another, before a turn went well.
    """

    def __init__(self) -> None:
        self.n: int | None = None
        self.is_late = False
        self.count = 0
        self.failures = 0
        self.was_claimed = False
        self._is_claiming = False

    def each_statement(self, *, is_late: bool = False) -> Iterator[int]:
        """For a loop whose every turn tries the same thing: in the first its first statement fails, in the next its
        second, until a turn has fewer and nothing fails. Yields the number of the statement.
        """
        for n in count(1):
            self._arm(n, is_late=is_late)
            yield n
            self.n = None
            if self.count < n:
                return
            self.failures = n

    @property
    def has_failed(self) -> bool:
        """Since it was armed."""
        return self.n is not None and self.count >= self.n

    def before(self, _: str) -> None:
        self.count += 1
        if self.count == self.n and not self.is_late:
            raise sqlite3.OperationalError("disk I/O error")

    def after(self, sql: str) -> None:
        if self.count == self.n and self.is_late:
            raise sqlite3.OperationalError("disk I/O error")
        if not self.has_failed:
            self.was_claimed = self.was_claimed or (self._is_claiming and sql == "COMMIT")
            self._is_claiming = self._is_claiming or sql.startswith("INSERT INTO orders")

    def _arm(self, n: int, *, is_late: bool) -> None:
        self.n, self.is_late, self.count = n, is_late, 0
        self.was_claimed = self._is_claiming = False


def with_database(desk: Desk, database: Database, journal: type[Journal] = Journal) -> Desk:
    """The same desk, whose order path uses ``database``, another handle of the same file."""
    clock = desk.clock
    store = replace(
        desk.store,
        preferences=Preferences(database, clock),
        guards=Guards(database, clock),
        kill_switch=KillSwitch(database, clock),
        standing=StandingReads(database),
        idempotency=Idempotency(database, clock),
        journal=journal(database, clock),
    )
    return replace(desk, store=store)
