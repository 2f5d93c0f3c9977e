"""What is said in a call as it is written down: without secrets (security T8, 4.11), legible, and not too long."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from openalgo_bridge.model.named_secrets import spelled_out
from openalgo_bridge.model.redaction import has_token, redact
from openalgo_bridge.store.known_secrets import KnownSecrets

BODY_KEPT = 4096
"""How much of a body is kept, in characters."""

_LONGEST = 300
_NO_CHARACTER = "\N{REPLACEMENT CHARACTER}"


class CallText:
    """Without ``known`` it finds secrets that have the form of one, or go by its name."""

    def __init__(self, known: KnownSecrets | None) -> None:
        self._known = known

    def line(self, text: str, without_named: Callable[[str], str] = str) -> str:
        """Secrets out, control characters out, and no more than fits a screen."""
        line = _tokenless_line(text, without_named) if len(text) <= _LONGEST else None
        return _shown(self.without_secrets(text, without_named)) if line is None else line

    def line_or_none(self, text: str | None) -> str | None:
        """The same, where there is one."""
        return None if text is None else self.line(text)

    def body(self, text: str, without_named: Callable[[str], str]) -> str:
        """Secrets out, and no more than is kept of a body. Lines stay lines."""
        return legible(self.without_secrets(text, without_named)[:BODY_KEPT], lines="\r\n\t")

    def without_secrets(self, text: str, without_named: Callable[[str], str]) -> str:
        """As it came, where there is none in it: else it is spelled plainly, because a secret may be escaped."""
        plain = spelled_out(text)
        clean = without_named(self._without_tokens(plain))
        return text if clean == plain else clean

    def _without_tokens(self, text: str) -> str:
        if not has_token(text):
            return text
        text = redact(text)
        return text if self._known is None else self._known.without(text)


@lru_cache(maxsize=2048)
def _tokenless_line(text: str, without_named: Callable[[str], str]) -> str | None:
    """As of a line in which nothing can be a known secret, whatever is known: programs and paths come again and again.
    None for any other.
    """
    plain = spelled_out(text)
    if has_token(text) or has_token(plain):
        return None
    clean = without_named(plain)
    return _shown(text if clean == plain else clean)


def _shown(line: str) -> str:
    return legible(line)[:_LONGEST]


def legible(text: str, *, lines: str = "") -> str:
    """Only characters that can be seen, and those of ``lines``, which part the lines of a text."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in lines else _NO_CHARACTER for c in text)
