"""The story of one ticket: every move of it and of its messages, what changed, and what the broker says at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.books import Trade
from openalgo_bridge.model.breaks import BREAK_EVENTS, Break
from openalgo_bridge.model.order import BrokerOrderId
from openalgo_bridge.model.order_changes import Change, changes_in
from openalgo_bridge.model.outcome import Outcome
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Operation, Ticket
from openalgo_bridge.store.journal_reads import REFUSED, REVISED, Event, JournalOrder
from openalgo_bridge.trading.watch import INTERVAL_S
from openalgo_bridge.web.broker_orders import BrokerOrders, said_of
from openalgo_bridge.web.legs import Leg, leg_of
from openalgo_bridge.web.order_lines import Line, lines_of

_GUARD = "guard "
_NO_STATE = {"", REVISED, REFUSED} | BREAK_EVENTS
_TRADED = {Outcome.FILLED, Outcome.WORKING, Outcome.PARTLY_FILLED}

State = TicketState | OrderState | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One move. ``was`` is empty at a birth; ``changes`` are those of a held ticket that the trader revised."""

    at: datetime
    was: State
    becomes: State
    by: str
    reason: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """What happened to one message: its moves, its order as the broker has it, the fills of that, and of which breaks
    the broker has not agreed since.
    """

    leg: Leg
    steps: tuple[Step, ...]
    trades: tuple[Trade, ...]
    breaks: tuple[Break, ...]

    @property
    def order(self) -> JournalOrder:
        """Our own record of it."""
        return self.leg.message

    @property
    def is_parked(self) -> bool:
        """Whether only the person can say what became of it."""
        return self.order.state is OrderState.PARKED

    @property
    def doubt(self) -> str:
        """What went wrong when it was sent; empty where nothing did."""
        return next((step.reason for step in self.steps if step.becomes is OrderState.UNKNOWN), "")

    @property
    def is_looked_up(self) -> bool:
        """Whether the bridge still asks the broker for it."""
        return self.order.state is OrderState.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """``why`` is the sentence behind the outcome, ``steps`` are the ticket's, and for a ticket of one message all.

    ``fault`` says why the broker's side is missing; a look-up is made every ``interval`` seconds.
    """

    line: Line
    why: str
    steps: tuple[Step, ...]
    chapters: tuple[Chapter, ...]
    is_of_many: bool
    fault: str
    interval: int = int(INTERVAL_S)

    @property
    def outcome(self) -> Outcome:
        """The one word for what became of it."""
        return self.line.outcome

    @property
    def revisions(self) -> tuple[Step, ...]:
        """What the trader changed while it was held."""
        return tuple(step for step in self.steps if step.changes)


def story_of(desk: Desk, ticket: Ticket) -> Story:
    """Told from the journal alone where the broker cannot be asked. Raises StorageError."""
    messages = desk.store.journal.orders_of([ticket.id])
    events = desk.store.journal.events(ticket.id)
    now = desk.clock.now()
    said = said_of(desk, messages, now)
    line = lines_of([ticket], messages, said, now)[0]
    is_of_many = ticket.operation.is_of_many or len(messages) > 1
    trades, fault = _trades(desk, ticket, messages, line, said)
    breaks = desk.store.breaks.of_orders([each.id for each in messages])
    return Story(
        line=line,
        why=_why(line, events),
        steps=tuple(_step(each) for each in events if each.order_id is None or not is_of_many),
        chapters=tuple(_chapter(ticket, each, events, said, trades, breaks) for each in messages),
        is_of_many=is_of_many,
        fault=said.faults.get(ticket.trading_mode, fault),
    )


def _trades(
    desk: Desk, ticket: Ticket, messages: Sequence[JournalOrder], line: Line, said: BrokerOrders
) -> tuple[Sequence[Trade], str]:
    """The fills of what was placed, asked for only where there may be some."""
    may_have_traded = any((there := said.of(each)) is not None and there.filled_quantity for each in messages)
    if not (may_have_traded or line.outcome in _TRADED):
        return (), ""
    placed = {each.broker_order_id for each in messages if each.operation is Operation.PLACE}
    try:
        return [each for each in desk.broker(ticket.trading_mode).trade_book() if each.order_id in placed], ""
    except BridgeError as fault:
        return (), fault.message


def _chapter(
    ticket: Ticket,
    order: JournalOrder,
    events: Sequence[Event],
    said: BrokerOrders,
    trades: Sequence[Trade],
    breaks: Sequence[Break],
) -> Chapter:
    return Chapter(
        leg=leg_of(order, said.of(order), closes=ticket.operation is Operation.CLOSE),
        steps=tuple(_step(each) for each in events if each.order_id == order.id),
        trades=tuple(each for each in trades if _is_of(each, order.broker_order_id)),
        breaks=tuple(each for each in breaks if each.order_id == order.id),
    )


def _is_of(trade: Trade, number: BrokerOrderId | None) -> bool:
    return trade.order_id == number


def _step(event: Event) -> Step:
    return Step(
        at=event.at,
        was=_word(event, event.was),
        becomes=_word(event, event.state),
        by=event.by,
        reason=event.reason,
        changes=changes_in(event.reason) if event.state == REVISED else (),
    )


def _word(event: Event, word: str) -> State:
    """A ticket's and an order's ``rejected`` are not the same; an event without a move is no state."""
    if word in _NO_STATE:
        return word
    return TicketState(word) if event.order_id is None else OrderState(word)


def _why(line: Line, events: Sequence[Event]) -> str:
    """The sentence of the line, with the guard that refused it, or the person who did, before it."""
    last = next((each for each in reversed(events) if each.order_id is None), None)
    match line.outcome:
        case Outcome.WAITING if not line.why:
            return "Nothing is sent until you decide."
        case Outcome.DENIED if last is not None and last.by.startswith(_GUARD):
            return f"{last.by.removeprefix(_GUARD).replace('_', ' ').capitalize()}. {line.why}"
        case Outcome.TURNED_DOWN if last is not None and last.by != line.ticket.origin.source:
            return f"By you. {line.why}"
        case Outcome.NOTHING_TO_DO:
            return "Nothing was open when it was asked for."
        case _ if line.progress:
            return f"{line.progress}. {line.why}".strip()
        case _:
            return line.why
