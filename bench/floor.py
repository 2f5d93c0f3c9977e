"""The floor: what Flask, waitress and one durable INSERT cost on this PC without the bridge.

``python bench/floor.py PORT FOLDER`` answers ``POST /floor`` with as many bytes as the bridge's ping, and
``POST /durable`` with the same after one INSERT into a file in FOLDER. ``GET /healthz`` says that it serves.
"""

# mypy: disable-error-code="import-untyped"
# waitress has no annotations.

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from pathlib import Path

import waitress
from flask import Flask, Response, request

_THREADS = 16
_ANSWER = {"status": "success", "data": {"broker": "floor", "message": "pong"}}


class DurableFile:
    """One INSERT per call in a transaction of its own, on the disk when it returns: WAL, synchronous=FULL.

    One write lock, as in ``store/database.py``, so that only the amount differs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connection().execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL)")

    def add(self, body: bytes) -> None:
        connection = self._connection()
        with self._lock:
            connection.execute("INSERT INTO entry (at, body) VALUES (?, ?)", (time.time(), body))

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = sqlite3.connect(self._path, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        return connection


def create_app(file: DurableFile) -> Flask:
    """The bare app."""
    app = Flask(__name__)

    @app.post("/floor")
    def floor() -> Response:
        json.loads(request.get_data(cache=False))
        return _answer()

    @app.post("/durable")
    def durable() -> Response:
        body = request.get_data(cache=False)
        json.loads(body)
        file.add(body)
        return _answer()

    @app.get("/healthz")
    def healthz() -> Response:
        return _answer()

    return app


def _answer() -> Response:
    return Response(json.dumps(_ANSWER, separators=(",", ":")), mimetype="application/json")


def main() -> None:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    waitress.serve(
        create_app(DurableFile(folder / "floor.db")), host="127.0.0.1", port=port, threads=_THREADS, ident=None
    )


if __name__ == "__main__":
    main()
