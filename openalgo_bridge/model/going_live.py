"""What a person decides before orders use real money: the order mode, and each of four limits by itself (design 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model import guard_form
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.order import OrderMode

LIMITS = ("maximum_quantity", "order_value", "orders_per_day", "loss_of_day")
"""Each is set or declined; by the names of :mod:`~openalgo_bridge.model.guard_form`."""

_MODE = "Choose Semi-Auto or Auto."
_UNDECIDED = "Type a limit, or tick that you want none."
_BOTH = "A limit, or none: not both."


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTerms:
    """On what the account goes live. ``guards`` are all that are in force from then on, ``declined`` the names of the
    limits among them that the person wants none of."""

    order_mode: OrderMode
    guards: GuardSettings
    declined: tuple[str, ...] = ()


def declining(name: str) -> str:
    """The field that declines a limit."""
    return f"no_{name}"


def undecided(guards: GuardSettings) -> dict[str, str]:
    """What stands in the fields before anything was decided: the limits the person has set, and no other.

    What is only a default is no decision, so it is not offered as one.
    """
    now, default = guard_form.texts(guards), guard_form.texts(GuardSettings())
    return {name: "" if now[name] == default[name] else now[name] for name in LIMITS}


def decided(fields: Mapping[str, str], guards: GuardSettings) -> LiveTerms:
    """The terms of a form: ``order_mode``, each of :data:`LIMITS` or its :func:`declining` field, and
    ``let_exits_through``; every other guard as it stands in ``guards``. Raises Invalid naming every fault.
    """
    faults: dict[str, list[str]] = {}
    mode = next((each for each in OrderMode if each == fields.get("order_mode")), None)
    if mode is None:
        faults["order_mode"] = [_MODE]
    declined = tuple(name for name in LIMITS if fields.get(declining(name)))
    for name in LIMITS:
        if bool(fields.get(name, "").strip()) == (name in declined):
            faults[name] = [_BOTH if name in declined else _UNDECIDED]
    wanted = {name: fields.get(name, "") for name in (*LIMITS, "let_exits_through")}
    after = _parsed(guard_form.texts(guards) | wanted, faults)
    if mode is None or after is None or faults:
        raise Invalid.of(faults)
    return LiveTerms(order_mode=mode, guards=after, declined=declined)


def _parsed(fields: Mapping[str, str], faults: dict[str, list[str]]) -> GuardSettings | None:
    try:
        return guard_form.parse(fields)
    except Invalid as fault:
        faults.update({name: texts for name, texts in fault.faults.items() if name not in faults})
        return None
