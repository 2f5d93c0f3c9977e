"""One bridge on a real socket for all tests of a file: for clients that only read, or mind their own orders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openalgo_bridge.account.setup import create_account
from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.server import Server
from openalgo_bridge.settings import Settings
from tests.conftest import CHEAP, PASSWORD, FixedClock, app_of, free_port
from tests.wire import Wire

_UNMET = "100000 per second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """Its clock stands still, because the contracts of its list are those of one day."""

    url: str
    port: int
    key: str
    desk: Desk

    def ask(self, endpoint: str, **fields: Any) -> Any:
        """The answer to a call of our own, beside the client that is tested."""
        body = json.dumps({"apikey": self.key, **fields})
        request = f"POST /api/v1/{endpoint} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Length: {len(body)}"
        with Wire(self.port) as wire:
            return json.loads(wire.ask(f"{request}\r\n\r\n{body}".encode()).body)

    def held(self, symbol: str, product: str = "MIS") -> int:
        """The net quantity of a share."""
        return int(self.ask("openposition", symbol=symbol, exchange="NSE", product=product)["quantity"])

    def tickets(self) -> list[Ticket]:
        """Every request for an order so far, the newest first."""
        return self.desk.store.journal.tickets(limit=1000)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, new_files: Path) -> Iterator[Bridge]:
    """Serves until the last test of the file is done."""
    folder = tmp_path_factory.mktemp("serving")
    shutil.copytree(new_files, folder, dirs_exist_ok=True)
    port = free_port()
    settings = Settings(
        db_dir=folder, flask_port=port, open_browser=False, order_rate_limit=_UNMET, api_rate_limit=_UNMET
    )
    desk = open_desk(settings, FixedClock(), CHEAP)
    desk.doors.open()
    server = Server(app_of(desk), port=port)
    server.start()
    key = create_account(desk, "trader", PASSWORD, risk_accepted=True)
    yield Bridge(url=f"http://127.0.0.1:{port}", port=port, key=key, desk=desk)
    server.close()
    desk.close()
