"""``run.py mode``: show or set the order mode, beside a running bridge or without one."""

from __future__ import annotations

import click

from openalgo_bridge import folder
from openalgo_bridge.account.login import confirm_password
from openalgo_bridge.app import open_desk
from openalgo_bridge.clock import Clock
from openalgo_bridge.commands.password import ask_password
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.settings import Settings

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
    desk = open_desk(settings, Clock())
    try:
        if wanted is not None:
            _set(desk, OrderMode(wanted), password_stdin=password_stdin)
        print(_MEANING[desk.store.preferences.order_mode()])
    finally:
        desk.close()


def _set(desk: Desk, wanted: OrderMode, *, password_stdin: bool) -> None:
    """What makes things less safe needs the password (design 5); what makes them safer must never be hindered."""
    if wanted is OrderMode.AUTO:
        if desk.store.users.get() is None:
            raise Conflict("There is no account yet. Make one with run.py setup, or on the set-up page.")
        confirm_password(desk, ask_password(from_stdin=password_stdin))
    desk.store.preferences.set_order_mode(wanted)
