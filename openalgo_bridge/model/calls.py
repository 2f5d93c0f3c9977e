"""API calls as the traffic log tells them: which of them somebody wants to see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Listener(StrEnum):
    """Which port a request came to."""

    MAIN = "main"
    HOOKS = "hooks"


class CallKind(StrEnum):
    """What a request asked for: the API, a webhook, or a page (and all that a page loads). What was turned away at the
    door and is none of these is a stray: no request at all, or one that another site or a tunnel made for a page.
    """

    API = "api"
    HOOK = "hook"
    PAGE = "page"
    STRAY = "stray"


class StatusClass(StrEnum):
    """How a call ended, coarsely. A 3xx is an answer too."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"
    CUT_OFF = "cut off"

    @classmethod
    def of(cls, status: int | None) -> StatusClass | None:
        """The class of an HTTP status as a row has it: 0 was cut off, None still runs and has no class yet."""
        if status is None:
            return None
        if status == 0:
            return cls.CUT_OFF
        if status < 400:
            return cls.ANSWERED
        return cls.REFUSED if status < 500 else cls.FAILED


class CallOutcome(StrEnum):
    """What came of a call, in the words of the person who looks for it."""

    OK = "ok"
    SENT = "sent"
    HELD = "held"
    WITHDRAWN = "withdrawn"
    NOTHING_TO_DO = "nothing to do"
    REPLAYED = "replayed"
    PARTIAL = "partial"
    UNKNOWN = "unknown"
    PREFLIGHT = "preflight"
    BAD_REQUEST = "bad request"
    NO_KEY = "no key"
    WRONG_KEY = "wrong key"
    NOT_ALLOWED = "not allowed"
    NOT_FOUND = "not found"
    CONFLICT = "conflict"
    DENIED = "denied"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    TOO_MANY = "too many"
    BUSY = "busy"
    NOT_SENT = "not sent"
    FAILED = "failed"
    REFUSED = "refused"
    CUT_OFF = "cut off"

    @classmethod
    def of_status(cls, status: int) -> CallOutcome:
        """Of an answer of which nothing else is known."""
        return cls.OK if status < 400 else _OF_STATUS.get(status, cls.FAILED if status >= 500 else cls.BAD_REQUEST)


_OF_STATUS = {
    401: CallOutcome.NO_KEY,
    403: CallOutcome.NOT_ALLOWED,
    404: CallOutcome.NOT_FOUND,
    405: CallOutcome.NOT_FOUND,
    409: CallOutcome.CONFLICT,
    421: CallOutcome.REFUSED,
    429: CallOutcome.TOO_MANY,
    501: CallOutcome.UNSUPPORTED,
}

_HOOKS = ("/hook/", "/webhook/", "/strategy/webhook/", "/chartink/webhook/")


def kind_of(path: str) -> CallKind:
    """What a request for this path asks for."""
    if path.startswith("/api/"):
        return CallKind.API
    return CallKind.HOOK if path.lower().startswith(_HOOKS) else CallKind.PAGE


SLOW_MS = 1000
"""From here on a call counts as slow, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which calls are wanted: all that is said must hold, None and "" say nothing.

    ``kind`` None: all but the pages, and ``with_pages`` the pages too.
    ``since`` is included, ``until`` is not. ``words`` is free text: each of its words must begin a word of the row.
    """

    since: datetime | None = None
    until: datetime | None = None
    kind: CallKind | None = None
    with_pages: bool = False
    endpoint: str = ""
    status: StatusClass | None = None
    address: str = ""
    program: str = ""
    strategy: str = ""
    symbol: str = ""
    outcome: str = ""
    is_slow: bool = False
    words: str = ""
