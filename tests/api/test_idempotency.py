"""``Idempotency-Key``: the same call again gets the first answer; another call under the same key gets none."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from openalgo_bridge.account import keys
from openalgo_bridge.account.login import Proof
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.order import OrderMode, OrderRequest
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.trading import approvals
from tests.conftest import PASSWORD, TRADER, Account, FixedClock, app_of, client_of
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORDER = {"strategy": "test", "symbol": "RELIANCE", "exchange": "NSE", "action": "BUY", "quantity": "10"}


@pytest.fixture
def broker(desk: Desk) -> ScriptedBroker:
    return ScriptedBroker(desk)


@pytest.fixture
def scripted(desk: Desk, broker: ScriptedBroker) -> Desk:
    return with_broker(desk, broker)


@pytest.fixture
def app(scripted: Desk) -> Flask:
    return app_of(scripted)


def post(client: FlaskClient, account: Account, key: str, path: str = "placeorder", **fields: Any) -> TestResponse:
    body = {"apikey": account.key, **(fields or ORDER)}
    return client.post(f"/api/v1/{path}", json=body, headers={"Idempotency-Key": key})


def test_the_same_call_again_gets_the_first_answer_and_sends_nothing(
    client: FlaskClient, account: Account, broker: ScriptedBroker
) -> None:
    first, again = post(client, account, "k1"), post(client, account, "k1")
    assert (first.status_code, again.status_code, first.data) == (200, 200, again.data)
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert len(broker.calls) == 1


def test_the_order_of_the_fields_and_where_the_key_stands_do_not_matter(
    client: FlaskClient, account: Account, broker: ScriptedBroker
) -> None:
    post(client, account, "k1")
    turned = dict(reversed(ORDER.items()))
    again = client.post("/api/v1/placeorder", json=turned, headers={"Idempotency-Key": "k1", "X-API-KEY": account.key})
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(broker.calls) == 1


def test_the_same_key_for_another_order_is_refused(
    client: FlaskClient, account: Account, broker: ScriptedBroker
) -> None:
    post(client, account, "k1")
    other = post(client, account, "k1", **{**ORDER, "quantity": "11"})
    assert (other.status_code, len(broker.calls)) == (409, 1)


def test_another_key_or_another_endpoint_is_another_call(
    client: FlaskClient, account: Account, broker: ScriptedBroker
) -> None:
    order_id = post(client, account, "k1").get_json()["orderid"]
    post(client, account, "k2")
    assert post(client, account, "k1", "cancelorder", orderid=order_id, strategy="test").status_code == 200
    assert len(broker.calls) == 3


@pytest.mark.parametrize("key", ["", "x" * 256, "ünï", "tab\there"])
def test_a_key_that_is_none_is_refused(client: FlaskClient, account: Account, broker: ScriptedBroker, key: str) -> None:
    assert post(client, account, key).status_code == 400
    assert broker.calls == []


def test_a_call_that_made_no_ticket_may_be_mended_under_its_key(
    client: FlaskClient, account: Account, broker: ScriptedBroker
) -> None:
    assert post(client, account, "k1", **{**ORDER, "symbol": "NOSUCH"}).status_code == 400
    assert post(client, account, "k1").status_code == 200
    assert len(broker.calls) == 1


def test_the_refusal_of_the_broker_is_answered_again(
    client: FlaskClient, account: Account, broker: ScriptedBroker
) -> None:
    broker.fault = lambda: Rejected("Insufficient funds")
    first, again = post(client, account, "k1"), post(client, account, "k1")
    assert (first.status_code, again.status_code, first.data) == (400, 400, again.data)
    assert len(broker.calls) == 1


def test_an_answer_is_kept_for_a_week(
    client: FlaskClient, account: Account, desk: Desk, broker: ScriptedBroker, clock: FixedClock
) -> None:
    post(client, account, "k1")
    clock.move(days=7)
    assert desk.store.idempotency.prune() == 0
    post(client, account, "k1")
    clock.move(seconds=1)
    assert desk.store.idempotency.prune() == 1
    post(client, account, "k1")
    assert len(broker.calls) == 2


def test_eight_equal_calls_at_once_send_once(app: Flask, account: Account, broker: ScriptedBroker) -> None:
    answers = in_threads(8, lambda: post(client_of(app), account, "k1"))
    codes = sorted(answer.status_code for answer in answers if isinstance(answer, TestResponse))
    assert (set(codes) <= {200, 409}, codes[0], len(broker.calls)) == (True, 200, 1)


def test_while_the_first_is_being_done_the_second_is_told_to_come_back(
    app: Flask, account: Account, broker: ScriptedBroker
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def hang() -> Rejected:
        inside.set()
        go_on.wait(20)
        return Rejected("no")

    broker.fault = hang
    first = threading.Thread(target=lambda: post(client_of(app), account, "k1"))
    first.start()
    assert inside.wait(20)
    second = post(client_of(app), account, "k1")
    go_on.set()
    first.join()
    assert (second.status_code, second.headers["Retry-After"], len(broker.calls)) == (409, "1", 1)


def cut_off(desk: Desk) -> None:
    """As a kill leaves it: the answer of the newest call was never written."""
    desk.store.files[0].write("UPDATE idempotency SET state = 'running', status = NULL, answer = NULL")


def test_after_a_crash_the_journal_answers(
    client: FlaskClient, account: Account, desk: Desk, broker: ScriptedBroker
) -> None:
    first = post(client, account, "k1").get_json()
    cut_off(desk)
    again = post(client, account, "k1")
    assert (again.status_code, again.get_json()["orderid"], len(broker.calls)) == (200, first["orderid"], 1)


def test_after_a_crash_an_order_in_doubt_is_told_to_be_in_doubt(
    client: FlaskClient, account: Account, desk: Desk, broker: ScriptedBroker
) -> None:
    broker.fault = lambda: TimeoutError("read")
    reference = post(client, account, "k1").get_json()["reference"]
    cut_off(desk)
    again = post(client, account, "k1").get_json()
    assert (again["order_status"], again["reference"], len(broker.calls)) == ("unknown", reference, 1)
    desk.store.journal.settle(1, Settlement(state=OrderState.NOT_PLACED), was=OrderState.UNKNOWN)
    gone = post(client, account, "k1")
    assert (gone.status_code, len(broker.calls)) == (403, 1)
    assert reference in gone.get_json()["message"]


def test_after_a_crash_what_is_held_is_told_to_be_held(
    client: FlaskClient, account: Account, scripted: Desk, broker: ScriptedBroker
) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    first = post(client, account, "k1").get_json()
    cut_off(scripted)
    assert post(client, account, "k1").get_json()["pending_order_id"] == first["pending_order_id"]
    (held,) = scripted.store.journal.held()
    approvals.reject(scripted, held.id, held.shown, "no", by=TRADER)
    assert post(client, account, "k1").status_code == 403
    assert broker.calls == []


def test_a_cut_off_cancel_all_still_tells_what_may_yet_be_there(
    client: FlaskClient, account: Account, desk: Desk, broker: ScriptedBroker
) -> None:
    broker.reread_after, broker.fault = None, lambda: TimeoutError("read")
    post(client, account, "k1")
    broker.fault = None
    first = post(client, account, "c1", "cancelallorder", strategy="x").get_json()
    cut_off(desk)
    again = post(client, account, "c1", "cancelallorder", strategy="x").get_json()
    assert (again["status"], again["failed_cancellations"]) == ("error", first["failed_cancellations"])


def test_a_call_that_was_cut_off_before_it_did_anything_is_done(
    client: FlaskClient, account: Account, desk: Desk, broker: ScriptedBroker
) -> None:
    post(client, account, "k1")
    desk.store.files[0].write(
        "UPDATE idempotency SET state = 'running', status = NULL, answer = NULL, request_id = 'nobody'"
    )
    assert post(client, account, "k1").status_code == 200
    assert len(broker.calls) == 2
    assert post(client, account, "k1").headers["Idempotency-Replayed"] == "true"


def test_a_read_has_no_use_for_a_key(client: FlaskClient, account: Account) -> None:
    assert post(client, account, "k1", "ping", strategy="x").status_code == 200
    assert "Idempotency-Replayed" not in post(client, account, "k1", "ping", strategy="x").headers


def test_a_key_that_was_regenerated_in_between_does_not_make_it_another_call(
    client: FlaskClient, account: Account, desk: Desk, broker: ScriptedBroker
) -> None:
    first = post(client, account, "k1")
    fresh = keys.issue(desk, Proof(password=PASSWORD, is_fresh=True), by=TRADER)
    again = post(client, replace(account, key=fresh), "k1")
    assert (again.status_code, again.data, again.headers["Idempotency-Replayed"]) == (200, first.data, "true")
    assert len(broker.calls) == 1
    other = post(client, replace(account, key=fresh), "k1", **{**ORDER, "quantity": "11"})
    assert (other.status_code, len(broker.calls)) == (409, 1)


@pytest.mark.parametrize("path", ["cancelorder", "cancelallorder", "closeposition"])
@pytest.mark.parametrize("key", ["", "x" * 256, "ünï"])
def test_the_way_out_is_never_refused_for_a_key_that_is_none(
    client: FlaskClient, account: Account, desk: Desk, broker: ScriptedBroker, path: str, key: str
) -> None:
    broker.hold("TCS", 5)
    order_id = "" if path == "closeposition" else resting(client, account)
    named = {"orderid": order_id} if path == "cancelorder" else {}
    before = len(broker.calls)
    answer = post(client, account, key, path, strategy="test", **named)
    assert (answer.status_code, answer.get_json()["status"], len(broker.calls)) == (200, "success", before + 1)
    assert "Idempotency-Key counts for nothing" in str(desk.store.traffic.page()[0].message)


def resting(client: FlaskClient, account: Account) -> str:
    """An order that works at the broker."""
    return str(post(client, account, "resting").get_json()["orderid"])


def break_table(desk: Desk) -> None:
    """As a damaged page does it: the rest of the file can still be written."""
    desk.store.files[0].write("ALTER TABLE idempotency RENAME TO lost")


@pytest.mark.parametrize("path", ["cancelorder", "cancelallorder", "closeposition"])
def test_the_way_out_is_never_refused_for_want_of_a_record_and_the_log_says_so(
    client: FlaskClient, account: Account, desk: Desk, broker: ScriptedBroker, path: str
) -> None:
    broker.hold("TCS", 5)
    order_id = "" if path == "closeposition" else resting(client, account)
    named = {"orderid": order_id} if path == "cancelorder" else {}
    break_table(desk)
    before = len(broker.calls)
    answer = post(client, account, "k1", path, strategy="test", **named)
    assert (answer.status_code, answer.get_json()["status"], len(broker.calls)) == (200, "success", before + 1)
    (line, *_) = desk.store.traffic.page()
    assert line.outcome == "sent"
    assert "Idempotency-Key could not be kept" in str(line.message)


@pytest.mark.parametrize("path", ["placeorder", "modifyorder"])
def test_what_opens_a_position_is_not_sent_without_a_record(
    client: FlaskClient, account: Account, desk: Desk, broker: ScriptedBroker, path: str
) -> None:
    order_id = resting(client, account)
    break_table(desk)
    answer = post(client, account, "k1", path, **ORDER, orderid=order_id, pricetype="LIMIT", price="1000")
    assert (answer.status_code, len(broker.calls)) == (503, 1)


CHANGE = {**ORDER, "pricetype": "LIMIT", "price": "1001", "product": "MIS"}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("placeorder", ORDER),
        ("modifyorder", CHANGE),
        ("cancelorder", {"strategy": "test"}),
        ("cancelallorder", {"strategy": "test"}),
        ("closeposition", {"strategy": "test"}),
    ],
)
@pytest.mark.parametrize("fault", [None, lambda: TimeoutError("read")])
def test_after_a_crash_each_endpoint_answers_in_its_own_words(
    client: FlaskClient,
    account: Account,
    desk: Desk,
    broker: ScriptedBroker,
    path: str,
    fields: dict[str, str],
    fault: Callable[[], BaseException] | None,
) -> None:
    broker.hold("TCS", 5)
    named = {"orderid": resting(client, account)} if path in {"modifyorder", "cancelorder"} else {}
    if path == "cancelallorder":
        resting(client, account)
    broker.fault = fault
    first = post(client, account, "k1", path, **fields, **named).get_json()
    calls = len(broker.calls)
    cut_off(desk)
    again = post(client, account, "k1", path, **fields, **named)
    assert (again.status_code, again.headers["Idempotency-Replayed"], len(broker.calls)) == (200, "true", calls)
    # What broke off is said in other words, and nothing else differs.
    assert without_sentences(again.get_json()) == without_sentences(first)
    if fault is None:
        assert again.get_json() == first


def without_sentences(answer: Any) -> Any:
    if isinstance(answer, list):
        return [without_sentences(each) for each in answer]
    if isinstance(answer, dict):
        return {name: without_sentences(each) for name, each in answer.items() if name != "message"}
    return answer


def test_after_a_crash_a_closing_tells_what_was_not_sent_as_failed(
    client: FlaskClient, account: Account, desk: Desk, broker: ScriptedBroker
) -> None:
    for symbol in ("RELIANCE", "TCS", "INFY"):
        broker.hold(symbol, 5)
    post(client, account, "k1", "closeposition", strategy="test")
    one, two, three = desk.store.journal.orders_of([1])
    cut_off(desk)
    with closing(sqlite3.connect(desk.settings.db_dir / "bridge.db")) as db:
        db.execute("DROP TRIGGER orders_moves")
        db.execute("UPDATE orders SET state = 'dropped', message = 'The bridge stopped.' WHERE id = ?", (two.id,))
        db.execute("UPDATE orders SET state = 'unknown' WHERE id = ?", (three.id,))
        db.commit()
    answer = post(client, account, "k1", "closeposition", strategy="test").get_json()
    assert (answer["status"], answer["closed_positions"], answer["failed_closures"]) == ("partial", 1, 2)
    told = {failure["symbol"]: failure["message"] for failure in answer["failures"]}
    assert told.keys() == {order.request.symbol for order in (two, three) if isinstance(order.request, OrderRequest)}
    assert "The bridge stopped." in told.values()
    assert isinstance(one.request, OrderRequest)
    assert one.request.symbol not in told
    assert len(broker.calls) == 3


def test_after_a_crash_a_closing_that_is_held_is_told_to_be_held_and_one_that_was_turned_down_refused(
    client: FlaskClient, account: Account, scripted: Desk, broker: ScriptedBroker
) -> None:
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    broker.hold("TCS", 5)
    first = post(client, account, "k1", "closeposition", strategy="test").get_json()
    cut_off(scripted)
    again = post(client, account, "k1", "closeposition", strategy="test").get_json()
    assert again["pending_order_id"] == first["pending_order_id"]
    (held,) = scripted.store.journal.held()
    approvals.reject(scripted, held.id, held.shown, "no", by=TRADER)
    assert post(client, account, "k1", "closeposition", strategy="test").status_code == 403
