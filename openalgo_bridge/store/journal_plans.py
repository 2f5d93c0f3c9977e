"""The orders of a ticket that wait for their claim: planned, given up, planned anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from openalgo_bridge.errors import GivenUp
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import BrokerRequest, OrderRequest, Ref
from openalgo_bridge.model.refs import child_refs, further_ref
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Ticket, TicketDraft
from openalgo_bridge.store import claims, guards, stops
from openalgo_bridge.store import journal_rows as rows
from openalgo_bridge.store.claims import JournalMark
from openalgo_bridge.store.guards import Premises
from openalgo_bridge.store.journal_reads import JournalOrder, order_by_id
from openalgo_bridge.store.journal_rows import Settlement
from openalgo_bridge.store.journal_stops import JournalStops
from openalgo_bridge.store.standing import read as read_standing


class JournalPlans(JournalStops):
    """What :class:`~openalgo_bridge.store.journal.Journal` writes of tickets of many orders before these go. Every
    method may raise StorageError.
    """

    def plan(
        self,
        draft: TicketDraft,
        legs: Sequence[BrokerRequest],
        *,
        limits: GuardSettings | None = None,
        after: JournalMark | None = None,
        room: Premises | None = None,
        reason: str = "",
        spares: Sequence[OrderRequest] = (),
    ) -> tuple[Ticket, list[JournalOrder]]:
        """Accept a ticket of many orders, all planned; each goes by :meth:`~Journal.claim`. One that cancels or closes
        many gives up, in the same commit, what is planned and meant by it.

        ``after`` is where the journal stood when it arrived; ``room`` is what all of them were judged on where they go
        whole or not at all; ``reason`` is what the ticket is to say, ``spares`` the exits of positions that a closing
        does not close: what is planned beside them goes on. Raises as :meth:`~Journal.release`, Invalid where
        they are more than a ticket can name, Conflict as :meth:`~Journal.hold`, and where there is no room for each,
        and Stopped where somebody stopped what it asks for after that.
        """
        now, by = self._clock.now(), draft.origin.source
        with self._db.transaction() as db:
            standing = read_standing(db)
            claims.check_kill_switch(standing, draft.operation, None)
            claims.check_modes(standing, draft)
            stops.check_not_stopped(db, draft, after)
            guards.check_signal(db, draft, limits, now)
            guards.check_room(db, standing, draft, legs, room)
            stops.give_up_planned(db, draft, spares, now)
            ticket_id = rows.accept(db, draft, TicketState.RELEASED, now, by, reason)
            ids = rows.plan(db, ticket_id, child_refs(draft.ref, legs), legs, now, by)
            planned = [order_by_id(db, each) for each in ids]
        return rows.ticket_as_written(ticket_id, draft, TicketState.RELEASED, now, reason=reason), planned

    def plan_anew(self, ticket_id: int, legs: Sequence[BrokerRequest], reason: str, *, by: Actor) -> list[JournalOrder]:
        """Drop what is planned of a ticket, and plan ``legs`` in its place. Raises Invalid where a ticket cannot name
        so many: then all is as it was.
        """
        now, dropped = self._clock.now(), Settlement(state=OrderState.DROPPED, message=reason)
        with self._db.transaction() as db:
            for order_id in rows.planned_ids(db, ticket_id):
                rows.move_order(db, order_id, OrderState.PLANNED, dropped, now, by.name)
            return [order_by_id(db, each) for each in plan_beside(db, ticket_id, legs, now, by)]

    def plan_further(self, ticket_id: int, legs: Sequence[BrokerRequest], *, by: Actor) -> list[JournalOrder]:
        """Plan ``legs`` beside what is planned of a ticket. Raises as :meth:`plan_anew`."""
        with self._db.transaction() as db:
            ids = plan_beside(db, ticket_id, legs, self._clock.now(), by)
            return [order_by_id(db, each) for each in ids]

    def replace_planned(self, order_id: int, request: BrokerRequest, reason: str, *, by: Actor) -> JournalOrder:
        """Drop a planned order, and plan another of its ticket. Raises GivenUp."""
        now, dropped = self._clock.now(), Settlement(state=OrderState.DROPPED, message=reason)
        with self._db.transaction() as db:
            order = order_by_id(db, order_id)
            check_planned(order)
            rows.move_order(db, order_id, OrderState.PLANNED, dropped, now, by.name)
            (new,) = plan_beside(db, order.ticket_id, [request], now, by)
            return order_by_id(db, new)

    def check_planned(self, order_id: int) -> None:
        """Asked before an order is judged, which costs reads and a token of the broker; its claim looks again. Raises
        GivenUp.
        """
        check_planned(self.order(order_id))


def check_planned(order: JournalOrder) -> None:
    """Raises GivenUp, with the reason, where it was dropped."""
    if order.state is OrderState.DROPPED:
        raise GivenUp(order.message)


def plan_beside(
    db: sqlite3.Connection, ticket_id: int, legs: Sequence[BrokerRequest], now: datetime, by: Actor
) -> list[int]:
    """Orders of a ticket under references that none of its orders has: one that is held again may have dropped some."""
    taken = {Ref(row["ref"]) for row in db.execute("SELECT ref FROM orders WHERE ticket_id = ?", (ticket_id,))}
    if not taken:
        (ticket,) = db.execute("SELECT ref FROM ticket WHERE id = ?", (ticket_id,)).fetchall()
        return rows.plan(db, ticket_id, child_refs(Ref(ticket["ref"]), legs), legs, now, by.name)
    refs: list[Ref] = []
    for _ in legs:
        refs.append(further_ref(taken))
        taken.add(refs[-1])
    return rows.plan(db, ticket_id, refs, legs, now, by.name)
