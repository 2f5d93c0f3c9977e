"""A ticket of several orders that was let go: each is judged, claimed and carried out by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, GivenUp
from openalgo_bridge.model.legs import Arrival
from openalgo_bridge.model.order import BrokerRequest, OrderRequest, TradingMode
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import Operation, Ticket
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.trading import exits, guards, routing
from openalgo_bridge.trading.guards import Case, Obstacle, Passage
from openalgo_bridge.trading.legs import Leg
from openalgo_bridge.trading.orders import DECISIONS, Overtaken
from openalgo_bridge.trading.routing import Rules
from openalgo_bridge.trading.sending import by_itself, carry_out, clearance

_NO_EXIT = "Not sent: it passed Semi-Auto as an exit, and is none any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A ticket let go, by itself or by the trader (``is_approved``)."""

    desk: Desk
    broker: Broker
    ticket: Ticket
    is_approved: bool = False

    def way(self, case: Case, then: Arrival, further: Iterable[Obstacle] = ()) -> Passage:
        """How one of its orders may go by the switches and limits of this moment; ``then`` is what it was when it
        arrived, ``further`` what else stands in its way. Raises Denied by a guard, or Conflict with the reason.
        """
        if self.is_approved:
            return guards.check_approved(case, then, self.desk.store.standing.read(), further)
        rules = routing.rules(self.desk)
        judged = guards.passage(case, rules.limits, chain(_in_the_way(case, rules), further))
        if judged.stopped_by is not None:
            raise guards.refused(judged.stopped_by)
        return judged

    def go(self, order: JournalOrder, judge: Callable[[], Passage], *, is_cleared: bool = False) -> Leg:
        """Judge one planned order, claim it and carry it out; anew where what it was judged by has changed before its
        claim, as the kill switch may while it waits for its token. Raises as ``judge`` and :meth:`send`, and Conflict.
        """
        reason = ""
        for _ in range(DECISIONS):
            self.desk.store.journal.check_planned(order.id)
            outcome = self.send(order, judge(), is_cleared=is_cleared)
            if isinstance(outcome, Leg):
                return outcome
            reason = outcome.reason
        raise Conflict(reason)

    def send(self, order: JournalOrder, way: Passage, *, is_cleared: bool = False) -> Leg | Overtaken:
        """Claim one planned order and carry it out. Raises Busy or StorageError where it could not be claimed: it is
        planned as before, and so it is where it was overtaken. Raises GivenUp where it is not.

        ``is_cleared``: it is the first, and goes under the clearance of its ticket.
        """
        is_exit = looks_like_exit(self.desk, self.broker, entry(order), self.ticket.trading_mode, way)
        turn = clearance(self.desk, self.broker, Operation.PLACE, is_exit=is_exit, has_begun=True)
        with nullcontext() if is_cleared else turn:
            try:
                permit = self.desk.store.journal.claim(
                    order.id, reserve=way.reserve, premises=way.premises, is_approved=self.is_approved
                )
            except GivenUp:
                raise
            except (Conflict, Denied) as refusal:
                return Overtaken(reason=refusal.message)
            return self.carried_out(permit)

    def carried_out(self, permit: SendPermit[BrokerRequest]) -> Leg:
        """What became of a claimed order, a refusal of the broker included."""
        try:
            result = carry_out(self.desk, self.broker, self.ticket, permit)
        except BridgeError as refusal:
            return Leg(request=permit.request, refusal=refusal.message, ref=permit.ref)
        return Leg(request=permit.request, result=result, ref=permit.ref)


def looks_like_exit(
    desk: Desk, broker: Broker, order: OrderRequest, mode: TradingMode, way: Passage
) -> Callable[[], bool]:
    """For :func:`~openalgo_bridge.trading.sending.clearance`: what goes because it is an exit is proven to be one."""
    return by_itself if way.reserve is not None else partial(exits.is_proven, desk, broker, order, mode)


def entry(order: JournalOrder) -> OrderRequest:
    """What a planned order of such a ticket places."""
    if not isinstance(order.request, OrderRequest):
        raise RuntimeError(f"order {order.ref} is no entry")
    return order.request


def _in_the_way(case: Case, rules: Rules) -> Iterator[Obstacle]:
    yield from routing.obstacles(case, rules)
    if case.ticket is not None and case.ticket.is_exit:
        yield Obstacle(reason=_NO_EXIT)
