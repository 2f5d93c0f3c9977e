"""The commands as a trader runs them: real processes, one data folder, one port.

Starting a process takes most of the time here, so the tests of this file share one folder and one bridge, and
build on each other in the order of the page. What is about the command, not about its process, is asked of the command
line itself (:meth:`Home.ask`); beside the bridge that is another process all the same.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from openalgo_bridge import lock
from openalgo_bridge.__main__ import cli
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model import apikey
from openalgo_bridge.settings import PROJECT_FOLDER
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database

PASSWORD = "four unrelated words"
COMMANDS = ("serve", "setup", "mode", "doctor", "backup", "restore", "reset-password")
SIGTERM_TOO = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")


@dataclass(frozen=True)
class Home:
    """Where one trader's bridge lives. ``packages`` come before those that are installed."""

    folder: Path
    port: int
    packages: Path
    project: Path = PROJECT_FOLDER
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def own(self) -> dict[str, str]:
        """What the environment says of this home."""
        return {"DB_DIR": str(self.folder), "FLASK_PORT": str(self.port), "OPEN_BROWSER": "false", **self.settings}

    @property
    def environment(self) -> dict[str, str]:
        search = os.pathsep.join([str(self.packages), str(self.project)])
        return {**os.environ, **self.own, "PYTHONPATH": search}

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """One command in a process of its own, to its end."""
        return subprocess.run(
            command(*arguments), input=typed, capture_output=True, text=True, encoding="utf-8", env=self.environment
        )

    def ask(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """One command without a process for it. A refusal is told as ``main`` tells it."""
        done = CliRunner().invoke(cli, arguments, input=typed, env=self.own)
        said = done.exception.message if isinstance(done.exception, BridgeError) else done.stderr
        if not isinstance(done.exception, BridgeError | SystemExit | None):
            raise done.exception
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, said)


@dataclass(frozen=True)
class Bridge:
    """A bridge that serves, and what it said before it did."""

    process: subprocess.Popen[str]
    said: list[str]

    def end(self) -> tuple[int, str]:
        """Its exit code and the rest of what it said, once it has ended."""
        said, complaints = self.process.communicate(timeout=60)
        assert complaints == ""
        return self.process.returncode, said


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-X", "utf8", "-m", "openalgo_bridge", *arguments]


def serve(home: Home) -> Bridge:
    """Start a bridge; returns when it says that it serves."""
    group = subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0
    process = subprocess.Popen(
        command(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=home.environment,
        creationflags=group,
    )
    said: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if "Ctrl+C stops it" in line:
            return Bridge(process, said)
    raise AssertionError(f"The bridge ended: {said} {process.communicate()[1]}")


def get(home: Home, path: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", home.port, timeout=30)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("home")
    # The bridge's own environment has no pandas. Here there is one, and sqlite-utils would spend seconds on it.
    (folder / "packages").mkdir()
    (folder / "packages" / "pandas.py").write_text("raise ImportError\n", encoding="utf-8")
    return Home(folder / "db", port, folder / "packages")


@pytest.fixture(scope="module")
def made(home: Home) -> subprocess.CompletedProcess[str]:
    """The answer of the set-up that worked."""
    return home.run("setup", "--username", "trader", "--password-stdin", "--accept-risk", typed=f"{PASSWORD}\n")


@pytest.fixture(scope="module")
def bridge(home: Home, made: subprocess.CompletedProcess[str]) -> Iterator[Bridge]:
    """The bridge that most tests talk to. Its predecessor was killed, which must not be in its way."""
    first = serve(home)
    first.process.kill()
    first.process.communicate()
    second = serve(home)
    yield second
    second.process.kill()
    second.process.communicate()


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one message of a command that did not do what was asked."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_help_names_every_command() -> None:
    told = CliRunner().invoke(cli, ["--help"]).output
    assert [
        name
        for name in ("serve", "setup", "mode", "doctor", "backup", "restore", "reset-password")
        if f"\n  {name} " not in told
    ] == []


def test_bad_settings_are_one_sentence(home: Home) -> None:
    message = refused(replace(home, settings={"FLASK_PORT": "http"}).run("doctor"))
    assert message.count("\n") == 1
    assert "FLASK_PORT" in message


def test_setup_shows_the_risk_and_does_nothing_until_it_is_accepted(home: Home) -> None:
    message = refused(home.ask("setup", "--username", "trader", "--password-stdin", typed=f"{PASSWORD}\n"))
    assert "You can lose money" in message
    assert "--accept-risk" in message


def test_setup_prints_the_key_alone_on_the_last_line(made: subprocess.CompletedProcess[str]) -> None:
    assert made.returncode == 0
    key = made.stdout.splitlines()[-1]
    assert apikey.is_well_formed(key)
    assert key not in made.stderr


def test_a_second_setup_changes_nothing(home: Home, made: subprocess.CompletedProcess[str]) -> None:
    done = home.ask("setup", "--username", "other", "--password-stdin", "--accept-risk", typed=f"{PASSWORD}\n")
    assert "already" in refused(done)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_everything_in_the_folder_is_private(home: Home, bridge: Bridge) -> None:
    paths = [home.folder, *home.folder.iterdir()]
    assert [path for path in paths if path.stat().st_mode & 0o077] == []


def test_a_bridge_whose_predecessor_was_killed_serves(home: Home, bridge: Bridge) -> None:
    status, body = get(home, "/healthz")
    assert (status, json.loads(body)) == (200, {"status": "ok"})


def test_with_an_account_no_set_up_code_is_shown(bridge: Bridge) -> None:
    assert "set-up code" not in "".join(bridge.said)


def test_a_second_bridge_says_that_one_runs_and_where(home: Home, bridge: Bridge) -> None:
    message = refused(home.run())
    assert home.url in message
    assert str(bridge.process.pid) in message


def test_setup_refuses_beside_a_running_bridge(home: Home, bridge: Bridge) -> None:
    done = home.ask("setup", "--username", "trader", "--password-stdin", "--accept-risk", typed=f"{PASSWORD}\n")
    assert home.url in refused(done)


def test_a_port_of_another_program_is_told_with_the_setting(home: Home, bridge: Bridge, tmp_path: Path) -> None:
    message = refused(replace(home, folder=tmp_path / "db").run())
    assert str(home.port) in message
    assert "FLASK_PORT" in message


def test_semi_auto_needs_no_password_and_auto_the_right_one(home: Home, bridge: Bridge) -> None:
    assert home.run("mode", "semi_auto").stdout.startswith("semi_auto:")
    assert "Wrong password" in refused(home.ask("mode", "auto", "--password-stdin", typed="wrong wrong wrong\n"))
    assert "no password" in refused(home.ask("mode", "auto", "--password-stdin"))
    assert home.ask("mode").stdout.startswith("semi_auto:")
    assert home.run("mode", "auto", "--password-stdin", typed=f"{PASSWORD}\n").stdout.startswith("auto:")


def test_a_password_is_reset_only_without_a_running_bridge(home: Home, bridge: Bridge) -> None:
    assert home.url in refused(home.ask("reset-password", "--password-stdin", typed=f"{PASSWORD}\n"))


def test_doctor_finds_a_running_bridge_healthy(home: Home, bridge: Bridge) -> None:
    done = home.run("doctor")
    assert [line for line in done.stdout.splitlines() if not line.startswith("OK")] == []
    assert f"port: {home.port} is served by" in done.stdout
    assert done.returncode == 0


def test_doctor_names_a_damaged_database_and_a_taken_port(home: Home, bridge: Bridge, tmp_path: Path) -> None:
    (tmp_path / "bridge.db").write_bytes(b"this was a database once" * 1000)
    tmp_path.chmod(0o700)
    done = replace(home, folder=tmp_path).ask("doctor")
    failed = [line.split(":")[0] for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert "FAIL bridge.db" in failed
    assert "FAIL port" in failed
    assert done.returncode == 1


def failures(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What doctor found wrong, by its name."""
    lines = [line.removeprefix("FAIL ") for line in done.stdout.splitlines() if line.startswith("FAIL ")]
    return {what: words for what, _, words in (line.partition(": ") for line in lines)}


def test_doctor_names_a_machine_key_that_is_gone_damaged_or_open(home: Home, bridge: Bridge, tmp_path: Path) -> None:
    elsewhere = replace(home, folder=tmp_path)
    key = tmp_path / "machine.key"
    (tmp_path / "bridge.db").touch()
    assert "put back your copy" in failures(elsewhere.ask("doctor"))["machine.key"]
    assert not key.exists()
    key.write_bytes(b"x" * 31)
    key.chmod(0o600)
    assert "damaged" in failures(elsewhere.ask("doctor"))["machine.key"]
    key.write_bytes(b"x" * 32)
    assert "machine.key" not in failures(elsewhere.ask("doctor"))
    if os.name == "posix":
        key.chmod(0o644)
        assert "chmod 600" in failures(elsewhere.ask("doctor"))["machine.key"]


@pytest.mark.parametrize("arguments", [["mode"], ["serve"], ["setup", "--username", "a", "--password-stdin"]])
def test_a_folder_full_of_other_things_is_not_touched(home: Home, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "thesis.txt").touch()
    elsewhere = replace(home, folder=tmp_path)
    assert "thesis.txt" in refused(elsewhere.ask(*arguments))
    assert "thesis.txt" in failures(elsewhere.ask("doctor"))["folder"]
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_orders_can_be_held_although_another_file_is_damaged(home: Home, tmp_path: Path) -> None:
    with closing(Database(tmp_path / "bridge.db", synchronous="FULL")) as database:
        database.migrate(schema.bridge)
    for name in ("instruments.db", "traffic.db", "machine.key"):
        (tmp_path / name).write_bytes(b"this was something once" * 1000)
    assert replace(home, folder=tmp_path).ask("mode", "semi_auto").stdout.startswith("semi_auto:")


def test_ctrl_c_ends_the_bridge_in_order(home: Home, bridge: Bridge) -> None:
    # The last test that uses the shared bridge.
    bridge.process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
    assert bridge.end() == (0, "Stopped.\n")
    assert lock.holder(home.folder / lock.INSTANCE_LOCK) is None


@SIGTERM_TOO
def test_a_first_start_shows_the_set_up_code_and_sigterm_ends_it_in_order(home: Home, tmp_path: Path) -> None:
    fresh = serve(replace(home, folder=tmp_path / "db"))
    try:
        told = "".join(fresh.said)
        assert f"{home.url}/setup" in told
        assert "set-up code" in told
        fresh.process.send_signal(signal.SIGTERM)
        assert fresh.end() == (0, "Stopped.\n")
    finally:
        fresh.process.kill()
        fresh.process.communicate()


def test_a_mistyped_setting_is_told_at_the_start(home: Home, tmp_path: Path) -> None:
    shutil.copytree(PROJECT_FOLDER / "openalgo_bridge", tmp_path / "openalgo_bridge")
    (tmp_path / ".env").write_text("FLASK_PROT=6000\n", encoding="utf-8")
    fresh = serve(replace(home, folder=tmp_path / "db", project=tmp_path))
    fresh.process.kill()
    complaints = fresh.process.communicate()[1]
    assert complaints.count("\n") == 1
    assert "FLASK_PROT (did you mean FLASK_PORT?)" in complaints
