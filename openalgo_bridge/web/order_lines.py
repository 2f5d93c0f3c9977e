"""The lines of the Orders page: one for each ticket, with the one outcome that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.breaks import Break
from openalgo_bridge.model.order import BrokerOrderId
from openalgo_bridge.model.outcome import Outcome, outcome_of_ticket
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Operation, Ticket
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.web import words
from openalgo_bridge.web.broker_orders import BrokerOrders, said_of
from openalgo_bridge.web.formats import money
from openalgo_bridge.web.legs import Leg, leg_of, progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One ticket. ``what`` was asked for; ``why`` answers "why did it not trade?" in a sentence; ``legs`` are those of
    a ticket of many.

    ``filled`` (units) and ``average_price`` (rupees) are the broker's, None where it has no word.
    ``cancels`` is the order that its button withdraws. ``breaks`` are those of which the broker has not agreed since.
    """

    ticket: Ticket
    outcome: Outcome
    what: str
    why: str
    broker_order_id: BrokerOrderId | None
    filled: int | None
    average_price: Decimal | None
    cancels: BrokerOrderId | None
    legs: tuple[Leg, ...]
    breaks: tuple[Break, ...] = ()

    @property
    def progress(self) -> str:
        """How much of a ticket of many messages was done; empty for a ticket of one."""
        return progress(self.ticket.operation, self.legs) if self.legs else ""

    @property
    def in_words(self) -> str:
        """What became of it and why, in full, for a page that has no columns for it."""
        at = f", at {money(self.average_price)}" if self.average_price is not None else ""
        done = f"{self.progress}." if self.progress else ""
        return " ".join(filter(None, (f"{words.outcome(self.outcome)}: {self.what}{at}.", done, self.why)))


def lines_now(desk: Desk, tickets: Sequence[Ticket]) -> list[Line]:
    """As :func:`lines_of`, from the journal and the brokers as they are now. Raises StorageError."""
    messages, now = desk.store.journal.orders_of([ticket.id for ticket in tickets]), desk.clock.now()
    return lines_of(tickets, messages, said_of(desk, messages, now), now)


def lines_of(
    tickets: Sequence[Ticket],
    messages: Sequence[JournalOrder],
    said: BrokerOrders,
    now: datetime,
    breaks: Sequence[Break] = (),
) -> list[Line]:
    """In the order of the tickets. What was held for too long waits for nobody, whether or not it was swept yet."""
    of_ticket: dict[int, list[JournalOrder]] = {}
    for message in messages:
        of_ticket.setdefault(message.ticket_id, []).append(message)
    return [_line(ticket, of_ticket.get(ticket.id, []), said, now, breaks) for ticket in tickets]


def _line(
    ticket: Ticket, messages: list[JournalOrder], said: BrokerOrders, now: datetime, breaks: Sequence[Break]
) -> Line:
    closes = ticket.operation is Operation.CLOSE
    legs = tuple(leg_of(each, said.of(each), closes=closes) for each in messages)
    is_of_many = ticket.operation.is_of_many or len(legs) > 1
    first = legs[0] if legs and not is_of_many else None
    there = first.there if first is not None and ticket.operation is Operation.PLACE else None
    return Line(
        ticket=ticket,
        outcome=outcome_of_ticket(ticket.as_of(now).state, [leg.outcome for leg in legs]),
        what=words.sentence(ticket.request) if first is None else first.what,
        why=ticket.reason if first is None else first.in_short,
        broker_order_id=None if first is None else first.message.broker_order_id,
        filled=None if there is None else there.filled_quantity,
        average_price=there.average_price if there is not None and there.filled_quantity else None,
        cancels=None if first is None else _cancellable(first, said),
        legs=legs if is_of_many else (),
        breaks=tuple(each for each in breaks if each.ticket_id == ticket.id),
    )


def _cancellable(leg: Leg, said: BrokerOrders) -> BrokerOrderId | None:
    """What works, and what may: a broker that cannot be read may still take a cancel."""
    message = leg.message
    is_unread = leg.there is None and message.trading_mode in said.faults
    may_work = is_unread and message.operation is Operation.PLACE and message.state is OrderState.SENT
    return leg.working or (message.broker_order_id if may_work else None)
