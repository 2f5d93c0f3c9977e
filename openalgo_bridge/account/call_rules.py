"""Which calls bear an indicator out. What is counted is in memory; what is raised is not.

Each rule says which innocent calls it leaves alone. Thresholds and their reasons are in ``model/indicators.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from openalgo_bridge.clock import IST
from openalgo_bridge.model.address import THIS_PC, AddressRule
from openalgo_bridge.model.calls import CallKind, CallOutcome, Listener
from openalgo_bridge.model.indicators import (
    ATTEMPTS_WINDOW,
    FEWEST_CALLS,
    FEWEST_WRONG_KEYS,
    LOOP_CALLS,
    LOOP_WINDOW,
    MOST_ERRORS_PERCENT,
    RATE_WINDOW,
    VOLUME_WINDOW,
    History,
    IndicatorKind,
    Sighting,
)
from openalgo_bridge.model.program import program_name
from openalgo_bridge.model.sliding_window import Lately, SlidingWindows
from openalgo_bridge.model.ticket import Operation
from openalgo_bridge.store.traffic import Call

_MISDIRECTED = 421
_PLACING = frozenset(operation.value for operation in Operation if operation.places)
_ORDERING = frozenset(operation.value for operation in Operation)
_HOOK_ENDPOINTS = frozenset({"/api/v1/placeorder", "/api/v1/placesmartorder"})

# Each has an indicator of its own, or is the answer to a program that is merely fast.
_NO_ERROR_OF_RATE = frozenset(
    {
        CallOutcome.TOO_MANY,
        CallOutcome.BUSY,
        CallOutcome.WRONG_KEY,
        CallOutcome.NOT_ALLOWED,
        CallOutcome.REFUSED,
    }
)
# What did nothing, or was done before, may be asked again; what may not be done has an indicator of its own.
_NO_LOOP = frozenset(
    {
        CallOutcome.TOO_MANY,
        CallOutcome.BUSY,
        CallOutcome.NOT_ALLOWED,
        CallOutcome.NOTHING_TO_DO,
        CallOutcome.REPLAYED,
        CallOutcome.PREFLIGHT,
    }
)


@lru_cache(maxsize=1024)
def caller_program(name: str) -> str:
    """What the program is that calls itself so. Every call asks, and few names there are."""
    return program_name(name)


def caller_address(call: Call) -> str:
    """Where a call came from: what a trusted tunnel says, else the socket's peer."""
    return call.forwarded_for or call.address


def was_let_in(call: Call) -> bool:
    """Whether it had the right key. Only such calls make a habit, and only they can break one."""
    return call.key_fingerprint is not None and call.outcome != CallOutcome.WRONG_KEY


class CallRules:
    """The counts of one watch. One thread works with it."""

    def __init__(self) -> None:
        self._attempts: SlidingWindows[str] = SlidingWindows(ATTEMPTS_WINDOW)
        self._refused_by_wall: SlidingWindows[str] = SlidingWindows(ATTEMPTS_WINDOW)
        self._rated: SlidingWindows[str] = SlidingWindows(RATE_WINDOW)
        self._errors: SlidingWindows[str] = SlidingWindows(RATE_WINDOW)
        self._volume: SlidingWindows[str] = SlidingWindows(VOLUME_WINDOW)
        self._orders: SlidingWindows[tuple[str, str]] = SlidingWindows(LOOP_WINDOW)

    def of_any(self, call: Call) -> Iterator[Sighting]:
        """What the answer alone tells, whoever called."""
        if _came_past_a_hook(call):
            lately = self._refused_by_wall.add(call.listener, call.at)
            yield _sighting(call, IndicatorKind.TUNNEL, call.listener, lately=lately)
        if call.kind not in {CallKind.API, CallKind.HOOK}:
            return
        match call.outcome:
            case CallOutcome.WRONG_KEY if call.key_fingerprint is not None:
                where = f"{caller_program(call.program)} at {caller_address(call)}"
                yield _sighting(call, IndicatorKind.RETIRED_KEY, call.key_fingerprint, where)
            case CallOutcome.WRONG_KEY:
                yield from self._wrong_key(call)
            case CallOutcome.NOT_ALLOWED:
                yield _sighting(call, IndicatorKind.NOT_ALLOWED, caller_program(call.program), call.endpoint)
            case _:
                yield from self._errors_of(call)

    def of_caller(self, call: Call, history: History, listed: AddressRule) -> Iterator[Sighting]:
        """What only a call with the right key can tell. ``listed`` are the addresses that the trader named himself."""
        program = caller_program(call.program)
        address = caller_address(call)
        if not THIS_PC.allows(address) and not listed.allows(address):
            # Who said yes to a sheet that reads prices from there said nothing about orders, or another program.
            what = f"{program} {'sends orders' if _is_ordering(call) else 'reads'}"
            yield _sighting(call, IndicatorKind.UNKNOWN_ADDRESS, address or "no address", what)
        hour = call.at.astimezone(IST).hour
        if not history.is_usual(hour):
            where = "this PC" if THIS_PC.allows(address) else address or "no address"
            yield _sighting(call, IndicatorKind.UNUSUAL_HOURS, program, f"{hour:02d}:00 from {where}")
        yield from self._loop_of(call, program)

    def volume(self, call: Call) -> Lately:
        """Count a call with the right key; how many of its program there were lately."""
        return self._volume.add(caller_program(call.program), call.at)

    def _wrong_key(self, call: Call) -> Iterator[Sighting]:
        """By the address: whoever guesses may take a new name for each guess."""
        address = caller_address(call) or "no address"
        lately = self._attempts.add(address, call.at)
        if lately.count >= FEWEST_WRONG_KEYS:
            yield _sighting(call, IndicatorKind.WRONG_KEY, address, caller_program(call.program), lately=lately)

    def _errors_of(self, call: Call) -> Iterator[Sighting]:
        if call.outcome in _NO_ERROR_OF_RATE:
            return
        program = caller_program(call.program)
        rated = self._rated.add(program, call.at)
        if not call.status or call.status < 400:
            return
        errors = self._errors.add(program, call.at)
        if rated.count >= FEWEST_CALLS and errors.count * 100 >= MOST_ERRORS_PERCENT * rated.count:
            yield _sighting(call, IndicatorKind.ERROR_RATE, program, lately=errors)

    def _loop_of(self, call: Call, program: str) -> Iterator[Sighting]:
        name = _endpoint_name(call)
        is_placing = call.kind is CallKind.HOOK or name in _PLACING
        if not is_placing or call.outcome in _NO_LOOP:
            return
        what = " ".join(filter(None, ("webhook" if call.kind is CallKind.HOOK else name, call.symbol, call.strategy)))
        lately = self._orders.add((program, what), call.at)
        if lately.count >= LOOP_CALLS:
            yield _sighting(call, IndicatorKind.SCRIPT_LOOP, program, what, lately=lately)


def volume_sighting(call: Call, lately: Lately) -> Sighting:
    """Of a program that calls far more than ever."""
    return _sighting(call, IndicatorKind.HIGH_VOLUME, caller_program(call.program), lately=lately)


def _came_past_a_hook(call: Call) -> bool:
    """What the wall turned away for its host or for signs of a tunnel, and what the tunnel's listener has not got."""
    if call.listener is Listener.MAIN:
        return call.status == _MISDIRECTED and call.outcome == CallOutcome.REFUSED
    return call.kind is not CallKind.HOOK and call.endpoint not in _HOOK_ENDPOINTS


def _is_ordering(call: Call) -> bool:
    return call.kind is CallKind.HOOK or _endpoint_name(call) in _ORDERING


def _endpoint_name(call: Call) -> str:
    return call.endpoint.rstrip("/").rpartition("/")[2]


def _sighting(
    call: Call, kind: IndicatorKind, subject: str, detail: str = "", *, lately: Lately | None = None
) -> Sighting:
    return Sighting(
        kind=kind,
        subject=subject,
        detail=detail,
        level=1 if lately is None else lately.count,
        at=call.at,
        since=call.at if lately is None else lately.since,
        program=call.program,
        address=caller_address(call),
        endpoint=call.endpoint,
    )
