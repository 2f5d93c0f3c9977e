"""A GTT as the books of the paper exchange hold it. Money is in units (``model/paper.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.order import GttRequest, Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class FiredOrder:
    """The order that a GTT placed, by its number, and when."""

    number: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperGtt:
    """One GTT. ``number`` is 0 until it is in the book; ``blocked`` is the money set aside for it while it waits.

    ``expires_at`` is when it ends unused, whatever the request says. ``reason`` says why it ended, where that needs
    saying.
    """

    number: int = 0
    tag: Ref
    request: GttRequest
    state: GttState = GttState.ACTIVE
    reason: str = ""
    blocked: int = 0
    placed_at: datetime
    changed_at: datetime
    expires_at: datetime
    fired: FiredOrder | None = None
