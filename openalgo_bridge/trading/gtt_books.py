"""Which GTTs there are: what waits, what ended today, and what a stop of everything leaves behind. Sends nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from openalgo_bridge.clock import day_in_india, midnight
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.gtt import BrokerGtt, orders_of
from openalgo_bridge.model.order import BrokerOrderId, CancelAllRequest, GttRequest, TradingMode
from openalgo_bridge.model.stops import Stop, is_meant
from openalgo_bridge.model.ticket import Operation
from openalgo_bridge.store.ticket_lists import Behind
from openalgo_bridge.trading.books import Connected


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingGtt:
    """One that waits at its broker. ``behind`` is the ticket which placed it, None where none did."""

    there: BrokerGtt
    behind: Behind | None

    @property
    def strategy(self) -> str:
        """That of its ticket, or empty."""
        return "" if self.behind is None else self.behind.strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedGtt:
    """One that waits no more. ``placed`` is the order that it fired, as the order book of today shows it."""

    there: BrokerGtt
    behind: Behind | None
    placed: BrokerOrder | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftWaiting:
    """The GTTs of one account that a stop would mean, and leaves alone: each may open a position on the day of its
    price.

    ``symbol`` is what the stop was narrowed to. Of ``unsure`` more nobody knows yet whether they are there. ``fault``
    is the sentence for which nobody can tell any of it; then there are none.
    """

    mode: TradingMode
    symbol: str
    waiting: Sequence[BrokerGtt] = ()
    unsure: int = 0
    fault: str = ""


def waiting(desk: Desk, there: Connected) -> list[WaitingGtt]:
    """Those that wait at a broker, newest first; none where it keeps none. Raises a BrokerError, StorageError."""
    if not there.broker.capabilities.keeps_gtt_orders:
        return []
    book = there.broker.gtt_book()
    behind = _behind(desk, there, book)
    return [WaitingGtt(there=each, behind=behind.get(each.id)) for each in book]


def ended_today(desk: Desk, there: Connected) -> list[EndedGtt]:
    """Those that fired or ended since midnight in India, the last one first. Raises as :func:`waiting`."""
    if not there.broker.capabilities.keeps_gtt_orders:
        return []
    ended = there.broker.ended_gtts(midnight(day_in_india(desk.clock.now())))
    behind, placed = _behind(desk, there, ended), _placed(there, ended)
    return [
        EndedGtt(there=each, behind=behind.get(each.id), placed=placed.get(each.fired) if each.fired else None)
        for each in ended
    ]


def left_waiting(desk: Desk, mode: TradingMode, stop: Stop) -> LeftWaiting:
    """What ``stop`` leaves behind, in every product of what it names. Raises nothing: a report has more to say."""
    meant = stop if isinstance(stop, CancelAllRequest) else replace(stop, product=None)
    try:
        broker = desk.broker(mode)
        if not broker.capabilities.keeps_gtt_orders:
            return LeftWaiting(mode=mode, symbol=meant.symbol)
        book = broker.gtt_book()
        unsure = in_doubt(desk, mode, book)
    except BridgeError as fault:
        return LeftWaiting(mode=mode, symbol=meant.symbol, fault=fault.message)
    return LeftWaiting(
        mode=mode,
        symbol=meant.symbol,
        waiting=[each for each in book if _is_meant(meant, each.request)],
        unsure=sum(_is_meant(meant, each) for each in unsure),
    )


def in_doubt(desk: Desk, mode: TradingMode, book: Collection[BrokerGtt]) -> list[GttRequest]:
    """Those that were sent to an account, and of which neither the journal nor its book says whether they are there.

    Raises StorageError.
    """
    shown = {each.tag for each in book}
    return [
        each.request
        for each in desk.store.journal.doubts()
        if each.trading_mode is mode and isinstance(each.request, GttRequest) and each.ref not in shown
    ]


def _is_meant(stop: Stop, gtt: GttRequest) -> bool:
    return is_meant(stop, orders_of(gtt)[0])


def _behind(desk: Desk, there: Connected, book: Sequence[BrokerGtt]) -> dict[BrokerOrderId, Behind]:
    return desk.store.ticket_lists.behind(there.mode, [each.id for each in book], Operation.PLACE_GTT)


def _placed(there: Connected, ended: Sequence[BrokerGtt]) -> dict[BrokerOrderId, BrokerOrder]:
    """From one read of the order book, where one of them fired."""
    fired = {each.fired for each in ended if each.fired is not None}
    return {order.id: order for order in there.broker.order_book() if order.id in fired} if fired else {}
