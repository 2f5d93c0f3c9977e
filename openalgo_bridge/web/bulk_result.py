"""What became of many decisions: one true line for each, and a heading that does not say more than they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict
from openalgo_bridge.model.outcome import Outcome
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.trading.approvals import Verdict
from openalgo_bridge.web import words
from openalgo_bridge.web.order_lines import Line, lines_now
from openalgo_bridge.web.sent_forms import End, Note

_STOPPED_BEFORE = "You wanted to stop at the first one that does not simply go, so this one still waits for you."
_BY_A_PERSON = {TicketState.APPROVED, TicketState.RELEASED, TicketState.REJECTED}
_STILL_THERE = {Outcome.WAITING, Outcome.EXPIRED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLine:
    """One decision. ``line`` is its ticket as it is now; ``note`` is set where the decision came to nothing."""

    line: Line
    note: Note | None

    @property
    def word(self) -> str:
        """What became of it."""
        return words.outcome(self.line.outcome).lower() if self.note is None else self.note.end

    @property
    def tone(self) -> str:
        """The colour of the word."""
        return words.outcome_tone(self.line.outcome) if self.note is None else self.note.end.tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All lines, in the order in which they were tried, and the numbers of which there is no ticket.

    ``is_running``: not all of them were tried yet.
    """

    lines: list[ResultLine]
    missing: list[int]
    is_running: bool

    @property
    def heading(self) -> str:
        """How many of each word, such as ``5 orders: 3 filled, 1 in doubt, 1 not sent``; tickets where one took several
        orders.
        """
        counts = Counter(line.word for line in self.lines)
        told = ", ".join(f"{number} {word}" for word, number in counts.items())
        what = "ticket" if any(line.line.legs for line in self.lines) else "order"
        return f"{len(self.lines)} {what if len(self.lines) == 1 else what + 's'}: {told}"


def notes_of_approvals(desk: Desk, ticket_ids: Sequence[int], verdicts: Iterable[Verdict]) -> list[Note]:
    """Of all that were to be approved; those without a verdict were not tried."""
    known = {verdict.ticket_id: verdict for verdict in verdicts}
    now = _now(desk, ticket_ids)
    return _notes((_note(number, known.get(number), now.get(number), End.NOT_SENT)) for number in ticket_ids)


def notes_of_rejections(desk: Desk, verdicts: Sequence[Verdict]) -> list[Note]:
    """Of all that were to be turned down."""
    now = _now(desk, [each.ticket_id for each in verdicts])
    return _notes(_note(each.ticket_id, each, now.get(each.ticket_id), End.NOT_REJECTED) for each in verdicts)


def result_of(desk: Desk, ticket_ids: Sequence[int], notes: Mapping[int, Note], *, is_running: bool) -> Result:
    """What became of each, as the journal and the brokers say now: what was found out later is in it."""
    lines = lines_now(desk, desk.store.ticket_lists.named(ticket_ids))
    return Result(
        lines=[ResultLine(line=line, note=_still_true(notes.get(line.ticket.id), line)) for line in lines],
        missing=sorted(set(ticket_ids) - {line.ticket.id for line in lines}),
        is_running=is_running,
    )


def _still_true(note: Note | None, line: Line) -> Note | None:
    """What was left waiting may have been decided since: then the journal tells what became of it."""
    is_over = note is not None and note.end is not End.DECIDED_BEFORE and line.outcome not in _STILL_THERE
    return None if is_over else note


def _now(desk: Desk, ticket_ids: Sequence[int]) -> dict[int, Ticket]:
    return {ticket.id: ticket for ticket in desk.store.ticket_lists.named(ticket_ids)}


def _notes(found: Iterable[Note | None]) -> list[Note]:
    return [note for note in found if note is not None]


def _note(number: int, verdict: Verdict | None, ticket: Ticket | None, not_done: End) -> Note | None:
    """None where the journal tells what became of it. What somebody else had decided did not fail."""
    is_decided = ticket is not None and ticket.state in _BY_A_PERSON
    refusal = None if verdict is None else verdict.refusal
    if verdict is not None and (refusal is None or (is_decided and not isinstance(refusal, Conflict))):
        return None
    if ticket is not None and is_decided:
        return Note(ticket_id=number, end=End.DECIDED_BEFORE, why=f"It was {ticket.state} already.")
    if refusal is None:
        return Note(ticket_id=number, end=End.NOT_TRIED, why=_STOPPED_BEFORE)
    return Note(ticket_id=number, end=not_done, why=refusal.message)
