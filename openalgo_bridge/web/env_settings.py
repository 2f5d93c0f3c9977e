"""The settings of ``.env`` as a page tells them: the value in force, the one it has by default, what it means."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from openalgo_bridge.settings import Settings

MEANINGS = {
    "flask_host_ip": "Where the bridge listens. Never anything but this PC.",
    "flask_port": "Port of these pages and of the API.",
    "webhook_port": "Port for webhooks, the only one a tunnel may point at.",
    "websocket_port": "Port of the live price feed.",
    "db_dir": "Folder of the databases and of the machine's key.",
    "order_rate_limit": "How many orders programs may send, all endpoints together.",
    "api_rate_limit": "How many other calls programs may make.",
    "webhook_rate_limit": "How many webhooks each source may send.",
    "login_rate_limit": "How often a browser that never signed in before may try.",
    "cors_allowed_origins": "Web pages of other sites that may call the API with a key.",
    "webhook_accept_main_key": "Whether webhooks may use the main API key, which then travels through the tunnel.",
    "traffic_log_retention_days": "How many days the traffic log keeps a call.",
    "traffic_log_max_mb": "How large the traffic log may become, in MB.",
    "open_browser": "Whether a start opens the browser.",
    "log_level": "How much the console says: DEBUG, INFO, WARNING or ERROR.",
}
"""What each setting does, by its field in :class:`~openalgo_bridge.settings.Settings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One setting. Its texts are as a line of ``.env`` spells them, empty where there is nothing."""

    name: str
    value: str
    default: str
    meaning: str

    @property
    def is_default(self) -> bool:
        """Whether it is as it comes."""
        return self.value == self.default


def lines_of(settings: Settings) -> list[Line]:
    """Every setting, in the order of ``.env.sample``."""
    defaults = Settings()
    return [
        Line(
            name=spec.name.upper(),
            value=_spelled(getattr(settings, spec.name)),
            default=_spelled(getattr(defaults, spec.name)),
            meaning=MEANINGS[spec.name],
        )
        for spec in fields(Settings)
    ]


def _spelled(value: str | int | Path | tuple[str, ...]) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return ", ".join(value)
        case _:
            return str(value)
