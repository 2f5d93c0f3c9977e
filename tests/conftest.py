"""What every test may ask for. Real parts throughout: SQLite in a folder, the paper exchange, sockets."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from openalgo_bridge.account.indicators import CallWatch
from openalgo_bridge.account.password import Argon2Cost
from openalgo_bridge.account.setup import SetupCode, create_account
from openalgo_bridge.app import create_app, open_desk
from openalgo_bridge.clock import Clock
from openalgo_bridge.commands.serve import record_refusal
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.server import Server
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.sessions import NewSession
from openalgo_bridge.traffic_upkeep import TrafficUpkeep

PASSWORD = "correct horse battery"
TRADER = Actor(name="trader", address="127.0.0.1", program="test")
CHEAP = Argon2Cost(memory_kib=64, iterations=1, lanes=1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the long campaigns too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="a long campaign: run with --slow"))


@pytest.fixture(scope="session", autouse=True)
def compiled_files(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[None]:
    """What a test starts finds its modules compiled, as on a trader's PC, also where this run keeps no such files."""
    if not sys.dont_write_bytecode:
        yield
        return
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        environment.setenv("PYTHONPYCACHEPREFIX", str(shared / "compiled"))
        yield


def open_session(desk: Desk, session: NewSession) -> int:
    """A session of who typed the present password; its number."""
    user = desk.store.users.get()
    assert user is not None
    assert desk.store.sessions.create(session, password_hash=user.password_hash)
    (number,) = [each.number for each in desk.store.sessions.all() if each.id_hash == session.id_hash]
    return number


class FixedClock(Clock):
    """A clock that moves only when a test moves it. Saturday 21 November 2026, 10:30 IST."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
        self.moved = timedelta()

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return super().monotonic() + self.moved.total_seconds()

    def move(self, **delta: float) -> None:
        """Let time pass. To set ``moment`` is to set the clock, which makes nothing older."""
        self.moment += timedelta(**delta)
        self.moved += timedelta(**delta)


@dataclass(frozen=True)
class Account:
    """The one user of a test."""

    username: str
    password: str
    key: str


@dataclass(frozen=True)
class Live:
    """A bridge that serves on a real socket."""

    url: str
    port: int
    desk: Desk


class LocalClient(FlaskClient):
    """Speaks to the address that a program on this PC speaks to."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        kwargs.setdefault("base_url", "http://127.0.0.1:5000")
        return super().open(*args, **kwargs)


def client_of(app: Flask) -> FlaskClient:
    """A program on this PC."""
    app.test_client_class = LocalClient
    return app.test_client()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Defaults, in a folder of its own, with limits that a test does not meet by accident."""
    folder = tmp_path / "db"
    folder.mkdir(mode=0o700)
    return Settings(
        db_dir=folder,
        open_browser=False,
        order_rate_limit="1000 per second",
        api_rate_limit="1000 per second",
    )


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(scope="session")
def new_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a bridge that nobody has used, with the contracts of the fixed clock's day.

    To make the tables takes four times as long as to copy them, to write the contracts a hundred times.
    """
    folder = tmp_path_factory.mktemp("new")
    opened = open_desk(Settings(db_dir=folder), FixedClock(), CHEAP)
    opened.store.instrument_lists.roll()
    opened.close()
    return folder


@pytest.fixture
def desk(settings: Settings, clock: FixedClock, new_files: Path) -> Iterator[Desk]:
    """Real files, the paper exchange, a clock that stands still."""
    shutil.copytree(new_files, settings.db_dir, dirs_exist_ok=True)
    opened = open_desk(settings, clock, CHEAP)
    opened.doors.open()
    yield opened
    opened.close()


@pytest.fixture
def account(desk: Desk) -> Account:
    key = create_account(desk, "trader", PASSWORD, risk_accepted=True)
    return Account("trader", PASSWORD, key)


class CompiledTemplates(BytecodeCache):
    """For every app of one test run: compiling the templates anew took half the time of a test of a page."""

    def __init__(self) -> None:
        self._compiled: dict[str, tuple[str, CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        checksum, code = self._compiled.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._compiled[bucket.key] = (bucket.checksum, bucket.code)


COMPILED = CompiledTemplates()


class CompiledRule(Rule):
    """For every app of one test run, too: making an app took ten times as long."""

    _compiled: ClassVar[dict[tuple[object, ...], dict[str, Any]]] = {}

    def compile(self) -> None:
        text = (self.rule, self.subdomain, self.host, self.merge_slashes, str(self.defaults))
        if text not in self._compiled:
            before = dict(vars(self))
            super().compile()
            made = {name: value for name, value in vars(self).items() if before.get(name, self) is not value}
            self._compiled[text] = made | {"arguments": self.arguments}
        vars(self).update(self._compiled[text])


Flask.url_rule_class = CompiledRule


def app_of(desk: Desk, announce: Callable[[str], None] = lambda code: None) -> Flask:
    """The whole bridge; ``announce`` is told the set-up code."""
    app = create_app(desk, SetupCode(announce=announce))
    app.jinja_env.bytecode_cache = COMPILED
    return app


@pytest.fixture
def app(desk: Desk) -> Flask:
    return app_of(desk)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_of(app)


@pytest.fixture
def live(settings: Settings, new_files: Path) -> Iterator[Live]:
    """A whole bridge on a real socket, with the real clock."""
    shutil.copytree(new_files, settings.db_dir, dirs_exist_ok=True)
    port = free_port()
    opened = open_desk(replace(settings, flask_port=port), Clock(), CHEAP)
    opened.doors.open()
    server = Server(app_of(opened), port=port, refused=partial(record_refusal, opened))
    server.start()
    upkeep = TrafficUpkeep(opened.store, opened.clock, [CallWatch(opened.store)])
    upkeep.start()
    yield Live(f"http://127.0.0.1:{port}", port, opened)
    server.close()
    upkeep.stop()
    opened.close()
