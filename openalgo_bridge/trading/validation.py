"""Whether an order makes sense at all, before it is held or sent."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Invalid
from openalgo_bridge.model import gtt
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import (
    BrokerRequest,
    GttRequest,
    ModifyRequest,
    OrderRequest,
    PriceType,
    Product,
    TradingMode,
    TriggerSide,
)
from openalgo_bridge.model.ticket import order_of
from openalgo_bridge.store.instruments import Instruments
from openalgo_bridge.trading import exits

_WANTS_PRICE = {PriceType.LIMIT, PriceType.SL}
_WANTS_TRIGGER = {PriceType.SL, PriceType.SL_M}
_GTT_FIELDS = {
    TriggerSide.STOPLOSS: ("triggerprice_sl", "stoploss"),
    TriggerSide.TARGET: ("triggerprice_tg", "target"),
}
"""Those of a trigger, and of its limit where there are two."""


def check(desk: Desk, request: BrokerRequest, mode: TradingMode | None = None) -> None:
    """Raises Invalid naming every fault at once. A cancel names only an order and is always taken.

    A list that revised a lot or dropped an instrument does not stop what closes a position: where that is all that
    stands in the way, the position in ``mode`` is read, that of the current trading mode unless it is given.
    """
    order = order_of(request)
    if order is None or not isinstance(request, OrderRequest | ModifyRequest):
        return
    now, instrument = desk.clock.now(), _listed(desk.store.instruments, order)
    faults = _order_faults(request, order, instrument)
    listing_faults = _listing_faults(order, instrument, now, leaves=None)
    if listing_faults and not _listing_faults(order, instrument, now, leaves=0):
        listing_faults = _listing_faults(order, instrument, now, leaves=_leaves(desk, request, mode))
    if listing_faults or faults:
        raise Invalid.of(listing_faults | faults)


def check_wish(desk: Desk, order: OrderRequest, position_size: int) -> None:
    """What can be told of an order that reaches for a position, before it is known what it has to be. Raises Invalid
    for what not even an exit may be; the order that comes of it is checked by :func:`check`.
    """
    instrument = _listed(desk.store.instruments, order)
    faults = _listing_faults(order, instrument, desk.clock.now(), leaves=0) | _order_faults(order, order, instrument)
    # On the way there delivered shares would be sold, at each further request more of them.
    if order.product is Product.CNC and position_size < 0:
        faults["position_size"] = ["A CNC position cannot be short. Sell delivered shares by an order of their own."]
    if faults:
        raise Invalid.of(faults)


def check_gtt(desk: Desk, wanted: GttRequest, mode: TradingMode) -> None:
    """As :func:`check`, of an order that waits for its price. Raises Invalid naming every fault at once."""
    now, orders = desk.clock.now(), gtt.orders_of(wanted)
    instrument = _listed(desk.store.instruments, orders[0])
    faults = _gtt_faults(wanted, instrument, now)
    listing_faults = _listing_faults(orders[0], instrument, now, leaves=None)
    if listing_faults and not _listing_faults(orders[0], instrument, now, leaves=0):
        listing_faults = _listing_faults(orders[0], instrument, now, leaves=_leaves(desk, orders[0], mode))
    if listing_faults or faults:
        raise Invalid.of(listing_faults | faults)


def _gtt_faults(wanted: GttRequest, instrument: Instrument, now: datetime) -> dict[str, list[str]]:
    """By the names that a request gives its fields (contract 2.7.1)."""
    faults: dict[str, list[str]] = {}
    for leg in wanted.legs:
        trigger, limit = _GTT_FIELDS[leg.side]
        if leg.trigger_price % instrument.tick:
            faults[trigger] = [_off_tick(leg.trigger_price, instrument)]
        name = limit if len(wanted.legs) > 1 else "price"
        if wanted.price_type is PriceType.LIMIT and not leg.price:
            faults[name] = ["LIMIT orders require price."]
        elif wanted.price_type is PriceType.LIMIT and leg.price % instrument.tick:
            faults[name] = [_off_tick(leg.price, instrument)]
    if wanted.expires_at is not None and not now < wanted.expires_at <= now + gtt.LONGEST_LIFE:
        faults["expires_at"] = [f"Must be later than now and at most {gtt.LONGEST_LIFE.days} days away."]
    return faults


def _off_tick(price: Decimal, instrument: Instrument) -> str:
    return f"{price} is not a multiple of the tick size {instrument.tick}."


def _listed(instruments: Instruments, order: OrderRequest) -> Instrument:
    instrument = instruments.find(order.exchange, order.symbol)
    if instrument is None or instrument.left_on is not None:
        _refuse_conflict(instruments, order)
    if instrument is None:
        raise Invalid.of({"symbol": [f"Symbol {order.symbol} not found on {order.exchange}."]})
    return instrument


def _leaves(desk: Desk, request: OrderRequest | ModifyRequest, mode: TradingMode | None) -> int | None:
    """What an exit leaves of its position; None for what is none, or where nobody can tell."""
    try:
        broker = desk.broker(mode or desk.store.preferences.trading_mode())
        with desk.budget.slot(is_exit=True):
            return exits.effect(broker, request).leaves
    except BridgeError:
        return None


def _listing_faults(
    order: OrderRequest, instrument: Instrument, now: datetime, *, leaves: int | None
) -> dict[str, list[str]]:
    """What the list has against it; ``leaves`` is what is left of the position that an exit makes smaller."""
    faults: dict[str, list[str]] = {}
    not_traded = instrument.why_not_traded(now, leaves=leaves)
    if not_traded:
        faults["symbol"] = [not_traded]
    if not instrument.keeps_lots(order.quantity, leaves=leaves):
        faults["quantity"] = [f"Quantity must be in multiples of lot size {instrument.lot}."]
    return faults


def _order_faults(request: BrokerRequest, order: OrderRequest, instrument: Instrument) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {}
    if order.disclosed_quantity > order.quantity:
        faults["disclosed_quantity"] = ["Disclosed quantity must not be larger than quantity."]
    faults |= _price_faults(order, instrument)
    return faults | _left_over_faults(order) if isinstance(request, ModifyRequest) else faults


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
            faults[name] = [_off_tick(value, instrument)]
    return faults


def _left_over_faults(order: OrderRequest) -> dict[str, list[str]]:
    """A price that the wanted price type does not use shows a wrong price type (contract 2.1.5)."""
    faults: dict[str, list[str]] = {}
    if order.price and order.price_type not in _WANTS_PRICE:
        faults["price"] = [f"{order.price_type} orders do not accept a price."]
    if order.trigger_price and order.price_type not in _WANTS_TRIGGER:
        faults["trigger_price"] = [f"{order.price_type} orders do not accept a trigger_price."]
    return faults
