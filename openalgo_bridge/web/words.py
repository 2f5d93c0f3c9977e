"""What a request, a state or an account is called when a person reads it. Words before icons (design 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from openalgo_bridge.model.order import (
    Action,
    CancelAllRequest,
    CancelGttRequest,
    CancelRequest,
    CloseRequest,
    GttLeg,
    GttRequest,
    LegsKind,
    LegsRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
    SmartOrderRequest,
    TicketRequest,
    TradingMode,
    TriggerSide,
)
from openalgo_bridge.model.outcome import Outcome
from openalgo_bridge.model.program import program_name
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.web.formats import count, ist, money

_PRODUCTS = {Product.CNC: "delivery (CNC)", Product.NRML: "overnight (NRML)", Product.MIS: "intraday (MIS)"}
_DEEDS = {Action.BUY: "buy", Action.SELL: "sell"}
_SIDES = {TriggerSide.STOPLOSS: "falls", TriggerSide.TARGET: "rises"}
_MODES = {OrderMode.AUTO: "Auto", OrderMode.SEMI_AUTO: "Semi-Auto"}
_ACCOUNTS = {TradingMode.ANALYZE: "paper account", TradingMode.LIVE: "LIVE account, real money"}
_TRADING = {TradingMode.ANALYZE: "Analyzer (paper money)", TradingMode.LIVE: "Live (real money)"}

_STATES = {
    # of a ticket
    "accepted": "Accepted",
    "held": "Waiting for you",
    "revised": "Changed by you",
    "refused": "Refused by a guard, still waiting",
    "approved": "Approved",
    "released": "Released",
    "denied": "Denied by a guard",
    "expired": "Expired",
    # of an order
    "planned": "About to be sent",
    "sending": "Sending",
    "sent": "Sent",
    "rejected": "Refused",
    "unknown": "In doubt",
    "not_placed": "Never reached the broker",
    "parked": "In doubt: decide",
    "dropped": "Not sent",
    "break_open": "Reconciliation break",
    "break_acknowledged": "Break seen by you",
    "break_cleared": "Break cleared",
    # of the broker
    "open": "Open",
    "trigger pending": "Waiting for its trigger",
    "complete": "Filled",
    "cancelled": "Cancelled",
    "active": "Waiting for its price",
    "triggered": "Fired",
}

_TONES = {
    "held": "warning",
    "unknown": "warning",
    "parked": "warning",
    "sending": "warning",
    "complete": "success",
    "rejected": "danger",
    "denied": "danger",
    "refused": "danger",
    "not_placed": "danger",
    "break_open": "danger",
    "open": "info",
    "trigger pending": "info",
    "sent": "info",
    "active": "info",
    "triggered": "success",
}

_DOERS = {
    "api": "the program, through the API",
    "page": "you, on a page",
    "broker": "the broker",
    "clock": "the clock",
    "restart": "the restart",
    "look-up": "the bridge, which asked the broker",
    "reconciliation": "the bridge, which compared the broker's book with the journal",
    "closing": "the bridge",
}

_STOPS = {"cancelallorder": "the cancelling", "closeposition": "the closing"}

_OUTCOMES = {
    Outcome.WAITING: ("Waiting for you", "warning"),
    Outcome.DENIED: ("Denied by a guard", "danger"),
    Outcome.TURNED_DOWN: ("Turned down", "secondary"),
    Outcome.EXPIRED: ("Expired", "secondary"),
    Outcome.SENDING: ("Sending", "warning"),
    Outcome.DECIDE: ("In doubt: decide", "warning"),
    Outcome.IN_DOUBT: ("In doubt", "warning"),
    Outcome.REFUSED: ("Refused", "danger"),
    Outcome.NOT_PLACED: ("Never reached the broker", "danger"),
    Outcome.DROPPED: ("Not sent", "secondary"),
    Outcome.SENT: ("Sent", "info"),
    Outcome.WORKING: ("Working at the broker", "info"),
    Outcome.PARTLY_FILLED: ("Partly filled", "success"),
    Outcome.FILLED: ("Filled", "success"),
    Outcome.CANCELLED: ("Cancelled", "secondary"),
    Outcome.PARTLY_DONE: ("Partly done", "warning"),
    Outcome.DONE: ("Done", "success"),
    Outcome.NOTHING_TO_DO: ("Nothing to do", "secondary"),
}


def sentence(request: TicketRequest) -> str:
    """The whole request in one plain sentence, such as ``BUY 10 RELIANCE on NSE at market, intraday (MIS)``."""
    match request:
        case OrderRequest():
            return _order_sentence(request)
        case ModifyRequest(broker_order_id=target, order=order):
            return f"Change order {target} to: {_order_sentence(order)}"
        case CancelRequest(broker_order_id=target):
            return f"Cancel order {target}"
        case GttRequest() | ModifyGttRequest() | CancelGttRequest():
            return _about_gtt(request)
        case CancelAllRequest():
            return f"Cancel every open order{_of(request)}"
        case CloseRequest():
            return f"Close every open position{_of(request)}"
        case SmartOrderRequest():
            return _smart_sentence(request)
        case LegsRequest(kind=kind, orders=orders):
            number = f"{count(len(orders))} {'order' if len(orders) == 1 else 'orders'}"
            return f"{_LEGS[kind]} of {number}: {_legs_sentence(orders)}"


def deed(request: TicketRequest) -> str:
    """What a button does, such as ``buy 10 RELIANCE``."""
    match request:
        case OrderRequest(action=action, quantity=quantity, symbol=symbol):
            return f"{_DEEDS[action]} {count(quantity)} {symbol}"
        case ModifyRequest(broker_order_id=target):
            return f"change order {target}"
        case CancelRequest(broker_order_id=target):
            return f"cancel order {target}"
        case GttRequest(action=action, quantity=quantity, symbol=symbol):
            return f"place a GTT to {_DEEDS[action]} {count(quantity)} {symbol}"
        case ModifyGttRequest(trigger_id=target) | CancelGttRequest(trigger_id=target):
            return f"{'change' if isinstance(request, ModifyGttRequest) else 'cancel'} GTT {target}"
        case CancelAllRequest():
            return f"cancel every open order{_of(request)}"
        case CloseRequest():
            return f"close every open position{_of(request)}"
        case SmartOrderRequest(order=order, position_size=size):
            return f"take {order.symbol} to {size:+,}" if size else f"close {order.symbol}"
        case LegsRequest(orders=orders):
            return f"send {count(len(orders))} orders"


def account(mode: TradingMode) -> str:
    """Where the order goes."""
    return _ACCOUNTS[mode]


def product(code: Product) -> str:
    """How long a position may be held."""
    return _PRODUCTS[code]


def trading_mode(mode: TradingMode) -> str:
    """The name of the trading mode."""
    return _TRADING[mode]


def order_mode(mode: OrderMode | None) -> str:
    """The name of the order mode; None is one that cannot be read."""
    return "unreadable: every order is held" if mode is None else _MODES[mode]


def source(text: str) -> str:
    """Who asked."""
    return {"api": "a program, through the API", "page": "this page"}.get(text, text)


def doer(name: str) -> str:
    """Who caused a move; there is one person, whatever he calls himself."""
    if name.startswith("guard "):
        return f"the guard {name.removeprefix('guard ').replace('_', ' ')}"
    if name.startswith("webhook:"):
        return name.replace(":", " ")
    operation, _, ref = name.partition(" ")
    if operation in _STOPS:
        return f"{_STOPS[operation]} of {ref}"
    return _DOERS.get(name, f"you ({name})")


def asker(source_name: str) -> str:
    """Who asked, in as few words as fit into a list."""
    return {"api": "a program", "page": "you"}.get(source_name, source_name.replace(":", " "))


def state(word: str) -> str:
    """A state of a ticket, an order or the broker's book. Whether a person or a broker said no is not the same."""
    if isinstance(word, TicketState) and word is TicketState.REJECTED:
        return "Rejected by you"
    return _STATES.get(word, word)


def tone(word: str) -> str:
    """The colour of a state, which never says more than its word does."""
    return _TONES.get(word, "secondary")


def outcome(of: Outcome) -> str:
    """What became of a ticket, or of one message of it."""
    return _OUTCOMES[of][0]


def outcome_tone(of: Outcome) -> str:
    """The colour of an outcome, which never says more than its word does."""
    return _OUTCOMES[of][1]


def _of(request: CancelAllRequest | CloseRequest) -> str:
    if isinstance(request, CancelAllRequest) and request.ticket is not None:
        return f" of {request.ticket}"
    what = f" in {request.symbol}" if request.symbol else ""
    where = f" on {request.exchange}" if request.exchange else ""
    product = request.product if isinstance(request, CloseRequest) else None
    return f"{what}{where}{f', {_PRODUCTS[product]}' if product else ''}"


_LEGS = {
    LegsKind.BASKET: "A basket",
    LegsKind.SPLIT: "A split",
    LegsKind.OPTIONS: "An option order",
    LegsKind.MULTI_LEG: "An option strategy",
}


def _legs_sentence(orders: Sequence[OrderRequest]) -> str:
    """Slices of one order are told as that order: a hundred times the same words hide how much it is."""
    first, sizes = orders[0], [order.quantity for order in orders]
    if len(orders) == 1 or any(replace(order, quantity=first.quantity) != first for order in orders):
        return "; ".join(map(_order_sentence, orders))
    return f"{_order_sentence(replace(first, quantity=sum(sizes)))}, at most {count(max(sizes))} in one"


def _smart_sentence(request: SmartOrderRequest) -> str:
    order, size = request.order, request.position_size
    where = f"{order.symbol} on {order.exchange} {at_price(order)}, {_PRODUCTS[order.product]}"
    return f"Take the position to {size:+,}: {where}" if size else f"Close the position: {where}"


def _about_gtt(request: GttRequest | ModifyGttRequest | CancelGttRequest) -> str:
    match request:
        case GttRequest():
            return _gtt_sentence(request)
        case ModifyGttRequest(trigger_id=target, gtt=becomes):
            return f"Change GTT {target} to: {_gtt_sentence(becomes)}"
        case CancelGttRequest(trigger_id=target):
            return f"Cancel GTT {target}"


def _gtt_sentence(request: GttRequest) -> str:
    what = f"{request.action} {count(request.quantity)} {request.symbol} on {request.exchange}"
    when = ", or ".join(f"{at_price(request.order(leg))} when the price {trigger(leg)}" for leg in request.legs)
    return f"{what} {when}, {_PRODUCTS[request.product]}{_until(request)}"


def trigger(leg: GttLeg) -> str:
    """What the price of a GTT must do, such as ``falls to 900.00``."""
    return f"{_SIDES[leg.side]} to {money(leg.trigger_price)}"


def _until(request: GttRequest) -> str:
    return "" if request.expires_at is None else f", until {ist(request.expires_at)}"


def _order_sentence(order: OrderRequest) -> str:
    product = _PRODUCTS[order.product]
    disclosed = f", showing {count(order.disclosed_quantity)}" if order.disclosed_quantity else ""
    what = f"{order.action} {count(order.quantity)} {order.symbol} on {order.exchange}"
    return f"{what} {at_price(order)}, {product}{disclosed}"


def at_price(order: OrderRequest) -> str:
    """At what an order trades, and from when on, such as ``at limit 890.00``."""
    match order.price_type:
        case PriceType.MARKET:
            return "at market"
        case PriceType.LIMIT:
            return f"at limit {money(order.price)}"
        case PriceType.SL:
            return f"stop-loss, trigger {money(order.trigger_price)}, limit {money(order.price)}"
        case PriceType.SL_M:
            return f"stop-loss, trigger {money(order.trigger_price)}, then at market"


FILTERS = {
    "sentence": sentence,
    "deed": deed,
    "account": account,
    "trading_mode": trading_mode,
    "order_mode": order_mode,
    "source": source,
    "asker": asker,
    "program": program_name,
    "state": state,
    "tone": tone,
    "doer": doer,
    "product": product,
    "outcome": outcome,
    "outcome_tone": outcome_tone,
    "at_price": at_price,
    "trigger": trigger,
}
"""The Jinja filters, by name."""
