"""What is promised of the key for its whole life, tried as a program and as a stranger who has it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from flask import Flask
from flask.testing import FlaskClient

from openalgo_bridge.account import keys
from openalgo_bridge.account.login import Proof, sign_in
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Denied
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, OrderRequest
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.settings import PROJECT_FOLDER
from openalgo_bridge.trading import orders
from tests.bridge_rows import rows_of_every_table
from tests.conftest import TRADER, Account, FixedClock, client_of
from tests.fakes import ScriptedBroker, with_broker

TEN_YEARS = {"days": 3653}


def test_a_key_never_expires_and_is_never_changed_by_itself(desk: Desk, account: Account, clock: FixedClock) -> None:
    before = keys.verify(desk, account.key)
    clock.move(**TEN_YEARS)
    assert keys.verify(desk, account.key) == before
    assert keys.view(desk, Proof(password=account.password), by=TRADER) == account.key


def test_the_key_opens_no_page(app: Flask, desk: Desk, account: Account) -> None:
    stranger = client_of(app)
    headers = {"X-API-KEY": account.key, "Authorization": f"Bearer {account.key}", "Sec-Fetch-Site": "same-origin"}
    seen = 0
    for rule in app.url_map.iter_rules():
        if rule.arguments or "GET" not in (rule.methods or set()):
            continue
        answer = stranger.get(rule.rule, query_string={"apikey": account.key}, headers=headers)
        opens = answer.status_code == 200 and rule.rule not in {"/login", "/healthz", "/setup"}
        assert not opens, rule.rule
        seen += 1
    assert seen >= 10
    with pytest.raises(Denied):
        sign_in(desk, account.username, account.key, device="", address="127.0.0.1")


def test_the_key_changes_neither_password_nor_settings_nor_itself(app: Flask, desk: Desk, account: Account) -> None:
    before = rows_of_every_table(desk)
    thief = client_of(app)
    fields = {
        "apikey": account.key,
        "password": account.key,
        "confirm": "yes",
        "mode": "auto",
        "new_password": "x" * 20,
    }
    headers = {"X-API-KEY": account.key, "Sec-Fetch-Site": "same-origin"}
    tried = 0
    for rule in app.url_map.iter_rules():
        if "POST" not in (rule.methods or set()) or rule.rule.startswith(("/login", "/setup")):
            continue
        path = re.sub("<[^>]+>", "1", rule.rule)
        assert thief.post(path, data=fields, headers=headers).status_code in {302, 400, 401, 403, 404}, path
        tried += 1
    assert tried >= 8
    assert rows_of_every_table(desk) == before


@dataclass
class Watching(ScriptedBroker):
    """Keeps all that reached it."""

    permits: list[SendPermit[OrderRequest]] = field(default_factory=list)

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        self.permits.append(permit)
        return super().place(permit)


def test_a_broker_never_sees_the_key(desk: Desk, account: Account) -> None:
    desk.doors.open()
    broker = Watching(desk)
    request = OrderRequest(symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=1)
    orders.place(with_broker(desk, broker), request, Origin(source="api", strategy=account.key, request_id="r"))
    (permit,) = broker.permits
    assert account.key not in repr(permit)


def test_a_key_identifies_the_program_that_holds_it(desk: Desk, client: FlaskClient, account: Account) -> None:
    client.post("/api/v1/ping", json={"apikey": account.key})
    (call,) = desk.store.traffic.page()
    assert call.key_fingerprint == keys.verify(desk, account.key).fingerprint


def test_nothing_secret_stands_in_the_settings_file() -> None:
    from_file = (PROJECT_FOLDER / ".env.sample").read_text(encoding="utf-8").lower()
    lines = [line for line in from_file.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) >= 10
    assert not [line for line in lines if any(word in line.split("=")[0] for word in ("secret", "password", "token"))]
