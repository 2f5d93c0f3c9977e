"""``/gtt``: orders that wait for their price over days: what waits, what ended today, and the way to withdraw one.

No stop withdraws them: what the pages of cancelling and closing say about it is in ``templates/_gtts.html``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError, Invalid, Unsupported
from openalgo_bridge.model.gtt import BrokerGtt, GttState, orders_of
from openalgo_bridge.model.order import BrokerOrderId, GttLeg, OrderRequest, TradingMode
from openalgo_bridge.store.ticket_lists import Behind
from openalgo_bridge.trading import gtt_books, gtts
from openalgo_bridge.trading.arrival import Prices, known_prices
from openalgo_bridge.trading.books import Connected
from openalgo_bridge.trading.gtt_books import EndedGtt, WaitingGtt
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.trading.targets import Target
from openalgo_bridge.web import legs, words
from openalgo_bridge.web.closing import BY_HAND, account_in_form, door_of
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.withdrawal import WITHDRAW, attempted

blueprint = Blueprint("gtt", __name__)

_MOST_LINES = 200
_LONGEST_ID = 64
_LONGEST_SYMBOL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One price that is waited for, and what is ordered there. ``away`` is how far the price of now has to go, in
    percent of it; None where it is not known.
    """

    leg: GttLeg
    order: OrderRequest
    away: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One that waits; ``price`` is that of now, in rupees."""

    there: BrokerGtt
    behind: Behind | None
    price: Decimal | None
    triggers: Sequence[Trigger]

    @property
    def nearest(self) -> tuple[bool, Decimal]:
        """To sort by: those of which nobody can tell come last."""
        known = [abs(each.away) for each in self.triggers if each.away is not None]
        return (not known, min(known, default=Decimal(0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One that fired or ended; ``became`` is the sentence behind its state."""

    there: BrokerGtt
    behind: Behind | None
    became: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What one account keeps. ``is_kept``: its broker has such orders. Of ``unsure`` more nobody knows yet whether they
    are there. ``fault`` is the sentence for which none of it can be read, ``ended_fault`` that of what ended.
    """

    mode: TradingMode
    broker: str
    is_kept: bool = True
    lines: Sequence[Line] = ()
    ended: Sequence[Ended] = ()
    ended_fault: str = ""
    unsure: int = 0
    fault: str = ""


@blueprint.get("/gtt")
def gtt() -> ResponseReturnValue:
    """Of every connected account, those of one symbol where the address names it, the nearest to its price first."""
    desk, symbol = reading(current_desk()), _symbol_in_url()
    return render_template(
        "gtt.html",
        accounts=[_account(desk, mode, symbol) for mode in desk.brokers],
        symbol=symbol,
        most_lines=_MOST_LINES,
        door=door_of(desk),
        at=desk.clock.now(),
    )


@blueprint.post("/gtt/withdraw")
def withdraw() -> ResponseReturnValue:
    """Withdraw one at the account that the button named. Raises Invalid where the form names none."""
    desk, mode = current_desk(), account_in_form()
    number = BrokerOrderId(request.form.get("trigger_id", "").strip())
    if not 0 < len(number) <= _LONGEST_ID:
        raise Invalid("No GTT is named. Nothing was sent.")
    flash(*_withdrawn(desk, number, mode))
    return redirect(url_for("gtt.gtt", symbol=_symbol_in_url() or None))


def _symbol_in_url() -> str:
    return request.args.get("symbol", "").strip().upper()[:_LONGEST_SYMBOL]


def _account(desk: Desk, mode: TradingMode, symbol: str) -> Account:
    there = Connected(broker=desk.broker(mode), mode=mode)
    name = there.broker.name
    if not there.broker.capabilities.keeps_gtt_orders:
        return Account(mode=mode, broker=name, is_kept=False)
    try:
        waiting = gtt_books.waiting(desk, there)
    except BrokerError as fault:
        return Account(mode=mode, broker=name, fault=fault.message)
    ended, ended_fault = _ended_or_fault(desk, there)
    unsure = gtt_books.in_doubt(desk, mode, [each.there for each in waiting])
    return Account(
        mode=mode,
        broker=name,
        lines=_lines(desk, there, [each for each in waiting if symbol in {"", each.there.request.symbol}]),
        ended=[_ended(each) for each in ended if symbol in {"", each.there.request.symbol}],
        ended_fault=ended_fault,
        unsure=sum(symbol in {"", each.symbol} for each in unsure),
    )


def _ended_or_fault(desk: Desk, there: Connected) -> tuple[Sequence[EndedGtt], str]:
    """What waits must be seen, and can be withdrawn, whatever cannot be told of the others."""
    try:
        return gtt_books.ended_today(desk, there), ""
    except (BrokerError, Unsupported) as fault:
        return (), fault.message


def _lines(desk: Desk, there: Connected, waiting: Sequence[WaitingGtt]) -> list[Line]:
    orders = [orders_of(each.there.request)[0] for each in waiting]
    prices = known_prices(desk, there.broker, orders)
    return sorted((_line(each, prices) for each in waiting), key=lambda line: line.nearest)


def _line(waiting: WaitingGtt, prices: Prices) -> Line:
    asked = waiting.there.request
    price = prices.get((asked.exchange, asked.symbol))
    triggers = [
        Trigger(leg=leg, order=order, away=(leg.trigger_price - price) * 100 / price if price else None)
        for leg, order in zip(asked.legs, orders_of(asked), strict=True)
    ]
    return Line(there=waiting.there, behind=waiting.behind, price=price, triggers=triggers)


def _ended(ended: EndedGtt) -> Ended:
    return Ended(there=ended.there, behind=ended.behind, became=_became(ended))


def _became(ended: EndedGtt) -> str:
    there, placed = ended.there, ended.placed
    if there.fired is None:
        return there.reason
    if there.state is GttState.REJECTED:
        return f"Its order {there.fired} was refused: {there.reason}"
    if placed is None:
        return f"It placed order {there.fired}."
    return f"It placed order {there.fired}: {words.state(placed.status).lower()}, {legs.filled(placed)}."


def _withdrawn(desk: Desk, number: BrokerOrderId, mode: TradingMode) -> tuple[str, str]:
    """Withdraw it once; the sentence that is true afterwards, with its colour."""
    where, target = words.account(mode), Target(broker_order_id=number, trading_mode=mode)
    gone = _why_gone(desk, number, mode)
    if gone:
        return f"Nothing was sent, {where}: {gone}", "warning"
    told = attempted(lambda: gtts.withdraw(desk, target, BY_HAND), WITHDRAW, f"GTT {number}", where)
    return told or _as_it_stands(desk, number, mode)


def _why_gone(desk: Desk, number: BrokerOrderId, mode: TradingMode) -> str:
    """Why there is nothing to withdraw; empty where there is, or where nobody can tell: it is tried then."""
    try:
        there = desk.broker(mode).gtt(number)
    except BrokerError:
        return ""
    if there is None:
        return f"there is no GTT {number} at the broker."
    return "" if there.state is GttState.ACTIVE else f"GTT {number} is over already: {_over(there)}"


def _as_it_stands(desk: Desk, number: BrokerOrderId, mode: TradingMode) -> tuple[str, str]:
    """After the broker took the withdrawal: it may have fired before that arrived."""
    where = words.account(mode)
    try:
        there = desk.broker(mode).gtt(number)
    except BrokerError:
        there = None
    if there is None:
        told = f"The broker took the withdrawal of GTT {number}, {where}. How it stands now could not be read."
        return told, "success"
    what = f"GTT {number}, {words.sentence(there.request)}, {where}"
    if there.state is GttState.ACTIVE:
        return f"The broker took the withdrawal, but it still waits: {what}.", "warning"
    if there.state is GttState.CANCELLED:
        return f"Withdrawn: {what}.", "success"
    return f"It was over before it could be withdrawn: {_over(there)} {what}.", "warning"


def _over(there: BrokerGtt) -> str:
    became = _became(EndedGtt(there=there, behind=None, placed=None))
    return f"{words.state(there.state).lower()}. {became}".strip()
