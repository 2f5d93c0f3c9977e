"""What happens to a request in each order mode: one table, read at every order, failing closed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.model.ticket import Operation
from openalgo_bridge.store.preferences import Preferences


class Route(StrEnum):
    """Send it now, or hold it for the person."""

    SEND = "send"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The route and the order mode stamped on the ticket. ``reason`` is set where a hold was not asked for."""

    route: Route
    order_mode: OrderMode
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
    """Read the order mode from disk and look the route up; the same in analyze and live.

    When the mode cannot be read the request is held, with the reason.
    """
    try:
        order_mode = preferences.order_mode()
    except StorageError:
        return Decision(
            route=ROUTES[operation, OrderMode.SEMI_AUTO],
            order_mode=OrderMode.SEMI_AUTO,
            reason="Held because the order mode cannot be read.",
        )
    return Decision(route=ROUTES[operation, order_mode], order_mode=order_mode)
