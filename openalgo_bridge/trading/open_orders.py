"""What may work at a broker beside what its order book shows: on its way, in doubt, or taken a moment ago."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.clock import day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.order import BrokerOrderId, OrderRequest, TradingMode
from openalgo_bridge.model.session import session_end
from openalgo_bridge.model.states import IN_DOUBT
from openalgo_bridge.model.ticket import order_of
from openalgo_bridge.store.claims import OpenChange, Watermark
from openalgo_bridge.store.journal_reads import JournalOrder

_LATE_S = 60.0
"""How late the order book of a broker that cannot prove an order absent is taken to be, at most."""


def watermark(desk: Desk, broker: Broker, order: OrderRequest, mode: TradingMode) -> Watermark:
    """What is on its way on the side of ``order``. To be read before the broker. Raises StorageError."""
    return _without_lapsed(desk, desk.store.journal.watermark(order, mode, recent=lately_sent(desk, broker)))


def _without_lapsed(desk: Desk, since: Watermark) -> Watermark:
    """Less what was in doubt and is over. Where the broker's book shows it all the same, it counts as the book says."""
    if not since.open_ids:
        return since
    return less(since, lapsed(desk, (each for each in desk.store.journal.doubts() if each.id in since.open_ids)))


def less(since: Watermark, orders: Iterable[JournalOrder]) -> Watermark:
    """Without these orders, as far as it counts them."""
    gone = [each for each in orders if each.id in since.open_ids]
    placed = (each.request for each in gone if isinstance(each.request, OrderRequest))
    return replace(
        since,
        open_ids=tuple(sorted(set(since.open_ids) - {each.id for each in gone})),
        refs=since.refs - {each.ref for each in gone},
        units=since.units - sum(order.quantity for order in placed),
    )


def lapsed(desk: Desk, orders: Iterable[JournalOrder]) -> list[JournalOrder]:
    """Those in doubt whose trading day is over: an order is good for its day, so none of it can fill any more. What it
    filled then is in the position.
    """
    in_doubt = [each for each in orders if each.state in IN_DOUBT]
    if not in_doubt:
        return []
    calendar, today = desk.store.calendar.load(), day_in_india(desk.clock.now())

    def last_day(each: JournalOrder) -> date:
        order = order_of(each.request)
        exchange = None if order is None else order.exchange
        return day_in_india(session_end(calendar, exchange, each.created_at, timedelta()))

    return [each for each in in_doubt if last_day(each) < today]


def lately_sent(desk: Desk, broker: Broker) -> tuple[int, ...]:
    """The ids of what was sent so short a time ago that the order book of ``broker`` may not show it yet."""
    late = broker.capabilities.reread_after
    return desk.lately.sent(within=_LATE_S if late is None else late, now=desk.clock.monotonic())


def as_sent(book: Sequence[BrokerOrder], recent: Sequence[BrokerOrder]) -> list[BrokerOrder]:
    """The book, with what the broker took so short a time ago that it may not show there yet."""
    newest = {each.id: each for each in recent}
    shown = {each.id for each in book}
    unseen = [each for each in newest.values() if each.id not in shown]
    return [_at_most(each, newest.get(each.id)) for each in book] + unseen


def _at_most(there: BrokerOrder, sent: BrokerOrder | None) -> BrokerOrder:
    """An order in the form it was sent in last. Of two quantities the larger counts: the book may show either form."""
    if sent is None:
        return there
    quantity = max(there.request.quantity, sent.request.quantity)
    return replace(there, request=replace(sent.request, quantity=quantity))


def changed_order(change: OpenChange, shown: Mapping[BrokerOrderId, BrokerOrder], broker: Broker) -> BrokerOrder | None:
    """What ``change`` names, while it works: after that the change counts for nothing."""
    there = shown.get(change.target) or broker.order(change.target)
    return there if there is not None and there.status.is_working else None
