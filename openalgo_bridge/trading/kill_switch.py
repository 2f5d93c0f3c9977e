"""The big stop: one commit, and from then on nothing is sent but cancels and exits (users 8, M7)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.order import CancelAllRequest, CloseRequest, TradingMode
from openalgo_bridge.model.redaction import noted
from openalgo_bridge.model.ticket import PAGE, Operation, Origin
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.store.kill_switch import SwitchState
from openalgo_bridge.store.ticket_lists import TicketFilter
from openalgo_bridge.trading import closing, orders
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.gtt_books import LeftWaiting, left_waiting
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.stopping import without_needless
from openalgo_bridge.trading.targets import Target

STRATEGY = "kill switch"
"""The strategy of the tickets that the switch makes, by which their report is found."""

_ORIGIN = Origin(source=PAGE, strategy=STRATEGY, request_id="", may_trade_live=True)
_MOST_TICKETS = 50
_NO_REASON = "no reason noted"
_log = logging.getLogger(__name__)


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
    told = noted(reason) or _NO_REASON
    engagement = desk.store.kill_switch.engage(told, by=by)
    cancelled = closed = _Attempts()
    if cancel_all:
        cancelled = _everywhere(desk, lambda mode: closing.withdraw_all(desk, CancelAllRequest(), _ORIGIN, mode))
    if close_all:
        closed = _everywhere(desk, lambda mode: closing.close(desk, CloseRequest(), _ORIGIN, mode))
    return Engaged(
        state=engagement.state,
        is_recorded=engagement.is_recorded,
        # Nothing waits for these questions any more.
        cancelled=tuple(without_needless(desk, report) for report in cancelled.reports),
        closed=closed.reports,
        faults=(*cancelled.faults, *closed.faults),
    )


def release(desk: Desk, *, by: Actor, since: datetime | None = None) -> None:
    """Entries may be made again. Whoever calls this has asked for the password.

    Raises StorageError, and Conflict when it was engaged anew after ``since``.
    """
    desk.store.kill_switch.release(by=by, since=since)


def tried_since(desk: Desk, since: datetime) -> list[JournalOrder]:
    """The messages with which the switch cancelled and closed since then, oldest first.

    From the journal, so that they are there after a restart and tell what was found out later. Raises StorageError.
    """
    ours = TicketFilter(strategy=STRATEGY, source=PAGE)
    recent = desk.store.ticket_lists.page(ours, limit=_MOST_TICKETS)
    return desk.store.journal.orders_of([ticket.id for ticket in recent if ticket.created_at >= since])


def withdraw_late(desk: Desk) -> None:
    """Withdraw what was on its way when the switch was engaged with "cancel all" and works at the broker by now, and
    what was tried in vain then: the broker may not have known the order yet, or the process ended before.

    Each once: a withdrawal that fails is in the report, and the trader's to repeat. Raises StorageError, and a
    BrokerError when the broker cannot say what is working.
    """
    since = desk.store.kill_switch.state().since
    if since is None:
        return
    late = desk.store.journal.left_by_cancel_all(source=PAGE, strategy=STRATEGY, since=since)
    for mode in {order.trading_mode for order in late}:
        working = [each.id for each in desk.broker(mode).order_book() if each.status.is_working]
        placed = {order.broker_order_id for order in late if order.trading_mode is mode}
        for order_id in working:
            if order_id in placed:
                _withdraw(desk, Target(broker_order_id=order_id, trading_mode=mode))


def _withdraw(desk: Desk, target: Target) -> None:
    try:
        orders.withdraw(desk, target, _ORIGIN)
    except BridgeError:
        _log.exception("order %s: it came after the kill switch and could not be withdrawn", target.broker_order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many orders work and how many positions are open in one account; None where its broker cannot say.

    ``unseen`` is how many orders were sent of which nobody knows yet whether they are there, None where the journal
    cannot be read. ``gtts`` wait for their price, and no stop withdraws them.
    """

    mode: TradingMode
    unseen: int | None
    orders: int | None
    positions: int | None
    gtts: LeftWaiting


def standing(desk: Desk) -> list[Standing]:
    """Of every connected account, read now."""
    return [_standing(desk, mode) for mode in desk.brokers]


def _standing(desk: Desk, mode: TradingMode) -> Standing:
    broker, unseen = desk.broker(mode), _unseen(desk, mode)
    try:
        working = sum(1 for order in broker.order_book() if order.status.is_working)
        held = sum(1 for position in broker.positions() if position.quantity)
    except BridgeError as fault:
        gtts = LeftWaiting(mode=mode, symbol="", fault=fault.message)
        return Standing(mode=mode, unseen=unseen, orders=None, positions=None, gtts=gtts)
    # Last: who is in a hurry needs the others more.
    gtts = left_waiting(desk, mode, CancelAllRequest())
    return Standing(mode=mode, unseen=unseen, orders=working, positions=held, gtts=gtts)


def _unseen(desk: Desk, mode: TradingMode) -> int | None:
    try:
        doubts = desk.store.journal.doubts()
    except StorageError:
        return None
    return sum(each.trading_mode is mode and each.operation is Operation.PLACE for each in doubts)


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
