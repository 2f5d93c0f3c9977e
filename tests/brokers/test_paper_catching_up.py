"""What time does to the books of the paper exchange, once, in its order, however late somebody looks.

SBIN and everything else stand at 1000.00 until a test moves them: bid 999.95, ask 1000.05.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.brokers.paper import PaperExchange
from openalgo_bridge.clock import IST
from openalgo_bridge.errors import Rejected
from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.model.books import BrokerOrder, OrderStatus
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.order import Action, Exchange, PriceType, Product
from openalgo_bridge.model.paper import LedgerKind
from openalgo_bridge.model.paper_settings import PaperSettings, SquareOffGroup
from openalgo_bridge.store.paper_ledger import PaperLedger
from tests.brokers.desk import Floor, order
from tests.brokers.week_off import CALL, EXPIRY, FRIDAY, FUTURE, LISTED, at, floor_on_friday
from tests.store import listing
from tests.store.listing import contract

CRORE = Decimal(10_000_000)
SATURDAY, MONDAY, GURU_NANAK = (date(2026, 11, day) for day in (21, 23, 24))
UNPRICED = replace(FUTURE, symbol="WHEAT01DEC26FUT")


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    with floor_on_friday(tmp_path) as floor:
        yield floor


def restarted(floor: Floor) -> PaperExchange:
    """Another exchange over the same books, as after a start."""
    return PaperExchange(
        book=floor.book, market=floor.market, instruments=floor.instruments, clock=floor.clock, calendar=lambda: SHIPPED
    )


def moved(floor: Floor, moment: datetime, last: str) -> None:
    floor.clock.moment = moment
    floor.market.last = Decimal(last)


def last_half_second(day: date) -> datetime:
    """Of the day of the books."""
    return at(day + timedelta(days=1), 3) - timedelta(seconds=0.5)


def of_the_exchange(floor: Floor) -> list[BrokerOrder]:
    """What the exchange sent itself on any day until now, oldest first."""
    floor.exchange.order_book()
    orders = (floor.book.order(number) for number in range(1, 1 + floor.rows("paper_order")))
    ids = [f"{each.placed_at.astimezone(IST):%y%m%d}{each.number:08d}" for each in orders if each and each.cause]
    return [floor.order(each) for each in ids]  # type: ignore[arg-type]


def ledger(floor: Floor, kind: LedgerKind) -> list[int]:
    """By how much each such line moved what can be used."""
    lines = [line for line in PaperLedger(floor.db).lines(limit=1_000) if line.kind is kind]
    return [line.capital + line.realised - line.invested - line.blocked for line in lines]


# -- prices that nobody saw ------------------------------------------------------------------------------


def test_a_limit_fills_at_the_second_in_which_the_price_reached_it_unseen(floor: Floor) -> None:
    resting = floor.buy(limit="990.00")
    moved(floor, at(FRIDAY, 10, 12, 7), "990")
    moved(floor, at(FRIDAY, 10, 12, 8), "1000")
    floor.clock.moment = at(FRIDAY, 15, 0)
    (trade,) = floor.exchange.trade_book()
    assert (trade.price, trade.traded_at) == (Decimal(990), at(FRIDAY, 10, 12, 7))
    assert floor.order(resting).status is OrderStatus.COMPLETE


def test_what_rests_fills_in_the_order_in_which_it_was_reached(floor: Floor) -> None:
    below, above = floor.buy(limit="990.00"), floor.sell(limit="1010.00")
    moved(floor, at(FRIDAY, 11), "1011")
    moved(floor, at(FRIDAY, 12), "989")
    floor.clock.moment = at(FRIDAY, 15, 0)
    assert [(trade.order_id, trade.traded_at) for trade in floor.exchange.trade_book()] == [
        (below, at(FRIDAY, 12)),
        (above, at(FRIDAY, 11)),
    ]


def test_prices_of_before_an_order_do_not_fill_it(floor: Floor) -> None:
    moved(floor, at(FRIDAY, 10), "980")
    moved(floor, at(FRIDAY, 11), "1000")
    resting = floor.buy(limit="990.00")
    floor.clock.moment = at(FRIDAY, 15, 0)
    assert floor.order(resting).status is OrderStatus.OPEN


def test_prices_of_before_a_change_do_not_fill_what_it_was_changed_to(floor: Floor, tmp_path: Path) -> None:
    resting = floor.buy(limit="950.00")
    moved(floor, at(FRIDAY, 10), "980")
    moved(floor, at(FRIDAY, 11), "1000")
    floor.modify(resting, order(Action.BUY, limit="990.00"))
    floor.clock.moment = at(FRIDAY, 15, 0)
    assert restarted(floor).order(resting).status is OrderStatus.OPEN  # type: ignore[union-attr]


def test_a_stop_is_triggered_unseen_and_its_limit_counts_from_then_on(floor: Floor) -> None:
    floor.buy()
    stop = floor.send(
        replace(order(Action.SELL), price_type=PriceType.SL, trigger_price=Decimal("980.00"), price=Decimal("979.00"))
    )
    moved(floor, at(FRIDAY, 10), "975")
    moved(floor, at(FRIDAY, 11), "978")
    moved(floor, at(FRIDAY, 12), "979.50")
    moved(floor, at(FRIDAY, 13), "1000")
    floor.clock.moment = at(FRIDAY, 15, 0)
    assert floor.order(stop).status is OrderStatus.COMPLETE
    sold = floor.exchange.trade_book()[0]
    assert (sold.price, sold.traded_at) == (Decimal(979), at(FRIDAY, 12))


def test_what_the_simulated_market_went_through_unseen_fills(floor: Floor) -> None:
    """The market's own path, without a look between 09:30 and 15:00: as if somebody had looked every second."""
    market, instrument = SimulatedMarket(20261121), floor.instruments.find(Exchange.NSE, "SBIN")
    assert instrument is not None
    exchange = PaperExchange(
        book=floor.book, market=market, instruments=floor.instruments, clock=floor.clock, calendar=lambda: SHIPPED
    )
    floor.exchange = exchange
    floor.clock.moment = at(FRIDAY, 9, 30)
    lowest = market.extremes(instrument, at(FRIDAY, 9, 31), at(FRIDAY, 15)).low
    resting = floor.buy(limit=str(lowest + 2 * instrument.tick))
    beyond = floor.buy(limit=str(lowest - 2 * instrument.tick))
    floor.clock.moment = at(FRIDAY, 15)
    assert floor.order(resting).status is OrderStatus.COMPLETE
    assert floor.order(beyond).status is OrderStatus.OPEN
    (trade,) = exchange.trade_book()
    seconds = int((trade.traded_at - at(FRIDAY, 9, 30)).total_seconds())
    reached = [market.price(instrument, at(FRIDAY, 9, 30) + timedelta(seconds=each)) for each in range(1, seconds + 1)]
    assert [price <= trade.price for price in reached] == [*[False] * (seconds - 1), True]


# -- square-off, lapse -----------------------------------------------------------------------------------


def test_an_intraday_position_is_closed_at_the_price_of_its_moment_by_an_order_of_the_exchange(floor: Floor) -> None:
    floor.buy()
    moved(floor, at(FRIDAY, 15), "1100")
    moved(floor, at(FRIDAY, 15, 11), "900")
    floor.clock.moment = at(FRIDAY, 15, 20)
    (closing,) = of_the_exchange(floor)
    assert (closing.tag, closing.request.action, closing.filled_quantity) == ("", Action.SELL, 10)
    assert (closing.average_price, closing.placed_at) == (Decimal("1099.95"), at(FRIDAY, 15, 10))
    assert floor.position().quantity == 0
    funds = floor.exchange.funds()
    assert (funds.used, funds.realised, funds.available) == (0, Decimal(999), CRORE + 999)


def test_what_rests_intraday_is_withdrawn_before_and_fills_no_more(floor: Floor) -> None:
    floor.buy()
    target, delivery = floor.sell(limit="1010.00"), floor.buy(product=Product.CNC, limit="990.00")
    moved(floor, at(FRIDAY, 15, 10, 30), "1020")
    floor.clock.moment = at(FRIDAY, 15, 20)
    ended = floor.order(target)
    assert (ended.status, ended.rejection_reason) == (
        OrderStatus.CANCELLED,
        "Cancelled when intraday positions were closed.",
    )
    assert floor.order(delivery).status is OrderStatus.OPEN
    floor.clock.moment = at(FRIDAY, 15, 30)
    assert floor.order(delivery).rejection_reason == "Not filled on its trading day: the order lapsed."
    assert len(of_the_exchange(floor)) == 1


def test_a_short_position_is_bought_back(floor: Floor) -> None:
    floor.sell()
    floor.clock.moment = at(FRIDAY, 15, 10)
    (closing,) = of_the_exchange(floor)
    assert (closing.request.action, closing.average_price) == (Action.BUY, Decimal("1000.05"))


def test_the_traders_own_time_counts(floor: Floor) -> None:
    settings = PaperSettings(square_off=((SquareOffGroup.SHARES, time(14, 0)),))
    floor.exchange = PaperExchange(
        book=floor.book,
        market=floor.market,
        instruments=floor.instruments,
        clock=floor.clock,
        calendar=lambda: SHIPPED,
        settings=lambda: settings,
    )
    floor.buy()
    floor.clock.moment = at(FRIDAY, 14)
    assert floor.position().quantity == 0


def test_what_no_session_closes_is_closed_as_the_day_of_the_books_ends(floor: Floor) -> None:
    floor.clock.moment = at(GURU_NANAK, 11)
    floor.buy()
    floor.clock.moment = at(GURU_NANAK, 23, 30)
    assert floor.position().quantity == 10, "a holiday has no session"
    floor.clock.moment = at(GURU_NANAK + timedelta(days=1), 9)
    assert list(floor.exchange.positions()) == []
    (closing,) = of_the_exchange(floor)
    assert closing.placed_at == at(GURU_NANAK + timedelta(days=1), 2, 59, 59)


def test_an_intraday_order_after_the_square_off_is_closed_the_same_night(floor: Floor) -> None:
    floor.clock.moment = at(FRIDAY, 18)
    floor.buy()
    floor.clock.moment = at(FRIDAY + timedelta(days=1), 4)
    assert list(floor.exchange.positions()) == []


def test_an_order_of_the_last_second_of_a_day_does_not_fill_on_the_next(floor: Floor) -> None:
    floor.clock.moment = last_half_second(FRIDAY)
    resting = floor.buy(product=Product.CNC, limit="990.00")
    moved(floor, at(SATURDAY, 9), "980")
    floor.clock.moment = at(SATURDAY, 10)
    ended = floor.order(resting)
    assert (ended.status, ended.filled_quantity) == (OrderStatus.CANCELLED, 0)
    assert ended.rejection_reason == "Not filled on its trading day: the order lapsed."
    assert floor.exchange.funds().used == 0


def test_the_first_price_of_a_day_is_none_of_the_day_before(floor: Floor) -> None:
    floor.clock.moment = last_half_second(FRIDAY)
    resting = floor.buy(product=Product.CNC, limit="990.00")
    moved(floor, at(SATURDAY, 3), "980")
    assert floor.order(resting).status is OrderStatus.CANCELLED


def test_what_is_bought_intraday_in_the_last_second_of_a_day_is_closed_as_it_ends(floor: Floor) -> None:
    floor.clock.moment = last_half_second(FRIDAY)
    floor.buy()
    moved(floor, at(SATURDAY, 9), "1100")
    assert floor.position().quantity == 0
    (closing,) = of_the_exchange(floor)
    assert (closing.placed_at, closing.average_price) == (at(SATURDAY, 3), Decimal("999.95"))


def test_a_day_whose_last_second_an_earlier_look_had_done_still_ends(floor: Floor) -> None:
    """The books were left in that second, with all that was due before it done."""
    floor.clock.moment = at(FRIDAY, 23)
    floor.buy()
    floor.clock.moment = last_half_second(FRIDAY)
    floor.buy()
    floor.buy(product=Product.CNC, limit="990.00")
    assert floor.book.done_until() == at(SATURDAY, 2, 59, 59)
    moved(floor, at(MONDAY, 9), "980")
    floor.exchange = restarted(floor)
    assert list(floor.exchange.positions()) == []
    assert (floor.book.resting(), floor.rows("paper_trade")) == ([], 4)


def test_what_comes_while_another_thread_ends_the_day_is_of_the_next(floor: Floor) -> None:
    """It read the clock before the day ended, and waited for the books until after."""
    other = restarted(floor)
    floor.clock.moment = last_half_second(FRIDAY)
    floor.buy()

    def settings() -> PaperSettings:
        """Asked for between the look at the clock and the transaction."""
        if floor.clock.moment < at(SATURDAY, 3):
            floor.clock.moment = at(SATURDAY, 3, 0, 1)
            other.tend()
        return PaperSettings()

    floor.exchange = PaperExchange(
        book=floor.book,
        market=floor.market,
        instruments=floor.instruments,
        clock=floor.clock,
        calendar=lambda: SHIPPED,
        settings=settings,
    )
    resting = floor.buy(limit="990.00")
    assert floor.exchange.order_book()[0].id == resting
    assert floor.order(resting).placed_at == at(SATURDAY, 3, 0, 1)


# -- expiry ----------------------------------------------------------------------------------------------


def test_contracts_settle_after_their_last_close_and_free_their_money(floor: Floor) -> None:
    floor.send(FUTURE)
    floor.send(CALL)
    moved(floor, at(EXPIRY, 15, 30), "1010")
    floor.clock.moment = at(EXPIRY, 15, 39)
    assert [each.quantity for each in floor.exchange.positions()] == [65, 65]
    floor.clock.moment = at(EXPIRY, 15, 40)
    funds = floor.exchange.funds()
    assert [each.quantity for each in floor.exchange.positions()] == [0, 0]
    assert (funds.used, funds.realised) == (0, 2 * 65 * Decimal("9.95"))
    assert len(ledger(floor, LedgerKind.EXPIRY)) == 2
    assert of_the_exchange(floor) == [], "an expiry is no order"


def test_what_rests_in_a_contract_ends_as_it_expires_and_not_as_its_exchange_closes(floor: Floor) -> None:
    moved(floor, at(EXPIRY, 10), "1000")
    resting = floor.send(replace(FUTURE, price_type=PriceType.LIMIT, price=Decimal(990)))
    moved(floor, at(EXPIRY, 15, 30), "980")
    ended = floor.order(resting)
    assert (ended.status, ended.filled_quantity) == (OrderStatus.CANCELLED, 0)
    assert floor.exchange.funds().used == 0


EXIT = replace(FUTURE, action=Action.SELL, price_type=PriceType.LIMIT, price=Decimal(1010))


@pytest.mark.parametrize("sent", [at(EXPIRY, 15, 29), at(EXPIRY, 15, 32)], ids=["before it expires", "after"])
@pytest.mark.parametrize("seen", [at(EXPIRY, 15, 35), at(EXPIRY, 15, 41)], ids=["seen", "unseen"])
def test_what_closes_a_contract_waits_until_its_exchange_closes(floor: Floor, sent: datetime, seen: datetime) -> None:
    moved(floor, at(EXPIRY, 10), "1000")
    floor.send(FUTURE)
    floor.clock.moment = sent
    resting = floor.send(EXIT)
    moved(floor, at(EXPIRY, 15, 35), "1020")
    moved(floor, seen, "1000" if seen > floor.clock.moment else "1020")
    floor.exchange.tend()
    assert floor.order(resting).status is OrderStatus.COMPLETE
    assert floor.exchange.trade_book()[0].traded_at == at(EXPIRY, 15, 35)


def test_what_closes_a_contract_and_is_not_reached_ends_with_its_exchange(floor: Floor) -> None:
    moved(floor, at(EXPIRY, 10), "1000")
    floor.send(FUTURE)
    floor.clock.moment = at(EXPIRY, 15, 31)
    resting = floor.send(EXIT)
    moved(floor, at(EXPIRY, 15, 40), "1020")
    assert floor.order(resting).status is OrderStatus.CANCELLED
    assert floor.exchange.funds().used == 0


def test_of_two_orders_that_close_one_expired_contract_the_second_opens_none(floor: Floor) -> None:
    moved(floor, at(EXPIRY, 10), "1000")
    floor.send(FUTURE)
    floor.clock.moment = at(EXPIRY, 15, 31)
    first, second = floor.send(EXIT), floor.send(EXIT)
    moved(floor, at(EXPIRY, 15, 35), "1020")
    assert [floor.order(each).status for each in (first, second)] == [OrderStatus.COMPLETE, OrderStatus.CANCELLED]
    reason = "Cancelled when its contract expired: only what closes a position waits longer."
    assert floor.order(second).rejection_reason == reason
    assert [each.quantity for each in floor.exchange.positions()] == [0]
    assert floor.exchange.funds().used == 0


def test_a_position_without_a_price_waits_alone_and_is_told_once(floor: Floor, tmp_path: Path) -> None:
    floor.send(UNPRICED)
    floor.send(FUTURE)
    rows = [replace(each, reference_price=Decimal(0)) if each.name == "WHEAT" else each for each in LISTED]
    with listing.opened(tmp_path) as listed:
        listed.take(*rows, accept_fewer=True)
    floor.instruments.forget()
    floor.clock.moment = at(EXPIRY, 16)
    assert list(floor.exchange.tend()) == [
        "WHEAT01DEC26FUT on NFO could not be settled: it has no price. It stays open."
    ]
    assert list(floor.exchange.tend()) == []
    assert {each.symbol: each.quantity for each in floor.exchange.positions()} == {
        UNPRICED.symbol: 65,
        FUTURE.symbol: 0,
    }
    with listing.opened(tmp_path) as listed:
        listed.take(*LISTED, accept_fewer=True)
    floor.instruments.forget()
    floor.clock.moment = at(EXPIRY + timedelta(days=1), 4)
    assert list(floor.exchange.tend()) == []
    assert floor.exchange.funds().used == 0


def test_an_intraday_position_without_a_price_is_told_as_its_session_ends_and_as_its_day_does(floor: Floor) -> None:
    floor.buy()
    floor.exchange.tend()
    find = floor.instruments.find

    def without_a_price(exchange: Exchange, symbol: str) -> Instrument | None:
        found = find(exchange, symbol)
        return None if found is None else replace(found, reference_price=Decimal(0))

    floor.instruments.find = without_a_price  # type: ignore[method-assign]
    told = []
    for moment in (at(FRIDAY, 15, 11), at(FRIDAY, 16), at(SATURDAY, 3) - timedelta(seconds=1), at(SATURDAY, 4)):
        floor.clock.moment = moment
        told.append(list(floor.exchange.tend()))
    sentence = "SBIN on NSE could not be closed: it has no price. It stays open."
    assert told == [[sentence], [], [sentence], []]
    floor.clock.moment = at(EXPIRY, 10)
    assert list(floor.exchange.tend()) == [sentence], "of many days once"


# -- delivery --------------------------------------------------------------------------------------------


def test_delivery_moves_no_money_that_can_be_used(floor: Floor) -> None:
    floor.buy(7, Product.CNC)
    moved(floor, at(FRIDAY, 11), "1033.35")
    floor.buy(3, Product.CNC)
    before = floor.exchange.funds().available
    floor.clock.moment = at(MONDAY, 9)
    (held,) = floor.exchange.holdings()
    assert (held.quantity, held.average_price * 10) == (10, 7 * Decimal("1000.05") + 3 * Decimal("1033.40"))
    assert floor.exchange.funds().available == before
    assert floor.exchange.funds().used == 0
    assert ledger(floor, LedgerKind.SETTLEMENT) == [0]


def test_a_sale_of_holdings_lowers_them_at_once_and_books_the_gain(floor: Floor) -> None:
    floor.buy(10, Product.CNC)
    moved(floor, at(MONDAY, 10), "1100")
    sold = floor.sell(4, Product.CNC)
    assert floor.order(sold).status is OrderStatus.COMPLETE
    (held,) = floor.exchange.holdings()
    assert (held.quantity, held.average_price) == (6, Decimal("1000.05"))
    gain = 4 * (Decimal("1099.95") - Decimal("1000.05"))
    assert floor.position(Product.CNC).quantity == 0
    assert floor.exchange.funds().realised == gain
    assert floor.exchange.funds().available == CRORE + gain - 6 * Decimal("1000.05")


def test_a_sale_takes_what_was_bought_today_first(floor: Floor) -> None:
    floor.buy(10, Product.CNC)
    moved(floor, at(MONDAY, 10), "1100")
    floor.buy(5, Product.CNC)
    floor.sell(8, Product.CNC)
    assert [each.quantity for each in floor.exchange.holdings()] == [7]
    assert floor.position(Product.CNC).quantity == 0
    floor.clock.moment = at(MONDAY + timedelta(days=2), 9)
    assert [each.quantity for each in floor.exchange.holdings()] == [7]


def test_what_is_held_is_promised_once(floor: Floor) -> None:
    floor.buy(10, Product.CNC)
    floor.clock.moment = at(MONDAY, 10)
    resting = floor.sell(6, Product.CNC, limit="1010.00")
    assert floor.exchange.funds().used == 0, "a sale of what is held needs no money"
    with pytest.raises(Rejected, match="Insufficient shares for a CNC SELL of 5 SBIN: 4 are free to sell"):
        floor.sell(5, Product.CNC)
    moved(floor, at(MONDAY, 11), "1010.05")
    assert floor.order(resting).status is OrderStatus.COMPLETE
    assert [each.quantity for each in floor.exchange.holdings()] == [4]


# -- odd clocks and calendars ----------------------------------------------------------------------------


def test_a_year_that_no_calendar_knows_goes_by_its_weekdays(floor: Floor) -> None:
    floor.clock.moment = at(date(2027, 3, 5), 10)
    floor.buy()
    floor.buy(3, Product.CNC)
    floor.clock.moment = at(date(2027, 3, 5), 15, 25)
    assert floor.position().quantity == 0
    floor.clock.moment = at(date(2027, 3, 7), 10)
    assert list(floor.exchange.holdings()) == []
    floor.clock.moment = at(date(2027, 3, 8), 10)
    assert [each.quantity for each in floor.exchange.holdings()] == [3]


def test_a_clock_that_goes_back_undoes_nothing_and_does_nothing_twice(floor: Floor) -> None:
    floor.buy()
    floor.clock.moment = at(FRIDAY, 15, 20)
    assert floor.position().quantity == 0
    floor.clock.moment = at(FRIDAY, 14)
    floor.buy()
    floor.clock.moment = at(FRIDAY, 15, 25)
    assert floor.position().quantity == 10
    floor.clock.moment = at(FRIDAY + timedelta(days=1), 4)
    assert [each.filled_quantity for each in of_the_exchange(floor)] == [10, 10]


@pytest.mark.parametrize("ahead", [at(FRIDAY, 15, 45), at(FRIDAY + timedelta(days=365), 10)])
def test_a_clock_that_ran_ahead_once_takes_no_event_from_the_day(floor: Floor, ahead: datetime) -> None:
    floor.buy(1, Product.CNC)
    floor.clock.moment = ahead
    floor.exchange.tend()
    floor.clock.moment = at(FRIDAY, 10, 15)
    (told,) = floor.exchange.tend()
    assert told.startswith("The clock of this PC went back from ")
    assert told.endswith(" to 20 Nov 2026 10:15 IST. Paper trading goes by the new time from now on.")
    floor.buy(10)
    resting = floor.buy(5, Product.CNC, limit="900.00")
    floor.clock.moment = at(FRIDAY, 15, 12)
    assert floor.position().quantity == 0
    assert of_the_exchange(floor)[0].placed_at == at(FRIDAY, 15, 10)
    floor.clock.moment = at(FRIDAY, 15, 31)
    assert floor.order(resting).status is OrderStatus.CANCELLED
    assert list(floor.exchange.tend()) == []


def test_books_that_nobody_ever_used_stay_untouched(floor: Floor) -> None:
    floor.clock.moment = at(EXPIRY, 16)
    assert floor.exchange.funds().available == CRORE
    assert floor.rows("paper_clock") == 0


def test_what_is_opened_after_a_square_off_that_found_nothing_stays_until_the_night(floor: Floor) -> None:
    floor.buy()
    floor.sell()
    moved(floor, at(FRIDAY, 15, 12), "1000")
    floor.buy()
    moved(floor, at(FRIDAY, 15, 31), "1020")
    assert restarted(floor).order_book() == floor.exchange.order_book()
    assert (floor.position().quantity, of_the_exchange(floor)) == (10, [])


def test_what_falls_on_one_moment_is_all_done(floor: Floor) -> None:
    """At the end of the books' day a resting order lapses, and beside it the intraday position is closed."""
    moved(floor, at(FRIDAY, 16), "1000")
    floor.buy(10)
    resting = floor.buy(10, Product.CNC, limit="900.00")
    moved(floor, at(date(2026, 11, 21), 4), "1000")
    (closing,) = of_the_exchange(floor)
    assert closing.placed_at == at(date(2026, 11, 21), 2, 59, 59)
    assert floor.order(resting).status is OrderStatus.CANCELLED


def test_a_contract_that_is_squared_off_in_the_second_of_its_settlement_is_closed_once(
    floor: Floor, tmp_path: Path
) -> None:
    """From 7 December contracts on an index settle at 15:30, when others still trade."""
    expiry = date(2026, 12, 8)
    with listing.opened(tmp_path) as listed:
        listed.take(contract("NIFTY", Kind.FUT, expiry), *floor.instruments.stream(Exchange.NSE), accept_fewer=True)
    floor.instruments.forget()
    floor.settings = PaperSettings(square_off=((SquareOffGroup.DERIVATIVES, time(15, 30)),))
    moved(floor, at(expiry, 10), "1000")
    floor.send(replace(FUTURE, symbol="NIFTY08DEC26FUT", product=Product.MIS))
    moved(floor, at(expiry, 15, 30), "1010")
    assert len(of_the_exchange(floor)) == 1
    assert [each.quantity for each in floor.exchange.positions()] == [0]
    assert [line.kind for line in PaperLedger(floor.db).lines(limit=100) if line.realised] == [LedgerKind.FILL]
