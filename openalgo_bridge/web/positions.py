"""``/positions``: what is open, what was closed today, the profit of both, and the buttons that close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError, Busy, Conflict, Invalid
from openalgo_bridge.model import exits
from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.order import BrokerRequest, CloseRequest, Exchange, OrderRequest, Product, TradingMode
from openalgo_bridge.model.ticket import order_of, target_of
from openalgo_bridge.store.ticket_lists import TicketFilter
from openalgo_bridge.trading import closing
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.web import words
from openalgo_bridge.web.closing import BY_HAND, account_in_form, account_in_url, door_of
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.formats import count

blueprint = Blueprint("positions", __name__)

_LONGEST_SYMBOL = 100
_WORKING = "An exit of {} is already working at the broker."
_IN_DOUBT = "An exit of {} is in doubt: look at the broker first."
_WAITING = "An exit of {} waits for you in the Action Center."


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One position. ``exit`` is the order that closes it, None where it is flat; ``under_way`` what closes it already,
    as sentences.
    """

    position: Position
    exit: OrderRequest | None
    under_way: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Profit in rupees of several positions."""

    realised: Decimal
    unrealised: Decimal

    @classmethod
    def of(cls, positions: Iterable[Position]) -> Sum:
        """Of all of these."""
        realised = unrealised = Decimal(0)
        for position in positions:
            realised += position.realised
            unrealised += position.unrealised
        return cls(realised=realised, unrealised=unrealised)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What the broker of one account says now, or the sentence for which it does not."""

    positions: Sequence[Position] = ()
    working: Sequence[BrokerOrder] = ()
    fault: str = ""


@blueprint.get("/positions")
def positions() -> ResponseReturnValue:
    """Open positions first."""
    desk = current_desk()
    account = desk.store.preferences.trading_mode()
    book = _book(desk, account)
    shown = sorted(book.positions, key=lambda each: (each.quantity == 0, each.symbol, each.product))
    return render_template(
        "positions.html",
        account=account,
        lines=_lines(desk, account, shown, book.working),
        total=Sum.of(shown),
        products=_by_product(shown),
        open_count=sum(1 for each in shown if each.quantity),
        fault=book.fault,
        door=door_of(desk),
    )


@blueprint.get("/positions/close")
def confirm_close() -> ResponseReturnValue:
    """What closing everything would send now, and the button that does it."""
    desk, mode = current_desk(), account_in_url()
    fault, steps = "", []
    try:
        steps = [_step(desk, mode, message) for message in closing.messages(desk, CloseRequest(), mode)]
    except (Busy, BrokerError) as error:
        fault = error.message
    return render_template("close_all.html", account=mode, steps=steps, fault=fault, door=door_of(desk))


@blueprint.post("/positions/close")
def close() -> ResponseReturnValue:
    """Close one position, or all where none is named, at the account that the button named."""
    desk, mode, wanted = current_desk(), account_in_form(), _wanted()
    try:
        outcome = closing.close(desk, wanted, BY_HAND, mode)
    except (Busy, BrokerError, Conflict) as fault:
        flash(f"Nothing was closed, {words.account(mode)}: {fault.message}", "danger")
        return redirect(url_for("positions.positions"))
    if isinstance(outcome, Held):
        return redirect(url_for("ticket.ticket", ticket_id=outcome.ticket.id))
    return redirect(url_for("closing.report", ticket_id=outcome.ticket.id))


def _step(desk: Desk, mode: TradingMode, message: BrokerRequest) -> str:
    """One message in words; a number says nothing to a person where the order itself can be named."""
    target = target_of(message)
    there = None if target is None else desk.broker(mode).order(target)
    return words.sentence(message) if there is None else f"Cancel order {target}: {words.sentence(there.request)}"


def _wanted() -> CloseRequest:
    """The position that the form names by all three of its names, or every one. Raises Invalid: nothing was sent."""
    names = {name: request.form.get(name, "").strip() for name in ("exchange", "symbol", "product")}
    if request.form.get("which") == "all" and not any(names.values()):
        return CloseRequest()
    try:
        exchange, product = Exchange(names["exchange"]), Product(names["product"])
    except ValueError as error:
        raise Invalid("No position is named. Nothing was sent.") from error
    if not 0 < len(names["symbol"]) <= _LONGEST_SYMBOL:
        raise Invalid("No position is named. Nothing was sent.")
    return CloseRequest(symbol=names["symbol"], exchange=exchange, product=product)


def _book(desk: Desk, account: TradingMode) -> Book:
    try:
        broker = desk.broker(account)
        return Book(
            working=[each for each in broker.order_book() if each.status.is_working], positions=broker.positions()
        )
    except BrokerError as error:
        return Book(fault=error.message)


def _by_product(shown: Sequence[Position]) -> Mapping[Product, Sum]:
    """Empty where there is one product only: the total says it then."""
    products = [product for product in Product if any(each.product is product for each in shown)]
    if len(products) < 2:
        return {}
    return {product: Sum.of(each for each in shown if each.product is product) for product in products}


def _lines(desk: Desk, account: TradingMode, shown: Sequence[Position], working: Sequence[BrokerOrder]) -> list[Line]:
    under_way = _under_way(desk, account, working)
    return [_line(position, under_way) for position in shown]


def _line(position: Position, under_way: Mapping[str, Sequence[tuple[OrderRequest, int]]]) -> Line:
    if not position.quantity:
        return Line(position=position, exit=None, under_way=())
    wanted = closing.exit_of(position)
    told = []
    for sentence, candidates in under_way.items():
        units = sum(left for order, left in candidates if exits.is_on_same_side(order, wanted))
        told += [sentence.format(count(units))] if units else []
    return Line(position=position, exit=wanted, under_way=tuple(told))


def _under_way(
    desk: Desk, account: TradingMode, working: Sequence[BrokerOrder]
) -> Mapping[str, Sequence[tuple[OrderRequest, int]]]:
    """Orders with the units that they may still take, by what there is to say of them. One that is in doubt and found
    in the book is counted there.
    """
    at_broker = {order.tag for order in working}
    journal = desk.store.journal
    doubtful = [
        order_of(message.request)
        for message in (*journal.unresolved(), *journal.parked())
        if message.trading_mode is account and message.ref not in at_broker
    ]
    waiting = [each.order for each in desk.store.ticket_lists.held(TicketFilter()) if each.trading_mode is account]
    return {
        _WORKING: [(order.request, order.pending_quantity) for order in working],
        _IN_DOUBT: [(order, order.quantity) for order in doubtful if order is not None],
        _WAITING: [(order, order.quantity) for order in waiting if order is not None],
    }
