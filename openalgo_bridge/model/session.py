"""When the trading session of an exchange ends. An ordinary day's; holidays are the calendar's."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from openalgo_bridge.model.order import Exchange

_IST = ZoneInfo("Asia/Kolkata")
_CLOSES = {
    Exchange.MCX: time(23, 30),
    Exchange.NCDEX: time(17, 0),
    Exchange.NCO: time(17, 0),
    Exchange.CDS: time(17, 0),
    Exchange.BCD: time(17, 0),
    Exchange.CRYPTO: time(23, 59),
}
_USUALLY = time(15, 30)


def session_end(exchange: Exchange | None, now: datetime, at_least: timedelta) -> datetime:
    """The end of today's session in IST, or ``at_least`` from ``now`` on where that is later.

    Where no exchange is named, the last one to close counts.
    """
    closes = max(_CLOSES.values()) if exchange is None else _CLOSES.get(exchange, _USUALLY)
    end = now.astimezone(_IST).replace(hour=closes.hour, minute=closes.minute, second=0, microsecond=0)
    return max(end.astimezone(now.tzinfo), now + at_least)
