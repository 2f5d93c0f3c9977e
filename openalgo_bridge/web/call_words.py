"""What stands in a row of the traffic log, as a person reads it."""

from __future__ import annotations

from openalgo_bridge.model.calls import SLOW_MS, CallKind, Listener, StatusClass
from openalgo_bridge.model.masked_address import masked, masked_within
from openalgo_bridge.store.traffic import CUT_OFF, Call

_TONES = {
    StatusClass.ANSWERED: "success",
    StatusClass.REFUSED: "warning",
    StatusClass.FAILED: "danger",
    StatusClass.CUT_OFF: "danger",
}
_LISTENERS = {
    Listener.MAIN: "the main listener, which programs and browsers on this PC reach",
    Listener.HOOKS: "the listener for webhooks, which a tunnel may lead to",
}
_KINDS = {
    CallKind.API: "A call of the API",
    CallKind.HOOK: "A webhook",
    CallKind.PAGE: "A page, or a part of one",
    CallKind.STRAY: "Turned away at the door",
}


def status_class(call: Call) -> StatusClass | None:
    """How it ended, coarsely; None while it runs."""
    return StatusClass.of(call.status)


def status_word(call: Call) -> str:
    """The number that the caller was told, or why there is none."""
    if call.status is None:
        return "running"
    return "cut off" if call.status == CUT_OFF else str(call.status)


def status_tone(call: Call) -> str:
    """The colour of a status, which never says more than its word does."""
    ended = status_class(call)
    return "secondary" if ended is None else _TONES[ended]


def ending(call: Call) -> str:
    """What became of it, such as ``it was refused with 403``."""
    match status_class(call):
        case None:
            return "it is still running"
        case StatusClass.CUT_OFF:
            return "its answer never left, because the bridge stopped in the middle"
        case StatusClass.FAILED:
            return f"it failed with {call.status}"
        case ended:
            return f"it was {ended} with {call.status}"


def is_slow(call: Call) -> bool:
    """Whether it took so long that it is worth a look."""
    return call.duration_ms is not None and call.duration_ms >= SLOW_MS


def own_ms(call: Call) -> float | None:
    """Milliseconds that were not spent at the broker; None where nobody measured."""
    if call.duration_ms is None or call.broker_ms is None:
        return None
    return max(0.0, call.duration_ms - call.broker_ms)


def address(text: str, is_masked: bool) -> str:
    """An address, masked where the trader wants it so."""
    return masked(text) if is_masked else text


def addresses(text: str, is_masked: bool) -> str:
    """A text in which addresses may stand."""
    return masked_within(text) if is_masked else text


def listener(of: Listener) -> str:
    """Which port it came to."""
    return _LISTENERS[of]


def kind(of: CallKind) -> str:
    """What it asked for."""
    return _KINDS[of]


def size(octets: int) -> str:
    """``812 bytes``, ``4 KiB``, ``11.7 KiB``."""
    if octets < 1024:
        return f"{octets} bytes"
    return f"{octets / 1024:.1f} KiB".replace(".0 ", " ")


FILTERS = {
    "call_status": status_word,
    "call_class": status_class,
    "call_tone": status_tone,
    "call_ending": ending,
    "call_is_slow": is_slow,
    "call_own_ms": own_ms,
    "call_listener": listener,
    "call_kind": kind,
    "address": address,
    "addresses": addresses,
    "size": size,
}
"""The Jinja filters, by name."""
