"""``/analyzer/paper``: back to paper with one click, and what stays at the live account (design 4).

It asks for no password: from then on nothing new reaches a broker.
"""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.trading import mode
from openalgo_bridge.trading.kill_switch import standing
from openalgo_bridge.trading.patience import reading
from openalgo_bridge.web.current import actor, current_desk
from openalgo_bridge.web.optional import if_readable

blueprint = Blueprint("leaving_live", __name__)


@blueprint.get(mode.LEAVE_LIVE)
def leaving_live() -> ResponseReturnValue:
    """What stays where it is, and the button; or what is still there after it."""
    desk = reading(current_desk())
    return render_template(
        "leaving_live.html",
        trading_mode=if_readable(desk.store.preferences.trading_mode),
        live=[each for each in standing(desk) if each.mode is TradingMode.LIVE],
        waiting=if_readable(lambda: desk.store.ticket_lists.waiting_for(TradingMode.LIVE)),
    )


@blueprint.post(mode.LEAVE_LIVE)
def leave_live() -> ResponseReturnValue:
    """From the next order on. Raises StorageError: then the mode is as it was."""
    if mode.leave_live(current_desk(), by=actor()):
        flash("You trade on paper: new orders reach no broker.", "success")
    else:
        flash("You traded on paper already. Nothing was changed.", "secondary")
    return redirect(url_for("leaving_live.leaving_live", _anchor="content"))
