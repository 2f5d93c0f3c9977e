"""Takes API keys out of any text that is about to be written down or shown (security 4.11).

A key is recognised by its checksum, so the key itself need not be known here. Base62 characters mean the same
in a URL, in JSON and in HTML, so those forms need no decoding. Not recognised: a key that was cut, broken over
two lines, or turned into hex or base64; nothing of ours writes it in these forms. Nor one with a typing
mistake, which :func:`redact` takes out too where what is written is somebody else's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from openalgo_bridge.model.apikey import LENGTH, SHAPE, is_well_formed

PLACEHOLDER = "[key]"
LONG_RUN_PLACEHOLDER = "[redacted]"
_LONGEST_NOTE = 200

_SHORTEST = 26
TOKEN = re.compile(rf"(?<![\w-])[\w-]{{{_SHORTEST},}}", re.ASCII)
"""A run of characters that may be a secret, for who knows some: whatever :func:`redact` takes out is in such a run."""

_IS_OF_TOKEN = bytes(ord("x" if re.fullmatch(r"[\w-]", chr(byte), re.ASCII) else " ") for byte in range(256))
_RUN = b"x" * _SHORTEST

# The look-behind lets a search skip the inside of a word that is too short, so ordinary text costs one pass.
_LONG_RUN = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{32,}")
_WINDOW = re.compile(f"(?=({SHAPE.pattern}))")


def has_token(text: str) -> bool:
    """Whether there is a :data:`TOKEN`. Ten times as fast as the search, for texts that are long and innocent."""
    return _RUN in text.encode("utf-8", "surrogatepass").translate(_IS_OF_TOKEN)


def scrub(text: str) -> str:
    """The text with every API key in it replaced by ``[key]``, also where a key is inside a longer run."""
    if _LONG_RUN.search(text) is None:
        return text
    return _LONG_RUN.sub(lambda run: _scrub_run(run[0]), text)


def redact(text: str) -> str:
    """Every run of 32 or more letters and digits replaced: by ``[key]`` where a key is in it, else ``[redacted]``.

    For what strangers and confused programs send: a key with one wrong character is 31 characters of a key.
    """
    if _LONG_RUN.search(text) is None:
        return text
    return _LONG_RUN.sub(lambda run: _name_of_run(run[0]), text)


def noted(typed: str) -> str:
    """A reason that a person typed, as it is kept: short, and without a key.

    A key is taken out before the text is cut: a part of a key is no key to see.
    """
    return redact(typed.strip())[:_LONGEST_NOTE]


def _name_of_run(run: str) -> str:
    return LONG_RUN_PLACEHOLDER if next(_key_spans(run), None) is None else PLACEHOLDER


def _scrub_run(run: str) -> str:
    kept = []
    end = 0
    for start, stop in _key_spans(run):
        kept += [run[end:start], PLACEHOLDER]
        end = stop
    return "".join([*kept, run[end:]])


def _key_spans(run: str) -> Iterator[tuple[int, int]]:
    """Where keys are. Overlapping ones make one span, so that a made-up window cannot save half of a real key."""
    span: tuple[int, int] | None = None
    for window in _WINDOW.finditer(run):
        if not is_well_formed(window[1]):
            continue
        start = window.start()
        if span is not None and start < span[1]:
            span = (span[0], start + LENGTH)
            continue
        if span is not None:
            yield span
        span = (start, start + LENGTH)
    if span is not None:
        yield span
