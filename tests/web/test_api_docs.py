"""``/docs``: every endpoint, its form, and the programs it offers, which really run."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import openalgo
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.api.endpoints import ENDPOINTS
from openalgo_bridge.api.openapi import document
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.settings import Settings
from openalgo_bridge.web import programs
from openalgo_bridge.web.api_reference import Operation, operations
from tests.conftest import PASSWORD, TRADER, Account, Live
from tests.web.conftest import Person, a_browser

OPERATIONS = {each.id: each for each in operations(document(ENDPOINTS, Settings()))}
URL = "http://127.0.0.1:5000"
PATIENCE = 60
PLACES = 8
# Done, refused for what stands in the books, no such order, no messenger, not offered by the broker.
OF_A_CALL_THAT_WAS_READ = {200, 400, 404, 409, 501}


def request_of(operation: Operation, url: str = URL) -> programs.Request:
    """The call as the page first shows it."""
    values = {
        field.name: json.loads(field.prefilled) if field.is_list else field.prefilled
        for field in operation.fields
        if field.prefilled
    }
    return programs.Request(
        operation=operation.id, method=operation.method, url=url, path=operation.path, values=values
    )


def filled(operation: Operation) -> programs.Request:
    """The call with something in each of its fields."""
    asked = request_of(operation)
    return replace(asked, values={field.name: field.example for field in operation.fields} | dict(asked.values))


def text_of(request: programs.Request, language: str) -> str:
    return next(each.text for each in programs.programs(request) if each.id == f"{request.operation}-{language}")


def section(text: str, name: str) -> str:
    """One endpoint of the page."""
    return text.split(f'id="{name}"', 1)[1].split('class="api-call', 1)[0]


@pytest.fixture
def page(trader: Person) -> str:
    answer = trader.get("/docs")
    assert answer.status_code == 200
    return answer.text


def test_every_endpoint_is_there_with_its_sentence_its_fields_and_its_programs(page: str) -> None:
    assert set(OPERATIONS) == {endpoint.name for endpoint in ENDPOINTS}
    for name, operation in OPERATIONS.items():
        part = section(page, name)
        assert operation.summary.replace("'", "&#39;") in part, name
        for field in operation.fields:
            assert f'name="{field.name}"' in part, (name, field.name)
        for language in ("curl", "cmd", "python", "node", "afl"):
            assert f'id="{name}-{language}"' in part, (name, language)


def test_the_field_of_the_key_belongs_to_no_form_and_has_no_name(page: str, account: Account) -> None:
    (field,) = re.findall(r'<input[^>]*id="docs-key"[^>]*>', page)
    assert " name=" not in field
    assert " value=" not in field
    assert 'autocomplete="off"' in field
    assert all("docs-key" not in form for form in re.findall(r"<form.*?</form>", page, re.DOTALL))
    assert account.key not in page


def test_the_parts_that_need_scripts_are_hidden_without(page: str) -> None:
    assert re.search(r"<section[^>]*data-key-card hidden>", page)
    for button in re.findall(r"<button[^>]*data-send[^>]*>", page):
        assert button.endswith(" hidden>")


def test_without_scripts_the_form_puts_what_was_typed_into_the_programs(trader: Person) -> None:
    text = trader.get("/docs?call=placeorder&symbol=M%26M&quantity=7&nonsense=1").text
    part = section(text, "placeorder")
    assert re.match(r" open>", part)
    assert 'value="M&amp;M"' in part
    assert "nonsense" not in part
    (shown,) = re.findall(r'id="placeorder-curl"[^>]*>(.*?)</pre>', part, re.DOTALL)
    assert "{&#34;symbol&#34;:&#34;M&amp;M&#34;,&#34;quantity&#34;:&#34;7&#34;}" in shown
    assert "RELIANCE" in section(text, "quotes"), "the others keep their examples"


def test_the_page_asks_for_the_programs_of_what_is_typed_just_now(trader: Person) -> None:
    answer = trader.get("/docs/programs?call=funds&symbol=SBIN")
    assert answer.get_json()["funds-curl"] == text_of(request_of(OPERATIONS["funds"]), "curl")
    assert len(answer.get_json()) == 5
    assert trader.get("/docs/programs?call=nothing").status_code == 404
    assert trader.get("/docs/programs").status_code == 404


def test_a_list_is_a_list_in_the_programs_and_whatever_else_was_typed_there_is_text(trader: Person) -> None:
    named = next((each for each in OPERATIONS.values() if any(field.is_list for field in each.fields)), None)
    if named is None:
        pytest.skip("no endpoint takes a list")
    field = next(field for field in named.fields if field.is_list)
    deep = "[" * 5000
    for typed, meant in (("[1,2]", [1, 2]), ("[1,", "[1,"), (deep, deep)):
        answer = trader.client.get("/docs/programs", query_string={"call": named.id, field.name: typed})
        assert body_of_curl(answer.get_json()[f"{named.id}-curl"]) == {field.name: meant}


def test_what_sends_an_order_says_to_which_account(trader: Person, desk: Desk) -> None:
    assert "Send it: the paper account" in section(trader.get("/docs").text, "placeorder")
    assert "Send it" not in section(trader.get("/docs").text, "funds")
    assert "data-send hidden>Send it<" in section(trader.get("/docs").text, "chart"), "it changes something, no order"
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    part = section(trader.get("/docs").text, "placeorder")
    assert re.search(r'btn-danger"[^>]*>Send it: REAL MONEY', part)


def test_a_stranger_is_asked_to_sign_in(stranger: Person, account: Account) -> None:
    answer = stranger.get("/docs")
    assert answer.status_code == 302
    assert "/login?next=docs.docs" in answer.headers["Location"]


def test_the_example_of_every_call_is_taken(app: Flask, account: Account) -> None:
    """Nothing that the page offers to send is bad input."""
    for operation in OPERATIONS.values():
        request = request_of(operation)
        answer = a_browser(app).client.open(
            request.whole_address.removeprefix(URL),
            method=operation.method,
            json=None if request.is_read_by_address else request.body,
            headers={"X-API-KEY": account.key},
        )
        assert answer.status_code in OF_A_CALL_THAT_WAS_READ, (operation.id, answer.text)
        faults = (answer.get_json(silent=True) or {}).get("errors", {})
        # What is not listed on the day of the test is no fault of the form.
        assert all(re.search("not found|No strikes found", str(fault)) for fault in faults.values()), answer.text


# -- the programs say the same, whatever is typed ------------------------------------------------------------------

TYPED = st.dictionaries(
    st.sampled_from(["symbol", "strategy", "exchange", "price"]), st.text(st.characters(codec="utf-8"), max_size=20)
)
POST = OPERATIONS["placeorder"]


def posted(values: dict[str, Any]) -> programs.Request:
    return programs.Request(operation="placeorder", method="POST", url=URL, path=POST.path, values=values)


def body_of_curl(text: str) -> Any:
    words = shlex.split(text)
    return json.loads(words[words.index("-d") + 1])


@given(TYPED)
def test_curl_sends_what_was_typed(values: dict[str, str]) -> None:
    text = text_of(posted(values), "curl")
    assert body_of_curl(text) == values
    assert shlex.split(text)[:4] == ["curl", "-s", "-H", "X-API-KEY: $OPENALGO_API_KEY"]


@given(TYPED)
def test_curl_in_the_windows_prompt_sends_what_was_typed(values: dict[str, str]) -> None:
    text = text_of(posted(values), "cmd")
    assert body_of_curl(text) == values
    body = text.split(" -d ", 1)[1].rsplit(" ", 1)[0]
    assert not re.search(r"[&|<>^%!\r\n]", body), "the prompt would read it"
    assert body.isascii()


@given(TYPED)
def test_python_says_what_was_typed(values: dict[str, str]) -> None:
    tree = ast.parse(text_of(posted(values), "python"))
    (call,) = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and "placeorder" in ast.unparse(each.func)]
    assert {each.arg: ast.literal_eval(each.value) for each in call.keywords} == values


@given(TYPED)
def test_node_sends_what_was_typed(values: dict[str, str]) -> None:
    text = text_of(posted(values), "node")
    assert json.loads(text.split("JSON.stringify(", 1)[1].rsplit("),\n}).then", 1)[0]) == values
    assert text.isascii()


@given(TYPED)
def test_amibroker_sends_what_was_typed(values: dict[str, str]) -> None:
    text = text_of(posted(values), "afl")
    call = text.split("InternetPostRequest( ", 1)[1].split(" );\n    text =", 1)[0]
    address, *pieces = [json.loads(piece) for piece in re.findall(r'"(?:\\.|[^"\\])*"', call)]
    assert address == f"{URL}/api/v1/placeorder"
    assert json.loads("".join(pieces)) == values
    assert text.isascii()


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_get_asks_for_what_was_typed(exchange: str, symbol: str) -> None:
    request = programs.Request(
        operation="get_ticker",
        method="GET",
        url=URL,
        path="/api/v1/ticker/{symbol}",
        values={"symbol": symbol, "exchange": exchange},
    )
    for language in ("curl", "cmd", "node", "afl"):
        (found,) = re.findall(rf"{URL}[^\"' ]*", text_of(request, language))
        parts = urlsplit(found)
        assert dict(parse_qsl(parts.query, keep_blank_values=True)) == {"exchange": exchange}
        assert "/" not in parts.path.removeprefix("/api/v1/ticker/")


# -- and they run ---------------------------------------------------------------------------------------------------


@pytest.fixture
def key(live: Live) -> Iterator[str]:
    yield create_account(live.desk, "trader", PASSWORD, risk_accepted=True)


def test_the_python_client_has_what_its_programs_call() -> None:
    """By its own signatures: a method that is renamed in a later release fails here. With every field filled in."""
    spoken = 0
    for operation in OPERATIONS.values():
        tree = ast.parse(text_of(filled(operation), "python"))
        for call in [each for each in ast.walk(tree) if isinstance(each, ast.Call)]:
            if ast.unparse(call.func).startswith("client."):
                method = getattr(openalgo.api, ast.unparse(call.func).removeprefix("client."))
                inspect.signature(method).bind(
                    None, **{str(each.arg): ast.unparse(each.value) for each in call.keywords}
                )
                spoken += 1
    assert spoken >= 14
    assert set(programs.NAMED_OTHERWISE.values()) | programs.NAMED_ALIKE <= set(dir(openalgo.api))


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_the_python_program_runs(live: Live, key: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENALGO_API_KEY", key)
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(text_of(request_of(OPERATIONS[name], live.url), "python"), name, "exec"), {})
    (row,) = live.desk.store.traffic.page()
    assert row.status in OF_A_CALL_THAT_WAS_READ, told.getvalue()
    assert told.getvalue().strip()


@pytest.mark.skipif(shutil.which("sh") is None or shutil.which("curl") is None, reason="needs curl and a POSIX shell")
def test_the_curl_lines_run(live: Live, key: str) -> None:
    for name, operation in OPERATIONS.items():
        done = subprocess.run(
            ["sh", "-c", text_of(request_of(operation, live.url), "curl")],
            env={**os.environ, "OPENALGO_API_KEY": key},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        assert live.desk.store.traffic.page(limit=1)[0].status in OF_A_CALL_THAT_WAS_READ, (name, done.stdout)
    assert len(live.desk.store.traffic.page(limit=1000)) == len(OPERATIONS)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_node_programs_run(live: Live, key: str, tmp_path: Path) -> None:
    """Those of one file do not wait for each other, so there are no more of them than places at the broker."""
    texts = [text_of(request_of(operation, live.url), "node") for operation in OPERATIONS.values()]
    for begin in range(0, len(texts), PLACES):
        program = tmp_path / f"calls-{begin}.js"
        program.write_text("\n".join(texts[begin : begin + PLACES]), encoding="utf-8")
        done = subprocess.run(
            ["node", str(program)],
            env={**os.environ, "OPENALGO_API_KEY": key},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
    rows = live.desk.store.traffic.page(limit=1000)
    assert len(rows) == len(OPERATIONS)
    assert {row.status for row in rows} <= OF_A_CALL_THAT_WAS_READ
