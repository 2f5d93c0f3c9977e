"""Calls for the tests of the traffic log: recorded as the bridge records them, and digested as its thread does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from openalgo_bridge.clock import to_ms
from openalgo_bridge.model.calls import CallKind
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.traffic import Arrival, Bodies, Ending, TrafficLog
from openalgo_bridge.store.traffic_digest import Digest
from openalgo_bridge.store.traffic_index import CallIndex
from openalgo_bridge.store.traffic_words import BLOCK
from tests.conftest import FixedClock

BLOCK_IS_WRITTEN_AT = BLOCK + 512
"""From so many calls on, the first block is in the index."""


@dataclass(slots=True, eq=False)
class Recorded:
    """A traffic log of its own. Its calls come a second apart, unless said otherwise."""

    folder: Path
    clock: FixedClock = field(default_factory=FixedClock)
    db: Database = field(init=False)
    log: TrafficLog = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.db = Database(self.folder / "traffic.db", synchronous="NORMAL")
        self.db.migrate(schema.traffic)
        self.log = TrafficLog(self.db)

    def open(
        self,
        endpoint: str = "/api/v1/ping",
        *,
        at: datetime | None = None,
        kind: CallKind = CallKind.API,
        address: str = "127.0.0.1",
        forwarded_for: str | None = None,
        program: str = "python-requests/2.32",
    ) -> int:
        """A call that runs; its id."""
        self.count += 1
        moment = self.clock.now() + timedelta(seconds=self.count) if at is None else at
        arrival = Arrival(
            request_id=f"{self.count:016x}",
            at=to_ms(moment),
            method="POST",
            endpoint=endpoint,
            address=address,
            program=program,
            kind=kind,
            forwarded_for=forwarded_for,
        )
        return self.log.open(arrival)

    def close(
        self,
        call_id: int,
        *,
        status: int = 200,
        ms: float = 3.0,
        strategy: str | None = None,
        symbol: str | None = None,
        outcome: str | None = "ok",
        message: str | None = None,
        order_ref: str | None = None,
        key_fingerprint: str | None = None,
        body: Bodies | None = None,
    ) -> int:
        """The call is answered; its id."""
        ending = Ending(
            status=status,
            duration_us=round(ms * 1000),
            strategy=strategy,
            symbol=symbol,
            outcome=outcome,
            message=message,
            order_ref=order_ref,
            key_fingerprint=key_fingerprint,
            body=body,
        )
        self.log.close(call_id, ending)
        return call_id

    def call(self, endpoint: str = "/api/v1/ping", **ending: object) -> int:
        """A call that was answered."""
        return self.close(self.open(endpoint), **ending)  # type: ignore[arg-type]

    def fill(self, upto: int) -> None:
        """Pings until so many calls are there, in one transaction, because thousands are needed to fill a block."""
        row = self.db.read_one("SELECT coalesce(max(id), 0) AS id FROM call")
        assert row is not None
        first = row["id"] + 1
        pings = [(each, f"{each:016x}", to_ms(self.clock.now()) + each) for each in range(first, upto + 1)]
        with self.db.transaction() as db:
            db.executemany(
                "INSERT INTO call (id, request_id, at, method, endpoint, address, program, status, duration_us)"
                " VALUES (?, ?, ?, 'POST', '/api/v1/ping', '127.0.0.1', 'curl/8', 200, 900)",
                pings,
            )

    def work_up(self) -> None:
        """Whatever the log's own thread has to do, but for pruning."""
        digest, index = Digest(self.db), CallIndex(self.db)
        while digest.take(500):
            pass
        while list(index.build()):
            pass
