"""How the dialect spells what became of options ordered by their distance from the money (contract 2.1.9, 2.1.10)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from openalgo_bridge.api import several_answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.schemas.option_orders import OptionLegFields, OptionsMultiOrder, OptionsOrder
from openalgo_bridge.model import expand
from openalgo_bridge.model.order import OrderRequest, TradingMode
from openalgo_bridge.trading.legs import Leg, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedLeg:
    """A leg of a request by its place from 1, and the orders that it took: one, or its slices."""

    number: int
    asked: OptionLegFields
    orders: tuple[OrderRequest, ...]


def named(asked: OptionsOrder | OptionsMultiOrder, ltp: Decimal | None) -> Json:
    """The underlying; without its price where that is not known any more."""
    priced = {} if ltp is None else {"underlying_ltp": float(ltp)}
    return {"underlying": asked.underlying, **priced}


def contract(asked: OptionLegFields, order: OrderRequest) -> Json:
    """The option that was meant, and how it was asked for."""
    return {
        "symbol": order.symbol,
        "exchange": order.exchange,
        "offset": str(asked.offset),
        "option_type": asked.option_type,
    }


def strategy(asked: OptionsMultiOrder, ltp: Decimal | None, ordered: Sequence[OrderedLeg], report: Report) -> Json:
    """By the place of each leg in the request. The legs of the report are the orders of ``ordered`` in their order."""
    legs = iter(report.legs)
    mode = "analyze" if report.ticket.trading_mode is TradingMode.ANALYZE else "live"
    rows = [(each.number, _result(each, [next(legs) for _ in each.orders], mode)) for each in ordered]
    results = [row for _, row in sorted(rows, key=lambda numbered: numbered[0])]
    return {**named(asked, ltp), **several_answers.head(report), "results": results}


def ordered_as_asked(asked: OptionsMultiOrder, orders: Sequence[OrderRequest]) -> list[OrderedLeg]:
    """Which of the orders that were planned are of which leg: those that buy come first, and slices add up."""
    rest = iter(orders)
    numbered = expand.buy_first(list(enumerate(asked.legs, 1)), lambda each: each[1].action)
    return [
        OrderedLeg(number=number, asked=leg, orders=tuple(_adding_up(rest, leg.quantity))) for number, leg in numbered
    ]


def _adding_up(orders: Iterator[OrderRequest], quantity: int) -> Iterator[OrderRequest]:
    while quantity > 0:
        order = next(orders)
        quantity -= order.quantity
        yield order


def _result(ordered: OrderedLeg, legs: Sequence[Leg], mode: str) -> Json:
    row = {
        "leg": ordered.number,
        **contract(ordered.asked, ordered.orders[0]),
        "product": ordered.asked.product,
        "action": ordered.asked.action,
        "mode": mode,
    }
    if not ordered.asked.splitsize:
        return {**row, **several_answers.leg_result(legs[0])}
    went = any(leg.result is not None for leg in legs)
    return {
        **row,
        "status": "success" if went else "error",
        "total_quantity": ordered.asked.quantity,
        "split_size": ordered.asked.splitsize,
        "split_results": several_answers.slices(legs),
    }
