"""What becomes of an order, given the open book and the market. Reads the book, never writes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from openalgo_bridge.brokers.paper import delivery, matching, offers, rules
from openalgo_bridge.brokers.paper.book import OpenBook
from openalgo_bridge.brokers.paper.fills import Fill
from openalgo_bridge.brokers.paper.matching import Effect
from openalgo_bridge.brokers.paper.offers import MarketMoment
from openalgo_bridge.model import figures
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import OrderRequest, Ref
from openalgo_bridge.model.paper import PaperHolding, PaperMoney, PaperOrder, PaperPosition, PaperStanding, to_rupees
from openalgo_bridge.model.trading_hours import trading_day

EXPIRED: Final = "Cancelled when its contract expired: only what closes a position waits longer."

_PAISA = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What fills, and what that does to the position that stood as ``before``. ``holdings``: to delivered shares, of
    before and after, where these are sold.
    """

    fills: tuple[Fill, ...]
    before: PaperPosition
    effect: Effect
    holdings: tuple[PaperHolding, PaperHolding] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An order as it shall stand; ``filling`` is None where nothing of it fills now."""

    order: PaperOrder
    filling: Filling | None = None

    @property
    def refusal(self) -> str:
        """Why the exchange said no; empty where it did not."""
        return self.order.rejection_reason if self.order.status is OrderStatus.REJECTED else ""


def enter(
    book: OpenBook,
    standing: PaperStanding,
    order: PaperOrder,
    instrument: Instrument,
    moment: MarketMoment | None,
    now: datetime,
) -> Decision:
    """A new or changed order: filled at once, resting, or refused. ``standing`` is what the book tells of it now;
    ``moment`` is None where there is no price.
    """
    position = opened_anew(standing.position, order.request, instrument, now)
    held_before = position.quantity - order.request.action.sign * order.filled_quantity
    if delivery.is_sale(order.request):
        held_before += _delivered(book, order.request).quantity
    refusal = why_refused(order, instrument, moment, held_before, now)
    if refusal:
        return _refused(order, refusal)
    if moment is None:
        return _refused(order, f"There is no price for {order.request.symbol} on {order.request.exchange}.")
    is_triggered = order.triggered_at is not None
    out_of_place = rules.refusal_at(order.request, instrument, moment.quote, is_triggered=is_triggered)
    if out_of_place:
        return _refused(order, out_of_place)
    ready = offers.armed(order, moment)
    return _carried(book, ready, offers.at_once(ready, moment), position, standing.money, moment)


def why_refused(
    order: PaperOrder, instrument: Instrument, moment: MarketMoment | None, held: int, now: datetime
) -> str | None:
    """What the rules of the exchange refuse, whatever the account has and wherever its prices are. ``held`` is the
    position, signed.
    """
    refusal = rules.refusal(order.request, instrument, held, now)
    if refusal or moment is None:
        return refusal
    if moment.why_closed:
        return moment.why_closed
    if moment.why_not_opened and rules.left_by(order.request, held) is None:
        return moment.why_not_opened
    return None


def changed(order: PaperOrder, wanted: OrderRequest) -> PaperOrder:
    """``order`` as somebody wants it from now on. A stop whose trigger was reached stays one that was."""
    was_stop = order.request.price_type.is_stop and wanted.price_type.is_stop
    return replace(order, request=wanted, triggered_at=order.triggered_at if was_stop else None)


def why_not_changed(order: PaperOrder, wanted: OrderRequest) -> str:
    """What of an order cannot be changed, or not any more; empty where it can."""
    if not order.status.is_working:
        return f"Cannot modify order in {order.status} status"
    if _identity(order.request) != _identity(wanted):
        return f"The order is {' '.join(_identity(order.request))}. That part of it cannot be changed."
    if wanted.quantity <= order.filled_quantity:
        return f"{figures.count(order.filled_quantity)} are filled already. A changed quantity must be above that."
    is_triggered = changed(order, wanted).triggered_at is not None
    if is_triggered and wanted.trigger_price != order.request.trigger_price:
        return "The trigger was reached already and cannot be changed any more."
    return ""


def match(book: OpenBook, order: PaperOrder, moment: MarketMoment) -> Decision | None:
    """A working order: triggered, filled as far as the market goes, cancelled because the account cannot carry it; None
    where nothing becomes of it now.
    """
    ready = offers.armed(order, moment) if order.status is OrderStatus.TRIGGER_PENDING else order
    fills = offers.while_it_rests(order, moment) if ready is order else offers.at_once(ready, moment)
    if ready.status is OrderStatus.TRIGGER_PENDING or (ready is order and not fills):
        return None
    standing = book.standing(order.request)
    position = opened_anew(standing.position, order.request, moment.instrument, moment.now)
    if moment.instrument.has_expired(moment.now) and not matching.only_closes(order, position.quantity):
        return Decision(order=ready.cancelled(EXPIRED))
    decision = _carried(book, ready, fills, position, standing.money, moment)
    return Decision(order=ready.cancelled(decision.refusal)) if decision.refusal else decision


def is_due(order: PaperOrder, moment: MarketMoment) -> bool:
    """Whether :meth:`match` would do something, as far as that can be told without the book."""
    if order.status is OrderStatus.TRIGGER_PENDING:
        return matching.is_triggered(order.request, moment.quote)
    return bool(offers.while_it_rests(order, moment))


def margin(request: OrderRequest, position: PaperPosition, ahead: int, moment: MarketMoment) -> int:
    """What a new order would block, filled at once or resting behind ``ahead`` units on its side."""
    if delivery.is_sale(request):
        return 0
    order = offers.armed(PaperOrder(tag=Ref(""), request=request, placed_at=moment.now), moment)
    fills = offers.at_once(order, moment)
    effect = matching.effects(position, request, fills, trading_day(moment.now))
    return effect.margin + _set_aside(_filled(order, fills, moment.now), effect.position, ahead, moment.instrument)


def opened_anew(
    found: PaperPosition | None, request: OrderRequest, instrument: Instrument, now: datetime
) -> PaperPosition:
    """The position that an order changes. One that is flat takes the multiplier of the list; an open one keeps its."""
    if found is None:
        return PaperPosition(
            symbol=request.symbol,
            exchange=request.exchange,
            product=request.product,
            realised_on=trading_day(now),
            multiplier=instrument.multiplier,
        )
    if found.quantity or found.multiplier == instrument.multiplier:
        return found
    return replace(found, multiplier=instrument.multiplier)


def _carried(
    book: OpenBook,
    order: PaperOrder,
    fills: list[Fill],
    position: PaperPosition,
    money: PaperMoney,
    moment: MarketMoment,
) -> Decision:
    """``order`` with what fills of it, and with the money for the rest set aside; or refused.

    What rests on the same side already has the first claim on the position: two orders to close it would
    otherwise both be free, and the second would open a new one.
    """
    if delivery.is_sale(order.request):
        return _sold(book, order, fills, position, moment.now)
    effect = matching.effects(position, order.request, fills, trading_day(moment.now))
    after = _filled(order, fills, moment.now)
    ahead = book.resting_quantity(order.request, besides=order.number) if after.status.is_working else 0
    blocked = _set_aside(after, effect.position, ahead, moment.instrument)
    needed = effect.margin + blocked
    available = money.available + order.blocked + effect.released + effect.gain
    # What only closes needs no money: a loss must never lock somebody in.
    if needed and needed > available:
        return _refused(order, insufficient(needed, available))
    filling = Filling(fills=tuple(fills), before=position, effect=effect) if fills else None
    return Decision(order=after if after.blocked == blocked else replace(after, blocked=blocked), filling=filling)


def _filled(order: PaperOrder, fills: list[Fill], now: datetime) -> PaperOrder:
    """An order after some of it filled; nothing is set aside for it yet."""
    if not fills:
        return order
    quantity = order.filled_quantity + sum(fill.quantity for fill in fills)
    return replace(
        order,
        status=OrderStatus.COMPLETE if quantity == order.request.quantity else OrderStatus.OPEN,
        filled_quantity=quantity,
        filled_value=order.filled_value + sum(fill.quantity * fill.price for fill in fills),
        filled_at=now,
    )


def _set_aside(order: PaperOrder, position: PaperPosition, ahead: int, instrument: Instrument) -> int:
    """What the part of an order that rests blocks."""
    if not order.remaining:
        return 0
    rest = Fill(offers.counted_price(order, instrument), order.remaining)
    return matching.resting_margin(position, order.request, rest, ahead)


def _sold(book: OpenBook, order: PaperOrder, fills: list[Fill], position: PaperPosition, now: datetime) -> Decision:
    """A sale of delivered shares and of those bought today: it needs no money, but that they are there.

    Shares promised to another working order are not sold twice.
    """
    request, holding = order.request, _delivered(book, order.request)
    promised = book.resting_quantity(request, besides=order.number)
    free = max(0, position.quantity + holding.quantity - promised)
    if order.remaining > free:
        return _refused(
            order,
            f"Insufficient shares for a CNC SELL of {figures.count(order.remaining)} {request.symbol}:"
            f" {figures.count(free)} are free to sell.",
        )
    if not fills:
        return Decision(order=order)
    sale = delivery.sale(position, holding, request, fills, trading_day(now))
    holdings = None if sale.holding == holding else (holding, sale.holding)
    filling = Filling(fills=tuple(fills), before=position, effect=sale.effect, holdings=holdings)
    return Decision(order=_filled(order, fills, now), filling=filling)


def _delivered(book: OpenBook, request: OrderRequest) -> PaperHolding:
    return book.holding(request.symbol, request.exchange) or PaperHolding(
        symbol=request.symbol, exchange=request.exchange
    )


def _identity(request: OrderRequest) -> tuple[str, ...]:
    return request.action, request.symbol, request.exchange, request.product


def _refused(order: PaperOrder, sentence: str) -> Decision:
    return Decision(order=replace(order, status=OrderStatus.REJECTED, blocked=0, rejection_reason=sentence))


def insufficient(needed: int, available: int) -> str:
    """The sentence for want of money, both in units: to the paisa, and rounded apart, so that it tells of a want."""
    short = figures.rupees(to_rupees(needed).quantize(_PAISA, ROUND_CEILING))
    there = figures.rupees(to_rupees(available).quantize(_PAISA, ROUND_FLOOR))
    return f"Insufficient funds. Needed: {short} rupees, available: {there} rupees."
