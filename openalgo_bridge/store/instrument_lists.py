"""Takes over instrument lists: the embedded one of each day, or a broker's. The only writer of ``instruments.db``.

A new list is written beside the one in force, checked, compared with it and put in its place, all in one transaction:
whoever reads meanwhile reads the former one, and a list that is refused leaves it as it was. Nobody waits, because
nothing else writes this file. (A second file could not take the place of one that Windows has open.)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from datetime import date
from functools import partial
from itertools import islice

from openalgo_bridge.clock import Clock, day_in_india, from_ms
from openalgo_bridge.errors import Conflict, Invalid
from openalgo_bridge.model.calendar import Calendar
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.instrument_list import EMBEDDED, Difference, InstrumentChange, LoadedList
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store import embedded_list
from openalgo_bridge.store import instrument_list_checks as checks
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.instrument_search import words_of
from openalgo_bridge.store.instruments import COLUMNS, Instruments
from openalgo_bridge.store.instruments_in_use import InstrumentName

MOST_INSTRUMENTS = 1_000_000
"""Over five times what all Indian exchanges list together."""

_WITHOUT_CONTRACTS = "without contracts"
_FORMER_KEPT_DAYS = 35
_LISTS_KEPT = 40
_LATEST = "SELECT * FROM instrument_list ORDER BY id DESC LIMIT 1"
_MARKS = ", ".join("?" * len(COLUMNS.split(",")))

# As a trader expects them in a search, NSE before the others.
_AS_SHOWN = """
    CASE kind WHEN 'INDEX' THEN 0 WHEN 'EQ' THEN 1 WHEN 'FUT' THEN 2 ELSE 3 END,
    expiry,
    exchange NOT IN ('NSE', 'NSE_INDEX', 'NFO'),
    CASE kind WHEN 'EQ' THEN symbol ELSE name END, CAST(strike AS REAL), symbol"""

_COMPARED = (
    (Difference.TOKEN, "token"),
    (Difference.LOT, "lot"),
    (Difference.TICK, "tick"),
    (Difference.FREEZE_QUANTITY, "freeze_quantity"),
)
# Rows of one list, ``here``, that the other one does not have; rows of both.
_ONLY_IN = (
    "FROM {0} AS here WHERE NOT EXISTS "
    "(SELECT 1 FROM {1} AS there WHERE there.exchange = here.exchange AND there.symbol = here.symbol)"
)
_IN_BOTH = (
    "FROM incoming AS here JOIN main.instrument AS there "
    "ON there.exchange = here.exchange AND there.symbol = here.symbol WHERE true"
)


class InstrumentLists:
    """See the module. ``instruments`` is told to forget what a new list makes old; ``in_use`` names what positions
    and orders are in.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        instruments: Instruments,
        calendar: Callable[[], Calendar],
        in_use: Callable[[], Collection[InstrumentName]],
    ) -> None:
        self._db = db
        self._clock = clock
        self._instruments = instruments
        self._calendar = calendar
        self._in_use = in_use
        # The list that look-ups were last made in, and the list and day that were last found to belong together.
        self._seen = 0
        self._rolled = (0, date.min)

    def ensure(self) -> None:
        """The shares and indices of the embedded list, where there is no list at all. Raises StorageError.

        Its contracts take longer to write and belong to a day: :meth:`roll` brings them.
        """
        if self.latest() is None:
            self._embed(embedded_list.shares_and_indices(), _WITHOUT_CONTRACTS, after=0, today=None)

    def roll(self) -> None:
        """Bring the embedded list to today; a broker's is left alone. Cheap when nothing is to be done.

        The list is written anew only when something expired since. Also forgets what was looked up when another
        process has taken over a list. Raises StorageError.
        """
        today = day_in_india(self._clock.now())
        latest = self.latest()
        if latest is not None and latest.id != self._seen:
            self._instruments.forget()
            self._seen = latest.id
        if latest is None or self._rolled == (latest.id, today):
            return
        if latest.source == EMBEDDED:
            self._roll(latest, today)
        self._rolled = (self._seen, today)

    def _roll(self, latest: LoadedList, today: date) -> None:
        calendar = self._calendar()
        edition = embedded_list.edition(today, calendar)
        if edition == latest.edition:
            return
        self._embed(embedded_list.embedded_list(today, calendar), edition, after=latest.id, today=today)

    def _embed(self, listed: Iterable[Instrument], edition: str, *, after: int, today: date | None) -> None:
        """What another process has taken over since the list of that number was read was meant, and stays in force."""
        with suppress(Conflict):
            # What a change of the calendar takes away can still be closed, so it keeps no list from coming.
            self.replace(listed, source=EMBEDDED, edition=edition, today=today, accept_fewer=True, only_after=after)

    def replace(
        self,
        instruments: Iterable[Instrument],
        *,
        source: str,
        edition: str,
        today: date | None = None,
        accept_fewer: bool = False,
        only_after: int | None = None,
    ) -> LoadedList:
        """Put a list in the place of the one in force, and say what it changed.

        Raises Invalid, and whatever ``instruments`` raises, for a list that is not taken: empty, far too long, or with
        an instrument twice; unless ``accept_fewer`` also for one that is less than half as long as the former one,
        from wherever that was, or lacks what positions and orders are in. Raises Conflict where ``only_after`` is
        given and not the number of the former list (0: where there is none). Raises StorageError. In each case the
        former list stays in force.
        """
        today = today or day_in_india(self._clock.now())
        in_use = self._in_use()
        with self._db.transaction() as db:
            former = _loaded(db.execute(_LATEST).fetchone())
            if only_after not in (None, 0 if former is None else former.id):
                raise Conflict("Another list was taken over meanwhile. It stays in force.")
            checks.note_in_use(db, in_use)
            _stage(db, instruments)
            checks.refuse_twice(db)
            list_id = _enter(db, source, edition, today, self._clock.now_ms())
            conflicts = _set_conflicts_aside(db, list_id)
            checks.refuse_empty(db)
            if not accept_fewer:
                checks.refuse_short(db, former)
                checks.refuse_missing(db, today)
            _compare(db, list_id, today, conflicts, keep_lines=_is_comparable(former, source))
            _take_over(db, today)
            _prune(db, today)
            loaded = _loaded(db.execute(_LATEST).fetchone())
        self._instruments.forget()
        if loaded is None:
            raise RuntimeError("the list that was just entered is not there")
        self._seen = loaded.id
        return loaded

    def latest(self) -> LoadedList | None:
        """The list in force. Raises StorageError."""
        return _loaded(self._db.read_one(_LATEST))

    def loaded(self, limit: int = _LISTS_KEPT) -> list[LoadedList]:
        """The lists of the last weeks, newest first. Raises StorageError."""
        rows = self._db.read("SELECT * FROM instrument_list ORDER BY id DESC LIMIT ?", (limit,))
        return [found for row in rows if (found := _loaded(row)) is not None]

    def changes(
        self, list_id: int, *, what: Difference | None = None, after: int = 0, limit: int = 100
    ) -> list[InstrumentChange]:
        """What a list changed, in the order of their numbers, those after number ``after``; ``what`` names one kind.

        Kept only where the former list had the same source: against another one everything differs. Raises
        StorageError.
        """
        rows = self._db.read(
            "SELECT id, exchange, symbol, what, before, after FROM instrument_change "
            "WHERE list_id = ? AND id > ? AND ? IN ('', what) ORDER BY id LIMIT ?",
            (list_id, after, what or "", limit),
        )
        return [
            InstrumentChange(
                id=number, exchange=Exchange(exchange), symbol=symbol, what=Difference(what), before=before, after=after
            )
            for number, exchange, symbol, what, before, after in rows
        ]


def _loaded(row: Row | None) -> LoadedList | None:
    if row is None:
        return None
    return LoadedList(
        id=row["id"],
        source=row["source"],
        edition=row["edition"],
        day=date.fromisoformat(row["day"]),
        loaded_at=from_ms(row["loaded_at"]),
        size=row["size"],
        appeared=row["appeared"],
        vanished=row["vanished"],
        expired=row["expired"],
        changed=row["changed"],
        conflicts=row["conflicts"],
    )


def _is_comparable(former: LoadedList | None, source: str) -> bool:
    return former is not None and former.source == source and former.edition != _WITHOUT_CONTRACTS


# -- in the order of a take-over -------------------------------------------------------------------------


def _stage(db: sqlite3.Connection, instruments: Iterable[Instrument]) -> None:
    """Beside the list in force, in a table of this connection alone."""
    db.execute("DROP TABLE IF EXISTS temp.incoming")
    db.execute(
        f"CREATE TEMP TABLE incoming AS SELECT {COLUMNS}, '' AS words, '' AS inside FROM main.instrument WHERE false"
    )
    rows = (_row(embedded_list.with_known_terms(each)) for each in islice(instruments, MOST_INSTRUMENTS + 1))
    number = db.executemany(f"INSERT INTO incoming VALUES ({_MARKS}, ?, ?)", rows).rowcount
    if number > MOST_INSTRUMENTS:
        raise Invalid(f"This list has more than {MOST_INSTRUMENTS} instruments. The former list stays in force.")
    db.execute("CREATE INDEX temp.incoming_by_symbol ON incoming (exchange, symbol)")


def _enter(db: sqlite3.Connection, source: str, edition: str, today: date, at_ms: int) -> int:
    entered = db.execute(
        "INSERT INTO instrument_list (source, edition, day, loaded_at, size, appeared, vanished, expired, changed, "
        "conflicts) VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0, 0)",
        (source, edition, today.isoformat(), at_ms),
    )
    return int(entered.lastrowid or 0)


def _set_conflicts_aside(db: sqlite3.Connection, list_id: int) -> int:
    """Names that two instruments would have are nobody's: an order must not reach the one that was not meant."""
    db.execute("DELETE FROM name_conflict")
    db.execute(
        "INSERT INTO name_conflict (exchange, symbol, claimed_by) "
        "SELECT exchange, symbol, group_concat(CASE broker_symbol WHEN '' THEN symbol ELSE broker_symbol END, ', ') "
        "FROM incoming GROUP BY exchange, symbol HAVING count(*) > 1"
    )
    db.execute(
        "DELETE FROM incoming WHERE EXISTS (SELECT 1 FROM name_conflict AS twice "
        "WHERE twice.exchange = incoming.exchange AND twice.symbol = incoming.symbol)"
    )
    return db.execute(
        "INSERT INTO instrument_change (list_id, exchange, symbol, what, before, after) "
        "SELECT ?, exchange, symbol, ?, '', claimed_by FROM name_conflict",
        (list_id, Difference.CONFLICT),
    ).rowcount


def _compare(db: sqlite3.Connection, list_id: int, today: date, conflicts: int, *, keep_lines: bool) -> None:
    """Count what differs from the list in force; ``keep_lines`` also writes it down."""
    note = partial(_note, db, list_id, keep=keep_lines)
    appeared = note(Difference.APPEARED, _ONLY_IN.format("incoming", "main.instrument"))
    gone = _ONLY_IN.format("main.instrument", "incoming")
    vanished = note(Difference.VANISHED, f"{gone} AND (here.expiry = '' OR here.expiry >= ?)", (today.isoformat(),))
    for difference, column in _COMPARED:
        differing = f"{_IN_BOTH} AND here.{column} <> there.{column}"
        note(difference, differing, before=f"there.{column}", after=f"here.{column}")
    anything = " OR ".join(f"here.{column} <> there.{column}" for _, column in _COMPARED)
    db.execute(
        "UPDATE instrument_list SET appeared = ?, vanished = ?, conflicts = ?, "
        f"expired = (SELECT count(*) {gone}) - ?, changed = (SELECT count(*) {_IN_BOTH} AND ({anything})), "
        "size = (SELECT count(*) FROM incoming) WHERE id = ?",
        (appeared, vanished, conflicts, vanished, list_id),
    )


def _note(
    db: sqlite3.Connection,
    list_id: int,
    what: Difference,
    found: str,
    values: tuple[str, ...] = (),
    *,
    keep: bool,
    before: str = "''",
    after: str = "''",
) -> int:
    """How many rows ``found`` has; ``keep`` writes a line for each."""
    if not keep:
        return int(db.execute(f"SELECT count(*) {found}", values).fetchone()[0])
    return db.execute(
        "INSERT INTO instrument_change (list_id, exchange, symbol, what, before, after) "
        f"SELECT ?, here.exchange, here.symbol, ?, {before}, {after} {found} ORDER BY here.exchange, here.symbol",
        (list_id, what, *values),
    ).rowcount


def _take_over(db: sqlite3.Connection, today: date) -> None:
    """The former rows that are gone are kept for a while; the new ones are numbered in the order of a search."""
    db.execute(
        f"INSERT OR REPLACE INTO former_instrument ({COLUMNS}, left_on) "
        f"SELECT {COLUMNS}, ? {_ONLY_IN.format('main.instrument', 'incoming')}",
        (today.isoformat(),),
    )
    db.execute(
        "DELETE FROM former_instrument AS here WHERE EXISTS (SELECT 1 FROM incoming AS there "
        "WHERE there.exchange = here.exchange AND there.symbol = here.symbol)"
    )
    db.execute("DELETE FROM instrument")
    db.execute(f"INSERT INTO instrument ({COLUMNS}) SELECT {COLUMNS} FROM incoming ORDER BY {_AS_SHOWN}")
    db.execute("INSERT INTO instrument_words (instrument_words) VALUES ('delete-all')")
    db.execute(
        "INSERT INTO instrument_words (rowid, words, inside, place) "
        "SELECT id, words, inside, exchange FROM instrument JOIN incoming USING (exchange, symbol) ORDER BY id"
    )
    db.execute("INSERT INTO instrument_words (instrument_words) VALUES ('optimize')")
    db.execute("DROP TABLE temp.incoming")


def _prune(db: sqlite3.Connection, today: date) -> None:
    kept_since = date.fromordinal(max(1, today.toordinal() - _FORMER_KEPT_DAYS))
    # What is held is named as long as it is: to be valued, and to be closed.
    db.execute(
        "DELETE FROM former_instrument AS here WHERE left_on < ? AND NOT EXISTS "
        "(SELECT 1 FROM temp.in_use AS used WHERE used.exchange = here.exchange AND used.symbol = here.symbol)",
        (kept_since.isoformat(),),
    )
    db.execute("DROP TABLE temp.in_use")
    db.execute("DELETE FROM instrument_list WHERE id <= (SELECT max(id) FROM instrument_list) - ?", (_LISTS_KEPT,))


def _row(instrument: Instrument) -> tuple[str | int, ...]:
    return (
        instrument.exchange,
        instrument.symbol,
        instrument.name,
        instrument.kind,
        instrument.lot,
        str(instrument.tick),
        instrument.freeze_quantity,
        instrument.token,
        str(instrument.reference_price),
        instrument.expiry.isoformat() if instrument.expiry else "",
        str(instrument.strike),
        instrument.broker_symbol,
        instrument.broker_exchange,
        instrument.multiplier,
        *words_of(instrument),
    )
