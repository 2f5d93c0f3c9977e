"""How the dialect spells what became of several orders (contract 2.1.2 to 2.1.4, 2.1.9, 2.1.10)."""

from __future__ import annotations

from collections.abc import Sequence

from openalgo_bridge.api.answers import Json, marker
from openalgo_bridge.model.order import OrderRequest
from openalgo_bridge.model.redaction import scrub
from openalgo_bridge.trading.legs import Leg, Report
from openalgo_bridge.trading.sending import InDoubt, Sent
from openalgo_bridge.trading.smart import NothingToDo

_NONE_WENT = "None of the orders was taken. Each result says why."
_SOME_WENT = "{} of {} orders were not taken. Each result says why. Do not send the others again."


def matched(result: NothingToDo) -> Json:
    """A smart order of which nothing had to be sent: no ``orderid`` (contract 2.1.2)."""
    return {"status": "success", "message": result.message, **marker(result.trading_mode)}


def empty_basket() -> Json:
    """A basket of no orders (contract 2.1.3)."""
    return {"status": "success", "results": []}


def basket(report: Report) -> Json:
    """In the order in which they were sent: BUY first."""
    results = [{**_named(leg), **leg_result(leg)} for leg in report.legs]
    return {**head(report), "results": results}


def split(report: Report, *, size: int) -> Json:
    """Numbers are numbers here (contract 2.1.4)."""
    total = sum(_order(leg).quantity for leg in report.legs)
    return {**head(report), "total_quantity": total, "split_size": size, "results": slices(report.legs)}


def slices(legs: Sequence[Leg]) -> list[Json]:
    """Each slice of one order, by its place from 1."""
    return [
        {"order_num": number, "quantity": _order(leg).quantity, **leg_result(leg)} for number, leg in enumerate(legs, 1)
    ]


def leg_result(leg: Leg) -> Json:
    """What became of one order. In doubt is a success, as for one order: an error would be sent again."""
    match leg.result:
        case Sent(broker_order_id=order_id):
            return {"status": "success", "orderid": order_id}
        case InDoubt(message=message):
            return {"status": "success", "orderid": leg.ref, "order_status": "unknown", "message": scrub(message)}
        case _:
            return {"status": "error", "message": scrub(leg.refusal)}


def head(report: Report) -> Json:
    """A success as soon as one order went: who reads an error sends all of them again."""
    refused = sum(leg.result is None for leg in report.legs)
    answer: dict[str, object] = {"status": "success", "reference": report.ticket.ref}
    if refused == len(report.legs):
        answer |= {"status": "error", "message": _NONE_WENT}
    elif refused:
        answer["message"] = _SOME_WENT.format(refused, len(report.legs))
    return {**answer, **marker(report.ticket.trading_mode)}


def _named(leg: Leg) -> Json:
    order = _order(leg)
    return {"symbol": order.symbol, "exchange": order.exchange, "product": order.product}


def _order(leg: Leg) -> OrderRequest:
    if not isinstance(leg.request, OrderRequest):
        raise RuntimeError("a leg of several orders is an order")
    return leg.request
