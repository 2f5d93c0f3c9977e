"""Figures with Indian grouping, as the pages and the sentences of the paper exchange write them. Pure."""

from __future__ import annotations

from decimal import Decimal


def rupees(amount: Decimal) -> str:
    """An amount or a price exactly, such as ``1,23,456.70``: two decimals, four where it needs them, or all."""
    places = next((few for few in (2, 4) if amount == round(amount, few)), 0)
    whole, _, fraction = (f"{abs(amount):.{places}f}" if places else f"{abs(amount):f}").partition(".")
    return f"{'-' if amount < 0 else ''}{_grouped(whole)}.{fraction}"


def count(number: int) -> str:
    """A whole number."""
    return f"{'-' if number < 0 else ''}{_grouped(str(abs(number)))}"


def _grouped(digits: str) -> str:
    """The last three together, the rest in twos: thousand, lakh, crore."""
    head, tail = digits[:-3], digits[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)]
    return ",".join([*reversed(pairs), tail])
