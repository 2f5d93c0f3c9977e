"""Instruments as the dialect spells them (contract 2.6)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from openalgo_bridge.api.answers import Json, encoded
from openalgo_bridge.api.schemas.symbols import SymbolFields
from openalgo_bridge.api.text import CSV, JSON, Text, in_batches, sent_as_made
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.spreadsheet import as_text
from openalgo_bridge.model.symbol import dashed_date

_COLUMNS = tuple(SymbolFields.__annotations__)
_NONE_LISTED = '{"status":"success","message":"No instruments found","data":[]}'


def row(instrument: Instrument) -> Mapping[str, object]:
    """One instrument, its fields in the order of the CSV (contract 2.6.4)."""
    return {
        "symbol": instrument.symbol,
        "brsymbol": instrument.broker_symbol or instrument.symbol,
        "name": instrument.name,
        "exchange": instrument.exchange,
        "brexchange": instrument.broker_exchange or instrument.exchange,
        "token": instrument.token,
        "expiry": "" if instrument.expiry is None else dashed_date(instrument.expiry),
        "strike": float(instrument.strike),
        "lotsize": instrument.lot,
        "instrumenttype": instrument.kind,
        "tick_size": float(instrument.tick),
    }


def _row_with_freeze(instrument: Instrument) -> Json:
    return {**row(instrument), "freeze_qty": instrument.freeze_quantity}


def symbol(instrument: Instrument, number: int) -> Json:
    """``symbol``: one instrument, and its place in the list (contract 2.6.1)."""
    return {"status": "success", "data": {**_row_with_freeze(instrument), "id": number}}


def search(found: Sequence[Instrument]) -> Json:
    """``search`` (contract 2.6.2)."""
    message = f"Found {len(found)} matching symbols" if found else "No matching symbols found"
    return {"status": "success", "message": message, "data": list(map(_row_with_freeze, found))}


def expiries(days: Sequence[date], *, base: str, kind: str, exchange: Exchange) -> Json:
    """``expiry``: the nearest day first (contract 2.6.3)."""
    message = f"Found {len(days)} expiry dates for {base} {kind} in {exchange}"
    return {"status": "success", "message": message, "data": list(map(dashed_date, days))}


def instruments_json(listed: Iterable[Instrument]) -> Text:
    """``instruments``, sent while it is read: 180,000 of them are 40 MB. So the count comes last."""
    return Text(parts=sent_as_made(_json_parts(listed)), content_type=JSON)


def _json_parts(listed: Iterable[Instrument]) -> Iterator[str]:
    count, lead = 0, '{"status":"success","data":['
    for some in in_batches(listed):
        count += len(some)
        yield lead + encoded([row(each) for each in some])[1:-1]
        lead = ","
    yield f'],"message":"Found {count} instruments"}}' if count else _NONE_LISTED


def instruments_csv(listed: Iterable[Instrument], exchange: Exchange | None) -> Text:
    """The same as lines of RFC 4180 under one of names, sent while it is read."""
    return Text(
        parts=sent_as_made(_csv_parts(listed)), content_type=CSV, filename=f"instruments_{exchange or 'all'}.csv"
    )


def _csv_parts(listed: Iterable[Instrument]) -> Iterator[str]:
    names = _lines([_COLUMNS])
    for some in in_batches(listed):
        yield names + _lines(map(_cells, some))
        names = ""
    yield names


def _lines(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cells(instrument: Instrument) -> Iterable[object]:
    """Names come from a broker's file: none of them shall be a formula where a spreadsheet opens the table."""
    return (as_text(value) if isinstance(value, str) else value for value in row(instrument).values())
