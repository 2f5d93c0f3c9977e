"""``/action-center``: what waits for the person, what was decided, and both; filtered, sorted, paged by key."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import Action, Exchange
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web import bulk, sessions
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.optional import if_readable
from openalgo_bridge.web.order_lines import Line, lines_now
from openalgo_bridge.web.paging import PAGE_SIZE
from openalgo_bridge.web.ticket_filter import Asked, Tab, asked_in_url
from openalgo_bridge.web.waiting import Waiting, rows_of

blueprint = Blueprint("action_center", __name__, url_prefix="/action-center")
blueprint.register_blueprint(bulk.blueprint)

_STATUSES = (
    TicketState.HELD,
    TicketState.RELEASED,
    TicketState.REJECTED,
    TicketState.EXPIRED,
    TicketState.DENIED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One page of a list: ``rows`` where it is of what waits, else ``lines``. ``last`` leads on, when ``has_more``."""

    rows: list[Waiting]
    lines: list[Line]
    counts: dict[Tab, int]
    last: int
    has_more: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing on this page."""
        return not self.rows and not self.lines


@blueprint.get("")
def action_center() -> ResponseReturnValue:
    """What waits in the order it arrived, or, in the other tabs, everything newest first."""
    desk, asked = reading(current_desk()), asked_in_url()
    return render_template(
        "action_center.html",
        asked=asked,
        listed=_listed(desk, asked),
        tabs=list(Tab),
        strategies=desk.store.ticket_lists.strategies(),
        sources=desk.store.ticket_lists.sources(),
        exchanges=list(Exchange),
        actions=list(Action),
        statuses=_STATUSES,
        held_for=desk.store.guards.held_for("api"),
        doors=desk.doors.reason,
        now=desk.clock.now(),
    )


@blueprint.get("/waiting")
def waiting() -> ResponseReturnValue:
    """The rows of what waits, for the page that keeps itself up to date. Not a sign of a person at the keyboard."""
    sessions.mark_background()
    desk, asked = reading(current_desk()), asked_in_url()
    return render_template("_waiting.html", asked=asked, listed=_listed(desk, asked), now=desk.clock.now())


@blueprint.get("/pending")
def pending() -> ResponseReturnValue:
    """What every open page asks for: ``{count, latest, exits}`` for its badge, and by ``stopped``, ``doors``,
    ``orders``, ``trading`` (null: cannot be read) and ``drill`` it knows that :func:`standing` has changed. Not a sign
    of a person at the keyboard.
    """
    sessions.mark_background()
    desk = current_desk()
    queue, now = desk.store.ticket_lists.queue(), if_readable(desk.store.standing.read)
    switch, drill = None if now is None else now.kill_switch, desk.drills.running()
    return jsonify(
        count=queue.count,
        latest=queue.latest,
        exits=queue.exits,
        stopped=None if switch is None else switch.is_on,
        doors=desk.doors.state,
        orders=None if now is None else now.order_mode,
        trading=None if now is None else now.trading_mode,
        drill=None if drill is None else drill.id,
    )


@blueprint.get("/standing")
def standing() -> ResponseReturnValue:
    """The button and the banners of a page, for one that was loaded before one of them changed."""
    sessions.mark_background()
    return render_template("standing.html")


def _listed(desk: Desk, asked: Asked) -> Listed:
    lists = desk.store.ticket_lists
    found = lists.page(asked.in_tab, after=asked.after, newest_first=asked.newest_first, limit=PAGE_SIZE + 1)
    tickets = found[:PAGE_SIZE]
    is_waiting = asked.tab is Tab.WAITING
    return Listed(
        rows=rows_of(desk, tickets) if is_waiting else [],
        lines=[] if is_waiting else lines_now(desk, tickets),
        counts=_counts(lists.counts(asked.wanted)),
        last=tickets[-1].id if tickets else 0,
        has_more=len(found) > PAGE_SIZE,
    )


def _counts(by_state: dict[TicketState, int]) -> dict[Tab, int]:
    waiting, everything = by_state[TicketState.HELD], sum(by_state.values())
    return {Tab.WAITING: waiting, Tab.DECIDED: everything - waiting, Tab.ALL: everything}
