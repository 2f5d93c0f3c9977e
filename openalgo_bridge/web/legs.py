"""One true line for each message to a broker: what was asked, what became of it, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.exits import position_of
from openalgo_bridge.model.order import BrokerOrderId, CancelRequest, OrderRequest, PositionKey
from openalgo_bridge.model.outcome import Outcome, outcome_of_order
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Operation
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.legs import NOT_NEEDED
from openalgo_bridge.web import words
from openalgo_bridge.web.formats import count, money

_NOT_KNOWN = "Its broker does not say here what became of it."
_ENDINGS = {Outcome.PARTLY_FILLED: ": the rest was cancelled", Outcome.CANCELLED: ": cancelled at the broker"}
_ON_ITS_WAY = "On its way just now. Load this page again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One message. ``there`` is the order that it placed, or withdraws, as its broker has it, where that can be read.

    ``what`` says what was asked, ``word`` what became of it, ``why`` the rest, as sentences.
    """

    message: JournalOrder
    there: BrokerOrder | None
    outcome: Outcome
    what: str
    word: str
    tone: str
    why: str

    @property
    def is_withdrawal(self) -> bool:
        """Whether it asks to cancel an order."""
        return self.message.operation is Operation.CANCEL

    @property
    def is_over(self) -> bool:
        """Whether the order that it placed, or withdraws, works no more, be it filled."""
        return self.there is not None and not self.there.status.is_working

    @property
    def is_done(self) -> bool:
        """Filled whole, cancelled, or needless: taken by the broker is not enough where the broker says more."""
        if _is_needless(self.message):
            return True
        if not self.is_withdrawal:
            return self.outcome is Outcome.FILLED
        is_gone = self.there is None or self.there.status in {OrderStatus.CANCELLED, OrderStatus.REJECTED}
        return self.outcome is Outcome.DONE and is_gone

    @property
    def in_short(self) -> str:
        """The reason without the quantities and prices of the order, where these stand in columns of their own."""
        if self.is_withdrawal and self.outcome is Outcome.DONE:
            return f"{self.word}. {self.why}".strip()
        if self.there is None or self.message.operation is not Operation.PLACE or self.outcome is Outcome.REFUSED:
            return self.why
        ending = _ENDINGS.get(self.outcome, "")
        waits = ": waits for its trigger" if self.there.status is OrderStatus.TRIGGER_PENDING else ""
        return f"Order {self.there.id}{waits or ending}. {self.there.rejection_reason}".strip()

    @property
    def working(self) -> BrokerOrderId | None:
        """The order that it placed, while that can still be cancelled."""
        there = self.there
        is_working = there is not None and there.status.is_working and self.message.operation is Operation.PLACE
        return there.id if there is not None and is_working else None


def leg_of(message: JournalOrder, there: BrokerOrder | None, *, closes: bool = False) -> Leg:
    """``closes``: it is part of a closing of positions, which is done when it is filled."""
    status, filled = (there.status, there.filled_quantity) if there is not None else (None, 0)
    outcome = outcome_of_order(message.operation, message.state, status, filled)
    word, tone = words.outcome(outcome), words.outcome_tone(outcome)
    if message.operation in {Operation.CANCEL, Operation.CANCEL_GTT} and outcome is Outcome.DONE:
        word, tone = _withdrawn(there)
    elif closes and outcome is Outcome.FILLED:
        word = "Closed"
    elif _is_needless(message):
        word = "Not needed"
    return Leg(
        message=message,
        there=there,
        outcome=outcome,
        what=_what(message, there),
        word=word,
        tone=tone,
        why=why(outcome, message, there),
    )


def _is_needless(message: JournalOrder) -> bool:
    """Whether it was not sent because nothing was left for it to do."""
    return message.state is OrderState.DROPPED and message.message.startswith(NOT_NEEDED)


def why(outcome: Outcome, message: JournalOrder, there: BrokerOrder | None) -> str:
    """The sentence behind the outcome of a message: prices and quantities, or the reason for which it did not trade."""
    if outcome in {Outcome.IN_DOUBT, Outcome.DECIDE, Outcome.DROPPED, Outcome.NOT_PLACED}:
        return message.message
    if outcome is Outcome.REFUSED:
        is_its_own = there is not None and message.operation is Operation.PLACE
        return (there.rejection_reason if there is not None and is_its_own else "") or message.message
    if outcome is Outcome.SENDING:
        return _ON_ITS_WAY
    if message.operation is Operation.PLACE_GTT:
        return f"GTT {message.broker_order_id}: the broker keeps it until its price comes."
    if message.operation is not Operation.PLACE:
        return _of_withdrawal(there) if message.operation is Operation.CANCEL else ""
    return _NOT_KNOWN if there is None else _of_order(outcome, there)


def progress(operation: Operation, legs: Sequence[Leg]) -> str:
    """How much of a ticket of many messages was done, such as ``3 of 4 positions closed``; never more than was."""
    if operation is Operation.CANCEL_ALL:
        return _fraction("order", sum(leg.is_done for leg in legs), len(legs), "cancelled")
    closed = list(_closures(legs).values())
    if operation is Operation.CLOSE:
        return _fraction("position", sum(all(leg.is_done for leg in each) for each in closed), len(closed), "closed")
    return _fraction("order", sum(leg.is_done for leg in legs), len(legs), "done")


def _closures(legs: Iterable[Leg]) -> dict[PositionKey, list[Leg]]:
    """The closing orders of each position: a large one takes several."""
    found: dict[PositionKey, list[Leg]] = {}
    for leg in legs:
        order = leg.message.request
        if isinstance(order, OrderRequest):
            found.setdefault(position_of(order), []).append(leg)
    return found


def _fraction(noun: str, done: int, total: int, verb: str) -> str:
    return f"{done} of {total} {noun}{'' if total == 1 else 's'} {verb}"


def _what(message: JournalOrder, there: BrokerOrder | None) -> str:
    """A number says nothing to a person where the order itself can be named."""
    if isinstance(message.request, CancelRequest) and there is not None:
        return f"Cancel order {there.id}: {words.sentence(there.request)}"
    return words.sentence(message.request)


def _withdrawn(there: BrokerOrder | None) -> tuple[str, str]:
    """The broker took the cancel; the order may have filled before it arrived, or still be on its way out."""
    if there is None or there.status in {OrderStatus.CANCELLED, OrderStatus.REJECTED}:
        return "Cancelled", "success"
    if there.status is OrderStatus.COMPLETE:
        return "Filled before the cancel", "warning"
    return "Cancel taken, still open", "warning"


def _of_withdrawal(there: BrokerOrder | None) -> str:
    if there is None or not there.filled_quantity:
        return ""
    return f"{filled(there)} before that."


def _of_order(outcome: Outcome, there: BrokerOrder) -> str:
    if outcome is Outcome.FILLED:
        return f"Order {there.id}: filled {count(there.filled_quantity)} at {money(there.average_price)}."
    if outcome is Outcome.WORKING:
        return f"Order {there.id}: {words.state(there.status).lower()}, {filled(there)} so far."
    rest = "the rest was cancelled" if there.filled_quantity else "cancelled at the broker"
    return f"Order {there.id}: {filled(there)}, {rest}. {there.rejection_reason}".strip()


def filled(there: BrokerOrder) -> str:
    """How much of an order is filled, and at which average price."""
    at = f" at {money(there.average_price)}" if there.filled_quantity else ""
    return f"{count(there.filled_quantity)} of {count(there.request.quantity)} filled{at}"
