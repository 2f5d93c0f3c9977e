"""Which thread answers: a warm one for one program, all of them for a crowd."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from openalgo_bridge.server import THREADS, Server
from tests.fakes import in_threads

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Register:
    """Answers with nothing, and knows who answered. ``/together`` answers once as many ask as there are threads."""

    def __init__(self) -> None:
        self.answered_by: list[int] = []
        self._crowd = threading.Barrier(THREADS)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.answered_by.append(threading.get_ident())
        if environ["PATH_INFO"] == "/together":
            self._crowd.wait(30)
        start_response("200 OK", [("Content-Length", "0")])
        return []


@pytest.fixture
def register() -> Register:
    return Register()


@pytest.fixture
def serving(register: Register) -> Iterator[Server]:
    running = Server(register, port=0)
    running.start()
    yield running
    running.close()


def ask(serving: Server, path: str, times: int = 1) -> list[int]:
    """The statuses of as many calls, one after another over one connection."""
    with closing(http.client.HTTPConnection("127.0.0.1", serving.port, timeout=30)) as connection:
        return [status(connection, path) for _ in range(times)]


def status(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    with connection.getresponse() as answer:
        answer.read()
        return answer.status


def test_one_program_is_answered_by_few_threads(serving: Server, register: Register) -> None:
    assert ask(serving, "/", times=3 * THREADS) == [200] * 3 * THREADS
    # Not by one alone: who has just answered may not be idle yet when the next call comes.
    assert len(set(register.answered_by)) < THREADS // 2


def test_a_crowd_is_answered_by_all_of_them_at_once(serving: Server, register: Register) -> None:
    assert in_threads(THREADS, lambda: ask(serving, "/together")) == [[200]] * THREADS
    assert len(set(register.answered_by)) == THREADS


def test_after_a_crowd_they_all_go_when_the_server_ends(register: Register) -> None:
    before = threading.active_count()
    running = Server(register, port=0)
    running.start()
    in_threads(THREADS, lambda: ask(running, "/together"))
    running.close()
    assert threading.active_count() == before
