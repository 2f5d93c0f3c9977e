"""A position to be reached: read, compute and send in one turn per position, so that two requests make one order.

What is held is the wish and not the order: it is computed anew when the person lets it go (behaviour 2.4). What others
send for the position meanwhile makes the claim refuse; then it is computed anew, too. Where a moment hides the position
it is looked at again; where nobody can tell it, the wish is held: it may be an exit that is needed badly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, BrokerError, Busy, Conflict, Denied, GivenUp, Unsettled
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.exits import is_within, position_of
from openalgo_bridge.model.expand import at_most, within_freeze
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.legs import UNKNOWN, Arrival
from openalgo_bridge.model.order import Action, OrderRequest, PositionKey, PriceType, SmartOrderRequest, TradingMode
from openalgo_bridge.model.ticket import Operation, Origin, Ticket
from openalgo_bridge.store.claims import JournalMark
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import guards, orders, routing, validation, whole
from openalgo_bridge.trading.guards import Case, Passage
from openalgo_bridge.trading.legs import CLOSING, NOT_NEEDED, Leg, Report, drop
from openalgo_bridge.trading.orders import DECISIONS, Held, Overtaken, Submitted, check_grant
from openalgo_bridge.trading.outlook import Outlook
from openalgo_bridge.trading.release import Release, entry, looks_like_exit
from openalgo_bridge.trading.routing import Decision, Route, Rules
from openalgo_bridge.trading.sending import clearance
from openalgo_bridge.trading.step import PAUSES_S, Step, instrument_of, let_go_soon, soon, step_of

_OVERTAKEN = f"{NOT_NEEDED} other orders for this position filled or were sent meanwhile."
_TURNED = "Not sent: the position has turned to the other side of what was wanted. Look at it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToDo:
    """The position is as it was wanted, or will be, or an order in doubt may take it there; nothing was sent."""

    message: str
    trading_mode: TradingMode


Placed = Submitted | Report | NothingToDo
"""What became of it: a report where the exchange takes so much in several orders only."""


def place(desk: Desk, wanted: SmartOrderRequest, origin: Origin) -> tuple[Placed, str]:
    """Take a position to its size in the current trading mode. The text is a note for the caller, or empty.

    Raises as :func:`~openalgo_bridge.trading.orders.place`, and Busy where others ask for the same position.
    """
    mode = routing.account_of(desk.store.standing.read())
    check_grant(mode, origin)
    desk.doors.admit(Operation.SMART)
    validation.check_wish(desk, _whole_lot(desk, wanted), wanted.position_size)
    after = desk.store.journal.mark()
    with _turn(desk, wanted.order, mode):
        return _placed(desk, wanted, origin, mode, after)


def preview(desk: Desk, wanted: SmartOrderRequest, mode: TradingMode) -> tuple[OrderRequest, ...]:
    """What would be sent now, for a person who decides about it. Raises StorageError, Conflict, Busy, or a
    BrokerError.
    """
    order = step_of(desk, desk.broker(mode), wanted, mode).order
    instrument = instrument_of(desk, wanted)
    return () if order is None or instrument is None else within_freeze(order, instrument)


def approve(
    desk: Desk,
    held: Ticket,
    wanted: SmartOrderRequest,
    shown: str,
    seen: Mapping[PositionKey, int],
    *,
    by: Actor,
) -> Report:
    """The person lets it go: what takes the position there now, on the side and no more than he saw.

    ``seen`` is the signed quantity of the order that the page named. Raises as :func:`place`, NotFound, Denied by a
    guard, and Conflict where it is another one by now; the ticket then is still held.
    """
    desk.doors.admit(Operation.SMART)
    mode = held.trading_mode
    broker, after = desk.broker(mode), desk.store.journal.mark()
    with _turn(desk, wanted.order, mode):
        step = let_go_soon(desk, partial(step_of, desk, broker, wanted, mode), iter(PAUSES_S))
        if step.order is None:
            raise Conflict(f"{step.message} Nothing was sent. Reject it.")
        _check_seen(step.order, seen)
        validation.check(desk, step.order, mode)
        case = guards.case_of(desk, broker, step.order, held.origin, mode)
        case = replace(case, ticket=held, wish=wanted, mark=step.there.mark, after=after)
        then = Arrival(price=held.price_then, is_exit=held.is_exit or step.is_exit)
        return _let_go(case, step, then, held, shown, by)


def _placed(
    desk: Desk, wanted: SmartOrderRequest, origin: Origin, mode: TradingMode, after: JournalMark
) -> tuple[Placed, str]:
    broker, changed, pauses = desk.broker(mode), "", iter(PAUSES_S)
    for _ in range(DECISIONS):
        try:
            step = soon(desk, partial(step_of, desk, broker, wanted, mode), pauses)
        except (BrokerError, Conflict) as fault:
            return _hold_untold(desk, broker, wanted, origin, mode, fault), ""
        if step.order is None:
            return NothingToDo(message=step.message, trading_mode=mode), ""
        validation.check(desk, step.order, mode)
        case = guards.case_of(desk, broker, step.order, origin, mode)
        case = replace(case, wish=wanted, mark=step.there.mark, after=after)
        rules = routing.rules(desk)
        outcome = _decide(case, step, rules)
        if not isinstance(outcome, Overtaken):
            return outcome, step.message
        # Also where a closing came first: it may have left nothing to do.
        changed = outcome.reason
    return orders.hold_overtaken(case, rules, changed), step.message


def _hold_untold(
    desk: Desk, broker: Broker, wanted: SmartOrderRequest, origin: Origin, mode: TradingMode, fault: BridgeError
) -> Held:
    """Who asks again while it waits gets the same ticket: a wish that is granted once needs no second."""
    now = desk.clock.now()
    for each in desk.store.journal.held():
        asked = (each.request, each.trading_mode, each.origin.source, each.origin.strategy)
        is_due = each.expires_at is None or each.expires_at > now
        if is_due and asked == (wanted, mode, origin.source, origin.strategy):
            return Held(ticket=each, reason=each.reason)
    case = guards.case_of(desk, broker, _whole_lot(desk, wanted), origin, mode)
    return orders.hold_untold(replace(case, wish=wanted), routing.rules(desk), fault)


def _decide(case: Case, step: Step, rules: Rules) -> Submitted | Report | Overtaken:
    """Sent as an order of its own, or as several of a ticket that names the wish; judged as one in any case."""
    if len(case.messages()) == 1:
        return orders.decide(case, rules)
    decision = routing.decide(case, rules)
    return _send_slices(case, step, decision, rules) if decision.route is Route.SEND else orders.stop(case, decision)


def _send_slices(case: Case, step: Step, decision: Decision, rules: Rules) -> Report | Overtaken:
    way = Passage(reserve=decision.reserve, premises=decision.premises)
    draft = replace(orders.waiting(case, decision.order_mode), is_exit=way.reserve is not None)
    with _clearance(case, way, rules.limits):
        try:
            ticket, permit, planned = case.desk.store.journal.release_slices(
                draft, case.messages(), reserve=way.reserve, premises=way.premises
            )
        except Denied as refusal:
            return Overtaken(reason=refusal.reason)
        except Conflict as refusal:
            return Overtaken(reason=refusal.message)
        release = Release(desk=case.desk, broker=case.broker, ticket=ticket)
        first = release.carried_out(permit)
    slices = _Slices(release=release, began=step, action=case.order.action, then=UNKNOWN, way=way)
    return Report(ticket=ticket, legs=slices.legs(first, planned))


def _let_go(case: Case, step: Step, then: Arrival, held: Ticket, shown: str, by: Actor) -> Report:
    """Up to the claim of the first order, which is in the commit of the approval, nothing has changed."""
    journal = case.desk.store.journal
    with _clearance(case, Passage()):
        way = guards.check_approved(case, then, case.desk.store.standing.read())
        ticket, permit, planned = journal.approve_slices(
            held.id, shown, case.messages(), by=by, reserve=way.reserve, premises=way.premises
        )
        release = Release(desk=case.desk, broker=case.broker, ticket=ticket, is_approved=True)
        first = release.carried_out(permit)
    slices = _Slices(release=release, began=step, action=case.order.action, then=then, way=way)
    return Report(ticket=ticket, legs=slices.legs(first, planned))


def _clearance(case: Case, way: Passage, limits: GuardSettings | None = None) -> AbstractContextManager[None]:
    is_exit = looks_like_exit(case.desk, case.broker, case.order, case.mode, way)
    return clearance(case.desk, case.broker, Operation.PLACE, is_exit=is_exit, limits=limits)


@dataclass(slots=True, kw_only=True)
class _Slices:
    """The further slices of a smart order that ``began`` so, each with a place at the broker of its own.

    Before each it is looked again how much is still missing, by what the order book has filled since: what works beside
    them, such as a stop, may have closed a part of it. It is never more than was let go, of which so much is ``left``.
    They go in the room that the whole was judged in: each claim takes off what went before it. Where a claim finds that
    others sent for the position, or that the trader's switches have changed, the rest is judged anew. Once it
    ``is_over`` none of them goes any more, for the reason ``why_over``. The order book has shown no other fills than
    ``filled`` since ``filled_at``.
    """

    release: Release
    began: Step
    action: Action
    then: Arrival
    way: Passage
    left: int = 0
    is_over: bool = False
    why_over: str = ""
    filled: int | None = None
    filled_at: float = 0.0
    sent: set[str] = field(default_factory=set)
    pauses: Iterator[float] = field(default_factory=lambda: iter(PAUSES_S))

    def legs(self, first: Leg, planned: Sequence[JournalOrder]) -> tuple[Leg, ...]:
        """What became of all of them, whatever became of the others."""
        self.sent.add(first.ref)
        self.left = sum(entry(each).quantity for each in planned)
        return (first, *map(self._leg, planned))

    def _leg(self, order: JournalOrder) -> Leg:
        desk, why, overtaken = self.release.desk, "", 0
        try:
            while overtaken < DECISIONS:
                missing = self._missing(order, is_overtaken=bool(why))
                if not missing:
                    why = self.why_over
                    break
                order = self._cut(order, missing)
                try:
                    outcome = self.release.send(order, self.way)
                except Busy:
                    # It is planned as before, and worked out anew: what works beside it may fill meanwhile.
                    if (pause := next(self.pauses, None)) is None:
                        raise
                    desk.wait(pause)
                    continue
                if isinstance(outcome, Leg):
                    return self._counted(outcome)
                why, overtaken = outcome.reason, overtaken + 1
        except GivenUp as refusal:
            why = self._why_given_up(refusal)
        except BridgeError as refusal:
            why = refusal.message
        return drop(desk, order, why, was_needless=why.startswith(NOT_NEEDED))

    def _why_given_up(self, refusal: GivenUp) -> str:
        """What a closing gave up, and then closed itself, is needless and not left undone. Looked at once for all of
        them, and not waited for: none of them goes any more.
        """
        if not self.is_over:
            self.is_over, self.why_over = True, refusal.message
            with suppress(BridgeError):
                self._units_of(self._by_the_book())
        return self.why_over

    def _counted(self, leg: Leg) -> Leg:
        if leg.result is not None and isinstance(leg.request, OrderRequest):
            self.left -= leg.request.quantity
            self.sent.add(leg.ref)
        return leg

    def _cut(self, order: JournalOrder, missing: int) -> JournalOrder:
        """No larger than what is missing. Raises Conflict where somebody gave it up meanwhile."""
        request = at_most(entry(order), missing)
        if request == order.request:
            return order
        reason = f"Instead of it {request.quantity}: other orders for this position filled or were sent meanwhile."
        return self.release.desk.store.journal.replace_planned(order.id, request, reason, by=CLOSING)

    def _missing(self, order: JournalOrder, *, is_overtaken: bool) -> int:
        """How many units are still to be sent. Raises GivenUp, and what stops it by now, and where nobody can tell
        after some looks: then the rest does not go either.
        """
        if self.is_over:
            return 0
        desk, look = self.release.desk, self._judged_anew if is_overtaken else self._seen

        def at_what_may_go() -> Step:
            desk.store.journal.check_planned(order.id)
            return look()

        try:
            return self._units_of(let_go_soon(desk, at_what_may_go, self.pauses, has_begun=True))
        except GivenUp:
            raise
        except BridgeError as fault:
            self.is_over, self.why_over = True, fault.message
            raise

    def _units_of(self, step: Step) -> int:
        rest = self._rest(step)
        if rest is None:
            self.is_over, self.why_over = True, _why_done(step)
            return 0
        return rest.quantity

    def _seen(self) -> Step:
        """By the order book. That it leaves nothing to go counts where the positions say so, too: what it did not show
        yet at the first look is taken off twice. What they say to be missing, once they must be right, goes.
        """
        by_book = self._by_the_book()
        if self._rest(by_book) is not None:
            return by_book
        are_behind = self._may_be_behind(by_book.there)
        step = self._step()
        if step.there.net == by_book.there.net:
            return step
        if are_behind or self._is_filling(step):
            raise Unsettled(f"The position in {self.began.aim.order.symbol} does not show the last fills yet.")
        self.began = replace(self.began, there=step.there)
        return step

    def _may_be_behind(self, there: Outlook) -> bool:
        """Whether the positions may still lack the last fills that the order book shows."""
        now = self.release.desk.clock.monotonic()
        if there.filled != self.filled:
            self.filled, self.filled_at = there.filled, now
        return now - self.filled_at < self.release.broker.capabilities.positions_lag

    def _by_the_book(self) -> Step:
        return self._step(since=self.began.there)

    def _step(self, since: Outlook | None = None) -> Step:
        release = self.release
        mode = release.ticket.trading_mode
        return step_of(release.desk, release.broker, self.began.aim, mode, begun=release.ticket, since=since)

    def _rest(self, step: Step) -> OrderRequest | None:
        """What is still to be sent; None where nothing is, or the other side would be."""
        if step.order is None or step.is_reached or step.order.action is not self.action:
            return None
        return at_most(step.order, self.left)

    def _judged_anew(self) -> Step:
        """The same, and the way for the rest by the switches and the position of now. Raises what stops it."""
        step = self._seen()
        rest = self._rest(step)
        if rest is None:
            return step
        case = whole.case(self.release.desk, self.release.broker, self.release.ticket, rest)
        try:
            self.way = self.release.way(replace(case, mark=step.there.mark), self.then)
        except (Conflict, Denied) as refusal:
            if self._is_filling(step):
                raise Unsettled(refusal.message) from refusal
            raise
        return step

    def _is_filling(self, step: Step) -> bool:
        """Whether the slice before is seen as working, and by the positions, which are read after that, as filled: in a
        moment less is counted twice.
        """
        mine = (each for each in step.there.working if each.tag in self.sent and each.status.is_working)
        return any(each.request.price_type is PriceType.MARKET for each in mine)


def _why_done(step: Step) -> str:
    if step.is_reached:
        return _OVERTAKEN
    return _TURNED if step.order is not None else f"Not sent. {step.message}"


def _check_seen(order: OrderRequest, seen: Mapping[PositionKey, int]) -> None:
    if not is_within(order.action.sign * order.quantity, seen.get(position_of(order), 0)):
        raise Conflict(f"It would {order.action} {order.quantity} {order.symbol} now, which is not what was shown.")


def _whole_lot(desk: Desk, wanted: SmartOrderRequest) -> OrderRequest:
    """The order with a quantity that can be judged before the position is known. Its own counts only while there is
    none, and is judged then: an exit must not fail for what it does not use.
    """
    if wanted.position_size:
        return replace(wanted.order, quantity=abs(wanted.position_size))
    instrument = instrument_of(desk, wanted)
    return replace(wanted.order, quantity=1 if instrument is None else instrument.lot, disclosed_quantity=0)


def _turn(desk: Desk, order: OrderRequest, mode: TradingMode) -> AbstractContextManager[None]:
    """One at a time for each position. Raises Busy: nothing was read or sent."""
    return desk.turns.of((mode, position_of(order)))
