"""The big stop: one commit, and from then on nothing is sent but cancels and exits (users 8, M7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.order import BrokerOrderId, CancelAllRequest, CancelRequest, CloseRequest, TradingMode
from openalgo_bridge.model.redaction import redact
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.store.kill_switch import SwitchState
from openalgo_bridge.store.ticket_lists import TicketFilter
from openalgo_bridge.trading import closing
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.orders import Held

STRATEGY = "kill switch"
"""The strategy of the tickets that the switch makes, by which their report is found."""

_LONGEST_REASON = 200
_MOST_TICKETS = 50
_NO_REASON = "no reason noted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engaged:
    """The switch as it stands, what became of each order and position, and what could not even be tried.

    ``is_recorded``: its line of the audit list could be written.
    """

    state: SwitchState
    is_recorded: bool
    cancelled: tuple[Report, ...]
    closed: tuple[Report, ...]
    faults: tuple[str, ...]

    @property
    def is_done(self) -> bool:
        """Whether everything that was asked for was done."""
        return not self.faults and all(report.is_done for report in (*self.cancelled, *self.closed))


def engage(desk: Desk, reason: str, *, cancel_all: bool, close_all: bool, by: Actor) -> Engaged:
    """Stop all entries, and if asked withdraw every order and close every position, at every connected broker.

    The switch is on before anything else is tried, and stays on whatever becomes of that. Raises StorageError when it
    cannot be written: then it is not on.
    """
    # A key is taken out before the reason is cut: a part of a key is no key to see.
    told = redact(reason.strip())[:_LONGEST_REASON] or _NO_REASON
    engagement = desk.store.kill_switch.engage(told, by=by)
    origin = Origin(source=closing.PAGE, strategy=STRATEGY, request_id="", may_trade_live=True)
    cancelled = closed = _Attempts()
    if cancel_all:
        cancelled = _everywhere(desk, lambda mode: closing.cancel_all(desk, CancelAllRequest(), origin, mode))
    if close_all:
        closed = _everywhere(desk, lambda mode: closing.close(desk, CloseRequest(), origin, mode))
    return Engaged(
        state=engagement.state,
        is_recorded=engagement.is_recorded,
        cancelled=cancelled.reports,
        closed=closed.reports,
        faults=(*cancelled.faults, *closed.faults),
    )


def release(desk: Desk, *, by: Actor, since: datetime | None = None) -> None:
    """Entries may be made again. Whoever calls this has asked for the password.

    Raises StorageError, and Conflict when it was engaged anew after ``since``.
    """
    desk.store.kill_switch.release(by=by, since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One message of the switch, and the order at the broker that it withdrew or made, where that can be read."""

    order: JournalOrder
    there: BrokerOrder | None


def tried_since(desk: Desk, since: datetime) -> list[Tried]:
    """What the switch cancelled and closed since then, as the journal and the brokers say now, oldest first.

    From the journal, so that it is there after a restart and tells what was found out later. Raises StorageError.
    """
    ours = TicketFilter(strategy=STRATEGY, source=closing.PAGE)
    recent = desk.store.ticket_lists.page(ours, limit=_MOST_TICKETS)
    made = desk.store.journal.orders_of([ticket.id for ticket in recent if ticket.created_at >= since])
    books = {mode: _book(desk, mode) for mode in {order.trading_mode for order in made}}
    return [Tried(order=order, there=books[order.trading_mode].get(_about(order))) for order in made]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many orders work and how many positions are open in one account; None where its broker cannot say."""

    mode: TradingMode
    orders: int | None
    positions: int | None


def standing(desk: Desk) -> list[Standing]:
    """Of every connected account, read now."""
    return [_standing(desk, mode) for mode in desk.brokers]


def _standing(desk: Desk, mode: TradingMode) -> Standing:
    broker = desk.broker(mode)
    try:
        working = sum(1 for order in broker.order_book() if order.status.is_working)
        held = sum(1 for position in broker.positions() if position.quantity)
    except BridgeError:
        return Standing(mode=mode, orders=None, positions=None)
    return Standing(mode=mode, orders=working, positions=held)


def _book(desk: Desk, mode: TradingMode) -> dict[BrokerOrderId | None, BrokerOrder]:
    """Empty where the broker does not answer: what the journal knows is worth showing without it."""
    try:
        return {order.id: order for order in desk.broker(mode).order_book()}
    except BridgeError:
        return {}


def _about(order: JournalOrder) -> BrokerOrderId | None:
    return order.request.broker_order_id if isinstance(order.request, CancelRequest) else order.broker_order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempts:
    reports: tuple[Report, ...] = ()
    faults: tuple[str, ...] = ()


def _everywhere(desk: Desk, act: Callable[[TradingMode], Report | Held]) -> _Attempts:
    """One account that cannot be reached must not keep the other from being emptied."""
    reports: list[Report] = []
    faults: list[str] = []
    for mode in desk.brokers:
        try:
            outcome = act(mode)
        except BridgeError as fault:
            faults.append(f"{mode}: {fault.message}")
        else:
            # What the trader himself asks for is never held.
            reports += [outcome] if isinstance(outcome, Report) else []
    return _Attempts(reports=tuple(reports), faults=tuple(faults))
