"""What to do about a refused call (behaviour H1 to H3): on the key's page, and beside the row of the traffic log."""

from __future__ import annotations

from dataclasses import dataclass

from openalgo_bridge.model.calls import CallOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """``title`` is what the program was told; ``steps`` are in the order to try them; ``anchor`` is the section of
    the key's page where it is mended, and ``way`` is what a link to it says."""

    title: str
    why: str
    steps: tuple[str, ...]
    anchor: str
    way: str


BAD_KEY = Remedy(
    title="Invalid openalgo apikey",
    why="The key is mistyped, has spaces or line breaks in it, or was replaced by a new one.",
    steps=(
        "Copy the key with the button of its page, after you typed your password, and put it into the program again.",
        "A program that reads an environment variable must be started anew after the variable was changed.",
        "If no program of yours made this call, somebody is guessing: look at its address and time.",
    ),
    anchor="your-key",
    way="To the key",
)
NOT_ALLOWED = Remedy(
    title="API key not authorized",
    why="The key is right, but it may not do this, or not from that address.",
    steps=(
        "The message names what is missing: grant it, if the program should be able to do that.",
        "A refused address: add it to the list only if you know the computer it belongs to.",
        "If no program of yours made this call, somebody else has your key: generate a new one now.",
    ),
    anchor="permissions",
    way="To permissions and addresses",
)
TOO_MANY = Remedy(
    title="Rate limit exceeded",
    why="The program called more often than it may: 10 orders or 30 other calls a second unless you changed it.",
    steps=(
        "Look for a loop without a pause, or the same chart open twice.",
        "Let the program wait as long as the answer's Retry-After says. What was refused was not sent.",
        "The limits are ORDER_RATE_LIMIT and API_RATE_LIMIT in the file .env.",
    ),
    anchor="help",
    way="To the help of the key page",
)
NO_KEY = Remedy(
    title="No key that counts was in the call",
    why="The key goes into the body field apikey or the header X-API-KEY; Bearer tokens are not accepted.",
    steps=(
        "Look whether the environment variable OPENALGO_API_KEY is set where the program runs.",
        "Copy one of the ready-made programs and compare.",
    ),
    anchor="use",
    way="To the ready-made programs",
)

TROUBLES = (BAD_KEY, NOT_ALLOWED, TOO_MANY)
"""What the key's page explains."""

_BY_OUTCOME: dict[str, Remedy] = {
    CallOutcome.WRONG_KEY: BAD_KEY,
    CallOutcome.NOT_ALLOWED: NOT_ALLOWED,
    CallOutcome.TOO_MANY: TOO_MANY,
    CallOutcome.NO_KEY: NO_KEY,
}


def remedy(outcome: str | None) -> Remedy | None:
    """What helps against a call's outcome, where it is one of those above."""
    return _BY_OUTCOME.get(outcome or "")


FILTERS = {"remedy": remedy}
"""The Jinja filters, by name."""
