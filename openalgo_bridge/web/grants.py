"""The rules of the key as its page tells them: each grant in one short sentence, the addresses in words."""

from __future__ import annotations

from dataclasses import dataclass

from openalgo_bridge.model.address import AddressRule, Network, Reach
from openalgo_bridge.model.permission import PRESETS, Grants, Permission, Preset, preset_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One box to tick."""

    permission: Permission
    label: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Boxes that belong together."""

    title: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetChoice:
    """One preset to choose."""

    preset: Preset
    label: str
    sentence: str

    @property
    def grants(self) -> str:
        """What it allows, with spaces between, for the page's script; empty for Custom."""
        return " ".join(sorted(PRESETS.get(self.preset, ())))


PRESET_CHOICES = (
    PresetChoice(
        preset=Preset.FULL,
        label="Full",
        sentence="Reads everything, places, changes and cancels orders. What trading programs expect.",
    ),
    PresetChoice(
        preset=Preset.READ_ONLY,
        label="Read-only",
        sentence="For dashboards and spreadsheets. Cannot touch an order; may keep settings of charts.",
    ),
    PresetChoice(
        preset=Preset.TRADE_ONLY,
        label="Trade-only",
        sentence="Orders and what became of them. No positions, holdings or funds.",
    ),
    PresetChoice(preset=Preset.CUSTOM, label="Custom", sentence="Exactly what you tick below."),
)


def _group(title: str, *grants: tuple[Permission, str, str]) -> Group:
    told = (Grant(permission=permission, label=label, sentence=sentence) for permission, label, sentence in grants)
    return Group(title=title, grants=tuple(told))


GROUPS = (
    _group(
        "Orders",
        (Permission.PLACE_ORDERS, "Place orders", "Send new orders."),
        (Permission.MODIFY_ORDERS, "Change orders", "Change price or quantity of an open order."),
        (Permission.CANCEL_ORDERS, "Cancel orders", "Take back open orders."),
    ),
    _group(
        "Account",
        (Permission.VIEW_ORDERS, "Order book", "See every order and its state."),
        (Permission.VIEW_TRADES, "Trade book", "See what was bought and sold."),
        (Permission.VIEW_POSITIONS, "Positions", "See open positions and their profit."),
        (Permission.VIEW_HOLDINGS, "Holdings", "See shares held for longer."),
        (Permission.VIEW_FUNDS, "Funds", "See cash and margin, and what an order would block."),
    ),
    _group(
        "Market data",
        (Permission.QUOTES, "Quotes", "Read prices, option chains and greeks."),
        (Permission.DEPTH, "Market depth", "Read the best bids and offers."),
        (Permission.HISTORY, "History", "Read price bars of the past; keep settings of charts."),
        (Permission.INSTRUMENTS, "Instruments", "Search symbols and contracts."),
    ),
    _group(
        "Special",
        (Permission.WEBHOOKS, "Webhooks", "Send orders as webhooks from programs on this PC."),
        (Permission.SWITCH_ANALYZER, "Switch to paper", "Let a program take the account from live to paper trading."),
        (Permission.LIVE_TRADING, "Trade live", "Use real money, once a broker is connected and live is on."),
    ),
)

PRESET_LABELS = {choice.preset: choice.label for choice in PRESET_CHOICES}


def permissions_in_words(granted: Grants) -> str:
    """Such as ``Read-only``, or ``Custom: 4 of 15``."""
    preset = preset_of(granted)
    label = PRESET_LABELS[preset]
    return f"{label}: {len(granted)} of {len(Permission)}" if preset is Preset.CUSTOM else label


def addresses_in_words(rule: AddressRule) -> str:
    """From where the key may be used."""
    match rule.reach:
        case Reach.ANYWHERE:
            return "from anywhere: less secure"
        case Reach.THIS_PC:
            return "from this PC only"
        case Reach.LISTED:
            return f"from {', '.join(map(_bare, rule.networks))} only" if rule.networks else "from nowhere"


def as_typed(rule: AddressRule) -> str:
    """The list as it stands in its field, one entry a line; empty where the rule is no list."""
    return "\n".join(map(_bare, rule.networks))


def _bare(network: Network) -> str:
    """A single address without the length of its prefix, which nobody typed."""
    return str(network.network_address if network.num_addresses == 1 else network)


FILTERS = {"permissions_in_words": permissions_in_words, "addresses_in_words": addresses_in_words}
"""The Jinja filters, by name."""
