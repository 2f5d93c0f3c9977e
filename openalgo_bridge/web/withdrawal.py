"""One order or GTT that is withdrawn from a page: what is true where the broker did not simply take that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from openalgo_bridge.errors import Busy, NotFound, NotSent, Rejected, SessionExpired
from openalgo_bridge.trading.sending import InDoubt, Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """What is done, in two forms."""

    infinitive: str
    participle: str


CANCEL = Verb(infinitive="cancel", participle="cancelled")
WITHDRAW = Verb(infinitive="withdraw", participle="withdrawn")


def attempted(send: Callable[[], Sent | InDoubt], verb: Verb, what: str, where: str) -> tuple[str, str] | None:
    """Send it once; the sentence that is true afterwards, with its colour. None where the broker took it: how the
    order stands then only its book says.
    """
    try:
        result = send()
    except (Busy, NotSent, SessionExpired) as fault:
        begin = f"{what[:1].upper()}{what[1:]}"
        return f"{begin} was not {verb.participle}, {where}. {fault.message}", "danger"
    except (Rejected, NotFound) as refusal:
        return f"The broker did not {verb.infinitive} {what}, {where}: {refusal.message}", "danger"
    if isinstance(result, InDoubt):
        return f"Whether {what} is {verb.participle} is in doubt, {where}. {result.message}", "warning"
    return None
