"""What was asked under an Idempotency-Key, and what was answered. The only writer of its table.

A row is claimed before anything else is done, so that of two equal calls at once one does it; the answer is written
into the row before it leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from openalgo_bridge.clock import Clock, to_ms
from openalgo_bridge.store.database import Database

KEPT_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call with a key. ``body_digest`` is the SHA-256 of its canonical body.

    Whose API key it came with does not count: there is one account, and a key that was regenerated in between must
    not make the same call another one.
    """

    endpoint: str
    key: str
    body_digest: bytes
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """What was asked there before under the same key. ``answer`` is None while it is running, or was
    cut off. ``request_id`` leads to its ticket, which came after ``after_ticket``.
    """

    body_digest: bytes
    request_id: str
    after_ticket: int
    status: int | None
    answer: str | None


class Idempotency:
    """See the module. Every method may raise StorageError."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def claim(self, asked: Asked, *, after_ticket: int) -> Former | None:
        """Take the key for this call, in one commit; or what it was taken for before.

        ``after_ticket`` is the newest ticket there is before the call makes its own.
        """
        place = (asked.endpoint, asked.key)
        with self._db.transaction() as db:
            row = db.execute(
                "SELECT body_digest, request_id, after_ticket, status, answer FROM idempotency"
                " WHERE endpoint = ? AND key = ?",
                place,
            ).fetchone()
            if row is not None:
                return Former(
                    body_digest=row["body_digest"],
                    request_id=row["request_id"],
                    after_ticket=row["after_ticket"],
                    status=row["status"],
                    answer=row["answer"],
                )
            db.execute(
                "INSERT INTO idempotency (endpoint, key, body_digest, request_id, after_ticket,"
                " state, created_at) VALUES (?, ?, ?, ?, ?, 'running', ?)",
                (*place, asked.body_digest, asked.request_id, after_ticket, self._clock.now_ms()),
            )
        return None

    def take_over(self, asked: Asked, former: Former) -> bool:
        """Go on where a call was cut off before it did anything; False when somebody else did."""
        changed = self._db.write(
            "UPDATE idempotency SET request_id = ? WHERE endpoint = ? AND key = ?"
            " AND request_id = ? AND state = 'running'",
            (asked.request_id, asked.endpoint, asked.key, former.request_id),
        )
        return changed == 1

    def finish(self, asked: Asked, status: int, answer: str) -> None:
        """What was answered, so that the same call gets it again."""
        self._db.write(
            "UPDATE idempotency SET state = 'done', status = ?, answer = ?"
            " WHERE endpoint = ? AND key = ? AND request_id = ?",
            (status, answer, asked.endpoint, asked.key, asked.request_id),
        )

    def give_back(self, asked: Asked) -> None:
        """Nothing was done: the key may be used again."""
        self._db.write(
            "DELETE FROM idempotency WHERE endpoint = ? AND key = ? AND request_id = ? AND state = 'running'",
            (asked.endpoint, asked.key, asked.request_id),
        )

    def prune(self) -> int:
        """Forget what is older than a week; returns how many."""
        return self._db.write("DELETE FROM idempotency WHERE created_at < ?", (to_ms(self._clock.now() - KEPT_FOR),))
