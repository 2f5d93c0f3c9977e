"""The legs of a ticket of many orders: each is claimed and carried out by itself, and each gets a true word."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.exits import is_on_same_side, position_of
from openalgo_bridge.model.order import BrokerRequest, CancelRequest, OrderRequest, PositionKey
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Ticket, order_of
from openalgo_bridge.store.claims import MAY_CLOSE, Reservation
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.exits import prove
from openalgo_bridge.trading.read_once import PositionsAlone
from openalgo_bridge.trading.sending import InDoubt, Sent, by_itself, carry_out, clearance

NO_EXIT = "Not sent: other orders already close this position, or it changed meanwhile. Look at it again."

NOT_NEEDED = "Not needed any more:"
"""How the reason begins for which an order was dropped and nothing is missing. By it a page knows such an order."""

CLOSING = Actor(name="closing")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """What became of one message: ``result``, or the ``refusal`` for which nothing is at the broker.

    ``was_needless``: what it was to bring about was so without it. ``ref`` is its reference, where each of a ticket is
    asked for by itself.
    """

    request: BrokerRequest
    result: Sent | InDoubt | None = None
    refusal: str = ""
    was_needless: bool = False
    ref: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the broker took it, or need not have. What is in doubt is not done."""
        return self.was_needless or isinstance(self.result, Sent)

    @property
    def why_not(self) -> str:
        """The sentence to show where it is not done."""
        return self.result.message if isinstance(self.result, InDoubt) else self.refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of each message of a ticket, in the order in which they were planned."""

    ticket: Ticket
    legs: tuple[Leg, ...]

    @property
    def is_done(self) -> bool:
        """Whether all of it was; true also when there was nothing to do."""
        return all(leg.is_done for leg in self.legs)

    def cancels(self) -> list[tuple[CancelRequest, Leg]]:
        """The withdrawals."""
        return [(leg.request, leg) for leg in self.legs if isinstance(leg.request, CancelRequest)]

    def closures(self) -> dict[PositionKey, list[Leg]]:
        """The closing orders of each position, by exchange, symbol and product. A large one takes several."""
        found: dict[PositionKey, list[Leg]] = {}
        for leg in self.legs:
            if isinstance(leg.request, OrderRequest):
                found.setdefault(position_of(leg.request), []).append(leg)
        return found


def attempt(desk: Desk, broker: Broker, ticket: Ticket, order: JournalOrder) -> Leg:
    """Claim one planned order and carry it out. Whatever comes of it, the others still have their turn."""
    try:
        return send(desk, broker, ticket, order)
    except BridgeError as refusal:
        return drop(desk, order, refusal.message)


def send(
    desk: Desk,
    broker: Broker,
    ticket: Ticket,
    order: JournalOrder,
    *,
    follows: Sequence[int] = (),
    if_refused: str = "",
) -> Leg:
    """Claim one planned order and carry it out. Raises a BridgeError where it could not be claimed: it is planned as
    before, and may be tried again.

    ``follows`` is as :meth:`~openalgo_bridge.store.journal.Journal.claim` takes it. ``if_refused`` is what a refusal
    of the broker leaves behind: it is told and written down with the reason.
    """
    with clearance(desk, broker, order.operation, is_exit=by_itself):
        permit = desk.store.journal.claim(order.id, reserve=_proof(desk, broker, ticket, order), follows=follows)
        try:
            return Leg(request=order.request, result=carry_out(desk, broker, ticket, permit, if_refused=if_refused))
        except BridgeError as refusal:
            return Leg(request=order.request, refusal=f"{if_refused} {refusal.message}".strip())


def drop(desk: Desk, order: JournalOrder, reason: str, *, was_needless: bool = False) -> Leg:
    """What was never claimed must not wait for the next start to be given up: it would count as on its way."""
    dropped = Settlement(state=OrderState.DROPPED, message=reason)
    try:
        desk.store.journal.settle(order.id, dropped, was=OrderState.PLANNED, by=CLOSING)
    except Conflict:
        pass  # "Cancel all" or a closing dropped it before.
    except StorageError:
        _log.exception("order %s: that it was not sent could not be written down", order.ref)
        desk.unwritten.keep(order.id, dropped)
    return Leg(request=order.request, refusal=reason, was_needless=was_needless)


def _proof(desk: Desk, broker: Broker, ticket: Ticket, order: JournalOrder) -> Reservation | None:
    """A closing order goes as an exit or not at all. Raises Conflict, or a BridgeError when nobody can tell."""
    if not isinstance(order.request, OrderRequest):
        return None
    reserve = prove(desk, broker, order.request, ticket.trading_mode, PositionsAlone(broker))
    if reserve is None:
        raise Conflict(_in_the_way(desk, ticket, order.request))
    return reserve


def _in_the_way(desk: Desk, ticket: Ticket, closing: OrderRequest) -> str:
    for each in desk.store.journal.doubts():
        other = order_of(each.request)
        if other is not None and each.trading_mode is ticket.trading_mode and is_on_same_side(other, closing):
            return MAY_CLOSE.format(each.ref)
    return NO_EXIT
