"""Calls that are a GET: the key and the fields stand in the address, and the address is written down nowhere."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.desk import Desk
from tests.conftest import PASSWORD, Account, Live, app_of, client_of
from tests.wire import Wire

WHERE = "/api/v1/instruments"


def test_the_key_is_taken_from_the_query_or_the_header(client: FlaskClient, account: Account) -> None:
    for headers, query in (
        ({}, {"apikey": account.key}),
        ({}, {"apikey": f" {account.key} "}),
        ({"X-API-KEY": account.key}, {}),
        ({"X-API-KEY": account.key}, {"apikey": account.key}),
    ):
        assert client.get(WHERE, query_string=query, headers=headers).status_code == 200


def test_a_key_in_the_body_of_a_get_is_not_looked_at(client: FlaskClient, account: Account) -> None:
    assert client.get(WHERE, json={"apikey": account.key}).status_code == 400


def test_a_field_that_is_there_twice_is_refused(client: FlaskClient, account: Account) -> None:
    asked = f"apikey={account.key}&exchange=NSE&exchange=BSE"
    answer = client.get(f"{WHERE}?{asked}")
    assert (answer.status_code, answer.get_json()["message"]) == (400, "The field 'exchange' is there twice.")
    two_keys = client.get(f"{WHERE}?apikey={account.key}&apikey={'x' * 32}")
    assert two_keys.status_code == 400


def test_fields_that_mean_nothing_are_ignored(client: FlaskClient, account: Account) -> None:
    asked = {"apikey": account.key, "adjusted": "true", "sort": "asc", "exchange": "NSE_INDEX", "": "x"}
    assert client.get(WHERE, query_string=asked).status_code == 200


@pytest.mark.parametrize("query", ["%FF=%FE", "a%00b=c", "exchange=%D9%A1", "exchange=N%53E%0a", "&&&==&", "exchange"])
def test_no_query_is_a_fault_of_ours(client: FlaskClient, account: Account, query: str) -> None:
    answer = client.get(f"{WHERE}?apikey={account.key}&{query}")
    assert answer.status_code in {200, 400}


def test_the_limit_and_the_permission_count_as_for_a_post(desk: Desk, account: Account) -> None:
    slow = client_of(app_of(replace(desk, settings=replace(desk.settings, api_rate_limit="2 per minute"))))
    asked = {"apikey": account.key, "format": "csv", "exchange": "NSE_INDEX"}
    answers = [slow.get(WHERE, query_string=asked) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_an_idempotency_key_means_nothing_to_a_read(client: FlaskClient, account: Account) -> None:
    answer = client.get(WHERE, query_string={"apikey": account.key}, headers={"Idempotency-Key": "once"})
    assert answer.status_code == 200
    assert "Idempotency-Replayed" not in answer.headers


def test_the_traffic_log_has_the_path_alone(client: FlaskClient, desk: Desk, account: Account) -> None:
    client.get("/api/v1/ticker/NSE:SBIN", query_string={"apikey": account.key, "from": "x"})
    (row,) = desk.store.traffic.page()
    assert (row.method, row.endpoint, row.status) == ("GET", "/api/v1/ticker/NSE:SBIN", 400)
    assert row.key_fingerprint


def test_no_file_and_no_answer_has_the_key_of_a_query(live: Live, capfd: pytest.CaptureFixture[str]) -> None:
    key = create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    mistyped = key[:-1] + ("x" if key[-1] != "x" else "y")
    odd = [
        f"/api/v1/instruments?apikey={key}&exchange={key}",
        f"/api/v1/instruments?format=csv&apikey={key}&exchange={key}",
        f"/api/v1/ticker/{key}?apikey={key}&from={key}&to={key}&interval={key}",
        f"/api/v1/ticker/NSE:SBIN?apikey={key}&from=2026-11-19&to=2026-11-20&{key}={key}",
        f"/api/v1/nothing/{key}?apikey={key}",
        f"/api/v1/instruments?apikey={mistyped}",
    ]
    with Wire(live.port) as wire:
        for target in odd:
            answer = wire.ask(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\n\r\n".encode())
            assert key.encode() not in answer.head + answer.body, target
    assert len(live.desk.store.traffic.page()) == len(odd)
    written = b"".join(path.read_bytes() for path in live.desk.settings.db_dir.iterdir() if path.is_file())
    assert len(written) > 10_000
    assert key.encode() not in written
    assert mistyped.encode() not in written
    told = capfd.readouterr()
    assert key not in told.out + told.err
