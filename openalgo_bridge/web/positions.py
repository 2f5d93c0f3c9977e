"""``/positions``: what is open, what was closed today, the profit of both, and the buttons that close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.clock import day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError, Busy, Conflict, Invalid
from openalgo_bridge.model import exits
from openalgo_bridge.model.books import BrokerOrder, Position
from openalgo_bridge.model.gtt import orders_of
from openalgo_bridge.model.order import CloseRequest, OrderRequest, PositionKey, Product, TradingMode
from openalgo_bridge.model.ticket import order_of
from openalgo_bridge.store.ticket_lists import TicketFilter
from openalgo_bridge.trading import closing
from openalgo_bridge.trading.books import connected
from openalgo_bridge.trading.gtt_books import LeftWaiting, left_waiting
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web import words
from openalgo_bridge.web.closing import (
    BY_HAND,
    NOT_NAMED,
    account_in_form,
    account_in_url,
    door_of,
    named,
    preview,
    seen_in_form,
)
from openalgo_bridge.web.csv_text import Cell, download
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.formats import count

blueprint = Blueprint("positions", __name__)

_COLUMNS = (
    "symbol",
    "exchange",
    "product",
    "quantity",
    "average_price",
    "last_price",
    "booked",
    "open",
    "profit",
    "account",
)
_WORKING = "An exit of {} is already working at the broker."
_IN_DOUBT = "An exit of {} is in doubt: look at the broker first."
_GTT = "An exit of {} waits for its price as a GTT: closing does not withdraw that."
_WAITING = "An exit of {} waits for you in the Action Center."


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One position. ``exit`` is the order that closes it, None where it is flat; ``under_way`` what closes it already,
    as sentences. ``name`` is what its form carries.
    """

    position: Position
    name: str
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
    return _page()


@blueprint.get("/positions/export.csv")
def export() -> ResponseReturnValue:
    """The list that the page shows. Raises BrokerError."""
    desk = reading(current_desk())
    there = connected(desk)
    rows = [_cells(each, there.mode) for each in _in_order(there.broker.positions())]
    return download(f"positions-{day_in_india(desk.clock.now()).isoformat()}.csv", _COLUMNS, rows)


def _page() -> str:
    desk = reading(current_desk())
    account = desk.store.preferences.trading_mode()
    book = _book(desk, account)
    shown, left = _in_order(book.positions), left_waiting(desk, account, CloseRequest())
    return render_template(
        "positions.html",
        account=account,
        lines=_lines(desk, account, shown, book.working, left),
        left=left,
        total=Sum.of(shown),
        products=_by_product(shown),
        open_count=sum(1 for each in shown if each.quantity),
        fault=book.fault,
        door=door_of(desk),
    )


@blueprint.get("/positions/close")
def confirm_close() -> ResponseReturnValue:
    """What closing everything would send now, and the button that does it."""
    return _confirmation(account_in_url())


def _confirmation(mode: TradingMode) -> str:
    desk = reading(current_desk())
    closes = preview(desk, CloseRequest(), mode)
    left = left_waiting(desk, mode, CloseRequest())
    return render_template("close_all.html", account=mode, preview=closes, left=left, door=door_of(desk))


@blueprint.post("/positions/close")
def close() -> ResponseReturnValue:
    """Close one position, or all that the page named, at the account that the button named. 409 when one of them has
    turned or grown since: the page then is shown as it stands now.
    """
    desk, mode, seen = current_desk(), account_in_form(), _one_or_all()
    is_one = request.form.get("which") == "one"
    try:
        outcome = closing.close(desk, _only(seen) if is_one else CloseRequest(), BY_HAND, mode, seen=seen)
    except Conflict as change:
        flash(f"{change.message} Look again, {words.account(mode)}.", "danger")
        return make_response(_page() if is_one else _confirmation(mode), change.status)
    except (Busy, BrokerError) as fault:
        flash(f"Nothing was closed, {words.account(mode)}: {fault.message}", "danger")
        return redirect(url_for("positions.positions"))
    if isinstance(outcome, Held):
        return redirect(url_for("ticket.ticket", ticket_id=outcome.ticket.id))
    return redirect(url_for("closing.report", ticket_id=outcome.ticket.id))


def _one_or_all() -> dict[PositionKey, int]:
    """The positions that the form is about. Raises Invalid: nothing was sent."""
    which, seen = request.form.get("which"), seen_in_form()
    if not seen or which not in {"one", "all"} or (which == "one" and len(request.form.getlist("position")) > 1):
        raise Invalid(NOT_NAMED)
    return seen


def _only(seen: Mapping[PositionKey, int]) -> CloseRequest:
    (exchange, symbol, product) = next(iter(seen))
    return CloseRequest(symbol=symbol, exchange=exchange, product=product)


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


def _in_order(positions: Iterable[Position]) -> list[Position]:
    return sorted(positions, key=lambda each: (each.quantity == 0, each.symbol, each.product))


def _cells(position: Position, account: TradingMode) -> tuple[Cell, ...]:
    return (
        position.symbol,
        position.exchange,
        position.product,
        position.quantity,
        position.average_price,
        position.ltp,
        position.realised,
        position.unrealised,
        position.pnl,
        account,
    )


def _lines(
    desk: Desk, account: TradingMode, shown: Sequence[Position], working: Sequence[BrokerOrder], left: LeftWaiting
) -> list[Line]:
    held = [each for each in shown if each.quantity]
    waiting = [(orders_of(each.request)[0], each.request.quantity) for each in left.waiting]
    under_way = {**_under_way(desk, account, working, held), _GTT: waiting}
    return [_line(position, under_way) for position in shown]


def _line(position: Position, under_way: Mapping[str, Sequence[tuple[OrderRequest, int]]]) -> Line:
    name = named(exits.position_of(position), position.quantity)
    if not position.quantity:
        return Line(position=position, name=name, exit=None, under_way=())
    wanted = closing.exit_of(position)
    told = []
    for sentence, candidates in under_way.items():
        units = sum(left for order, left in candidates if exits.is_on_same_side(order, wanted))
        told += [sentence.format(count(units))] if units else []
    return Line(position=position, name=name, exit=wanted, under_way=tuple(told))


def _under_way(
    desk: Desk, account: TradingMode, working: Sequence[BrokerOrder], held: Sequence[Position]
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
    exits_wanted = {(each.exchange, each.symbol, closing.exit_of(each).action) for each in held}
    waiting = [
        ticket.order
        for exchange, symbol, action in sorted(exits_wanted)
        for ticket in desk.store.ticket_lists.held(TicketFilter(exchange=exchange, symbol=symbol, action=action))
        if ticket.trading_mode is account
    ]
    return {
        _WORKING: [(order.request, order.pending_quantity) for order in working],
        _IN_DOUBT: [(order, order.quantity) for order in doubtful if order is not None],
        _WAITING: [(order, order.quantity) for order in waiting if order is not None],
    }
