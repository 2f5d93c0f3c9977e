"""DNS rebinding (security T1): whatever a request says whom it is for, nobody is served but our own names.

Bytes on real sockets, at every route of both URL maps. The default run takes a sample in which every spelling and
every route occurs several times; ``--slow`` asks the whole product.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice, product

import pytest
from flask import Flask

from openalgo_bridge.account.setup import create_account
from tests.bridge_rows import calls_logged, rows_of_every_table
from tests.conftest import PASSWORD, Live, app_of
from tests.wire import Answer, Wire

CLIENTS = 4
SAMPLE = 1600
SEED = 20261121


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How a request says whom it is for. ``{port}`` is the bridge's, ``{path}`` what is asked.

    ``status`` is 421 from the guard, or what the web server itself says.
    """

    lines: tuple[str, ...] = ()
    target: str = "{path}"
    version: str = " HTTP/1.1"
    status: int = 421

    def request(self, method: str, path: str, port: int) -> bytes:
        """The bytes of one request without a body."""
        lines = [f"{method} {self.target}{self.version}", *self.lines, "Content-Length: 0"]
        return _filled("".join(f"{line}\r\n" for line in lines) + "\r\n", port, path).encode()

    def telltales(self, port: int, path: str) -> list[bytes]:
        """What an answer would repeat if it repeated the name."""
        named = [line.partition(":")[2].strip() for line in self.lines]
        return [_filled(name, port, path).encode() for name in (*named, "evil") if name]


def _filled(text: str, port: int, path: str) -> str:
    return text.replace("{port}", str(port)).replace("{path}", path)


HOSTS = [
    "",
    "evil.example",
    "evil.example:{port}",
    "xn--evl-2ja.example:{port}",
    # Our names, without the port or with another one.
    "127.0.0.1",
    "localhost",
    "[::1]",
    "127.0.0.1:",
    "127.0.0.1:80",
    "localhost:1{port}",
    "127.0.0.1:0{port}",
    "127.0.0.1:+{port}",
    "127.0.0.1:{port}:{port}",
    "127.0.0.1:{port}.",
    "127.0.0.1:{port};",
    # Case and trailing dots.
    "LOCALHOST:{port}",
    "LocalHost:{port}",
    "localhost.:{port}",
    "127.0.0.1.:{port}",
    # Other ways to write this PC.
    "127.1:{port}",
    "127.0.1:{port}",
    "127.0.0.2:{port}",
    "0.0.0.0:{port}",
    "0:{port}",
    "2130706433:{port}",
    "017700000001:{port}",
    "0177.0.0.1:{port}",
    "0x7f000001:{port}",
    "0x7f.0.0.1:{port}",
    "127.0.0.01:{port}",
    "[::]:{port}",
    "[0:0:0:0:0:0:0:1]:{port}",
    "[0::1]:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "[::ffff:7f00:1]:{port}",
    "[::127.0.0.1]:{port}",
    "[::1%25lo]:{port}",
    "::1:{port}",
    "[::1:{port}",
    # Names that lead here.
    "app.localhost:{port}",
    "127.0.0.1.localhost:{port}",
    "localhost.localdomain:{port}",
    "localhost.evil.example:{port}",
    "127.0.0.1.nip.io:{port}",
    # Userinfo, several names, parts of a URL.
    "user@localhost:{port}",
    "localhost:{port}@evil.example",
    "evil.example@127.0.0.1:{port}",
    "localhost:{port}, evil.example",
    "evil.example, localhost:{port}",
    "localhost:{port} evil.example",
    "localhost :{port}",
    "local host:{port}",
    "localhost:\t{port}",
    "http://127.0.0.1:{port}",
    "//127.0.0.1:{port}",
    "127.0.0.1:{port}/",
    "127.0.0.1:{port}?",
    "127.0.0.1:{port}#",
    "127.0.0.1:{port}\\",
    '"127.0.0.1:{port}"',
    "localhost%3a{port}",
    "%6cocalhost:{port}",
    # What some programs fold into ASCII.
    "127.0.0.1:５０００",
    "ｌｏｃａｌｈｏｓｔ:{port}",
    "ⓛocalhost:{port}",
    "127。0。0。1:{port}",
    "localhost\u200b:{port}",
    "\ufefflocalhost:{port}",
    "loca\u04c0host:{port}",
    "localhost\xa0:{port}",
    # Long ones, the last beyond what the web server reads.
    "a" * 255 + ":{port}",
    "evil." * 3000 + ":{port}",
]
OUR_NAMES = ("127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}")
OURS = "Host: 127.0.0.1:{port}"
SPELLINGS = [
    *(Spelling(lines=(f"Host: {host}",)) for host in HOSTS),
    Spelling(),
    Spelling(version=" HTTP/1.0"),
    Spelling(version=" HTTP/1.0", lines=("Host: evil.example:{port}",)),
    Spelling(version=""),
    Spelling(version=" HTTP/2.0", lines=("Host: evil.example:{port}",)),
    Spelling(lines=("host: evil.example:{port}",)),
    # Two names: which of them counts is anybody's guess, so neither does.
    Spelling(lines=(OURS, "Host: evil.example")),
    Spelling(lines=("Host: evil.example", OURS)),
    Spelling(lines=(OURS, OURS)),
    Spelling(lines=(OURS, "Host:")),
    Spelling(lines=(OURS, "hOST: evil.example")),
    # The name in the request line counts more than the header (RFC 9112 3.2.2).
    Spelling(lines=(OURS,), target="http://evil.example:{port}{path}"),
    Spelling(lines=(OURS,), target="HTTP://EVIL.example{path}"),
    Spelling(lines=(OURS,), target="https://127.0.0.1:{port}{path}"),
    Spelling(lines=(OURS,), target="http://127.0.0.1{path}"),
    Spelling(lines=(OURS,), target="http://user@127.0.0.1:{port}{path}"),
    Spelling(lines=(OURS,), target="http://127.0.0.1:{port}@evil.example{path}"),
    Spelling(lines=(OURS,), target="http://evil.example?http://127.0.0.1:{port}{path}"),
    Spelling(lines=(OURS,), target="evil.example:{port}"),
    Spelling(lines=(OURS,), target="*"),
    Spelling(lines=("Host: evil.example",), target="http://127.0.0.1:{port}{path}"),
    Spelling(target="http://127.0.0.1:{port}{path}"),
    # Headers that name a host for proxies.
    Spelling(lines=("Host: evil.example", "X-Forwarded-Host: 127.0.0.1:{port}")),
    Spelling(lines=("Host: evil.example", "Forwarded: host=127.0.0.1:{port}")),
    Spelling(lines=("Host: evil.example", "X-Host: 127.0.0.1:{port}", "X-Original-Host: 127.0.0.1:{port}")),
    Spelling(lines=(OURS, "X-Forwarded-Host: evil.example")),
    Spelling(lines=("HTTP_HOST: 127.0.0.1:{port}", "X_Host: 127.0.0.1:{port}")),
    # What is no header at all, which the web server sees.
    Spelling(lines=("Host : 127.0.0.1:{port}",), status=400),
    Spelling(lines=("Host: evil.example\0127.0.0.1:{port}",), status=400),
    Spelling(lines=("Host: 127.0.0.1:{port}\rX: evil",), status=400),
    Spelling(lines=("Host: 127.0.0.1:{port}\nHost: evil",), status=400),
    Spelling(lines=("Host: " + "a" * 17_000 + ":{port}",), status=431),
]

Case = tuple[Spelling, tuple[str, str]]


def every_request(app: Flask) -> list[tuple[str, str]]:
    """Method and path of every rule of both URL maps, OPTIONS always, and of what no rule has."""
    asked = {
        ("GET", path) for path in ("/nothing/here", "/static/nothing.css", "/api/v1/nothing", "//", "/favicon.ico")
    }
    asked |= {("OPTIONS", "/nothing/here"), ("TRACE", "/"), ("PUT", "/orders"), ("POST", "/nothing"), ("BREW", "/")}
    for rule in [*app.url_map.iter_rules(), *app.extensions["api"].url_map.iter_rules()]:
        path = re.sub(r"<[^>]+>", "1", re.sub(r"<path:[^>]+>", "app.css", rule.rule))
        asked |= {(method, path) for method in {*(rule.methods or ()), "OPTIONS"}}
    return sorted(asked)


@pytest.fixture
def requests(live: Live) -> list[tuple[str, str]]:
    """The route tables are those of a second app over the same files: nobody serves it."""
    create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    found = every_request(app_of(live.desk))
    assert len(found) > 60
    return found


def a_sample(requests: Sequence[tuple[str, str]], size: int) -> list[Case]:
    """Every spelling and every request about equally often, in pairs that are the same in every run."""
    chance = random.Random(SEED)
    spellings, asked = [*SPELLINGS], [*requests]
    chance.shuffle(spellings)
    chance.shuffle(asked)
    # Where the two lengths have a common factor, cycling both would only ever meet some pairs.
    turned = (asked[(turn + turn // len(asked)) % len(asked)] for turn in range(size))
    return list(zip(islice(cycle(spellings), size), turned, strict=True))


def faults_of(live: Live, cases: Sequence[Case], address: str = "127.0.0.1") -> list[str]:
    """What is wrong with the answers, asked on several connections at once."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        parts = pool.map(
            lambda part: list(_faults(live.port, part, address)), [cases[n::CLIENTS] for n in range(CLIENTS)]
        )
    return [fault for part in parts for fault in part]


def _faults(port: int, cases: Sequence[Case], address: str) -> Iterator[str]:
    with Wire(port, address) as wire:
        for spelling, (method, path) in cases:
            answer = wire.ask(spelling.request(method, path, port))
            for fault in _wrong(answer, spelling, spelling.telltales(port, path)):
                yield f"{fault}: {method} {path} with {spelling}"


def _wrong(answer: Answer, spelling: Spelling, telltales: list[bytes]) -> Iterator[str]:
    if answer.status != spelling.status:
        yield f"answered {answer.status}"
    if any(name in answer.head + answer.body for name in telltales):
        yield "the answer repeats the name"
    if b"set-cookie" in answer.head.lower():
        yield "the answer sets a cookie"


def check(live: Live, cases: Sequence[Case]) -> None:
    before, logged = rows_of_every_table(live.desk), calls_logged(live.desk)
    assert faults_of(live, cases) == []
    assert rows_of_every_table(live.desk) == before
    # Nothing that was turned away is missing in the log.
    assert calls_logged(live.desk) - logged == len(cases)
    assert {call.outcome for call in live.desk.store.traffic.page(limit=len(cases))} == {"refused"}


def test_no_spelling_of_another_name_reaches_any_route(live: Live, requests: list[tuple[str, str]]) -> None:
    cases = a_sample(requests, SAMPLE)
    assert {spelling for spelling, _ in cases} == set(SPELLINGS)
    assert {asked for _, asked in cases} == set(requests)
    check(live, cases)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_spelling_reaches_a_route_in_the_whole_product(live: Live, requests: list[tuple[str, str]]) -> None:
    check(live, list(product(SPELLINGS, requests)))


def test_the_ipv6_door_is_as_strict(live: Live, requests: list[tuple[str, str]]) -> None:
    ours = Spelling(lines=(f"Host: {OUR_NAMES[2]}",))
    try:
        with Wire(live.port, "::1") as wire:
            assert wire.ask(ours.request("GET", "/healthz", live.port)).status == 200
    except OSError:
        pytest.skip("this PC has no IPv6")
    assert faults_of(live, a_sample(requests, 2 * len(SPELLINGS)), "::1") == []


@pytest.mark.parametrize("name", OUR_NAMES)
@pytest.mark.parametrize("target", ["{path}", "http://127.0.0.1:{port}{path}"])
def test_our_own_names_reach_every_route(live: Live, requests: list[tuple[str, str]], name: str, target: str) -> None:
    ours = Spelling(lines=(f"Host: {name}",), target=target)
    with Wire(live.port) as wire:
        answers = {asked: wire.ask(ours.request(*asked, live.port)).status for asked in requests}
    assert 421 not in answers.values()
    assert answers["GET", "/healthz"] == answers["GET", "/login"] == answers["GET", "/static/app.css"] == 200


def test_there_are_enough_spellings() -> None:
    assert len(set(SPELLINGS)) == len(SPELLINGS) >= 100
