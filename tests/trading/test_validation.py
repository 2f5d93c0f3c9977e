"""What no order may be, whoever sends it: the wrong lot or tick, an index, a contract that is no more."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Action, BrokerOrderId, CancelRequest, Exchange, OrderRequest, PriceType, Product
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import orders
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.trading.validation import check
from openalgo_bridge.trading.watch import Watch
from tests.conftest import FixedClock

ORIGIN = Origin(source="api", strategy="test", request_id="r1")
TODAY = date(2026, 11, 21)
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)
BUY = OrderRequest(
    symbol="NIFTY23NOV2626000CE", exchange=Exchange.NFO, action=Action.BUY, quantity=65, product=Product.NRML
)
LIMIT = replace(BUY, price_type=PriceType.LIMIT, price=Decimal("101.05"))


def faults(desk: Desk, order: OrderRequest, today: date = TODAY) -> dict[str, list[str]]:
    try:
        check(desk.store.instruments, order, today)
    except Invalid as refusal:
        return refusal.faults
    return {}


def test_a_lot_at_a_price_on_the_tick_is_right_until_the_last_day(desk: Desk) -> None:
    for order in (BUY, LIMIT, replace(BUY, quantity=650)):
        assert faults(desk, order) == faults(desk, order, MONDAY) == {}


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


def test_a_contract_cannot_be_traded_after_its_last_day_whether_or_not_the_list_was_renewed(
    desk: Desk, clock: FixedClock
) -> None:
    expired = {"symbol": ["NIFTY23NOV2626000CE expired on 2026-11-23."]}
    assert faults(desk, BUY, TUESDAY) == expired
    clock.move(days=3)
    desk.store.instrument_lists.roll()
    assert faults(desk, BUY, TUESDAY) == expired
    with pytest.raises(Invalid, match="expired on 2026-11-23"):
        orders.place(desk, BUY, ORIGIN)
    assert desk.store.journal.tickets() == []


def test_what_left_the_list_cannot_be_traded(desk: Desk) -> None:
    kept, gone = listed(desk, "SBIN"), listed(desk, "INFY")
    desk.store.instrument_lists.replace([kept, gone], source="broker", edition="1")
    desk.store.instrument_lists.replace([kept], source="broker", edition="2")
    order = replace(BUY, symbol="INFY", exchange=Exchange.NSE)
    assert faults(desk, order) == {"symbol": ["INFY is not listed on NSE any more, since 2026-11-21."]}


def test_a_name_of_two_instruments_is_refused_with_both(desk: Desk) -> None:
    kept, gone = listed(desk, "SBIN"), listed(desk, "INFY")
    warrant = replace(gone, broker_symbol="INFY-W1", broker_exchange="NSE", token="99", lot=33_340)
    desk.store.instrument_lists.replace([kept, gone, warrant], source="broker", edition="1")
    order = replace(BUY, symbol="INFY", exchange=Exchange.NSE)
    (sentence,) = faults(desk, order)["symbol"]
    assert "INFY on NSE would name more than one instrument of the broker (INFY, INFY-W1)" in sentence


def test_a_cancel_is_taken_whatever_became_of_the_contract(desk: Desk) -> None:
    check(desk.store.instruments, CancelRequest(broker_order_id=BrokerOrderId("26112100000001")), TUESDAY)


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
    found = desk.store.instruments.find(Exchange.NSE, symbol)
    assert found is not None
    return found
