"""A bridge that is killed in the middle of a call. Run as a program, with the folder of its files and the key."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from openalgo_bridge.app import open_desk
from openalgo_bridge.settings import Settings
from tests.conftest import app_of, client_of


def die(**_: str) -> NoReturn:
    if os.name == "posix":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(77)


if __name__ == "__main__":
    folder, key = sys.argv[1:]
    desk = open_desk(Settings(db_dir=Path(folder)))
    app = app_of(desk)
    app.extensions["api"].view_functions["quotes"] = die
    client = client_of(app)
    client.post("/api/v1/ping", json={"apikey": key})
    client.post("/api/v1/quotes", json={"apikey": key, "symbol": "SBIN"}, headers={"User-Agent": "loop.py"})
