"""The report of ``run.py doctor --report``: one text file to ask somebody with, without secrets.

It is made beside a running bridge and where everything is broken, so each part stands for itself: what cannot be told
is said so, and the others follow.
"""

from __future__ import annotations

import platform
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from functools import partial
from importlib import metadata
from pathlib import Path

from openalgo_bridge import __version__, lock
from openalgo_bridge.clock import Clock, from_ms, ist_text
from openalgo_bridge.errors import BridgeError, Conflict, StorageError
from openalgo_bridge.model.calls import CallFilter
from openalgo_bridge.model.indicators import Indicator, IndicatorState
from openalgo_bridge.model.masked_address import masked, masked_within
from openalgo_bridge.model.named_secrets import without_named_secrets
from openalgo_bridge.model.redaction import LONG_RUN_PLACEHOLDER, redact
from openalgo_bridge.settings import PROJECT_FOLDER, Settings, without_effect
from openalgo_bridge.store import integrity, schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.faults import Fault, Faults
from openalgo_bridge.store.indicators import Indicators
from openalgo_bridge.store.known_secrets import KnownSecrets
from openalgo_bridge.store.machine_key import MachineKey
from openalgo_bridge.store.preferences import Preferences
from openalgo_bridge.store.traffic import CUT_OFF, Call
from openalgo_bridge.store.traffic_search import TrafficSearch

_CLOCK = Clock()
_ERRORS, _CALLS = 50, 200
_LIBRARIES = ("flask", "waitress", "sqlite-utils", "pydantic", "cryptography", "limits", "tzdata")
_SCHEMAS = {"bridge.db": schema.bridge, "traffic.db": schema.traffic, "instruments.db": schema.instruments}
_HEAD = """\
Report of the trading bridge
Keys, passwords and other secrets are taken out, and so is the end of public addresses. It does tell which programs
called, when, from where, and what became of each call. Look it through before you give it to anybody.
"""

# What a report may hit on, being told of a broken bridge; anything else is a mistake in here.
_FAULTS = (BridgeError, OSError, ValueError, LookupError, OverflowError)

# Base64 and its like: names, symbols and paths have no capitals, small letters and digits all together.
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
_SIGNS = (re.compile("[A-Z]"), re.compile("[a-z]"), re.compile("[0-9]"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A heading and what stands under it. ``lines`` may raise what a broken bridge does."""

    title: str
    lines: Callable[[], Iterable[str]]


def write(path: Path, settings: Settings, checks: Iterable[str]) -> None:
    """Write the report. ``checks`` are the lines of the doctor. Raises Conflict where there is a file of that name, and
    StorageError where it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.writelines(_texts(settings, checks))
    except FileExistsError as error:
        raise Conflict(f"{path} is there already, and is not overwritten. Give another name.") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error


def _texts(settings: Settings, checks: Iterable[str]) -> Iterator[str]:
    yield f"{_HEAD}Made {_moment_now()}.\n"
    place = settings.db_dir.resolve()
    without_secrets = _redaction(place)
    for part in _parts(settings, place, checks):
        yield f"\n== {part.title}\n"
        yield from (f"{without_secrets(line)}\n" for line in _told(part))


def _parts(settings: Settings, place: Path, checks: Iterable[str]) -> Sequence[Part]:
    return (
        Part(title="Versions", lines=_versions),
        Part(title="Checks", lines=lambda: checks),
        Part(title="Settings", lines=lambda: _settings(settings)),
        Part(title="Modes", lines=lambda: _modes(place)),
        Part(title="Files", lines=lambda: _files(settings, place)),
        *(Part(title=f"Tables of {name}", lines=partial(_tables, place, name)) for name in _SCHEMAS),
        Part(title="Clock", lines=lambda: _clock(place)),
        Part(title="What to watch, open", lines=lambda: _indicators(place)),
        Part(title=f"The last {_ERRORS} errors, newest first", lines=lambda: _errors(place)),
        Part(title=f"The last {_CALLS} calls, newest first", lines=lambda: _calls(place)),
    )


def _told(part: Part) -> Iterator[str]:
    nothing = True
    try:
        for line in part.lines():
            nothing = False
            yield line
    except _FAULTS as fault:
        yield f"This cannot be told. {type(fault).__name__}: {fault}"
    else:
        if nothing:
            yield "none"


def _versions() -> Iterator[str]:
    yield f"openalgo_bridge {__version__}"
    yield f"{platform.python_implementation()} {platform.python_version()}, {sys.maxsize.bit_length() + 1} bit"
    yield platform.platform()
    yield f"SQLite {sqlite3.sqlite_version}"
    for name in _LIBRARIES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"{name} is not there"


def _settings(settings: Settings) -> Iterator[str]:
    usual = Settings()
    for spec in fields(Settings):
        value = getattr(settings, spec.name)
        told = ", ".join(value) if isinstance(value, tuple) else str(value)
        yield f"{spec.name.upper():<28}{told}{'' if value == getattr(usual, spec.name) else '  (changed)'}"
    yield from without_effect()


def _modes(place: Path) -> Iterator[str]:
    with _database(place, "bridge.db") as bridge:
        preferences = Preferences(bridge, _CLOCK)
        yield f"orders: {preferences.order_mode()}"
        yield f"trading: {preferences.trading_mode()}"


def _files(settings: Settings, place: Path) -> Iterator[str]:
    running = lock.holder(settings.db_dir / lock.INSTANCE_LOCK)
    yield "No bridge runs." if running is None else f"Running: {running}."
    yield f"{shutil.disk_usage(place).free // 2**20:,} MB free in {place}"
    for path in sorted(place.iterdir()):
        found = path.stat()
        yield f"{found.st_size:>15,} bytes  {ist_text(from_ms(int(found.st_mtime * 1000)))} IST  {path.name}"


def _tables(place: Path, name: str) -> Iterator[str]:
    with _database(place, name) as database:
        applied = database.applied(_SCHEMAS[name])
        yield f"{len(applied)} migrations, the last is {applied[-1] if applied else 'none'}"
        if not database.is_current(_SCHEMAS[name]):
            yield "The next start brings it up to date."


def _clock(place: Path) -> Iterator[str]:
    now = _CLOCK.now()
    yield f"{now:%Y-%m-%d %H:%M:%S} UTC, which is {_moment_now()}"
    yield f"This PC shows {now.astimezone():%Y-%m-%d %H:%M:%S %z (%Z)}"
    with _database(place, "traffic.db") as traffic:
        for call in TrafficSearch(traffic).page(CallFilter(with_pages=True), before=None, limit=1):
            yield f"The last request came at {ist_text(call.at)} IST"
            if call.at > now:
                yield "That is still to come: the clock was set back."


def _indicators(place: Path) -> Iterator[str]:
    with _database(place, "bridge.db") as bridge:
        yield from map(_of_indicator, Indicators(bridge, _CLOCK).of(IndicatorState.OPEN))


def _of_indicator(indicator: Indicator) -> str:
    seen = indicator.evidence
    span = f"{ist_text(seen.first_at)} to {ist_text(seen.last_at)} IST"
    who = f"addresses {', '.join(map(masked, seen.addresses))}; programs {', '.join(seen.programs)}"
    return f"{indicator.kind}: {masked(indicator.subject)}; {seen.calls:,} calls, {span}; {who}"


def _errors(place: Path) -> Iterator[str]:
    with _database(place, "traffic.db") as traffic, _database(place, "bridge.db") as bridge:
        faults = Faults(traffic, _CLOCK, KnownSecrets(bridge, _machine_key(place)))
        yield from map(_of_fault, faults.page(limit=_ERRORS))


def _of_fault(fault: Fault) -> str:
    where = f", call {fault.request_id}" if fault.request_id else ""
    head = f"{ist_text(fault.at)} IST {fault.level} {fault.logger}{where}\n{fault.message}\n{fault.traceback}"
    return masked_within(head.rstrip()).replace("\n", "\n    ")


def _calls(place: Path) -> Iterator[str]:
    with _database(place, "traffic.db") as traffic:
        yield from map(_of_call, TrafficSearch(traffic).page(CallFilter(), before=None, limit=_CALLS))


def _of_call(call: Call) -> str:
    status = {None: "running", CUT_OFF: "cut off"}.get(call.status, str(call.status))
    took = "" if call.duration_ms is None else f"{call.duration_ms:.1f} ms"
    told = (
        f"{ist_text(call.at)}.{call.at.microsecond // 1000:03d} {call.method} {call.endpoint}",
        status,
        took,
        masked(call.address),
        "" if call.forwarded_for is None else f"for {masked(call.forwarded_for)}",
        call.program,
        call.outcome or "",
        "" if call.ticket_id is None else f"ticket {call.ticket_id}",
        masked_within(call.message or ""),
        call.request_id,
    )
    return " | ".join(filter(None, told))


@contextmanager
def _database(place: Path, name: str) -> Iterator[Database]:
    """A file that is there: none is made for a report."""
    if not (place / name).exists():
        raise StorageError(f"{name} is not there.")
    with closing(Database(place / name, synchronous=integrity.FILES[name])) as database:
        yield database


def _machine_key(place: Path) -> MachineKey:
    if not (place / "machine.key").exists():
        raise StorageError("machine.key is not there.")
    return MachineKey.load_or_create(place / "machine.key")


def _redaction(place: Path) -> Callable[[str], str]:
    """What takes secrets out of a line, by form and name: a line was written without them, so this is the second look.
    And where in the file system the bridge and its Python are is nobody's business.
    """
    folders = {str(place): "(data)", str(PROJECT_FOLDER): "(bridge)", sys.prefix: "(python)", _home(): "~"}

    def without_secrets(line: str) -> str:
        for folder, name in folders.items():
            # Not the root, which is in every path.
            line = line.replace(folder, name) if len(folder) > 1 else line
        line = without_named_secrets(redact(line))
        return _RUN.sub(lambda run: LONG_RUN_PLACEHOLDER if _is_random(run[0]) else run[0], line)

    return without_secrets


def _home() -> str:
    try:
        return str(Path.home())
    except RuntimeError:
        return ""


def _is_random(run: str) -> bool:
    return all(sign.search(run) for sign in _SIGNS)


def _moment_now() -> str:
    return f"{ist_text(_CLOCK.now())} IST"
