"""Whether an order makes sense at all, before it is held or sent."""

from __future__ import annotations

from datetime import date

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import BrokerRequest, ModifyRequest, OrderRequest, PriceType
from openalgo_bridge.model.ticket import order_of
from openalgo_bridge.store.instruments import Instruments

_WANTS_PRICE = {PriceType.LIMIT, PriceType.SL}
_WANTS_TRIGGER = {PriceType.SL, PriceType.SL_M}


def check(instruments: Instruments, request: BrokerRequest, today: date) -> None:
    """Raises Invalid naming every fault at once. A cancel names only an order and is always taken.

    ``today`` is the day in India.
    """
    order = order_of(request)
    if order is None:
        return
    instrument = instruments.find(order.exchange, order.symbol)
    if instrument is None or instrument.left_on is not None:
        _refuse_conflict(instruments, order)
    if instrument is None:
        raise Invalid.of({"symbol": [f"Symbol {order.symbol} not found on {order.exchange}."]})
    faults: dict[str, list[str]] = {}
    not_traded = instrument.why_not_traded(today)
    if not_traded:
        faults["symbol"] = [not_traded]
    if order.quantity % instrument.lot:
        faults["quantity"] = [f"Quantity must be in multiples of lot size {instrument.lot}."]
    if order.disclosed_quantity > order.quantity:
        faults["disclosed_quantity"] = ["Disclosed quantity must not be larger than quantity."]
    faults |= _price_faults(order, instrument)
    if isinstance(request, ModifyRequest):
        faults |= _left_over_faults(order)
    if faults:
        raise Invalid.of(faults)


def _refuse_conflict(instruments: Instruments, order: OrderRequest) -> None:
    claimed_by = instruments.name_conflict(order.exchange, order.symbol)
    if claimed_by:
        sentence = (
            f"{order.symbol} on {order.exchange} would name more than one instrument of the broker ({claimed_by})"
        )
        raise Invalid.of({"symbol": [f"{sentence}, so it is not traded at all."]})


def _price_faults(order: OrderRequest, instrument: Instrument) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {}
    for name, value, is_wanted in (
        ("price", order.price, order.price_type in _WANTS_PRICE),
        ("trigger_price", order.trigger_price, order.price_type in _WANTS_TRIGGER),
    ):
        if is_wanted and not value:
            faults[name] = [f"{order.price_type} orders require {name}."]
        elif is_wanted and value % instrument.tick:
            faults[name] = [f"{value} is not a multiple of the tick size {instrument.tick}."]
    return faults


def _left_over_faults(order: OrderRequest) -> dict[str, list[str]]:
    """A price that the wanted price type does not use shows a wrong price type (contract 2.1.5)."""
    faults: dict[str, list[str]] = {}
    if order.price and order.price_type not in _WANTS_PRICE:
        faults["price"] = [f"{order.price_type} orders do not accept a price."]
    if order.trigger_price and order.price_type not in _WANTS_TRIGGER:
        faults["trigger_price"] = [f"{order.price_type} orders do not accept a trigger_price."]
    return faults
