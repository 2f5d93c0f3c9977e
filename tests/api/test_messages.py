"""Messages to the trader: none is set up, and the caller is told so (contract 2.11.3, 2.11.5)."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.conftest import Post
from tests.conftest import Account

NOTIFY = {"username": "trader", "message": "RELIANCE is at its target."}


@pytest.mark.parametrize("change", [{}, {"priority": 99}, {"priority": "high"}, {"wait_for_delivery": True}])
def test_telegram_says_that_nobody_was_told(post: Post, change: dict[str, Any]) -> None:
    status, answer = post("telegram/notify", **NOTIFY, **change)
    assert status == 409
    assert answer == {
        "status": "error",
        "message": "Telegram is not set up in this bridge, so the message was not sent to anybody.",
    }


@pytest.mark.parametrize(
    "to", [{"self": True}, {"username": "trader"}, {"phone": "+911234567890"}, {"phones": ["+91"]}]
)
def test_whatsapp_says_that_nobody_was_told(post: Post, to: dict[str, Any]) -> None:
    status, answer = post("whatsapp/notify", message="Done.", **to)
    assert (status, answer["status"]) == (409, "error")
    assert "was not sent to anybody" in answer["message"]


@pytest.mark.parametrize(
    ("path", "fields", "faulty"),
    [
        ("telegram/notify", {}, {"username", "message"}),
        ("telegram/notify", {**NOTIFY, "message": " "}, {"message"}),
        ("telegram/notify", {**NOTIFY, "message": "x" * 4097}, {"message"}),
        ("telegram/notify", {**NOTIFY, "username": 5}, {"username"}),
        ("whatsapp/notify", {"message": "Done."}, {"username"}),
        ("whatsapp/notify", {"self": "yes"}, {"message"}),
        ("whatsapp/notify", {"self": "perhaps", "message": "Done."}, {"self"}),
    ],
)
def test_what_is_missing_is_told_first(post: Post, path: str, fields: dict[str, Any], faulty: set[str]) -> None:
    status, answer = post(path, **fields)
    assert status == 400
    assert set(answer["errors"]) == faulty


def test_a_key_in_the_header_is_taken(client: FlaskClient, account: Account) -> None:
    answer = client.post("/api/v1/telegram/notify", json=NOTIFY, headers={"X-API-KEY": account.key})
    assert answer.status_code == 409


@pytest.mark.parametrize("path", ["telegram/notify", "whatsapp/notify"])
def test_a_wrong_key_is_told_nothing(client: FlaskClient, path: str) -> None:
    answer = client.post(f"/api/v1/{path}", json={**NOTIFY, "apikey": "x" * 32})
    assert answer.status_code == 403
