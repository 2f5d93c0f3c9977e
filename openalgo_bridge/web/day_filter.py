"""What the Orders page is narrowed to: one day in India, and there an outcome, a symbol, a strategy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from flask import request

from openalgo_bridge.clock import day_in_india, midnight
from openalgo_bridge.model.outcome import Outcome
from openalgo_bridge.store.outcomes import DayFilter

_LONGEST = 200
_KindT = TypeVar("_KindT", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The list that an address asks for; empty texts leave a field alone."""

    day: date
    today: date
    outcome: Outcome | None
    symbol: str
    strategy: str

    @property
    def is_today(self) -> bool:
        """Whether the brokers' books of today have its orders."""
        return self.day == self.today

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves out tickets of its day."""
        return bool(self.outcome or self.symbol or self.strategy)

    @property
    def wanted(self) -> DayFilter:
        """The filter without the outcome: what the summary counts."""
        since = midnight(self.day)
        return DayFilter(
            since=since,
            until=midnight(self.day + timedelta(days=1)),
            symbol=self.symbol or None,
            strategy=self.strategy or None,
        )

    def query(self, **changed: str) -> dict[str, str]:
        """The parameters of this list, with some of them changed; an empty text takes one out."""
        given = {
            "day": "" if self.is_today else self.day.isoformat(),
            "outcome": self.outcome or "",
            "symbol": self.symbol,
            "strategy": self.strategy,
        }
        return {name: text for name, text in (given | changed).items() if text}


def asked_in_url(now: datetime) -> Asked:
    """The nearest list to what the address says: what means nothing there is left out."""
    today = day_in_india(now)
    return Asked(
        day=day_of(request.args.get("day", ""), today),
        today=today,
        outcome=member(Outcome, request.args.get("outcome", "")),
        symbol=request.args.get("symbol", "").strip().upper()[:_LONGEST],
        strategy=request.args.get("strategy", "").strip()[:_LONGEST],
    )


def day_of(text: str, today: date) -> date:
    """The day of an address: no later than today, and no earlier than there are computers. Today for nonsense."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return today
    return day if date(1970, 1, 2) <= day <= today else today


def member(kind: type[_KindT], text: str) -> _KindT | None:
    """The member of that value; None where there is none."""
    try:
        return kind(text)
    except ValueError:
        return None
