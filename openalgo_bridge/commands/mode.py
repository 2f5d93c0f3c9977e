"""``run.py mode``: show or set the order mode, beside a running bridge or without one.

Only ``bridge.db`` is used, and ``machine.key`` for ``auto``: damage to another file must not keep orders from waiting.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from openalgo_bridge import folder, lock
from openalgo_bridge.account.login import Proof, confirm
from openalgo_bridge.clock import Clock
from openalgo_bridge.commands.password import ask_password
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.settings import Settings
from openalgo_bridge.store import integrity, schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.preferences import Preferences
from openalgo_bridge.store.store import Store
from openalgo_bridge.store.users import Users

_BY = Actor(name="run.py mode")
_MEANING = {
    OrderMode.AUTO: "auto: orders are sent at once.",
    OrderMode.SEMI_AUTO: "semi_auto: orders wait in the Action Center until you approve them.",
}


@click.command()
@click.argument(
    "wanted", metavar="[auto|semi_auto]", required=False, type=click.Choice([mode.value for mode in OrderMode])
)
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the standard input.")
@click.option("--code", default="", help="The code of your authenticator app, where Credentials 2FA is on.")
@click.pass_obj
def mode(settings: Settings, wanted: str | None, *, password_stdin: bool, code: str) -> None:
    """Show the order mode, or set it. ``auto`` asks for your password; ``semi_auto`` never does."""
    folder.prepare(settings.db_dir)
    with _account(settings) as account:
        preferences = Preferences(account, Clock())
        # What makes things less safe needs the password (design 5); what makes them safer must never be hindered.
        if wanted == OrderMode.AUTO:
            _require_account(settings, account)
            _confirm(settings, code, password_stdin=password_stdin)
            preferences.set_order_mode(OrderMode.AUTO, by=_BY)
        elif wanted == OrderMode.SEMI_AUTO:
            _hold_orders(preferences)
        print(_MEANING[preferences.order_mode()])


def _require_account(settings: Settings, account: Database) -> None:
    """Raises Conflict while there is none, and StorageError where the machine.key that it was made with is gone."""
    if Users(account, Clock()).get() is None:
        raise Conflict("There is no account yet. Make one with run.py setup, or on the set-up page.")
    refusal = integrity.why_no_machine_key(settings.db_dir)
    if refusal:
        raise StorageError(refusal)


def _confirm(settings: Settings, code: str, *, password_stdin: bool) -> None:
    """Raises Denied, WrongCode naming ``--code`` where one is needed, RateLimited, StorageError."""
    clock = Clock()
    store = Store.of_bridge(settings.db_dir, clock)
    try:
        if store.two_factor.get().for_credentials and not code:
            raise Conflict(
                "Credentials 2FA is on: add --code and what your authenticator app shows. Nothing was changed."
            )
        desk = Desk.of_account(settings, clock, store)
        confirm(desk, Proof(password=ask_password(from_stdin=password_stdin), code=code, by=_BY))
    finally:
        store.close()


def _hold_orders(preferences: Preferences) -> None:
    """With its line in the audit list where that can be written, and else without. Raises StorageError."""
    try:
        is_noted = preferences.hold_orders(by=_BY)
    except StorageError as error:
        raise StorageError(f"{error.message} To keep orders from being sent, stop the bridge (Ctrl+C).") from error
    if not is_noted:
        print("This could not be noted in the audit list.", file=sys.stderr)


@contextmanager
def _account(settings: Settings) -> Iterator[Database]:
    path = settings.db_dir / "bridge.db"
    is_new = not path.exists()
    refusal = integrity.why_not_anew(settings.db_dir)
    if refusal:
        raise StorageError(refusal)
    database = Database(path, synchronous="FULL")
    try:
        if is_new:
            database.migrate(schema.bridge)
        else:
            _migrate_where_nobody_is_disturbed(database, settings)
        yield database
    finally:
        database.close()


def _migrate_where_nobody_is_disturbed(database: Database, settings: Settings) -> None:
    """After an update the file may be of an older version. A running bridge of that version keeps it as it is."""
    with suppress(Conflict, StorageError):  # without it the mode can be read and orders be held all the same
        if not database.is_current(schema.bridge):
            with lock.hold(settings.db_dir / lock.INSTANCE_LOCK, "run.py mode"):
                database.migrate(schema.bridge)
