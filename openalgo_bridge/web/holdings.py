"""``/holdings``: shares held for delivery, what they cost, what they are worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from openalgo_bridge.clock import day_in_india
from openalgo_bridge.errors import BrokerError
from openalgo_bridge.model.books import Holding
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.trading.books import connected
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.csv_text import Cell, download
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.day_filter import member

blueprint = Blueprint("holdings", __name__)

_LONGEST = 200
_COLUMNS = (
    "symbol",
    "exchange",
    "quantity",
    "average_price",
    "last_price",
    "invested",
    "value",
    "profit",
    "profit_percent",
    "account",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What was paid and what it is worth now, in rupees."""

    invested: Decimal
    value: Decimal

    @classmethod
    def of(cls, held: Iterable[Holding]) -> Worth:
        """Of all of these."""
        invested = value = Decimal(0)
        for each in held:
            invested += each.average_price * each.quantity
            value += each.ltp * each.quantity
        return cls(invested=invested, value=value)

    @property
    def pnl(self) -> Decimal:
        """Profit or loss since they were bought."""
        return self.value - self.invested

    @property
    def percent(self) -> Decimal | None:
        """The profit in percent of what was paid; None where nothing was, as for bonus shares."""
        return 100 * self.pnl / self.invested if self.invested else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One holding and its worth."""

    holding: Holding
    worth: Worth


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the list is narrowed to; what is empty or None leaves a field alone."""

    symbol: str
    exchange: Exchange | None

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves out holdings."""
        return bool(self.symbol or self.exchange)

    @property
    def query(self) -> dict[str, str]:
        """Its parameters."""
        given = {"symbol": self.symbol, "exchange": self.exchange or ""}
        return {name: text for name, text in given.items() if text}

    def keeps(self, holding: Holding) -> bool:
        """Whether a holding is in the list. A part of a symbol is enough."""
        return self.symbol in holding.symbol and self.exchange in {None, holding.exchange}


@blueprint.get("/holdings")
def holdings() -> ResponseReturnValue:
    """By symbol."""
    there, asked = connected(reading(current_desk())), _asked_in_url()
    every: Sequence[Holding] = ()
    fault = ""
    try:
        every = there.broker.holdings()
    except BrokerError as error:
        fault = error.message
    lines = _lines(every, asked)
    return render_template(
        "holdings.html",
        account=there.mode,
        asked=asked,
        lines=lines,
        total=Worth.of(line.holding for line in lines),
        count=len(every),
        exchanges=sorted({each.exchange for each in every}.union(filter(None, [asked.exchange]))),
        fault=fault,
    )


@blueprint.get("/holdings/export.csv")
def export() -> ResponseReturnValue:
    """The list that the page shows. Raises BrokerError."""
    desk = reading(current_desk())
    there = connected(desk)
    rows = [_cells(line, there.mode) for line in _lines(there.broker.holdings(), _asked_in_url())]
    return download(f"holdings-{day_in_india(desk.clock.now()).isoformat()}.csv", _COLUMNS, rows)


def _asked_in_url() -> Asked:
    return Asked(
        symbol=request.args.get("symbol", "").strip().upper()[:_LONGEST],
        exchange=member(Exchange, request.args.get("exchange", "").strip().upper()),
    )


def _lines(held: Iterable[Holding], asked: Asked) -> list[Line]:
    shown = sorted(filter(asked.keeps, held), key=lambda each: (each.symbol, each.exchange))
    return [Line(holding=each, worth=Worth.of([each])) for each in shown]


def _cells(line: Line, account: str) -> tuple[Cell, ...]:
    holding, worth = line.holding, line.worth
    return (
        holding.symbol,
        holding.exchange,
        holding.quantity,
        holding.average_price,
        holding.ltp,
        worth.invested,
        worth.value,
        worth.pnl,
        worth.percent,
        account,
    )
