"""What charting programs keep with the bridge (contract 2.11.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.permission import Permission
from tests.api.conftest import Post
from tests.conftest import TRADER, Account


def kept(client: FlaskClient, account: Account) -> Any:
    answer = client.get("/api/v1/chart", query_string={"apikey": account.key})
    assert answer.status_code == 200
    assert answer.text == json.dumps(answer.get_json(), separators=(",", ":"), ensure_ascii=True)
    return answer.get_json()["data"]


def test_nothing_is_kept_at_first(client: FlaskClient, account: Account) -> None:
    assert kept(client, account) == {}


def test_what_is_kept_comes_back_as_text(client: FlaskClient, account: Account, post: Post) -> None:
    layout = {"panes": [1, 2.5], "grid": True, "none": None}
    answer = post("chart", tv_theme="dark", layout=layout, zoom=1.5, size=3)
    assert answer == (200, {"status": "success", "message": "Preferences updated successfully"})
    found = kept(client, account)
    assert found == {"tv_theme": "dark", "layout": found["layout"], "zoom": "1.5", "size": "3"}
    assert json.loads(found["layout"]) == layout


def test_only_what_is_named_changes(client: FlaskClient, account: Account, post: Post) -> None:
    post("chart", theme="dark", zoom="1")
    post("chart", theme="light")
    assert kept(client, account) == {"theme": "light", "zoom": "1"}


def test_a_name_that_means_something_elsewhere_means_nothing_here(
    client: FlaskClient, account: Account, post: Post
) -> None:
    post("chart", order_type="LIMIT", orderId=5, model_config="x", texts="y")
    assert kept(client, account) == {"order_type": "LIMIT", "orderId": "5", "model_config": "x", "texts": "y"}


def test_the_key_is_never_kept(client: FlaskClient, account: Account, post: Post) -> None:
    post("chart", theme="dark", note=f"my key is {account.key}")
    found = kept(client, account)
    assert set(found) == {"theme", "note"}
    assert account.key not in json.dumps(found)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "At least one preference is needed."),
        ({f"n{number}": "x" for number in range(51)}, "At most 50 preferences at once."),
        ({"n" * 51: "x"}, "The name of a preference has 1 to 50 characters."),
        ({"": "x"}, "The name of a preference has 1 to 50 characters."),
    ],
)
def test_what_cannot_be_kept_is_told(
    client: FlaskClient, account: Account, post: Post, fields: dict[str, Any], told: str
) -> None:
    status, answer = post("chart", **fields)
    assert status == 400
    assert told in answer["message"]
    assert kept(client, account) == {}


def test_there_is_a_limit_for_all_together(client: FlaskClient, account: Account, post: Post) -> None:
    for number in range(50):
        assert post("chart", **{f"n{number}": "x"})[0] == 200
    status, answer = post("chart", n0="changed", one_more="x")
    assert status == 400
    assert answer["message"] == "At most 50 preferences are kept. This would make 51."
    assert kept(client, account)["n0"] == "x"


def test_who_may_not_read_bars_keeps_no_charts(client: FlaskClient, account: Account, post: Post, desk: Desk) -> None:
    desk.store.api_keys.permit(frozenset({Permission.QUOTES}), by=TRADER)
    assert post("chart", theme="dark")[0] == 403
    assert client.get("/api/v1/chart", query_string={"apikey": account.key}).status_code == 403


def test_without_a_key_nothing_is_told(client: FlaskClient, account: Account, post: Post) -> None:
    post("chart", theme="dark")
    answer = client.get("/api/v1/chart")
    assert (answer.status_code, answer.get_json()["status"]) == (400, "error")
    assert client.get("/api/v1/chart", query_string={"apikey": "x" * 32}).status_code == 403
