"""A broker that does not answer keeps no page: what it would have said is missing, and the page says so."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.order import BrokerOrderId
from tests.conftest import CHEAP, Account, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_trader_at, an_order, csrf_token, hold, send


class HurryingClock(FixedClock):
    """Whenever somebody measures how long he waited already, it was for ever."""

    def __init__(self, first: FixedClock) -> None:
        super().__init__()
        self.moment = first.moment
        self._hours = itertools.count(step=3600)

    def monotonic(self) -> float:
        return float(next(self._hours))


@dataclass
class Silent(ScriptedBroker):
    """Answers no question while ``is_silent``, before it is ``let_go``."""

    is_silent: bool = False
    let_go: threading.Event = field(default_factory=threading.Event)

    def order(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        self._read("order")
        return super().order(order_id)

    def _read(self, what: str) -> None:
        if self.is_silent:
            self.let_go.wait()
        super()._read(what)


@pytest.fixture
def broker(desk: Desk) -> Iterator[Silent]:
    silent = Silent(desk)
    yield silent
    silent.let_go.set()


@pytest.fixture
def person(desk: Desk, account: Account, broker: Silent, clock: FixedClock) -> Iterator[Person]:
    """At a bridge with an order that was sent, one that waits, and a position; then the broker falls silent."""
    scripted = with_broker(desk, broker)
    send(scripted)
    hold(scripted, an_order("TCS"))
    broker.hold("RELIANCE", 10)
    desk.close()
    again = with_broker(open_desk(desk.settings, HurryingClock(clock), CHEAP), broker)
    again.doors.open()
    yield a_trader_at(again)
    again.close()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/", "slow to answer"),
        ("/action-center", "not known"),
        ("/action-center?tab=all", "Sent"),
        ("/action-center/1", "slow to answer"),
        ("/action-center/2", "slow to answer"),
        ("/action-center/approve-all?which=matching", "price not known"),
        ("/action-center/result?tickets=1", "1 sent"),
        ("/orders", "slow to answer"),
        ("/orders/cancel-all", "slow to answer"),
        ("/positions", "slow to answer"),
        ("/trades", "slow to answer"),
        ("/holdings", "slow to answer"),
        ("/funds", "slow to answer"),
        ("/positions/close", "slow to answer"),
    ],
)
def test_a_page_comes_while_the_broker_is_silent(person: Person, broker: Silent, path: str, told: str) -> None:
    broker.is_silent = True
    page = person.get(path)
    assert page.status_code == 200
    assert told in page.text
    assert not broker.let_go.is_set()


def test_after_the_stop_it_is_seen_to_be_on_while_the_broker_is_silent(person: Person, broker: Silent) -> None:
    token = csrf_token(person.get("/orders").text)
    broker.is_silent = True
    page = person.get(person.post_raw("/kill-switch", csrf_token=token).location)
    assert "<h1>Orders are stopped</h1>" in page.text
    assert "cannot be read now" in page.text
    assert not broker.let_go.is_set()


def test_an_answer_that_comes_in_time_is_shown(desk: Desk, account: Account, broker: Silent) -> None:
    scripted = with_broker(desk, broker)
    broker.hold("RELIANCE", 10)
    assert "sell 10 RELIANCE at market" in a_trader_at(scripted).get("/positions").text
