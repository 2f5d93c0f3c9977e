"""Endpoints that order options by their distance from the money (contract 2.1.9, 2.1.10).

The contract is found when the request comes, and what waits for the person names it: an offset would mean another
one by the time he decides.
"""

from __future__ import annotations

from openalgo_bridge.api import answers, option_order_answers, several_answers
from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.option_order_answers import OrderedLeg
from openalgo_bridge.api.schemas.option_orders import OptionLegFields, OptionsMultiOrder, OptionsOrder
from openalgo_bridge.errors import Invalid, NotFound
from openalgo_bridge.model import expand
from openalgo_bridge.model.order import LegsKind, LegsRequest, TradingMode
from openalgo_bridge.trading import books, options, orders, several, validation
from openalgo_bridge.trading.options import Underlying
from openalgo_bridge.trading.orders import Held


def options_order(call: Call) -> Json:
    """``POST /optionsorder``: one option, whole or in slices"""
    asked = call.parsed(OptionsOrder)
    mode = books.connected(call.desk).mode
    of = options.underlying(call.desk, asked.underlying, asked.exchange, asked.expiry_date)
    found = _found(call, of, 1, asked, asked.strike_int)
    named = {**option_order_answers.named(asked, of.ltp), **option_order_answers.contract(asked, found.orders[0])}
    origin = call.origin(asked.strategy, asked.signal_time)
    if not asked.splitsize:
        placed = answers.submitted(call.noted(orders.place(call.desk, found.orders[0], origin, mode)))
        return placed if "pending_order_id" in placed else {**named, **placed}
    outcome = several.place(call.desk, LegsRequest(kind=LegsKind.OPTIONS, orders=found.orders), origin, mode)
    if isinstance(outcome, Held):
        return answers.submitted(call.noted(outcome))
    return {**named, **several_answers.split(call.reported(outcome), size=asked.splitsize)}


def options_multi_order(call: Call) -> Json:
    """``POST /optionsmultiorder``: those that buy first; of legs that cannot all be found none is sent"""
    asked = call.parsed(OptionsMultiOrder)
    mode = books.connected(call.desk).mode
    of = options.underlying(call.desk, asked.underlying, asked.exchange, asked.expiry_date)
    found = expand.buy_first(_all_found(call, of, asked, mode), lambda each: each.asked.action)
    request = LegsRequest(kind=LegsKind.MULTI_LEG, orders=tuple(order for each in found for order in each.orders))
    outcome = several.place(call.desk, request, call.origin(asked.strategy, asked.signal_time), mode)
    if isinstance(outcome, Held):
        return answers.submitted(call.noted(outcome))
    return option_order_answers.strategy(asked, of.ltp, found, call.reported(outcome))


def _all_found(call: Call, of: Underlying, asked: OptionsMultiOrder, mode: TradingMode) -> list[OrderedLeg]:
    """Raises Invalid naming every leg that cannot be found: half of a strategy is another one."""
    found: list[OrderedLeg] = []
    faults: dict[str, list[str]] = {}
    for index, leg in enumerate(asked.legs):
        try:
            found.append(_found(call, of, index + 1, leg, asked.strike_int))
            for order in found[-1].orders:
                several.check_order(call.desk, order, mode)
        except Invalid as fault:
            faults |= fault.within(f"legs[{index}]")
        except NotFound as fault:
            faults[f"legs[{index}]"] = [fault.message]
    if faults:
        raise Invalid.of(faults)
    return found


def _found(call: Call, of: Underlying, number: int, asked: OptionLegFields, strike_int: int | None) -> OrderedLeg:
    contract = options.contract(
        call.desk, of, asked.offset, asked.option_type, strike_int=strike_int, expiry=asked.expiry_date
    )
    order = asked.order(contract)
    validation.check(call.desk, order)
    if not asked.splitsize:
        return OrderedLeg(number=number, asked=asked, orders=(order,))
    slices = expand.split(order, size=asked.splitsize, lot=contract.lot, freeze_quantity=contract.freeze_quantity)
    return OrderedLeg(number=number, asked=asked, orders=slices)
