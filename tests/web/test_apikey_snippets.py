"""The programs that the page offers to copy: they really run, against a living bridge."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.model.address import THIS_PC
from openalgo_bridge.model.permission import PRESETS, Preset
from openalgo_bridge.web import snippets
from openalgo_bridge.web.snippets import Snippet
from tests.conftest import PASSWORD, TRADER, Live

URL = "http://127.0.0.1:5000"
PATIENCE = 60


@pytest.fixture
def key(live: Live) -> Iterator[str]:
    text = create_account(live.desk, "trader", PASSWORD, risk_accepted=True)
    live.desk.store.api_keys.restrict(THIS_PC, by=TRADER)
    yield text


def named(live: Live, name: str) -> Snippet:
    offered = (*snippets.checks(live.url), *snippets.programs(live.url))
    return next(each for each in offered if each.id == name)


def run(command: list[str], key: str, folder: Path) -> str:
    environment = {**os.environ, "OPENALGO_API_KEY": key}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def filled(live: Live) -> int:
    return len(live.desk.store.journal.tickets(limit=10))


def test_the_python_program_places_one_order(live: Live, key: str, tmp_path: Path) -> None:
    program = tmp_path / "first.py"
    program.write_text(named(live, "use-python").text, encoding="utf-8")
    assert "'status': 'success'" in run([sys.executable, str(program)], key, tmp_path)
    assert filled(live) == 1


@pytest.mark.skipif(shutil.which("curl") is None or os.name == "nt", reason="needs curl and a POSIX shell")
def test_the_curl_line_shows_the_funds_and_changes_nothing(live: Live, key: str, tmp_path: Path) -> None:
    told = run(["/bin/sh", "-c", named(live, "check-linux").text], key, tmp_path)
    assert json.loads(told)["status"] == "success"
    assert filled(live) == 0


def test_the_windows_curl_line_is_the_same_call() -> None:
    linux, windows = (each.text for each in snippets.checks(URL))
    assert shlex.split(windows.replace("%OPENALGO_API_KEY%", "$OPENALGO_API_KEY")) == shlex.split(linux)


# What the published Node client 1.0.0 puts on the wire for one order, and how it fails; that client itself is not here.
_NODE_CLIENT = """
module.exports = class {
  constructor(key, host) {
    Object.assign(this, { key, host });
  }
  async placeOrder({ priceType, quantity, ...others }) {
    const order = { apikey: this.key, pricetype: priceType, quantity: String(quantity), ...others };
    const answer = await fetch(`${this.host}/api/v1/placeorder`, { method: "POST", body: JSON.stringify(order) });
    const data = await answer.json();
    if (answer.ok) return data;
    throw Object.assign(new Error(`status ${answer.status}`), { response: { data } });
  }
};
"""


@pytest.fixture
def node(tmp_path: Path) -> str:
    """Node with ``fetch`` (18 and newer), and a client of the published shape beside the program."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("needs Node")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=PATIENCE).stdout
    if int(version.lstrip("v").split(".")[0]) < 18:
        pytest.skip("needs Node 18 or newer")
    folder = tmp_path / "node_modules" / "openalgo"
    folder.mkdir(parents=True)
    (folder / "index.js").write_text(_NODE_CLIENT, encoding="utf-8")
    return program


def test_the_node_program_places_one_order(live: Live, key: str, node: str, tmp_path: Path) -> None:
    program = tmp_path / "first.js"
    program.write_text(named(live, "use-node").text, encoding="utf-8")
    assert "status: 'success'" in run([node, str(program)], key, tmp_path)
    assert filled(live) == 1


def test_the_node_program_tells_why_it_was_refused(live: Live, key: str, node: str, tmp_path: Path) -> None:
    live.desk.store.api_keys.permit(PRESETS[Preset.READ_ONLY], by=TRADER)
    program = tmp_path / "first.js"
    program.write_text(named(live, "use-node").text, encoding="utf-8")
    done = subprocess.run(
        [node, str(program)],
        env={**os.environ, "OPENALGO_API_KEY": key},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert "API key not authorized" in done.stderr


def test_the_amibroker_program_sends_one_whole_order_to_this_bridge() -> None:
    text = next(each.text for each in snippets.programs(URL) if each.id == "use-amibroker")
    assert re.findall(r'"(http[^"]+)"', text) == [f"{URL}/api/v1/placeorder"]
    body = "".join(re.findall(r'^\s+"((?:\\"|[^"])*)"(?: \+| \);)$', text, re.MULTILINE)).replace('\\"', '"')
    assert json.loads(body) == {
        "strategy": "first",
        "symbol": "RELIANCE",
        "exchange": "NSE",
        "action": "BUY",
        "pricetype": "MARKET",
        "product": "MIS",
        "quantity": "1",
    }
    for opening, closing in ("()", "{}"):
        assert text.count(opening) == text.count(closing)


@pytest.mark.parametrize("each", [*snippets.checks(URL), *snippets.programs(URL)], ids=lambda each: each.id)
def test_every_program_reads_the_key_from_the_environment(each: Snippet) -> None:
    assert "OPENALGO_API_KEY" in each.text
    assert "@URL@" not in each.text
    assert URL in each.text


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_linux_line_takes_the_key_without_showing_it(tmp_path: Path) -> None:
    line = next(each.text for each in snippets.ENVIRONMENT if each.id == "env-linux")
    done = subprocess.run(
        ["bash", "-c", f"{line}; {sys.executable} -c 'import os; print(os.environ[\"OPENALGO_API_KEY\"])'"],
        input="the-key\n",
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.stdout == "the-key\n"
