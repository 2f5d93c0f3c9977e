"""``run.py instruments FILE``: take over a broker's daily file of instruments. Works beside a running bridge."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

import click

from openalgo_bridge import folder
from openalgo_bridge.brokers.registry import INSTRUMENT_FILES
from openalgo_bridge.clock import Clock, day_in_india
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.instrument_list import LoadedList
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.store import Store

_SHOWN = 20


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "broker",
    type=click.Choice(sorted(INSTRUMENT_FILES)),
    default=next(iter(INSTRUMENT_FILES)),
    show_default=True,
    help="Whose file it is.",
)
@click.option(
    "--accept-fewer",
    is_flag=True,
    help="Take it although it looks cut short, or lacks what you have positions or orders in.",
)
@click.pass_obj
def instruments(settings: Settings, file: Path, *, broker: str, accept_fewer: bool) -> None:
    """Take over the instruments of FILE, a broker's daily CSV.

    Where FILE is not what it should be, the former list stays in force. A running bridge uses the new list within
    seconds. To go back to the list that comes with the bridge, stop it and delete instruments.db.
    """
    clock = Clock()
    folder.prepare(settings.db_dir)
    with closing(Store.open(settings.db_dir, clock)) as store:
        today = day_in_india(clock.now())
        try:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                found = INSTRUMENT_FILES[broker](lines, today)
                loaded = store.instrument_lists.replace(
                    found, source=broker, edition=today.isoformat(), today=today, accept_fewer=accept_fewer
                )
        except Invalid as refusal:
            raise Invalid(" ".join([refusal.message, *_left_out(found.left_out)])) from refusal
        except OSError as error:
            raise Invalid(f"{file} cannot be read: {error.strerror}.") from error
        print(_told(loaded))
        for line in _left_out(found.left_out):
            print(line)
        for change in store.instrument_lists.changes(loaded.id, limit=_SHOWN):
            print(f"  {change.what}: {change.symbol} on {change.exchange} {change.before} {change.after}".rstrip())


def _left_out(reasons: Counter[str]) -> list[str]:
    return [f"Left out: {number:,} {reason}." for reason, number in reasons.most_common()]


def _told(loaded: LoadedList) -> str:
    return (
        f"{loaded.size:,} instruments are in force. Since the former list {loaded.appeared:,} appeared, "
        f"{loaded.expired:,} expired, {loaded.vanished:,} vanished; of {loaded.changed:,} the token, lot, tick or "
        f"freeze quantity changed. {loaded.conflicts:,} names would be those of two instruments and are not traded."
    )
