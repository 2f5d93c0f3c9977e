"""What each event of a day does to the books, inside one transaction of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from openalgo_bridge.brokers.paper import delivery, execution, matching
from openalgo_bridge.brokers.paper.book import InstrumentList, Market, OpenBook, priced
from openalgo_bridge.brokers.paper.days import Event, EventKind
from openalgo_bridge.brokers.paper.decisions import Decision, Filling
from openalgo_bridge.brokers.paper.fills import Fill
from openalgo_bridge.brokers.paper.matching import Effect
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.exits import closing_action
from openalgo_bridge.model.instrument import INDEX_UNDERLYINGS
from openalgo_bridge.model.order import OrderRequest, PositionKey, Product, Ref
from openalgo_bridge.model.paper import LedgerKind, Named, PaperOrder, PaperPosition, to_units
from openalgo_bridge.model.symbol import parse
from openalgo_bridge.model.trading_hours import expires, last_close, trading_day

SQUARE_OFF: Final = "square-off"
"""The cause of an order by which the exchange closes an intraday position."""

SQUARED_OFF: Final = "Cancelled when intraday positions were closed."
LAPSED: Final = "Not filled on its trading day: the order lapsed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned:
    """What an event ends: orders that rest, and positions."""

    orders: tuple[PaperOrder, ...]
    positions: tuple[PaperPosition, ...]

    def __bool__(self) -> bool:
        return bool(self.orders or self.positions)

    def only(self, positions: Set[PositionKey]) -> Concerned:
        """The same, and of positions these."""
        kept = [each for each in self.positions if (each.exchange, each.symbol, each.product) in positions]
        return replace(self, positions=tuple(kept))

    def without(self, positions: Set[PositionKey]) -> Concerned:
        """The same but for these."""
        kept = [each for each in self.positions if (each.exchange, each.symbol, each.product) not in positions]
        return replace(self, positions=tuple(kept))


def concerned(event: Event, orders: Iterable[PaperOrder], positions: Iterable[PaperPosition]) -> Concerned:
    """Which of these working orders and positions ``event`` is about. What came after it is not its business."""
    of_order, of_position = _RULES[event.kind]
    earlier = (each for each in orders if each.placed_at < event.at and each.request.exchange in event.exchanges)
    open_ = [each for each in positions if each.quantity and each.exchange in event.exchanges]
    ended = [each for each in earlier if of_order(each.request, event.at)]
    if event.kind is EventKind.EXPIRY:
        ended = [each for each in ended if not _may_still_close(each, open_, event.at)]
    return Concerned(
        orders=tuple(ended),
        positions=tuple(each for each in open_ if of_position(each, event.at)),
    )


def _may_still_close(order: PaperOrder, positions: Iterable[PaperPosition], at: datetime) -> bool:
    """Exits of a contract that has expired are taken, and wait, until its exchange closes."""
    named = (order.request.exchange, order.request.symbol, order.request.product)
    held = sum(each.quantity for each in positions if (each.exchange, each.symbol, each.product) == named)
    return matching.only_closes(order, held) and not _is_over(order.request, at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """What happens at an event, with the prices of its moment. What has no price stays open, and alone does."""

    market: Market
    instruments: InstrumentList

    def carry_out(self, event: Event, ended: Concerned, book: OpenBook) -> list[str]:
        """Do it; a sentence for each position that could not be closed."""
        sentence = SQUARED_OFF if event.kind is EventKind.SQUARE_OFF else LAPSED
        for order in ended.orders:
            execution.amend(book, order, Decision(order=order.cancelled(sentence)), event.at)
        if event.kind is EventKind.SETTLEMENT:
            for position in ended.positions:
                _deliver(book, position, event.at)
            return []
        close = self._square_off if event.kind is EventKind.SQUARE_OFF else self._settle
        return [each for position in ended.positions if (each := close(book, position, event.at))]

    def _square_off(self, book: OpenBook, position: PaperPosition, at: datetime) -> str:
        """At the market, by an order of the exchange: all of it, whatever is bid or asked."""
        request = _closing(position)
        instrument = priced(self.instruments, position.exchange, position.symbol)
        if instrument is None:
            return _without_price(position, "closed")
        price = matching.market_price(request.action, self.market.quote(instrument, at))
        if not price:
            return _without_price(position, "closed")
        order = PaperOrder(
            tag=Ref(""),
            cause=SQUARE_OFF,
            request=request,
            status=OrderStatus.COMPLETE,
            filled_quantity=request.quantity,
            filled_value=request.quantity * price,
            placed_at=at,
            filled_at=at,
        )
        fill = Fill(price, request.quantity)
        filling = Filling(fills=(fill,), before=position, effect=_effect(position, fill, at))
        execution.send(book, Decision(order=order, filling=filling), at)
        return ""

    def _settle(self, book: OpenBook, position: PaperPosition, at: datetime) -> str:
        """What has expired is worth what it settled at. No order, no trade: the ledger says what it was."""
        instrument = priced(self.instruments, position.exchange, position.symbol)
        if instrument is None:
            return _without_price(position, "settled")
        effect = _effect(position, Fill(to_units(self.market.price(instrument, at)), abs(position.quantity)), at)
        book.save(position, effect.position, gain=effect.gain)
        book.post(LedgerKind.EXPIRY, at, position)
        return ""


def _effect(position: PaperPosition, fill: Fill, at: datetime) -> Effect:
    """What closes a position does to it."""
    return matching.effect(position, _closing(position), fill, trading_day(at))


def _deliver(book: OpenBook, position: PaperPosition, at: datetime) -> None:
    """The shares with what they cost, to the unit: it was set aside for the position and is invested from now on."""
    before, after = delivery.delivered(position, book.holding(position.symbol, position.exchange))
    book.save(position, replace(position, quantity=0, cost=0, blocked=0), gain=0)
    book.save_holding(before, after)
    book.post(LedgerKind.SETTLEMENT, at, position)


def _closing(position: PaperPosition) -> OrderRequest:
    return OrderRequest(
        symbol=position.symbol,
        exchange=position.exchange,
        action=closing_action(position.quantity),
        quantity=abs(position.quantity),
        product=position.product,
    )


def _without_price(position: PaperPosition, what: str) -> str:
    return f"{position.symbol} on {position.exchange} could not be {what}: it has no price. It stays open."


def _is_intraday(named: Named, at: datetime) -> bool:  # noqa: ARG001 - one signature for all
    return named.product is Product.MIS


def _is_delivery(named: Named, at: datetime) -> bool:  # noqa: ARG001
    return named.product is Product.CNC


def _has_expired(named: Named, at: datetime) -> bool:
    """Whether nobody can open a position in it any more; what is held may be closed for some minutes yet."""
    expiry = parse(named.symbol, named.exchange).expiry
    return expiry is not None and at >= expires(named.exchange, expiry)


def _is_over(named: Named, at: datetime) -> bool:
    """Whether its exchange has closed for it for good."""
    contract = parse(named.symbol, named.exchange)
    if contract.expiry is None:
        return False
    return at >= last_close(named.exchange, contract.expiry, is_on_index=contract.base in INDEX_UNDERLYINGS)


def _always(named: Named, at: datetime) -> bool:  # noqa: ARG001
    return True


def _never(named: Named, at: datetime) -> bool:  # noqa: ARG001
    return False


_Rule = Callable[[Named, datetime], bool]
# Which orders, and which positions.
_RULES: Final[dict[EventKind, tuple[_Rule, _Rule]]] = {
    EventKind.SQUARE_OFF: (_is_intraday, _is_intraday),
    EventKind.LAPSE: (_always, _never),
    EventKind.EXPIRY: (_has_expired, _is_over),
    EventKind.SETTLEMENT: (_never, _is_delivery),
}
