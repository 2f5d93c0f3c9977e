"""A person at a browser, without the browser: follows forms as a page offers them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from openalgo_bridge.account.devices import new_device_token
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import Action, Exchange, OrderMode, OrderRequest, PriceType
from openalgo_bridge.model.ticket import Origin, Ticket
from openalgo_bridge.trading import orders
from tests.conftest import PASSWORD, TRADER, Account, app_of, client_of

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_KEY = re.compile(r'id="key" value="([0-9A-Za-z]{32})"')


@dataclass
class Person:
    """One browser at the pages."""

    client: FlaskClient
    texts: list[str] = field(default_factory=list)

    def get(self, path: str) -> TestResponse:
        return self._seen(self.client.get(path))

    def post(self, path: str, *, page: str = "", **fields: str | list[str]) -> TestResponse:
        """Fill the form that ``page`` shows and send it."""
        token = csrf_token(self.get(page or path).text)
        return self.post_raw(path, csrf_token=token, **fields)

    def post_raw(self, path: str, **fields: str | list[str]) -> TestResponse:
        """Send a form without looking at the page first."""
        return self._seen(self.client.post(path, data=fields, headers={"Sec-Fetch-Site": "same-origin"}))

    def sign_in(self, password: str = PASSWORD, username: str = "trader") -> TestResponse:
        return self.post("/login", username=username, password=password)

    def cookie(self, name: str = "bridge_5000") -> str:
        found = self.client.get_cookie(name, domain="127.0.0.1")
        return "" if found is None else found.value

    def _seen(self, answer: TestResponse) -> TestResponse:
        self.texts.append(answer.text)
        answer.close()
        return answer


def known_for_codes(person: Person, desk: Desk) -> None:
    """As the browser is in which the authenticator was set up."""
    token = new_device_token(desk, proved_code=True)
    person.client.set_cookie("bridge_device_5000", token, domain="127.0.0.1")


def a_browser(app: Flask) -> Person:
    """A fresh browser, without any cookie."""
    return Person(client_of(app))


def a_trader_at(desk: Desk) -> Person:
    """The trader, signed in at another desk over the same files."""
    person = a_browser(app_of(desk))
    person.sign_in()
    return person


def csrf_token(text: str) -> str:
    found = _TOKEN.search(text)
    assert found is not None, "the page has no form"
    return found[1]


def shown_key(text: str) -> str:
    found = _KEY.search(text)
    assert found is not None, "the page shows no key"
    return found[1]


@pytest.fixture
def codes() -> list[str]:
    """What the console was told."""
    return []


@pytest.fixture
def app(desk: Desk, codes: list[str]) -> Flask:
    return app_of(desk, codes.append)


@pytest.fixture
def stranger(app: Flask) -> Person:
    """A browser that nobody signed in with."""
    return a_browser(app)


@pytest.fixture
def trader(stranger: Person, account: Account) -> Iterator[Person]:
    """The trader, signed in."""
    assert stranger.sign_in().status_code == 302
    return stranger


def an_order(symbol: str = "RELIANCE", quantity: int = 10, price: str = "0") -> OrderRequest:
    return OrderRequest(
        symbol=symbol,
        exchange=Exchange.NSE,
        action=Action.BUY,
        quantity=quantity,
        price_type=PriceType.LIMIT if price != "0" else PriceType.MARKET,
        price=Decimal(price),
    )


def hold(desk: Desk, request: OrderRequest | None = None, strategy: str = "breakout") -> Ticket:
    """A ticket that waits, as a program's order does in Semi-Auto."""
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    result = orders.place(desk, request or an_order(), Origin(source="api", strategy=strategy, request_id="r1"))
    assert isinstance(result, orders.Held)
    return result.ticket


def send(desk: Desk, request: OrderRequest | None = None, strategy: str = "breakout") -> None:
    """An order that left at once, as in Auto."""
    desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    orders.place(desk, request or an_order(), Origin(source="api", strategy=strategy, request_id="r1"))
