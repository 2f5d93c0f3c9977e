"""A bridge that kills itself at a named moment. Run as a program: ``victim.py FOLDER MOMENT ROUTE``."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from tests.conftest import TRADER

# sqlite-utils imports pandas where it is installed, which takes a second that no user's bridge spends.
sys.modules["pandas"] = None  # type: ignore[assignment]

from openalgo_bridge.account.password import Argon2Cost
from openalgo_bridge.app import open_desk
from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderMode, OrderRequest, TradingMode
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.journal import Journal, Settlement
from openalgo_bridge.trading import approvals, orders

ORDER = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)


def die() -> None:
    """As the power switch does it: no handler runs."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


class DyingBroker:
    """The paper exchange, with death just before or just after it takes an order."""

    def __init__(self, paper: Broker, moment: str) -> None:
        self._paper = paper
        self._moment = moment

    def __getattr__(self, name: str) -> object:
        return getattr(self._paper, name)

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        if self._moment == "before_the_call":
            die()
        order_id = self._paper.place(permit)
        if self._moment == "after_the_call":
            die()
        return order_id


class DyingJournal(Journal):
    """Dies when the outcome has been written, before anybody is told."""

    def settle(self, order_id: int, outcome: Settlement, **was: object) -> None:
        super().settle(order_id, outcome)
        die()


def desk_in(folder: Path, moment: str) -> Desk:
    desk = open_desk(Settings(db_dir=folder), argon2=Argon2Cost(memory_kib=64, iterations=1, lanes=1))
    paper = desk.brokers[TradingMode.ANALYZE]
    dying: Broker = DyingBroker(paper, moment)  # type: ignore[assignment]
    desk = replace(desk, brokers={TradingMode.ANALYZE: dying})
    if moment != "after_settling":
        return desk
    journal = DyingJournal(desk.store.files[0], desk.clock)
    return replace(desk, store=replace(desk.store, journal=journal))


def main() -> None:
    folder, moment, route = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    desk = desk_in(folder, moment)
    desk.doors.open()
    origin = Origin(source="api", strategy="crash", request_id="r1")
    if route == "auto":
        orders.place(desk, ORDER, origin)
        return
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(desk, ORDER, origin).ticket
    if moment == "while_held":
        die()
    approvals.approve(desk, held.id, held.shown, by=TRADER)


if __name__ == "__main__":
    main()
