"""How the dialect spells an answer. Nothing else knows, but the modules beside this one that end in ``_answers``.

Types satisfy the strictest published clients (callers 3.5): quantities and all of funds and the position book
are strings, prices are numbers. Prices a person computes with stay numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from openalgo_bridge.clock import ist_text
from openalgo_bridge.errors import BridgeError, Denied, Invalid, RateLimited, UnknownSymbols
from openalgo_bridge.model.order import (
    CancelAllRequest,
    CloseRequest,
    OrderRequest,
    PositionKey,
    PriceType,
    TradingMode,
)
from openalgo_bridge.model.redaction import scrub
from openalgo_bridge.model.ticket import Ticket, target_of
from openalgo_bridge.trading.books import OrderFate
from openalgo_bridge.trading.closing import Leg, Report
from openalgo_bridge.trading.orders import Held, Submitted
from openalgo_bridge.trading.sending import InDoubt, Sent

Json = Mapping[str, object]

QUEUED = "Order queued for approval in Action Center"

_MOST_REASONS = 5


@dataclass(frozen=True, slots=True)
class Spelled:
    """The ``data`` of an answer, where that is compact JSON already: to spell thousands of rows takes longer than all
    else, and most are what they were a second ago.
    """

    text: str


def encoded(content: Json | Sequence[Json]) -> str:
    """Compact JSON: the AmiBroker plugin looks for the literal text ``"status":"success"`` (contract 1.4)."""
    if isinstance(content, Mapping) and isinstance(data := content.get("data"), Spelled):
        around = _COMPACT.encode({name: value for name, value in content.items() if name != "data"})
        return f'{around.removesuffix("}")},"data":{data.text}}}'
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
    """``cancelallorder`` (contract 2.1.7), a success only when every withdrawal is one.

    What failed is a list of ids, because strict clients read it so; the reasons stand in ``failures``.
    """
    cancels = report.cancels()
    done = [request.broker_order_id for request, leg in cancels if leg.is_done]
    failed = {request.broker_order_id: leg.why_not for request, leg in cancels if not leg.is_done}
    told = f"Canceled {len(done)} orders."
    if failed:
        told += f" Failed to cancel {len(failed)} orders: {', '.join(failed)}. {reasons(failed.values())}"
    return {
        "status": _status(report),
        "message": told if cancels else "No open orders to cancel",
        "canceled_orders": done,
        "failed_cancellations": list(failed),
        "failures": [{"orderid": order_id, "message": scrub(why)} for order_id, why in failed.items()],
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
        named = ", ".join(" ".join(name) for name in failed)
        told += f". Failed to close {len(failed)} positions: {named}. {reasons(failed.values())}"
    return {
        "status": _status(report),
        "message": told if closures else "No open positions to close",
        "closed_positions": done,
        "failed_closures": len(failed),
        "failures": [_failure(name, why) for name, why in failed.items()],
        "reference": report.ticket.ref,
        **marker(report.ticket.trading_mode),
    }


def reasons(sentences: Iterable[str]) -> str:
    """Each once, and not very many. They stand in ``message`` too: of an error the Python client shows nothing else."""
    each = [f"{scrub(text).rstrip('.')}." for text in dict.fromkeys(sentences)]
    more = f" There are {len(each) - _MOST_REASONS} other reasons." if len(each) > _MOST_REASONS else ""
    return " ".join(each[:_MOST_REASONS]) + more


def _status(report: Report) -> str:
    """Programs look for the word success; anything less is none."""
    if report.is_done:
        return "success"
    return "partial" if any(leg.is_done for leg in report.legs) else "error"


def _fails(legs: Iterable[Leg]) -> bool:
    return not all(leg.is_done for leg in legs)


def _failure(name: PositionKey, why: str) -> Json:
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
        **(order_fields(fate.request) if isinstance(fate.request, OrderRequest) else _all_of(fate.request)),
        "orderid": fate.id,
        "order_status": fate.status,
        "average_price": price(fate.average_price),
        "filled_quantity": str(fate.filled_quantity),
        "rejection_reason": fate.reason,
        "timestamp": ist_text(fate.at),
    }


def open_quantity(quantity: int, mode: TradingMode) -> Json:
    """``openposition``: the signed net at the top level (contract 2.2.2)."""
    return {"status": "success", "quantity": str(quantity), **marker(mode)}


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


def order_fields(request: OrderRequest) -> Json:
    """What an order was asked to be, as part of a row."""
    is_market = request.price_type is PriceType.MARKET
    return {
        "action": request.action,
        "exchange": request.exchange,
        "price": 0.0 if is_market else price(request.price),
        "pricetype": request.price_type,
        "product": request.product,
        "quantity": str(request.quantity),
        "symbol": request.symbol,
        "trigger_price": price(request.trigger_price),
    }


def _all_of(request: CancelAllRequest | CloseRequest) -> Json:
    """In the place of an order, where one is asked for and many are meant: what they were named by."""
    product = request.product if isinstance(request, CloseRequest) else None
    return {
        "action": "",
        "exchange": request.exchange or "",
        "price": 0.0,
        "pricetype": "",
        "product": product or "",
        "quantity": "0",
        "symbol": request.symbol,
        "trigger_price": 0.0,
    }


def price(value: Decimal) -> float:
    """Rupees as a number, for whoever computes with them."""
    return float(round(value, 4))
