"""The examples in Python, Node and curl run, each as the trader runs it."""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.trading import approvals
from tests.conftest import TRADER
from tests.examples.lossy import lossy_line
from tests.node import node
from tests.serving import Bridge

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PATIENCE_S = 60

needs_curl = pytest.mark.skipif(shutil.which("curl") is None or os.name == "nt", reason="needs curl and a POSIX shell")


@pytest.fixture
def semi_auto(bridge: Bridge) -> Iterator[None]:
    bridge.desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    yield
    bridge.desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)


def run(
    bridge: Bridge, *command: str, url: str = "", key: str | None = None, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "BRIDGE_URL": url or bridge.url,
        "OPENALGO_API_KEY": bridge.key if key is None else key,
    }
    return subprocess.run(
        command, env=environment, input=typed, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE_S
    )


def python(name: str) -> list[str]:
    return [sys.executable, str(EXAMPLES / "python" / f"{name}.py")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a program printed, and its exit code."""

    code: int
    stdout: str
    stderr: str


Here = Callable[..., Done]


@pytest.fixture
def here(bridge: Bridge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """Runs a Python example in this process: the published client takes seconds to import."""
    monkeypatch.setenv("BRIDGE_URL", bridge.url)
    monkeypatch.setenv("OPENALGO_API_KEY", bridge.key)

    def started(name: str, *arguments: str) -> Done:
        program = python(name)[1]
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(program, run_name="__main__")
        printed = capsys.readouterr()
        return Done(code=int(ended.value.code or 0), stdout=printed.out, stderr=printed.err)

    return started


def test_first_order_tells_what_was_bought(bridge: Bridge) -> None:
    before = bridge.held("RELIANCE")
    done = run(bridge, *python("first_order"))
    assert done.stdout.startswith("Filled: bought 1 RELIANCE at "), done.stderr
    assert bridge.held("RELIANCE") == before + 1


@pytest.mark.usefixtures("semi_auto")
def test_first_order_tells_that_it_waits(here: Here) -> None:
    done = here("first_order")
    assert done.stdout.startswith("Held: it is ticket "), done.stderr
    assert "/action-center" in done.stdout


def test_target_position_buys_what_is_missing_and_then_nothing(bridge: Bridge, here: Here) -> None:
    assert here("target_position", "SBIN", "7").stdout.endswith("is complete.\nHeld now: 7 SBIN.\n")
    nothing = "Positions Already Matched. No Action needed.\nHeld now: 7 SBIN.\n"
    assert here("target_position", "SBIN", "7").stdout == nothing
    assert here("target_position", "SBIN", "0").stdout.endswith("Held now: 0 SBIN.\n")


@pytest.mark.usefixtures("semi_auto")
def test_target_position_waits_for_the_decision(bridge: Bridge, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def decide(seconds: float) -> None:
        ticket = bridge.desk.store.journal.held()[-1]
        approvals.reject(bridge.desk, ticket.id, ticket.shown, "not today", by=TRADER)

    monkeypatch.setattr(time, "sleep", decide)
    done = here("target_position", "INFY", "3")
    assert "/action-center" in done.stderr
    assert done.stdout.endswith("is rejected.\nHeld now: 0 INFY.\n")


def test_option_chain_lists_the_strikes_around_the_price(bridge: Bridge, here: Here) -> None:
    before = len(bridge.tickets())
    done = here("option_chain", "NIFTY")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("NIFTY "), done.stderr
    assert len(lines) == 2 + 11
    assert [line.endswith(" *") for line in lines[2:]] == [False] * 5 + [True] + [False] * 5
    assert len(bridge.tickets()) == before


@pytest.mark.parametrize("name", sorted(path.stem for path in (EXAMPLES / "python").glob("*.py")))
def test_without_a_key_every_program_says_where_to_get_one(
    here: Here, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("OPENALGO_API_KEY", "")
    done = here(name, "SBIN", "1")
    assert done.code == 2
    assert "OPENALGO_API_KEY" in done.stderr


@pytest.mark.parametrize("language", ["python", "node"])
def test_a_lost_answer_is_asked_for_again_and_makes_no_second_order(bridge: Bridge, language: str) -> None:
    command = python("safe_retry") if language == "python" else [node(), str(EXAMPLES / "node" / "first_order.mjs")]
    before = len(bridge.tickets())
    with lossy_line(bridge.port, losses=1) as line:
        done = run(bridge, *command, url=line.url)
    assert (done.returncode, "No answer: " in done.stderr) == (0, True), done.stderr
    assert line.passed[0] == line.passed[1]
    assert len(bridge.tickets()) == before + 1


def test_a_refusal_is_final(bridge: Bridge) -> None:
    before = len(bridge.desk.store.traffic.page(limit=1000))
    wrong = run(bridge, *python("safe_retry"), key="x" * 32)
    assert (wrong.returncode, "Invalid openalgo apikey" in wrong.stdout) == (1, True)
    assert len(bridge.desk.store.traffic.page(limit=1000)) == before + 1


def test_the_node_program_tells_what_became_of_the_order(bridge: Bridge) -> None:
    done = run(bridge, node(), str(EXAMPLES / "node" / "first_order.mjs"))
    assert done.stdout.endswith(" is complete.\n"), done.stderr


@pytest.mark.usefixtures("semi_auto")
def test_the_node_program_tells_that_the_order_waits(bridge: Bridge) -> None:
    done = run(bridge, node(), str(EXAMPLES / "node" / "first_order.mjs"))
    assert done.stdout.endswith(" is held.\n"), done.stderr


@needs_curl
def test_the_curl_program_places_one_order(bridge: Bridge) -> None:
    before = len(bridge.tickets())
    done = run(bridge, "sh", str(EXAMPLES / "curl" / "first_order.sh"))
    assert '"status":"success"' in done.stdout, done.stderr
    assert len(bridge.tickets()) == before + 1


@needs_curl
def test_the_curl_line_for_windows_places_one_order(bridge: Bridge) -> None:
    text = (EXAMPLES / "curl" / "first_order.cmd").read_text(encoding="ascii")
    key_line, curl_line = next(line for line in text.splitlines() if "| curl " in line).split("| ")
    config = key_line.removeprefix("cmd /v:on /c echo ").replace("!OPENALGO_API_KEY!", bridge.key)
    before = len(bridge.tickets())
    done = run(bridge, *shlex.split(curl_line.replace("%BRIDGE_URL%", bridge.url)), typed=f"{config}\r\n")
    assert '"status":"success"' in done.stdout, done.stderr
    assert len(bridge.tickets()) == before + 1


def test_no_command_line_of_the_curl_examples_has_the_key() -> None:
    windows, posix = ((EXAMPLES / "curl" / f"first_order.{end}").read_text(encoding="ascii") for end in ("cmd", "sh"))
    commands = [line for line in windows.splitlines() if not line.startswith("rem")]
    assert not [line for line in commands if "%OPENALGO_API_KEY%" in line], "cmd puts the value in before it starts"
    assert posix.count("$OPENALGO_API_KEY") == 1
    assert """printf 'header = "X-API-KEY: %s"\\n' "$OPENALGO_API_KEY" |""" in posix, "printf is no program of its own"


def test_the_readme_leads_to_every_example() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    for path in (EXAMPLES / "python").glob("*.py"):
        assert f"`{path.stem}`" in readme
    for path in (*(EXAMPLES / "node").iterdir(), *(EXAMPLES / "curl").iterdir()):
        assert f"(examples/{path.parent.name}/{path.name})" in readme
    for guide in ("amibroker", "excel"):
        assert f"(docs/{guide}.md)" in readme
