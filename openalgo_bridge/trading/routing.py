"""What happens to a request in each order mode: one table, read at every order, failing closed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.model.ticket import Operation
from openalgo_bridge.store.preferences import Preferences


class Route(StrEnum):
    """Send it now, or hold it for the person."""

    SEND = "send"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The route and the modes stamped on the ticket. ``reason`` is set where a hold was not asked for."""

    route: Route
    order_mode: OrderMode
    trading_mode: TradingMode
    reason: str = ""


ROUTES: dict[tuple[Operation, OrderMode], Route] = {
    (Operation.PLACE, OrderMode.AUTO): Route.SEND,
    (Operation.PLACE, OrderMode.SEMI_AUTO): Route.HOLD,
    (Operation.MODIFY, OrderMode.AUTO): Route.SEND,
    (Operation.MODIFY, OrderMode.SEMI_AUTO): Route.HOLD,
    # A cancel is never refused and never waits (design 4).
    (Operation.CANCEL, OrderMode.AUTO): Route.SEND,
    (Operation.CANCEL, OrderMode.SEMI_AUTO): Route.SEND,
}


def decide(preferences: Preferences, operation: Operation) -> Decision:
    """Read both modes from disk and look the route up; the same in analyze and live.

    When the order mode cannot be read the request is held with the reason. Raises StorageError when the
    trading mode cannot be read: then nobody knows which account it would go to.
    """
    trading_mode = preferences.trading_mode()
    try:
        order_mode = preferences.order_mode()
    except StorageError:
        return Decision(
            route=ROUTES[operation, OrderMode.SEMI_AUTO],
            order_mode=OrderMode.SEMI_AUTO,
            trading_mode=trading_mode,
            reason="Held because the order mode cannot be read.",
        )
    route = ROUTES[operation, order_mode]
    return Decision(route=route, order_mode=order_mode, trading_mode=trading_mode)
