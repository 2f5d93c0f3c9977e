"""The first minutes: ``/setup``."""

from __future__ import annotations

import pytest

from openalgo_bridge.account import keys
from openalgo_bridge.desk import Desk
from tests.conftest import PASSWORD, Account
from tests.web.conftest import Person, shown_key

FIELDS = {"username": "trader", "password": PASSWORD, "accept_risk": "yes"}


@pytest.mark.parametrize("path", ["/", "/login", "/apikey", "/action-center", "/traffic"])
def test_every_page_leads_to_setup_while_there_is_no_account(stranger: Person, path: str) -> None:
    answer = stranger.get(path)
    assert (answer.status_code, answer.location) == (302, "/setup")


def test_the_right_code_makes_the_account_and_shows_the_key_once(
    stranger: Person, desk: Desk, codes: list[str]
) -> None:
    answer = stranger.post("/setup", setup_code=codes[-1], **FIELDS)
    key = shown_key(answer.text)
    assert keys.verify(desk, key)
    assert answer.headers["Cache-Control"] == "no-store"
    # Signed in, and the key is nowhere else.
    for path in ("/", "/apikey", "/orders", "/traffic", "/action-center"):
        page = stranger.get(path)
        assert page.status_code == 200
        assert key not in page.text


def test_a_wrong_code_makes_nothing(stranger: Person, desk: Desk, codes: list[str]) -> None:
    answer = stranger.post("/setup", setup_code="AAAA-BBBB-CCCC", **FIELDS)
    assert answer.status_code == 403
    assert "Wrong set-up code" in answer.text
    assert desk.store.users.get() is None


def test_five_wrong_codes_make_the_right_one_useless(stranger: Person, desk: Desk, codes: list[str]) -> None:
    for _ in range(5):
        stranger.post("/setup", setup_code="AAAA-BBBB-CCCC", **FIELDS)
    assert stranger.post("/setup", setup_code=codes[0], **FIELDS).status_code == 403
    assert desk.store.users.get() is None
    assert len(codes) == 2


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"password": "short"}, "At least 12 characters"),
        ({"username": ""}, "Choose a user name"),
        ({"accept_risk": ""}, "Read the risk warning and accept it"),
    ],
)
def test_a_fault_stands_beside_its_field_and_makes_nothing(
    stranger: Person, desk: Desk, codes: list[str], changed: dict[str, str], sentence: str
) -> None:
    answer = stranger.post("/setup", setup_code=codes[-1], **(FIELDS | changed))
    assert answer.status_code == 400
    assert sentence in answer.text
    assert PASSWORD not in answer.text
    assert desk.store.users.get() is None


def test_setup_is_gone_once_an_account_exists(stranger: Person, account: Account, codes: list[str]) -> None:
    assert stranger.get("/setup").status_code == 404
    login_page = stranger.get("/login").text
    assert "Sign in" in login_page
    answer = stranger.post("/setup", page="/login", setup_code=codes[-1], **FIELDS)
    assert answer.status_code == 404
