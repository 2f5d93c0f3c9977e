"""Whether a database file is there and sound."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal

from openalgo_bridge.errors import StorageError
from openalgo_bridge.store.backup import KEPT_ASIDE
from openalgo_bridge.store.database import Database

FILES: dict[str, Literal["FULL", "NORMAL"]] = {"bridge.db": "FULL", "traffic.db": "NORMAL", "instruments.db": "NORMAL"}
"""The three files of one bridge, and how durable each is."""


def faults_of(path: Path) -> list[str]:
    """What SQLite's quick check finds in an existing file of :data:`FILES`; empty when it is sound.

    Raises StorageError when it cannot be read just now, for example because another program has locked it: that says
    nothing about the file.
    """
    database = Database(path, synchronous=FILES[path.name])
    try:
        answers = [str(row[0]) for row in database.read("PRAGMA quick_check(5)")]
    except StorageError as fault:
        if not _is_damage(fault.__cause__):
            raise
        return [fault.message]
    finally:
        database.close()
    return [] if answers == ["ok"] else answers


def _is_damage(error: BaseException | None) -> bool:
    """Whether SQLite says that it is no database, or a malformed one."""
    # The extended codes keep the plain one in their low byte.
    code = error.sqlite_errorcode & 0xFF if isinstance(error, sqlite3.Error) else None
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def why_not_anew(folder: Path) -> str:
    """Why no empty ``bridge.db`` may be made in ``folder``, and what to do, in words; empty when one may, or is there.

    A bridge whose file vanished would else begin again in silence, and know of no order that it has sent. The first
    start makes ``machine.key`` after ``bridge.db``, so that one without the other was never a first start.
    """
    if (folder / "bridge.db").exists():
        return ""
    kept = max(folder.glob(f"{KEPT_ASIDE}*[0-9]"), default=None)
    if kept is not None:
        return (
            f"bridge.db is gone from {folder}, but {kept.name} is there, which a restore kept. Run: "
            f"run.py restore '{kept}'. To begin anew, move it to another folder."
        )
    if (folder / "machine.key").exists():
        return (
            f"bridge.db is gone from {folder}, but the machine.key that belongs to it is there. Put bridge.db back, or "
            "run: run.py restore FILE, with your newest backup. To begin anew, move machine.key to another folder."
        )
    return ""


def why_no_machine_key(folder: Path) -> str:
    """Why a ``machine.key`` that is not there must not be made by the way, in words; empty when it is there, or was
    never made.

    Under another one the API key of the account cannot be found and no code of its authenticator app be checked.
    """
    if os.path.lexists(folder / "machine.key") or not (folder / "bridge.db").exists():
        return ""
    return (
        "machine.key is gone. Stop the bridge and put back your copy of it. Without one, the next start makes a new "
        "one, and the API key must be generated again."
    )
