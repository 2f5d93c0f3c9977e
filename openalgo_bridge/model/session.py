"""When the trading session of an exchange ends. An ordinary day's; holidays are the calendar's."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from openalgo_bridge.model.order import Exchange

_CLOSES = {
    Exchange.MCX: time(23, 30),
    Exchange.NCDEX: time(17, 0),
    Exchange.NCO: time(17, 0),
    Exchange.CDS: time(17, 0),
    Exchange.BCD: time(17, 0),
    Exchange.CRYPTO: time(23, 59),
}
_USUALLY = time(15, 30)


def session_end(exchange: Exchange, now: datetime, at_least: timedelta) -> datetime:
    """The end of today's session, or ``now`` and ``at_least`` where that is later. ``now`` must be in IST."""
    closes = _CLOSES.get(exchange, _USUALLY)
    end = now.replace(hour=closes.hour, minute=closes.minute, second=0, microsecond=0)
    return max(end, now + at_least)
