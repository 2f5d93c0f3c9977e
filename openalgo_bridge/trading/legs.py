"""The legs of a ticket of many orders: each is claimed and carried out by itself, and each gets a true word."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.order import BrokerRequest, CancelRequest, OrderRequest
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.model.ticket import Ticket
from openalgo_bridge.store.claims import Reservation
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading.exits import prove
from openalgo_bridge.trading.sending import InDoubt, Sent, by_itself, carry_out, clearance

_NO_EXIT = "Not sent: other orders already close this position, or it changed meanwhile. Look at it again."
_CLOSING = Actor(name="closing")
_log = logging.getLogger(__name__)

PositionName = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """What became of one message: ``result``, or the ``refusal`` for which nothing is at the broker.

    ``was_dropped``: it was not even sent.
    """

    request: BrokerRequest
    result: Sent | InDoubt | None = None
    refusal: str = ""
    was_dropped: bool = False

    @property
    def is_done(self) -> bool:
        """Whether the broker took it. What is in doubt is not done."""
        return isinstance(self.result, Sent)

    @property
    def why_not(self) -> str:
        """The sentence to show where it is not done."""
        return self.result.message if isinstance(self.result, InDoubt) else self.refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of each message of a ticket, in the order in which they were tried."""

    ticket: Ticket
    legs: tuple[Leg, ...]

    @property
    def is_done(self) -> bool:
        """Whether all of it was; true also when there was nothing to do."""
        return all(leg.is_done for leg in self.legs)

    def cancels(self) -> list[tuple[CancelRequest, Leg]]:
        """The withdrawals."""
        return [(leg.request, leg) for leg in self.legs if isinstance(leg.request, CancelRequest)]

    def closures(self) -> dict[PositionName, list[Leg]]:
        """The closing orders of each position, by exchange, symbol and product. A large one takes several."""
        found: dict[PositionName, list[Leg]] = {}
        for leg in self.legs:
            if isinstance(leg.request, OrderRequest):
                name = (leg.request.exchange, leg.request.symbol, leg.request.product)
                found.setdefault(name, []).append(leg)
        return found


def attempt(
    desk: Desk,
    broker: Broker,
    ticket: Ticket,
    order: JournalOrder,
    *,
    follows: Sequence[int] = (),
    if_not_sent: str = "",
) -> Leg:
    """Claim one planned order and carry it out. Whatever comes of it, the others still have their turn.

    ``follows`` is as :meth:`~openalgo_bridge.store.journal.Journal.claim` takes it. ``if_not_sent`` is what it leaves
    behind when it does not reach the broker: it is told and written down with the reason.
    """
    try:
        with clearance(desk, broker, order.operation, is_exit=by_itself):
            permit = desk.store.journal.claim(order.id, reserve=_proof(desk, broker, ticket, order), follows=follows)
            result = carry_out(desk, broker, ticket, permit, if_refused=if_not_sent)
    except BridgeError as refusal:
        why = f"{if_not_sent} {refusal.message}".strip()
        return Leg(request=order.request, refusal=why, was_dropped=_drop(desk, order, why))
    return Leg(request=order.request, result=result)


def _proof(desk: Desk, broker: Broker, ticket: Ticket, order: JournalOrder) -> Reservation | None:
    """A closing order goes as an exit or not at all. Raises Conflict, or a BridgeError when nobody can tell."""
    if not isinstance(order.request, OrderRequest):
        return None
    reserve = prove(desk, broker, order.request, ticket.trading_mode)
    if reserve is None:
        raise Conflict(_NO_EXIT)
    return reserve


def _drop(desk: Desk, order: JournalOrder, reason: str) -> bool:
    """What was never claimed must not wait for the next start to be given up. False where it was claimed."""
    dropped = Settlement(state=OrderState.DROPPED, message=reason)
    try:
        desk.store.journal.settle(order.id, dropped, was=OrderState.PLANNED, by=_CLOSING)
    except Conflict:
        return False  # The broker refused it: that stands in the journal already.
    except BridgeError:
        _log.exception("order %s: that it was not sent could not be written down", order.ref)
    return True
