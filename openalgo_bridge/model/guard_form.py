"""The guards as a person types them: texts in, settings or every fault at once out. Empty means off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import time
from decimal import Decimal
from typing import TypeVar

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.guards import GuardSettings, TradingWindow
from openalgo_bridge.model.order import Exchange

_T = TypeVar("_T")

# ASCII only, and nothing that Decimal() takes beyond it: "1_000", "NaN", "١٢" (security M18).
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,4})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9&._:\-]{0,40}\*?", re.ASCII)
_PROGRAM = re.compile(r"api|webhook:[A-Za-z0-9._\-]{1,64}", re.ASCII)
_SOURCE = re.compile(rf"page|{_PROGRAM.pattern}", re.ASCII)
_MOST_SYMBOLS = 500
_MOST_SOURCES = 100
_SHORTEST_WAIT = 10
_DAY = 86_400
_OFF = "off"
_TRUE = {"yes", "on", "true", "1"}


def parse(fields: Mapping[str, str]) -> GuardSettings:
    """The settings of a form. A field that is missing keeps its default. Raises Invalid naming every fault."""
    form = _Form(fields)
    default = GuardSettings()
    settings = GuardSettings(
        maximum_quantity=form.read("maximum_quantity", _whole(1, 100_000_000)),
        order_value=form.read("order_value", _amount(Decimal(1), Decimal(10) ** 12)),
        open_positions=form.read("open_positions", _whole(1, 10_000)),
        orders_per_day=form.read("orders_per_day", _whole(1, 1_000_000)) or default.orders_per_day,
        loss_of_day=form.read("loss_of_day", _amount(Decimal(1), Decimal(10) ** 12)),
        allowed_symbols=form.read("allowed_symbols", _symbols),
        trading_window=form.window(),
        duplicate_window=form.read("duplicate_window", _whole(1, _DAY)),
        duplicate_window_source=form.read("duplicate_window_source", _windows) or default.duplicate_window_source,
        stale_after=form.read("stale_after", _whole(1, _DAY)),
        price_band=form.read("price_band", _amount(Decimal("0.01"), Decimal(100))) or default.price_band,
        price_drift=form.read("price_drift", _amount(Decimal("0.01"), Decimal(100))),
        let_exits_through=form.is_ticked("let_exits_through"),
        held_for=form.read("held_for", _whole(_SHORTEST_WAIT, _DAY)) or default.held_for,
        held_for_source=form.read("held_for_source", _times) or default.held_for_source,
        rehearse_rate=form.is_ticked("rehearse_rate"),
    )
    form.finish()
    return settings


def texts(settings: GuardSettings) -> dict[str, str]:
    """The form that :func:`parse` turns into ``settings``; also what is stored and what the audit list shows."""
    window = settings.trading_window
    return {
        "maximum_quantity": _text(settings.maximum_quantity),
        "order_value": _text(settings.order_value),
        "open_positions": _text(settings.open_positions),
        "orders_per_day": str(settings.orders_per_day),
        "loss_of_day": _text(settings.loss_of_day),
        "allowed_symbols": " ".join(sorted(settings.allowed_symbols or ())),
        "window_opens": f"{window.opens:%H:%M}" if window else "",
        "window_closes": f"{window.closes:%H:%M}" if window else "",
        "duplicate_window": _text(settings.duplicate_window),
        "duplicate_window_source": _lines(settings.duplicate_window_source),
        "stale_after": _text(settings.stale_after),
        "price_band": _text(settings.price_band),
        "price_drift": _text(settings.price_drift),
        "let_exits_through": "yes" if settings.let_exits_through else "",
        "held_for": str(settings.held_for),
        "held_for_source": _lines(settings.held_for_source),
        "rehearse_rate": "yes" if settings.rehearse_rate else "",
    }


def changes(before: GuardSettings, after: GuardSettings) -> tuple[str, str]:
    """What differs, as two texts for the audit list; both empty when nothing does."""
    old, new = texts(before), texts(after)
    names = [name for name in new if old[name] != new[name]]
    return _told(old, names), _told(new, names)


class _Form:
    """Reads field after field and remembers what is wrong with each."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields
        self._faults: dict[str, list[str]] = {}

    def read(self, name: str, of: Callable[[str], _T]) -> _T | None:
        """The field, or None where it is empty or at fault."""
        text = self._fields.get(name, "").strip()
        if not text:
            return None
        try:
            return of(text)
        except ValueError as fault:
            self._faults[name] = [str(fault)]
            return None

    def is_ticked(self, name: str) -> bool:
        """Whether a box is."""
        return self._fields.get(name, "").strip().lower() in _TRUE

    def window(self) -> TradingWindow | None:
        """Both ends, or none."""
        opens, closes = self.read("window_opens", _time), self.read("window_closes", _time)
        if opens is None and closes is None:
            return None
        if opens is None or closes is None:
            self._faults.setdefault("window_closes" if opens else "window_opens", ["A window has two ends."])
            return None
        if opens >= closes:
            self._faults["window_closes"] = ["The window must close after it opens, on the same day."]
        return TradingWindow(opens=opens, closes=closes)

    def finish(self) -> None:
        if self._faults:
            raise Invalid.of(self._faults)


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not _is_whole(text, lowest, highest):
            raise ValueError(f"Must be a whole number from {lowest} to {highest}.")
        return int(text)

    return read


def _is_whole(text: str, lowest: int, highest: int) -> bool:
    return _WHOLE.fullmatch(text) is not None and lowest <= int(text) <= highest


def _amount(lowest: Decimal, highest: Decimal) -> Callable[[str], Decimal]:
    def read(text: str) -> Decimal:
        if not _NUMBER.fullmatch(text) or not lowest <= Decimal(text) <= highest:
            raise ValueError(f"Must be a number from {lowest} to {highest:f}.")
        return Decimal(text)

    return read


def _time(text: str) -> time:
    if not _TIME.fullmatch(text):
        raise ValueError("Must be a time of the day such as 09:15.")
    return time.fromisoformat(text)


def _symbols(text: str) -> frozenset[str]:
    entries = frozenset(text.replace(",", " ").split())
    if not 1 <= len(entries) <= _MOST_SYMBOLS:
        raise ValueError(f"1 to {_MOST_SYMBOLS} symbols, or empty.")
    for entry in sorted(entries):
        exchange, _, symbol = entry.partition(":")
        if exchange not in set(Exchange) or not symbol or not _SYMBOL.fullmatch(symbol):
            raise ValueError(f"{entry[:60]} is not of the form NSE:RELIANCE or NFO:NIFTY*.")
    return entries


def _times(text: str) -> tuple[tuple[str, int], ...]:
    wanted = "must be a source and its seconds, such as api 600 or webhook:tv 120."
    return _per_source(text, _SOURCE, wanted, _seconds)


def _windows(text: str) -> tuple[tuple[str, int | None], ...]:
    """Of programs only: what the trader clicks is never refused as a repeat, so a line for it would mean nothing."""
    wanted = "must be api or a webhook, and its seconds or off, such as api off or webhook:tv 60."
    return _per_source(text, _PROGRAM, wanted, _seconds_or_off)


def _per_source(
    text: str, sources: re.Pattern[str], wanted: str, of: Callable[[str], _T]
) -> tuple[tuple[str, _T], ...]:
    """One source a line, with a value of its own. ``wanted`` says what a line is."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if len(lines) > _MOST_SOURCES:
        raise ValueError(f"At most {_MOST_SOURCES} sources, one a line.")
    values: dict[str, _T] = {}
    for words in lines:
        told = " ".join(words)[:80]
        if len(words) != 2 or not sources.fullmatch(words[0]):
            raise ValueError(f"{told}: {wanted}")
        if words[0] in values:
            raise ValueError(f"{told}: this source has a line already.")
        try:
            values[words[0]] = of(words[1])
        except ValueError as fault:
            raise ValueError(f"{told}: {fault}") from None
    return tuple((source, values[source]) for source in sorted(values))


def _seconds(text: str) -> int:
    if not _is_whole(text, _SHORTEST_WAIT, _DAY):
        raise ValueError(f"a whole number of seconds from {_SHORTEST_WAIT} to {_DAY}.")
    return int(text)


def _seconds_or_off(text: str) -> int | None:
    if text == _OFF:
        return None
    if not _is_whole(text, 1, _DAY):
        raise ValueError(f"a whole number of seconds from 1 to {_DAY}, or {_OFF}.")
    return int(text)


def _lines(values: Iterable[tuple[str, int | None]]) -> str:
    """What :func:`_per_source` reads."""
    return "\n".join(f"{source} {_text(value) or _OFF}" for source, value in values)


def _text(value: Decimal | int | None) -> str:
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def _told(form: Mapping[str, str], names: list[str]) -> str:
    """Each with its name in words; a field of several lines on one."""
    return "; ".join(f"{name.replace('_', ' ')}: {form[name].replace(chr(10), ', ') or _OFF}" for name in names)
