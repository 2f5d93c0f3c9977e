"""``run.py setup``: the account without a browser."""

from __future__ import annotations

import sys

import click

from openalgo_bridge import folder, lock
from openalgo_bridge.account.setup import RISK_WARNING, create_account
from openalgo_bridge.app import open_desk
from openalgo_bridge.clock import Clock
from openalgo_bridge.commands.password import ask_password
from openalgo_bridge.errors import Conflict, Denied
from openalgo_bridge.settings import Settings


@click.command()
@click.option("--username", required=True, help="The name you sign in with.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the standard input.")
@click.option("--accept-risk", is_flag=True, help="You have read the risk warning and accept it.")
@click.pass_obj
def setup(settings: Settings, username: str, *, password_stdin: bool, accept_risk: bool) -> None:
    """Make the account, and print its API key once, on the last line."""
    for warning in folder.prepare(settings.db_dir):
        print(warning, file=sys.stderr)
    with lock.hold(settings.db_dir / lock.INSTANCE_LOCK, "run.py setup"):
        desk = open_desk(settings, Clock())
        try:
            if desk.store.users.get() is not None:
                raise Conflict("There is an account on this bridge already. Nothing was changed.")
            if not accept_risk:
                raise Denied(f"{RISK_WARNING}\n\nIf you accept this, run the same command again with --accept-risk.")
            password = ask_password(from_stdin=password_stdin, new=True)
            key = create_account(desk, username, password, risk_accepted=True)
        finally:
            desk.close()
    print("The account is made. Below is your API key. Keep it like a password.", file=sys.stderr)
    print(key)
