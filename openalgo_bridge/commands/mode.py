"""``run.py mode``: show or set the order mode, beside a running bridge or without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from openalgo_bridge import folder
from openalgo_bridge.account.login import Proof, confirm
from openalgo_bridge.app import open_desk
from openalgo_bridge.clock import Clock
from openalgo_bridge.commands.password import ask_password
from openalgo_bridge.errors import Conflict
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.settings import Settings
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.preferences import Preferences

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
def mode(settings: Settings, wanted: str | None, *, password_stdin: bool, code: str) -> None:  # noqa: ARG001 - for 2FA
    """Show the order mode, or set it. ``auto`` asks for your password; ``semi_auto`` never does."""
    folder.prepare(settings.db_dir)
    # What makes things less safe needs the password (design 5); what makes them safer must never be hindered.
    if wanted == OrderMode.AUTO:
        _confirm(settings, password_stdin=password_stdin)
    with _preferences(settings) as preferences:
        if wanted is not None:
            preferences.set_order_mode(OrderMode(wanted), by=Actor(name="run.py mode"))
        print(_MEANING[preferences.order_mode()])


def _confirm(settings: Settings, *, password_stdin: bool) -> None:
    desk = open_desk(settings, Clock())
    try:
        if desk.store.users.get() is None:
            raise Conflict("There is no account yet. Make one with run.py setup, or on the set-up page.")
        confirm(desk, Proof(password=ask_password(from_stdin=password_stdin)))
    finally:
        desk.close()


@contextmanager
def _preferences(settings: Settings) -> Iterator[Preferences]:
    """Only the file in which the mode stands: damage to another must not keep orders from being held.

    A file that is there is not migrated, because a running bridge of an older version may be using it.
    """
    path = settings.db_dir / "bridge.db"
    is_new = not path.exists()
    database = Database(path, synchronous="FULL")
    try:
        if is_new:
            database.migrate(schema.bridge)
        yield Preferences(database, Clock())
    finally:
        database.close()
