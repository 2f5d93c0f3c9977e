"""What a spreadsheet would take for a formula when it opens a table of ours (security T13)."""

from __future__ import annotations

TRIGGERS = "=+-@\t\r\n\0＝＋－＠'"
"""In half and full width, and what it leaves out before one. The quote itself, so that what is put before a text can be
taken away again."""

_BEGINNINGS = tuple(TRIGGERS)


def as_text(cell: str) -> str:
    """The text as a spreadsheet takes it for text, whatever it begins with."""
    return f"'{cell}" if cell.startswith(_BEGINNINGS) else cell
