"""What every broker promises, run for every line of the registry."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.errors import BrokerError, NotFound, Rejected, Unsupported
from openalgo_bridge.model.books import OrderStatus
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelRequest,
    Exchange,
    ModifyRequest,
    OrderRequest,
    PriceType,
    Product,
    Ref,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.refs import new_ref

# What the clock of every test says.
TODAY = date(2026, 11, 21)

BUY = OrderRequest(symbol="SBIN", exchange=Exchange.NSE, action=Action.BUY, quantity=3, product=Product.MIS)
SELL = OrderRequest(symbol="SBIN", exchange=Exchange.NSE, action=Action.SELL, quantity=3, product=Product.MIS)
# Far below any price, so that it rests.
RESTING = OrderRequest(
    symbol="SBIN",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=3,
    product=Product.MIS,
    price_type=PriceType.LIMIT,
    price=Decimal("850.00"),
)


class BrokerPromises:
    """Subclasses give the fixtures ``broker``, ``broker_name`` and ``instrument`` (SBIN on NSE)."""

    def test_it_has_the_name_it_is_registered_under(self, broker: Broker, broker_name: str) -> None:
        assert broker.name == broker_name

    def test_it_says_how_long_absence_takes_to_prove(self, broker: Broker) -> None:
        wait = broker.capabilities.reread_after
        assert wait is None or 0 <= wait < 60

    def test_a_placed_order_is_found_by_its_id_and_by_our_tag(self, broker: Broker) -> None:
        ref = new_ref(datetime.now(UTC))
        order_id = place(broker, BUY, ref)
        by_id, by_tag = broker.order(order_id), broker.find(ref)
        assert by_id is not None
        assert by_id == by_tag
        assert (by_id.id, by_id.tag, by_id.request) == (order_id, ref, BUY)

    @pytest.mark.parametrize("text", ["", "x", "0", "2611210000000A", "26112100009999", "9" * 5000, "२६११२१००००००००१"])
    def test_an_unknown_order_is_absent_not_an_error(self, broker: Broker, text: str) -> None:
        assert broker.order(BrokerOrderId(text)) is None
        assert broker.find(Ref(text)) is None

    def test_changing_or_withdrawing_an_unknown_order_says_not_found(self, broker: Broker) -> None:
        unknown = BrokerOrderId("26112100009999")
        with pytest.raises(NotFound, match="Order 26112100009999 not found"):
            cancel(broker, unknown)
        with pytest.raises(NotFound, match="Order 26112100009999 not found"):
            broker.modify(permit_for(ModifyRequest(broker_order_id=unknown, order=RESTING)))

    def test_an_unknown_symbol_is_a_refusal(self, broker: Broker) -> None:
        request = OrderRequest(symbol="NOSUCH", exchange=Exchange.NSE, action=Action.BUY, quantity=1)
        with pytest.raises(Rejected):
            place(broker, request)
        assert list(broker.trade_book()) == []

    def test_a_reference_buys_only_once(self, broker: Broker) -> None:
        ref = new_ref(datetime.now(UTC))
        place(broker, BUY, ref)
        with pytest.raises(Rejected):
            place(broker, BUY, ref)
        assert len(broker.trade_book()) == 1

    def test_a_market_order_fills_and_is_a_position(self, broker: Broker) -> None:
        order_id = place(broker, BUY)
        (trade,), (position,) = broker.trade_book(), broker.positions()
        assert (trade.order_id, trade.quantity, trade.action) == (order_id, 3, Action.BUY)
        assert (position.symbol, position.quantity, position.average_price) == ("SBIN", 3, trade.price)

    def test_a_closed_position_stays_in_the_book_of_the_day(self, broker: Broker) -> None:
        place(broker, BUY)
        place(broker, SELL)
        (position,) = broker.positions()
        assert (position.quantity, position.average_price) == (0, 0)

    def test_a_limit_order_rests_until_it_is_withdrawn(self, broker: Broker) -> None:
        order_id = place(broker, RESTING)
        resting = broker.order(order_id)
        assert resting is not None
        assert (resting.status, resting.filled_quantity, resting.pending_quantity) == (OrderStatus.OPEN, 0, 3)
        cancel(broker, order_id)
        withdrawn = broker.order(order_id)
        assert withdrawn is not None
        assert (withdrawn.status, withdrawn.pending_quantity) == (OrderStatus.CANCELLED, 0)
        with pytest.raises(Rejected, match="Cannot cancel order in cancelled status"):
            cancel(broker, order_id)

    def test_books_list_the_newest_first(self, broker: Broker) -> None:
        ids = [place(broker, BUY), place(broker, SELL), place(broker, BUY)]
        assert [order.id for order in broker.order_book()] == ids[::-1]
        assert [trade.order_id for trade in broker.trade_book()] == ids[::-1]

    def test_a_position_uses_money_and_its_end_frees_it(self, broker: Broker) -> None:
        before = broker.funds()
        place(broker, BUY)
        during = broker.funds()
        place(broker, SELL)
        after = broker.funds()
        assert during.used > before.used
        assert during.available < before.available
        assert after.used == before.used

    def test_a_quote_is_in_order(self, broker: Broker, instrument: Instrument) -> None:
        quote = broker.quote(instrument)
        assert 0 < quote.bid <= quote.ltp <= quote.ask
        assert quote.low <= min(quote.open, quote.ltp) <= max(quote.open, quote.ltp) <= quote.high

    def test_the_quotes_of_many_are_those_of_each_in_their_order(self, broker: Broker, instrument: Instrument) -> None:
        nameless = replace(instrument, symbol="NOSUCH", reference_price=Decimal(0))
        assert broker.quotes([instrument, nameless, instrument]) == [
            broker.quote(instrument),
            None,
            broker.quote(instrument),
        ]
        assert broker.quotes([]) == []

    def test_the_depth_begins_with_the_quote(self, broker: Broker, instrument: Instrument) -> None:
        if not broker.capabilities.has_depth:
            with pytest.raises(Unsupported):
                broker.depth(instrument)
            return
        depth, quote = broker.depth(instrument), broker.quote(instrument)
        assert (len(depth.bids), len(depth.asks)) == (5, 5)
        assert (depth.bids[0].price, depth.asks[0].price, depth.quote) == (quote.bid, quote.ask, quote)

    @pytest.mark.parametrize("interval", Interval)
    def test_the_last_bar_is_the_market_now(self, broker: Broker, instrument: Instrument, interval: Interval) -> None:
        if interval not in broker.capabilities.intervals:
            with pytest.raises(Unsupported):
                broker.history(instrument, interval, TODAY, TODAY)
            return
        bars = list(broker.history(instrument, interval, TODAY - timedelta(days=3), TODAY))
        assert [bar.start for bar in bars] == sorted({bar.start for bar in bars})
        assert bars[-1].close == broker.quote(instrument).ltp

    def test_a_symbol_without_a_price_has_no_market(self, broker: Broker, instrument: Instrument) -> None:
        nameless = replace(instrument, symbol="NOSUCH", reference_price=Decimal(0))
        for ask in (
            lambda: broker.quote(nameless),
            lambda: broker.depth(nameless),
            lambda: broker.history(nameless, Interval.DAY, TODAY, TODAY),
        ):
            with pytest.raises(BrokerError):
                ask()


def permit_for(request, ref: Ref | None = None):  # type: ignore[no-untyped-def]
    """The right to send, as the journal would give it."""
    return SendPermit(order_id=1, ref=ref or new_ref(datetime.now(UTC)), request=request)


def place(broker: Broker, request: OrderRequest, ref: Ref | None = None) -> BrokerOrderId:
    return broker.place(permit_for(request, ref))


def cancel(broker: Broker, order_id: BrokerOrderId) -> None:
    broker.cancel(permit_for(CancelRequest(broker_order_id=order_id)))
