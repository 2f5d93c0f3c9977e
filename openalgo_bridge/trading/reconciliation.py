"""Compares a broker's order book of the day with the journal: before the doors open, and on the timer.

What disagrees is a reconciliation break. It is written down and told, new entries of its symbol wait until the trader
has seen it, and it clears when the broker's book agrees again. Nothing here sends, and no order changes its state.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from openalgo_bridge.clock import Clock, day_in_india, midnight
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.breaks import Break, BreakKind, Finding, Placement
from openalgo_bridge.model.order import BrokerOrderId, OrderRequest, Ref, TradingMode
from openalgo_bridge.model.refs import made_at
from openalgo_bridge.model.states import OrderState

_log = logging.getLogger(__name__)

_NOT_THERE = {
    OrderState.REJECTED: "The journal has it as refused.",
    OrderState.NOT_PLACED: "The journal has it as never received by the broker.",
    OrderState.DROPPED: "The journal has it as not sent.",
}
"""The states that say that the broker has no such order, in words."""

_NOT_IN_JOURNAL = "The journal has no order of that reference: was an older backup restored?"

_LONGEST_WAIT = timedelta(days=31)
"""Between the making of a reference and its order at the broker. A word of that form that another program uses as its
tag names a second of the last decades: nearly never one of these days.
"""

_QUESTIONS = 20
"""How many missing orders are asked for by their numbers at once: brokers count what they are asked."""


class Absentees:
    """Since when each sent order, by its number, is missing from every complete read of its broker. One thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[TradingMode, dict[BrokerOrderId, float]] = {}
        self._known: dict[TradingMode, set[BrokerOrderId]] = {}

    def missed(self, mode: TradingMode, absent: Iterable[BrokerOrderId], reread_after: float) -> list[BrokerOrderId]:
        """Note what a read just now does not show; of it, what none has shown for ``reread_after`` seconds."""
        now, before = self._clock.monotonic(), self._since.get(mode, {})
        since = self._since[mode] = {number: before.get(number, now) for number in absent}
        known = self._known[mode] = self._known.get(mode, set()) & since.keys()
        return [number for number, first in since.items() if now - first >= reread_after and number not in known]

    def is_known(self, mode: TradingMode, number: BrokerOrderId) -> None:
        """The broker told of it by its number, so it is not asked again until its book has shown it: that is of another
        day than ours, or was read before the order arrived.
        """
        self._known[mode].add(number)


def reconcile(desk: Desk, mode: TradingMode, book: Sequence[BrokerOrder], absentees: Absentees) -> list[Finding]:
    """Write down the breaks that ``book``, as it was just read, shows, and those that it clears; returns the new ones.

    Whatever the broker shows of ours was in the journal before it was sent; what is sent while the book is read is
    missed once at most. Raises StorageError: then nothing is written, and the next read finds the same.
    """
    found = [*_disputed(desk, mode, book), *_missing(desk, mode, book, absentees)]
    new = desk.store.breaks.record(found, _cleared(desk, mode, book, found))
    for each in new:
        _log.error("reconciliation break, %s: %s", each.trading_mode, each.told)
    return new


def _disputed(desk: Desk, mode: TradingMode, book: Sequence[BrokerOrder]) -> Iterator[Finding]:
    """What the broker has under our references and the journal has not, oldest first. Nothing of others' orders, nor of
    those of which nothing came: that is as if they were not there.
    """
    ours = {each.id: each for each in reversed(book) if each.tag and (each.status.is_working or each.filled_quantity)}
    disputed = desk.store.breaks.disputed(mode, {number: each.tag for number, each in ours.items()})
    for number, placement in disputed.items():
        kind, why = _dispute(ours[number], placement)
        if kind is not None:
            yield _finding(kind, mode, ours[number], placement, why)


def _dispute(there: BrokerOrder, placement: Placement | None) -> tuple[BreakKind | None, str]:
    """How it disagrees and what the journal says instead; None where it does not, or is still being looked up."""
    if placement is None:
        is_ours = _is_our_making(there.tag, there.placed_at)
        return (BreakKind.UNEXPECTED, _NOT_IN_JOURNAL) if is_ours else (None, "")
    if placement.state in _NOT_THERE:
        return BreakKind.UNEXPECTED, _NOT_THERE[placement.state]
    number = placement.broker_order_id
    if placement.state is OrderState.SENT:
        return BreakKind.DUPLICATE, f"The journal has that reference as order {number}: it may be there twice."
    return None, ""


def _is_our_making(tag: Ref, placed_at: datetime) -> bool:
    made = made_at(tag)
    return made is not None and abs(placed_at - made) <= _LONGEST_WAIT


def _missing(desk: Desk, mode: TradingMode, book: Sequence[BrokerOrder], absentees: Absentees) -> Iterator[Finding]:
    """What is sent and stands in no book: by the rule of two complete reads, and then asked for by its number."""
    reread_after = desk.broker(mode).capabilities.reread_after
    if reread_after is None:
        return
    today = midnight(day_in_india(desk.clock.now()))
    absent = desk.store.breaks.not_shown(mode, today, [each.id for each in book], [each.tag for each in book])
    missed = absentees.missed(mode, absent, reread_after)
    untold = (number for number in missed if not desk.store.breaks.is_told(mode, BreakKind.MISSING, number))
    for number in islice(untold, _QUESTIONS):
        try:
            there = desk.broker(mode).order(number)
        except BrokerError:
            return  # That proves nothing, and the others need not be asked for now.
        if there is None:
            yield _missed(mode, number, absent[number])
        else:
            absentees.is_known(mode, number)


def _missed(mode: TradingMode, number: BrokerOrderId, placement: Placement) -> Finding:
    what = f"{_named(placement)}, reference {placement.ref}, as sent under number {number}"
    return Finding(
        kind=BreakKind.MISSING,
        trading_mode=mode,
        broker_order_id=number,
        ref=placement.ref,
        exchange=placement.exchange,
        symbol=placement.symbol,
        told=f"The journal has {what}. The broker has no such order.",
        placement=placement,
    )


def _finding(kind: BreakKind, mode: TradingMode, there: BrokerOrder, placement: Placement | None, why: str) -> Finding:
    filled = f"{there.filled_quantity} of {there.request.quantity} filled"
    told = f"The broker has order {there.id} under our reference {there.tag}: {_named(there.request)}, {filled}. {why}"
    return Finding(
        kind=kind,
        trading_mode=mode,
        broker_order_id=there.id,
        ref=there.tag,
        exchange=there.request.exchange,
        symbol=there.request.symbol,
        told=told,
        placement=placement,
    )


def _named(order: OrderRequest | Placement) -> str:
    return f"{order.action} {order.quantity} {order.symbol} on {order.exchange}"


def _cleared(desk: Desk, mode: TradingMode, book: Sequence[BrokerOrder], found: Sequence[Finding]) -> list[Break]:
    """The open breaks of which this book shows the order, with nothing wrong about it any more.

    What it does not show clears nothing: a broker's book has today's orders only.
    """
    opened = desk.store.breaks.open_of(mode)
    if not opened:
        return []
    numbers, tags = {there.id for there in book}, {there.tag for there in book}
    standing = {(each.kind, each.broker_order_id, each.ref) for each in found}
    return [
        each
        for each in opened
        if (each.broker_order_id in numbers or (each.kind is BreakKind.MISSING and each.ref in tags))
        and (each.kind, each.broker_order_id, each.ref) not in standing
    ]
