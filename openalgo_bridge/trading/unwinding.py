"""A closing on its way, position by position: what works on its closing side is withdrawn, then it is closed.

A broker may make a withdrawal a moment after it took it, refuse one because it makes an earlier one just then, or fail
to answer once. Such a position is looked at again for a few seconds, after the others had their turn: what was not
claimed may still go, and a closing order beside a stop that still works would be none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, BrokerError, Busy, Conflict, Rejected, StorageError
from openalgo_bridge.model import exits
from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.order import BrokerRequest, CancelRequest, OrderRequest
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Ticket, order_of
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.legs import CLOSING, NOT_NEEDED, Leg, drop, send
from openalgo_bridge.trading.sending import Sent

PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.5)
"""Seconds between two looks at what was withdrawn and still works."""

_BARE = "Its stop or target is withdrawn and the position is OPEN: look at it now."
_LATE = "The withdrawal of its stop or target was sent and does not show yet, and the position is OPEN: look at it now."
_KEPT = "The broker refused to withdraw its stop or target, which works on, and the position is OPEN: look at it now."
_PART = "Only a part of its closing was sent, and the rest of the position is OPEN: look at it now."
_LOOSE = "The position is flat, and a stop or target of it still works, which would open one: look at it now."
_TURNED = "Not sent: the position has turned to the other side. Look at it again."
_REFUSED = "Not sent, and its stop or target works on: the broker would refuse it. {}"
_LEFT_ALONE = "Left alone with its stop or target, which still works: the broker refused to close another position."

_PASSING = (BrokerError, Busy, StorageError)
"""What may be over in a moment: nothing was claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """Of one position: what is withdrawn first, as the book has it, and the orders that close it, several of a large
    one.

    ``refusal`` is what the broker is known to say to them, where something works beside: then nothing is sent.
    """

    beside: tuple[BrokerOrder, ...]
    orders: tuple[OrderRequest, ...]
    refusal: str = ""

    def messages(self) -> list[BrokerRequest]:
        """First the withdrawals, then the closing orders."""
        return [*(CancelRequest(broker_order_id=each.id) for each in self.beside), *self.orders]


def known_refusal(broker: Broker, parts: Iterable[OrderRequest]) -> str:
    """Why the broker takes none or not all of them, whatever the account holds; empty where nothing is known."""
    try:
        for order in parts:
            broker.check(order)
    except Rejected as refusal:
        return refusal.message
    except BrokerError:
        pass  # It says nothing now. The order itself will tell.
    return ""


def messages_of(ways: Sequence[WayOut]) -> list[BrokerRequest]:
    """Position by position, as they are sent."""
    return [message for way in ways for message in way.messages()]


@dataclass(slots=True, kw_only=True)
class _Course:
    """How far one way out has come.

    ``left`` are its messages that were not claimed yet, and ``why`` is what kept the first of them when it was last
    tried. As last looked at: ``open_units`` are still to be closed, it ``has_turned`` to the other side, and it
    ``is_free`` of what was beside it: nothing of that works any more. It ``is_overtaken`` where another order for the
    position was just being sent when it was tried.
    """

    way: WayOut
    left: list[JournalOrder]
    follows: Sequence[int]
    legs: list[Leg] = field(default_factory=list)
    why: str = ""
    open_units: int
    has_turned: bool = False
    is_free: bool = False
    is_overtaken: bool = False

    @property
    def is_begun(self) -> bool:
        """Whether something of it was sent: then it is finished if that can be done."""
        return bool(self.legs)

    @property
    def is_withdrawing(self) -> bool:
        """Whether a withdrawal is still to be sent."""
        return bool(self.left) and isinstance(self.left[0].request, CancelRequest)

    @property
    def units_left(self) -> int:
        """What its closing orders that are left were planned for."""
        return sum(each.request.quantity for each in self.left if isinstance(each.request, OrderRequest))

    def is_closed_by(self, other: JournalOrder) -> bool:
        """Whether an order is on the closing side of its position."""
        order = order_of(other.request)
        return order is not None and exits.is_on_same_side(order, self.way.orders[0])

    def look(self, book: Sequence[BrokerOrder], positions: Sequence[Position]) -> None:
        """Take over what two books say. The positions may be behind: what filled beside it is taken off as well."""
        there = {each.id: each for each in book}
        now = [(each, there.get(each.id, each)) for each in self.way.beside]
        filled = sum(after.filled_quantity - before.filled_quantity for before, after in now)
        sent = sum(leg.request.quantity for leg in self.legs if isinstance(leg.request, OrderRequest) and leg.result)
        planned = sum(each.quantity for each in self.way.orders)
        order = self.way.orders[0]
        net = exits.net(positions, order)
        self.open_units = max(0, min(exits.reducible(net, order.action), planned - filled - sent))
        self.has_turned = net * order.action.sign > 0
        self.is_free = not any(each.id in there and there[each.id].status.is_working for each in self.way.beside)

    def left_behind(self) -> str:
        """The sentence for a closing that began and does not come to its end."""
        if any(isinstance(leg.request, OrderRequest) and isinstance(leg.result, Sent) for leg in self.legs):
            return _PART
        if not self.is_begun or not self.way.beside:
            return ""
        if self.is_free:
            return _BARE
        if not self.open_units and not self.has_turned:
            return _LOOSE
        is_refused = any(leg.refusal for leg in self.legs)
        return _KEPT if is_refused else _LATE

    def report(self) -> list[Leg]:
        """What became of each of its messages. A refused withdrawal of what is gone was needless."""
        if not self.is_free or not all(leg.is_done for leg in self.legs if isinstance(leg.request, OrderRequest)):
            return self.legs
        return [replace(leg, was_needless=True) if leg.refusal else leg for leg in self.legs]


class Unwinding:
    """One ticket that closes positions. For one thread."""

    def __init__(
        self, desk: Desk, broker: Broker, ticket: Ticket, ways: Sequence[WayOut], planned: Iterable[JournalOrder]
    ) -> None:
        """``planned`` are the messages of ``ways`` as the journal has them, in the order of :func:`messages_of`."""
        self._desk, self._broker, self._ticket = desk, broker, ticket
        self._refusal = ""
        self._being_sent: list[JournalOrder] = []
        rows = iter(planned)
        self._courses = [_course(way, list(islice(rows, len(way.messages())))) for way in ways]

    def begin(self) -> None:
        """Every position has its turn, and is closed where that can be done at once. Whoever calls has a place."""
        self._being_sent = self._sending()
        for course in self._courses:
            if course.way.refusal:
                course.why = _REFUSED.format(course.way.refusal)
                self._give_up(course)
            self._go_on(course)

    def finish(self) -> tuple[Leg, ...]:
        """Close the others as soon as they can be. Nobody's place at the broker is held while this waits."""
        for pause in PAUSES_S:
            if all(self._is_left_alone(course) for course in self._unfinished()):
                break
            self._desk.wait(pause)
            with suppress(Busy), self._desk.budget.slot(is_exit=True):
                self._look()
        for course in self._unfinished():
            self._give_up(course)
        return tuple(leg for course in self._courses for leg in course.report())

    def _unfinished(self) -> list[_Course]:
        return [course for course in self._courses if course.left]

    def _is_left_alone(self, course: _Course) -> bool:
        """A broker that refuses to close one position may refuse them all: until it closes another, no more of them
        lose their stops.
        """
        return bool(self._refusal and course.way.beside and not course.is_begun)

    def _sending(self) -> list[JournalOrder]:
        """What others are just sending. Read before a claim is tried: what it finds in its way may be there then."""
        try:
            doubts = self._desk.store.journal.doubts()
        except StorageError:
            return []
        mode = self._ticket.trading_mode
        return [each for each in doubts if each.state is OrderState.SENDING and each.trading_mode is mode]

    def _is_passing(self, course: _Course, fault: BridgeError) -> bool:
        """Whether it may be over in a moment. What others were just sending for the position ends: a smaller closing
        is left to be sent then, or none.
        """
        if isinstance(fault, Conflict):
            course.is_overtaken = course.is_overtaken or any(map(course.is_closed_by, self._being_sent))
            return course.is_overtaken
        return isinstance(fault, _PASSING)

    def _look(self) -> None:
        self._being_sent = self._sending()
        begun = [course for course in self._unfinished() if course.is_begun or course.is_overtaken]
        try:
            if begun:
                # The positions after the orders: what fills in between is counted twice, never not at all.
                book, positions = self._broker.order_book(), self._broker.positions()
                for course in begun:
                    course.look(book, positions)
                    self._fit(course)
        except BridgeError as fault:
            for course in begun:
                course.why = fault.message
        for course in self._unfinished():
            if not course.is_begun or course.is_withdrawing or course.is_free:
                self._go_on(course)

    def _fit(self, course: _Course) -> None:
        """Where less is open than was planned, because a stop filled as it was withdrawn, close what is left of it."""
        if not course.is_free or course.is_withdrawing:
            return
        if course.has_turned:
            course.why = _TURNED
            self._give_up(course)
        while course.units_left > course.open_units and isinstance(last := course.left[-1].request, OrderRequest):
            self._cut(course, last, course.units_left - course.open_units)

    def _cut(self, course: _Course, last: OrderRequest, excess: int) -> None:
        """Take ``excess`` units off the last closing order, or all of it. Raises StorageError."""
        still = f"only {course.open_units} of it are still open" if course.open_units else "the position is flat"
        reason, journal = f"{NOT_NEEDED} {still}.", self._desk.store.journal
        if last.quantity > excess:
            rest = replace(last, quantity=last.quantity - excess)
            course.left[-1] = journal.replace_planned(course.left[-1].id, rest, reason, by=CLOSING)
        else:
            course.legs.append(drop(self._desk, course.left.pop(), reason, was_needless=True))

    def _go_on(self, course: _Course) -> None:
        """Send what is left of it, as far as that can be done now."""
        while course.left and not self._is_left_alone(course):
            is_closing = not course.is_withdrawing
            try:
                leg = send(
                    self._desk,
                    self._broker,
                    self._ticket,
                    course.left[0],
                    follows=course.follows,
                    if_refused=_BARE if is_closing and course.way.beside else "",
                )
            except BridgeError as fault:
                course.why = fault.message
                if not course.is_begun and not self._is_passing(course, fault):
                    self._give_up(course)
                return
            course.left.pop(0)
            course.legs.append(leg)
            if is_closing and (leg.is_done or leg.refusal):
                self._refusal = leg.refusal

    def _give_up(self, course: _Course) -> None:
        why = _LEFT_ALONE if self._is_left_alone(course) else f"{course.left_behind()} {course.why}".strip()
        dropped = [drop(self._desk, order, why) for order in course.left]
        course.left.clear()
        course.legs += dropped


def _course(way: WayOut, planned: list[JournalOrder]) -> _Course:
    return _Course(
        way=way,
        left=planned,
        follows=[each.id for each in planned[: len(way.beside)]],
        open_units=sum(each.quantity for each in way.orders),
    )
