"""How the paper exchange behaves where the trader has a say, as settings and as a person types them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.paper import UNITS_PER_RUPEE

CAPITAL_CHOICES = (1_00_000, 5_00_000, 10_00_000, 25_00_000, 50_00_000, 1_00_00_000)
"""In rupees, as OpenAlgo offers them (behaviour 2.3)."""

LEAST_CAPITAL, MOST_CAPITAL = 1_000, 1_00_00_00_000
"""In rupees."""

# ASCII only (security M18).
_RUPEES = re.compile(r"[0-9][0-9,]{0,15}")
# No commas, Indian ones or western ones. What stands otherwise is a slip, and nobody can tell which amount was meant.
_GROUPED = re.compile(r"[0-9]+|[0-9]{1,2}(,[0-9]{2})*,[0-9]{3}|[0-9]{1,3}(,[0-9]{3})+")

_BOUNDS = "Must be whole rupees from 1,000 to 1,00,00,00,000 (100 crore)."
_COMMAS = "A comma is missing or misplaced: type it as 1,00,000 or 100,000, or without commas."
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_YES = "yes"


class PaperHours(StrEnum):
    """When the paper exchange takes orders: around the clock, or in the sessions of the real one."""

    ALWAYS = "always"
    EXCHANGE = "exchange"


class SquareOffGroup(StrEnum):
    """Exchanges whose intraday positions are closed at the same time."""

    SHARES = "shares"
    DERIVATIVES = "derivatives"
    CURRENCIES = "currencies"
    COMMODITIES = "commodities"
    CRYPTO = "crypto"


_GROUPS: Mapping[Exchange, SquareOffGroup] = {
    Exchange.NSE: SquareOffGroup.SHARES,
    Exchange.BSE: SquareOffGroup.SHARES,
    Exchange.NFO: SquareOffGroup.DERIVATIVES,
    Exchange.BFO: SquareOffGroup.DERIVATIVES,
    Exchange.CDS: SquareOffGroup.CURRENCIES,
    Exchange.BCD: SquareOffGroup.CURRENCIES,
    Exchange.MCX: SquareOffGroup.COMMODITIES,
    Exchange.NCO: SquareOffGroup.COMMODITIES,
    Exchange.NCDEX: SquareOffGroup.COMMODITIES,
    Exchange.CRYPTO: SquareOffGroup.CRYPTO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSettings:
    """The defaults are those of a fresh start. The capital is none of them: the ledger knows it.

    ``square_off`` holds the times of day in India at which the trader wants MIS positions closed; a group that is not
    in it follows the close of its exchange. ``protects_market_orders``: MARKET and SL-M fill inside the band of
    :mod:`~openalgo_bridge.model.protection` and what the market shows there, and the rest stays open.
    """

    hours: PaperHours = PaperHours.ALWAYS
    protects_market_orders: bool = False
    square_off: tuple[tuple[SquareOffGroup, time], ...] = ()

    @property
    def square_off_times(self) -> Mapping[Exchange, time]:
        """The trader's own times, by exchange."""
        times = dict(self.square_off)
        return {exchange: times[group] for exchange, group in _GROUPS.items() if group in times}


def parse(fields: Mapping[str, str]) -> PaperSettings:
    """The settings of a form. A field that is missing keeps its default. Raises Invalid naming every fault."""
    faults: dict[str, list[str]] = {}
    hours = fields.get("hours", "").strip() or PaperHours.ALWAYS
    if hours not in set(PaperHours):
        faults["hours"] = [f"Must be {PaperHours.ALWAYS} or {PaperHours.EXCHANGE}."]
    times = {group: fields.get(square_off_field(group), "").strip() for group in SquareOffGroup}
    for group, text in times.items():
        if text and not _TIME.fullmatch(text):
            faults[square_off_field(group)] = ["Must be a time of the day such as 15:10, or empty."]
    if faults:
        raise Invalid.of(faults)
    return PaperSettings(
        hours=PaperHours(hours),
        protects_market_orders=fields.get("protects_market_orders", "").strip() == _YES,
        square_off=tuple((group, time.fromisoformat(text)) for group, text in times.items() if text),
    )


def texts(settings: PaperSettings) -> dict[str, str]:
    """The form that :func:`parse` turns into ``settings``; also what is stored and what the audit list shows."""
    times = dict(settings.square_off)
    return {
        "hours": settings.hours,
        "protects_market_orders": _YES if settings.protects_market_orders else "",
        **{square_off_field(group): f"{times[group]:%H:%M}" if group in times else "" for group in SquareOffGroup},
    }


def square_off_field(group: SquareOffGroup) -> str:
    """The name of its field."""
    return f"square_off_{group}"


def changes(before: PaperSettings, after: PaperSettings) -> tuple[str, str]:
    """What differs, as two texts for the audit list; both empty when nothing does."""
    old, new = texts(before), texts(after)
    names = [name for name in new if old[name] != new[name]]
    return _told(old, names), _told(new, names)


def parse_capital(text: str) -> int:
    """Whole rupees as typed, in units (``model/paper.py``). Raises Invalid."""
    typed = text.strip()
    rupees = int(typed.replace(",", "")) if _RUPEES.fullmatch(typed) else 0
    if not LEAST_CAPITAL <= rupees <= MOST_CAPITAL:
        raise Invalid(_BOUNDS, {"capital": [_BOUNDS]})
    if not _GROUPED.fullmatch(typed):
        raise Invalid(_COMMAS, {"capital": [_COMMAS]})
    return rupees * UNITS_PER_RUPEE


def _told(form: Mapping[str, str], names: list[str]) -> str:
    return "; ".join(f"{_in_words(name)}: {form[name] or _default(name)}" for name in names)


def _in_words(name: str) -> str:
    return name.replace("_", " ").replace("protects market orders", "market protection")


def _default(name: str) -> str:
    return "off" if name == "protects_market_orders" else "follows the close"
