"""What the API key may do: one grant for each operation (behaviour P1 to P11, X3), and the presets.

Changing the password, the broker's credentials or anything on the pages is no grant and can never be one (P13 to P15).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

from openalgo_bridge.errors import NotAllowed


class Permission(StrEnum):
    """One thing a program may do. The value is what is stored."""

    PLACE_ORDERS = "place_orders"
    MODIFY_ORDERS = "modify_orders"
    CANCEL_ORDERS = "cancel_orders"
    VIEW_POSITIONS = "view_positions"
    VIEW_HOLDINGS = "view_holdings"
    VIEW_ORDERS = "view_orders"
    VIEW_TRADES = "view_trades"
    VIEW_FUNDS = "view_funds"
    QUOTES = "quotes"
    DEPTH = "depth"
    HISTORY = "history"
    INSTRUMENTS = "instruments"
    WEBHOOKS = "webhooks"
    SWITCH_ANALYZER = "switch_analyzer"
    LIVE_TRADING = "live_trading"

    @property
    def sentence(self) -> str:
        """What it allows, after "permission to": ``place orders``."""
        return _SENTENCES.get(self, self.value.replace("_", " "))


_SENTENCES = {
    Permission.QUOTES: "read quotes",
    Permission.DEPTH: "read the market depth",
    Permission.HISTORY: "read history",
    Permission.INSTRUMENTS: "read instruments",
    Permission.WEBHOOKS: "use webhooks",
    Permission.SWITCH_ANALYZER: "switch between live and paper trading",
    Permission.LIVE_TRADING: "trade with a live broker",
}


class Preset(StrEnum):
    """A named set of grants. CUSTOM is whatever is none of the others."""

    FULL = "full"
    READ_ONLY = "read_only"
    TRADE_ONLY = "trade_only"
    CUSTOM = "custom"


Grants = frozenset[Permission]

READS: Grants = frozenset(
    {
        Permission.VIEW_POSITIONS,
        Permission.VIEW_HOLDINGS,
        Permission.VIEW_ORDERS,
        Permission.VIEW_TRADES,
        Permission.VIEW_FUNDS,
        Permission.QUOTES,
        Permission.DEPTH,
        Permission.HISTORY,
        Permission.INSTRUMENTS,
    }
)
TRADES: Grants = frozenset({Permission.PLACE_ORDERS, Permission.MODIFY_ORDERS, Permission.CANCEL_ORDERS})

# Full leaves two out (design 5): a program that switches the account to paper hides a live position from its owner,
# and orders with real money are allowed by name. A trading program must see what became of its orders.
PRESETS: dict[Preset, Grants] = {
    Preset.FULL: READS | TRADES | {Permission.WEBHOOKS},
    Preset.READ_ONLY: READS,
    Preset.TRADE_ONLY: TRADES | {Permission.VIEW_ORDERS, Permission.WEBHOOKS},
}


def preset_of(granted: Grants) -> Preset:
    """The preset these grants are."""
    return next((preset for preset, grants in PRESETS.items() if grants == granted), Preset.CUSTOM)


def refusal(missing: Permission) -> NotAllowed:
    """What a program is told that has not got this grant (behaviour H2)."""
    return NotAllowed(
        f"API key not authorized: it has no permission to {missing.sentence}. "
        "Grant it on the API key page of the bridge."
    )


def to_text(granted: Iterable[Permission]) -> str:
    """The stored form: the values in the order of :class:`Permission`, with commas between."""
    kept = set(granted)
    return ",".join(permission for permission in Permission if permission in kept)


@lru_cache(maxsize=64)
def from_text(text: str) -> Grants:
    """The inverse of :func:`to_text`. Raises ValueError for a grant that does not exist."""
    return frozenset(Permission(value) for value in text.split(",") if value)
