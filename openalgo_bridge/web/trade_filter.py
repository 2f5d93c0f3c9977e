"""What the Trades page is narrowed to: one day in India, and there a symbol, an exchange, a side, a strategy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from flask import request

from openalgo_bridge.clock import day_in_india
from openalgo_bridge.model.books import Trade
from openalgo_bridge.model.order import Action, Exchange
from openalgo_bridge.web.day_filter import day_of, member

_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The list that an address asks for; what is empty or None leaves a field alone. ``after`` is the id of the last
    trade of the page before.
    """

    day: date
    today: date
    symbol: str
    exchange: Exchange | None
    action: Action | None
    strategy: str
    after: str

    @property
    def is_today(self) -> bool:
        """Whether it is the broker's trade book of today."""
        return self.day == self.today

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves out trades of its day."""
        return bool(self.symbol or self.exchange or self.action or self.strategy)

    def keeps(self, trade: Trade, strategy: str) -> bool:
        """Whether a trade is in the list."""
        return (
            self.symbol in {"", trade.symbol}
            and self.exchange in {None, trade.exchange}
            and self.action in {None, trade.action}
            and self.strategy in {"", strategy}
        )

    def query(self, **changed: str) -> dict[str, str]:
        """The parameters of this list's first page, with some of them changed; an empty text takes one out."""
        given = {
            "day": "" if self.is_today else self.day.isoformat(),
            "symbol": self.symbol,
            "exchange": self.exchange or "",
            "action": self.action or "",
            "strategy": self.strategy,
        }
        return {name: text for name, text in (given | changed).items() if text}


def asked_in_url(now: datetime) -> Asked:
    """The nearest list to what the address says: what means nothing there is left out."""
    today = day_in_india(now)
    return Asked(
        day=day_of(_given("day"), today),
        today=today,
        symbol=_given("symbol").upper(),
        exchange=member(Exchange, _given("exchange").upper()),
        action=member(Action, _given("action").upper()),
        strategy=_given("strategy"),
        after=_given("before"),
    )


def _given(name: str) -> str:
    return request.args.get(name, "").strip()[:_LONGEST]
