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
from openalgo_bridge.store.outcomes import OrderName

_GTTS = {Operation.PLACE_GTT, Operation.MODIFY_GTT, Operation.CANCEL_GTT}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOrders:
    """The orders that were found, and a sentence for each account whose broker could not be asked."""

    found: Mapping[OrderName, BrokerOrder]
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
    found: dict[OrderName, BrokerOrder] = {}
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
    sent = (each for each in reversed(messages) if each.state is OrderState.SENT and said.of(each) is None)
    return with_named(desk, said, ((each.trading_mode, number) for each in sent if (number := _number(each))))


def with_named(desk: Desk, said: BrokerOrders, names: Iterable[OrderName]) -> BrokerOrders:
    """The same with these orders of an earlier day or account, each asked for by its number."""
    asked = _asked_for(desk, (name for name in names if name[0] not in said.faults))
    return BrokerOrders(found={**asked.found, **said.found}, faults={**asked.faults, **said.faults})


def _asked_for(desk: Desk, names: Iterable[OrderName]) -> BrokerOrders:
    """A broker that does not know the first of them keeps today's orders only, and is not asked for the others."""
    found: dict[OrderName, BrokerOrder] = {}
    silent: set[TradingMode] = set()
    faults: dict[TradingMode, str] = {}
    for mode, number in names:
        if mode in silent:
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
