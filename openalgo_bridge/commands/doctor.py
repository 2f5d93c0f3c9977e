"""``run.py doctor``: what is wrong on this PC, each with the fix in words. Works beside a running bridge."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import click

from openalgo_bridge import folder, lock
from openalgo_bridge.account import authenticator
from openalgo_bridge.clock import Clock, day_in_india
from openalgo_bridge.commands import diagnostics
from openalgo_bridge.errors import Conflict, StorageError
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.ports import listen
from openalgo_bridge.settings import Settings
from openalgo_bridge.store import integrity, schema
from openalgo_bridge.store.api_keys import ApiKeys
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.breaks import Breaks
from openalgo_bridge.store.calendar import TradingCalendar
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.journal import Journal
from openalgo_bridge.store.kill_switch import KillSwitch
from openalgo_bridge.store.machine_key import MachineKey
from openalgo_bridge.store.two_factor import TwoFactors

_NEEDED_MB = 200
_FOREIGN = (
    "this is not the machine.key that your account was made with, so no program can use the API key. Stop the bridge "
    "and put back your copy of the former one. Without one, generate a new key on the API key page."
)
_CLOCK = Clock()
_AHEAD = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    ok: bool
    what: str
    words: str

    def __str__(self) -> str:
        return f"{'OK  ' if self.ok else 'FAIL'} {self.what}: {self.words}"


@click.command()
@click.option("--report", type=click.Path(path_type=Path), help="Write all of it to a new file, without secrets.")
@click.pass_obj
def doctor(settings: Settings, report: Path | None) -> None:
    """Check Python, the data folder, the port, the machine's key, the databases, audit list, calendar and disk."""
    findings = list(examine(settings))
    for finding in findings:
        print(finding)
    if report is not None:
        diagnostics.write(report, settings, map(str, findings))
        print(f"The report is in {report}. Look it through before you give it to anybody.")
    if not all(finding.ok for finding in findings):
        sys.exit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check, in the order in which the fixes make sense. Without a usable folder the rest cannot be told."""
    place = settings.db_dir.resolve()
    yield _python()
    if not place.is_dir():
        yield Finding(ok=True, what="folder", words=f"{place} does not exist yet; the first start makes it.")
        yield _port(settings)
        return
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        words = f"{place} cannot be written. Give it to this user, or choose another with DB_DIR in .env."
        yield Finding(ok=False, what="folder", words=words)
        return
    refusal = folder.why_not(place)
    if refusal:
        yield Finding(ok=False, what="folder", words=refusal)
        return
    yield from _folder(place)
    yield _port(settings)
    yield _machine_key(place)
    yield from _databases(settings)
    yield _disk(settings)


def _python() -> Finding:
    bits = struct.calcsize("P") * 8
    words = f"{platform.python_version()}, {bits} bit."
    right = sys.version_info >= (3, 11) and bits == 64
    return Finding(ok=right, what="python", words=words if right else f"{words} Install a 64-bit Python 3.11 or newer.")


def _folder(place: Path) -> Iterator[Finding]:
    faults = [*folder.risks_of_place(place), *folder.open_to_others(place)]
    yield from (Finding(ok=False, what="folder", words=fault) for fault in faults)
    if not faults:
        # On Windows the rights were not looked at, so nothing is said about them.
        privacy = ", and no other user may enter it" if os.name == "posix" else ""
        yield Finding(ok=True, what="folder", words=f"{place} can be written{privacy}.")


def _port(settings: Settings) -> Finding:
    running = lock.holder(settings.db_dir / lock.INSTANCE_LOCK)
    if running is not None and running.what == lock.bridge_at(settings.url):
        return Finding(ok=True, what="port", words=f"{settings.flask_port} is served by {running}.")
    try:
        for listener in listen(settings.flask_port):
            listener.close()
    except Conflict as error:
        return Finding(ok=False, what="port", words=error.message)
    return Finding(ok=True, what="port", words=f"{settings.flask_port} is free.")


def _machine_key(place: Path) -> Finding:
    """Without the key that the account was made with, no API key and no login of it is valid."""
    path = place / "machine.key"
    if not os.path.lexists(path):
        refusal = integrity.why_no_machine_key(place)
        return Finding(ok=not refusal, what=path.name, words=refusal or "not made yet; the first start makes it.")
    try:
        MachineKey.load_or_create(path)
    except StorageError as error:
        return Finding(ok=False, what=path.name, words=error.message)
    return Finding(
        ok=True, what=path.name, words="there, whole and private." if os.name == "posix" else "there and whole."
    )


def _databases(settings: Settings) -> Iterator[Finding]:
    for name in integrity.FILES:
        path = settings.db_dir / name
        if not path.exists():
            yield _missing(path)
            continue
        try:
            faults = integrity.faults_of(path)
        except StorageError as error:
            faults = [error.message]
        yield Finding(ok=not faults, what=name, words=f"{'; '.join(faults)}. {_cure(name)}" if faults else "sound.")
        if name == "bridge.db" and not faults:
            yield from _account(path.parent)


def _missing(path: Path) -> Finding:
    refusal = integrity.why_not_anew(path.parent) if path.name == "bridge.db" else ""
    return Finding(ok=not refusal, what=path.name, words=refusal or "not made yet; the first start makes it.")


def _cure(name: str) -> str:
    if name == "bridge.db":
        return "Stop the bridge and run: run.py restore FILE, with your newest backup. It keeps the damaged file."
    return f"Stop the bridge and move {name} away; the next start makes a new one."


def _account(place: Path) -> Iterator[Finding]:
    """What stands in ``bridge.db``. Only reads, so that it may run beside a bridge, also one of an older version."""
    with closing(Database(place / "bridge.db", synchronous="FULL")) as database:
        try:
            yield _audit_list(place, AuditLog(database, _CLOCK))
            yield from _of_another_machine_key(place, database)
            yield from _orders(database)
            yield from _calendar(database)
        except StorageError as error:
            yield _unreadable(database, error)


def _audit_list(place: Path, audit: AuditLog) -> Finding:
    broken = audit.first_broken()
    if broken is None:
        return Finding(ok=True, what="audit list", words=f"{audit.count():,} lines, unbroken.")
    words = (
        f"line {broken.id} is the first that cannot be trusted: {broken.why}. The bridge never does that, so something "
        f"else wrote bridge.db. Keep a copy of it, look who may write {place}, and change your password and the API "
        "key. run.py restore brings back a backup from before."
    )
    return Finding(ok=False, what="audit list", words=words)


def _orders(database: Database) -> Iterator[Finding]:
    """What keeps orders from going although nothing is broken. A file of an older version has no such tables yet."""
    if not database.is_current(schema.bridge):
        return
    in_doubt = Journal(database, _CLOCK).in_doubt_count()
    if in_doubt:
        words = (
            f"{in_doubt} in doubt: the broker may have what was sent. Do not send it again. New orders in the same "
            "symbols wait. Look at the broker, and decide on the Orders page."
        )
        yield Finding(ok=False, what="orders", words=words)
    breaks = Breaks(database, _CLOCK).open_count()
    if breaks:
        words = (
            f"{breaks} in dispute: the broker and the journal say different things. New orders in the same symbols "
            "wait. The Orders page says what it is and what to do."
        )
        yield Finding(ok=False, what="orders", words=words)
    switch = KillSwitch(database, _CLOCK).state()
    if switch.is_on:
        words = f"{switch}. New orders are refused; the page /kill-switch releases it, with the password."
        yield Finding(ok=True, what="kill switch", words=words)


def _calendar(database: Database) -> Iterator[Finding]:
    if database.is_current(schema.bridge):
        yield holidays_known(TradingCalendar(database, _CLOCK), day_in_india(_CLOCK.now()))


def holidays_known(kept: TradingCalendar, today: date) -> Finding:
    """Whether the holidays of the next weeks are known. That they are not stops nothing, so it is no fault."""
    try:
        years = kept.changes().applied_to(SHIPPED).years
    except StorageError as error:
        words = f"{error.message} The calendar that came with the bridge counts, without your changes."
        return Finding(ok=False, what="calendar", words=words)
    unknown = [year for year in (today.year, (today + _AHEAD).year) if year not in years]
    if unknown:
        words = f"the holidays of {unknown[0]} are not known. Add them on the page /settings/calendar."
        return Finding(ok=True, what="calendar", words=words)
    return Finding(ok=True, what="calendar", words=f"the holidays of {today.year} are known.")


def _of_another_machine_key(place: Path, database: Database) -> Iterator[Finding]:
    """Nothing where there is no machine key that can be used, which is told above."""
    path = place / "machine.key"
    if not path.exists():
        return
    try:
        here = MachineKey.load_or_create(path)
    except StorageError:
        return
    if ApiKeys(database, _CLOCK).is_foreign(here.mark):
        yield Finding(ok=False, what=path.name, words=_FOREIGN)
    yield from _two_factor(here, TwoFactors(database, _CLOCK))


def _two_factor(here: MachineKey, two_factors: TwoFactors) -> Iterator[Finding]:
    """Nothing where there is no authenticator."""
    sealed = two_factors.get().secret
    if sealed is None:
        return
    readable = authenticator.unsealed(here, sealed) is not None
    words = "the codes of your authenticator app can be checked." if readable else authenticator.UNREADABLE
    yield Finding(ok=readable, what="two-factor", words=words)


def _unreadable(database: Database, error: StorageError) -> Finding:
    """Tables that are not there yet are no fault."""
    try:
        older = not database.is_current(schema.bridge)
    except StorageError:
        older = False
    words = "bridge.db is of an older version, which has no such list. The next start brings it up to date."
    return Finding(ok=older, what="audit list", words=words if older else f"{error.message}. {_cure('bridge.db')}")


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.db_dir).free // (1024 * 1024)
    needed = settings.traffic_log_max_mb + _NEEDED_MB
    if free < needed:
        words = f"{free} MB free. Free {needed - free} MB more, or lower TRAFFIC_LOG_MAX_MB in .env."
        return Finding(ok=False, what="disk", words=words)
    return Finding(ok=True, what="disk", words=f"{free:,} MB free.")
