"""Every error the bridge raises. The type answers the caller's question.

::

    BridgeError              .status  .message (safe to show)
      Invalid            400  the request is malformed; lists every fault
        UnknownSymbols   400  nothing of what was asked for is listed
      MissingApiKey      400  no key, or two different ones
      BearerNotAccepted  401  a Bearer token instead of a key; says what to use
      BadApiKey          403  unknown, mistyped or retired key
      NotAllowed         403  this caller may never do that here
      NotFound           404  no such order, ticket or page
      Conflict           409  somebody else decided first, or it changed since it was shown
        GivenUp          409  an order that was planned is not to go any more
        Unsettled        409  it is just changing: in a moment it can be told
        StillRunning     409  the same call is being done just now; carries retry_after
      Denied             403  a guard or the person said no; nothing left this machine
        WrongCode        403  the code of the second factor is wrong or used up; the password was right
      NotSetUp           409  a part of the bridge that the trader has not set up; nothing was done
      Unsupported        400  this broker cannot do it (from its Capabilities)
        NotOffered       501  nor anything like it: it has no such feature at all
      RateLimited        429  too many calls; carries retry_after
      Busy               503  not sent: no thread free for another broker call, or too many orders a second
        Starting         503  not sent: what became of the last orders is not known yet
      StorageError       503  a database cannot be read or written; nothing was sent because of it
      BrokerError
        SessionExpired   403  log in to the broker again; provably not accepted
        Rejected         400  the broker said no; provably not accepted
        NotSent          503  nothing left this machine; provably not accepted
          NotAsked       503  a question, for which no thread was free
        OutcomeUnknown   504  it may have been accepted: look, do not repeat

Did it leave? Only ``OutcomeUnknown`` leaves that open. May I retry? Never automatically.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CHANGED_MEANWHILE = "It was changed meanwhile. Look again."
"""Of a Conflict about a setting: what was decided on is not in force any more."""


class BridgeError(Exception):
    """Base of the tree. ``message`` is a sentence that may be shown to a caller."""

    status = 500
    ticket_id: int | None = None
    trading_mode: str = ""
    """The ticket it ended and the mode of that ticket, where there is one; set by whoever carries it out."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(BridgeError):
    """The request is malformed. ``faults`` maps each field to what is wrong with it."""

    status = 400

    def __init__(self, message: str, faults: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.faults = {field: list(texts) for field, texts in (faults or {}).items()}

    @classmethod
    def of(cls, faults: Mapping[str, Sequence[str]]) -> Invalid:
        """One error for all faults, its message naming each field."""
        sentence = " ".join(f"{field}: {text}" for field, texts in faults.items() for text in texts)
        return cls(sentence, faults)

    def within(self, place: str) -> dict[str, list[str]]:
        """Its faults, by their names within the element at ``place`` of a larger request."""
        if not self.faults:
            return {place: [self.message]}
        return {f"{place}.{field}": texts for field, texts in self.faults.items()}


class UnknownSymbols(Invalid):
    """Nothing of what was asked for is listed. ``unknown`` maps exchange and symbol to a sentence."""

    def __init__(self, unknown: Mapping[tuple[str, str], str]) -> None:
        first = next(iter(unknown.values()))
        many = "" if len(unknown) == 1 else f"None of the {len(unknown)} symbols was found. The first: "
        super().__init__(f"{many}{first}")
        self.unknown = unknown


class MissingApiKey(BridgeError):
    """No API key in the request, or two different ones."""

    status = 400


class BearerNotAccepted(BridgeError):
    """An ``Authorization: Bearer`` header instead of the key."""

    status = 401


class BadApiKey(BridgeError):
    """The key is not ours. Wording as OpenAlgo's; a hint may follow where it gives nothing away.

    ``fingerprint`` is that of a key which was ours once, and empty for any other.
    """

    status = 403

    def __init__(self, hint: str = "", *, fingerprint: str = "") -> None:
        super().__init__(f"Invalid openalgo apikey. {hint}" if hint else "Invalid openalgo apikey")
        self.fingerprint = fingerprint


class NotAllowed(BridgeError):
    """This caller may not do that here, whatever it sends."""

    status = 403


class NotFound(BridgeError):
    """No such thing. Never raised when the look-up itself failed: that is a StorageError."""

    status = 404


class Conflict(BridgeError):
    """Somebody else decided first, or the thing changed since it was shown."""

    status = 409


class Stopped(Conflict):
    """Somebody cancelled or closed everything it belongs to while it waited for its turn: it is held."""


class GivenUp(Conflict):
    """Somebody gave the order up while it waited to be claimed. However often it is judged, it goes no more."""


class Unsettled(Conflict):
    """What it depends on is just changing, and can be told in a moment as a rule: look again."""


class StillRunning(Conflict):
    """The same call, by its Idempotency-Key, is being done just now. ``retry_after`` is in whole seconds."""

    retry_after = 1


class Denied(BridgeError):
    """A guard or the person said no. Nothing left this machine.

    ``guard`` names the guard, where it was one, and so does the message then; ``reason`` is the sentence without it.
    """

    status = 403

    def __init__(self, reason: str, guard: str = "") -> None:
        super().__init__(f"Not sent ({guard}). {reason}" if guard else reason)
        self.reason = reason
        self.guard = guard


class WrongCode(Denied):
    """The code of the second factor is missing, wrong or used up. A password asked with it was right."""


class Unsupported(BridgeError):
    """This broker cannot do it."""

    status = 400


class NotOffered(Unsupported):
    """This broker has no such feature at all."""

    status = 501


class NotSetUp(BridgeError):
    """It needs a part of the bridge that the trader has not set up. Nothing was done."""

    status = 409


class RateLimited(BridgeError):
    """Too many calls. ``retry_after`` is in whole seconds."""

    status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(BridgeError):
    """No thread is free for another broker call, or the broker takes no more orders just now. Not sent."""

    status = 503
    retry_after = 1
    """Seconds after which it may be asked again."""


class Starting(Busy):
    """The order doors are not open yet. Nothing was written; it may be asked again."""


class StorageError(BridgeError):
    """A database cannot be read or written. Callers fail closed."""

    status = 503


class BrokerError(BridgeError):
    """Base of what a broker adapter may raise."""


class SessionExpired(BrokerError):
    """The broker wants a new login. Provably not accepted."""

    status = 403


class Rejected(BrokerError):
    """The broker's own parsed refusal. Provably not accepted."""

    status = 400


class NotSent(BrokerError):
    """Nothing left this machine, for example because the connection never opened."""

    status = 503


class NotAsked(NotSent):
    """A question that was not put to the broker, because too many requests wait for it already."""


class OutcomeUnknown(BrokerError):
    """The broker may have accepted it. Never resend; look it up by its tag."""

    status = 504
