"""Pages by key: the URL names the last row that was seen, so a page never shifts while rows arrive."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import request

from openalgo_bridge.errors import Invalid, NotFound

RowT = TypeVar("RowT")

PAGE_SIZE = 50

_LONGEST_ROW_ID = 18
"""Digits of a row id: so it fits SQLite's integers whatever a URL says."""

_ROW_ID = re.compile(f"[0-9]{{1,{_LONGEST_ROW_ID}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[RowT]):
    """Rows newest first. ``is_first`` is False further down; ``has_older`` when there is more below."""

    rows: Sequence[RowT]
    is_first: bool
    has_older: bool


def before_in_url() -> int | None:
    """The row id after which the page starts; None for the newest page and for anything that is no row id."""
    return row_id_in_url("before")


def row_id_in_url(name: str) -> int | None:
    """The row id of this parameter; None for anything that is no row id."""
    text = request.args.get(name, "")
    return int(text) if _ROW_ID.fullmatch(text) and int(text) > 0 else None


def row_ids_in_form(name: str) -> list[int]:
    """The row ids that a form names. Raises Invalid where it names none, or something else."""
    texts = request.form.getlist(name)
    if not texts or not all(_ROW_ID.fullmatch(text) for text in texts):
        raise Invalid("The form does not say what it is about. Nothing was changed.")
    return [int(text) for text in texts]


def row_id(number: int) -> int:
    """A ticket's or an order's number from an address. Raises NotFound for one that no row can have."""
    if number >= 10**_LONGEST_ROW_ID:
        raise NotFound("There is no such ticket.")
    return number


def page_of(rows: Sequence[RowT], before: int | None) -> Page[RowT]:
    """A page of ``rows``, which were read with ``limit=PAGE_SIZE + 1``."""
    return Page(rows=rows[:PAGE_SIZE], is_first=before is None, has_older=len(rows) > PAGE_SIZE)
