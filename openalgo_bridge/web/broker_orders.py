"""What the brokers say of our orders, for pages that must also work when a broker does not answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.clock import day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.order import BrokerOrderId, TradingMode
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import target_of
from openalgo_bridge.store.journal_reads import JournalOrder

_Name = tuple[TradingMode, BrokerOrderId]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOrders:
    """The orders that were found, and a sentence for each account whose broker could not be asked."""

    found: Mapping[_Name, BrokerOrder]
    faults: Mapping[TradingMode, str]

    def of(self, message: JournalOrder) -> BrokerOrder | None:
        """The order that a message placed, changes or withdraws, as it stands at its broker."""
        number = _number(message)
        return None if number is None else self.found.get((message.trading_mode, number))


def said_of(desk: Desk, messages: Sequence[JournalOrder], now: datetime) -> BrokerOrders:
    """What the brokers say of these messages: of today's from one read of each book, of the others one by one, the
    newest first.
    """
    day = day_in_india(now)
    is_of_today = {each.id: day_in_india(each.created_at) == day for each in messages}
    named = (each for each in messages if is_of_today[each.id] and _number(each) is not None)
    today = of_today(desk, {each.trading_mode for each in named})
    earlier = of_earlier(desk, (each for each in reversed(messages) if not is_of_today[each.id]))
    return BrokerOrders(found={**earlier.found, **today.found}, faults={**earlier.faults, **today.faults})


def of_today(desk: Desk, accounts: Collection[TradingMode]) -> BrokerOrders:
    """Every order of today, in one read of each account's book: a real broker charges a request for each."""
    found: dict[_Name, BrokerOrder] = {}
    faults: dict[TradingMode, str] = {}
    for mode in sorted(accounts):
        try:
            found |= {(mode, order.id): order for order in desk.broker(mode).order_book()}
        except BrokerError as fault:
            faults[mode] = fault.message
    return BrokerOrders(found=found, faults=faults)


def of_earlier(desk: Desk, messages: Iterable[JournalOrder]) -> BrokerOrders:
    """The orders of messages of an earlier day, each asked for by its number.

    A broker that does not know the first of them keeps today's orders only, and is not asked for the others.
    """
    found: dict[_Name, BrokerOrder] = {}
    silent: set[TradingMode] = set()
    faults: dict[TradingMode, str] = {}
    for message in messages:
        number = _number(message)
        mode = message.trading_mode
        if message.state is not OrderState.SENT or number is None or mode in silent:
            continue
        try:
            there = desk.broker(mode).order(number)
        except BrokerError as fault:
            faults[mode] = fault.message
            there = None
        if there is None:
            silent.add(mode)
        else:
            found[mode, number] = there
    return BrokerOrders(found=found, faults=faults)


def _number(message: JournalOrder) -> BrokerOrderId | None:
    """The broker's number of the order that a message is about."""
    return target_of(message.request) or message.broker_order_id
