"""What the brokers say of our orders, for pages that must also work when a broker does not answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

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
        number = target_of(message.request) or message.broker_order_id
        return None if number is None else self.found.get((message.trading_mode, number))


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
        number = target_of(message.request) or message.broker_order_id
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
