from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers.desk import Floor, opened


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    with opened(tmp_path) as open_floor:
        yield open_floor
