"""What stands in the way of an order: the kill switch, the trader's limits, an order in doubt in the same symbol.

Asked before anything is sent or held, and once more when the trader approves. What only makes sense for entries does
not stop what is provably an exit; the proof costs two reads of the broker, so it is made only where it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.clock import IST
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, Invalid
from openalgo_bridge.model import guards
from openalgo_bridge.model.guards import Asked, Facts, Guard, GuardSettings, PositionKey, Refusal
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import ModifyRequest, OrderRequest, TradingMode
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.store.claims import Reservation
from openalgo_bridge.store.guards import Unspent
from openalgo_bridge.trading import exits


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why an order does not simply go. With a ``guard`` it is refused, without one it waits for the person."""

    reason: str
    guard: Guard | None = None
    exits_pass: bool = True


@dataclass(frozen=True, kw_only=True)
class Case:
    """One order to be judged, and the facts about it (:class:`~openalgo_bridge.model.guards.Facts`).

    A fact is read when a rule first asks for it. ``ticket_id`` is the order's own ticket, once it has one.
    """

    desk: Desk
    broker: Broker
    request: OrderRequest | ModifyRequest
    order: OrderRequest
    instrument: Instrument
    origin: Origin
    mode: TradingMode
    ticket_id: int | None = None

    def asked(self) -> Asked:
        """What the rules look at."""
        now = self.desk.clock.now()
        return Asked(
            order=self.order,
            instrument=self.instrument,
            now=now,
            time_of_day=now.astimezone(IST).time(),
            signal_at=self.origin.signal_at,
            is_change=isinstance(self.request, ModifyRequest),
        )

    def last_price(self) -> Decimal:
        """Read once: the rules of one order must not see two prices."""
        return self._last_price

    def exposures(self) -> Collection[PositionKey]:
        """Of the broker's two books, and of what is on its way there."""
        working = [order.request for order in self.broker.order_book() if order.status.is_working]
        held = [each for each in self.broker.positions() if each.quantity]
        return {
            *((order.exchange, order.symbol, order.product) for order in working),
            *((each.exchange, each.symbol, each.product) for each in held),
            *self.desk.store.guards.exposures(self.mode),
        }

    def profit_of_day(self) -> Decimal:
        """As the broker's funds say."""
        money = self.broker.funds()
        return money.realised + money.unrealised

    def has_orders_of_day(self, number: int) -> bool:
        """Since midnight in IST."""
        return self.desk.store.guards.has_orders_since(self._midnight(), self.mode, number, but=self.ticket_id)

    def has_equal_signal(self, since: datetime) -> bool:
        """Among the tickets of the same source and strategy."""
        known = self.desk.store.guards
        return known.has_equal_signal(self.order, self.origin, self.mode, since, but=self.ticket_id)

    def unspent(self, settings: GuardSettings) -> Unspent | None:
        """What two orders at once could use up together, to be looked at again in the claim. A change uses nothing."""
        if isinstance(self.request, ModifyRequest):
            return None
        window = settings.duplicate_window
        equal_since = None if window is None else self.desk.clock.now() - timedelta(seconds=window)
        return Unspent(day_begin=self._midnight(), most=settings.orders_per_day, equal_since=equal_since)

    def as_exit(self) -> Reservation | None:
        """The room it may be claimed in as an exit. Raises a BridgeError where nobody can tell."""
        return exits.prove(self.desk, self.broker, self.request, self.mode)

    def _midnight(self) -> datetime:
        return self.desk.clock.now().astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)

    @cached_property
    def _last_price(self) -> Decimal:
        return self.broker.quote(self.instrument).ltp


def case_of(
    desk: Desk, broker: Broker, request: OrderRequest | ModifyRequest, origin: Origin, mode: TradingMode
) -> Case:
    """The case of a request that was validated: its instrument is listed."""
    order = request.order if isinstance(request, ModifyRequest) else request
    instrument = desk.store.instruments.find(order.exchange, order.symbol)
    if instrument is None:
        raise Invalid.of({"symbol": [f"Symbol {order.symbol} not found on {order.exchange}."]})
    return Case(
        desk=desk,
        broker=broker,
        request=request,
        order=order,
        instrument=instrument,
        origin=origin,
        mode=mode,
    )


def obstacles(case: Case, settings: GuardSettings) -> Iterator[Obstacle]:
    """What stands in the way, each looked for only when it is asked for. Raises StorageError."""
    yield from _judged(guards.refusal_of_exit, case, settings, exits_pass=False)
    switch = case.desk.store.kill_switch.state()
    if switch.is_on:
        yield Obstacle(reason=str(switch), guard=Guard.KILL_SWITCH)
    yield from _judged(guards.refusal_of_entry, case, settings, exits_pass=True)
    # A change is of an order that is known to be there.
    is_new = not isinstance(case.request, ModifyRequest)
    doubtful = case.desk.store.guards.in_doubt(case.order, case.mode) if is_new else None
    if doubtful is not None:
        yield Obstacle(reason=f"Held because order {doubtful} in {case.order.symbol} is in doubt. See the Orders page.")


def check_approval(desk: Desk, broker: Broker, ticket: Ticket) -> Reservation | None:
    """Whether what the trader approves may still go; a reservation where it may only because it is an exit.

    Raises Denied, naming the guard, Conflict, or Invalid where its symbol is gone: the ticket stays held, for the
    trader to change it, to reject it, or to move his limit. Raises a BridgeError where the position or the limits
    cannot be read.
    """
    request = ticket.request
    if not isinstance(request, OrderRequest | ModifyRequest):
        return None
    case = replace(case_of(desk, broker, request, ticket.origin, ticket.trading_mode), ticket_id=ticket.id)
    settings = desk.store.guards.load()
    return _passage(case, (*obstacles(case, settings), *_drift(case, ticket.price_then, settings)))


def _passage(case: Case, standing: tuple[Obstacle, ...]) -> Reservation | None:
    if not standing:
        return None
    firm = next((each for each in standing if not each.exits_pass), None)
    reserve = case.as_exit() if firm is None else None
    if reserve is None:
        raise _refused(firm or standing[0])
    return reserve


def _judged(
    rules: Callable[[Asked, GuardSettings, Facts], Refusal | None],
    case: Case,
    settings: GuardSettings,
    *,
    exits_pass: bool,
) -> Iterator[Obstacle]:
    """A limit that cannot be checked holds an entry. It does not hold an exit, which somebody may need badly."""
    try:
        refused = rules(case.asked(), settings, case)
    except BridgeError as fault:
        yield Obstacle(reason=f"Held because a limit could not be checked: {fault.message}")
        return
    if refused is not None:
        yield Obstacle(reason=refused.sentence, guard=refused.guard, exits_pass=exits_pass)


def _drift(case: Case, then: Decimal | None, settings: GuardSettings) -> Iterator[Obstacle]:
    if settings.price_drift is None or then is None:
        return
    refused = guards.drift(then, case.last_price(), settings)
    if refused is not None:
        yield Obstacle(reason=refused.sentence, guard=refused.guard)


def _refused(obstacle: Obstacle) -> BridgeError:
    return Conflict(obstacle.reason) if obstacle.guard is None else Denied(obstacle.reason, obstacle.guard)
