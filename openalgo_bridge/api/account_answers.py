"""How the dialect spells what the account holds: orders, fills, positions, holdings, money (contract 2.3, 2.8.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from openalgo_bridge.api.answers import Json, Spelled, encoded, marker, order_fields, price
from openalgo_bridge.clock import ist_text
from openalgo_bridge.model.books import BrokerOrder, Funds, Holding, OrderStatus, Position, SinceBegin, Trade
from openalgo_bridge.model.order import Action, BrokerOrderId, TradingMode


def order_book(orders: Sequence[BrokerOrder]) -> Spelled:
    """``orderbook`` data (contract 2.3.2)."""
    rows = ",".join(map(_remembered_row, orders))
    return Spelled(f'{{"orders":[{rows}],"statistics":{encoded(_statistics(orders))}}}')


def trade_book(trades: Iterable[Trade]) -> Sequence[Json]:
    """``tradebook`` data (contract 2.3.3)."""
    return [
        {
            "action": trade.action,
            "average_price": price(trade.price),
            "exchange": trade.exchange,
            "orderid": trade.order_id,
            "product": trade.product,
            "quantity": trade.quantity,
            "symbol": trade.symbol,
            "timestamp": ist_text(trade.traded_at),
            "trade_value": price(trade.value),
            "tradeid": trade.id,
        }
        for trade in trades
    ]


def position_book(positions: Iterable[Position]) -> Sequence[Json]:
    """``positionbook`` data, closed positions included (contract 2.3.4)."""
    return [
        {
            "average_price": _money(position.average_price),
            "exchange": position.exchange,
            "ltp": _money(position.ltp),
            "pnl": _money(position.pnl),
            "product": position.product,
            "quantity": str(position.quantity),
            "symbol": position.symbol,
        }
        for position in positions
    ]


def symbol_profits(positions: Sequence[Position], mode: TradingMode) -> Json:
    """``pnl/symbols``: profit of today by position, and its sums (contract 2.8.3)."""
    return {
        "status": "success",
        "data": [
            {
                "symbol": each.symbol,
                "exchange": each.exchange,
                "product": each.product,
                "quantity": each.quantity,
                "pnl": price(each.pnl),
                "unrealized_pnl": price(each.unrealised),
                "today_realized_pnl": price(each.realised),
                "total_pnl_today": price(each.pnl),
            }
            for each in positions
        ],
        "total_pnl": price(sum((each.pnl for each in positions), Decimal(0))),
        "total_unrealized_pnl": price(sum((each.unrealised for each in positions), Decimal(0))),
        "total_today_realized_pnl": price(sum((each.realised for each in positions), Decimal(0))),
        "total_pnl_today": price(sum((each.pnl for each in positions), Decimal(0))),
        **marker(mode),
    }


def holdings(held: Sequence[Holding]) -> Json:
    """``holdings`` data (contract 2.3.5)."""
    value = sum((row.ltp * row.quantity for row in held), Decimal(0))
    cost = sum((row.average_price * row.quantity for row in held), Decimal(0))
    return {
        "holdings": [_holding(row) for row in held],
        "statistics": {
            "totalholdingvalue": price(value),
            "totalinvvalue": price(cost),
            "totalpnlpercentage": _percentage(value - cost, cost),
            "totalprofitandloss": price(value - cost),
        },
    }


def funds(money: Funds) -> Json:
    """``funds`` data: strings of two decimals. An account that can be begun anew tells more (contract 2.3.1)."""
    told = {
        "availablecash": _money(money.available),
        "collateral": _money(money.collateral),
        "m2mrealized": _money(money.realised),
        "m2munrealized": _money(money.unrealised),
        "utiliseddebits": _money(money.used),
    }
    return told if money.since_begin is None else told | _since_begin(money, money.since_begin)


def _since_begin(money: Funds, since: SinceBegin) -> dict[str, str]:
    """Text too, because some clients read all of it as a map of texts. The dialect calls what is used the exposure."""
    return {
        "grossexposure": _money(money.used),
        "last_reset": ist_text(since.at),
        "reset_count": str(since.resets),
        "today_realized_pnl": _money(money.realised),
        "total_realized_pnl": _money(since.realised),
        "totalpnl": _money(since.realised + money.unrealised),
    }


_rows: dict[BrokerOrderId, tuple[BrokerOrder, str]] = {}
_MOST_ROWS = 20_000


def _remembered_row(order: BrokerOrder) -> str:
    """A day has thousands of orders, and programs ask for them every second. An order is immutable, so the very same
    object has the same row; a broker that makes its objects anew has them spelled anew.
    """
    known = _rows.get(order.id)
    if known is not None and known[0] is order:
        return known[1]
    if len(_rows) >= _MOST_ROWS:
        _rows.clear()
    row = encoded(_book_row(order))
    _rows[order.id] = (order, row)
    return row


def _book_row(order: BrokerOrder) -> Json:
    return {
        **order_fields(order.request),
        "orderid": order.id,
        "order_status": order.status,
        "average_price": price(order.average_price),
        "filled_quantity": str(order.filled_quantity),
        "pending_quantity": str(order.pending_quantity),
        "rejection_reason": order.rejection_reason,
        "timestamp": ist_text(order.placed_at),
    }


def _statistics(orders: Sequence[BrokerOrder]) -> Json:
    sides = Counter(order.request.action for order in orders)
    statuses = Counter(order.status for order in orders)
    return {
        "total_buy_orders": sides[Action.BUY],
        "total_sell_orders": sides[Action.SELL],
        "total_completed_orders": statuses[OrderStatus.COMPLETE],
        "total_open_orders": statuses[OrderStatus.OPEN],
        "total_rejected_orders": statuses[OrderStatus.REJECTED],
        "total_trigger_pending_orders": statuses[OrderStatus.TRIGGER_PENDING],
    }


def _holding(row: Holding) -> Json:
    cost = row.average_price * row.quantity
    gain = row.ltp * row.quantity - cost
    return {
        "average_price": price(row.average_price),
        "exchange": row.exchange,
        "pnl": price(gain),
        "pnlpercent": _percentage(gain, cost),
        "product": "CNC",
        "quantity": row.quantity,
        "symbol": row.symbol,
    }


def _percentage(part: Decimal, whole: Decimal) -> float:
    return round(float(part / whole * 100), 2) if whole else 0.0


def _money(value: Decimal) -> str:
    return f"{value:.2f}"
