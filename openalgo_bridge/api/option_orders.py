"""Endpoints that order options by their distance from the money (contract 2.1.9, 2.1.10).

The contract is found when the request comes, and what waits for the person names it: an offset would mean another
one by the time he decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openalgo_bridge.api import answers, several_answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.option_orders import OptionLegFields, OptionsMultiOrder, OptionsOrder
from openalgo_bridge.errors import Invalid, NotFound
from openalgo_bridge.model import expand
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import LegsKind, LegsRequest, OrderRequest, TradingMode
from openalgo_bridge.trading import options, orders, several
from openalgo_bridge.trading.legs import Leg, Report
from openalgo_bridge.trading.options import Underlying
from openalgo_bridge.trading.orders import Held


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A leg of a request by its place from 1, its contract, and the orders that it takes."""

    number: int
    asked: OptionLegFields
    contract: Instrument
    orders: tuple[OrderRequest, ...]


def options_order(call: Call) -> Json:
    """``POST /optionsorder``: one option, whole or in slices"""
    asked = call.parsed(OptionsOrder)
    of = options.underlying(call.desk, asked.underlying, asked.exchange, asked.expiry_date)
    found = _found(call, of, 1, asked, asked.strike_int)
    named = {**_named(asked.underlying, of), **_contract(found)}
    origin = call.origin(asked.strategy)
    if not asked.splitsize:
        placed = answers.submitted(call.noted(orders.place(call.desk, found.orders[0], origin)))
        return placed if "pending_order_id" in placed else {**named, **placed}
    outcome = several.place(call.desk, LegsRequest(kind=LegsKind.OPTIONS, orders=found.orders), origin)
    if isinstance(outcome, Held):
        return answers.submitted(call.noted(outcome))
    return {**named, **several_answers.split(call.reported(outcome), size=asked.splitsize)}


def options_multi_order(call: Call) -> Json:
    """``POST /optionsmultiorder``: those that buy first; of legs that cannot all be found none is sent"""
    asked = call.parsed(OptionsMultiOrder)
    of = options.underlying(call.desk, asked.underlying, asked.exchange, asked.expiry_date)
    found = expand.buy_first(_all_found(call, of, asked), lambda each: each.asked.action)
    request = LegsRequest(kind=LegsKind.MULTI_LEG, orders=tuple(order for each in found for order in each.orders))
    outcome = several.place(call.desk, request, call.origin(asked.strategy))
    if isinstance(outcome, Held):
        return answers.submitted(call.noted(outcome))
    report = call.reported(outcome)
    return {**_named(asked.underlying, of), **several_answers.head(report), "results": _results(found, report)}


def _all_found(call: Call, of: Underlying, asked: OptionsMultiOrder) -> list[_Found]:
    """Raises Invalid naming every leg that cannot be found: half of a strategy is another one."""
    found, faults = [], {}
    for index, leg in enumerate(asked.legs):
        try:
            found.append(_found(call, of, index + 1, leg, asked.strike_int))
        except (Invalid, NotFound) as fault:
            faults[f"legs[{index}]"] = [fault.message]
    if faults:
        raise Invalid.of(faults)
    return found


def _found(call: Call, of: Underlying, number: int, asked: OptionLegFields, strike_int: int | None) -> _Found:
    contract = options.contract(
        call.desk, of, asked.offset, asked.option_type, strike_int=strike_int, expiry=asked.expiry_date
    )
    order = asked.order(contract)
    several.check_order(call.desk, order)
    if not asked.splitsize:
        return _Found(number=number, asked=asked, contract=contract, orders=(order,))
    slices = expand.split(order, size=asked.splitsize, lot=contract.lot, freeze_quantity=contract.freeze_quantity)
    return _Found(number=number, asked=asked, contract=contract, orders=slices)


def _named(underlying: str, of: Underlying) -> Json:
    return {"underlying": underlying, "underlying_ltp": float(of.ltp)}


def _contract(found: _Found) -> Json:
    return {
        "symbol": found.contract.symbol,
        "exchange": found.contract.exchange,
        "offset": str(found.asked.offset),
        "option_type": found.asked.option_type,
    }


def _results(found: Sequence[_Found], report: Report) -> list[Json]:
    """By the place of each leg in the request. The legs of the report are the orders of ``found`` in their order."""
    legs = iter(report.legs)
    mode = "analyze" if report.ticket.trading_mode is TradingMode.ANALYZE else "live"
    rows = [(each.number, _result(each, [next(legs) for _ in each.orders], mode)) for each in found]
    return [row for _, row in sorted(rows, key=lambda numbered: numbered[0])]


def _result(found: _Found, legs: Sequence[Leg], mode: str) -> Json:
    row = {
        "leg": found.number,
        **_contract(found),
        "product": found.asked.product,
        "action": found.asked.action,
        "mode": mode,
    }
    if not found.asked.splitsize:
        return {**row, **several_answers.leg_result(legs[0])}
    went = any(leg.result is not None for leg in legs)
    return {
        **row,
        "status": "success" if went else "error",
        "total_quantity": found.asked.quantity,
        "split_size": found.asked.splitsize,
        "split_results": several_answers.slices(legs),
    }
