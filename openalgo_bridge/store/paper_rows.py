"""Rows of the paper exchange's tables as values, and back. Writes nothing."""

from __future__ import annotations

from datetime import date, datetime

from openalgo_bridge.clock import from_ms, to_ms
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, PriceType, Product, Ref
from openalgo_bridge.model.paper import PaperHolding, PaperOrder, PaperPosition, PaperTrade, to_rupees, to_units
from openalgo_bridge.store.database import Row

Column = str | int | None


def order(row: Row) -> PaperOrder:
    """A row of ``paper_order``."""
    return PaperOrder(
        number=row["id"],
        tag=Ref(row["tag"]),
        cause=row["cause"],
        request=OrderRequest(
            symbol=row["symbol"],
            exchange=Exchange(row["exchange"]),
            action=Action(row["action"]),
            quantity=row["quantity"],
            price_type=PriceType(row["price_type"]),
            product=Product(row["product"]),
            price=to_rupees(row["price"]),
            trigger_price=to_rupees(row["trigger_price"]),
            disclosed_quantity=row["disclosed_quantity"],
        ),
        status=OrderStatus(row["status"]),
        filled_quantity=row["filled_quantity"],
        filled_value=row["filled_value"],
        bound=row["bound"],
        blocked=row["blocked"],
        rejection_reason=row["rejection_reason"],
        placed_at=from_ms(row["placed_at"]),
        triggered_at=_moment(row["triggered_at"]),
        filled_at=_moment(row["filled_at"]),
        revision=row["revision"],
    )


def identity_columns(given: PaperOrder) -> tuple[Column, ...]:
    """What no change of an order changes: tag, cause, symbol, exchange, action, product, placed_at."""
    asked = given.request
    return (
        given.tag,
        given.cause,
        asked.symbol,
        asked.exchange,
        asked.action,
        asked.product,
        to_ms(given.placed_at),
    )


def changing_columns(given: PaperOrder) -> tuple[Column, ...]:
    """What a change may change: quantity, price_type, price, trigger_price, disclosed_quantity, status,
    filled_quantity, filled_value, bound, blocked, rejection_reason, triggered_at, filled_at.
    """
    asked = given.request
    return (
        asked.quantity,
        asked.price_type,
        to_units(asked.price),
        to_units(asked.trigger_price),
        asked.disclosed_quantity,
        given.status,
        given.filled_quantity,
        given.filled_value,
        given.bound,
        given.blocked,
        given.rejection_reason,
        None if given.triggered_at is None else to_ms(given.triggered_at),
        None if given.filled_at is None else to_ms(given.filled_at),
    )


def trade(row: Row) -> PaperTrade:
    """A row of ``paper_order`` with one of its trades."""
    return PaperTrade(
        number=row["trade_id"],
        order=order(row),
        quantity=row["traded_quantity"],
        price=row["traded_price"],
        traded_at=from_ms(row["traded_at"]),
        multiplier=row["multiplier"],
    )


def position(row: Row) -> PaperPosition:
    """A row of ``paper_position``."""
    return PaperPosition(
        symbol=row["symbol"],
        exchange=Exchange(row["exchange"]),
        product=Product(row["product"]),
        quantity=row["quantity"],
        cost=row["cost"],
        blocked=row["blocked"],
        realised=row["realised"],
        realised_on=date.fromisoformat(row["realised_on"]),
        multiplier=row["multiplier"],
    )


def holding(row: Row) -> PaperHolding:
    """A row of ``paper_holding``."""
    return PaperHolding(
        symbol=row["symbol"], exchange=Exchange(row["exchange"]), quantity=row["quantity"], cost=row["cost"]
    )


def _moment(at: int | None) -> datetime | None:
    return None if at is None else from_ms(at)
