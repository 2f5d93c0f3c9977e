"""What the traffic log is narrowed to: read from an address, so that it can be kept, followed and exported.

Nothing in an address is refused here. What means nothing is left out, and ``notes`` say so.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from flask import request

from openalgo_bridge.clock import IST
from openalgo_bridge.model.calls import CallFilter, CallKind, StatusClass
from openalgo_bridge.web.day_filter import member

EVERY_KIND = "all"
"""The parameter ``kind`` for the pages together with everything else."""

STATUSES = {
    StatusClass.ANSWERED: "Answered (2xx, 3xx)",
    StatusClass.REFUSED: "Refused (4xx)",
    StatusClass.FAILED: "Failed (5xx)",
    StatusClass.CUT_OFF: "Cut off by a stop",
}
KINDS = {
    CallKind.API.value: "The API",
    CallKind.HOOK.value: "Webhooks",
    CallKind.STRAY.value: "What was turned away at the door",
    CallKind.PAGE.value: "Pages",
    EVERY_KIND: "Everything, pages too",
}
LABELS = {
    "since": "From",
    "until": "To",
    "kind": "Asked for",
    "endpoint": "Endpoint",
    "status": "Status",
    "address": "IP address",
    "program": "Program",
    "strategy": "Strategy",
    "symbol": "Symbol",
    "outcome": "Outcome",
    "slow": "Slow",
    "words": "Words",
}
"""The parameters by which calls are narrowed down, with what a person calls them."""

SLOW = "yes"

_TEXTS = ("endpoint", "address", "program", "strategy", "symbol", "outcome", "words")
_LONGEST = 300
_MOMENT = re.compile(r"([0-9]{4})-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?")
_DAY = len("YYYY-MM-DD")
_YEARS = range(1971, 2200)
_SWAPPED = "The two dates were the wrong way round: they were swapped."
_NO_TIME = "is no time and was left out. Write it like 2026-11-21 or 2026-11-21T10:30, in IST."
_SENSELESS = "means nothing and was left out."


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One thing that the list is narrowed to, and the list without it."""

    name: str
    label: str
    text: str
    without: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A list as an address asks for it.

    ``given`` has the parameters that mean something, as they were typed. ``notes`` are sentences about the rest.
    ``is_masked``: an export asks for public addresses without their end.
    """

    wanted: CallFilter
    given: Mapping[str, str]
    notes: tuple[str, ...]
    is_masked: bool

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves out calls of programs."""
        return bool(self.given.keys() - {"kind"}) or self.given.get("kind", EVERY_KIND) != EVERY_KIND

    @property
    def mark(self) -> str:
        """Begins the places of this list's pages, so that a place of another list is known. Empty for the whole."""
        text = self.query()
        return f"{zlib.crc32(text.encode()):08x}-" if text else ""

    @property
    def chips(self) -> tuple[Chip, ...]:
        """What it is narrowed to, in words."""
        return tuple(
            Chip(name=name, label=LABELS[name], text=in_words(name, text), without=self.query(**{name: ""}))
            for name, text in self.given.items()
        )

    @property
    def since_typed(self) -> str:
        """As a field for date and time takes it."""
        return _typed(self.given.get("since", ""), "00:00")

    @property
    def until_typed(self) -> str:
        """As :attr:`since_typed`; a day ends with its last minute."""
        return _typed(self.given.get("until", ""), "23:59")

    def query(self, **changed: str) -> str:
        """The parameters of this list, with some of them changed; an empty text takes one out."""
        texts = {name: changed.get(name, self.given.get(name, "")) for name in LABELS}
        return urlencode({name: text for name, text in texts.items() if text})


def asked_in_url() -> Asked:
    """The nearest list to what the address of this request says."""
    notes: list[str] = []
    given = {name: text for name in LABELS if (text := request.args.get(name, "").strip()[:_LONGEST])}
    _drop_senseless(given, notes)
    since, until = _moment(given.get("since")), _moment(given.get("until"))
    if since is not None and until is not None and since > until:
        given["since"], given["until"] = given["until"], given["since"]
        since, until = until, since
        notes.append(_SWAPPED)
    return Asked(
        wanted=_filter(given, since, _end(given.get("until", ""), until)),
        given={name: given[name] for name in LABELS if name in given},
        notes=tuple(notes),
        is_masked=request.args.get("mask") == "1",
    )


def in_words(name: str, text: str) -> str:
    """A value of a parameter as a person reads it."""
    match name:
        case "status":
            return STATUSES[StatusClass(text)]
        case "kind":
            return KINDS[text]
        case "slow":
            return "a second or longer"
        case "since" | "until":
            return text.replace("T", " ")
        case _:
            return text


def _typed(moment: str, time_of_day: str) -> str:
    is_day = len(moment) == _DAY
    return f"{moment}T{time_of_day}" if is_day else moment.replace(" ", "T")


def _drop_senseless(given: dict[str, str], notes: list[str]) -> None:
    for name in ("since", "until"):
        if name in given and _moment(given[name]) is None:
            notes.append(f"{LABELS[name]}: “{given.pop(name)}” {_NO_TIME}")
    means = {
        "status": member(StatusClass, given.get("status", "")) is not None,
        "kind": given.get("kind") in KINDS,
        "slow": given.get("slow") == SLOW,
    }
    for name, makes_sense in means.items():
        if name in given and not makes_sense:
            notes.append(f"{LABELS[name]}: “{given.pop(name)}” {_SENSELESS}")
    if "symbol" in given:
        given["symbol"] = given["symbol"].upper()


def _filter(given: Mapping[str, str], since: datetime | None, until: datetime | None) -> CallFilter:
    texts = {name: given.get(name, "") for name in _TEXTS}
    return CallFilter(
        since=since,
        until=until,
        kind=member(CallKind, given.get("kind", "")),
        with_pages=given.get("kind") == EVERY_KIND,
        status=member(StatusClass, given.get("status", "")),
        is_slow="slow" in given,
        **texts,
    )


def _moment(text: str | None) -> datetime | None:
    """The beginning of a day, minute or second in India; None for what is none."""
    found = _MOMENT.fullmatch(text or "")
    if found is None or int(found[1]) not in _YEARS:
        return None
    try:
        return datetime.fromisoformat(found[0]).replace(tzinfo=IST)
    except ValueError:
        return None


def _end(text: str, moment: datetime | None) -> datetime | None:
    """Where a day, minute or second ends: who asks for the calls to 10:31 means those of 10:31 too."""
    if moment is None:
        return None
    if len(text) == _DAY:
        return moment + timedelta(days=1)
    return moment + (timedelta(minutes=1) if text.count(":") == 1 else timedelta(seconds=1))
