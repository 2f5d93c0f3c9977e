"""``run.py reset-password``: a new password for the owner of the files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing

import click

from openalgo_bridge import folder, lock
from openalgo_bridge.account import reset_password as account
from openalgo_bridge.account.reset_password import Reset
from openalgo_bridge.clock import Clock
from openalgo_bridge.commands.password import ask_password, ask_recovery_code
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.settings import Settings
from openalgo_bridge.store import integrity, schema
from openalgo_bridge.store.store import Store

_BY = Actor(name="run.py reset-password")


@click.command("reset-password")
@click.option("--password-stdin", is_flag=True, help="Read the new password from the first line of the standard input.")
@click.option(
    "--recovery-code-stdin", is_flag=True, help="Read a recovery code from the next line; an empty one means none."
)
@click.option("--remove-two-factor", is_flag=True, help="Remove the authenticator app too, because the phone is lost.")
@click.pass_obj
def reset_password(
    settings: Settings, *, password_stdin: bool, recovery_code_stdin: bool, remove_two_factor: bool
) -> None:
    """Set a new password without the old one. A recovery code keeps the API key showable."""
    for warning in folder.prepare(settings.db_dir):
        print(warning, file=sys.stderr)
    with lock.hold(settings.db_dir / lock.INSTANCE_LOCK, "run.py reset-password"):
        desk = _desk(settings)
        with closing(desk):
            desk.store.files[0].migrate(schema.bridge)
            if desk.store.users.get() is None:
                raise Conflict("There is no account yet. Make one with run.py setup, or on the set-up page.")
            password = ask_password(from_stdin=password_stdin, new=True)
            # Who gives the password on the standard input is a script; it is asked nothing.
            asks_code = recovery_code_stdin or not password_stdin
            code = ask_recovery_code(from_stdin=recovery_code_stdin) if asks_code else ""
            reset = account.reset_password(
                desk, password, recovery_code=code, removes_two_factor=remove_two_factor, by=_BY
            )
    for sentence in _told(reset):
        print(sentence)


def _desk(settings: Settings) -> Desk:
    """``bridge.db`` and ``machine.key`` alone: damage to another file must not lock the owner out."""
    refusal = integrity.why_not_anew(settings.db_dir)
    if refusal:
        raise StorageError(refusal)
    clock = Clock()
    store = Store.of_bridge(settings.db_dir, clock)
    return Desk.of_account(settings, clock, store)


def _told(reset: Reset) -> Iterator[str]:
    yield "The new password is set, and everybody is signed out."
    if reset.key_copy_lost:
        yield (
            "The stored API key can no longer be shown. Your programs go on working with it. If you need to see a key, "
            "regenerate it on the API key page."
        )
    if reset.recovery_codes_lost:
        yield "Your recovery codes work no more. Make new ones on the security page."
    if reset.two_factor_removed:
        yield "The authenticator app and its recovery codes are removed. Set it up again on the security page."
