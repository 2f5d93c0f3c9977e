"""What the paper account was given, and how it is begun anew. Writes through the book, and deletes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from openalgo_bridge.clock import Clock, from_ms, to_ms
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.paper import LedgerKind, PaperMoney, to_rupees
from openalgo_bridge.store import audit
from openalgo_bridge.store import paper_rows as rows
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.paper_ledger import BEGUN, LAST, balance
from openalgo_bridge.store.paperbook import OpenPaperBook, PaperBook

ENDED = "The paper account was reset."

_A_DAY = timedelta(days=1)
_HELD = "SELECT * FROM paper_holding WHERE quantity > 0"
_BEGIN = f"SELECT at FROM ({BEGUN}) JOIN paper_ledger ON id = line WHERE resets > 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """When the account was begun anew last; None where it never was."""

    at: datetime | None = None


class PaperCapital:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, book: PaperBook, clock: Clock) -> None:
        self._db = db
        self._book = book
        self._clock = clock

    def money(self) -> PaperMoney:
        """The account now."""
        (row,) = self._db.read(LAST)
        return balance(row)

    def begin(self) -> Begin:
        """The last time that the account was begun anew."""
        row = self._db.read_one(_BEGIN)
        return Begin() if row is None else Begin(at=from_ms(row["at"]))

    def set(self, capital: int, *, by: Actor) -> None:
        """Give the account so much, in units. What is open stays; what can be used moves by the difference."""
        with self._book.transaction() as book:
            before, now = book.money().capital, self._clock.now()
            if before == capital:
                return
            book.set_capital(capital)
            book.post(LedgerKind.CAPITAL, now)
            told = {"before": _told(before), "after": _told(capital)}
            audit.append(book.connection, to_ms(now), by, AuditEvent.PAPER_CAPITAL, **told)

    def reset(self, capital: int, *, by: Actor) -> None:
        """Begin anew with ``capital`` units: what works or waits for its price is cancelled, what is held is gone
        without a trade, and no profit was ever booked. All of it in one commit with its line of the audit list.

        Orders, trades and the ledger stay on the disk, because the journal refers to them.
        """
        with self._book.transaction() as book:
            before, now = book.money(), self._clock.now()
            # First, because each has a line of the ledger of its own.
            book.gtts.end_all(GttState.CANCELLED, now, ENDED)
            for order in book.resting():
                book.change(order, order.cancelled(ENDED))
            _write_off(book)
            book.forget_profit()
            book.set_capital(capital)
            book.post(LedgerKind.RESET, now, order=_last_order(book))
            was = f"{_told(before.capital)}, {to_rupees(before.realised):.2f} booked"
            audit.append(book.connection, to_ms(now), by, AuditEvent.PAPER_RESET, before=was, after=_told(capital))


def _write_off(book: OpenPaperBook) -> None:
    """Positions and holdings to nothing. The profit of positions counts for no day: what was closed is not shown."""
    for position in map(rows.position, book.connection.execute("SELECT * FROM paper_position").fetchall()):
        flat = replace(position, quantity=0, cost=0, blocked=0, realised=0, realised_on=position.realised_on - _A_DAY)
        book.save(position, flat, gain=0)
    for holding in map(rows.holding, book.connection.execute(_HELD).fetchall()):
        book.save_holding(holding, replace(holding, quantity=0, cost=0))


def _last_order(book: OpenPaperBook) -> int | None:
    number: int | None = book.connection.execute("SELECT max(id) AS number FROM paper_order").fetchone()["number"]
    return number


def _told(capital: int) -> str:
    return f"{to_rupees(capital):.0f} rupees"
