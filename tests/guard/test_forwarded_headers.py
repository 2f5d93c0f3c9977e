"""What a header says about where a request comes from (security T24): it can close a door, and never open one.

The main listener trusts no proxy. Junk in front of a request leaves the decision as it is or makes it 421, and the
address in the traffic log is that of the socket.
"""

from __future__ import annotations

import json
import string
from itertools import product

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.model.address import AddressRule
from openalgo_bridge.model.apikey import new_key
from tests.bridge_rows import calls_logged, rows_of_every_table
from tests.conftest import PASSWORD, TRADER, Live
from tests.wire import Wire

PEER = "127.0.0.1"
ABOUT_THE_CALLER = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Forwarded-Prefix",
    "X-Forwarded",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Originating-IP",
    "X-Remote-IP",
    "X-Remote-Addr",
    "X-Host",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-Forwarded-User",
    "Client-IP",
    "True-Client-IP",
    "Fastly-Client-IP",
    "CF-Connecting-IP",
    "CF-Ray",
    "CDN-Loop",
    "Via",
    "Remote-Addr",
    "Remote-User",
    "REMOTE_ADDR",
    "X_Forwarded_For",
    "Server-Name",
    "Script-Name",
    "Path-Info",
    "wsgi.url-scheme",
    "From",
]
# These say what the request is, or whose. The property is about where it claims to come from.
NOT_JUNK = {"content-length", "transfer-encoding", "x-api-key", "authorization", "expect", "host"}

names = st.one_of(
    st.sampled_from(ABOUT_THE_CALLER),
    st.sampled_from(ABOUT_THE_CALLER).map(str.swapcase),
    st.text("!#$%&'*+-.^_`|~" + string.ascii_letters + string.digits, min_size=1, max_size=30),
).filter(lambda name: name.lower() not in NOT_JUNK)
values = st.one_of(
    st.sampled_from(
        ["10.0.0.1", "::1", PEER, "unknown", "for=10.0.0.1;host=evil", "10.0.0.1, 127.0.0.1", "-1", "POST"]
    ),
    st.ip_addresses().map(str),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"]), max_size=60),
)
junk = st.lists(st.tuples(names, values), min_size=1, max_size=6)


def requests_of(port: int, key: str) -> dict[str, tuple[bytes, int]]:
    """A request per kind of decision, and the decision without any junk."""

    def call(path: str, **fields: str) -> bytes:
        body = json.dumps(fields)
        head = f"POST /api/v1/{path} HTTP/1.1\r\n@Host: {PEER}:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
        return (head + body).encode()

    def page(path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\n@Host: {PEER}:{port}\r\n\r\n".encode()

    return {
        "the right key": (call("ping", apikey=key), 200),
        "a wrong key": (call("ping", apikey=new_key()), 403),
        "no key": (call("funds"), 400),
        "no such call": (call("nothing", apikey=key), 404),
        "an open page": (page("/login"), 200),
        "a closed page": (page("/orders"), 302),
    }


@pytest.fixture
def key(live: Live) -> str:
    return create_account(live.desk, "trader", PASSWORD, risk_accepted=True)


def with_junk(request: bytes, headers: list[tuple[str, str]]) -> bytes:
    """The headers in front of all others. A header is bytes: one character, one byte."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
    return request.replace(b"@", lines, 1)


def test_the_decisions_without_any_junk(live: Live, key: str) -> None:
    with Wire(live.port) as wire:
        for request, decision in requests_of(live.port, key).values():
            assert wire.ask(with_junk(request, [])).status == decision


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(headers=junk)
@example(headers=[("X-Forwarded-For", "10.0.0.1")])
@example(headers=[("X-Real-IP", PEER), ("Remote-Addr", "10.0.0.1")])
def test_junk_in_front_never_opens_a_door_nor_changes_the_address(
    live: Live, key: str, headers: list[tuple[str, str]]
) -> None:
    before = rows_of_every_table(live.desk)
    with Wire(live.port) as wire:
        for kind, (request, decision) in requests_of(live.port, key).items():
            first = calls_logged(live.desk)
            answer = wire.ask(with_junk(request, headers))
            assert answer.status in {decision, 421}, kind
            assert calls_logged(live.desk) == first + 1, kind
            row = live.desk.store.traffic.call(first + 1)
            assert row is not None
            assert (row.status, row.address, row.forwarded_for) == (answer.status, PEER, None), kind
    assert rows_of_every_table(live.desk) == before


def test_no_header_makes_a_stranger_this_pc(live: Live, key: str) -> None:
    """The other way round: whoever comes from elsewhere does not get nearer by saying 127.0.0.1."""
    with Wire(live.port) as wire:
        for header, (request, decision) in product(ABOUT_THE_CALLER, requests_of(live.port, key).values()):
            for value in (PEER, f"{PEER}:{live.port}", "localhost", f"for={PEER}", "1"):
                assert wire.ask(with_junk(request, [(header, value)])).status in {decision, 421}, header
    assert {row.address for row in live.desk.store.traffic.page(limit=5000)} == {PEER}


def test_no_header_lends_the_key_an_address_it_may_be_used_from(live: Live, key: str) -> None:
    allowed = "203.0.113.7"
    live.desk.store.api_keys.restrict(AddressRule.of_networks(allowed), by=TRADER)
    call, _ = requests_of(live.port, key)["the right key"]
    with Wire(live.port) as wire:
        assert wire.ask(with_junk(call, [])).status == 403
        for header, value in product(ABOUT_THE_CALLER, (allowed, f"for={allowed}", f"{allowed}, {PEER}")):
            assert wire.ask(with_junk(call, [(header, value)])).status in {403, 421}, header
    assert {row.address for row in live.desk.store.traffic.page(limit=5000)} == {PEER}
