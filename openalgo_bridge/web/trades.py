"""``/trades``: every fill of a day, what was bought and sold for how much, and the ticket that each came from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError, Unsupported
from openalgo_bridge.model.books import Trade
from openalgo_bridge.model.order import Action
from openalgo_bridge.store.ticket_lists import Behind
from openalgo_bridge.trading.books import Connected, connected
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.csv_text import Cell, download
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.paging import PAGE_SIZE, Page
from openalgo_bridge.web.trade_filter import Asked, asked_in_url

blueprint = Blueprint("trades", __name__)

_COLUMNS = (
    "time_ist",
    "symbol",
    "exchange",
    "product",
    "action",
    "quantity",
    "price",
    "value",
    "asked_by",
    "strategy",
    "ticket",
    "order_id",
    "trade_id",
    "account",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One fill. ``behind`` is the ticket it came from, None where it was not ordered through the bridge."""

    trade: Trade
    behind: Behind | None

    @property
    def value(self) -> Decimal:
        """Rupees."""
        return self.trade.value

    @property
    def strategy(self) -> str:
        """Empty where nobody named one."""
        return "" if self.behind is None else self.behind.strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Fills of one side. ``quantity`` and ``average_price`` are None where they are of several instruments: units of
    different things add up to nothing.
    """

    action: Action
    fills: int
    value: Decimal
    quantity: int | None

    @property
    def average_price(self) -> Decimal | None:
        """Rupees for each unit."""
        return self.value / self.quantity if self.quantity else None


@blueprint.get("/trades")
def trades() -> ResponseReturnValue:
    """Newest first. Of another day than today only where the broker keeps that."""
    desk = reading(current_desk())
    asked, there = asked_in_url(desk.clock.now()), connected(desk)
    every: Sequence[Line] = ()
    fault = ""
    try:
        every = _lines(desk, there, asked)
    except (BrokerError, Unsupported) as error:
        fault = error.message
    shown = _narrowed(every, asked)
    return render_template(
        "trades.html",
        account=there.mode,
        asked=asked,
        page=_page(shown, asked.after),
        sums=_sums(shown),
        fault=fault,
        exchanges=sorted({line.trade.exchange for line in every}.union(filter(None, [asked.exchange]))),
        strategies=sorted({line.strategy for line in every} - {""}),
    )


@blueprint.get("/trades/export.csv")
def export() -> ResponseReturnValue:
    """The whole list that the page shows the first lines of. Raises BrokerError and Unsupported: half of it would be
    taken for all.
    """
    desk = reading(current_desk())
    asked, there = asked_in_url(desk.clock.now()), connected(desk)
    shown = _narrowed(_lines(desk, there, asked), asked)
    return download(f"trades-{asked.day.isoformat()}.csv", _COLUMNS, (_cells(line, there) for line in shown))


def _lines(desk: Desk, there: Connected, asked: Asked) -> list[Line]:
    found = there.broker.trade_book() if asked.is_today else there.broker.trades_of(asked.day)
    behind = desk.store.ticket_lists.behind(there.mode, {trade.order_id for trade in found})
    return [Line(trade=trade, behind=behind.get(trade.order_id)) for trade in found]


def _narrowed(lines: Iterable[Line], asked: Asked) -> list[Line]:
    return [line for line in lines if asked.keeps(line.trade, line.strategy)]


def _page(lines: Sequence[Line], after: str) -> Page[Line]:
    """By the id of the trade that was seen last, so that the page stays as it is while the market trades on."""
    begin = next((place for place, line in enumerate(lines, start=1) if line.trade.id == after), 0)
    return Page(rows=lines[begin : begin + PAGE_SIZE], is_first=begin == 0, has_older=len(lines) > begin + PAGE_SIZE)


def _sums(lines: Sequence[Line]) -> list[Sum]:
    instruments = {(line.trade.exchange, line.trade.symbol) for line in lines}
    return [_sum(action, lines, is_of_one=len(instruments) == 1) for action in Action]


def _sum(action: Action, lines: Sequence[Line], *, is_of_one: bool) -> Sum:
    of_side = [line for line in lines if line.trade.action is action]
    return Sum(
        action=action,
        fills=len(of_side),
        value=sum((line.value for line in of_side), Decimal(0)),
        quantity=sum(line.trade.quantity for line in of_side) if is_of_one else None,
    )


def _cells(line: Line, there: Connected) -> tuple[Cell, ...]:
    trade, behind = line.trade, line.behind
    return (
        trade.traded_at,
        trade.symbol,
        trade.exchange,
        trade.product,
        trade.action,
        trade.quantity,
        trade.price,
        line.value,
        "" if behind is None else behind.source,
        line.strategy,
        None if behind is None else behind.ticket_id,
        trade.order_id,
        trade.id,
        there.mode,
    )
