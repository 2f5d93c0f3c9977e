"""Which option is meant by ATM, ITM2 or OTM5: always one that is listed, counted by listed neighbours. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from openalgo_bridge.errors import Invalid, NotFound

MOST_OPTION_LEGS = 20
FURTHEST = 50

_OFFSET = re.compile(r"(ITM|OTM)([1-9][0-9]?)")


class OptionType(StrEnum):
    """The right to buy (call) or to sell (put)."""

    CE = "CE"
    PE = "PE"

    @property
    def out_of_the_money(self) -> int:
        """+1 where higher strikes are out of the money, -1 where lower ones are."""
        return 1 if self is OptionType.CE else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """How far out of the money, in listed strikes: 0 is at the money, negative is in the money."""

    steps: int

    @classmethod
    def parse(cls, text: str) -> Offset:
        """Of ``ATM``, ``ITM1`` to ``ITM50``, ``OTM1`` to ``OTM50``. Raises Invalid."""
        word = text.strip().upper()
        if word == "ATM":
            return cls(steps=0)
        found = _OFFSET.fullmatch(word)
        if found is None or int(found[2]) > FURTHEST:
            raise Invalid.of({"offset": [f"Offset must be ATM, ITM1-ITM{FURTHEST}, or OTM1-OTM{FURTHEST}"]})
        return cls(steps=int(found[2]) * (1 if found[1] == "OTM" else -1))

    @classmethod
    def above(cls, strikes: int, option_type: OptionType) -> Offset:
        """Of a strike so many listed ones above the one at the money; below it is negative. The label in a chain."""
        return cls(steps=strikes * option_type.out_of_the_money)

    def __str__(self) -> str:
        if not self.steps:
            return "ATM"
        return f"{'OTM' if self.steps > 0 else 'ITM'}{abs(self.steps)}"


def at_the_money(strikes: Sequence[Decimal], price: Decimal) -> Decimal:
    """The listed strike nearest to the price of the underlying, of two the lower. ``strikes`` ascend, at least one."""
    above = bisect_left(strikes, price)
    around = strikes[max(above - 1, 0) : above + 1]
    return min(around, key=lambda strike: abs(strike - price))


def strike_at(strikes: Sequence[Decimal], price: Decimal, offset: Offset, option_type: OptionType) -> Decimal:
    """The strike so many listed neighbours away from the one at the money. ``strikes`` ascend, without doubles.

    Raises NotFound where none is listed, Invalid where the list ends before the offset.
    """
    if not strikes:
        raise NotFound("No strikes found.")
    place = bisect_left(strikes, at_the_money(strikes, price)) + offset.steps * option_type.out_of_the_money
    if not 0 <= place < len(strikes):
        raise Invalid(f"Offset {offset} is out of range for available strikes. Please use a smaller offset.")
    return strikes[place]


def on_grid(strikes: Iterable[Decimal], step: int | None) -> tuple[Decimal, ...]:
    """Of listed strikes those on a grid of ``step`` rupees, the dialect's ``strike_int``; all without one."""
    return tuple(strike for strike in strikes if step is None or strike % step == 0)
