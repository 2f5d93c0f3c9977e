"""A broker that hangs takes no more than its share: the kill switch, cancels and the pages still answer."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.commands.serve import record_refusal
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderRequest, PriceType
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.server import THREADS, Server
from openalgo_bridge.trading import orders
from openalgo_bridge.trading.sending import Sent
from tests.conftest import PASSWORD, app_of, free_port
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import csrf_token

ORDER = {"strategy": "test", "symbol": "RELIANCE", "exchange": "NSE", "action": "BUY", "quantity": "10"}
RESTING = OrderRequest(
    symbol="TCS",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=1,
    price_type=PriceType.LIMIT,
    price=Decimal(1000),
)
CALLS = 20


@dataclass
class Hanging(ScriptedBroker):
    """Takes an order for RELIANCE and does not answer before ``answers`` is set."""

    answers: threading.Event = field(default_factory=threading.Event)
    inside: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        placed = super().place(permit)
        if permit.request.symbol == "RELIANCE":
            self.inside.release()
            self.answers.wait()
        return placed


@dataclass(frozen=True)
class Served:
    """A bridge on a real socket. No call has a time-out: one that is not answered hangs the test."""

    desk: Desk
    broker: Hanging
    url: str
    key: str

    def post(self, path: str, **fields: object) -> tuple[int, Any]:
        body = json.dumps({"apikey": self.key, **fields}).encode()
        return self._answer(urllib.request.Request(f"{self.url}/api/v1/{path}", body))

    def get(self, path: str) -> int:
        with closing(urllib.request.urlopen(f"{self.url}{path}")) as answer:
            return int(answer.status)

    def _answer(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with closing(urllib.request.urlopen(request)) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with closing(refused):
                return refused.code, json.load(refused)


class Browser:
    """The trader's, with its cookies, on a real socket."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def post(self, path: str, **fields: str) -> tuple[str, str]:
        """Fill the form of a page and send it; where that led, and what stands there."""
        body = urlencode({"csrf_token": csrf_token(self._seen(path)[1]), **fields}).encode()
        return self._seen(path, body)

    def _seen(self, path: str, body: bytes | None = None) -> tuple[str, str]:
        request = urllib.request.Request(f"{self._url}{path}", body, {"Sec-Fetch-Site": "same-origin"})
        with closing(self._opener.open(request)) as answer:
            return urlsplit(answer.url).path, answer.read().decode()


@pytest.fixture
def served(desk: Desk) -> Iterator[Served]:
    port = free_port()
    broker = Hanging(desk)
    ours = with_broker(replace(desk, settings=replace(desk.settings, flask_port=port)), broker)
    key = create_account(ours, "trader", PASSWORD, risk_accepted=True)
    server = Server(app_of(ours), port=port, refused=partial(record_refusal, ours))
    server.start()
    yield Served(ours, broker, f"http://127.0.0.1:{port}", key)
    broker.answers.set()
    server.close()


def test_while_it_hangs_everything_that_makes_safe_still_answers(served: Served) -> None:
    resting = orders.place(served.desk, RESTING, Origin(source="api", strategy="test", request_id="r1"))
    assert isinstance(resting, Sent)
    browser = Browser(served.url)
    with ThreadPoolExecutor(CALLS) as programs:
        answers = [programs.submit(served.post, "placeorder", **ORDER) for _ in range(CALLS)]
        for _ in range(THREADS - 4):
            served.broker.inside.acquire()
        try:
            # The broker is let go only after the last of these answers: whichever waited for it would never come.
            assert served.get("/healthz") == 200
            assert browser.post("/login", username="trader", password=PASSWORD)[0] == "/"
            assert served.post("ping")[0] == 200
            assert served.post("cancelorder", orderid=resting.broker_order_id)[0] == 200
            where, page = browser.post("/kill-switch", reason="it hangs")
            assert (where, "Orders are stopped" in page) == ("/kill-switch", True)
            assert len(served.post("cancelallorder", strategy="test")[1]["canceled_orders"]) == THREADS - 4
            # Nobody can tell whether this is an exit, so it is neither sent nor refused.
            assert "pending_order_id" in served.post("placeorder", **ORDER)[1]
        finally:
            served.broker.answers.set()
        statuses = sorted(answer.result()[0] for answer in answers)
    assert statuses == [200] * (THREADS - 4) + [503] * (CALLS - THREADS + 4)
    placed = [order for order in served.broker.order_book() if order.request.symbol == "RELIANCE"]
    assert len(placed) == THREADS - 4
    assert not [order for order in placed if order.status.is_working], "they were cancelled too"
