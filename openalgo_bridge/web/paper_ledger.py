"""``/analyzer/ledger``: every move of the paper account's money, why it moved, and what was there afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Self

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from openalgo_bridge.model.order import Exchange, Product, Ref
from openalgo_bridge.model.paper import LedgerKind, LedgerLine, to_rupees
from openalgo_bridge.store.ticket_lists import Behind
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.paging import PAGE_SIZE, before_in_url, page_of

blueprint = Blueprint("paper_ledger", __name__)

_WHAT = {
    LedgerKind.CAPITAL: "Capital set",
    LedgerKind.CARRIED: "Carried over",
    LedgerKind.FILL: "Filled",
    LedgerKind.SETTLEMENT: "Delivered",
    LedgerKind.EXPIRY: "Expired and settled",
    LedgerKind.RESET: "Account reset",
}
_OF_WHAT = {LedgerKind.ORDER: "an order", LedgerKind.GTT: "a GTT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """One sum of the account, in rupees: by how much it ``moved``, and how much it was ``after``."""

    moved: Decimal
    after: Decimal

    @classmethod
    def of(cls, moved: int, after: int) -> Self:
        """From units."""
        return cls(moved=to_rupees(moved), after=to_rupees(after))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One move. ``behind`` is the ticket that it leads back to; where there is none, ``cause`` may say why."""

    number: int
    at: datetime
    what: str
    symbol: str | None
    exchange: Exchange | None
    product: Product | None
    capital: Sum
    booked: Sum
    invested: Sum
    set_aside: Sum
    available: Sum
    behind: Behind | None
    cause: str


@blueprint.get("/analyzer/ledger")
def ledger() -> ResponseReturnValue:
    """Newest first. Raises StorageError."""
    store, before = current_desk().store, before_in_url()
    page = page_of(store.paper_ledger.lines(before=before, limit=PAGE_SIZE + 1), before)
    behind = store.ticket_lists.behind_tags([each.tag for each in page.rows if each.tag])
    return render_template("paper_ledger.html", page=page, lines=[_line(each, behind) for each in page.rows])


def _line(line: LedgerLine, behind: Mapping[Ref, Behind]) -> Line:
    after = line.after
    freed = line.capital + line.realised - line.invested - line.blocked
    return Line(
        number=line.number,
        at=line.at,
        what=_what(line),
        symbol=line.symbol,
        exchange=line.exchange,
        product=line.product,
        capital=Sum.of(line.capital, after.capital),
        booked=Sum.of(line.realised, after.realised),
        invested=Sum.of(line.invested, after.invested),
        set_aside=Sum.of(line.blocked, after.blocked),
        available=Sum.of(freed, after.available),
        behind=behind.get(line.tag),
        cause=line.cause,
    )


def _what(line: LedgerLine) -> str:
    if line.kind not in _OF_WHAT:
        return _WHAT[line.kind]
    return f"Set {'aside for' if line.blocked > 0 else 'free of'} {_OF_WHAT[line.kind]}"
