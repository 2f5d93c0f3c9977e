"""The bridge's own file, empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "bridge.db", synchronous="FULL")
    opened.migrate(schema.bridge)
    yield opened
    opened.close()
