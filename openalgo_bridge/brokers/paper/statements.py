"""What the exchange tells of its books, in the words of ``model/books.py``. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from openalgo_bridge.clock import IST
from openalgo_bridge.model.books import BrokerOrder, Funds, Holding, Position, SinceBegin, Trade
from openalgo_bridge.model.order import BrokerOrderId
from openalgo_bridge.model.paper import PaperAccount, PaperHolding, PaperOrder, PaperPosition, PaperTrade, to_rupees

_ORDER_ID = re.compile(r"[0-9]{6}([0-9]{8})")


def order_id(number: int, placed_at: datetime) -> BrokerOrderId:
    """14 digits: the IST date as YYMMDD and the order's number in the book, so unique and rising (contract 4.2)."""
    return BrokerOrderId(_dated(number, placed_at))


def order_number(wanted: BrokerOrderId) -> int:
    """The number in an order id; 0, which no order has, when it is not one of ours."""
    match = _ORDER_ID.fullmatch(wanted)
    return int(match[1]) if match else 0


def broker_order(order: PaperOrder) -> BrokerOrder:
    """One row of the order book."""
    return BrokerOrder(
        id=order_id(order.number, order.placed_at),
        tag=order.tag,
        request=order.request,
        status=order.status,
        filled_quantity=order.filled_quantity,
        average_price=_average_fill(order),
        placed_at=order.placed_at,
        rejection_reason=order.rejection_reason,
    )


def trade(fill: PaperTrade) -> Trade:
    """One row of the trade book."""
    request = fill.order.request
    return Trade(
        id=_dated(fill.number, fill.traded_at),
        order_id=order_id(fill.order.number, fill.order.placed_at),
        symbol=request.symbol,
        exchange=request.exchange,
        product=request.product,
        action=request.action,
        quantity=fill.quantity,
        price=to_rupees(fill.price),
        traded_at=fill.traded_at,
        multiplier=fill.multiplier,
    )


def position(row: PaperPosition, last_price: Decimal, today: date) -> Position:
    """One row of the position book."""
    return Position(
        symbol=row.symbol,
        exchange=row.exchange,
        product=row.product,
        quantity=row.quantity,
        average_price=average_price(row),
        ltp=last_price,
        realised=to_rupees(_realised_on(row, today)),
        multiplier=row.multiplier,
    )


def average_price(row: PaperPosition | PaperHolding) -> Decimal:
    """The price in rupees at which what is open was opened; 0 when nothing is."""
    multiplier = row.multiplier if isinstance(row, PaperPosition) else 1
    return to_rupees(row.cost) / (row.quantity * multiplier) if row.quantity else Decimal(0)


def _average_fill(order: PaperOrder) -> Decimal:
    return to_rupees(order.filled_value) / order.filled_quantity if order.filled_quantity else Decimal(0)


def holding(row: PaperHolding, last_price: Decimal) -> Holding:
    """One row of the holdings."""
    return Holding(
        symbol=row.symbol,
        exchange=row.exchange,
        quantity=row.quantity,
        average_price=average_price(row),
        ltp=last_price,
    )


def funds(account: PaperAccount, valued: Sequence[tuple[PaperPosition, Decimal]], today: date) -> Funds:
    """The account, with each of its positions at its last price in rupees."""
    money = account.money
    return Funds(
        available=to_rupees(money.available),
        used=to_rupees(money.blocked),
        collateral=Decimal(0),
        realised=to_rupees(sum(_realised_on(row, today) for row, _ in valued)),
        # From the exact cost: the average price may have no end.
        unrealised=sum(
            (price * row.quantity * row.multiplier - to_rupees(row.cost) for row, price in valued), Decimal(0)
        ),
        since_begin=SinceBegin(resets=account.resets, at=account.begun_at, realised=to_rupees(money.realised)),
    )


def _realised_on(row: PaperPosition, day: date) -> int:
    return row.realised if row.realised_on == day else 0


def _dated(number: int, moment: datetime) -> str:
    day = moment.astimezone(IST)
    return f"{day.year % 100:02d}{day.month:02d}{day.day:02d}{number:08d}"
