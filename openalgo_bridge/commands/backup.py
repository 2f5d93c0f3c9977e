"""``run.py backup``: a copy of the account and the orders, also while the bridge runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from openalgo_bridge import folder
from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import Invalid, StorageError
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.settings import Settings
from openalgo_bridge.store import backup as copies
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.backup import Contents
from openalgo_bridge.store.database import Database

_BY = Actor(name="run.py backup")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace FILE if there is one.")
@click.pass_obj
def backup(settings: Settings, file: Path, *, overwrite: bool) -> None:
    """Copy account, settings, orders and paper books to FILE. Works beside a running bridge."""
    place = settings.db_dir.resolve()
    if file.resolve().parent.is_relative_to(place):
        raise Invalid(f"{file} is inside the data folder. A backup belongs elsewhere, best on another disk.")
    if place.is_dir():
        folder.prepare(place)
    contents = copies.make(place / "bridge.db", file, overwrite=overwrite)
    _record(place, file)
    print(_told(file, contents, place))


def _record(place: Path, file: Path) -> None:
    """After the copy, which counts for more: on a full disk, or beside a bridge of an older version, there is no
    line."""
    bridge = Database(place / "bridge.db", synchronous="FULL")
    try:
        AuditLog(bridge, Clock()).add(_BY, AuditEvent.BACKUP_MADE, after=file.name)
    except StorageError as error:
        print(f"The backup could not be noted in the audit list. {error.message}", file=sys.stderr)
    finally:
        bridge.close()


def _told(file: Path, contents: Contents, place: Path) -> str:
    account = f"the account {contents.username!r}" if contents.username else "no account yet"
    orders = "1 order" if contents.orders == 1 else f"{contents.orders:,} orders"
    return (
        f"{file} holds {account}, its settings, the audit list, {orders} and the paper books.\n"
        "It does not hold the traffic log, the instrument list, or who is signed in.\n"
        f"Nor does it hold {place / 'machine.key'}: on this PC all goes on as before after run.py restore, on another "
        "one you get a new API key and set the authenticator app up again."
    )
