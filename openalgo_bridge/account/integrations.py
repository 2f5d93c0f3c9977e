"""Which programs must be given a regenerated key (behaviour G18): those that used the old one, and the usual ones.

Ticked off by the trader. A program that calls with the new key is seen to do so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict
from openalgo_bridge.model.program import AMIBROKER, CHARTINK, EXCEL, NODE, PYTHON, TRADINGVIEW, program_name

SEEN_WITHIN = timedelta(days=30)

_USUAL = (TRADINGVIEW, CHARTINK, AMIBROKER, PYTHON, NODE, EXCEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One program of the list. ``last_seen_at``: with an older key; ``updated_at``: when it was ticked off;
    ``calling_since``: its first call with the new key. Each is None where it did not happen."""

    id: int
    name: str
    last_seen_at: datetime | None
    updated_at: datetime | None
    calling_since: datetime | None

    @property
    def is_done(self) -> bool:
        """Ticked off, or seen to call with the new key."""
        return self.updated_at is not None or self.calling_since is not None


def begin(desk: Desk, former_fingerprint: str, fresh_fingerprint: str) -> None:
    """Make the list for a fresh key. Raises StorageError.

    What the former key's own list knew is carried over: who regenerates twice in a row has updated nothing yet.
    """
    recently = desk.clock.now() - SEEN_WITHIN
    seen: dict[str, datetime] = {}
    for line in desk.store.integrations.of(former_fingerprint):
        if line.last_seen_at is not None:
            _see(seen, line.name, line.last_seen_at)
    for use in desk.store.key_uses.of(former_fingerprint):
        _see(seen, program_name(use.program), use.last_at)
    newest_first = sorted(seen, key=lambda name: seen[name], reverse=True)
    lines: dict[str, datetime | None] = {name: seen[name] for name in newest_first if seen[name] >= recently}
    for name in _USUAL:
        lines.setdefault(name, None)
    desk.store.integrations.begin(fresh_fingerprint, lines)


def the_list(desk: Desk) -> list[Integration]:
    """The list of the key in force, those seen with the old one first; empty where there is none.

    Raises StorageError.
    """
    active = desk.store.api_keys.active()
    if active is None:
        return []
    lines = desk.store.integrations.of(active.key.fingerprint)
    calling = _first_calls(desk, active.key.fingerprint) if lines else {}
    return [
        Integration(
            id=line.id,
            name=line.name,
            last_seen_at=line.last_seen_at,
            updated_at=line.updated_at,
            calling_since=calling.get(line.name),
        )
        for line in lines
    ]


def tick(desk: Desk, done: set[int], *, shown: str = "") -> None:
    """Exactly these lines are ticked off. ``shown`` is the fingerprint of the key whose list was looked at, empty for
    the key in force: the numbers of an older list stand for other programs by now.

    Raises Conflict where there is another key by now, and StorageError.
    """
    desk.store.integrations.tick(_meant(desk, shown), done)


def dismiss(desk: Desk, *, shown: str = "") -> None:
    """The trader wants to see the list no more. ``shown`` and errors as in :func:`tick`."""
    desk.store.integrations.dismiss(_meant(desk, shown))


def _meant(desk: Desk, shown: str) -> str:
    """The fingerprint of the list that is meant. The store then changes lines of that list only."""
    active = desk.store.api_keys.active()
    in_force = "" if active is None else active.key.fingerprint
    if shown and shown != in_force:
        raise Conflict("Nothing was ticked: the page was of an older key. This is the list of the key in force.")
    return in_force


def _see(seen: dict[str, datetime], name: str, at: datetime) -> None:
    seen[name] = max(at, seen.get(name, at))


def _first_calls(desk: Desk, fingerprint: str) -> dict[str, datetime]:
    calling: dict[str, datetime] = {}
    for use in desk.store.key_uses.of(fingerprint):
        name = program_name(use.program)
        calling[name] = min(use.first_at, calling.get(name, use.first_at))
    return calling
