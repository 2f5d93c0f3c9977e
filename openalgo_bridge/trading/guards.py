"""What stands in the way of an order: the kill switch, the trader's limits, an order in doubt in the same symbol.

Asked before anything is sent or held, and once more when the trader approves. What only makes sense for entries does
not stop what is provably an exit; the proof costs reads of the broker, so it is made only where it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import chain

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.clock import IST, day_in_india, midnight
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, Invalid, StorageError
from openalgo_bridge.model import guards
from openalgo_bridge.model.exits import position_of
from openalgo_bridge.model.expand import within_freeze
from openalgo_bridge.model.guards import Asked, Facts, Guard, GuardSettings, Refusal
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.legs import Arrival
from openalgo_bridge.model.order import (
    Action,
    ModifyRequest,
    OrderRequest,
    PositionKey,
    SmartOrderRequest,
    TicketRequest,
    TradingMode,
)
from openalgo_bridge.model.ticket import Origin, Ticket, signal_of
from openalgo_bridge.store.claims import JournalMark, PositionMark, Reservation
from openalgo_bridge.store.guards import Premises, Signal
from openalgo_bridge.store.kill_switch import SwitchState
from openalgo_bridge.store.standing import Standing
from openalgo_bridge.trading import exits
from openalgo_bridge.trading.read_once import Books, PositionsAlone


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why an order does not simply go. With a ``guard`` it is refused, without one it waits for the person.

    ``is_doubt``: another order in its symbol may or may not be at the broker.
    """

    reason: str
    guard: Guard | None = None
    exits_pass: bool = True
    is_doubt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Whether an order may go: ``stopped_by`` is what keeps it back.

    ``reserve`` says that it goes only because it is an exit; ``premises`` are what the claim must find true still.
    """

    stopped_by: Obstacle | None = None
    reserve: Reservation | None = None
    premises: Premises | None = None


_ALARM = "Whether this is an exit cannot be told, because the position or the price cannot be read: {}. Look at it now."


def alarm(fault: BridgeError) -> str:
    """What the trader is told of an order of which nobody can tell whether it closes something."""
    return _ALARM.format(fault.message.rstrip("."))


@dataclass(kw_only=True)
class Case:
    """One order to be judged once, and the facts about it (:class:`~openalgo_bridge.model.guards.Facts`).

    A fact is read when a rule first asks for it; to judge again takes a new case. ``ticket`` is the order's own, once
    it waited; ``is_leg``: it is one of several of its ticket, whose signal was compared when it came. ``wish`` is what
    it was worked out from, for a position that was read at ``mark``. ``beside`` are the positions of the orders that
    it goes with or not at all: what others have planned then counts as sent, or one of the two is torn apart.
    ``books`` are what many are judged by that are claimed by none.

    Of one thread, and without ``cached_property``: that of Python 3.11 has one lock for all cases, and one broker that
    hangs would keep every other order waiting.
    """

    desk: Desk
    broker: Broker
    request: OrderRequest | ModifyRequest
    order: OrderRequest
    instrument: Instrument
    origin: Origin
    mode: TradingMode
    ticket: Ticket | None = None
    is_leg: bool = False
    wish: SmartOrderRequest | None = None
    mark: PositionMark | None = None
    after: JournalMark | None = None
    beside: tuple[PositionKey, ...] = ()
    books: Books | None = None
    _price: Decimal | None = field(default=None, init=False)
    _seen: tuple[frozenset[PositionKey], int] | None = field(default=None, init=False)

    @property
    def exit_books(self) -> Books:
        """What says whether it is an exit: what was worked out from a position may close that, and nothing else."""
        books = self.books or self.broker
        return books if self.mark is None else PositionsAlone(books)

    @property
    def wanted(self) -> TicketRequest:
        """What was asked for: the wish, where the order was worked out from one."""
        return self.wish or self.request

    @property
    def is_change(self) -> bool:
        """Whether it is of something that is known to be at the broker."""
        return isinstance(self.request, ModifyRequest)

    def asked(self) -> Asked:
        """What the rules look at."""
        now = self.desk.clock.now()
        return Asked(
            order=self.order,
            instrument=self.instrument,
            source=self.origin.source,
            now=now,
            time_of_day=now.astimezone(IST).time(),
            arrived_at=None if self.ticket is None else self.ticket.created_at,
            signal_at=self.origin.signal_at,
            is_change=self.is_change,
            beside=self.beside,
        )

    def last_price(self) -> Decimal:
        """Read once: the rules of one order must not see two prices."""
        if self._price is None:
            self._price = self.broker.quote(self.instrument).ltp
        return self._price

    def exposures(self) -> Collection[PositionKey]:
        """Of what is on its way to the broker, and of its two books. Read once, for the rule and for the claim."""
        if self._seen is None:
            self._seen = self._exposed()
        return self._seen[0]

    def profit_of_day(self) -> Decimal:
        """As the broker's funds say."""
        money = self.broker.funds()
        return money.realised + money.unrealised

    def has_orders_of_day(self, number: int) -> bool:
        """Since midnight in IST."""
        approved = None if self.ticket is None else self.ticket.id
        return self.desk.store.guards.has_orders_since(
            self._midnight(), self.mode, number, approved=approved, with_planned=bool(self.beside)
        )

    def has_equal_signal(self, since: datetime) -> bool:
        """Among the tickets of the same source and strategy. What the trader clicks twice, he wants twice."""
        signal = self._signal()
        if self.is_leg or self.origin.is_by_hand or not signal.digest:
            return False
        return self.desk.store.guards.has_equal_signal(signal, signal.at - since)

    def premises(self, settings: GuardSettings) -> Premises:
        """What the claim must find true still. Positions are known only where a rule of entries asked for them."""
        known, last_order_id = self._seen or (frozenset(), 0)
        return Premises(
            limits=settings,
            day_begin=self._midnight(),
            known=known,
            last_order_id=last_order_id,
            mark=self.mark,
            after=self.after,
        )

    def messages(self) -> tuple[OrderRequest, ...]:
        """What is sent for it: what was worked out goes in as many orders as the exchange demands."""
        return (self.order,) if self.wish is None else within_freeze(self.order, self.instrument)

    def as_exit(self) -> Reservation | None:
        """The room it may be claimed in as an exit. Raises a BridgeError where nobody can tell.

        The proof may take a place that is kept back for exits, unless a glance at the journal shows that it is none.
        """
        may_be = self.desk.store.journal.has_other_side(self.order, self.mode)
        with self.desk.budget.slot(is_exit=may_be):
            return exits.prove(self.desk, self.broker, self.request, self.mode, self.exit_books)

    def _signal(self) -> Signal:
        digest = signal_of(self.wanted) if self.ticket is None else self.ticket.signal
        return Signal(
            source=self.origin.source,
            strategy=self.origin.strategy,
            digest=digest,
            mode=self.mode,
            at=self.desk.clock.now() if self.ticket is None else self.ticket.created_at,
            ticket_id=None if self.ticket is None else self.ticket.id,
        )

    def _midnight(self) -> datetime:
        return midnight(day_in_india(self.desk.clock.now()))

    def _exposed(self) -> tuple[frozenset[PositionKey], int]:
        """The place in the journal, its orders in flight, what works at the broker, the positions: in this order, so
        that what moves from one to the next meanwhile is seen twice, never not at all.
        """
        books = self.books or self.broker
        last_order_id = self.desk.store.guards.newest_order()
        in_flight = self.desk.store.guards.exposures(self.mode, with_planned=bool(self.beside))
        working = {position_of(order.request) for order in books.order_book() if order.status.is_working}
        held = {position_of(position) for position in books.positions() if position.quantity}
        return frozenset(in_flight | working | held), last_order_id


def case_of(
    desk: Desk, broker: Broker, request: OrderRequest | ModifyRequest, origin: Origin, mode: TradingMode
) -> Case:
    """The case of a request that was validated: its instrument is listed."""
    order = request.order if isinstance(request, ModifyRequest) else request
    return Case(
        desk=desk,
        broker=broker,
        request=request,
        order=order,
        instrument=listed(desk, order),
        origin=origin,
        mode=mode,
    )


def listed(desk: Desk, order: OrderRequest) -> Instrument:
    """What an order is for. Raises Invalid where it is not listed."""
    instrument = desk.store.instruments.find(order.exchange, order.symbol)
    if instrument is None:
        raise Invalid.of({"symbol": [f"Symbol {order.symbol} not found on {order.exchange}."]})
    return instrument


def obstacles(case: Case, settings: GuardSettings, switch: SwitchState | None) -> Iterator[Obstacle]:
    """What stands in the way, each looked for only when it is asked for. Raises StorageError, also where the kill
    ``switch`` is None, because it cannot be read.
    """
    yield from _judged(guards.refusal_of_exit, case, settings, exits_pass=False)
    if switch is None:
        raise StorageError("The kill switch cannot be read, so nothing is sent.")
    if switch.is_on:
        yield Obstacle(reason=str(switch), guard=Guard.KILL_SWITCH)
    yield from _judged(guards.refusal_of_entry, case, settings, exits_pass=True)
    doubtful = None if case.is_change else case.desk.store.guards.in_doubt(case.order, case.mode)
    if doubtful is not None:
        reason = f"Held because order {doubtful.ref} in {case.order.symbol} {doubtful.why}. See the Orders page."
        yield Obstacle(reason=reason, is_doubt=True)


def whole_obstacles(case: Case, settings: GuardSettings) -> Iterator[Obstacle]:
    """The same of what is sent in slices, as the one order that was asked for. What is provably an exit is no slip of
    the finger, however large; each of its slices still keeps the sanity limit.
    """
    return _judged(guards.refusal_of_whole, case, settings, exits_pass=True)


def passage(case: Case, settings: GuardSettings, in_the_way: Iterator[Obstacle]) -> Passage:
    """The one judgement, of what arrives and of what is approved. Raises StorageError."""
    first = next(in_the_way, None)
    if first is None:
        return Passage(premises=case.premises(settings))
    if not first.exits_pass:
        return Passage(stopped_by=first)
    try:
        reserve = case.as_exit()
    except BridgeError as fault:
        return Passage(stopped_by=Obstacle(reason=alarm(fault)))
    if reserve is None:
        return Passage(stopped_by=first)
    firm = next((each for each in in_the_way if not each.exits_pass), None)
    return Passage(reserve=reserve, premises=case.premises(settings)) if firm is None else Passage(stopped_by=firm)


def check_approval(desk: Desk, broker: Broker, ticket: Ticket, after: JournalMark | None = None) -> Passage:
    """How what the trader approves may still go; ``after`` is where the journal stood when he decided.

    Raises Denied, naming the guard, Conflict, or Invalid where its symbol is gone: the ticket stays held, for the
    trader to change it, to reject it, or to move his limit. Raises a BridgeError where the price or the limits cannot
    be read.
    """
    request = ticket.request
    if not isinstance(request, OrderRequest | ModifyRequest):
        return Passage()
    case = replace(case_of(desk, broker, request, ticket.origin, ticket.trading_mode), ticket=ticket, after=after)
    then = Arrival(price=ticket.price_then, is_exit=ticket.is_exit)
    return check_approved(case, then, desk.store.standing.read())


def check_approved(case: Case, then: Arrival, standing: Standing, further: Iterable[Obstacle] = ()) -> Passage:
    """The same of one order that waited since ``then``; ``further`` is what else stands in its way."""
    judged = check_rules(case, then, standing, further)
    if not then.is_exit or judged.reserve is not None or judged.premises is None:
        return judged
    return Passage(premises=replace(judged.premises, left=left(case)))


def check_rules(case: Case, then: Arrival, standing: Standing, further: Iterable[Obstacle] = ()) -> Passage:
    """As :func:`check_approved`, but for how much is left of what came to close."""
    settings = standing.limits
    if settings is None:
        raise StorageError("The guards cannot be read, so nothing is sent.")
    in_the_way = chain(
        obstacles(case, settings, standing.kill_switch), _drift(case, then.price, settings), iter(further)
    )
    # A doubt keeps entries waiting. What came as an exit is none beside a stop, but it closes no more than is left.
    judged = passage(case, settings, (each for each in in_the_way if not (then.is_exit and each.is_doubt)))
    if judged.stopped_by is not None:
        raise refused(judged.stopped_by)
    return judged


def left(case: Case) -> Reservation:
    """What came as an exit closes no more than there is, although nothing stands in its way: others may have closed
    since. Raises Conflict, and a BridgeError where nobody can tell.
    """
    reserve = exits.left(case.desk, case.broker, case.request, case.mode, case.exit_books)
    if case.order.quantity > reserve.room:
        raise Conflict(_too_much(case, reserve.room))
    return reserve


def _too_much(case: Case, still: int) -> str:
    """For the person; of one order of several the others may go without it."""
    opened = "short" if case.order.action is Action.SELL else "long"
    wanted = f"{case.order.quantity} {case.order.symbol}" if case.is_leg else str(case.order.quantity)
    told = (
        f"It arrived as an exit of {wanted}, but only {still} are left to close:"
        f" approving it would open a {opened} position."
    )
    if case.is_leg:
        return told
    can_be_changed = still > 0 and case.ticket is not None and case.ticket.order is not None
    return f"{told} Reject it, or change its quantity to {still}." if can_be_changed else f"{told} Reject it."


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
    try:
        now = case.last_price()
    except BridgeError as fault:
        yield Obstacle(reason=f"Held because the price could not be compared: {fault.message}")
        return
    refused = guards.drift(then, now, settings)
    if refused is not None:
        yield Obstacle(reason=refused.sentence, guard=refused.guard)


def refused(obstacle: Obstacle) -> BridgeError:
    """What stops an order, as the error that its sender gets."""
    return Conflict(obstacle.reason) if obstacle.guard is None else Denied(obstacle.reason, obstacle.guard)
