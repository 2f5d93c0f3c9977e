"""Settings: the environment beats ``.env``. The only reader of the environment.

What a user changes while the bridge runs (order mode, guards, permissions) is in the database instead.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from openalgo_bridge.errors import Invalid

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
DEFAULT_FOLDER = PROJECT_FOLDER / "db"

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_HTTP_PORT = 80
# No zero: a limit of nothing, or over no time at all, would lock the trader out.
_RATE = re.compile(r"\s*0*[1-9]\d{0,5}\s*(per|/)\s*(0*[1-9]\d{0,3})?\s*(second|minute|hour|day)s?\s*", re.ASCII)
# PowerShell 5 writes UTF-16 with `echo x > .env`.
_NOT_UTF8 = "{} is not UTF-8 text. Save it again as UTF-8."
# A browser's extensions have schemes of their own. Nothing without a host is here, so "null" is no origin.
_ORIGIN = re.compile(
    r"(?P<site>(?P<scheme>[a-z][a-z-]*)://(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]))(?::(?P<port>[1-9]\d{0,4}))?",
    re.ASCII,
)
_USUAL_PORTS = {"http": "80", "https": "443"}
_LAST_PORT = 65535
# As a shell would read it too, so that a file written for one works here.
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=(.*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every field is the setting of the same name in capitals; ``.env.sample`` explains each one."""

    flask_host_ip: str = "127.0.0.1"
    flask_port: int = 5000
    webhook_port: int = 5001
    websocket_port: int = 8765
    db_dir: Path = DEFAULT_FOLDER
    order_rate_limit: str = "10 per second"
    api_rate_limit: str = "30 per second"
    webhook_rate_limit: str = "20 per minute"
    login_rate_limit: str = "5 per minute;25 per hour"
    cors_allowed_origins: tuple[str, ...] = field(default=())
    webhook_accept_main_key: bool = False
    traffic_log_retention_days: int = 30
    traffic_log_max_mb: int = 500
    open_browser: bool = True
    log_level: str = "INFO"

    @property
    def hosts(self) -> frozenset[str]:
        """The only values of a Host header that are ours (security T1). Clients leave port 80 out of it."""
        names = ("127.0.0.1", "localhost", "[::1]")
        with_port = frozenset(f"{name}:{self.flask_port}" for name in names)
        return with_port.union(names) if self.flask_port == _HTTP_PORT else with_port

    @property
    def url(self) -> str:
        """Where the pages are. 127.0.0.1 because ``localhost`` may mean ::1 first on Windows."""
        return f"http://127.0.0.1:{self.flask_port}"


def load(env_file: Path = PROJECT_FOLDER / ".env", environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises Invalid naming every setting that is wrong, and how."""
    given = {**_read_env_file(env_file), **(os.environ if environ is None else environ)}
    values: dict[str, Any] = {}
    faults: dict[str, list[str]] = {}
    for spec in fields(Settings):
        name = spec.name.upper()
        if name not in given:
            continue
        try:
            values[spec.name] = _PARSERS.get(spec.name, str.strip)(given[name])
        except ValueError as error:
            faults[name] = [str(error)]
    if faults:
        raise Invalid.of(faults)
    return Settings(**values)


def without_effect(env_file: Path = PROJECT_FOLDER / ".env") -> list[str]:
    """One sentence naming what in ``.env`` sets nothing, such as a mistyped name; none when all of it does.

    A line that is not NAME=value is named by its number: what stands in it may be a secret. Raises Invalid when
    the file cannot be read.
    """
    known = _names()
    found = [
        _named(name, known) if name else f"line {number}"
        for number, name, _ in _lines(_text_of(env_file))
        if name not in known
    ]
    return [f"In {env_file} this sets nothing: {', '.join(found)}."] if found else []


def _named(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.upper(), known, n=1)
    return f"{name} (did you mean {near[0]}?)" if near else name


def _names() -> list[str]:
    return [spec.name.upper() for spec in fields(Settings)]


def _read_env_file(path: Path) -> dict[str, str]:
    return {name: value.strip().strip("\"'") for _, name, value in _lines(_text_of(path)) if name}


def _text_of(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise Invalid(_NOT_UTF8.format(path)) from error
    # UTF-16 without a byte order mark is valid UTF-8: every second character is a NUL.
    if "\0" in text:
        raise Invalid(_NOT_UTF8.format(path))
    return text


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Number, name and value of each line that is not empty or a comment. The name of a strange line is empty."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            found = _LINE.fullmatch(line)
            yield (number, found[1], found[2]) if found else (number, "", "")


def _loopback(text: str) -> str:
    if text.strip() not in _LOOPBACK:
        raise ValueError(
            f"{text.strip()} is not this PC. The bridge listens on 127.0.0.1 only; "
            "to reach it from outside, point a tunnel at the webhook port."
        )
    return text.strip()


def _port(text: str) -> int:
    if not re.fullmatch(r"\s*\d{1,5}\s*", text) or not 1 <= int(text) <= _LAST_PORT:
        raise ValueError(f"{text.strip()!r} is not a port number (1 to {_LAST_PORT}).")
    return int(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"\s*\d{1,9}\s*", text) or int(text) < 1:
        raise ValueError(f"{text.strip()!r} is not a whole number above 0.")
    return int(text)


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word not in {"true", "false", "1", "0", "yes", "no"}:
        raise ValueError(f"{text.strip()!r} is neither true nor false.")
    return word in {"true", "1", "yes"}


def _rate(text: str) -> str:
    if not all(_RATE.fullmatch(part) for part in text.split(";")):
        raise ValueError(f"{text.strip()!r} is not a rate such as '10 per second'.")
    return text.strip()


def _folder(text: str) -> Path:
    if not text.strip():
        raise ValueError("The folder must not be empty.")
    try:
        path = Path(text.strip()).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{text.strip()!r} begins with a user whose home folder is not known.") from error
    return path if path.is_absolute() else PROJECT_FOLDER / path


def _origins(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_origin(part.strip()) for part in text.split(",") if part.strip()))


def _origin(text: str) -> str:
    """As a browser writes it, because it is compared letter by letter: small letters, and no port that goes without."""
    found = _ORIGIN.fullmatch(text.lower())
    if found is None or int(found["port"] or 0) > _LAST_PORT:
        raise ValueError(
            f"{text!r} is not an origin such as https://example.com or http://localhost:3000: no path, no *."
        )
    return found["site"] if found["port"] == _USUAL_PORTS.get(found["scheme"]) else found[0]


def _level(text: str) -> str:
    word = text.strip().upper()
    if word not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError(f"{text.strip()!r} is none of DEBUG, INFO, WARNING, ERROR.")
    return word


_PARSERS: dict[str, Callable[[str], Any]] = {
    "flask_host_ip": _loopback,
    "flask_port": _port,
    "webhook_port": _port,
    "websocket_port": _port,
    "db_dir": _folder,
    "order_rate_limit": _rate,
    "api_rate_limit": _rate,
    "webhook_rate_limit": _rate,
    "login_rate_limit": _rate,
    "cors_allowed_origins": _origins,
    "webhook_accept_main_key": _switch,
    "traffic_log_retention_days": _count,
    "traffic_log_max_mb": _count,
    "open_browser": _switch,
    "log_level": _level,
}
