"""The recorder by itself, around small WSGI apps: what it keeps of a call, and what it must not change."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from openalgo_bridge.model.calls import CallKind, CallOutcome, Listener
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.traffic import Bodies, Call, TrafficLog, call_of
from openalgo_bridge.store.traffic_text import BODY_KEPT
from openalgo_bridge.trading.broker_time import BrokerTime
from openalgo_bridge.traffic import NOTE, TrafficRecorder
from tests.conftest import FixedClock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@pytest.fixture
def traffic(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "traffic.db", synchronous="NORMAL")
    opened.migrate(schema.traffic)
    yield opened
    opened.close()


class Recorded:
    """An app behind the recorder, called as waitress does."""

    def __init__(self, app: WSGIApplication, traffic: Database, **options: Any) -> None:
        self.log = TrafficLog(traffic)
        self.time = BrokerTime()
        self._traffic = traffic
        self.clock = FixedClock()
        self._app = TrafficRecorder(app, self.log, self.clock, self.time, **options)

    def ask(self, path: str = "/api/v1/x", body: bytes = b"", **environ: Any) -> bytes:
        answer = self.begin(path, body, **environ)
        try:
            return b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()

    def begin(self, path: str = "/api/v1/x", body: bytes = b"", **environ: Any) -> Iterable[bytes]:
        request = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        return self._app(request | environ, lambda *_: lambda _: None)

    @property
    def row(self) -> Call:
        return call_of(self._traffic.read("SELECT * FROM call ORDER BY id DESC LIMIT 1")[0])

    @property
    def said(self) -> Bodies | None:
        return self.log.bodies(self.row.id)


class Parts:
    """An answer that is made while it is sent. ``before`` is called before each part but the first."""

    def __init__(self, parts: list[bytes], before: Callable[[], object] = lambda: None) -> None:
        self._parts = parts
        self._before = before
        self.made = 0
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if self.made:
                self._before()
            self.made += 1
            yield part

    def close(self) -> None:
        self.is_closed = True


def whole(answer: Iterable[bytes], length: int) -> WSGIApplication:
    def app(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("content-length", str(length))])
        return answer

    return app


def streamed(answer: Iterable[bytes]) -> WSGIApplication:
    def app(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return answer

    return app


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def test_the_app_reads_the_body_that_the_row_has(traffic: Database) -> None:
    recorded = Recorded(echo, traffic)
    body = b'{"symbol":"SBIN"}' + b" " * 10_000
    assert recorded.ask(body=body) == body
    assert recorded.said is not None
    assert recorded.said.request == recorded.said.answer == body[:BODY_KEPT].decode()
    assert recorded.said.request_bytes == recorded.said.answer_bytes == len(body)


def test_a_body_that_begins_later_in_its_stream_is_read_from_there(traffic: Database) -> None:
    recorded = Recorded(echo, traffic)
    stream = io.BytesIO(b"of another request: mine")
    stream.seek(20)
    assert recorded.ask(**{"wsgi.input": stream, "CONTENT_LENGTH": "4"}) == b"mine"
    assert recorded.said == Bodies(request="mine", request_bytes=4, answer="mine", answer_bytes=4)


def test_a_body_that_can_be_read_only_once_is_left_to_the_app(traffic: Database) -> None:
    class Once(io.BytesIO):
        def seekable(self) -> bool:
            return False

    recorded = Recorded(echo, traffic)
    assert recorded.ask(**{"wsgi.input": Once(b"mine"), "CONTENT_LENGTH": "4"}) == b"mine"
    assert recorded.said is not None
    assert recorded.said.request == "(not kept: it could be read only once)"


@pytest.mark.parametrize("length", ["", "x", "-4"])
def test_a_length_that_is_none_means_no_body(traffic: Database, length: str) -> None:
    recorded = Recorded(echo, traffic)
    recorded.ask(body=b"mine", CONTENT_LENGTH=length)
    assert recorded.row.status == 200
    assert recorded.said is not None
    assert recorded.said.request == ""


def test_a_whole_answer_is_closed_once_and_its_row_is_closed_before_it_leaves(traffic: Database) -> None:
    parts = Parts([b"one ", b"two"])
    recorded = Recorded(whole(parts, 7), traffic)
    answer = recorded.begin()
    assert (recorded.row.status, parts.made, parts.is_closed) == (200, 2, True)
    assert b"".join(answer) == b"one two"
    assert recorded.said == Bodies(request="", request_bytes=0, answer="one two", answer_bytes=7)


def test_an_answer_that_is_made_while_it_is_sent_is_not_held_back(traffic: Database) -> None:
    parts = Parts([b"", b"one ", b"two " * 3000, b"three"])
    recorded = Recorded(streamed(parts), traffic)
    answer = recorded.begin()
    assert (recorded.row.status, parts.made) == (200, 2)
    assert recorded.said == Bodies(request="", request_bytes=0, answer="one ", answer_bytes=4)
    assert b"".join(answer) == b"one " + b"two " * 3000 + b"three"
    answer.close()  # type: ignore[attr-defined]
    assert parts.is_closed
    assert recorded.said is not None
    assert (recorded.said.answer, recorded.said.answer_bytes) == ("one ", 4 + 12_000 + 5)


def test_a_program_that_goes_away_leaves_what_it_was_sent(traffic: Database) -> None:
    parts = Parts([b"one ", b"two ", b"three"])
    recorded = Recorded(streamed(parts), traffic)
    answer = recorded.begin()
    sent = iter(answer)
    assert [next(sent), next(sent)] == [b"one ", b"two "]
    answer.close()  # type: ignore[attr-defined]
    assert (parts.made, parts.is_closed) == (2, True)
    assert recorded.said is not None
    assert recorded.said.answer_bytes == 8
    assert (recorded.row.outcome, recorded.row.message) == ("ok", "The answer broke off after 8 bytes.")


def test_an_answer_that_takes_long_to_make_lasts_until_its_end(traffic: Database) -> None:
    parts = Parts([b"one ", b"two"], before=lambda: recorded.clock.move(seconds=1.5))
    recorded = Recorded(streamed(parts), traffic)
    recorded.ask()
    assert recorded.row.duration_ms is not None
    assert recorded.row.duration_ms >= 1500
    assert (recorded.row.status, recorded.row.outcome, recorded.row.message) == (200, "ok", None)


def test_an_answer_that_fails_in_the_middle_is_no_success(traffic: Database) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a bug")

    parts = Parts([b"one ", b"two"], before=fail)
    recorded = Recorded(streamed(parts), traffic)
    with pytest.raises(ZeroDivisionError):
        recorded.ask()
    assert parts.is_closed
    assert (recorded.row.status, recorded.row.outcome) == (200, "failed")
    assert recorded.row.message == "The answer broke off after 4 bytes."


def test_an_answer_of_one_part_that_was_sent_whole_is_told_once(traffic: Database) -> None:
    recorded = Recorded(streamed(Parts([b"one"])), traffic)
    recorded.ask()
    assert (recorded.row.outcome, recorded.row.message) == ("ok", None)


def test_what_is_raised_before_the_first_part_is_a_500_and_closes_the_answer(traffic: Database) -> None:
    class Broken(Parts):
        def __iter__(self) -> Iterator[bytes]:
            raise ZeroDivisionError("a bug")

    parts = Broken([])
    recorded = Recorded(streamed(parts), traffic)
    with pytest.raises(ZeroDivisionError):
        recorded.begin()
    assert (recorded.row.status, recorded.row.outcome, parts.is_closed) == (500, CallOutcome.FAILED, True)
    assert recorded.log.completeness().missing == 0


def test_what_an_app_raises_is_a_500(traffic: Database) -> None:
    def broken(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        raise ZeroDivisionError("a bug")

    recorded = Recorded(broken, traffic)
    with pytest.raises(ZeroDivisionError):
        recorded.begin()
    assert (recorded.row.status, recorded.row.outcome) == (500, "failed")


def test_a_page_is_a_row_and_its_answer_is_handed_on_untouched(traffic: Database) -> None:
    parts = Parts([b"<html>"])
    recorded = Recorded(streamed(parts), traffic)
    assert recorded.begin("/login", b"password=hunter2") is parts
    assert (recorded.row.kind, recorded.row.status, recorded.said) == (CallKind.PAGE, 200, None)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/ping", CallKind.API),
        ("/webhook/tradingview", CallKind.HOOK),
        ("/hook/abc", CallKind.HOOK),
        ("/strategy/webhook/abc", CallKind.HOOK),
        ("/chartink/webhook/abc", CallKind.HOOK),
        ("/webhooks", CallKind.PAGE),
        ("/", CallKind.PAGE),
        ("", CallKind.PAGE),
    ],
)
def test_a_path_tells_the_kind_of_a_call(traffic: Database, path: str, kind: CallKind) -> None:
    recorded = Recorded(streamed([b"x"]), traffic)
    recorded.ask(path)
    assert recorded.row.kind is kind


def test_a_listener_that_trusts_its_tunnel_tells_who_is_behind_it(traffic: Database) -> None:
    recorded = Recorded(
        streamed([b"x"]), traffic, listener=Listener.HOOKS, hop=lambda environ: environ.get("HTTP_X_FORWARDED_FOR")
    )
    recorded.ask(HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert (recorded.row.listener, recorded.row.address, recorded.row.forwarded_for) == (
        Listener.HOOKS,
        "127.0.0.1",
        "203.0.113.9",
    )


def test_the_main_listener_trusts_none(traffic: Database) -> None:
    recorded = Recorded(streamed([b"x"]), traffic)
    recorded.ask(HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert recorded.row.forwarded_for is None


def test_time_at_the_broker_counts_once_and_of_this_request_alone(traffic: Database) -> None:
    spent: list[int] = []

    def app(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        recorded.time.of(lambda: recorded.time.of(lambda: sum(range(50_000))))
        spent.append(recorded.time.spent_us)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    recorded = Recorded(app, traffic)
    for _ in range(2):
        recorded.ask(body=b"x")
        assert recorded.row.broker_ms == spent[-1] / 1000 > 0
    assert recorded.time.of(lambda: 5) == 5


def test_a_call_that_asked_no_broker_has_no_time_there(traffic: Database) -> None:
    recorded = Recorded(streamed([b"x"]), traffic)
    recorded.time.of(lambda: sum(range(50_000)))
    recorded.ask()
    assert recorded.row.broker_ms is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("/api/é₹", "/api/é₹"),
        ("/api/\xff", "/api/\xff"),
        ("/api/\x00\x1b[31m", "/api/��[31m"),
        ("/api/\u202e", "/api/�"),
    ],
)
def test_a_path_is_kept_as_the_text_that_it_is(traffic: Database, sent: str, kept: str) -> None:
    recorded = Recorded(streamed([b"x"]), traffic)
    on_the_wire = sent if sent == "/api/\xff" else sent.encode().decode("latin-1")
    recorded.ask(on_the_wire, HTTP_USER_AGENT=on_the_wire)
    assert (recorded.row.endpoint, recorded.row.program) == (kept, kept)


def test_bytes_that_are_no_text_are_kept_as_what_can_be_seen(traffic: Database) -> None:
    recorded = Recorded(echo, traffic)
    recorded.ask(body=b"\x00\xff\xfe{}\r\n\tx")
    assert recorded.said is not None
    assert recorded.said.request == "���{}\r\n\tx"


def test_what_the_inside_says_of_a_status_is_said_by_the_status_else(traffic: Database) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[NOTE].add("One.")
        environ[NOTE].add("Two.")
        start_response("404 Not Found", [("Content-Length", "0")])
        return []

    recorded = Recorded(app, traffic)
    recorded.ask()
    assert (recorded.row.outcome, recorded.row.message) == ("not found", "One. Two.")
