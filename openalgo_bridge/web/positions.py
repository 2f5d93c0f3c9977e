"""``/positions``: what is open, what was closed today, and the profit of both."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.errors import BrokerError
from openalgo_bridge.trading.books import connected
from openalgo_bridge.web.current import current_desk

blueprint = Blueprint("positions", __name__)


@blueprint.get("/positions")
def positions() -> ResponseReturnValue:
    """Open positions first."""
    try:
        found = connected(current_desk()).broker.positions()
        fault = ""
    except BrokerError as error:
        found, fault = [], error.message
    return render_template(
        "positions.html",
        positions=sorted(found, key=lambda position: (position.quantity == 0, position.symbol)),
        realised=sum((position.realised for position in found), Decimal(0)),
        unrealised=sum((position.unrealised for position in found), Decimal(0)),
        fault=fault,
    )
