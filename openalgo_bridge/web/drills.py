"""``/drills``: on demand the paper account behaves as brokers do on a bad day, and this page says where to look."""

from __future__ import annotations

from typing import TypeVar

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Invalid
from openalgo_bridge.model.drill import Drill, DrillKind, DrillLength
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.trading import drills as deeds
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.broker_orders import said_of
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.drill_cards import CARDS, GROUPS
from openalgo_bridge.web.legs import Leg, leg_of
from openalgo_bridge.web.optional import if_readable

blueprint = Blueprint("drills", __name__, url_prefix="/drills")

_ChosenT = TypeVar("_ChosenT", DrillKind, DrillLength)


@blueprint.get("")
def drills() -> ResponseReturnValue:
    """What runs, what became of the messages that it met, and every drill there is."""
    desk = reading(current_desk())
    last = desk.drills.last()
    return render_template(
        "drills.html",
        drill=last,
        card=None if last is None else CARDS[last.kind],
        is_running=last is not None and last.ended_at is None,
        legs=if_readable(lambda: _legs(desk, last)),
        is_live=if_readable(desk.store.preferences.trading_mode) is TradingMode.LIVE,
        groups=GROUPS,
    )


@blueprint.post("/start")
def start() -> ResponseReturnValue:
    """From now on. Raises Invalid for what the page does not offer."""
    kind, length = _chosen(DrillKind, "kind"), _chosen(DrillLength, "length")
    try:
        drill = deeds.start(current_desk(), kind, length, by=actor())
    except Conflict as refusal:
        flash(f"No drill was started. {refusal.message}", "warning")
    else:
        flash(f"The drill runs: {drill}. Send an order to the paper account and watch.", "success")
    return _back()


@blueprint.post("/stop")
def stop() -> ResponseReturnValue:
    """As ever from now on. What runs by another name is not stopped by an old page."""
    if deeds.stop(current_desk(), request.form.get("drill", ""), by=actor()):
        flash("The drill is over: the paper account behaves as ever.", "success")
    else:
        flash("That drill was over already.", "secondary")
    return _back()


def _chosen(kinds: type[_ChosenT], name: str) -> _ChosenT:
    try:
        return kinds(request.form.get(name, ""))
    except ValueError as fault:
        raise Invalid.of({name: ["Choose one of those on the page."]}) from fault


def _back() -> ResponseReturnValue:
    return redirect(url_for("drills.drills", _anchor="content"))


def _legs(desk: Desk, drill: Drill | None) -> list[Leg]:
    """The last messages that it met, newest first, as they stand now. Raises StorageError."""
    if drill is None:
        return []
    met = [desk.store.journal.order(order_id) for order_id in reversed(drill.hits)]
    said = said_of(desk, met, desk.clock.now())
    return [leg_of(each, said.of(each)) for each in met]
