"""Option strategies: nothing is sold without what covers it, and half of one does not go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Busy, Denied, NotSent
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.guards import Guard, GuardSettings
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    Exchange,
    LegsKind,
    LegsRequest,
    OrderMode,
    OrderRequest,
    PriceType,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.states import OrderState, TicketState
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import approvals, several
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.throttle import Throttle
from tests.conftest import TRADER
from tests.fakes import ScriptedBroker, in_threads, with_broker

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
BUY = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=10)
SELL = replace(BUY, symbol="TCS", action=Action.SELL)
SPREAD = LegsRequest(kind=LegsKind.MULTI_LEG, orders=(BUY, SELL))


@dataclass
class SecondThoughts(ScriptedBroker):
    """Takes every order, shows it only when it was asked ``unseen`` times, and what buys as ``becomes`` when it was
    asked ``looks`` times.
    """

    becomes: OrderStatus = OrderStatus.REJECTED
    looks: int = 1
    filled: int = 0
    cannot_tell: bool = False
    unseen: int = 0
    looked_at: list[BrokerOrderId] = field(default_factory=list)

    def order(self, order_id: BrokerOrderId) -> BrokerOrder | None:
        self.looked_at.append(order_id)
        if self.cannot_tell:
            raise NotSent("The order book cannot be read.")
        if len(self.looked_at) <= self.unseen:
            return None
        there = super().order(order_id)
        if there is None or there.request.action is Action.SELL or len(self.looked_at) < self.looks:
            return there
        return replace(there, status=self.becomes, filled_quantity=self.filled, rejection_reason="RMS: margin")


@pytest.fixture
def broker(desk: Desk) -> SecondThoughts:
    return SecondThoughts(desk)


@pytest.fixture
def scripted(desk: Desk, broker: SecondThoughts) -> Desk:
    return with_broker(desk, broker)


def placed(desk: Desk, request: LegsRequest = SPREAD) -> Report:
    outcome = several.place(desk, request, ORIGIN)
    assert isinstance(outcome, Report)
    return outcome


def sent_to(broker: ScriptedBroker) -> list[str]:
    return [each.request.symbol for each in broker.book.values()]


@pytest.mark.parametrize("looks", [1, 3])
def test_nothing_is_sold_when_the_hedge_was_taken_and_refused_a_moment_later(
    scripted: Desk, broker: SecondThoughts, looks: int
) -> None:
    broker.looks = looks
    report = placed(scripted)
    assert sent_to(broker) == ["RELIANCE"]
    hedge, short = report.legs
    assert hedge.result is None
    assert "RMS: margin" in hedge.refusal
    assert "stand alone" in short.refusal


def test_nothing_is_sold_while_the_broker_cannot_tell_of_the_hedge(scripted: Desk, broker: SecondThoughts) -> None:
    broker.cannot_tell = True
    report = placed(scripted)
    assert sent_to(broker) == ["RELIANCE"]
    assert [leg.is_done for leg in report.legs] == [True, False], "that the hedge was sent is told all the same"


@pytest.mark.parametrize("reread_after", [2.0, None], ids=["late", "unproven"])
def test_a_hedge_that_the_book_shows_a_moment_late_is_waited_for(
    scripted: Desk, broker: SecondThoughts, reread_after: float | None
) -> None:
    broker.becomes, broker.reread_after, broker.unseen = OrderStatus.COMPLETE, reread_after, 6
    assert placed(scripted).is_done
    assert sent_to(broker) == ["RELIANCE", "TCS"]


@pytest.mark.parametrize("reread_after", [0.0, 2.0, None])
def test_a_hedge_that_the_book_never_shows_is_told_as_sent_and_covers_nothing(
    scripted: Desk, broker: SecondThoughts, reread_after: float | None
) -> None:
    """Who hears that it was refused buys it a second time."""
    broker.reread_after, broker.unseen = reread_after, 1000
    report = placed(scripted)
    assert [leg.is_done for leg in report.legs] == [True, False]
    assert "stand alone" in report.legs[1].refusal
    assert sent_to(broker) == ["RELIANCE"]


def test_a_hedge_that_was_cancelled_half_filled_is_told_and_covers_nothing(
    scripted: Desk, broker: SecondThoughts
) -> None:
    broker.becomes, broker.filled = OrderStatus.CANCELLED, 5
    report = placed(scripted)
    assert [leg.is_done for leg in report.legs] == [True, False]


@pytest.mark.parametrize("becomes", [OrderStatus.OPEN, OrderStatus.COMPLETE])
def test_what_is_covered_by_a_hedge_that_works_or_has_filled_is_sold(
    scripted: Desk, broker: SecondThoughts, becomes: OrderStatus
) -> None:
    broker.becomes = becomes
    assert placed(scripted).is_done
    assert sent_to(broker) == ["RELIANCE", "TCS"]


def test_a_hedge_with_a_price_of_its_own_is_looked_at_once(scripted: Desk, broker: SecondThoughts) -> None:
    broker.becomes = OrderStatus.OPEN
    limit = replace(BUY, price_type=PriceType.LIMIT, price=Decimal(990))
    assert placed(scripted, replace(SPREAD, orders=(limit, SELL))).is_done
    assert len(broker.looked_at) == 1


def test_the_kill_switch_lets_a_roll_sell_what_is_held(scripted: Desk, broker: SecondThoughts) -> None:
    broker.hold("TCS", 10)
    scripted.store.kill_switch.engage("test", by=TRADER)
    report = placed(scripted)
    assert [leg.is_done for leg in report.legs] == [False, True]
    assert sent_to(broker) == ["TCS"]


def test_of_a_strategy_with_a_leg_that_a_guard_stops_none_goes(scripted: Desk, broker: SecondThoughts) -> None:
    scripted.store.guards.save(GuardSettings(allowed_symbols=frozenset({"NSE:RELIANCE"})), by=TRADER)
    with pytest.raises(Denied, match="TCS on NSE") as refusal:
        several.place(scripted, SPREAD, ORIGIN)
    assert refusal.value.guard is Guard.ALLOWED_SYMBOLS
    assert broker.calls == []
    assert [each.state for each in scripted.store.journal.tickets()] == [TicketState.DENIED]


def test_of_a_strategy_that_waited_none_goes_while_a_guard_stops_a_leg(scripted: Desk, broker: SecondThoughts) -> None:
    broker.becomes = OrderStatus.COMPLETE
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = several.place(scripted, SPREAD, ORIGIN)
    assert isinstance(held, Held)
    scripted.store.guards.save(GuardSettings(allowed_symbols=frozenset({"NSE:RELIANCE"})), by=TRADER)
    with pytest.raises(Denied, match="TCS on NSE"):
        approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER)
    assert broker.calls == []
    scripted.store.guards.save(GuardSettings(), by=TRADER)
    approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER)
    assert sent_to(broker) == ["RELIANCE", "TCS"]


@pytest.mark.parametrize(
    "limits", [GuardSettings(orders_per_day=3), GuardSettings(open_positions=3)], ids=["orders", "positions"]
)
@pytest.mark.parametrize("waits", [False, True], ids=["arrives", "waited"])
def test_a_limit_that_counts_has_room_for_the_whole_strategy_or_stops_all_of_it(
    scripted: Desk, broker: SecondThoughts, limits: GuardSettings, waits: bool
) -> None:
    broker.becomes = OrderStatus.COMPLETE
    legs = [replace(BUY, symbol=each) for each in ("RELIANCE", "INFY")]
    condor = replace(SPREAD, orders=(*legs, SELL, replace(SELL, symbol="SBIN")))
    if waits:
        scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
        held = several.place(scripted, condor, ORIGIN)
        assert isinstance(held, Held)
    scripted.store.guards.save(limits, by=TRADER)
    with pytest.raises(Denied, match=r"not at all; of the 3 you allow|You allow 3 open positions; 3 others would be"):
        if waits:
            approvals.approve(scripted, held.ticket.id, held.ticket.shown, by=TRADER)
        else:
            several.place(scripted, condor, ORIGIN)
    assert broker.calls == []


@pytest.mark.parametrize("limits", [GuardSettings(orders_per_day=2), GuardSettings(open_positions=2)])
def test_a_strategy_for_which_there_is_just_room_goes_whole(
    scripted: Desk, broker: SecondThoughts, limits: GuardSettings
) -> None:
    broker.becomes = OrderStatus.COMPLETE
    scripted.store.guards.save(limits, by=TRADER)
    assert placed(scripted).is_done
    with pytest.raises(Denied):
        several.place(scripted, replace(SPREAD, orders=(replace(BUY, symbol="INFY"), SELL)), ORIGIN)


@dataclass
class Wall:
    """Seconds that pass only while somebody waits."""

    seconds: float = 0.0

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def throttle(wall: Wall) -> Throttle:
    return Throttle(8, monotonic=wall.now, wait=wall.wait)


def test_a_ticket_that_has_begun_is_not_torn_apart_by_others_who_wait(
    scripted: Desk, broker: SecondThoughts, throttle: Throttle
) -> None:
    broker.becomes = OrderStatus.COMPLETE
    paced = replace(scripted, throttles={"scripted": throttle})
    with ExitStack() as others:
        for _ in range(3):
            others.enter_context(throttle.line())
        report = placed(paced, replace(SPREAD, orders=(BUY,) * 5 + (SELL,) * 5))
    assert report.is_done
    assert len(broker.calls) == 10


def test_a_ticket_that_finds_the_line_full_is_told_so_and_nothing_of_it_is_written(
    scripted: Desk, broker: SecondThoughts, throttle: Throttle
) -> None:
    paced = replace(scripted, throttles={"scripted": throttle})
    while throttle.take_now():
        pass
    with ExitStack() as others:
        for _ in range(3):
            others.enter_context(throttle.line())
        with pytest.raises(Busy, match="Not sent, busy"):
            several.place(paced, SPREAD, ORIGIN)
    assert broker.calls == []
    assert paced.store.journal.tickets() == []


def test_a_slow_broker_gets_the_whole_ticket(scripted: Desk, broker: SecondThoughts, wall: Wall) -> None:
    broker.becomes = OrderStatus.COMPLETE
    slow = Throttle(0.1, monotonic=wall.now, wait=wall.wait)
    report = placed(replace(scripted, throttles={"scripted": slow}))
    assert report.is_done
    assert wall.seconds > 5, "longer than a single order may wait"


def test_a_leg_in_doubt_covers_nothing(scripted: Desk, broker: SecondThoughts) -> None:
    def vanish() -> Exception:
        return TimeoutError()

    broker.fault = vanish
    report = placed(scripted)
    states = [each.state for each in scripted.store.journal.orders_of([report.ticket.id])]
    assert states == [OrderState.UNKNOWN, OrderState.DROPPED]


# -- two strategies at once ----------------------------------------------------------------------


@dataclass
class Interrupting(ScriptedBroker):
    """Fills every order, and does ``meanwhile`` once, while it takes the first."""

    meanwhile: Callable[[], None] = lambda: None

    def place(self, permit: SendPermit[OrderRequest]) -> BrokerOrderId:
        number = super().place(permit)
        self.complete(permit.ref)
        self.hold(permit.request.symbol, permit.request.action.sign * permit.request.quantity)
        if len(self.calls) == 1:
            self.meanwhile()
        return number


@pytest.fixture
def interrupting(desk: Desk) -> Interrupting:
    return Interrupting(desk)


@pytest.fixture
def busy(desk: Desk, interrupting: Interrupting) -> Desk:
    return with_broker(desk, interrupting)


def condor(*names: str) -> LegsRequest:
    first, second, third, fourth = names
    bought = (replace(BUY, symbol=first), replace(BUY, symbol=second))
    return replace(SPREAD, orders=(*bought, replace(SELL, symbol=third), replace(SELL, symbol=fourth)))


ONE = condor("RELIANCE", "INFY", "TCS", "SBIN")
OTHER = condor("ITC", "WIPRO", "HDFCBANK", "ICICIBANK")
ROOM_FOR_ONE = pytest.mark.parametrize(
    "limits", [GuardSettings(orders_per_day=6), GuardSettings(open_positions=6)], ids=["orders", "positions"]
)


@ROOM_FOR_ONE
def test_a_strategy_does_not_take_the_room_of_one_that_is_on_its_way(
    busy: Desk, interrupting: Interrupting, limits: GuardSettings
) -> None:
    busy.store.guards.save(limits, by=TRADER)
    refused: list[Guard | None] = []

    def place_other() -> None:
        with pytest.raises(Denied) as refusal:
            several.place(busy, OTHER, ORIGIN)
        refused.append(refusal.value.guard)

    interrupting.meanwhile = place_other
    assert placed(busy, ONE).is_done
    assert refused == [Guard.ORDERS_PER_DAY if limits.open_positions is None else Guard.OPEN_POSITIONS]
    assert sent_to(interrupting) == [each.symbol for each in ONE.orders]


@ROOM_FOR_ONE
@pytest.mark.parametrize("mode", OrderMode)
def test_of_strategies_that_come_or_are_approved_at_once_each_goes_whole_or_not_at_all(
    busy: Desk, interrupting: Interrupting, limits: GuardSettings, mode: OrderMode
) -> None:
    busy.store.preferences.set_order_mode(mode, by=TRADER)
    deeds: list[Callable[[], object]] = [partial(several.place, busy, each, ORIGIN) for each in (ONE, OTHER)]
    if mode is OrderMode.SEMI_AUTO:
        for hold in deeds:
            hold()
        held = busy.store.journal.held()
        deeds = [partial(approvals.approve, busy, each.id, each.shown, by=TRADER) for each in held]
    busy.store.guards.save(limits, by=TRADER)
    chosen = iter(deeds)

    def go() -> object:
        return next(chosen)()

    outcomes = in_threads(2, go)
    assert sorted(isinstance(each, Report) and each.is_done for each in outcomes) == [False, True]
    sent = set(sent_to(interrupting))
    assert sent in ({each.symbol for each in ONE.orders}, {each.symbol for each in OTHER.orders})
