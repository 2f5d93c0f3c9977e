"""Tickets and orders: written before anything leaves, settled after. The only way to write its three tables.

Every move is one conditional UPDATE that names the old state; no row changed means that somebody else made
the move first. A row may be born in the state to which its first moves, in the same commit, would have brought
it; each of these moves is an event all the same. The database refuses every other move and every change of an event
(``store/schema_orders.py``). ``synchronous=FULL``: what returned is on the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from openalgo_bridge.clock import to_ms
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.guards import Guard, GuardSettings
from openalgo_bridge.model.order import BrokerRequest, OrderRequest
from openalgo_bridge.model.order_changes import difference
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Ticket, TicketDraft, operation_of, order_of
from openalgo_bridge.store import carried_over, claims, guards, stops
from openalgo_bridge.store import journal_rows as rows
from openalgo_bridge.store.carried_over import Doubt
from openalgo_bridge.store.claims import JournalMark, Reservation
from openalgo_bridge.store.guards import Premises
from openalgo_bridge.store.journal_plans import JournalPlans, check_planned, plan_beside
from openalgo_bridge.store.journal_reads import (
    REFUSED,
    REVISED,
    JournalOrder,
    as_shown,
    order_by_id,
    ticket_of,
    ticket_row,
    undecided,
)
from openalgo_bridge.store.journal_rows import Settlement
from openalgo_bridge.store.standing import Standing
from openalgo_bridge.store.standing import read as read_standing

__all__ = ["BROKER", "LOOK_UP", "RESTART", "Interrupted", "Journal", "Settlement"]

BROKER = Actor(name="broker")
RESTART = Actor(name="restart")
LOOK_UP = Actor(name="look-up")
_CLOCK = Actor(name="clock")
_Begun = tuple[Ticket, SendPermit[BrokerRequest], list[JournalOrder]]
"""A ticket, the order of it that goes now, and those that are planned beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """What a restart found unfinished: how many tickets went back to held, how many orders were dropped."""

    held_again: int
    dropped: int
    unknown: int


class Journal(JournalPlans):
    """See the module. Every method may raise StorageError.

    ``by`` is who causes the move; where it is missing, the source of the ticket does.
    """

    # -- what is asked for ---------------------------------------------------------------------------

    def release(
        self, draft: TicketDraft, *, reserve: Reservation | None = None, premises: Premises | None = None
    ) -> tuple[Ticket, SendPermit[BrokerRequest]]:
        """Accept a ticket that may go at once: accepted, planned and sending in one commit.

        ``reserve`` says that it is a proven exit. Raises Conflict, whose message says why it must be held, when a
        mode is not the draft's any more, when an order in its symbol is in doubt, when the reservation does not fit, or
        when one of the ``premises`` is not true any more; Denied while the kill switch is on.
        """
        ticket, permit, _ = self.release_slices(draft, (), reserve=reserve, premises=premises)
        return ticket, permit

    def release_slices(
        self,
        draft: TicketDraft,
        slices: Sequence[BrokerRequest],
        *,
        reserve: Reservation | None = None,
        premises: Premises | None = None,
    ) -> _Begun:
        """As :meth:`release`; of the ``slices`` that it takes now the first goes, and the others are planned."""
        now, by = self._clock.now(), draft.origin.source
        sent = replace(draft, request=slices[0]) if slices else draft
        with self._db.transaction() as db:
            standing = read_standing(db)
            claims.check_kill_switch(standing, operation_of(sent.request), reserve)
            claims.check_modes(standing, draft)
            claims.check_doubts(db, sent.request, draft.trading_mode, reserve, now)
            claims.check_reservation(db, sent.order, draft.trading_mode, reserve)
            guards.check_premises(db, standing, draft, sent.request, premises, reserve, now)
            ticket_id = rows.accept(db, draft, TicketState.RELEASED, now, by)
            permit, planned = _send_first(db, ticket_id, sent, now, by, slices[1:])
        return rows.ticket_as_written(ticket_id, draft, TicketState.RELEASED, now), permit, planned

    def hold(
        self, draft: TicketDraft, *, expires_at: datetime | None, reason: str, limits: GuardSettings | None = None
    ) -> Ticket:
        """Accept a ticket that waits for the person.

        Raises Conflict where ``limits`` stop the same signal from coming twice, and it came meanwhile.
        """
        now = self._clock.now()
        with self._db.transaction() as db:
            guards.check_signal(db, draft, limits, now)
            ticket_id = rows.accept(db, draft, TicketState.HELD, now, draft.origin.source, reason, expires_at)
        return rows.ticket_as_written(ticket_id, draft, TicketState.HELD, now, expires_at, reason)

    def deny(self, draft: TicketDraft, *, guard: Guard, reason: str) -> Ticket:
        """Write down what a guard refused, so that what was received is the sum of what became of it."""
        now = self._clock.now()
        with self._db.transaction() as db:
            ticket_id = rows.accept(db, draft, TicketState.DENIED, now, f"guard {guard}", reason)
        return rows.ticket_as_written(ticket_id, draft, TicketState.DENIED, now, None, reason)

    # -- what the person decides ---------------------------------------------------------------------

    def approve(
        self,
        ticket_id: int,
        shown: str,
        *,
        by: Actor,
        reserve: Reservation | None = None,
        premises: Premises | None = None,
    ) -> tuple[Ticket, SendPermit[BrokerRequest]]:
        """Take a held ticket once and make its order ``sending``, in one commit.

        ``shown`` is the :attr:`Ticket.shown` of the page the person looked at. Raises NotFound; Conflict when the
        ticket was decided, has expired, is not what was shown, and where :meth:`release` does, but for the modes,
        which the person's word stands above; Denied while the kill switch is on. The ticket then is as it was.
        """
        ticket, permit, _ = self.approve_slices(ticket_id, shown, (), by=by, reserve=reserve, premises=premises)
        return ticket, permit

    def approve_slices(
        self,
        ticket_id: int,
        shown: str,
        slices: Sequence[BrokerRequest],
        *,
        by: Actor,
        reserve: Reservation | None = None,
        premises: Premises | None = None,
    ) -> _Begun:
        """As :meth:`approve`; ``slices`` as :meth:`release_slices` takes them."""
        now = self._clock.now()
        with self._db.transaction() as db:
            standing = read_standing(db)
            ticket = _approved(db, standing, ticket_id, shown, reserve, now, by, guards.left_of(premises), slices)
            rows.move_ticket(db, ticket_id, TicketState.APPROVED, TicketState.RELEASED, now, by.name)
            sent = replace(ticket, request=slices[0]) if slices else ticket
            claims.check_reservation(db, sent.order, ticket.trading_mode, reserve)
            guards.check_premises(db, standing, ticket, sent.request, premises, reserve, now)
            return ticket, *_send_first(db, ticket_id, sent, now, by.name, slices[1:])

    def approve_plan(
        self,
        ticket_id: int,
        shown: str,
        legs: Sequence[BrokerRequest],
        *,
        by: Actor,
        limits: GuardSettings | None = None,
        after: JournalMark | None = None,
        room: Premises | None = None,
        spares: Sequence[OrderRequest] = (),
    ) -> tuple[Ticket, list[JournalOrder]]:
        """As :meth:`approve`, for a ticket of many orders, planned as by :meth:`plan`, which tells of ``room`` and
        ``spares``; the first that is claimed releases it, but for a closing, which stops what it means from now on.
        Raises Conflict as :meth:`hold`, too. ``after`` is where the journal stood when the person decided.
        """
        now = self._clock.now()
        with self._db.transaction() as db:
            standing = read_standing(db)
            ticket = _approved(db, standing, ticket_id, shown, None, now, by)
            stops.check_not_stopped(db, ticket, after)
            guards.check_signal(db, ticket, limits, now)
            guards.check_room(db, standing, ticket, legs, room)
            stops.give_up_planned(db, ticket, spares, now)
            ids = plan_beside(db, ticket_id, legs, now, by)
            if ticket.operation is Operation.CLOSE:
                rows.move_ticket(db, ticket_id, TicketState.APPROVED, TicketState.RELEASED, now, by.name)
            return ticket, [order_by_id(db, each) for each in ids]

    def reject(self, ticket_id: int, shown: str, reason: str, *, by: Actor) -> Ticket:
        """Turn a held ticket down for good. Raises NotFound, and Conflict as :meth:`approve` does."""
        now = self._clock.now()
        with self._db.transaction() as db:
            ticket = as_shown(db, ticket_id, shown, now)
            rows.move_ticket(db, ticket_id, TicketState.HELD, TicketState.REJECTED, now, by.name, reason)
            return ticket

    def refuse(self, ticket_id: int, *, guard: str, reason: str) -> None:
        """Write down that a guard refused what was approved. It stays held: the person may change it, or the limit.

        Raises NotFound, and Conflict when it is not held any more.
        """
        now = self._clock.now()
        with self._db.transaction() as db:
            undecided(db, ticket_id, now)
            rows.record(db, ticket_id, now, f"guard {guard}", (TicketState.HELD, REFUSED, reason))

    def ask(self, read: Ticket, shown: str, question: str, *, by: Actor) -> None:
        """Put a question before the person about a held ticket that was unread. Its page is another one from then on,
        with the question, and with the prices and the ``arrivals`` that were ``read`` now. Raises as :meth:`reject`.
        """
        now = self._clock.now()
        with self._db.transaction() as db:
            as_shown(db, read.id, shown, now)
            rows.ask(db, read, question)
            rows.record(db, read.id, now, by.name, (TicketState.HELD, REFUSED, question))

    def revise(self, ticket_id: int, shown: str, request: BrokerRequest, *, by: Actor) -> Ticket:
        """Change what a held ticket asks for; it stays held and must be shown again. Raises as :meth:`reject`.

        Raises Invalid when it would be another operation, or no change at all.
        """
        now = self._clock.now()
        with self._db.transaction() as db:
            before = as_shown(db, ticket_id, shown, now)
            was, becomes = before.order, order_of(request)
            if operation_of(request) is not before.operation or was is None or becomes is None:
                raise Invalid("Only the order of a ticket can be changed, not what is asked for.")
            if was == becomes:
                raise Invalid("Nothing was changed.")
            rows.revise(db, ticket_id, request)
            rows.record(db, ticket_id, now, by.name, (TicketState.HELD, REVISED, difference(was, becomes)))
            return ticket_of(ticket_row(db, ticket_id))

    def withdraw(self, ticket_id: int) -> None:
        """Whoever asked takes a held ticket back. Raises NotFound, and Conflict when it is not held any more."""
        now = self._clock.now()
        with self._db.transaction() as db:
            ticket = undecided(db, ticket_id, now)
            reason = "Withdrawn by the program that sent it."
            rows.move_ticket(db, ticket_id, TicketState.HELD, TicketState.REJECTED, now, ticket.origin.source, reason)

    def replace_parked(
        self, order_id: int, draft: TicketDraft, *, expires_at: datetime, by: Actor, question: str = ""
    ) -> Ticket:
        """The person says that a parked order is not at the broker and wants it sent again: a held ticket takes its
        place, in one commit, so that two clicks make one. ``question`` is what he must decide first. Raises Conflict
        when it is not parked any more.
        """
        now = self._clock.now()
        gone = Settlement(
            state=OrderState.NOT_PLACED, message=f"Not there, says {by.name}; instead of it: {draft.ref}."
        )
        with self._db.transaction() as db:
            old = rows.move_order(db, order_id, OrderState.PARKED, gone, now, by.name)
            reason = f"Sent again instead of order {old}, which is not at the broker. {question}".rstrip()
            ticket_id = rows.accept(db, draft, TicketState.HELD, now, by.name, reason, expires_at)
        return rows.ticket_as_written(ticket_id, draft, TicketState.HELD, now, expires_at, reason)

    # -- what time and the broker say ----------------------------------------------------------------

    def claim(
        self,
        order_id: int,
        *,
        reserve: Reservation | None = None,
        premises: Premises | None = None,
        follows: Sequence[int] = (),
        is_approved: bool = False,
    ) -> SendPermit[BrokerRequest]:
        """Make one planned order ``sending``. Raises GivenUp, or as :meth:`release`: then it is still planned.

        ``follows`` are the orders of the ticket which it must follow, whatever the order mode, if one of them went out.
        ``is_approved``: the person let the ticket go, and his word stands above the modes.
        """
        now = self._clock.now()
        with self._db.transaction() as db:
            order = order_by_id(db, order_id)
            check_planned(order)
            ticket = ticket_of(ticket_row(db, order.ticket_id))
            standing = read_standing(db)
            claims.check_kill_switch(standing, order.operation, reserve)
            if not is_approved:
                claims.check_still_auto(db, standing, ticket, follows)
                claims.check_account(standing, ticket)
            may_close = reserve or guards.left_of(premises)
            claims.check_doubts(db, order.request, ticket.trading_mode, may_close, now)
            claims.check_reservation(db, order_of(order.request), ticket.trading_mode, reserve)
            guards.check_order(db, standing, ticket, order.request, premises, reserve)
            sending = Settlement(state=OrderState.SENDING)
            rows.move_order(db, order_id, OrderState.PLANNED, sending, now, ticket.origin.source)
        return SendPermit(order_id=order_id, ref=order.ref, request=order.request)

    def settle(
        self, order_id: int, outcome: Settlement, *, was: OrderState = OrderState.SENDING, by: Actor = BROKER
    ) -> None:
        """Write how a message ended. Raises Conflict when it was not in state ``was`` any more."""
        with self._db.transaction() as db:
            rows.move_order(db, order_id, was, outcome, self._clock.now(), by.name)

    def expire_held(self) -> int:
        """Expire what was held for too long; returns how many. Writes only when something is due."""
        now = self._clock.now()
        due = "SELECT id FROM ticket WHERE state = 'held' AND expires_at <= ?"
        if self._db.read_one(due, (to_ms(now),)) is None:
            return 0
        with self._db.transaction() as db:
            late = [row["id"] for row in db.execute(due, (to_ms(now),)).fetchall()]
            for ticket_id in late:
                reason = "Nobody decided in time."
                rows.move_ticket(db, ticket_id, TicketState.HELD, TicketState.EXPIRED, now, _CLOCK.name, reason)
        return len(late)

    def carry_over(self, doubt: Doubt, *, by: Actor) -> bool:
        """Let an order of another journal, which a restore replaces with this one, be in doubt here too, before this
        one is interrupted. False when it is here already, in doubt or found out.
        """
        with self._db.transaction() as db:
            return carried_over.take_in(db, doubt, self._clock.now(), by.name)

    def interrupt(self) -> Interrupted:
        """The rules of a restart (design 4), in one commit. A restart never sends.

        Orders ``planned`` are dropped, ``sending`` become unknown, and a ticket ``approved`` of which nothing
        was ever sending is held again.
        """
        now, by = self._clock.now(), RESTART.name
        unknown = Settlement(state=OrderState.UNKNOWN, message="The bridge stopped while it was being sent.")
        with self._db.transaction() as db:
            approved = _ids(
                db,
                "SELECT id FROM ticket WHERE state = 'approved' AND NOT EXISTS"
                " (SELECT 1 FROM orders WHERE ticket_id = ticket.id AND state NOT IN ('planned', 'dropped'))",
            )
            # Before its orders are dropped: an approved ticket of which none is left to go is released.
            again = "The bridge stopped before it was sent. Decide again."
            for ticket_id in approved:
                rows.move_ticket(db, ticket_id, TicketState.APPROVED, TicketState.HELD, now, by, again)
            stopped = _ids(db, "SELECT DISTINCT ticket_id AS id FROM orders WHERE state = 'planned'")
            dropped = sum(_drop(db, each, "The bridge stopped before it was sent.", now, by) for each in stopped)
            sending = _ids(db, "SELECT id FROM orders WHERE state = 'sending'")
            for order_id in sending:
                rows.move_order(db, order_id, OrderState.SENDING, unknown, now, by)
            for ticket_id in approved:
                rows.tell(db, ticket_id, again)
        return Interrupted(held_again=len(approved), dropped=dropped, unknown=len(sending))


def _send_first(
    db: sqlite3.Connection,
    ticket_id: int,
    ticket: TicketDraft | Ticket,
    now: datetime,
    by: str,
    further: Sequence[BrokerRequest],
) -> tuple[SendPermit[BrokerRequest], list[JournalOrder]]:
    """Plan the ticket's order and make it ``sending``, with what is planned beside it."""
    request = ticket.request
    if not isinstance(request, BrokerRequest):
        raise RuntimeError(f"{ticket.operation} is carried out leg by leg")
    first, *planned = rows.send_first(db, ticket_id, ticket.ref, (request, *further), now, by)
    return SendPermit(order_id=first, ref=ticket.ref, request=request), [order_by_id(db, each) for each in planned]


def _approved(
    db: sqlite3.Connection,
    standing: Standing,
    ticket_id: int,
    shown: str,
    reserve: Reservation | None,
    now: datetime,
    by: Actor,
    left: Reservation | None = None,
    legs: Sequence[BrokerRequest] = (),
) -> Ticket:
    """``left`` is what it may close at most where it came as an exit: a doubt keeps entries waiting, and no exits."""
    ticket = as_shown(db, ticket_id, shown, now)
    first = legs[0] if legs else ticket.request
    claims.check_kill_switch(standing, operation_of(first), reserve)
    claims.check_doubts(db, first, ticket.trading_mode, reserve or left, now)
    rows.move_ticket(db, ticket_id, TicketState.HELD, TicketState.APPROVED, now, by.name)
    return ticket


def _drop(db: sqlite3.Connection, ticket_id: int, reason: str, now: datetime, by: str) -> int:
    planned = rows.planned_ids(db, ticket_id)
    if planned:
        rows.drop(db, ticket_id, planned, reason, now, by)
    return len(planned)


def _ids(db: sqlite3.Connection, sql: str) -> list[int]:
    return [row["id"] for row in db.execute(sql)]
