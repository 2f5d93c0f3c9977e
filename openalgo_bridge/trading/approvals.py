"""The Action Center: what waits for the person, and what the person decides."""

from __future__ import annotations

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.redaction import redact
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading import validation
from openalgo_bridge.trading.sending import InDoubt, Sent, carry_out

_LONGEST_REASON = 200


def waiting(desk: Desk) -> list[Ticket]:
    """The tickets that may be decided, in the order they arrived; what was left too long expires first."""
    desk.store.journal.expire_held()
    return desk.store.journal.held()


def ticket(desk: Desk, ticket_id: int) -> Ticket:
    """One ticket as it stands now, expired when its time is over. Raises NotFound or StorageError."""
    desk.store.journal.expire_held()
    return desk.store.journal.ticket(ticket_id)


def approve(desk: Desk, ticket_id: int, shown: str) -> Sent | InDoubt:
    """The person lets a held ticket go, once, in the modes it was accepted under.

    ``shown`` is the ticket's fingerprint from the page. Raises NotFound, Conflict, Invalid, StorageError, or a
    provable refusal of the broker. Up to the claim nothing has changed; after it nothing can send it again.
    """
    held = ticket(desk, ticket_id)
    validation.check(desk.store.instruments, held.request)
    broker = desk.broker(held.trading_mode)
    approved, permit = desk.store.journal.approve(ticket_id, shown)
    return carry_out(desk, broker, approved, permit)


def reject(desk: Desk, ticket_id: int, shown: str, reason: str) -> Ticket:
    """The person turns a held ticket down. Raises NotFound, Conflict or StorageError.

    A key in the reason is not kept. It is taken out before the reason is cut: a part of a key is no key to see.
    """
    desk.store.journal.expire_held()
    told = redact(reason.strip())[:_LONGEST_REASON] or "Rejected by the trader."
    return desk.store.journal.reject(ticket_id, shown, told)
