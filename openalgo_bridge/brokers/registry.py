"""Which brokers there are, and which of their daily files of instruments can be read: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.brokers.paper import PaperExchange
from openalgo_bridge.brokers.paper.book import InstrumentList, Market, PaperBookProtocol
from openalgo_bridge.brokers.zerodha.instruments import InstrumentFile
from openalgo_bridge.clock import Clock
from openalgo_bridge.model.calendar import Calendar
from openalgo_bridge.model.paper_settings import PaperSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All that a broker may be given. Each takes what it needs."""

    book: PaperBookProtocol
    market: Market
    instruments: InstrumentList
    clock: Clock
    calendar: Callable[[], Calendar]
    paper_settings: Callable[[], PaperSettings]


def _paper(given: Surroundings) -> Broker:
    return PaperExchange(
        book=given.book,
        market=given.market,
        instruments=given.instruments,
        clock=given.clock,
        calendar=given.calendar,
        settings=given.paper_settings,
    )


BROKERS: Mapping[str, Callable[[Surroundings], Broker]] = {
    "paper": _paper,
}

INSTRUMENT_FILES: Mapping[str, type[InstrumentFile]] = {
    "zerodha": InstrumentFile,
}
"""By the name that also is the list's ``source``."""
