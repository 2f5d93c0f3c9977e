"""How the dialect spells what became of an order that waits for its price, and lists those that do (contract 2.7)."""

from __future__ import annotations

from openalgo_bridge.api.answers import Json, marker, price
from openalgo_bridge.api.answers import submitted as order_submitted
from openalgo_bridge.clock import ist_text
from openalgo_bridge.model.gtt import orders_of
from openalgo_bridge.model.order import OrderRequest, PriceType, TradingMode
from openalgo_bridge.model.ticket import Ticket, target_of
from openalgo_bridge.trading.gtt_books import WaitingGtt
from openalgo_bridge.trading.orders import Held, Submitted
from openalgo_bridge.trading.sending import InDoubt, Sent


def submitted(result: Submitted) -> Json:
    """What became of a request. An outcome in doubt is a success: an error would be sent again."""
    match result:
        case Held():
            return order_submitted(result)
        case Sent(ticket=ticket, broker_order_id=number):
            return {"status": "success", "trigger_id": number, **marker(ticket.trading_mode)}
        case InDoubt(ticket=ticket, message=message):
            return {
                "status": "success",
                "trigger_id": target_of(ticket.request) or ticket.ref,
                "reference": ticket.ref,
                "order_status": "unknown",
                "message": message,
                **marker(ticket.trading_mode),
            }


def withdrawn(ticket: Ticket) -> Json:
    """One that was held, and that its own program took back."""
    message = "Withdrawn before it was approved. Nothing was sent."
    return {"status": "success", "trigger_id": ticket.ref, "message": message, **marker(ticket.trading_mode)}


def row(waiting: WaitingGtt, mode: TradingMode) -> Json:
    """One that waits."""
    there = waiting.there
    asked = there.request
    of_paper = {"strategy": waiting.strategy, "margin_blocked": price(there.blocked)}
    return {
        "trigger_id": there.id,
        "trigger_type": "single" if len(asked.legs) == 1 else "two-leg",
        "status": there.state,
        "symbol": asked.symbol,
        "exchange": asked.exchange,
        "trigger_prices": [price(leg.trigger_price) for leg in asked.legs],
        "last_price": price(there.last_price),
        "legs": [_leg(each) for each in orders_of(asked)],
        "created_at": ist_text(there.created_at),
        "updated_at": "" if there.changed_at == there.created_at else ist_text(there.changed_at),
        "expires_at": "" if there.expires_at is None else ist_text(there.expires_at),
        **(of_paper if mode is TradingMode.ANALYZE else {}),
    }


def _leg(order: OrderRequest) -> Json:
    return {
        "action": order.action,
        "price": 0.0 if order.price_type is PriceType.MARKET else price(order.price),
        "pricetype": order.price_type,
        "product": order.product,
        "quantity": order.quantity,
    }
