"""Settings: the environment beats ``.env``. The only reader of the environment.

What a user changes while the bridge runs (order mode, guards, permissions) is in the database instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from openalgo_bridge.errors import Invalid

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_RATE = re.compile(r"\s*\d+\s*(per|/)\s*\d*\s*(second|minute|hour|day)s?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every field is the setting of the same name in capitals; ``.env.sample`` explains each one."""

    flask_host_ip: str = "127.0.0.1"
    flask_port: int = 5000
    webhook_port: int = 5001
    websocket_port: int = 8765
    db_dir: Path = PROJECT_FOLDER / "db"
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
        """The only values of a Host header that are ours (security T1)."""
        return frozenset(f"{name}:{self.flask_port}" for name in ("127.0.0.1", "localhost", "[::1]"))

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


def _read_env_file(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        # PowerShell 5 writes UTF-16 with `echo x > .env`.
        raise Invalid(f"{path} is not UTF-8 text. Save it again as UTF-8.") from error
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def _loopback(text: str) -> str:
    if text.strip() not in _LOOPBACK:
        raise ValueError(
            f"{text.strip()} is not this PC. The bridge listens on 127.0.0.1 only; "
            "to reach it from outside, point a tunnel at the webhook port."
        )
    return text.strip()


def _port(text: str) -> int:
    if not re.fullmatch(r"\s*\d{1,5}\s*", text) or not 1 <= int(text) <= 65535:
        raise ValueError(f"{text.strip()!r} is not a port number (1 to 65535).")
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
    path = Path(text.strip()).expanduser()
    return path if path.is_absolute() else PROJECT_FOLDER / path


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(part.strip() for part in text.split(",") if part.strip())
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s*]+", origin):
            raise ValueError(f"{origin!r} is not an origin such as https://example.com.")
    return origins


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
