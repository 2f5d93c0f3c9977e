"""What a list of tickets is narrowed to: read from an address, so that it can be kept and sent to somebody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from flask import request

from openalgo_bridge.model.order import Action, Exchange
from openalgo_bridge.model.states import TicketState
from openalgo_bridge.store.ticket_lists import TicketFilter
from openalgo_bridge.web.day_filter import member
from openalgo_bridge.web.paging import row_id_in_url

_FIELDS = ("strategy", "symbol", "exchange", "action", "status", "source")


class Tab(StrEnum):
    """What waits for the person, what became of the rest, or both."""

    WAITING = "waiting"
    DECIDED = "decided"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A list as an address asks for it. ``after`` is the last ticket of the page before.

    ``given`` has the filter's fields by name, as they were typed. ``senseless`` names those that mean nothing: a list
    leaves them out and says so, and what sends something refuses them, for it would be about more than was meant.
    """

    tab: Tab
    wanted: TicketFilter
    newest_first: bool
    after: int | None
    given: Mapping[str, str]
    senseless: tuple[str, ...]

    @property
    def in_tab(self) -> TicketFilter:
        """The filter and the tab together."""
        if self.tab is Tab.WAITING:
            return replace(self.wanted, state=TicketState.HELD)
        return replace(self.wanted, is_decided=True if self.tab is Tab.DECIDED else None)

    @property
    def is_narrowed(self) -> bool:
        """Whether any field of the filter is set."""
        return self.wanted != TicketFilter()

    @property
    def sort(self) -> str:
        """The order, as an address says it."""
        return "newest" if self.newest_first else "oldest"

    def query(self, **changed: str) -> dict[str, str]:
        """The parameters of this list's first page, with some of them changed; an empty text takes one out."""
        asked = {**self.given, "tab": self.tab, "sort": self.sort, **changed}
        return {name: text for name, text in asked.items() if text and name not in self.senseless}


def asked_in_url() -> Asked:
    """The list that the address of this request asks for."""
    given = {name: text for name in _FIELDS if (text := request.args.get(name, "").strip())}
    exchange = member(Exchange, given.get("exchange", "").upper())
    action = member(Action, given.get("action", "").upper())
    state = member(TicketState, given.get("status", ""))
    read = {"exchange": exchange, "action": action, "status": state}
    # What waits has one state, so a list of another state is not a list of what waits.
    tab = member(Tab, request.args.get("tab", "")) or (Tab.ALL if state else Tab.WAITING)
    wanted = TicketFilter(
        strategy=given.get("strategy"),
        symbol=given["symbol"].upper() if "symbol" in given else None,
        exchange=exchange,
        action=action,
        source=given.get("source"),
        state=None if tab is Tab.WAITING else state,
    )
    sort = request.args.get("sort", "oldest" if tab is Tab.WAITING else "newest")
    return Asked(
        tab=tab,
        wanted=wanted,
        newest_first=sort != "oldest",
        after=row_id_in_url("after"),
        given=given,
        senseless=tuple(name for name, value in read.items() if value is None and name in given),
    )
