"""A call is told by its endpoint and its key; rows of former releases come along."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.idempotency import Asked, Idempotency
from tests.conftest import FixedClock


def test_calls_that_were_kept_by_api_key_are_kept_without_and_of_two_the_newer(
    tmp_path: Path, clock: FixedClock
) -> None:
    with closing(Database(tmp_path / "bridge.db", synchronous="FULL")) as db:
        schema.bridge.apply(db.tables, stop_before="m016_idempotency_by_key")
        for fingerprint, key, request_id in (("old", "k1", "r1"), ("new", "k1", "r2"), ("old", "k2", "r3")):
            db.write(
                "INSERT INTO idempotency (fingerprint, endpoint, key, body_digest, request_id, after_ticket, state,"
                " status, answer, created_at) VALUES (?, '/placeorder', ?, x'00', ?, 7, 'done', 200, '{}', ?)",
                (fingerprint, key, request_id, clock.now_ms()),
            )
        db.migrate(schema.bridge)
        kept = Idempotency(db, clock)
        for key, request_id in (("k1", "r2"), ("k2", "r3")):
            asked = Asked(endpoint="/placeorder", key=key, body_digest=b"\0", request_id="again")
            former = kept.claim(asked, after_ticket=9)
            assert former is not None
            assert (former.request_id, former.after_ticket, former.status, former.answer) == (request_id, 7, 200, "{}")
        other = Asked(endpoint="/cancelorder", key="k1", body_digest=b"\0", request_id="again")
        assert kept.claim(other, after_ticket=9) is None
        clock.move(days=7, seconds=1)
        assert kept.prune() == 3
