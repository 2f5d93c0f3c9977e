"""What no order may be, whoever sends it: the wrong lot or tick, an index, a contract that is no more."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.calendar import SpecialDay
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelRequest,
    CloseRequest,
    Exchange,
    OrderMode,
    OrderRequest,
    PriceType,
    Product,
    SmartOrderRequest,
    TradingMode,
)
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import approvals, closing, orders, smart
from openalgo_bridge.trading.legs import Report
from openalgo_bridge.trading.orders import Held
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.validation import check
from openalgo_bridge.trading.watch import Watch
from tests.conftest import TRADER, FixedClock

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
# 15:30 and 15:40 in India, when the contracts of the day expire and when the exchange closes.
EXPIRY, CLOSE = datetime(2026, 11, 23, 10, 0, tzinfo=UTC), datetime(2026, 11, 23, 10, 10, tzinfo=UTC)
A_SECOND_BEFORE = timedelta(seconds=-1)
BUY = OrderRequest(
    symbol="NIFTY23NOV2626000CE", exchange=Exchange.NFO, action=Action.BUY, quantity=65, product=Product.NRML
)
LIMIT = replace(BUY, price_type=PriceType.LIMIT, price=Decimal("101.05"))


FUTURE = replace(BUY, symbol="NIFTY29DEC26FUT")


def faults(desk: Desk, order: OrderRequest) -> dict[str, list[str]]:
    try:
        check(desk, order)
    except Invalid as refusal:
        return refusal.faults
    return {}


def test_a_lot_at_a_price_on_the_tick_is_right_until_the_contract_expires(desk: Desk, clock: FixedClock) -> None:
    for moment in (clock.now(), EXPIRY + A_SECOND_BEFORE):
        clock.moment = moment
        for order in (BUY, LIMIT, replace(BUY, quantity=650)):
            assert faults(desk, order) == {}


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"quantity": 1}, "quantity", "Quantity must be in multiples of lot size 65."),
        ({"quantity": 100}, "quantity", "Quantity must be in multiples of lot size 65."),
        ({"price": Decimal("101.07")}, "price", "101.07 is not a multiple of the tick size 0.05."),
        ({"symbol": "NIFTY23NOV2626010CE"}, "symbol", "Symbol NIFTY23NOV2626010CE not found on NFO."),
        ({"exchange": Exchange.NSE}, "symbol", "Symbol NIFTY23NOV2626000CE not found on NSE."),
        (
            {"symbol": "NIFTY", "exchange": Exchange.NSE_INDEX},
            "symbol",
            "NIFTY is an index: it can be quoted, not traded.",
        ),
    ],
)
def test_a_fault_is_told_in_the_exchanges_words(
    desk: Desk, changes: dict[str, object], field: str, sentence: str
) -> None:
    assert faults(desk, replace(LIMIT, **changes))[field] == [sentence]


def test_a_contract_cannot_be_traded_once_it_expired_whether_or_not_the_list_was_renewed(
    desk: Desk, clock: FixedClock
) -> None:
    expired = {"symbol": ["NIFTY23NOV2626000CE expired on 2026-11-23."]}
    clock.moment = EXPIRY
    assert faults(desk, BUY) == expired
    clock.move(days=1)
    desk.store.instrument_lists.roll()
    assert faults(desk, BUY) == expired
    with pytest.raises(Invalid, match="expired on 2026-11-23"):
        orders.place(desk, BUY, ORIGIN)
    assert desk.store.journal.tickets() == []


def test_what_left_the_list_cannot_be_entered(desk: Desk) -> None:
    take(desk, listed(desk, "SBIN"))
    order = replace(BUY, symbol="INFY", exchange=Exchange.NSE)
    assert faults(desk, order) == {"symbol": ["INFY is not listed on NSE any more, since 2026-11-21."]}


def test_a_name_of_two_instruments_is_refused_with_both(desk: Desk) -> None:
    kept, gone = listed(desk, "SBIN"), listed(desk, "INFY")
    warrant = replace(gone, broker_symbol="INFY-W1", broker_exchange="NSE", token="99", lot=33_340)
    take(desk, kept, gone, warrant)
    order = replace(BUY, symbol="INFY", exchange=Exchange.NSE)
    (sentence,) = faults(desk, order)["symbol"]
    assert "INFY on NSE would name more than one instrument of the broker (INFY, INFY-W1)" in sentence


def test_a_cancel_is_taken_whatever_became_of_the_contract(desk: Desk) -> None:
    check(desk, CancelRequest(broker_order_id=BrokerOrderId("26112100000001")))


# -- what closes a position ------------------------------------------------------------------------------


def test_a_position_of_a_former_lot_is_closed_whole_or_down_to_whole_lots_of_today(desk: Desk) -> None:
    traded(desk, replace(FUTURE, quantity=195))
    take(desk, replace(found(desk, FUTURE), lot=75))
    sell = replace(FUTURE, action=Action.SELL)
    refused = {"quantity": ["Quantity must be in multiples of lot size 75."]}
    assert faults(desk, replace(sell, quantity=65)) == refused
    assert faults(desk, replace(sell, quantity=200)) == refused
    assert faults(desk, replace(FUTURE, quantity=45)) == refused
    traded(desk, replace(sell, quantity=45))
    traded(desk, replace(sell, quantity=150))
    assert net(desk) == 0
    assert faults(desk, replace(sell, quantity=45)) == refused


def test_an_exit_of_a_former_lot_is_judged_again_when_it_is_approved(desk: Desk) -> None:
    traded(desk, FUTURE)
    take(desk, replace(found(desk, FUTURE), lot=75))
    sell = replace(FUTURE, action=Action.SELL)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    held = orders.place(desk, sell, ORIGIN)
    assert isinstance(held, Held)
    desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    traded(desk, sell)
    with pytest.raises(Invalid, match="multiples of lot size 75"):
        approvals.approve(desk, held.ticket.id, held.ticket.shown, by=TRADER)


@pytest.mark.parametrize("lot", [75, 65], ids=["another lot", "the former lot"])
@pytest.mark.parametrize("is_listed", [True, False], ids=["listed", "not listed any more"])
def test_a_smart_order_and_a_closing_leave_what_a_new_list_changed(desk: Desk, lot: int, is_listed: bool) -> None:
    traded(desk, FUTURE)
    revised = replace(found(desk, FUTURE), lot=lot)
    take(desk, *([revised] if is_listed else [listed(desk, "SBIN")]))
    flat = SmartOrderRequest(order=replace(FUTURE, action=Action.SELL, quantity=0), position_size=0)
    smart.place(desk, flat, ORIGIN)
    assert net(desk) == 0


def test_a_closing_leaves_what_a_new_list_dropped(desk: Desk) -> None:
    traded(desk, FUTURE)
    take(desk, listed(desk, "SBIN"))
    report = closing.close(desk, CloseRequest(), ORIGIN)
    assert isinstance(report, Report)
    assert report.is_done
    assert net(desk) == 0


def test_what_left_the_list_can_be_closed_and_not_entered_again(desk: Desk) -> None:
    traded(desk, FUTURE)
    take(desk, listed(desk, "SBIN"))
    gone = {"symbol": ["NIFTY29DEC26FUT is not listed on NFO any more, since 2026-11-21."]}
    sell = replace(FUTURE, action=Action.SELL)
    assert faults(desk, replace(sell, quantity=130)) == faults(desk, FUTURE) == gone
    traded(desk, sell)
    assert net(desk) == 0
    assert faults(desk, sell) == gone


def test_a_holiday_that_moves_an_expiry_leaves_a_way_out_of_what_is_held(desk: Desk, clock: FixedClock) -> None:
    weekly = replace(BUY, symbol="NIFTY01DEC2626000PE")
    traded(desk, weekly)
    holiday = SpecialDay(day=date(2026, 12, 1), exchange=Exchange.NFO, description="Holiday")
    desk.store.calendar.put([holiday], by=TRADER)
    clock.move(days=2)
    desk.store.instrument_lists.roll()
    assert found(desk, weekly).left_on == date(2026, 11, 23)
    traded(desk, replace(weekly, action=Action.SELL))
    assert [each.quantity for each in desk.broker(TradingMode.ANALYZE).positions()] == [0]


def test_after_the_expiry_only_what_is_held_is_traded_until_the_exchange_closes(desk: Desk, clock: FixedClock) -> None:
    traded(desk, replace(BUY, quantity=130))
    clock.moment = CLOSE + A_SECOND_BEFORE
    expired = {"symbol": ["NIFTY23NOV2626000CE expired on 2026-11-23."]}
    sell = replace(BUY, action=Action.SELL)
    assert faults(desk, BUY) == faults(desk, replace(sell, quantity=195)) == expired
    traded(desk, sell)
    clock.moment = CLOSE
    assert faults(desk, sell) == expired


def test_where_the_position_cannot_be_read_nothing_passes_for_an_exit(desk: Desk) -> None:
    traded(desk, FUTURE)
    take(desk, replace(found(desk, FUTURE), lot=75))
    unconnected = replace(desk, brokers={})
    assert faults(unconnected, replace(FUTURE, action=Action.SELL)) == {
        "quantity": ["Quantity must be in multiples of lot size 75."]
    }


# -- the watch -------------------------------------------------------------------------------------------


def test_the_watch_brings_the_contracts_of_the_day_once_the_doors_are_open(desk: Desk, clock: FixedClock) -> None:
    clock.move(days=3)
    assert desk.store.instruments.find(Exchange.NFO, "NIFTY23FEB27FUT") is None
    watch = Watch(desk, interval_s=60)
    watch.start()
    while desk.store.instruments.find(Exchange.NFO, "NIFTY23FEB27FUT") is None:
        time.sleep(0.01)
    assert watch.stop()
    result = orders.place(desk, replace(BUY, symbol="NIFTY01DEC2626000CE"), ORIGIN)
    assert isinstance(result, Sent)


def listed(desk: Desk, symbol: str) -> Instrument:
    return found(desk, replace(BUY, symbol=symbol, exchange=Exchange.NSE))


def found(desk: Desk, order: OrderRequest) -> Instrument:
    instrument = desk.store.instruments.find(order.exchange, order.symbol)
    assert instrument is not None
    return instrument


def take(desk: Desk, *instruments: Instrument) -> None:
    desk.store.instrument_lists.replace(instruments, source="broker", edition="1", accept_fewer=True)


def traded(desk: Desk, order: OrderRequest) -> None:
    assert isinstance(orders.place(desk, order, ORIGIN), Sent)


def net(desk: Desk) -> int:
    return sum(each.quantity for each in desk.broker(TradingMode.ANALYZE).positions() if each.symbol == FUTURE.symbol)
