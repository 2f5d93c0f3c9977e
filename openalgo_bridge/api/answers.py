"""The only place that knows the dialect's spelling of an answer.

Types satisfy the strictest published clients (callers 3.5): quantities and all of funds and the position book
are strings, prices are numbers. Prices a person computes with stay numbers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from openalgo_bridge.clock import ist_text
from openalgo_bridge.errors import BridgeError, Denied, Invalid, RateLimited, UnknownSymbols
from openalgo_bridge.model.books import BrokerOrder, Funds, Holding, OrderStatus, Position, Trade
from openalgo_bridge.model.order import Action, BrokerOrderId, OrderRequest, PriceType, TradingMode
from openalgo_bridge.model.redaction import scrub
from openalgo_bridge.model.ticket import Ticket, target_of
from openalgo_bridge.trading.books import OrderFate
from openalgo_bridge.trading.closing import Leg, PositionName, Report
from openalgo_bridge.trading.orders import Held, Submitted
from openalgo_bridge.trading.sending import InDoubt, Sent

Json = Mapping[str, object]

QUEUED = "Order queued for approval in Action Center"


def encoded(content: Json | Sequence[Json]) -> str:
    """Compact JSON: the AmiBroker plugin looks for the literal text ``"status":"success"`` (contract 1.4)."""
    return _COMPACT.encode(content)


_COMPACT = json.JSONEncoder(separators=(",", ":"))


def submitted(result: Submitted) -> Json:
    """What became of an order request. An outcome in doubt is a success: an error would be sent again."""
    match result:
        case Held(ticket=ticket, reason=reason):
            return {
                "status": "success",
                "message": f"{QUEUED}. {reason}" if reason else QUEUED,
                "mode": "semi_auto",
                "pending_order_id": ticket.id,
                "reference": ticket.ref,
            }
        case Sent(ticket=ticket, broker_order_id=order_id):
            return {"status": "success", "orderid": order_id, **marker(ticket.trading_mode)}
        case InDoubt(ticket=ticket, message=message):
            return {
                "status": "success",
                "orderid": target_of(ticket.request) or ticket.ref,
                "reference": ticket.ref,
                "order_status": "unknown",
                "message": message,
                **marker(ticket.trading_mode),
            }


def changed(result: Submitted, message: str) -> Json:
    """A change or a cancel: as :func:`submitted`, with a sentence once the broker took it."""
    answer = submitted(result)
    return {**answer, "message": message} if isinstance(result, Sent) else answer


def cancelled_all(report: Report) -> Json:
    """``cancelallorder`` (contract 2.1.7), a success only when every withdrawal is one."""
    cancels = report.cancels()
    done = [request.broker_order_id for request, leg in cancels if leg.is_done]
    failed = [(request.broker_order_id, leg.why_not) for request, leg in cancels if not leg.is_done]
    told = f"Canceled {len(done)} orders." + (f" Failed to cancel {len(failed)} orders." if failed else "")
    return {
        "status": _status(report),
        "message": told if cancels else "No open orders to cancel",
        "canceled_orders": done,
        "failed_cancellations": [{"orderid": order_id, "message": scrub(why)} for order_id, why in failed],
        "reference": report.ticket.ref,
        **marker(report.ticket.trading_mode),
    }


def closed_positions(report: Report) -> Json:
    """``closeposition`` (contract 2.1.8), per position. A closing order at a live broker may still be working."""
    closures = report.closures()
    failed = {
        name: next(leg.why_not for leg in legs if not leg.is_done) for name, legs in closures.items() if _fails(legs)
    }
    done = len(closures) - len(failed)
    is_filled = report.ticket.trading_mode is TradingMode.ANALYZE
    told = f"Closed {done} positions" if is_filled else f"Closing orders for {done} positions are at the broker"
    if failed:
        told += f". Failed to close {len(failed)} positions."
    return {
        "status": _status(report),
        "message": told if closures else "No open positions to close",
        "closed_positions": done,
        "failed_closures": len(failed),
        "failures": [_failure(name, why) for name, why in failed.items()],
        "reference": report.ticket.ref,
        **marker(report.ticket.trading_mode),
    }


def _status(report: Report) -> str:
    """Programs look for the word success; anything less is none."""
    if report.is_done:
        return "success"
    return "partial" if any(leg.is_done for leg in report.legs) else "error"


def _fails(legs: Iterable[Leg]) -> bool:
    return not all(leg.is_done for leg in legs)


def _failure(name: PositionName, why: str) -> Json:
    exchange, symbol, product = name
    return {"exchange": exchange, "symbol": symbol, "product": product, "message": scrub(why)}


def withdrawn(ticket: Ticket) -> Json:
    """A held order that its own program took back."""
    message = "Withdrawn before it was approved. Nothing was sent."
    return {"status": "success", "orderid": ticket.ref, "message": message, **marker(ticket.trading_mode)}


def done(content: object, mode: TradingMode) -> Json:
    """A read's answer, marked in analyze mode (contract 4.2)."""
    return {"status": "success", "data": content, **marker(mode)}


def failed(error: BridgeError) -> Json:
    """The one error shape: ``status`` and ``message``, plus what a program can use."""
    answer: dict[str, object] = {"status": "error", "message": scrub(error.message)}
    if error.trading_mode == TradingMode.ANALYZE:
        answer["mode"] = "analyze"
    if isinstance(error, Invalid) and error.faults:
        answer["errors"] = error.faults
    if isinstance(error, UnknownSymbols):
        answer["invalid_symbols"] = [
            {"exchange": exchange, "symbol": symbol, "error": fault}
            for (exchange, symbol), fault in error.unknown.items()
        ]
    if isinstance(error, Denied) and error.guard:
        answer["guard"] = error.guard
    if isinstance(error, RateLimited):
        answer["retry_after"] = error.retry_after
    return answer


def order_status(fate: OrderFate) -> Json:
    """``orderstatus``: an order-book row and what filled (contract 2.2.1); a sentence where a change was named."""
    answer = done(_fate(fate), fate.trading_mode)
    return {**answer, "message": fate.remark} if fate.remark else answer


def _fate(fate: OrderFate) -> Json:
    return {
        **_order(fate.request),
        "orderid": fate.id,
        "order_status": fate.status,
        "average_price": _price(fate.average_price),
        "filled_quantity": str(fate.filled_quantity),
        "rejection_reason": fate.reason,
        "timestamp": ist_text(fate.at),
    }


def order_book(orders: Sequence[BrokerOrder]) -> Json:
    """``orderbook`` data (contract 2.3.2)."""
    return {"orders": [_remembered_row(order) for order in orders], "statistics": _statistics(orders)}


def trade_book(trades: Iterable[Trade]) -> Sequence[Json]:
    """``tradebook`` data (contract 2.3.3)."""
    return [
        {
            "action": trade.action,
            "average_price": _price(trade.price),
            "exchange": trade.exchange,
            "orderid": trade.order_id,
            "product": trade.product,
            "quantity": trade.quantity,
            "symbol": trade.symbol,
            "timestamp": ist_text(trade.traded_at),
            "trade_value": _price(trade.price * trade.quantity),
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
                "pnl": _price(each.pnl),
                "unrealized_pnl": _price(each.unrealised),
                "today_realized_pnl": _price(each.realised),
                "total_pnl_today": _price(each.pnl),
            }
            for each in positions
        ],
        "total_pnl": _price(sum((each.pnl for each in positions), Decimal(0))),
        "total_unrealized_pnl": _price(sum((each.unrealised for each in positions), Decimal(0))),
        "total_today_realized_pnl": _price(sum((each.realised for each in positions), Decimal(0))),
        "total_pnl_today": _price(sum((each.pnl for each in positions), Decimal(0))),
        **marker(mode),
    }


def open_quantity(quantity: int, mode: TradingMode) -> Json:
    """``openposition``: the signed net at the top level (contract 2.2.2)."""
    return {"status": "success", "quantity": str(quantity), **marker(mode)}


def holdings(held: Sequence[Holding]) -> Json:
    """``holdings`` data (contract 2.3.5)."""
    value = sum((row.ltp * row.quantity for row in held), Decimal(0))
    cost = sum((row.average_price * row.quantity for row in held), Decimal(0))
    return {
        "holdings": [_holding(row) for row in held],
        "statistics": {
            "totalholdingvalue": _price(value),
            "totalinvvalue": _price(cost),
            "totalpnlpercentage": _percentage(value - cost, cost),
            "totalprofitandloss": _price(value - cost),
        },
    }


def funds(money: Funds) -> Json:
    """``funds`` data: strings of two decimals (contract 2.3.1)."""
    return {
        "availablecash": _money(money.available),
        "collateral": _money(money.collateral),
        "m2mrealized": _money(money.realised),
        "m2munrealized": _money(money.unrealised),
        "utiliseddebits": _money(money.used),
    }


def margin(rupees: Decimal) -> Json:
    """``margin``: the broker's whole estimate as exposure, because it does not split it (contract 2.9)."""
    total = round(float(rupees), 2)
    parts = {"total_margin_required": total, "span_margin": 0.0, "exposure_margin": total}
    return {"status": "success", "data": parts}


def analyzer(mode: TradingMode, total_logs: int, message: str | None = None) -> Json:
    """``analyzer`` data (contract 2.8)."""
    state: dict[str, object] = {
        "analyze_mode": mode is TradingMode.ANALYZE,
        "mode": mode,
        "total_logs": total_logs,
    }
    return state if message is None else {**state, "message": message}


def marker(mode: TradingMode) -> Json:
    """What marks an answer in analyze mode (contract 4.2)."""
    return {"mode": "analyze"} if mode is TradingMode.ANALYZE else {}


def _order(request: OrderRequest) -> Json:
    is_market = request.price_type is PriceType.MARKET
    return {
        "action": request.action,
        "exchange": request.exchange,
        "price": 0.0 if is_market else _price(request.price),
        "pricetype": request.price_type,
        "product": request.product,
        "quantity": str(request.quantity),
        "symbol": request.symbol,
        "trigger_price": _price(request.trigger_price),
    }


_rows: dict[BrokerOrderId, tuple[BrokerOrder, Json]] = {}
_MOST_ROWS = 20_000


def _remembered_row(order: BrokerOrder) -> Json:
    """A day has thousands of orders, and programs ask for them every second. An order is immutable, so the very same
    object has the same row; a broker that makes its objects anew has them spelled anew.
    """
    known = _rows.get(order.id)
    if known is not None and known[0] is order:
        return known[1]
    if len(_rows) >= _MOST_ROWS:
        _rows.clear()
    row = _book_row(order)
    _rows[order.id] = (order, row)
    return row


def _book_row(order: BrokerOrder) -> Json:
    return {
        **_order(order.request),
        "orderid": order.id,
        "order_status": order.status,
        "average_price": _price(order.average_price),
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
        "average_price": _price(row.average_price),
        "exchange": row.exchange,
        "pnl": _price(gain),
        "pnlpercent": _percentage(gain, cost),
        "product": "CNC",
        "quantity": row.quantity,
        "symbol": row.symbol,
    }


def _percentage(part: Decimal, whole: Decimal) -> float:
    return round(float(part / whole * 100), 2) if whole else 0.0


def _price(value: Decimal) -> float:
    return float(round(value, 4))


def _money(value: Decimal) -> str:
    return f"{value:.2f}"
