"""What the traffic row says of a call beside its times: what it was about, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.body import Fields
from openalgo_bridge.api.endpoint import Endpoint
from openalgo_bridge.api.text import Text
from openalgo_bridge.errors import (
    BadApiKey,
    BearerNotAccepted,
    BridgeError,
    Busy,
    Conflict,
    Denied,
    Invalid,
    MissingApiKey,
    NotAllowed,
    NotFound,
    NotSent,
    NotSetUp,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SessionExpired,
    Unsupported,
)
from openalgo_bridge.model.calls import CallOutcome
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.traffic import Note

_SOURCE = "api"
_LISTS = ("orders", "legs", "positions", "symbols")
_MOST_NAMED = 5
_LONGEST = 60

# The first that fits; what is in none of these is a fault of the bridge or of its files.
_OUTCOMES: tuple[tuple[type[BridgeError], CallOutcome], ...] = (
    (Invalid, CallOutcome.BAD_REQUEST),
    (MissingApiKey, CallOutcome.NO_KEY),
    (BearerNotAccepted, CallOutcome.NO_KEY),
    (BadApiKey, CallOutcome.WRONG_KEY),
    (NotAllowed, CallOutcome.NOT_ALLOWED),
    (NotFound, CallOutcome.NOT_FOUND),
    (Conflict, CallOutcome.CONFLICT),
    (Denied, CallOutcome.DENIED),
    (NotSetUp, CallOutcome.UNSUPPORTED),
    (Unsupported, CallOutcome.UNSUPPORTED),
    (RateLimited, CallOutcome.TOO_MANY),
    (Busy, CallOutcome.BUSY),
    (Rejected, CallOutcome.REJECTED),
    (SessionExpired, CallOutcome.NOT_SENT),
    (NotSent, CallOutcome.NOT_SENT),
    (OutcomeUnknown, CallOutcome.UNKNOWN),
)


def outcome_of(error: BridgeError) -> CallOutcome:
    """What a call came to that ended with this error."""
    return next((outcome for kind, outcome in _OUTCOMES if isinstance(error, kind)), CallOutcome.FAILED)


def note_asked(note: Note, fields: Fields) -> None:
    """The strategy and the symbols, as they came: a request that is refused was about something too."""
    named = {name.replace("_", "").lower(): value for name, value in fields.items()}
    note.source = _SOURCE
    note.strategy = _text(named.get("strategy"))
    symbols = list(dict.fromkeys(_symbols(named)))
    more = f" and {len(symbols) - _MOST_NAMED} more" if len(symbols) > _MOST_NAMED else ""
    note.symbol = ", ".join(symbols[:_MOST_NAMED]) + more or None


def note_answered(note: Note, endpoint: Endpoint, content: Json | Text) -> None:
    """The number that the caller was told for his order, and the account that it went to."""
    if isinstance(content, Text):
        return
    told = content.get("orderid") or content.get("trigger_id") or content.get("reference")
    note.order_ref = str(told) if told is not None else None
    if endpoint.is_marked and note.trading_mode is None:
        note.trading_mode = TradingMode.ANALYZE if content.get("mode") == TradingMode.ANALYZE else TradingMode.LIVE


def note_failed(note: Note, error: BridgeError) -> None:
    """Which error it was, and of which ticket."""
    note.outcome, note.ticket_id = outcome_of(error), error.ticket_id
    if error.trading_mode:
        note.trading_mode = TradingMode(error.trading_mode)
    note.add(error.message)


def _symbols(named: Fields) -> Iterator[str]:
    for name in ("symbol", "underlying"):
        if (symbol := _text(named.get(name))) is not None:
            yield symbol
    if (instrument := _text(named.get("instrument"))) is not None:
        yield instrument.rpartition(":")[2]
    for listed in _LISTS:
        items = named.get(listed)
        for item in items if isinstance(items, list) else ():
            symbol = _text(item.get("symbol") if isinstance(item, dict) else item)
            if symbol is not None:
                yield symbol


def _text(value: object) -> str | None:
    return value.strip()[:_LONGEST] or None if isinstance(value, str) else None
