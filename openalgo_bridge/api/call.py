"""One authenticated API call, as the views see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from openalgo_bridge.account.keys import Caller
from openalgo_bridge.api.body import Fields
from openalgo_bridge.api.schemas.base import ApiModel, parse
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.asked import as_asked
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.model.permission import Permission
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.orders import Held, Submitted
from openalgo_bridge.trading.sending import InDoubt
from openalgo_bridge.traffic import Note

ModelT = TypeVar("ModelT", bound=ApiModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who calls, with what, on which desk; ``sender`` is the caller in the words of the audit list; ``note`` is what
    its traffic row will say."""

    desk: Desk
    caller: Caller
    sender: Actor
    fields: Fields
    note: Note

    def parsed(self, model: type[ModelT]) -> ModelT:
        """The request model of the body. Raises Invalid."""
        return parse(model, self.fields)

    def origin(self, strategy: str, signal_at: datetime | None = None) -> Origin:
        """Where a ticket made by this call comes from."""
        return Origin(
            source="api",
            strategy=strategy,
            request_id=self.note.request_id,
            asked=as_asked(self.fields),
            may_trade_live=self.caller.may(Permission.LIVE_TRADING),
            signal_at=signal_at,
        )

    def noted(self, result: Submitted) -> Submitted:
        """The same result, with its ticket and outcome on the traffic row."""
        self._note_ticket(result.ticket)
        match result:
            case Held():
                self.note.outcome = CallOutcome.HELD
            case InDoubt(message=message):
                self.note.outcome = CallOutcome.UNKNOWN
                self.note.add(message)
            case _:
                self.note.outcome = CallOutcome.SENT
        return result

    def reported(self, report: Report) -> Report:
        """The same report, with its ticket and outcome on the traffic row."""
        self._note_ticket(report.ticket)
        self.note.outcome = _outcome_of(report)
        return report

    def _note_ticket(self, ticket: Ticket) -> None:
        self.note.ticket_id = ticket.id
        self.note.trading_mode = ticket.trading_mode


def _outcome_of(report: Report) -> CallOutcome:
    failed = sum(not leg.is_done for leg in report.legs)
    if not failed:
        return CallOutcome.SENT
    return CallOutcome.PARTIAL if failed < len(report.legs) else CallOutcome.FAILED
