"""``/traffic``: every call, newest first, narrowed down, page by page, and kept up to date while it is looked at."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.store.traffic import Call
from openalgo_bridge.store.traffic_search import MOST_RUNNING, Reached, TrafficSearch
from openalgo_bridge.web import sessions
from openalgo_bridge.web.current import api_paths, current_desk, started_at
from openalgo_bridge.web.optional import if_readable
from openalgo_bridge.web.paging import PAGE_SIZE
from openalgo_bridge.web.traffic_filter import KINDS, SLOW, STATUSES, Asked, asked_in_url
from openalgo_bridge.web.traffic_sections import EXPORTS

blueprint = Blueprint("traffic", __name__)
_log = logging.getLogger(__name__)

MOST_NEW = 100
"""As many new calls are added to an open page at once; where there are more it begins anew."""

_MASK = "mask_addresses"  # where the session keeps it
_ELSEWHERE = "This page of the list belongs to another filter, or to none. Here are the newest calls."
_REACHED = re.compile(rf"[0-9]{{1,18}}(?:\.[0-9]{{1,18}}){{0,{MOST_RUNNING}}}")
_PLACE = re.compile(r"(?P<mark>(?:[0-9a-f]{8}-)?)(?P<id>[0-9]{1,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Calls newest first. ``has_newer`` and ``has_older`` say whether there are more above and below."""

    calls: Sequence[Call]
    has_newer: bool
    has_older: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The row at which a page begins or ends, which is not on it; ``is_lost`` where the address names none."""

    before: int | None = None
    after: int | None = None
    is_lost: bool = False


@blueprint.get("/traffic")
def traffic() -> ResponseReturnValue:
    """Anything may be asked for: what was never called has no rows, and never shows those of others."""
    desk, asked = current_desk(), asked_in_url()
    _note_opened(desk)
    place = _place_in_url(asked)
    # Before the calls are read: what ends meanwhile is asked for once more, and not missed.
    reached = desk.store.traffic_search.reached()
    return render_template(
        "traffic.html",
        asked=asked,
        listed=_listed(desk.store.traffic_search, asked, place),
        reached=_told(reached),
        notes=[*asked.notes, *[_ELSEWHERE] * place.is_lost],
        is_masked=is_masked(),
        complete=desk.store.traffic.completeness(),
        started_at=started_at(),
        statuses=STATUSES,
        kinds=KINDS,
        slow=SLOW,
        endpoints=_with(asked.wanted.endpoint, api_paths()),
        outcomes=list(CallOutcome),
        programs=if_readable(lambda: _programs(desk)) or (),
        strategies=if_readable(desk.store.ticket_lists.strategies) or (),
        exports=EXPORTS,
    )


@blueprint.get("/traffic/newer")
def newer() -> ResponseReturnValue:
    """What came or ended since, for the page that keeps itself up to date: the newest page where that is too much.

    ``row`` is how far the page has come, in the words of the page before. Not a sign of a person at the keyboard.
    """
    sessions.mark_background()
    desk, asked = current_desk(), asked_in_url()
    search = desk.store.traffic_search
    reached = search.reached()
    calls: Sequence[Call] = search.since(asked.wanted, _reached_in_url(), limit=MOST_NEW + 1)
    has_gap = len(calls) > MOST_NEW
    calls = search.page(asked.wanted, before=None, limit=PAGE_SIZE) if has_gap else calls[::-1]
    return render_template(
        "_traffic_newer.html",
        asked=asked,
        calls=calls,
        reached=_told(reached),
        has_gap=has_gap,
        is_masked=is_masked(),
        complete=desk.store.traffic.completeness(),
        started_at=started_at(),
    )


@blueprint.post("/traffic/mask")
def mask() -> ResponseReturnValue:
    """Hide the end of public addresses, or show it; for this sign-in."""
    session[_MASK] = request.form.get("mask") == "yes"
    query = asked_in_url().query()
    return redirect(f"{url_for('traffic.traffic')}{'?' if query else ''}{query}")


def is_masked() -> bool:
    """Whether the pages of the traffic log hide the end of public addresses."""
    return bool(session.get(_MASK))


def _told(reached: Reached) -> str:
    return ".".join(map(str, (reached.newest, *reached.running)))


def _reached_in_url() -> Reached:
    """From the beginning on, where the address tells nothing that we told."""
    text = request.args.get("row", "")
    newest, *running = map(int, text.split(".")) if _REACHED.fullmatch(text) else (0,)
    return Reached(newest=newest, running=tuple(each for each in running if each <= newest))


def _place_in_url(asked: Asked) -> Place:
    """A place of another list would leave out calls, and nobody would see that any are missing."""
    for name in ("before", "after"):
        if name in request.args:
            found = _PLACE.fullmatch(request.args[name])
            if found is None or found["mark"] != asked.mark:
                return Place(is_lost=True)
            row = int(found["id"])
            return Place(before=row) if name == "before" else Place(after=row)
    return Place()


def _listed(search: TrafficSearch, asked: Asked, place: Place) -> Listed:
    """A page that has room for more at its top is the newest one, and is shown as such."""
    if place.after is not None:
        above = search.newer(asked.wanted, after=place.after, limit=PAGE_SIZE + 1)
        if len(above) > PAGE_SIZE:
            return Listed(calls=above[PAGE_SIZE - 1 :: -1], has_newer=True, has_older=True)
    found = search.page(asked.wanted, before=place.before, limit=PAGE_SIZE + 1)
    return Listed(calls=found[:PAGE_SIZE], has_newer=place.before is not None, has_older=len(found) > PAGE_SIZE)


def _note_opened(desk: Desk) -> None:
    """For the checklist of the key's page: once for each key, so that looking writes nothing as a rule."""
    try:
        key, opened = desk.store.api_keys.active(), desk.store.preferences.traffic_log_opened()
        if key is not None and (opened is None or opened < key.created_at):
            desk.store.preferences.note_traffic_log_opened()
    except StorageError:
        # The log is what is looked at when something is wrong.
        _log.exception("that the traffic log was opened could not be noted")


def _programs(desk: Desk) -> list[str]:
    """Which used the key, the latest first."""
    key = desk.store.api_keys.active()
    uses = () if key is None else desk.store.key_uses.of(key.key.fingerprint)
    return list(dict.fromkeys(each.program for each in uses))


def _with(asked: str, paths: list[str]) -> list[str]:
    """What is asked for must stand in the list, or the page would say that it shows all."""
    return paths if not asked or asked in paths else [asked, *paths]
