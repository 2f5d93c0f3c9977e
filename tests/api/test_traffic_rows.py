"""Every request is one closed row that says what became of it, whichever route it took and however it ended."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from openalgo_bridge.api.endpoint import Endpoint, Method
from openalgo_bridge.api.endpoints import ENDPOINTS
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.calls import CallKind, CallOutcome, Listener
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.traffic_upkeep import TrafficUpkeep
from tests.api.conftest import ORDER, Post, address_of, rest, send
from tests.api.test_permissions import OTHERS, permit
from tests.conftest import TRADER, Account, app_of, client_of
from tests.traffic_rows import last_row, rows

ANY_FIELDS = {**ORDER, **OTHERS}


@dataclass(frozen=True)
class Scene:
    """One bridge, and a program that knows its key."""

    client: FlaskClient
    desk: Desk
    key: str

    def ask(self, endpoint: Endpoint, key: str | None = None, **options: object) -> TestResponse:
        return send(self.client, endpoint, {"apikey": key or self.key, **ANY_FIELDS}, **options)


def answered(scene: Scene, endpoint: Endpoint) -> TestResponse:
    return scene.ask(endpoint)


def without_a_key(scene: Scene, endpoint: Endpoint) -> TestResponse:
    return send(scene.client, endpoint, ANY_FIELDS)


def with_a_wrong_key(scene: Scene, endpoint: Endpoint) -> TestResponse:
    return scene.ask(endpoint, key="wrong")


def malformed(scene: Scene, endpoint: Endpoint) -> TestResponse:
    if endpoint.method is Method.POST:
        return scene.client.post(address_of(endpoint), data=b'{"apikey":')
    return scene.client.get(address_of(endpoint), query_string="apikey=a&apikey=b")


def not_permitted(scene: Scene, endpoint: Endpoint) -> TestResponse:
    permit(scene.desk)
    return scene.ask(endpoint)


def elsewhere(scene: Scene, endpoint: Endpoint) -> TestResponse:
    return scene.client.post(f"{address_of(endpoint)}/no/such/path", json={"apikey": scene.key})


def by_another_method(scene: Scene, endpoint: Endpoint) -> TestResponse:
    return scene.client.put(address_of(endpoint), json={"apikey": scene.key})


def too_often(scene: Scene, endpoint: Endpoint) -> TestResponse:
    settings = replace(scene.desk.settings, order_rate_limit="1 per hour", api_rate_limit="1 per hour")
    strict = replace(scene, client=client_of(app_of(replace(scene.desk, settings=settings))))
    strict.ask(endpoint)
    return strict.ask(endpoint)


def with_a_broken_file(scene: Scene, endpoint: Endpoint) -> TestResponse:
    account = scene.desk.store.files[0]
    account.write("ALTER TABLE api_key RENAME TO gone")
    try:
        return scene.ask(endpoint)
    finally:
        account.write("ALTER TABLE gone RENAME TO api_key")


def with_a_bug(scene: Scene, endpoint: Endpoint) -> TestResponse:
    def broken(**_: str) -> None:
        raise ZeroDivisionError("a bug")

    app = app_of(scene.desk)
    app.extensions["api"].view_functions[endpoint.name] = broken
    return replace(scene, client=client_of(app)).ask(endpoint)


def by_another_name(scene: Scene, endpoint: Endpoint) -> TestResponse:
    return scene.ask(endpoint, headers={"Host": "bridge.example"})


def through_a_tunnel(scene: Scene, endpoint: Endpoint) -> TestResponse:
    return scene.ask(endpoint, headers={"X-Forwarded-For": "203.0.113.9"})


@dataclass(frozen=True)
class End:
    """How calls are made to end, and what their answers and rows say then. None: whatever each endpoint says."""

    made: Callable[[Scene, Endpoint], TestResponse]
    status: int | None
    outcome: CallOutcome | None
    calls: int = 1


ENDS = (
    End(answered, None, None),
    End(without_a_key, 400, CallOutcome.NO_KEY),
    End(with_a_wrong_key, 403, CallOutcome.WRONG_KEY),
    End(malformed, 400, CallOutcome.BAD_REQUEST),
    End(elsewhere, 404, CallOutcome.NOT_FOUND),
    End(by_another_method, 404, CallOutcome.NOT_FOUND),
    End(too_often, 429, CallOutcome.TOO_MANY, calls=2),
    End(with_a_broken_file, 503, CallOutcome.FAILED),
    End(with_a_bug, 500, CallOutcome.FAILED),
    End(by_another_name, 421, CallOutcome.REFUSED),
    End(through_a_tunnel, 421, CallOutcome.REFUSED),
)


@pytest.fixture
def scene(client: FlaskClient, desk: Desk, account: Account) -> Scene:
    return Scene(client, desk, account.key)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.made.__name__)
def test_every_endpoint_and_this_end_is_one_closed_row(scene: Scene, end: End) -> None:
    for endpoint in ENDPOINTS:
        before = len(rows(scene.desk))
        answer = end.made(scene, endpoint)
        answer.close()  # as a server does at the end
        *_, row = new = rows(scene.desk)[before:]
        assert len(new) == end.calls, endpoint.name
        assert row.status == answer.status_code == (end.status or answer.status_code), (endpoint.name, answer.text)
        assert row.outcome == (end.outcome or row.outcome)
        assert row.outcome in set(CallOutcome)
        assert row.duration_ms is not None
        assert (row.kind, row.listener, row.address) == (CallKind.API, Listener.MAIN, "127.0.0.1")
        said = scene.desk.store.traffic.bodies(row.id)
        assert said is not None
        assert said.answer_bytes == len(answer.data), endpoint.name
    count = scene.desk.store.traffic.completeness()
    assert (count.answers, count.rows, count.missing) == (len(rows(scene.desk)), len(rows(scene.desk)), 0)


def test_a_call_without_the_permission_is_one_closed_row(scene: Scene) -> None:
    guarded = [endpoint for endpoint in ENDPOINTS if endpoint.needs is not None]
    for endpoint in guarded:
        assert not_permitted(scene, endpoint).status_code == 403
        assert (last_row(scene.desk).status, last_row(scene.desk).outcome) == (403, CallOutcome.NOT_ALLOWED)
    assert len(rows(scene.desk)) == len(guarded) > 20


def test_most_endpoints_were_asked_what_they_answer(scene: Scene) -> None:
    """Otherwise the table above would only tell of refusals."""
    done = [endpoint for endpoint in ENDPOINTS if answered(scene, endpoint).status_code == 200]
    assert len(done) >= len(ENDPOINTS) // 3


def test_a_page_and_what_it_loads_are_rows_without_bodies(client: FlaskClient, desk: Desk) -> None:
    paths = ["/login", "/static/app.css", "/nosuch", "/"]
    answers = [client.get(path) for path in paths]
    for answer in answers:
        answer.close()
    told = [(row.endpoint, row.status, row.kind, desk.store.traffic.bodies(row.id)) for row in rows(desk)]
    assert told == [
        (path, answer.status_code, CallKind.PAGE, None) for path, answer in zip(paths, answers, strict=True)
    ]
    assert [row.outcome for row in rows(desk)] == ["ok", "ok", "not found", "ok"]
    assert desk.store.traffic.page() == []


def test_what_the_guard_turned_away_from_a_page_is_seen_among_the_calls(client: FlaskClient, desk: Desk) -> None:
    client.post("/login", data={"password": "correct horse battery"}, headers={"Origin": "https://evil.example"})
    (row,) = desk.store.traffic.page()
    assert (row.endpoint, row.status, row.outcome, row.kind) == ("/login", 403, "refused", CallKind.STRAY)
    assert desk.store.traffic.bodies(row.id) is None


def test_an_order_tells_its_row_what_it_was_about(post: Post, desk: Desk) -> None:
    _, placed = post("placeorder", **ORDER)
    row = last_row(desk)
    (ticket,) = desk.store.journal.tickets()
    assert (row.outcome, row.ticket_id, row.order_ref) == ("sent", ticket.id, placed["orderid"])
    assert (row.source, row.strategy, row.symbol) == ("api", "test", "RELIANCE")
    assert (row.trading_mode, row.forwarded_for) == (TradingMode.ANALYZE, None)
    assert row.key_fingerprint is not None
    assert row.broker_ms is not None
    said = desk.store.traffic.bodies(row.id)
    assert said is not None
    assert '"apikey": "[key]"' in said.request
    assert '"symbol": "RELIANCE"' in said.request
    assert placed["orderid"] in said.answer
    assert desk.store.traffic.of_ticket(ticket.id) == [row]


def test_a_held_order_tells_its_reference(post: Post, desk: Desk) -> None:
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    _, queued = post("placeorder", **ORDER)
    row = last_row(desk)
    assert (row.outcome, row.order_ref, row.trading_mode) == ("held", queued["reference"], TradingMode.ANALYZE)


def test_a_basket_tells_its_symbols(post: Post, desk: Desk) -> None:
    legs = [{**ORDER, "symbol": symbol, "pricetype": "MARKET", "product": "MIS"} for symbol in ("SBIN", "INFY", "SBIN")]
    post("basketorder", strategy="pair", orders=legs)
    assert (last_row(desk).strategy, last_row(desk).symbol) == ("pair", "SBIN, INFY")


def test_of_many_symbols_the_first_are_told(post: Post, desk: Desk) -> None:
    post("multiquotes", symbols=[{"symbol": f"S{number}", "exchange": "NSE"} for number in range(9)])
    assert last_row(desk).symbol == "S0, S1, S2, S3, S4 and 4 more"


def test_a_refused_request_was_about_something_too(client: FlaskClient, desk: Desk) -> None:
    client.post("/api/v1/placeorder", json={**ORDER, "apikey": "wrong"})
    row = last_row(desk)
    assert (row.strategy, row.symbol, row.outcome) == ("test", "RELIANCE", "wrong key")


def test_a_refusal_of_the_broker_is_no_fault_of_the_bridge(post: Post, desk: Desk) -> None:
    post("cancelorder", orderid=rest(post))
    post("cancelorder", orderid=last_row(desk).order_ref)
    assert (last_row(desk).status, last_row(desk).outcome) == (400, "rejected")


def test_the_same_call_again_tells_the_first_order(client: FlaskClient, desk: Desk, account: Account) -> None:
    for _ in range(2):
        client.post(
            "/api/v1/placeorder", json={"apikey": account.key, **ORDER}, headers={"Idempotency-Key": "once-and-again"}
        )
    first, again = rows(desk)
    assert (first.outcome, again.outcome) == ("sent", "replayed")
    assert again.order_ref == first.order_ref is not None


def test_where_a_row_cannot_be_written_it_is_counted_as_missing(post: Post, desk: Desk) -> None:
    post("ping")
    desk.store.files[1].write(
        "CREATE TRIGGER full BEFORE INSERT ON call BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    assert post("ping")[0] == 200
    assert post("placeorder", **ORDER)[0] == 503
    count = desk.store.traffic.completeness()
    assert (count.answers, count.rows, count.missing) == (3, 1, 2)


def test_where_a_body_cannot_be_written_the_row_is_closed_without_it(post: Post, desk: Desk) -> None:
    desk.store.files[1].write(
        "CREATE TRIGGER full BEFORE INSERT ON call_body BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    assert post("ping")[0] == 200
    assert last_row(desk).status == 200
    assert desk.store.traffic.bodies(last_row(desk).id) is None
    assert desk.store.traffic.completeness().missing == 0


def test_an_order_that_was_answered_while_its_row_could_not_be_closed_is_linked_to_it_later(
    post: Post, desk: Desk
) -> None:
    desk.store.files[1].write(
        "CREATE TRIGGER full BEFORE UPDATE ON call BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    _, placed = post("placeorder", **ORDER)
    assert (last_row(desk).status, desk.store.traffic.completeness().missing) == (None, 1)
    desk.store.files[1].write("DROP TRIGGER full")
    TrafficUpkeep(desk.store, desk.clock).round()
    (ticket,) = desk.store.journal.tickets()
    assert desk.store.traffic.of_ticket(ticket.id) == [last_row(desk)]
    assert (last_row(desk).outcome, last_row(desk).order_ref) == ("sent", placed["orderid"])
    assert desk.store.traffic.completeness().missing == 0


def test_while_another_program_holds_the_traffic_log_a_cancel_is_done_and_an_order_refused(
    post: Post, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    order = rest(post)
    with closing(sqlite3.connect(desk.store.files[1].path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert post("placeorder", **ORDER)[0] == 503
        assert post("cancelorder", orderid=order)[0] == 200
    assert desk.store.traffic.completeness().missing == 2
    # The cancel did not wait once more for what the order had waited for in vain.
    (first, *others) = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    assert "locked" in first
    assert others
    assert all("by another program" in told for told in others)
