"""Asking for a password at the console."""

from __future__ import annotations

import sys

import click

from openalgo_bridge.errors import Invalid


def ask_password(*, from_stdin: bool, new: bool = False) -> str:
    """The password, typed unseen (a new one twice), or the first line of the standard input. Raises Invalid."""
    if not from_stdin:
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=new, err=True)
        return typed
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Invalid("There is no password on the standard input.")
    return password


def ask_recovery_code(*, from_stdin: bool) -> str:
    """A recovery code, or nothing where the person has none; from the next line of the standard input."""
    if from_stdin:
        return sys.stdin.readline().strip()
    typed: str = click.prompt("Recovery code (Enter for none)", default="", show_default=False, err=True)
    return typed.strip()
