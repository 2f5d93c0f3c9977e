"""``/``: what is going on, at a glance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.indicators import IndicatorState
from openalgo_bridge.trading.books import connected
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web import snippets
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.indicator_words import told
from openalgo_bridge.web.optional import if_readable
from openalgo_bridge.web.traffic import is_masked

blueprint = Blueprint("dashboard", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """The broker's day: orders by their status, profit in rupees, open positions."""

    orders: Counter[OrderStatus]
    pnl: Decimal
    realised: Decimal
    open_positions: int


@blueprint.get("/")
def dashboard() -> ResponseReturnValue:
    """The page a sign-in leads to."""
    desk = reading(current_desk())
    today, fault = _today_or_fault(desk)
    key = desk.store.api_keys.active()
    return render_template(
        "dashboard.html",
        today=today,
        fault=fault,
        in_doubt=desk.store.journal.in_doubt_count(),
        break_count=desk.store.breaks.open_count(),
        disputed=sorted({each.symbol for each in desk.store.breaks.open()}),
        key=key,
        to_look_at=if_readable(lambda: told(desk.store.indicators.of(IndicatorState.OPEN))),
        to_look_at_count=if_readable(lambda: desk.store.indicators.count(IndicatorState.OPEN)),
        is_masked=is_masked(),
        uses=if_readable(lambda: desk.store.key_uses.of(key.key.fingerprint) if key else []),
        is_new=not desk.store.journal.mark().ticket_id,
        statuses=list(OrderStatus),
        first_python=snippets.python(desk.settings.url),
    )


def _today_or_fault(desk: Desk) -> tuple[Today | None, str]:
    """A broker that does not answer must not take the whole page with it."""
    try:
        broker = connected(desk).broker
        positions = broker.positions()
        orders = Counter(order.status for order in broker.order_book())
    except BrokerError as error:
        return None, error.message
    today = Today(
        orders=orders,
        pnl=sum((position.pnl for position in positions), Decimal(0)),
        realised=sum((position.realised for position in positions), Decimal(0)),
        open_positions=sum(1 for position in positions if position.quantity),
    )
    return today, ""
