"""What the exchange accepts at all, whatever the account holds. Pure; the sentences are the exchange's."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from openalgo_bridge.model import figures
from openalgo_bridge.model.books import Quote
from openalgo_bridge.model.exits import Effect
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.order import Action, OrderRequest, PriceType, Product

_WITH_A_LIMIT = frozenset({PriceType.LIMIT, PriceType.SL})

# Beyond any order of this world; the value of one, in ten-thousandths of a rupee, still fits a 64-bit column.
_LARGEST_QUANTITY = 100_000_000
_LARGEST_PRICE = Decimal(5_000_000)

# How far from the close of the day before a price may be, as a part of that close. Options have no such band.
_BAND = {Kind.EQ: Decimal("0.2"), Kind.FUT: Decimal("0.1")}

# How far the limit of a stop may be from its trigger (the exchanges' refusal 16448): at a trigger up to 50 rupees so
# many rupees, above that a part of it. Of shares none is published.
_SMALL_TRIGGER = Decimal(50)
_FUTURES_GAP = (Decimal("1.5"), Decimal("0.03"))
_OPTIONS_GAP = (Decimal(10), Decimal("0.2"))


def is_beyond_any_book(order: OrderRequest, multiplier: int) -> bool:
    """True for numbers that no book could hold; such an order leaves no row."""
    return not (
        1 <= order.quantity * multiplier <= _LARGEST_QUANTITY
        and 0 <= order.disclosed_quantity <= _LARGEST_QUANTITY
        and 0 <= order.price <= _LARGEST_PRICE
        and 0 <= order.trigger_price <= _LARGEST_PRICE
    )


def refusal(order: OrderRequest, instrument: Instrument, held: int, now: datetime) -> str | None:
    """Why the exchange does not take this order wherever the market is, or None. ``held`` is its position, signed."""
    leaves = left_by(order, held)
    not_traded = instrument.why_not_traded(now, leaves=leaves)
    if not_traded:
        return not_traded
    if order.product is Product.NRML and not instrument.is_derivative:
        return f"NRML product not allowed for {order.exchange} equity segment. Use CNC or MIS."
    if order.product is Product.CNC and instrument.is_derivative:
        return f"CNC product not allowed for {order.exchange} derivatives segment. Use NRML or MIS."
    return _quantity_refusal(order, instrument, leaves) or _price_refusal(order, instrument)


def left_by(order: OrderRequest, held: int) -> int | None:
    """What is left of the position ``held`` where the order closes it or makes it smaller; None for any other."""
    after = held + order.action.sign * order.quantity
    return Effect(before=held, after=after, was_open=held != 0).leaves


def refusal_at(order: OrderRequest, instrument: Instrument, quote: Quote, *, is_triggered: bool) -> str | None:
    """Why the exchange does not take this order while the market is at ``quote``, or None.

    ``is_triggered``: a stop whose trigger was reached before is a limit order now, wherever the market is.
    """
    outside = ""
    if order.price_type in _WITH_A_LIMIT:
        outside = _band_refusal("Price", order.price, instrument, quote.prev_close)
    if not order.price_type.is_stop or is_triggered:
        return outside or None
    outside = outside or _band_refusal("Trigger price", order.trigger_price, instrument, quote.prev_close)
    return outside or _side_refusal(order, quote.ltp)


def _quantity_refusal(order: OrderRequest, instrument: Instrument, leaves: int | None) -> str | None:
    if not instrument.keeps_lots(order.quantity, leaves=leaves):
        return f"Quantity must be in multiples of lot size {figures.count(instrument.lot)}"
    if 0 < instrument.freeze_quantity < order.quantity:
        asked, most = figures.count(order.quantity), figures.count(instrument.freeze_quantity)
        return f"Quantity {asked} is above the freeze quantity {most} of one order."
    return None


def _price_refusal(order: OrderRequest, instrument: Instrument) -> str | None:
    if order.price_type in _WITH_A_LIMIT:
        if not order.price:
            return f"{order.price_type} orders require price"
        if order.price % instrument.tick:
            return off_tick("Price", order.price, instrument)
    if not order.price_type.is_stop:
        return None
    if not order.trigger_price:
        return f"{order.price_type} orders require trigger_price"
    if order.trigger_price % instrument.tick:
        return off_tick("Trigger price", order.trigger_price, instrument)
    return _limit_refusal(order, instrument) if order.price_type is PriceType.SL else None


def off_tick(name: str, price: Decimal, instrument: Instrument) -> str:
    """The sentence for a price, by its name, that is not a whole number of ticks."""
    return f"{name} {figures.rupees(price)} is not a multiple of the tick size {figures.rupees(instrument.tick)}."


def _limit_refusal(order: OrderRequest, instrument: Instrument) -> str | None:
    """Where the limit of an SL order may be, seen from its trigger."""
    gap = order.action.sign * (order.price - order.trigger_price)
    limit, trigger = figures.rupees(order.price), figures.rupees(order.trigger_price)
    if gap < 0:
        side = "below" if order.action is Action.BUY else "above"
        return f"The limit {limit} of a {order.action} stop must not be {side} its trigger {trigger}."
    widest = _widest_gap(order.trigger_price, instrument)
    if widest is not None and gap > widest:
        return (
            f"The limit {limit} is too far from the trigger {trigger}: "
            f"{instrument.symbol} allows {figures.rupees(widest)} rupees."
        )
    return None


def _widest_gap(trigger: Decimal, instrument: Instrument) -> Decimal | None:
    if not instrument.is_derivative:
        return None
    rupees, part = _OPTIONS_GAP if instrument.kind.is_option else _FUTURES_GAP
    return rupees if trigger <= _SMALL_TRIGGER else trigger * part


def _band_refusal(name: str, price: Decimal, instrument: Instrument, close: Decimal) -> str:
    part = _BAND.get(instrument.kind)
    if part is None or not close:
        return ""
    lowest, highest = close * (1 - part), close * (1 + part)
    if lowest <= price <= highest:
        return ""
    return (
        f"{name} {figures.rupees(price)} is outside the price band of {instrument.symbol} today, "
        f"{figures.rupees(round(lowest, 2))} to {figures.rupees(round(highest, 2))} rupees."
    )


def _side_refusal(order: OrderRequest, last: Decimal) -> str | None:
    """On which side of the market the trigger of a stop must be."""
    if order.action.sign * (order.trigger_price - last) >= 0:
        return None
    side = "below" if order.action is Action.BUY else "above"
    return (
        f"The trigger {figures.rupees(order.trigger_price)} of a {order.action} stop must not be {side} "
        f"the last price {figures.rupees(last)}: it would be reached at once."
    )
