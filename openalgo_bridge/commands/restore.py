"""``run.py restore``: a backup in place of what is here, on this PC or on another one."""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import click

from openalgo_bridge import folder, lock
from openalgo_bridge.account import orders_since, restored, since_backup
from openalgo_bridge.account.restored import Settled
from openalgo_bridge.account.since_backup import Ended
from openalgo_bridge.clock import Clock
from openalgo_bridge.commands.password import ask_password
from openalgo_bridge.errors import Conflict, StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.settings import Settings
from openalgo_bridge.store import backup, schema
from openalgo_bridge.store.api_keys import ApiKeys
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.machine_key import MachineKey
from openalgo_bridge.store.store import Store
from openalgo_bridge.store.users import Users
from openalgo_bridge.store.vault import Vault

_BY = Actor(name="run.py restore")
_ELSEWHERE = (
    "This backup was made under another machine.key than the one here, as on another PC. Type the password that you "
    "had when it was made."
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the standard input.")
@click.pass_obj
def restore(settings: Settings, file: Path, *, password_stdin: bool) -> None:
    """Put the backup FILE in place of what is here, which is kept aside."""
    for warning in folder.prepare(settings.db_dir):
        print(warning, file=sys.stderr)
    place, clock = settings.db_dir.resolve(), Clock()
    live = place / "bridge.db"
    if live.exists() and file.exists() and live.samefile(file):
        raise Conflict(f"{file} is the bridge's own file. Nothing was changed.")
    aside = backup.name_aside(place, clock.now())
    with lock.hold(place / lock.INSTANCE_LOCK, "run.py restore"), backup.drafted(file, place) as draft:
        settled = _settle(draft, file, clock, password_stdin=password_stdin)
        backup.put_in_place(draft, live, aside)
    _tell(settled, file, aside)


def _settle(draft: Path, file: Path, clock: Clock, *, password_stdin: bool) -> Settled:
    """Everything that the restored account needs, while it is still a draft: the swap is the last step."""
    vault_key = None
    is_of_another_pc = _migrate(draft, clock)
    if is_of_another_pc:
        vault_key = _open_vault(draft, clock, password_stdin=password_stdin)
    store = Store.of_bridge(draft.parent, clock, bridge=draft.name)
    try:
        ended = _ended_since(store, draft.with_name("bridge.db"), clock, is_of_another_pc=is_of_another_pc)
        undone = since_backup.keep_ended(store, ended, by=_BY)
        undone += orders_since.turn_down_waiting(store, by=_BY)
        restored.settle(store, told=file.name, by=_BY)
        settled = restored.settle_on_another_pc(store, vault_key, by=_BY) if is_of_another_pc else Settled()
        return replace(settled, losses=(*undone, *settled.losses))
    finally:
        store.close()


def _ended_since(store: Store, live: Path, clock: Clock, *, is_of_another_pc: bool) -> Ended:
    """What ended or was made safer since the backup was made, as far as what was here before can be read."""
    if not live.exists():
        return Ended()
    try:
        with backup.snapshot(live) as copy, closing(Store.of_bridge(copy.parent, clock, bridge=copy.name)) as present:
            # Where a damaged page stops it, the parts that are up to date can still be read.
            with suppress(StorageError):
                present.files[0].migrate(schema.bridge)
            return since_backup.ended_since(store, present, is_of_another_pc=is_of_another_pc)
    except StorageError:
        return since_backup.unknown_since(store)


def _migrate(draft: Path, clock: Clock) -> bool:
    """Bring the draft's tables up to date. True when it is of another PC."""
    key = draft.parent / "machine.key"
    here = MachineKey.load_or_create(key) if key.exists() else None
    database = Database(draft, synchronous="FULL")
    try:
        database.migrate(schema.bridge)
        return restored.is_of_another_pc(Users(database, clock).get(), ApiKeys(database, clock), here)
    finally:
        database.close()


def _open_vault(draft: Path, clock: Clock, *, password_stdin: bool) -> bytes | None:
    """Asks before a machine.key is made here: who put the wrong file in, or forgot his own, changes nothing."""
    database = Database(draft, synchronous="FULL")
    try:
        user, wrapped = Users(database, clock).get(), Vault(database).get()
    finally:
        database.close()
    print(_ELSEWHERE, file=sys.stderr)
    return None if user is None else restored.open_vault(user, wrapped, ask_password(from_stdin=password_stdin))


def _tell(settled: Settled, file: Path, aside: Path) -> None:
    kept = f" What was here before is kept as {aside}." if aside.exists() else ""
    print(f"{file} is restored.{kept}", file=sys.stderr)
    print(
        "Password, key and settings are those of the day of the backup, unless a line below says otherwise, and "
        "everybody is signed out. What happened since is not in it: compare orders and positions. Until you have, the "
        "order mode is Semi-Auto.",
        file=sys.stderr,
    )
    for loss in settled.losses:
        print(loss, file=sys.stderr)
    if settled.key:
        print(settled.key)
