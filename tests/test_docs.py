"""The documents name what exists: every endpoint, every setting, every command, every module a reader is sent to."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from openalgo_bridge.__main__ import cli
from openalgo_bridge.api.endpoints import ENDPOINTS
from openalgo_bridge.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "openalgo_bridge" / "README.md").read_text(encoding="utf-8")
API = (ROOT / "openalgo_bridge" / "api" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [endpoint.path for endpoint in ENDPOINTS])
def test_every_endpoint_is_on_the_api_page(path: str) -> None:
    assert f"| `{path}` |" in API


def test_the_api_page_names_no_endpoint_that_is_not_there() -> None:
    named = set(re.findall(r"^\| `(/[a-z/<>]+)` \|", API, re.MULTILINE))
    assert named == {endpoint.path for endpoint in ENDPOINTS}


@pytest.mark.parametrize("name", [field.name.upper() for field in dataclasses.fields(Settings)])
def test_every_setting_is_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", sorted({*cli.commands, "test", "example"} - {"serve"}))
def test_every_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"^\| `run\.py {name}\b", README, re.MULTILINE)


def test_every_file_the_architecture_page_sends_a_reader_to_exists() -> None:
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py|[a-z_]+\.py)", ARCHITECTURE))
    assert len(named) > 12
    missing = [name for name in named if not any((base / name).exists() for base in (ROOT, ROOT / "openalgo_bridge"))]
    assert missing == []
