"""``/traffic/<id>``: one call with all that is known of it: who called, what was said, what became of its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotFound, StorageError
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.store.traffic import Bodies, Call
from openalgo_bridge.store.traffic_text import BODY_KEPT
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.json_layout import laid_out
from openalgo_bridge.web.optional import if_readable
from openalgo_bridge.web.paging import row_id
from openalgo_bridge.web.story import Story, story_of
from openalgo_bridge.web.traffic import is_masked

blueprint = Blueprint("traffic_call", __name__)

_MOST_CALLS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What was said in one direction, laid out. ``size`` is what it was on the wire, in bytes."""

    title: str
    text: str
    size: int

    @property
    def may_be_cut(self) -> bool:
        """Whether more bytes came than characters are kept."""
        return self.size > BODY_KEPT


@blueprint.get("/traffic/<int:call_id>")
def call(call_id: int) -> ResponseReturnValue:
    """Raises NotFound where there is no such call, or not any more."""
    desk = reading(current_desk())
    found = desk.store.traffic.call(row_id(call_id))
    if found is None:
        raise NotFound("There is no such call, or it is so old that it is kept no more.")
    ticket, story, fault = _order_of(desk, found)
    return render_template(
        "traffic_call.html",
        call=found,
        bodies=_bodies(desk.store.traffic.bodies(found.id)),
        kept=BODY_KEPT,
        ticket=ticket,
        story=story,
        fault=fault,
        is_masked=is_masked(),
    )


def calls_of(desk: Desk, ticket: Ticket) -> Sequence[Call]:
    """The first calls that asked for a ticket, changed or withdrew it; none where the traffic log cannot be read."""
    return (if_readable(lambda: desk.store.traffic.of_ticket(ticket.id)) or ())[:_MOST_CALLS]


def _order_of(desk: Desk, of: Call) -> tuple[Ticket | None, Story | None, str]:
    """What became of its order, and why that cannot be told: a backup that was restored may not have it."""
    if of.ticket_id is None:
        return None, None, ""
    try:
        ticket = desk.store.journal.ticket(of.ticket_id)
        return ticket, story_of(desk, ticket), ""
    except (NotFound, StorageError) as fault:
        return None, None, fault.message


def _bodies(said: Bodies | None) -> tuple[Body, ...]:
    if said is None:
        return ()
    return (
        Body(title="What was asked", text=laid_out(said.request), size=said.request_bytes),
        Body(title="What was answered", text=laid_out(said.answer), size=said.answer_bytes),
    )
