"""The pages of the traffic log, in the order of the navigation that stands on each of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A page, by the name of its view."""

    view: str
    label: str


SECTIONS = (
    Section(view="traffic.traffic", label="Calls"),
    Section(view="traffic_summary.summary", label="Summary"),
    Section(view="traffic_watch.watch", label="What to watch"),
    Section(view="traffic_errors.errors", label="Errors"),
    Section(view="orders.orders", label="Order log"),
)
EXPORTS = (
    Section(view="traffic_export.csv", label="Download as CSV"),
    Section(view="traffic_export.jsonl", label="Download as JSONL"),
)
"""The list as files."""
