"""The big stop: one commit, and from then on nothing is sent but cancels and exits (users 8, M7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.order import CancelAllRequest, CloseRequest, TradingMode
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.store.kill_switch import SwitchState
from openalgo_bridge.trading import closing
from openalgo_bridge.trading.closing import Report
from openalgo_bridge.trading.orders import Held

_LONGEST_REASON = 200
_NO_REASON = "no reason noted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engaged:
    """The switch as it stands, what became of each order and position, and what could not even be tried."""

    state: SwitchState
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
    state = desk.store.kill_switch.engage(reason.strip()[:_LONGEST_REASON] or _NO_REASON, by=by)
    origin = Origin(source=closing.PAGE, strategy="kill switch", request_id="", may_trade_live=True)
    cancelled = closed = _Attempts()
    if cancel_all:
        cancelled = _everywhere(desk, lambda mode: closing.cancel_all(desk, CancelAllRequest(), origin, mode))
    if close_all:
        closed = _everywhere(desk, lambda mode: closing.close(desk, CloseRequest(), origin, mode))
    return Engaged(
        state=state,
        cancelled=cancelled.reports,
        closed=closed.reports,
        faults=(*cancelled.faults, *closed.faults),
    )


def release(desk: Desk, *, by: Actor) -> None:
    """Entries may be made again. Whoever calls this has asked for the password. Raises StorageError."""
    desk.store.kill_switch.release(by=by)


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
