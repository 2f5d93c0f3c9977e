"""When the prices of the market count for what rests or waits at the paper exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from openalgo_bridge.brokers.paper import hours
from openalgo_bridge.brokers.paper.book import InstrumentList
from openalgo_bridge.model.calendar import Calendar
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.paper_settings import PaperHours, PaperSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceHours:
    """Around the clock, unless the trader wants the hours of the real exchange: then what rests fills when a new order
    would be taken. Settings and calendar are those of the moment that asks.
    """

    calendar: Callable[[], Calendar]
    settings: Callable[[], PaperSettings]
    instruments: InstrumentList

    def stretches(
        self, instrument: Instrument, since: datetime, until: datetime
    ) -> Iterable[tuple[datetime, datetime]]:
        """The parts of a stretch in which they count, from first to last second. Raises StorageError."""
        if self._are_all():
            return [(since, until)]
        has_derivatives = self.instruments.has_derivatives(instrument)
        return hours.open_stretches(self.calendar(), instrument.exchange, since, until, has_derivatives=has_derivatives)

    def count_at(self, instrument: Instrument, now: datetime) -> bool:
        """Whether that of this moment does. Raises StorageError."""
        if self._are_all():
            return True
        has_derivatives = self.instruments.has_derivatives(instrument)
        return not hours.why_closed(self.calendar(), instrument.exchange, now, has_derivatives=has_derivatives)

    def _are_all(self) -> bool:
        return self.settings().hours is PaperHours.ALWAYS
