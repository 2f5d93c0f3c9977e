"""The instrument list at the size of a broker's: ``python bench/instruments.py FOLDER`` prints figures as JSON.

In one process, without HTTP: what a search costs, a look-up that is not remembered, a chain, and taking over the list.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain, count, islice
from pathlib import Path

from openalgo_bridge.clock import Clock
from openalgo_bridge.model.instrument import OPTIONS, Instrument, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import Contract, symbol_of
from openalgo_bridge.store.embedded_list import embedded_list
from openalgo_bridge.store.instruments import Instruments
from openalgo_bridge.store.store import Store

_TODAY = date(2026, 11, 24)
_EXPIRIES = tuple(_TODAY + timedelta(days=7 * week) for week in (1, 5, 9))
_WORDS = ("Steel", "Power", "Bank", "Finance", "India", "Motors", "Energy", "Foods", "Cement", "Systems", "Capital")
_SHARES = 20_000
_QUERIES = (
    "nifty",
    "nifty 26000 ce dec",
    "reliance",
    "rel",
    "bank",
    "sbin fut",
    "NIFTY01DEC2626000CE",
    "26000",
    "m01234 ce",
    "power bank",
    "banknifty 01dec26 58800 pe",
    "crude",
)
_SHOWN = 50


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the instrument list.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=180_000)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    store = Store.open(options.folder, Clock())
    try:
        print(json.dumps(_figures(store, options.rows, options.times)))
    finally:
        store.close()


def _figures(store: Store, rows: int, times: int) -> dict[str, float]:
    began = time.perf_counter()
    embedded = list(embedded_list(_TODAY, store.calendar.load()))
    store.instrument_lists.replace(embedded, source="embedded", edition="bench", today=_TODAY)
    rolled = time.perf_counter()
    listed = islice(chain(embedded, _others()), rows)
    store.instrument_lists.replace(listed, source="bench", edition="bench", today=_TODAY)
    taken = time.perf_counter()
    find = store.instruments
    searches = [_median_ms(lambda query=query: find.search(query, limit=_SHOWN), times) for query in _QUERIES]
    expiring = (Exchange.NFO, "NIFTY", date(2026, 12, 1))
    return {
        "rows": find.count(),
        "roll_s": rolled - began,
        "take_over_s": taken - rolled,
        "search_ms": statistics.median(searches),
        "search_most_ms": max(searches),
        "find_ms": _median_ms(lambda: _found_anew(find), times),
        "chain_ms": _median_ms(lambda: find.chain(*expiring), times),
        "chain_strikes": len(find.strikes(*expiring)),
    }


def _median_ms(act: Callable[[], object], times: int) -> float:
    seen = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        seen.append(time.perf_counter() - began)
    return statistics.median(seen) * 1000


def _found_anew(instruments: Instruments) -> None:
    instruments.forget()
    if instruments.find(Exchange.NFO, "NIFTY01DEC2626000CE") is None:
        raise RuntimeError("the list of the bench is not what it should be")


def _others() -> Iterator[Instrument]:
    """Shares of two exchanges, and options on some of them, without end."""
    for number in range(_SHARES):
        exchange = Exchange.BSE if number % 2 else Exchange.NSE
        name = f"{_WORDS[number % 11]} {_WORDS[number // 11 % 11]} {number}"
        yield _instrument(f"Q{number:05d}", exchange, name, Kind.EQ)
    for number in count():
        base = f"M{number:05d}"
        for expiry in _EXPIRIES:
            for strike in range(100, 1_400, 10):
                for kind in OPTIONS:
                    terms = Contract(base=base, kind=kind, expiry=expiry, strike=Decimal(strike))
                    yield _instrument(symbol_of(terms), Exchange.NFO, base, kind, expiry, Decimal(strike))


def _instrument(
    symbol: str, exchange: Exchange, name: str, kind: Kind, expiry: date | None = None, strike: Decimal = Decimal(0)
) -> Instrument:
    return Instrument(
        symbol=symbol,
        exchange=exchange,
        name=name,
        kind=kind,
        lot=1,
        tick=Decimal("0.05"),
        freeze_quantity=0,
        token=f"{exchange}:{symbol}",
        reference_price=Decimal(0),
        expiry=expiry,
        strike=strike,
        broker_symbol=f"Z{symbol}",
        broker_exchange=exchange,
    )


if __name__ == "__main__":
    main()
