"""``/settings/instruments``: which instruments are listed, what a new list changed, and a search among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from openalgo_bridge.errors import NotFound
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.instrument_list import EMBEDDED, Difference, InstrumentChange, LoadedList
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store.instrument_lists import InstrumentLists
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.day_filter import member
from openalgo_bridge.web.paging import PAGE_SIZE, row_id_in_url

blueprint = Blueprint("instruments", __name__, url_prefix="/settings/instruments")

_LONGEST_QUERY = 100

_DIFFERENCES: Mapping[Difference, str] = {
    Difference.LOT: "Lot size",
    Difference.TICK: "Tick size",
    Difference.FREEZE_QUANTITY: "Freeze quantity",
    Difference.TOKEN: "The broker's number",
    Difference.VANISHED: "Not listed any more",
    Difference.CONFLICT: "Two of one name",
    Difference.APPEARED: "New",
}
"""In the order of what an order may be refused for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was looked for, and the first page of what was found. ``has_more``: the words fit more than these."""

    query: str
    exchange: Exchange | None
    found: Sequence[Instrument]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """A page of what one list changed, of one kind or of all. ``last``: where the next page goes on."""

    of: LoadedList
    what: Difference | None
    after: int | None
    rows: Sequence[InstrumentChange]
    last: int | None


@blueprint.get("")
def instruments() -> ResponseReturnValue:
    """The list in force and those before it; ``?q=`` searches, ``?list=`` shows what one changed. Raises NotFound."""
    lists = current_desk().store.instrument_lists
    loaded = lists.loaded()
    return render_template(
        "instruments.html",
        lists=loaded,
        embedded=EMBEDDED,
        search=_search(),
        changes=_changes(lists, loaded),
        differences=_DIFFERENCES,
        exchanges=list(Exchange),
    )


def _search() -> Search | None:
    query = request.args.get("q", "").strip()[:_LONGEST_QUERY]
    exchange = member(Exchange, request.args.get("exchange", "").upper())
    if not query:
        return None
    found = current_desk().store.instruments.search(query, exchange, limit=PAGE_SIZE + 1)
    return Search(query=query, exchange=exchange, found=found[:PAGE_SIZE], has_more=len(found) > PAGE_SIZE)


def _changes(lists: InstrumentLists, loaded: Sequence[LoadedList]) -> Changes | None:
    if "list" not in request.args:
        return None
    number = row_id_in_url("list")
    of = next((each for each in loaded if each.id == number), None)
    if of is None:
        raise NotFound("There is no such list of instruments. Only those of the last weeks are kept.")
    what, after = member(Difference, request.args.get("what", "")), row_id_in_url("after")
    rows = lists.changes(of.id, what=what, after=after or 0, limit=PAGE_SIZE + 1)
    last = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    return Changes(of=of, what=what, after=after, rows=rows[:PAGE_SIZE], last=last)
