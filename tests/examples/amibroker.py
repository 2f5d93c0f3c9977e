"""AmiBroker as a formula sees it: bars, static variables that outlive it, and WinINet towards a bridge."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from openalgo_bridge.clock import IST
from tests.examples.afl import Formula, Value
from tests.wire import Answer, Wire

INDICATOR, SCAN, EXPLORE, BACKTEST, VERIFY, TOOLTIP, INTERPRET = 1.0, 3.0, 4.0, 5.0, 12.0, 16.0, 17.0


@dataclass
class Static:
    """The static variables. ``persistent`` are those that the next start of AmiBroker reads again."""

    values: dict[str, float] = field(default_factory=dict)
    persistent: set[str] = field(default_factory=set)

    def set(self, name: str, value: float, persistent: float = 0.0) -> float:
        self.values[name] = value
        (self.persistent.add if persistent else self.persistent.discard)(name)
        return 1.0

    def compare_exchange(self, name: str, exchange: float, comperand: float) -> float:
        former = self.values.get(name, 0.0)
        if former == comperand:
            self.values[name] = exchange
        return former

    def after_restart(self) -> Static:
        return Static({name: self.values[name] for name in self.persistent}, set(self.persistent))


@dataclass
class Pane:
    """One chart or scan with a formula. ``signals`` are its last two bars: the completed one and the one being drawn.

    ``loses_answers`` is a connection that breaks after the request was sent.
    """

    formula: str
    port: int
    parameters: dict[str, Value]
    static: Static = field(default_factory=Static)
    run_as: float = INDICATOR
    interval: float = 300.0
    now: datetime = datetime(2026, 11, 20, 10, 5, 20, tzinfo=IST)
    completed: datetime = datetime(2026, 11, 20, 10, 0, tzinfo=IST)
    signals: dict[str, list[float]] = field(default_factory=lambda: {"Buy": [1.0, 0.0], "Sell": [0.0, 0.0]})
    clicked: set[str] = field(default_factory=set)
    loses_answers: bool = False
    sent: list[bytes] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)
    _headers: str = ""
    _file: str = ""

    def refresh(self) -> None:
        """What happens at every tick, click and redraw."""
        Formula(self.formula, self._built_in()).run()
        self.clicked.clear()

    def next_bar(self) -> None:
        """The bar that was being drawn is complete."""
        self.completed += timedelta(seconds=self.interval)
        self.now += timedelta(seconds=self.interval)

    def _built_in(self) -> dict[str, Value]:
        bars = [self.completed, self.completed + timedelta(seconds=self.interval)]
        return {
            **self.signals,
            **{f"action{name}": code for name, code in _ACTIONS.items()},
            "inDaily": 86400.0,
            "True": 1.0,
            "False": 0.0,
            "Version": lambda least: None,
            "ParamStr": self.parameters.get,
            "ParamToggle": lambda name, choices, default: self.parameters.get(name, default),
            "ParamTrigger": lambda name, button: float(name in self.clicked),
            "Status": {"ActionEx": self.run_as}.__getitem__,
            "Interval": lambda: self.interval,
            "Now": {5.0: self.now}.__getitem__,
            "DateTime": lambda: bars,
            "DateNum": lambda: [float(f"{bar:%Y%m%d}") - 19000000 for bar in bars],
            "TimeNum": lambda: [float(f"{bar:%H%M%S}") for bar in bars],
            "DateTimeDiff": lambda late, early: (late - early).total_seconds(),
            "Ref": lambda array, shift: [None, *array[:-1]] if shift == -1 else _no(shift),
            "LastValue": lambda array: array[-1],
            "Nz": lambda value: value or 0.0,
            "NumToStr": _number_to_text,
            "StrReplace": lambda text, old, new: text.replace(old, new),
            "fopen": self._open,
            "fgets": lambda handle: self._file.splitlines(keepends=True)[0],
            "fclose": lambda handle: None,
            "_TRACE": self.log.append,
            "StaticVarSet": self.static.set,
            "StaticVarCompareExchange": self.static.compare_exchange,
            **self._internet(),
        }

    def _internet(self) -> dict[str, Callable[..., Value]]:
        return {
            "InternetSetOption": lambda option, value: None,
            "InternetSetHeaders": lambda headers: setattr(self, "_headers", headers),
            "InternetPostRequest": self._post,
            "InternetReadString": lambda handle: self._lines.pop(0) if self._lines else "",
            "InternetGetStatusCode": lambda handle: float(self.answers[-1].status),
            "InternetClose": lambda handle: None,
            "GetLastOSError": lambda: "The operation timed out.",
        }

    def _open(self, name: str, mode: str) -> float:
        path = Path(name)
        if mode != "r" or not path.is_file():
            return 0.0
        self._file = path.read_bytes().decode("ascii")
        return 1.0

    def _post(self, url: str, body: str) -> float:
        """As WinINet writes it; AmiBroker's texts are of the Windows code page."""
        host, path = re.fullmatch(r"http://([^/]+)(/.*)", url).groups()  # type: ignore[union-attr]
        raw = body.encode("cp1252")
        head = (
            f"POST {path} HTTP/1.1\r\n{self._headers}User-Agent: AmiBroker\r\nHost: {host}\r\n"
            f"Content-Length: {len(raw)}\r\nConnection: Keep-Alive\r\nCache-Control: no-cache\r\n\r\n"
        )
        self.sent.append(head.encode("cp1252") + raw)
        with Wire(self.port) as wire:
            self.answers.append(wire.ask(self.sent[-1]))
        if self.loses_answers:
            return 0.0
        self._lines = [f"{line}\n" for line in self.answers[-1].body.decode().splitlines()]
        return 1.0


_ACTIONS = {"Indicator": INDICATOR, "Scan": SCAN, "Explore": EXPLORE, "ExInterpret": INTERPRET}


def _no(shift: float) -> Value:
    raise ValueError(f"only the bar before is known here, not {shift}")


def _number_to_text(number: float, form: float = 1.3, separator: float = 1.0) -> str:
    decimals = round(form % 1 * 10)
    return f"{number:,.{decimals}f}" if separator else f"{number:.{decimals}f}"
