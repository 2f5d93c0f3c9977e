"""A GTT before the guards: each of its legs as the order that it would place, at the price at which it would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.model import gtt
from openalgo_bridge.model.order import GttRequest, ModifyGttRequest, TicketRequest, TradingMode
from openalgo_bridge.model.ticket import Origin, Ticket, gtt_of, target_of
from openalgo_bridge.store.claims import JournalMark, Reservation
from openalgo_bridge.trading import exits, routing
from openalgo_bridge.trading.guards import Case, Obstacle, listed
from openalgo_bridge.trading.routing import Rules

Asked = GttRequest | ModifyGttRequest


@dataclass(kw_only=True)
class GttCase(Case):
    """One leg of what is ``asked_for``. The market of now says nothing about it: when it places its order, the last
    price is that of its trigger.
    """

    asked_for: Asked
    trigger_price: Decimal

    @property
    def wanted(self) -> TicketRequest:
        return self.asked_for

    @property
    def is_change(self) -> bool:
        return isinstance(self.asked_for, ModifyGttRequest)

    def last_price(self) -> Decimal:
        return self.trigger_price

    def as_exit(self) -> Reservation | None:
        """As an order, and beside every other GTT that waits on its side of the position.

        The readings go journal, GTTs, and then those of an order: what fires from one to the next is counted twice,
        never not at all.
        """
        may_be = self.desk.store.journal.has_other_side(self.order, self.mode)
        with self.desk.budget.slot(is_exit=may_be):
            before = self.desk.store.journal.gtts_on_their_way(self.order, self.mode)
            waiting = gtt.waiting_beside(self.broker.gtt_book(), self.order, target_of(self.asked_for))
            reserve = exits.measure(self.desk, self.broker, self.request, self.mode, self.books)
        room = max(0, reserve.room - waiting)
        since = replace(reserve.since, last_order_id=before.last_order_id, open_gtts=before.uncounted)
        return Reservation(room=room, since=since) if self.order.quantity <= room else None


def cases_of(
    desk: Desk,
    broker: Broker,
    asked: Asked,
    origin: Origin,
    mode: TradingMode,
    *,
    after: JournalMark,
    ticket: Ticket | None = None,
) -> tuple[GttCase, ...]:
    """One for each leg. Raises Invalid where its instrument is not listed any more."""
    wanted = gtt_of(asked)
    return tuple(
        GttCase(
            desk=desk,
            broker=broker,
            request=order,
            order=order,
            instrument=listed(desk, order),
            origin=origin,
            mode=mode,
            ticket=ticket,
            after=after,
            asked_for=asked,
            trigger_price=leg.trigger_price,
        )
        for leg, order in zip(wanted.legs, gtt.orders_of(wanted), strict=True)
    )


def obstacles(cases: Sequence[GttCase], rules: Rules) -> Iterator[Obstacle]:
    """What stands in the way of any leg, whatever the order mode. Raises StorageError."""
    for case in cases:
        yield from routing.obstacles(case, rules)
