"""Figures against budgets, as one table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from rows import ROWS, Measured, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A figure against its budget, both as they are printed. No budget: it is told, and never over."""

    figure: str
    budget: str = ""
    ok: bool = True

    def __str__(self) -> str:
        if not self.budget:
            return self.figure
        return f"{self.figure}   {self.budget:<28}{'ok' if self.ok else 'OVER'}"


def report(measured: Mapping[str, Measured], others: Mapping[str, Verdict]) -> bool:
    """Print everything; True when nothing is over its budget and no call failed."""
    print(f"{'row':<40}{'p50 ms':>9}{'p99 ms':>9}{'calls/s':>9}{'ratio':>8}   budget")
    verdicts = {row.name: judge(row, measured) for row in ROWS}
    for row in ROWS:
        seen = measured[row.name]
        figures = f"{seen.percentile_ms(0.5):>9.2f}{seen.percentile_ms(0.99):>9.2f}{seen.calls_per_second:>9.0f}"
        print(f"{row.name:<40}{figures}{verdicts[row.name]}".rstrip())
    print()
    for name, verdict in others.items():
        print(f"{name:<28}{verdict}")
    failures = _failures(measured)
    print(f"{'failed calls':<28}{failures}")
    return not failures.count and all(verdict.ok for verdict in (*verdicts.values(), *others.values()))


def judge(row: Row, measured: Mapping[str, Measured]) -> Verdict:
    """A row against its floor, or a burst against its own budget."""
    seen = measured[row.name]
    if row.floor is None:
        return Verdict(figure="")
    ratio = _ratio(seen, measured[row.floor])
    figure = f"{ratio:>8.2f}"
    if row.most is not None:
        return Verdict(figure=figure, budget=f"<= {row.most} x {row.floor}", ok=ratio <= row.most)
    if row.fewest is not None and row.latest_ms is not None:
        ok = seen.calls_per_second >= row.fewest and seen.percentile_ms(0.99) < row.latest_ms
        return Verdict(figure=figure, budget=f">= {row.fewest:.0f}/s, p99 < {row.latest_ms:.0f} ms", ok=ok)
    return Verdict(figure=figure)


def _ratio(seen: Measured, floor: Measured) -> float:
    """The median over the rounds of the ratio within the round, so that a slow round slows both."""
    return statistics.median(row / under for row, under in zip(seen.medians, floor.medians, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failures:
    count: int
    why: str

    def __str__(self) -> str:
        return f"{self.count} {self.why}".rstrip()


def _failures(measured: Mapping[str, Measured]) -> _Failures:
    tallies = [tally for seen in measured.values() for tally in (seen.warm_up, seen.tally)]
    why = next((tally.why for tally in tallies if tally.why), "")
    return _Failures(count=sum(tally.failed for tally in tallies), why=why)
