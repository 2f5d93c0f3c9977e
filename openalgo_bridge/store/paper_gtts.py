"""Orders that wait for their price over days, in the books of the paper exchange. The only writer of their two tables.

What ends one is a conditional UPDATE by the state it had, in the transaction that also enters the order which
it fires: so it fires once, whoever else looks, and a kill leaves both or neither.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby

from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.order import (
    Action,
    Exchange,
    GttLeg,
    GttRequest,
    PriceType,
    Product,
    Ref,
    TriggerSide,
)
from openalgo_bridge.model.paper import LedgerKind, to_rupees, to_units
from openalgo_bridge.model.paper_gtt import FiredOrder, PaperGtt
from openalgo_bridge.store.database import Database, Row
from openalgo_bridge.store.paper_ledger import OpenLedger

_LEGS = "SELECT * FROM paper_gtt {which} ORDER BY id DESC, side"
_BY_NUMBER = _LEGS.format(which="JOIN paper_gtt_leg ON gtt_id = id WHERE id = ?")
_BY_TAG = _LEGS.format(which="JOIN paper_gtt_leg ON gtt_id = id WHERE tag = ?")
# Without their indexes SQLite would walk back through all that there ever were, to have them in order.
_ACTIVE = _LEGS.format(which="INDEXED BY paper_gtt_active JOIN paper_gtt_leg ON gtt_id = id WHERE state = 'active'")
_ENDED = _LEGS.format(
    which="INDEXED BY paper_gtt_ended JOIN paper_gtt_leg ON gtt_id = id WHERE state <> 'active' AND changed_at >= ?"
)

_END = (
    "UPDATE paper_gtt SET state = ?, reason = ?, blocked = 0, changed_at = ? WHERE id = ? AND state = 'active'"
    " RETURNING id"
)


class OpenPaperGtts:
    """Inside one transaction of the book. Every method may raise sqlite3.Error, which ends the transaction.

    What one sets aside is counted in the ledger of that transaction, and posted where it is written.
    """

    def __init__(self, db: sqlite3.Connection, ledger: OpenLedger) -> None:
        self._db = db
        self._ledger = ledger
        self.has_written = False

    def find(self, number: int) -> PaperGtt | None:
        """The GTT as it stands now."""
        return next(_gtts(self._db.execute(_BY_NUMBER, (number,))), None)

    def add(self, gtt: PaperGtt) -> int | None:
        """Enter one that waits; returns its number, or None when an earlier one carries its tag."""
        asked = gtt.request
        written = self._db.execute(
            "INSERT INTO paper_gtt (tag, kind, symbol, exchange, action, quantity, product, state, reason, blocked,"
            " placed_at, changed_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'active', '', ?, ?, ?, ?)"
            " ON CONFLICT (tag) DO NOTHING",
            (
                gtt.tag,
                "SINGLE" if len(asked.legs) == 1 else "OCO",
                asked.symbol,
                asked.exchange,
                asked.action,
                asked.quantity,
                asked.product,
                gtt.blocked,
                to_ms(gtt.placed_at),
                to_ms(gtt.changed_at),
                to_ms(gtt.expires_at),
            ),
        )
        if written.rowcount != 1 or written.lastrowid is None:
            return None
        self._write_legs(written.lastrowid, asked)
        self._post(asked, gtt.placed_at, written.lastrowid, moved=gtt.blocked)
        return written.lastrowid

    def change(self, before: PaperGtt, after: PaperGtt) -> bool:
        """Write quantity, prices and what is set aside of ``after`` over one that waits; False where it does not."""
        changed = self._db.execute(
            "UPDATE paper_gtt SET quantity = ?, blocked = ?, changed_at = ? WHERE id = ? AND state = 'active'",
            (after.request.quantity, after.blocked, to_ms(after.changed_at), before.number),
        )
        if changed.rowcount != 1:
            return False
        self._db.execute("DELETE FROM paper_gtt_leg WHERE gtt_id = ?", (before.number,))
        self._write_legs(before.number, after.request)
        self._post(after.request, after.changed_at, before.number, moved=after.blocked - before.blocked)
        return True

    def end(self, gtt: PaperGtt, state: GttState, at: datetime, reason: str = "") -> bool:
        """Let one that waits wait no more: what is set aside for it is free again. False where somebody was first."""
        self.has_written = True
        if not self._db.execute(_END, (state, reason, to_ms(at), gtt.number)).fetchall():
            return False
        self._post(gtt.request, at, gtt.number, moved=-gtt.blocked)
        return True

    def end_all(self, state: GttState, at: datetime, reason: str) -> None:
        """The same of every one that waits."""
        for each in list(_gtts(self._db.execute(_ACTIVE))):
            self.end(each, state, at, reason)

    def note_fired(self, gtt: PaperGtt, side: TriggerSide, fired: FiredOrder, refusal: str = "") -> None:
        """Which order one that was just ended as ``triggered`` placed by a leg; ``refusal`` is why it was refused."""
        self._db.execute(
            "UPDATE paper_gtt_leg SET fired_order_id = ?, fired_at = ? WHERE gtt_id = ? AND side = ?",
            (fired.number, to_ms(fired.at), gtt.number, side),
        )
        if refusal:
            self._db.execute(
                "UPDATE paper_gtt SET state = 'rejected', reason = ? WHERE id = ? AND state = 'triggered'",
                (refusal, gtt.number),
            )

    def _write_legs(self, number: int, asked: GttRequest) -> None:
        self.has_written = True
        self._db.executemany(
            "INSERT INTO paper_gtt_leg (gtt_id, side, trigger_price, price_type, price) VALUES (?, ?, ?, ?, ?)",
            [
                (number, leg.side, to_units(leg.trigger_price), asked.price_type, to_units(leg.price))
                for leg in asked.legs
            ],
        )

    def _post(self, asked: GttRequest, at: datetime, number: int, *, moved: int) -> None:
        self._ledger.move(blocked=moved)
        self._ledger.post(LedgerKind.GTT, at, asked, gtt=number)


class PaperGtts:
    """Between transactions. Every method may raise StorageError.

    Nearly always nothing waits, and every look at the market asks for it: so that is remembered until a transaction
    that wrote one has ended.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._written = 0
        self._empty_at = -1

    def note_written(self) -> None:
        """A transaction that wrote one has ended, be it by an error: its commit may still have arrived."""
        self._written += 1

    def find(self, number: int) -> PaperGtt | None:
        """One, whatever became of it."""
        return next(_gtts(self._db.read(_BY_NUMBER, (number,))), None)

    def by_tag(self, tag: Ref) -> PaperGtt | None:
        """The one that carries ``tag``."""
        return next(_gtts(self._db.read(_BY_TAG, (tag,))), None)

    def active(self) -> list[PaperGtt]:
        """Those that wait, newest first."""
        seen = self._written
        if self._empty_at == seen:
            return []
        found = list(_gtts(self._db.read(_ACTIVE)))
        if not found:
            self._empty_at = seen
        return found

    def ended(self, since: datetime) -> list[PaperGtt]:
        """Those that wait no more since then, the last one first."""
        found = _gtts(self._db.read(_ENDED, (to_ms(since),)))
        return sorted(found, key=lambda gtt: (gtt.changed_at, gtt.number), reverse=True)


def _gtts(rows: Iterable[Row]) -> Iterator[PaperGtt]:
    """Each from the rows of its legs, which follow each other."""
    for _, of_one in groupby(rows, key=lambda row: row["id"]):
        legs = list(of_one)
        yield _gtt(legs[0], legs)


def _gtt(row: Row, legs: list[Row]) -> PaperGtt:
    fired = next((leg for leg in legs if leg["fired_order_id"] is not None), None)
    return PaperGtt(
        number=row["id"],
        tag=Ref(row["tag"]),
        request=GttRequest(
            symbol=row["symbol"],
            exchange=Exchange(row["exchange"]),
            action=Action(row["action"]),
            quantity=row["quantity"],
            price_type=PriceType(row["price_type"]),
            product=Product(row["product"]),
            legs=tuple(_leg(each) for each in legs),
        ),
        state=GttState(row["state"]),
        reason=row["reason"],
        blocked=row["blocked"],
        placed_at=from_ms(row["placed_at"]),
        changed_at=from_ms(row["changed_at"]),
        expires_at=from_ms(row["expires_at"]),
        fired=None if fired is None else FiredOrder(number=fired["fired_order_id"], at=from_ms(fired["fired_at"])),
    )


def _leg(row: Row) -> GttLeg:
    return GttLeg(
        side=TriggerSide(row["side"]),
        trigger_price=to_rupees(row["trigger_price"]),
        price=to_rupees(row["price"]),
    )
