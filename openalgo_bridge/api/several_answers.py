"""How the dialect spells what became of several orders (contract 2.1.2 to 2.1.4, 2.1.9, 2.1.10)."""

from __future__ import annotations

from collections.abc import Sequence

from openalgo_bridge.api.answers import Json, cancelled_all, marker, reasons
from openalgo_bridge.model.order import OrderRequest, TradingMode
from openalgo_bridge.model.redaction import scrub
from openalgo_bridge.trading.legs import Leg, Report
from openalgo_bridge.trading.sending import InDoubt, Sent
from openalgo_bridge.trading.smart import NothingToDo

_NONE_WENT = "None of the orders was taken. {why}"
_SOME_WENT = "{refused} of {all} orders were not taken. {why} Do not send the others again."
_REST_MISSING = "{} of {} orders were not taken. Ask again for what is missing."


def matched(result: NothingToDo) -> Json:
    """A smart order of which nothing had to be sent: no ``orderid`` (contract 2.1.2)."""
    return {"status": "success", "message": result.message, **marker(result.trading_mode)}


def reached(report: Report) -> Json:
    """A smart order that the exchange takes in several only: ``orderid`` is that of the first that went."""
    results = [leg_result(leg) for leg in report.legs]
    went = [each for each in results if each["status"] == "success"]
    why_not = list(dict.fromkeys(scrub(leg.why_not) for leg in report.legs if not leg.is_done))
    told = [f"Sent as {len(went)} orders: {', '.join(str(each['orderid']) for each in went)}."] if went else []
    missing = [leg for leg in report.legs if leg.result is None and not leg.was_needless]
    if went and missing:
        told.append(_REST_MISSING.format(len(missing), len(results)))
    in_doubt = {"order_status": "unknown"} if any("order_status" in each for each in results) else {}
    return {
        "status": "success" if went else "error",
        **({"orderid": went[0]["orderid"]} if went else {}),
        "reference": report.ticket.ref,
        **in_doubt,
        "message": " ".join(told + why_not),
        **marker(report.ticket.trading_mode),
    }


def empty_basket(mode: TradingMode) -> Json:
    """A basket of no orders (contract 2.1.3)."""
    return {"status": "success", "results": [], **marker(mode)}


def basket(report: Report) -> Json:
    """In the order in which they were sent: BUY first."""
    results = [{**_named(leg), **leg_result(leg)} for leg in report.legs]
    return {**head(report), "results": results}


def cancelled(report: Report, wanted: str) -> Json:
    """``cancelorder`` by the reference of several orders. As for one, it is an error where none is open any more."""
    answer: dict[str, object] = {**cancelled_all(report), "orderid": wanted}
    if not report.legs:
        answer |= {"status": "error", "message": f"None of the orders of {wanted} is open any more."}
    return answer


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
    refusals = [leg.refusal for leg in report.legs if leg.result is None]
    why = reasons(refusals)
    answer: dict[str, object] = {"status": "success", "reference": report.ticket.ref}
    if len(refusals) == len(report.legs):
        answer |= {"status": "error", "message": _NONE_WENT.format(why=why)}
    elif refusals:
        answer["message"] = _SOME_WENT.format(refused=len(refusals), all=len(report.legs), why=why)
    return {**answer, **marker(report.ticket.trading_mode)}


def _named(leg: Leg) -> Json:
    order = _order(leg)
    return {"symbol": order.symbol, "exchange": order.exchange, "product": order.product}


def _order(leg: Leg) -> OrderRequest:
    if not isinstance(leg.request, OrderRequest):
        raise RuntimeError("a leg of several orders is an order")
    return leg.request
