"""The web server over real sockets: where it listens, what it refuses, how it stops."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from openalgo_bridge import ports, server
from openalgo_bridge.errors import Conflict
from openalgo_bridge.model import apikey
from openalgo_bridge.server import Refusal, Server
from tests.conftest import Live

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Echo:
    """Answers with one value of the WSGI environment, named by the path. ``/wait`` answers when it is let go,
    ``/fail`` never."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.let_go = threading.Event()
        self.calls: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.calls.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/fail":
            raise LookupError
        if environ["PATH_INFO"] == "/wait":
            self.waiting.set()
            self.let_go.wait(30)
        body = str(environ.get(environ["PATH_INFO"][1:], "none")).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def refusals() -> list[Refusal]:
    return []


@pytest.fixture
def serving(echo: Echo, refusals: list[Refusal]) -> Iterator[Server]:
    running = Server(echo, port=0, refused=refusals.append)
    running.start()
    yield running
    echo.let_go.set()
    running.close()


def get(port: int, path: str, headers: dict[str, str] | None = None, host: str = "127.0.0.1") -> str:
    with closing(http.client.HTTPConnection(host, port, timeout=30)) as connection:
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse().read().decode()


def exchange(port: int, request: bytes) -> bytes:
    """Everything the server says until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def ask(connection: socket.socket) -> None:
    """One request on a connection that stays open, and its answer."""
    connection.sendall(b"GET /none HTTP/1.1\r\n\r\n")
    read_until(connection, b"none")


def crowd(port: int, closing_all: ExitStack) -> None:
    """More connections than the server takes, all of which say nothing."""
    for _ in range(server.CONNECTIONS + 20):
        closing_all.enter_context(connect(port))


def read_until(connection: socket.socket, ending: bytes) -> None:
    """Read on; fails when the server closes the connection before it said ``ending``."""
    said = b""
    while not said.endswith(ending):
        more = connection.recv(65536)
        assert more, f"closed after {said!r}"
        said += more


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_it_answers_on_this_pc_only(serving: Server) -> None:
    assert get(serving.port, "/REMOTE_ADDR") == "127.0.0.1"
    names = {door.socket.getsockname()[0] for door in serving._doors}
    assert names <= {"127.0.0.1", "::1"}


@pytest.mark.skipif(not has_ipv6(), reason="this PC has no IPv6")
def test_it_answers_on_ipv6_too(serving: Server) -> None:
    assert get(serving.port, "/REMOTE_ADDR", host="::1") == "::1"


def test_the_evidence_of_a_tunnel_reaches_the_guard(serving: Server) -> None:
    # waitress deletes these by default (security M1); the guard would then see an innocent local request.
    for name in ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Via"):
        variable = f"/HTTP_{name.upper().replace('-', '_')}"
        assert get(serving.port, variable, {name: "203.0.113.9"}) == "203.0.113.9"
    assert get(serving.port, "/REMOTE_ADDR", {"X-Forwarded-For": "203.0.113.9"}) == "127.0.0.1"


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_two_ways_to_say_where_a_request_ends_are_refused(serving: Server, echo: Echo, version: bytes) -> None:
    first = b"POST /first " + version + b"\r\nConnection: keep-alive\r\nContent-Length: 5\r\n"
    hidden = b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\n\r\n"
    answer = exchange(serving.port, first + hidden)
    assert b" 400 " in answer.splitlines()[0]
    assert echo.calls == []


def test_chunked_bodies_alone_are_accepted(serving: Server) -> None:
    request = (
        b"POST /CONTENT_LENGTH HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    assert exchange(serving.port, request).endswith(b"\r\n\r\n3")


def test_an_endless_header_is_refused(serving: Server, echo: Echo) -> None:
    # Exactly to the limit: what the server leaves unread would turn its answer into a reset.
    answer = exchange(serving.port, b"GET / HTTP/1.1\r\nX-Long: ".ljust(16 * 1024, b"a"))
    assert b" 431 " in answer.splitlines()[0]
    assert echo.calls == []


_CONTRADICTION = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
REFUSED = [
    (b"POST /api/v1/ping?x=1 HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", 413, "POST", "/api/v1/ping"),
    (b"POST /api/v1/ping HTTP/1.1\r\n" + _CONTRADICTION, 400, "POST", "/api/v1/ping"),
    (b"POST /api/v1/ping HTTP/1.1\r\nContent-Length: abc\r\n\r\n", 400, "POST", "/api/v1/ping"),
    (b"POST /api/v1/ping HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "POST", "/api/v1/ping"),
    (b"GET /api/v1/ping HTTP/1.1\r\nX-Via : 1\r\n\r\n", 400, "GET", "/api/v1/ping"),
    (b"GET /api/v1/ping HTTP/1.1\r\nX-Long: ".ljust(16 * 1024, b"a"), 431, "GET", "/api/v1/ping"),
    (b"GET /caf\xe9%20x HTTP/1.1\r\n\r\n", 400, "GET", "/caf\xe9 x"),
    (b"\x16\x03\x01\x02\r\n\r\n", 400, "", ""),
]


@pytest.mark.parametrize(("request_", "status", "method", "path"), REFUSED)
def test_a_request_that_never_reaches_the_app_is_answered_like_any_other(
    serving: Server, echo: Echo, refusals: list[Refusal], request_: bytes, status: int, method: str, path: str
) -> None:
    head, _, body = exchange(serving.port, request_).decode().partition("\r\n\r\n")
    assert f" {status} " in head.splitlines()[0]
    message = json.loads(body)["message"]
    assert body == json.dumps({"status": "error", "message": message}, separators=(",", ":"))
    for header in ("Content-Type: application/json", "X-Content-Type-Options: nosniff", "Cache-Control: no-store"):
        assert header in head.splitlines()
    assert "Content-Security-Policy: default-src 'none'" in head
    assert refusals == [Refusal(status=status, method=method, path=path, address="127.0.0.1", message=message)]
    assert echo.calls == []


def test_a_request_that_never_reaches_the_app_has_a_row_without_its_key(live: Live, key_in_the_path: str) -> None:
    exchange(live.port, f"POST /api/v1/{key_in_the_path} HTTP/1.1\r\nContent-Length: x\r\n\r\n".encode())
    exchange(live.port, b"nonsense\r\n\r\n")
    nonsense, call = live.desk.store.traffic.page()
    assert (call.method, call.status, call.address, call.outcome) == ("POST", 400, "127.0.0.1", "refused")
    assert call.endpoint.startswith("/api/v1/")
    assert key_in_the_path not in call.endpoint
    assert (nonsense.endpoint, nonsense.status) == ("(not readable)", 400)


@pytest.fixture
def key_in_the_path() -> str:
    return apikey.new_key()


def test_a_fault_of_the_app_is_answered_in_our_words_and_is_no_refusal(
    serving: Server, refusals: list[Refusal]
) -> None:
    answer = exchange(serving.port, b"GET /fail HTTP/1.1\r\nConnection: close\r\n\r\n").decode()
    assert " 500 " in answer.splitlines()[0]
    assert "LookupError" not in answer
    assert json.loads(answer.partition("\r\n\r\n")[2])["status"] == "error"
    assert refusals == []


def test_a_crowd_of_silent_connections_does_not_shut_anybody_out(serving: Server) -> None:
    with ExitStack() as closing_all:
        crowd(serving.port, closing_all)
        assert get(serving.port, "/REMOTE_ADDR") == "127.0.0.1"


def test_a_crowd_does_not_cost_a_running_request_its_answer(serving: Server, echo: Echo) -> None:
    with connect(serving.port) as running, ExitStack() as closing_all:
        running.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
        assert echo.waiting.wait(30)
        crowd(serving.port, closing_all)
        ask(closing_all.enter_context(connect(serving.port)))
        echo.let_go.set()
        read_until(running, b"none")


def test_a_crowd_that_asks_does_not_shut_anybody_out(serving: Server) -> None:
    with ExitStack() as closing_all:
        for _ in range(server.CONNECTIONS + 20):
            ask(closing_all.enter_context(connect(serving.port)))


def test_a_crowd_of_half_requests_does_not_shut_anybody_out(serving: Server) -> None:
    with ExitStack() as closing_all:
        for _ in range(server.CONNECTIONS + 20):
            closing_all.enter_context(connect(serving.port)).sendall(b"GET /none HTTP/1.1\r\n")
        assert get(serving.port, "/REMOTE_ADDR") == "127.0.0.1"


def test_a_connection_that_asks_nothing_is_closed(echo: Echo) -> None:
    impatient = Server(echo, port=0, first_request_s=0.0)
    impatient.start()
    try:
        with connect(impatient.port) as connection:
            assert connection.recv(100) == b""
    finally:
        impatient.close()


def test_a_connection_that_asked_once_may_be_silent_for_longer(serving: Server) -> None:
    with connect(serving.port) as connection:
        ask(connection)
        for door in serving._doors:
            door.first_request_s = 0.0
        ask(connection)
        ask(connection)


def test_the_server_does_not_name_itself(serving: Server) -> None:
    answer = exchange(serving.port, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").lower()
    assert b"server:" not in answer
    assert b"waitress" not in answer


def test_a_request_that_trickles_in_is_cut_off(echo: Echo) -> None:
    impatient = Server(echo, port=0, request_deadline_s=0.0)
    impatient.start()
    try:
        with socket.create_connection(("127.0.0.1", impatient.port), timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
            assert connection.recv(100) == b""
    finally:
        impatient.close()
    assert echo.calls == []


def test_who_reads_nothing_of_an_answer_keeps_no_thread() -> None:
    ended = threading.Event()

    def endless(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/csv")])
        try:
            while True:
                yield b"x" * 65536
        finally:
            ended.set()

    impatient = Server(endless, port=0, stall_s=0.0)
    impatient.start()
    try:
        with connect(impatient.port) as stalled:
            stalled.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert ended.wait(30)
    finally:
        impatient.close()


def test_a_request_that_took_its_time_does_not_cost_the_connection(serving: Server) -> None:
    with socket.create_connection(("127.0.0.1", serving.port), timeout=30) as connection:
        connection.sendall(b"POST /none HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        read_until(connection, b"100 Continue\r\n\r\n")
        connection.sendall(b"abc")
        read_until(connection, b"none")
        for door in serving._doors:
            door.request_deadline_s = 0.0
        connection.sendall(b"GET /none HTTP/1.1\r\n\r\n")
        read_until(connection, b"none")


def test_a_taken_port_is_refused_with_its_number_and_the_setting(serving: Server, echo: Echo) -> None:
    with pytest.raises(Conflict) as refused:
        Server(echo, port=serving.port)
    assert str(serving.port) in refused.value.message
    assert "FLASK_PORT" in refused.value.message


@pytest.mark.skipif(not has_ipv6(), reason="this PC has no IPv6")
def test_a_port_whose_ipv6_half_is_taken_is_refused(echo: Echo) -> None:
    # Otherwise that program would get what clients send to "localhost".
    with socket.socket(socket.AF_INET6) as squatter:
        squatter.bind(("::1", 0))
        squatter.listen()
        with pytest.raises(Conflict, match="in use by another program"):
            Server(echo, port=squatter.getsockname()[1])


def test_a_port_reserved_by_windows_is_told_apart_from_a_taken_one() -> None:
    reserved = OSError(13, "An attempt was made to access a socket in a way forbidden by its access permissions")
    reserved.winerror = 10013  # type: ignore[attr-defined]
    assert "Windows keeps port 5000" in ports.why_not(5000, reserved)


def test_the_port_is_free_after_close(echo: Echo) -> None:
    first = Server(echo, port=0)
    first.start()
    first.close()
    again = Server(echo, port=first.port)
    again.close()


def test_a_running_request_is_answered_before_the_server_ends(serving: Server, echo: Echo) -> None:
    answers: list[str] = []
    caller = threading.Thread(target=lambda: answers.append(get(serving.port, "/wait")))
    caller.start()
    assert echo.waiting.wait(30)
    serving.stop()
    echo.let_go.set()
    serving.close()
    caller.join(30)
    assert answers == ["none"]


def test_nothing_new_is_accepted_while_the_last_requests_end(serving: Server, echo: Echo) -> None:
    idle = socket.create_connection(("127.0.0.1", serving.port), timeout=30)
    caller = threading.Thread(target=get, args=(serving.port, "/wait"))
    caller.start()
    assert echo.waiting.wait(30)
    serving.stop()
    with idle:
        assert idle.recv(100) == b""
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", serving.port), timeout=30)
    echo.let_go.set()
    caller.join(30)


def test_a_second_stop_does_not_wait_for_a_request_that_hangs(echo: Echo) -> None:
    hanging = Server(echo, port=0, drain_s=1e6)
    drained: list[bool] = []
    loop = threading.Thread(target=lambda: drained.append(hanging.run()))
    loop.start()
    caller = threading.Thread(target=exchange, args=(hanging.port, b"GET /wait HTTP/1.0\r\n\r\n"))
    caller.start()
    assert echo.waiting.wait(30)
    hanging.stop()
    hanging.stop()
    loop.join(30)
    echo.let_go.set()
    caller.join(30)
    assert drained == [False]


def test_stopping_a_server_that_has_ended_is_harmless(serving: Server) -> None:
    serving.close()
    serving.stop()
    serving.close()
