"""Our references of tickets and of their messages, which brokers carry as tags. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import count

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.order import BrokerRequest, OrderRequest, Ref

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
REF_LENGTH = 13
_CHILD_LENGTH = 2
_WITHDRAWAL_LENGTH = 3
_RANDOM_BITS = 33


def new_ref(now: datetime) -> Ref:
    """A fresh reference: the second, then 33 random bits; short enough for every broker's tag (15 characters).

    It begins with the time so that an index grows at its end: random ones touch another page for every order.
    """
    number = (int(now.timestamp()) & 0xFFFFFFFF) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    return Ref("".join(_BASE32[number >> shift & 31] for shift in range(5 * (REF_LENGTH - 1), -1, -5)))


def made_at(tag: str) -> datetime | None:
    """The second in which :func:`new_ref` made a tag, in UTC; None where the tag is not of that form.

    Every text of that length and alphabet names some second: whether it is ours, the second must tell.
    """
    if len(tag) not in {REF_LENGTH, REF_LENGTH + _CHILD_LENGTH} or not set(tag) <= set(_BASE32):
        return None
    number = 0
    for letter in ticket_ref(tag):
        number = number << 5 | _BASE32.index(letter)
    return datetime.fromtimestamp(number >> _RANDOM_BITS, UTC)


def child_refs(ref: Ref, requests: Sequence[BrokerRequest]) -> list[Ref]:
    """The references of a ticket's messages. The first keeps the ticket's own.

    Where there are more than a broker's tag has room for, those that place get the short ones: a withdrawal leaves no
    tag at the broker. Raises Invalid when even so there are too many.
    """
    room = len(_BASE32) ** _CHILD_LENGTH
    if len(requests) <= room:
        return [child_ref(ref, sequence) for sequence in range(len(requests))]
    short, long = count(1), count(room)
    numbers = [next(short if isinstance(each, OrderRequest) else long) for each in requests[1:]]
    if next(short) > room or next(long) > len(_BASE32) ** _WITHDRAWAL_LENGTH:
        raise Invalid(f"{len(requests)} orders are too many at once. Ask for fewer, such as those of one symbol.")
    return [ref, *(child_ref(ref, number) for number in numbers)]


def further_ref(taken: Collection[Ref]) -> Ref:
    """The reference of one more order of a ticket whose messages have those ``taken``. Raises Invalid without room."""
    ref = Ref(ticket_ref(next(iter(taken))))
    for sequence in range(1, len(_BASE32) ** _CHILD_LENGTH):
        if (found := child_ref(ref, sequence)) not in taken:
            return found
    raise Invalid(f"Ticket {ref} has no room for one more order.")


def child_ref(ref: Ref, sequence: int) -> Ref:
    """The reference of a ticket's message number ``sequence`` (from 0), at most 15 characters up to number 1,023."""
    if sequence == 0:
        return ref
    length = _CHILD_LENGTH if sequence < len(_BASE32) ** _CHILD_LENGTH else _WITHDRAWAL_LENGTH
    return Ref(ref + "".join(_BASE32[sequence >> 5 * place & 31] for place in reversed(range(length))))


def ticket_ref(ref: str) -> str:
    """The reference of the ticket whose order carries ``ref``: the inverse of :func:`child_ref`."""
    return ref[:REF_LENGTH]
