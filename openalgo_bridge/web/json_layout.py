"""A body of a call, laid out to be read.

By its marks alone, and not by reading it and writing it anew: what was cut in the middle is laid out as well, and what
was said twice, or with more digits than a number keeps, stands there as it came. It is evidence.
"""

from __future__ import annotations

import re

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^"{}\[\],:]+', re.DOTALL)
_OPENING = ("{", "[")
_CLOSING = ("}", "]")
_INDENT = "  "
# A body of nothing but brackets must not become a page of nothing but spaces.
_DEEPEST = 12


def laid_out(body: str) -> str:
    """``body`` with a line for each member, where it is JSON; any other text as it is."""
    if not body.lstrip().startswith(_OPENING):
        return body
    parts: list[str] = []
    depth, before = 0, ""
    for piece in filter(None, map(str.strip, _PIECE.findall(body))):
        depth -= piece in _CLOSING
        if before == "," or (before in _OPENING) != (piece in _CLOSING):
            parts.append(_line(depth))
        parts.append(": " if piece == ":" else piece)
        depth += piece in _OPENING
        before = piece
    return "".join(parts)


def _line(depth: int) -> str:
    return "\n" + _INDENT * min(max(depth, 0), _DEEPEST)
