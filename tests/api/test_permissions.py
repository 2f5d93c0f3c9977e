"""What the key may do and from where: every endpoint, every grant, generated from the table."""

from __future__ import annotations

import dataclasses
import http.client
import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from openalgo_bridge.account import keys
from openalgo_bridge.account.login import Proof
from openalgo_bridge.account.setup import create_account
from openalgo_bridge.api import routes
from openalgo_bridge.api.endpoints import ANY_KEY, ENDPOINTS, Endpoint
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, NotAllowed
from openalgo_bridge.model.address import ANYWHERE, THIS_PC, AddressRule
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.books import Position
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, Product, TradingMode
from openalgo_bridge.model.permission import PRESETS, READS, Grants, Permission, Preset
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import orders
from openalgo_bridge.trading.mode import switch_by_program
from tests.api.conftest import send
from tests.conftest import PASSWORD, TRADER, Account, Live
from tests.fakes import ScriptedBroker, with_broker

GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.needs is not ANY_KEY]
EVERYTHING: Grants = frozenset(Permission)
ORDER = {"strategy": "t", "symbol": "RELIANCE", "exchange": "NSE", "action": "BUY", "quantity": 1}
# What other endpoints want to be told.
OTHERS = {"orderid": "1", "product": "MIS", "mode": True, "date": "2026-11-20", "username": "t", "message": "x"}

POSITION = Position(
    symbol="SBIN",
    exchange=Exchange.NSE,
    product=Product.CNC,
    quantity=5,
    average_price=Decimal(800),
    ltp=Decimal(801),
    realised=Decimal(0),
)

Call = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def call(client: FlaskClient, account: Account) -> Call:
    def post(path: str, address: str = "127.0.0.1", **fields: object) -> tuple[int, dict[str, Any]]:
        (endpoint,) = [each for each in ENDPOINTS if path in {each.path, each.name}]
        whole = {"apikey": account.key, **ORDER, **OTHERS, **fields}
        answer = send(client, endpoint, whole, environ_base={"REMOTE_ADDR": address})
        return answer.status_code, answer.get_json()

    return post


def permit(desk: Desk, *granted: Permission) -> None:
    desk.store.api_keys.permit(frozenset(granted), by=TRADER)


def name_of(endpoint: Endpoint) -> str:
    return endpoint.name


@pytest.mark.parametrize("endpoint", GUARDED, ids=name_of)
def test_every_grant_but_the_needed_one_is_403_and_names_it(desk: Desk, call: Call, endpoint: Endpoint) -> None:
    assert endpoint.needs is not None
    permit(desk, *(EVERYTHING - {endpoint.needs}))
    status, answer = call(endpoint.name)
    assert status == 403
    assert answer["message"].startswith("API key not authorized: ")
    assert endpoint.needs.sentence in answer["message"]
    row = desk.store.traffic.page(limit=1)[0]
    assert (row.status, row.outcome, row.message) == (403, "not allowed", answer["message"])
    assert desk.store.journal.tickets() == []


@pytest.mark.parametrize("endpoint", GUARDED, ids=name_of)
def test_the_needed_grant_alone_is_enough(desk: Desk, call: Call, endpoint: Endpoint) -> None:
    assert endpoint.needs is not None
    permit(desk, endpoint.needs)
    status, answer = call(endpoint.name)
    assert status != 403, answer


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.needs is ANY_KEY], ids=name_of)
def test_what_tells_nothing_needs_the_key_alone(desk: Desk, call: Call, endpoint: Endpoint) -> None:
    permit(desk)
    # 409: no messenger is set up.
    assert call(endpoint.name)[0] == (409 if endpoint.path.endswith("/notify") else 200)


def test_an_endpoint_cannot_be_declared_without_what_it_needs() -> None:
    (needs,) = [field for field in dataclasses.fields(Endpoint) if field.name == "needs"]
    assert needs.default is dataclasses.MISSING
    assert needs.default_factory is dataclasses.MISSING


def test_the_readme_names_what_each_endpoint_needs() -> None:
    readme = (Path(routes.__file__).parent / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(/[a-z/<>]+)` \| (?:`([a-z_]+)`|any key[^|]*) \|", readme, re.MULTILINE))
    assert told == {endpoint.path: endpoint.needs or "" for endpoint in ENDPOINTS}


def test_the_program_does_not_start_with_a_route_that_is_in_no_row(desk: Desk) -> None:
    app = routes.create_api(desk)
    app.add_url_rule("/api/v1/backdoor", view_func=lambda: "open")
    with pytest.raises(RuntimeError, match="/api/v1/backdoor"):
        routes.refuse_undeclared(app)


@pytest.mark.parametrize(
    ("preset", "path", "is_allowed"),
    [
        (Preset.FULL, "/placeorder", True),
        (Preset.FULL, "/funds", True),
        (Preset.READ_ONLY, "/funds", True),
        (Preset.READ_ONLY, "/placeorder", False),
        (Preset.READ_ONLY, "/cancelorder", False),
        (Preset.TRADE_ONLY, "/placeorder", True),
        (Preset.TRADE_ONLY, "/orderbook", True),
        (Preset.TRADE_ONLY, "/funds", False),
    ],
)
def test_a_preset_allows_what_its_name_says(
    desk: Desk, call: Call, preset: Preset, path: str, is_allowed: bool
) -> None:
    permit(desk, *PRESETS[preset])
    assert (call(path)[0] != 403) is is_allowed


def test_a_grant_that_was_taken_away_is_gone_on_the_next_call(desk: Desk, call: Call) -> None:
    assert call("/placeorder")[0] == 200
    permit(desk, *READS)
    assert call("/placeorder")[0] == 403
    permit(desk, *PRESETS[Preset.FULL])
    assert call("/placeorder")[0] == 200


def test_rules_that_mean_nothing_allow_nothing(desk: Desk, call: Call) -> None:
    for column, nonsense in (("permissions", "everything"), ("addresses", "listed"), ("addresses", "")):
        desk.store.files[0].write(f"UPDATE api_key SET {column} = ?", (nonsense,))
        status, _ = call("/placeorder")
        assert status == 503
        desk.store.files[0].write("UPDATE api_key SET permissions = 'place_orders', addresses = 'anywhere'")
    assert desk.store.journal.tickets() == []


def test_a_loop_of_refused_calls_is_slowed_down(app: Flask, desk: Desk, account: Account) -> None:
    slow = dataclasses.replace(desk, settings=dataclasses.replace(desk.settings, api_rate_limit="2 per minute"))
    permit(desk)
    caller = routes.create_api(slow).test_client()
    from_table = [
        caller.post("/api/v1/funds", json={"apikey": account.key}, environ_overrides={routes.NOTE: _note()}).status_code
        for _ in range(3)
    ]
    assert from_table == [403, 403, 429]


def _note() -> routes.Note:
    return routes.Note(request_id="r")


@pytest.mark.parametrize(
    ("rule", "address", "is_allowed"),
    [
        (ANYWHERE, "203.0.113.9", True),
        (ANYWHERE, "", True),
        (THIS_PC, "127.0.0.1", True),
        (THIS_PC, "::1", True),
        (THIS_PC, "::ffff:127.0.0.1", True),
        (THIS_PC, "203.0.113.9", False),
        (THIS_PC, "", False),
        (AddressRule.of_networks("203.0.113.0/24 2001:db8::/32"), "203.0.113.9", True),
        (AddressRule.of_networks("203.0.113.0/24 2001:db8::/32"), "2001:db8::7", True),
        (AddressRule.of_networks("203.0.113.0/24 2001:db8::/32"), "127.0.0.1", False),
        (AddressRule.of_networks("203.0.113.7"), "203.0.113.8", False),
    ],
)
def test_the_key_works_from_the_addresses_it_may_be_used_from(
    desk: Desk, call: Call, rule: AddressRule, address: str, is_allowed: bool
) -> None:
    desk.store.api_keys.restrict(rule, by=TRADER)
    status, answer = call("/ping", address=address)
    assert (status == 200) is is_allowed
    if not is_allowed:
        assert status == 403
        assert answer["message"].startswith("API key not authorized: calls from")
        row = desk.store.traffic.page(limit=1)[0]
        assert (row.outcome, row.message) == ("not allowed", answer["message"])


def test_a_wrong_key_from_a_wrong_address_is_told_of_the_key_alone(
    desk: Desk, client: FlaskClient, account: Account
) -> None:
    desk.store.api_keys.restrict(AddressRule.of_networks("203.0.113.7"), by=TRADER)
    wrong = client.post("/api/v1/ping", json={"apikey": "x" * 32})
    assert (wrong.status_code, "address" in wrong.text, "127.0.0.1" in wrong.text) == (403, False, False)


def test_the_last_use_is_noted_with_program_and_endpoint(desk: Desk, client: FlaskClient, account: Account) -> None:
    client.post("/api/v1/ping", json={"apikey": account.key}, headers={"User-Agent": "AmiBroker"})
    active = desk.store.api_keys.active()
    assert active is not None
    use = desk.store.key_uses.latest(active.key.fingerprint)
    assert use is not None
    assert (use.program, use.address, use.endpoint) == ("AmiBroker", "127.0.0.1", "/api/v1/ping")


def test_spaces_around_the_key_are_noted_beside_the_refusal(desk: Desk, client: FlaskClient, account: Account) -> None:
    permit(desk)
    said = client.post("/api/v1/funds", json={"apikey": f" {account.key}\n"}).get_json()["message"]
    assert desk.store.traffic.page(limit=1)[0].message == f"The key had spaces around it. {said}"


@pytest.mark.parametrize("end", [keys.issue, keys.revoke])
def test_an_ended_key_is_refused_on_the_very_next_request(live: Live, end: Callable[..., object]) -> None:
    old = create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)

    def ping(key: object) -> tuple[int, str]:
        connection.request("POST", "/api/v1/ping", json.dumps({"apikey": key}))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    assert ping(old)[0] == 200
    fresh = end(live.desk, Proof(password=PASSWORD), by=TRADER)
    status, text = ping(old)
    row = live.desk.store.traffic.page(limit=1)[0]
    assert (status, row.outcome) == (403, "wrong key")
    assert "Invalid openalgo apikey. This key was re" in text
    assert (row.message or "") in text
    if fresh:
        assert ping(fresh)[0] == 200
    connection.close()


def test_a_switch_to_paper_is_told_with_key_address_and_program(desk: Desk, account: Account) -> None:
    live = with_broker(desk, ScriptedBroker(desk), TradingMode.LIVE)
    go_live(desk)
    permit(desk, Permission.SWITCH_ANALYZER)
    caller = routes.create_api(live).test_client()
    answer = caller.post(
        "/api/v1/analyzer/toggle",
        json={"apikey": account.key, "mode": True},
        headers={"User-Agent": "AmiBroker"},
        environ_overrides={routes.NOTE: _note()},
    )
    assert (answer.status_code, answer.get_json()["data"]["mode"]) == (200, "analyze")
    line = desk.store.audit.page(limit=1)[0]
    fingerprint = keys.verify(desk, account.key).fingerprint
    assert (line.before, line.after) == ("live", "analyze")
    assert line.actor == Actor(name=f"API key {fingerprint}", address="127.0.0.1", program="AmiBroker")


def test_a_refused_call_is_no_use_of_the_key(desk: Desk, call: Call) -> None:
    permit(desk)
    call("/funds")
    active = desk.store.api_keys.active()
    assert active is not None
    assert desk.store.key_uses.of(active.key.fingerprint) == []


def test_a_use_that_cannot_be_noted_refuses_nothing(desk: Desk, call: Call) -> None:
    desk.store.files[1].write("DROP TABLE key_use")
    assert call("/placeorder")[0] == 200


# -- live trading -----------------------------------------------------------------------------------


def go_live(desk: Desk) -> None:
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)


def test_trading_live_needs_its_grant_and_a_cancel_does_not(desk: Desk, account: Account, app: Flask) -> None:
    live = with_broker(desk, ScriptedBroker(desk), TradingMode.LIVE)
    go_live(desk)
    caller = routes.create_api(live).test_client()

    def post(path: str, **fields: object) -> tuple[int, str]:
        body = {"apikey": account.key, **ORDER, **fields}
        answer = caller.post(f"/api/v1/{path}", json=body, environ_overrides={routes.NOTE: _note()})
        return answer.status_code, answer.get_json()["message"] if answer.status_code != 200 else ""

    status, message = post("placeorder")
    assert status == 403
    assert Permission.LIVE_TRADING.sentence in message
    assert desk.store.journal.tickets() == []
    permit(desk, *PRESETS[Preset.FULL], Permission.LIVE_TRADING)
    assert post("placeorder")[0] == 200
    order_id = desk.store.journal.orders_of([desk.store.journal.tickets()[0].id])[0].broker_order_id
    permit(desk, *PRESETS[Preset.FULL])
    assert post("cancelorder", orderid=order_id)[0] == 200


def test_no_program_goes_live(desk: Desk, call: Call) -> None:
    permit(desk, *Permission)
    status, answer = call("/analyzer/toggle", mode=False)
    assert status == 403
    assert "going live is done by you, on the page /analyzer/live" in answer["message"]
    assert desk.store.preferences.trading_mode() is TradingMode.ANALYZE


def test_only_a_program_with_the_grant_goes_back_to_paper(desk: Desk, account: Account) -> None:
    live = with_broker(desk, ScriptedBroker(desk), TradingMode.LIVE)
    go_live(desk)
    with pytest.raises(NotAllowed, match="no permission to switch"):
        switch_by_program(live, TradingMode.ANALYZE, may_switch=False, by=TRADER)
    assert desk.store.preferences.trading_mode() is TradingMode.LIVE
    assert switch_by_program(live, TradingMode.ANALYZE, may_switch=True, by=TRADER) is TradingMode.ANALYZE
    assert desk.store.preferences.trading_mode() is TradingMode.ANALYZE


def test_a_live_position_keeps_the_account_live(desk: Desk, account: Account) -> None:
    live = with_broker(desk, ScriptedBroker(desk, held=[POSITION]), TradingMode.LIVE)
    go_live(desk)
    with pytest.raises(Conflict, match="holds SBIN"):
        switch_by_program(live, TradingMode.ANALYZE, may_switch=True, by=TRADER)
    assert desk.store.preferences.trading_mode() is TradingMode.LIVE


def test_a_working_live_order_keeps_the_account_live(desk: Desk, account: Account) -> None:
    live = with_broker(desk, ScriptedBroker(desk), TradingMode.LIVE)
    go_live(desk)
    origin = Origin(source="api", strategy="t", request_id="r", may_trade_live=True)
    orders.place(live, OrderRequest(symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=1), origin)
    with pytest.raises(Conflict, match="1 working"):
        switch_by_program(live, TradingMode.ANALYZE, may_switch=True, by=TRADER)
    assert desk.store.preferences.trading_mode() is TradingMode.LIVE
