"""Tables to download: CSV as RFC 4180 has it, in which no text is a formula when a spreadsheet opens it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from flask import Response

from openalgo_bridge.clock import ist_text
from openalgo_bridge.model.spreadsheet import as_text

Cell = str | int | Decimal | datetime | None


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """The header and the rows. A number stays a number, a moment is in IST, None is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_written(cell) for cell in row] for row in rows)
    return text.getvalue()


def download(name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """The answer that a browser saves as the file ``name``: our own word, never one from a request."""
    answer = Response(csv_text(header, rows), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _written(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return as_text(cell)
        case datetime():
            return ist_text(cell)
        case Decimal():
            return _amount(cell)
        case int():
            return str(cell)


def _amount(amount: Decimal) -> str:
    """Two decimals, up to four where the price has them; no grouping, which a program could not read."""
    rounded = round(amount, 4)
    return f"{rounded:.2f}" if rounded == round(rounded, 2) else f"{rounded:.4f}"
