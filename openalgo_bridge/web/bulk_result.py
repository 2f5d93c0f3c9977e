"""What became of many decisions: one true line for each, and a heading that does not say more than they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Rejected
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.order import BrokerOrderId, OrderRequest, TradingMode
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading.approvals import Verdict
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.sending import InDoubt, Sent
from openalgo_bridge.web.formats import money
from openalgo_bridge.web.words import sentence, state

_NOT_TRIED = "You wanted to stop at the first refusal, so it was left as it was."

_BY_A_PERSON = {TicketState.APPROVED, TicketState.RELEASED, TicketState.REJECTED}


class End(StrEnum):
    """How one of the decisions ended."""

    FILLED = "filled"
    SENT = "sent"
    IN_DOUBT = "in doubt"
    PARTLY_DONE = "partly done"
    REFUSED = "refused by the broker"
    NOT_SENT = "not sent"
    NOT_TRIED = "not tried"
    REJECTED = "rejected"
    NOT_REJECTED = "not rejected"
    DECIDED_BEFORE = "decided before"
    NOTHING_TO_DO = "nothing to do"

    @property
    def tone(self) -> str:
        """The colour, which never says more than the word."""
        return _TONES[self]


_TONES = {
    End.FILLED: "success",
    End.SENT: "info",
    End.IN_DOUBT: "warning",
    End.PARTLY_DONE: "warning",
    End.REFUSED: "danger",
    End.NOT_SENT: "danger",
    End.NOT_TRIED: "secondary",
    End.REJECTED: "secondary",
    End.NOT_REJECTED: "danger",
    End.DECIDED_BEFORE: "secondary",
    End.NOTHING_TO_DO: "secondary",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLine:
    """One decision. ``ticket`` is None where there is none of that number."""

    ticket_id: int
    ticket: Ticket | None
    end: End
    note: str

    @property
    def what(self) -> str:
        """What was asked for."""
        return f"ticket {self.ticket_id}" if self.ticket is None else sentence(self.ticket.request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All lines, in the order in which they were tried."""

    lines: list[ResultLine]

    @property
    def heading(self) -> str:
        """How many of each end, such as ``5 orders: 3 filled, 1 in doubt, 1 not sent``."""
        counts = Counter(line.end for line in self.lines)
        told = ", ".join(f"{counts[end]} {end}" for end in End if counts[end])
        return f"{len(self.lines)} {'order' if len(self.lines) == 1 else 'orders'}: {told}"


Told = tuple[int, str, str]
"""A ticket, how its decision ended, and a sentence: what a session keeps of a line."""


def told_of_approvals(desk: Desk, ticket_ids: Sequence[int], verdicts: Iterable[Verdict]) -> list[Told]:
    """Of all that were to be approved; those without a verdict were not tried."""
    known = {verdict.ticket_id: verdict for verdict in verdicts}
    without = [number for number in ticket_ids if number not in known or _is_late(known[number])]
    books, before = _books(desk, known.values()), _decided_before(desk, without)
    return [(number, *(before.get(number) or _approved(known.get(number), books))) for number in ticket_ids]


def told_of_rejections(desk: Desk, verdicts: Sequence[Verdict]) -> list[Told]:
    """Of all that were to be turned down."""
    before = _decided_before(desk, [each.ticket_id for each in verdicts if _is_late(each)])
    return [(each.ticket_id, *(before.get(each.ticket_id) or _turned_down(each.refusal))) for each in verdicts]


def result_of(desk: Desk, told: Iterable[Told]) -> Result:
    """The lines with their tickets as they are now."""
    lines = [(number, End(end), note) for number, end, note in told]
    tickets = {ticket.id: ticket for ticket in desk.store.ticket_lists.named([number for number, _, _ in lines])}
    return Result(
        lines=[
            ResultLine(ticket_id=number, ticket=tickets.get(number), end=end, note=note) for number, end, note in lines
        ]
    )


_Books = Mapping[TradingMode, Mapping[BrokerOrderId, BrokerOrder]]


def _is_late(verdict: Verdict) -> bool:
    return isinstance(verdict.refusal, Conflict)


def _decided_before(desk: Desk, ticket_ids: Sequence[int]) -> dict[int, tuple[End, str]]:
    """Those that somebody else, or the first of two clicks, had decided: nothing failed, and nothing was sent twice."""
    found = desk.store.ticket_lists.named(ticket_ids)
    decided = [ticket for ticket in found if ticket.state in _BY_A_PERSON]
    return {ticket.id: (End.DECIDED_BEFORE, f"It was {ticket.state} already.") for ticket in decided}


def _turned_down(refusal: BridgeError | None) -> tuple[End, str]:
    return (End.REJECTED, "Nothing was sent.") if refusal is None else (End.NOT_REJECTED, refusal.message)


def _approved(verdict: Verdict | None, books: _Books) -> tuple[End, str]:
    if verdict is None:
        return End.NOT_TRIED, _NOT_TRIED
    match verdict.result:
        case Sent() as sent:
            return _sent(sent, books)
        case InDoubt(message=message):
            return End.IN_DOUBT, message
        case Report() as report:
            return _closed(report)
    refusal = verdict.refusal
    message = "" if refusal is None else refusal.message
    return (End.REFUSED if isinstance(refusal, Rejected) else End.NOT_SENT), message


def _sent(sent: Sent, books: _Books) -> tuple[End, str]:
    """Taken by the broker is not yet filled, and a broker may refuse a moment later."""
    there = books.get(sent.ticket.trading_mode, {}).get(sent.broker_order_id)
    if not isinstance(sent.ticket.request, OrderRequest):
        return End.SENT, f"The broker took it for order {sent.broker_order_id}."
    if there is None:
        return End.SENT, f"Order {sent.broker_order_id}; its state could not be read."
    if there.status is OrderStatus.COMPLETE:
        return End.FILLED, f"At {money(there.average_price)}. Order {there.id}."
    if there.status is OrderStatus.REJECTED:
        return End.REFUSED, there.rejection_reason
    return End.SENT, f"Order {there.id} is now: {state(there.status).lower()}."


def _closed(report: Report) -> tuple[End, str]:
    """Of the withdrawals and closing orders of one ticket together."""
    if not report.legs:
        return End.NOTHING_TO_DO, "No position was open."
    done = sum(leg.is_done for leg in report.legs)
    why_not = dict.fromkeys(leg.why_not for leg in report.legs if not leg.is_done)
    note = f"{done} of {len(report.legs)} withdrawals and closing orders were taken by the broker."
    return _end_of(report, done), " ".join([note, *why_not])


def _end_of(report: Report, done: int) -> End:
    if report.is_done:
        return End.SENT
    if any(isinstance(leg.result, InDoubt) for leg in report.legs):
        return End.IN_DOUBT
    return End.PARTLY_DONE if done else End.NOT_SENT


def _books(desk: Desk, verdicts: Iterable[Verdict]) -> _Books:
    """Each account's order book, read once for all its lines. What cannot be read is left out, and the lines say so."""
    modes = {verdict.result.ticket.trading_mode for verdict in verdicts if isinstance(verdict.result, Sent)}
    books: dict[TradingMode, Mapping[BrokerOrderId, BrokerOrder]] = {}
    for mode in modes:
        try:
            books[mode] = {order.id: order for order in desk.broker(mode).order_book()}
        except BridgeError:
            continue
    return books
