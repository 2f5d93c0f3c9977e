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
from openalgo_bridge.model.ticket import Operation, target_of
from openalgo_bridge.store.journal_reads import JournalOrder

_Name = tuple[TradingMode, BrokerOrderId]
_GTTS = {Operation.PLACE_GTT, Operation.MODIFY_GTT, Operation.CANCEL_GTT}


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
    named = (each for each in messages if day_in_india(each.created_at) == day and _number(each) is not None)
    return with_untold(desk, of_today(desk, {each.trading_mode for each in named}), messages)


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


def with_untold(desk: Desk, said: BrokerOrders, messages: Sequence[JournalOrder]) -> BrokerOrders:
    """The same with those messages that the books of today do not tell, each asked for by its number: a book of the
    paper account begins at its last reset, and what was sent before that has not vanished.
    """
    untold = (each for each in reversed(messages) if each.trading_mode not in said.faults and said.of(each) is None)
    asked = of_earlier(desk, untold)
    return BrokerOrders(found={**asked.found, **said.found}, faults={**asked.faults, **said.faults})


def of_earlier(desk: Desk, messages: Iterable[JournalOrder]) -> BrokerOrders:
    """The orders of messages of an earlier day or account, each asked for by its number.

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
    """The broker's number of the order that a message is about; None of a GTT, which stands in no book of orders."""
    return None if message.operation in _GTTS else target_of(message.request) or message.broker_order_id
