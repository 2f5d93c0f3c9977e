"""``/``: what is going on, at a glance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BrokerError
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.store.api_keys import ActiveKey
from openalgo_bridge.trading.books import connected
from openalgo_bridge.web.current import current_desk

blueprint = Blueprint("dashboard", __name__)

_CALLS_LOOKED_AT = 200

_FIRST_PYTHON = """\
import os
from openalgo import api

client = api(api_key=os.environ["OPENALGO_API_KEY"], host="{url}")
print(client.placeorder(strategy="first", symbol="RELIANCE", exchange="NSE", action="BUY",
                        price_type="MARKET", product="MIS", quantity=1))"""


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
    desk = current_desk()
    today, fault = _today_or_fault(desk)
    key = desk.store.api_keys.active()
    return render_template(
        "dashboard.html",
        today=today,
        fault=fault,
        in_doubt=desk.store.journal.in_doubt_count(),
        key=key,
        last_call=_last_call(desk, key),
        is_new=not desk.store.journal.tickets(limit=1),
        statuses=list(OrderStatus),
        first_python=_FIRST_PYTHON.format(url=desk.settings.url),
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


def _last_call(desk: Desk, key: ActiveKey | None) -> datetime | None:
    """When the key was last used, as far as the newest calls tell."""
    if key is None:
        return None
    calls = desk.store.traffic.page(limit=_CALLS_LOOKED_AT)
    return next((call.at for call in calls if call.key_fingerprint == key.key.fingerprint), None)
