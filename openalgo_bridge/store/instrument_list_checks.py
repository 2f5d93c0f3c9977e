"""Why a list is not taken over. Each check raises Invalid, in the transaction that has it in ``temp.incoming``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import date

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.instrument_list import LoadedList
from openalgo_bridge.store.instruments_in_use import InstrumentName

_FEWEST_LEFT = 0.5
_MISSING_TOLD = 5


def note_in_use(db: sqlite3.Connection, in_use: Iterable[InstrumentName]) -> None:
    """In a table of this connection alone."""
    db.execute("DROP TABLE IF EXISTS temp.in_use")
    db.execute("CREATE TEMP TABLE in_use (exchange TEXT, symbol TEXT, PRIMARY KEY (exchange, symbol)) WITHOUT ROWID")
    db.executemany("INSERT OR IGNORE INTO in_use VALUES (?, ?)", in_use)


def refuse_twice(db: sqlite3.Connection) -> None:
    """An instrument that is there twice shows a file that was put together wrongly: which one is right?"""
    for what, named in (
        ("instrument", "broker_exchange || ':' || broker_symbol"),
        ("token", "broker_exchange || ':' || token"),
    ):
        condition = "broker_symbol <> '' AND token <> ''"
        twice = db.execute(
            f"SELECT {named} FROM incoming WHERE {condition} GROUP BY {named} HAVING count(*) > 1 LIMIT 3"
        ).fetchall()
        if twice:
            names = ", ".join(row[0] for row in twice)
            raise Invalid(f"This list has the same {what} twice ({names}). The former list stays in force.")


def refuse_empty(db: sqlite3.Connection) -> None:
    """Whatever is accepted."""
    if not db.execute("SELECT 1 FROM incoming LIMIT 1").fetchone():
        raise Invalid("This list has no instruments. The former list stays in force.")


def refuse_short(db: sqlite3.Connection, former: LoadedList | None) -> None:
    """Of any source: what a broker lists is more than what comes with the bridge."""
    number = db.execute("SELECT count(*) FROM incoming").fetchone()[0]
    if former is None or number >= former.size * _FEWEST_LEFT:
        return
    raise Invalid(
        f"This list has {number:,} instruments, the former one {former.size:,}: it looks cut short. The former list "
        "stays in force; --accept-fewer takes it all the same."
    )


def refuse_missing(db: sqlite3.Connection, today: date) -> None:
    """What is in use, has not expired, and is in the list in force: of it nothing but exits would be taken."""
    missing = db.execute(
        "SELECT here.symbol || ' on ' || here.exchange FROM main.instrument AS here "
        "JOIN temp.in_use AS used ON used.exchange = here.exchange AND used.symbol = here.symbol "
        "WHERE (here.expiry = '' OR here.expiry >= ?) AND NOT EXISTS "
        "(SELECT 1 FROM incoming AS there WHERE there.exchange = here.exchange AND there.symbol = here.symbol) "
        "ORDER BY here.exchange, here.symbol",
        (today.isoformat(),),
    ).fetchall()
    if not missing:
        return
    named = ", ".join(row[0] for row in missing[:_MISSING_TOLD])
    more = f" and {len(missing) - _MISSING_TOLD} more" if len(missing) > _MISSING_TOLD else ""
    raise Invalid(
        f"This list lacks what you have positions or orders in: {named}{more}. The former list stays in force; "
        "--accept-fewer takes it all the same, and then these can only be closed."
    )
