"""What the exchange accepts at all, whatever the account holds. Pure; the sentences are the exchange's."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from openalgo_bridge.model.exits import Effect
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import OrderRequest, PriceType, Product

_PRICE_TYPES = {PriceType.MARKET, PriceType.LIMIT}

# Beyond any order of this world; the value of one, in ten-thousandths of a rupee, still fits a 64-bit column.
_LARGEST_QUANTITY = 100_000_000
_LARGEST_PRICE = Decimal(5_000_000)


def is_beyond_any_book(order: OrderRequest) -> bool:
    """True for numbers that no book could hold; such an order leaves no row."""
    return not (
        1 <= order.quantity <= _LARGEST_QUANTITY
        and 0 <= order.disclosed_quantity <= _LARGEST_QUANTITY
        and 0 <= order.price <= _LARGEST_PRICE
        and 0 <= order.trigger_price <= _LARGEST_PRICE
    )


def refusal(order: OrderRequest, instrument: Instrument, held: int, now: datetime) -> str | None:
    """Why the exchange does not take this order, or None when it does. ``held`` is its position, signed."""
    after = held + order.action.sign * order.quantity
    leaves = Effect(before=held, after=after, was_open=held != 0).leaves
    not_traded = instrument.why_not_traded(now, leaves=leaves)
    if not_traded:
        return not_traded
    if order.product is Product.NRML and not instrument.is_derivative:
        return f"NRML product not allowed for {order.exchange} equity segment. Use CNC or MIS."
    if order.product is Product.CNC and instrument.is_derivative:
        return f"CNC product not allowed for {order.exchange} derivatives segment. Use NRML or MIS."
    if order.price_type not in _PRICE_TYPES:
        return f"{order.price_type} orders come with a later version of the paper exchange. Use MARKET or LIMIT."
    return _quantity_refusal(order, instrument, leaves) or _price_refusal(order, instrument)


def _quantity_refusal(order: OrderRequest, instrument: Instrument, leaves: int | None) -> str | None:
    if not instrument.keeps_lots(order.quantity, leaves=leaves):
        return f"Quantity must be in multiples of lot size {instrument.lot}"
    if 0 < instrument.freeze_quantity < order.quantity:
        return f"Quantity {order.quantity} is above the freeze quantity {instrument.freeze_quantity} of one order."
    return None


def _price_refusal(order: OrderRequest, instrument: Instrument) -> str | None:
    if order.price_type is PriceType.MARKET:
        return None
    if not order.price:
        return "LIMIT orders require price"
    if order.price % instrument.tick:
        return f"Price {order.price} is not a multiple of the tick size {instrument.tick}."
    return None
