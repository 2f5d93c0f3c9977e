"""An exchange that survives the bridge: one line in a file for each order it took, and filled."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from openalgo_bridge.brokers.base import Capabilities
from openalgo_bridge.desk import Desk
from openalgo_bridge.model import ticket as tickets
from openalgo_bridge.model.books import BrokerOrder, OrderStatus, Position
from openalgo_bridge.model.order import BrokerOrderId, OrderRequest, Ref
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import Operation
from tests.fakes import ScriptedBroker


def _nothing(_: str) -> None:
    pass


class FileExchange(ScriptedBroker):
    """``step`` learns of the moments just before and just after an order is taken, and may end the process."""

    def __init__(self, desk: Desk, folder: Path, step: Callable[[str], None] = _nothing) -> None:
        super().__init__(desk)
        self._path = folder / "exchange.jsonl"
        self._step = step

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(reread_after=0.0)

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        self._step("broker.before")
        line = json.dumps({"ref": permit.ref, "request": tickets.to_json(permit.request)})
        # One write to an open file: what it took is taken, whoever dies next.
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, f"{line}\n".encode())
        finally:
            os.close(file)
        self._step("broker.after")
        return BrokerOrderId(f"X{permit.ref}")

    def taken(self) -> list[Ref]:
        """The tags of what it took, in order; twice where it was sent twice."""
        return [Ref(line["ref"]) for line in self._lines()]

    def find(self, tag: Ref) -> BrokerOrder | None:
        return next((order for order in self.order_book() if order.tag == tag), None)

    def order_book(self) -> list[BrokerOrder]:
        return [self._order(Ref(line["ref"]), line["request"]) for line in self._lines()]

    def positions(self) -> list[Position]:
        self.held.clear()
        nets: Counter[str] = Counter()
        for order in self.order_book():
            nets[order.request.symbol] += order.filled_quantity * order.request.action.sign
        for symbol, net in nets.items():
            self.hold(symbol, net)
        return super().positions()

    def _lines(self) -> list[dict[str, str]]:
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def _order(self, ref: Ref, request: str) -> BrokerOrder:
        asked = tickets.message_from_json(Operation.PLACE, request)
        assert isinstance(asked, OrderRequest)
        return BrokerOrder(
            id=BrokerOrderId(f"X{ref}"),
            tag=ref,
            request=asked,
            status=OrderStatus.COMPLETE,
            filled_quantity=asked.quantity,
            average_price=asked.price,
            placed_at=self.desk.clock.now(),
        )
