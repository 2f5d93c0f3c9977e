"""``/funds``: what a new order may use, what is blocked, and the profit or loss of the day."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.errors import BrokerError
from openalgo_bridge.model.books import Funds
from openalgo_bridge.trading.books import connected
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.current import current_desk

blueprint = Blueprint("funds", __name__)


@blueprint.get("/funds")
def funds() -> ResponseReturnValue:
    """As the broker counts it."""
    desk = reading(current_desk())
    there = connected(desk)
    money: Funds | None = None
    fault = ""
    try:
        money = there.broker.funds()
    except BrokerError as error:
        fault = error.message
    return render_template("funds.html", account=there.mode, money=money, fault=fault, at=desk.clock.now())
