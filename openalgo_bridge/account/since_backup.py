"""What must not come back with a backup: what ended after it was made, and what waited to be approved then.

A restore brings back the day of the backup. A key that was regenerated since, perhaps because somebody else had it,
would work again, and so would a used recovery code; an order that was approved since could be approved, and sent, once
more. The file that the backup replaces still knows of the first two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from openalgo_bridge.model.audit import Actor
from openalgo_bridge.store.store import Store

_NO_MORE = "It waited when a backup was made that has been restored since. Send it again if it is still wanted."


class Undone(StrEnum):
    """What a restore did not bring back. The value is a sentence for the person."""

    KEY = (
        "The API key of the backup was regenerated or revoked after the backup was made, so it stays refused. "
        "Generate a new one on the API key page, and put it into your programs."
    )
    RECOVERY_CODES = (
        "Recovery codes that were used or replaced after the backup was made stay worthless. Make new ones on the "
        "Security page."
    )
    ORDERS = "Orders that waited in the Action Center when the backup was made were turned down."
    UNKNOWN = (
        "What was here before could not be read. If you regenerated the API key after the backup was made, do it "
        "again: the key of the backup works."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What the present file says of a backup of the same account. ``last_step`` is of the last code of the app."""

    key: bool = False
    recovery_codes: tuple[str, ...] = ()
    last_step: int = 0


def ended_since(backup: Store, present: Store) -> Ended:
    """What of ``backup`` is no longer good in ``present``; nothing where that is another account.

    Raises StorageError.
    """
    then, now = backup.users.get(), present.users.get()
    if then is None or now is None or then.created_at != now.created_at:
        return Ended()
    active = backup.api_keys.active()
    match = None if active is None else present.api_keys.find(active.key.lookup)
    return Ended(
        key=match is not None and match.ending is not None,
        recovery_codes=tuple(sorted(_unused(backup) - _unused(present))),
        last_step=present.two_factor.get().last_step,
    )


def keep_ended(backup: Store, ended: Ended, *, by: Actor) -> list[Undone]:
    """End it in ``backup`` too. Raises StorageError."""
    undone: list[Undone] = []
    backup.two_factor.use_step(ended.last_step)
    if ended.key:
        backup.api_keys.revoke(by=by)
        undone.append(Undone.KEY)
    for id_ in ended.recovery_codes:
        backup.two_factor.use_recovery_code(id_, by=by)
    if ended.recovery_codes:
        undone.append(Undone.RECOVERY_CODES)
    return undone


def turn_down_waiting(backup: Store) -> list[Undone]:
    """Nobody can tell whether what waited then was sent since, so it is not offered again. Raises StorageError."""
    backup.journal.interrupt()
    backup.journal.expire_held()
    had_some = False
    while waiting := backup.journal.held():
        had_some = True
        for ticket in waiting:
            backup.journal.reject(ticket.id, ticket.shown, _NO_MORE)
    return [Undone.ORDERS] if had_some else []


def _unused(store: Store) -> set[str]:
    return {code.id for code in store.two_factor.recovery_codes() if code.used_at is None}
