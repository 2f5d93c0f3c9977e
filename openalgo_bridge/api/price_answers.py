"""Prices and bars as the dialect spells them (contract 2.4): JSON numbers, because AmiBroker reads quoted ones as 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.text import JSON, PLAIN, Text, in_batches
from openalgo_bridge.clock import day_in_india, ist_text
from openalgo_bridge.model.books import Bar, Depth, Level, Quote
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.trading.market import Quoted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_A_DAY = 86_400
_LEVELS = 5
_KINDS = {"s": "seconds", "m": "minutes", "h": "hours", "D": "days", "W": "weeks", "M": "months"}


def quote(market: Quote) -> Json:
    """``quotes`` data (contract 2.4.1)."""
    return {
        "ask": float(market.ask),
        "ask_qty": market.ask_quantity,
        "bid": float(market.bid),
        "bid_qty": market.bid_quantity,
        "high": float(market.high),
        "low": float(market.low),
        "ltp": float(market.ltp),
        "oi": market.oi,
        "open": float(market.open),
        "prev_close": float(market.prev_close),
        "volume": market.volume,
    }


def quotes(asked: Iterable[Quoted]) -> Json:
    """``multiquotes``; under ``data`` too, where some programs look for it (contract 5.1 item 10)."""
    rows = [_quoted(each) for each in asked]
    return {"status": "success", "results": rows, "data": rows}


def _quoted(asked: Quoted) -> Json:
    named = {"exchange": asked.exchange, "symbol": asked.symbol}
    return {"error": asked.fault, **named} if asked.quote is None else {"data": quote(asked.quote), **named}


def depth(book: Depth) -> Json:
    """``depth`` data: exactly five levels a side (contract 2.4.3)."""
    market = book.quote
    return {
        "asks": _levels(book.asks),
        "bids": _levels(book.bids),
        "high": float(market.high),
        "low": float(market.low),
        "ltp": float(market.ltp),
        "ltq": book.last_quantity,
        "oi": market.oi,
        "open": float(market.open),
        "prev_close": float(market.prev_close),
        "totalbuyqty": book.total_bid_quantity,
        "totalsellqty": book.total_ask_quantity,
        "volume": market.volume,
    }


def _levels(levels: Sequence[Level]) -> Sequence[Json]:
    rows = [{"price": float(level.price), "quantity": level.quantity} for level in levels[:_LEVELS]]
    return rows + [{"price": 0.0, "quantity": 0}] * (_LEVELS - len(rows))


def history(bars: Iterable[Bar], interval: Interval) -> Text:
    """``history``: spelled here row by row, because a year of minutes costs half a second as objects.

    The AmiBroker plugin reads up to a comma after each price, so none of them may stand last in its row
    (contract 3.3), and takes the first ``]`` for the end of the list.
    """
    number, begins = _Numbers(), _day_begins if interval.is_calendar else _begins
    rows = (
        f'{{"timestamp":{begins(start)},"open":{number[first]},"high":{number[high]},"low":{number[low]},'
        f'"close":{number[last]},"volume":{volume},"oi":{oi}}}'
        for start, first, high, low, last, volume, oi in bars
    )
    return Text(parts=f'{{"status":"success","data":[{",".join(map(",".join, in_batches(rows)))}]}}', content_type=JSON)


class _Numbers(dict[Decimal, str]):
    """Prices as JSON spells them: a year has few thousand different ones."""

    def __missing__(self, price: Decimal) -> str:
        text = self[price] = repr(float(price))
        return text


def _begins(start: datetime) -> int:
    """Epoch seconds of the moment at which a bar begins."""
    since = start - _EPOCH
    return since.days * _A_DAY + since.seconds


def _day_begins(start: datetime) -> int:
    """Of days and longer, 00:00 UTC of the day in India (contract 1.10)."""
    return (day_in_india(start) - _EPOCH.date()).days * _A_DAY


def ticker_lines(exchange: Exchange, symbol: str, bars: Iterable[Bar], interval: Interval) -> Text:
    """``ticker`` as lines for an ASCII import, with IST days and times (contract 2.4.6)."""
    name = f"{exchange}:{symbol}"
    lines = (
        f"{name},{_when(bar.start, interval)},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}" for bar in bars
    )
    return Text(parts="\n".join(lines), content_type=PLAIN)


def _when(start: datetime, interval: Interval) -> str:
    text = ist_text(start)
    return text.partition(" ")[0] if interval.is_calendar else text.replace(" ", ",")


def intervals(known: Iterable[Interval]) -> Json:
    """``intervals`` data: always all six kinds; the dialect has no word for quarters and years (contract 2.4.5)."""
    by_kind: dict[str, list[str]] = {kind: [] for kind in _KINDS.values()}
    for interval in sorted(known, key=list(Interval).index):
        kind = _KINDS.get(interval.value[-1])
        if kind is not None:
            by_kind[kind].append(interval)
    return by_kind
