"""What stops orders, or is in doubt, must not be forgotten with the file that a restore replaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from openalgo_bridge.account.undone import Undone
from openalgo_bridge.errors import NotFound, StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.expand import SmartOrderSettings
from openalgo_bridge.model.guards import GuardSettings, widens
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.model.states import MAY_BE_THERE, OrderState
from openalgo_bridge.store.carried_over import Doubt
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.store.kill_switch import SwitchState
from openalgo_bridge.store.store import Store

STOPPED_BECAUSE = "after a restore: what was set since could not be read"

_NO_MORE = "It waited when a backup was made that has been restored since. Send it again if it is still wanted."

# What a row that was cut off, mixed up or never brought up to date becomes on its way to a value.
_DAMAGED = (StorageError, NotFound, ArithmeticError, LookupError, TypeError, ValueError)

_T = TypeVar("_T")


class Reading:
    """Reads a file that may be damaged part by part: what cannot be read hides no other part, and is remembered."""

    def __init__(self) -> None:
        self.is_whole = True

    def part(self, read: Callable[[], _T], otherwise: _T) -> _T:
        """What ``read`` finds; ``otherwise`` where the file, or a value in it, is damaged."""
        try:
            return read()
        except _DAMAGED:
            self.is_whole = False
            return otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An order that may be at the broker for all that the backup knows, and what was found out since."""

    order_id: int
    outcome: Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersSince:
    """What the present file says of the orders of a backup.

    ``kill_switch`` is None where it is off, ``guards`` and ``smart_orders`` where those of the backup are no wider.
    ``stays_analyze``: the backup would go live. ``doubts`` are in doubt here, ``decided`` there and no more.
    """

    kill_switch: SwitchState | None = None
    guards: GuardSettings | None = None
    guards_unknown: bool = False
    smart_orders: SmartOrderSettings | None = None
    stays_analyze: bool = False
    doubts: tuple[Doubt, ...] = ()
    doubts_unknown: bool = False
    decided: tuple[Decided, ...] = ()


def nothing_readable(backup: Store) -> OrdersSince:
    """What counts where the present file says nothing: nobody can tell that it was live, or free of doubts."""
    return OrdersSince(guards_unknown=True, doubts_unknown=True, stays_analyze=_is_live(backup))


def doubts_alone(present: Store, reading: Reading) -> OrdersSince:
    """Where the present file is of another account: its orders in doubt may be at the broker all the same."""
    doubts = reading.part(lambda: _doubts(present), None)
    return OrdersSince(doubts=doubts or (), doubts_unknown=doubts is None)


def orders_since(backup: Store, present: Store, reading: Reading) -> OrdersSince:
    """Of the same account. Raises StorageError for the backup alone."""
    guards = reading.part(present.guards.load, None)
    doubts = reading.part(lambda: _doubts(present), None)
    mode = reading.part(present.preferences.trading_mode, None)
    return OrdersSince(
        kill_switch=reading.part(lambda: _stopped_since(backup, present), None),
        guards=_narrower_guards(backup, guards),
        guards_unknown=guards is None,
        smart_orders=_narrower_smart_orders(backup, present),
        stays_analyze=mode is not TradingMode.LIVE and _is_live(backup),
        doubts=doubts or (),
        doubts_unknown=doubts is None,
        decided=reading.part(lambda: tuple(_decided(backup, present)), ()),
    )


def keep_orders_since(backup: Store, since: OrdersSince, *, by: Actor) -> list[Undone]:
    """Let it be so in ``backup`` too, whose journal is interrupted on the way. Raises StorageError."""
    undone = _keep_doubts(backup, since, by)
    if since.stays_analyze:
        backup.preferences.set_trading_mode(TradingMode.ANALYZE, by=by)
        undone.append(Undone.ANALYZE)
    if since.kill_switch is not None:
        backup.kill_switch.keep(since.kill_switch, by=by)
        undone.append(Undone.KILL_SWITCH)
    if since.guards is not None:
        backup.guards.save(since.guards, by=by)
        undone.append(Undone.GUARDS)
    if since.smart_orders is not None:
        backup.preferences.set_smart_orders(since.smart_orders, by=by)
        undone.append(Undone.SMART_ORDERS)
    return [*undone, Undone.GUARDS_UNKNOWN] if since.guards_unknown else undone


def stop(backup: Store, *, by: Actor) -> list[Undone]:
    """Nobody knows what was to stop orders, so entries stop. A switch that is on keeps its reason."""
    backup.kill_switch.engage(STOPPED_BECAUSE, by=by)
    return [Undone.STOPPED]


def turn_down_waiting(backup: Store, *, by: Actor) -> list[Undone]:
    """Nobody can tell whether what waited then was sent since, so it is not offered again. Raises StorageError."""
    backup.journal.expire_held()
    had_some = False
    while waiting := backup.journal.held():
        had_some = True
        for ticket in waiting:
            backup.journal.reject(ticket.id, ticket.shown, _NO_MORE, by=by)
    return [Undone.ORDERS] if had_some else []


def _keep_doubts(backup: Store, since: OrdersSince, by: Actor) -> list[Undone]:
    undone: list[Undone] = []
    if since.doubts_unknown:
        undone.append(Undone.DOUBTS_UNKNOWN)
    # Before the interruption, which would drop as never sent what was planned then and is in doubt now.
    carried = [backup.journal.carry_over(doubt, by=by) for doubt in since.doubts]
    if any(carried):
        undone.append(Undone.DOUBTS_KEPT)
    # What was on its way when the backup was made is in doubt: a restart would find it so.
    backup.journal.interrupt()
    for decided in since.decided:
        was = backup.journal.order(decided.order_id).state
        backup.journal.settle(decided.order_id, decided.outcome, was=was, by=by)
    return [*undone, Undone.DOUBTS] if since.decided else undone


def _doubts(present: Store) -> tuple[Doubt, ...]:
    doubtful = present.journal.doubts()
    return tuple(Doubt(ticket=present.journal.ticket(order.ticket_id), order=order) for order in doubtful)


def _is_live(backup: Store) -> bool:
    """A mode that cannot be read counts as live: it is then set anew."""
    try:
        return backup.preferences.trading_mode() is TradingMode.LIVE
    except StorageError:
        return True


def _stopped_since(backup: Store, present: Store) -> SwitchState | None:
    now = present.kill_switch.state()
    return now if now.is_on and not backup.kill_switch.state().is_on else None


def _narrower_guards(backup: Store, now: GuardSettings | None) -> GuardSettings | None:
    """Those of the present as a whole: which of two mixed sets the trader wants, he decided last."""
    if now is None:
        return None
    try:
        then = backup.guards.load()
    except StorageError:
        return now
    return now if widens(now, then) else None


def _narrower_smart_orders(backup: Store, present: Store) -> SmartOrderSettings | None:
    """A file of an older version has no such settings, so that they cannot be read is no damage."""
    try:
        now = present.preferences.smart_orders()
    except StorageError:
        return None
    try:
        then = backup.preferences.smart_orders()
    except StorageError:
        return now
    return now if then.widens(now) else None


def _decided(backup: Store, present: Store) -> Iterator[Decided]:
    """The same number names another order where the present file was restored itself, so the reference must fit."""
    for order in backup.journal.doubts():
        found = _order_now(present, order)
        if found is None or found.state in MAY_BE_THERE:
            continue
        # A refusal that was parsed since proves as much, and from in doubt there is only one way to say so.
        state = OrderState.SENT if found.state is OrderState.SENT else OrderState.NOT_PLACED
        outcome = Settlement(state=state, broker_order_id=found.broker_order_id, message=found.message)
        yield Decided(order_id=order.id, outcome=outcome)


def _order_now(present: Store, of_backup: JournalOrder) -> JournalOrder | None:
    try:
        found = present.journal.order(of_backup.id)
    except NotFound:
        return None
    return found if found.ref == of_backup.ref else None
