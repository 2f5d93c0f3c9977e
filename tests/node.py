"""Node, for what only it can run."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

_OLDEST = 18


def node() -> str:
    """The program, or a skip that says why; with BRIDGE_REQUIRE_NODE=1 a failure."""
    program = shutil.which("node")
    if program is None:
        miss("needs Node")
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    if int(version.lstrip("v").split(".")[0]) < _OLDEST:
        miss(f"needs Node {_OLDEST} or newer, not {version.strip()}")
    return program


def miss(reason: str) -> None:
    """Skip, or fail where nothing may be skipped."""
    if os.environ.get("BRIDGE_REQUIRE_NODE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
