"""The command line. Without a command it serves. Whatever goes wrong is told in a sentence."""

from __future__ import annotations

import sys

import click

from openalgo_bridge import folder, settings
from openalgo_bridge.commands.backup import backup
from openalgo_bridge.commands.doctor import doctor
from openalgo_bridge.commands.instruments import instruments
from openalgo_bridge.commands.mode import mode
from openalgo_bridge.commands.reset_password import reset_password
from openalgo_bridge.commands.restore import restore
from openalgo_bridge.commands.serve import serve
from openalgo_bridge.commands.setup import setup
from openalgo_bridge.console import speak_utf8
from openalgo_bridge.errors import BridgeError


@click.group(invoke_without_command=True, help="The trading bridge. Without a command: serve.")
@click.pass_context
def cli(context: click.Context) -> None:
    """Read the settings, and serve when nothing else was asked for."""
    context.obj = settings.load()
    if context.invoked_subcommand is None:
        context.invoke(serve)


for _command in (serve, setup, mode, doctor, backup, restore, reset_password, instruments):
    cli.add_command(_command)


def main() -> None:
    """Run one command and exit: 0 when it did what was asked, 1 when not, 2 when it was asked wrongly."""
    folder.keep_new_files_private()
    speak_utf8()
    try:
        cli(prog_name="run.py")
    except BridgeError as error:
        click.echo(error.message, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
