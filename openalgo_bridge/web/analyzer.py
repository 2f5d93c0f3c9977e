"""``/analyzer``: the paper account, wherever orders go just now: what it made, when, and by which strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError
from openalgo_bridge.model.books import BrokerOrder, Funds, Position, Trade
from openalgo_bridge.model.equity import EquitySample
from openalgo_bridge.model.order import BrokerOrderId, Ref, TradingMode
from openalgo_bridge.model.paper import to_rupees, to_units
from openalgo_bridge.model.strategy_profit import StrategyProfit
from openalgo_bridge.store.ticket_lists import Behind
from openalgo_bridge.trading import paper_profit
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.equity_curve import EquityCurve, equity_curve
from openalgo_bridge.web.optional import if_readable

blueprint = Blueprint("analyzer", __name__)

_MOST_LINES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyLine:
    """One strategy, or all of them; rupees. ``profit`` is booked and open together."""

    name: str
    booked: Decimal
    open: Decimal
    profit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What the exchange says now, each book read once, one after the other: an order that fills meanwhile may stand in
    the trades and not yet in the orders.

    ``asked`` leads from the tag of an order to who asked for it, ``behind`` from the order of a fill.
    """

    funds: Funds
    positions: Sequence[Position]
    orders: Sequence[BrokerOrder]
    trades: Sequence[Trade]
    strategies: Sequence[StrategyLine]
    together: StrategyLine
    asked: Mapping[Ref, Behind]
    behind: Mapping[BrokerOrderId, Behind]

    @property
    def realised(self) -> Decimal:
        """Booked today, in rupees: of the positions, and not of another look that has other prices."""
        return sum((each.realised for each in self.positions), Decimal(0))

    @property
    def unrealised(self) -> Decimal:
        """Open, in rupees."""
        return sum((each.unrealised for each in self.positions), Decimal(0))


@blueprint.get("/analyzer")
def analyzer() -> ResponseReturnValue:
    """The account at the prices of this moment, and the curve of its day."""
    desk = reading(current_desk())
    book, fault = _book_or_fault(desk)
    return render_template(
        "analyzer.html",
        book=book,
        fault=fault,
        curve=if_readable(lambda: _curve(desk, book)),
        capital=if_readable(lambda: to_rupees(desk.store.paper_capital.money().capital)),
        begin=if_readable(desk.store.paper_capital.begin),
        most_lines=_MOST_LINES,
        at=desk.clock.now(),
    )


def _book_or_fault(desk: Desk) -> tuple[Book | None, str]:
    """A drill may see to it that the exchange does not answer; the page then says so, and the rest still stands."""
    try:
        return _book(desk), ""
    except BrokerError as fault:
        return None, fault.message


def _book(desk: Desk) -> Book:
    broker = desk.broker(TradingMode.ANALYZE)
    orders, trades = broker.order_book(), broker.trade_book()
    # Positions before holdings: what is delivered in between is then in both, and not in neither.
    positions, holdings = broker.positions(), broker.holdings()
    lists, made = desk.store.ticket_lists, paper_profit.by_strategy(desk, positions, holdings)
    return Book(
        funds=broker.funds(),
        positions=sorted(positions, key=lambda each: (each.quantity == 0, each.symbol, each.product)),
        orders=orders,
        trades=trades,
        strategies=[_line(each) for each in made],
        together=_line(_together(made)),
        asked=lists.behind_tags([order.tag for order in orders[:_MOST_LINES]]),
        behind=lists.behind(TradingMode.ANALYZE, [trade.order_id for trade in trades[:_MOST_LINES]]),
    )


def _line(made: StrategyProfit) -> StrategyLine:
    return StrategyLine(
        name=made.strategy,
        booked=to_rupees(made.realised),
        open=to_rupees(made.unrealised),
        profit=to_rupees(made.total),
    )


def _together(made: Sequence[StrategyProfit]) -> StrategyProfit:
    realised, unrealised = sum(each.realised for each in made), sum(each.unrealised for each in made)
    return StrategyProfit(strategy="Together", realised=realised, unrealised=unrealised)


def _curve(desk: Desk, book: Book | None) -> EquityCurve | None:
    """Up to this moment, where the exchange says how it stands."""
    samples = list(paper_profit.of_today(desk))
    if book is not None:
        now = EquitySample(at=desk.clock.now(), realised=to_units(book.realised), unrealised=to_units(book.unrealised))
        samples.append(now)
    return equity_curve(samples)
