"""What a person changed of a held order, as the journal keeps it with the event. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from openalgo_bridge.model.order import OrderRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field of an order that a person changed."""

    name: str
    before: str
    after: str


def difference(before: OrderRequest, after: OrderRequest) -> str:
    """What a person changed, for :func:`changes_in`; empty when nothing."""
    names = [name for name in OrderRequest.__slots__ if getattr(before, name) != getattr(after, name)]
    told = [(name.replace("_", " "), str(getattr(before, name)), str(getattr(after, name))) for name in names]
    return json.dumps(told) if told else ""


def changes_in(told: str) -> tuple[Change, ...]:
    """The inverse of :func:`difference`."""
    parts = json.loads(told) if told else []
    return tuple(Change(name=name, before=before, after=after) for name, before, after in parts)
