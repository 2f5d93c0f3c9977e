"""Which contract an options request means, on the list of Saturday 21 November 2026."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid, NotFound, NotSent, Rejected
from openalgo_bridge.model.instrument import FUTURES, OPTIONS
from openalgo_bridge.model.options import Offset, OptionType
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import compact_date
from openalgo_bridge.trading import options
from tests.conftest import FixedClock
from tests.fakes import ScriptedBroker, with_broker

TODAY = date(2026, 11, 21)
ATM = Offset(steps=0)


@pytest.fixture
def listed(desk: Desk) -> Desk:
    """A desk with futures and options."""
    desk.store.instrument_lists.roll()
    return desk


def nearest(desk: Desk, base: str = "NIFTY", exchange: Exchange = Exchange.NFO) -> date:
    return desk.store.instruments.expiries(exchange, base, OPTIONS, today=TODAY)[0]


def at(desk: Desk, ltp: str) -> Desk:
    """The same desk where everything costs ``ltp``."""
    return with_broker(desk, ScriptedBroker(desk, ltp=Decimal(ltp)))


@pytest.mark.parametrize("exchange", [Exchange.NSE_INDEX, Exchange.NSE, Exchange.NFO])
def test_an_index_is_priced_where_it_is_quoted_whichever_exchange_is_named(listed: Desk, exchange: Exchange) -> None:
    of = options.underlying(listed, "NIFTY", exchange, date(2026, 11, 24))
    assert (of.name, of.exchange, of.expiry) == ("NIFTY", Exchange.NFO, date(2026, 11, 24))
    assert (of.instrument.symbol, of.instrument.exchange) == ("NIFTY", Exchange.NSE_INDEX)
    assert of.ltp > 20_000


def test_a_share_and_an_index_of_the_other_exchange_have_their_own(listed: Desk) -> None:
    share = options.underlying(listed, "RELIANCE", Exchange.NFO, None)
    sensex = options.underlying(listed, "SENSEX", Exchange.BSE_INDEX, None)
    assert (share.instrument.exchange, share.exchange) == (Exchange.NSE, Exchange.NFO)
    assert (sensex.instrument.exchange, sensex.exchange) == (Exchange.BSE_INDEX, Exchange.BFO)


def test_the_expiry_of_the_request_wins_over_the_one_in_the_name(listed: Desk) -> None:
    assert options.underlying(listed, "NIFTY29DEC26FUT", Exchange.NFO, None).expiry == date(2026, 12, 29)
    assert options.underlying(listed, "NIFTY29DEC26FUT", Exchange.NFO, date(2026, 11, 24)).expiry == date(2026, 11, 24)


def test_a_commodity_has_the_price_of_the_future_its_options_turn_into(listed: Desk) -> None:
    expiry = nearest(listed, "CRUDEOIL", Exchange.MCX)
    of = options.underlying(listed, "CRUDEOIL", Exchange.MCX, expiry)
    futures = listed.store.instruments.futures(Exchange.MCX, "CRUDEOIL", today=TODAY)
    assert of.instrument == next(each for each in futures if each.expiry is not None and each.expiry >= expiry)
    named = options.underlying(listed, futures[1].symbol, Exchange.MCX, expiry)
    assert (named.instrument, named.expiry) == (futures[1], expiry)


def test_without_a_future_a_commodity_has_no_price(listed: Desk) -> None:
    with pytest.raises(NotFound, match="No unexpired future of NOSUCH is listed on MCX"):
        options.underlying(listed, "NOSUCH", Exchange.MCX, None)


def test_an_underlying_that_is_not_listed_is_named(listed: Desk) -> None:
    with pytest.raises(Invalid, match=r"Failed to fetch LTP for NOSUCH\. It is not listed on NSE\."):
        options.underlying(listed, "NOSUCH", Exchange.NFO, date(2026, 11, 24))


@pytest.mark.parametrize("fault", [Rejected("There is no price."), NotSent("The broker is away.")])
def test_a_missing_price_keeps_its_kind_and_says_of_what(listed: Desk, fault: Rejected | NotSent) -> None:
    blind = with_broker(listed, ScriptedBroker(listed, unreadable=fault))
    with pytest.raises(type(fault), match=f"Failed to fetch LTP for NIFTY. {fault.message}"):
        options.underlying(blind, "NIFTY", Exchange.NSE_INDEX, date(2026, 11, 24))


@pytest.mark.parametrize(
    ("offset", "option_type", "strike"),
    [("ATM", "CE", 26050), ("ITM2", "CE", 25950), ("OTM3", "CE", 26200), ("ITM2", "PE", 26150), ("OTM3", "PE", 25900)],
)
def test_offsets_count_listed_strikes(listed: Desk, offset: str, option_type: str, strike: int) -> None:
    desk = at(listed, "26040")
    expiry = nearest(desk)
    of = options.underlying(desk, "NIFTY", Exchange.NSE_INDEX, expiry)
    found = options.contract(desk, of, Offset.parse(offset), OptionType(option_type))
    assert found.symbol == f"NIFTY{compact_date(expiry)}{strike}{option_type}"


def test_a_step_leaves_only_the_strikes_of_its_grid(listed: Desk) -> None:
    desk = at(listed, "26040")
    of = options.underlying(desk, "NIFTY", Exchange.NSE_INDEX, nearest(desk))
    otm2 = Offset.parse("OTM2")
    assert options.contract(desk, of, otm2, OptionType.CE, strike_int=100).strike == 26_200
    with pytest.raises(NotFound, match="at steps of 7777"):
        options.contract(desk, of, otm2, OptionType.CE, strike_int=77_777)


def test_a_leg_may_bring_its_own_expiry(listed: Desk) -> None:
    first, second = listed.store.instruments.expiries(Exchange.NFO, "NIFTY", OPTIONS, today=TODAY)[:2]
    of = options.underlying(listed, "NIFTY", Exchange.NSE_INDEX, None)
    assert options.contract(listed, of, ATM, OptionType.CE, expiry=second).expiry == second
    both = options.underlying(listed, "NIFTY", Exchange.NSE_INDEX, first)
    assert options.contract(listed, both, ATM, OptionType.CE, expiry=second).expiry == second
    with pytest.raises(Invalid, match="expiry_date: Expiry date is required"):
        options.contract(listed, of, ATM, OptionType.CE)


def test_an_expiry_without_strikes_names_those_there_are(listed: Desk) -> None:
    of = options.underlying(listed, "NIFTY", Exchange.NSE_INDEX, date(2026, 11, 25))
    with pytest.raises(NotFound, match=f"expiring 25NOV26. Listed are {compact_date(nearest(listed))}, "):
        options.contract(listed, of, ATM, OptionType.CE)


def test_what_has_expired_has_no_strikes_even_while_it_is_listed(listed: Desk, clock: FixedClock) -> None:
    expiry = nearest(listed)
    of = options.underlying(listed, "NIFTY", Exchange.NSE_INDEX, expiry)
    clock.move(days=(expiry - TODAY).days)
    assert options.strikes_of(listed, of, expiry)
    clock.move(days=1)
    with pytest.raises(NotFound, match="No strikes found for NIFTY expiring"):
        options.strikes_of(listed, of, expiry)


def test_an_offset_beyond_the_list_says_so(listed: Desk) -> None:
    of = options.underlying(listed, "RELIANCE", Exchange.NSE, nearest(listed, "RELIANCE"))
    with pytest.raises(Invalid, match="Offset OTM50 is out of range for available strikes"):
        options.contract(listed, of, Offset.parse("OTM50"), OptionType.CE)


def test_prices_that_do_not_fit_each_other_make_no_future(listed: Desk) -> None:
    of = options.underlying(listed, "NIFTY", Exchange.NSE_INDEX, nearest(listed))
    strike = options.strikes_of(listed, of, nearest(listed))[0]
    call, put = options.pair(listed, of, nearest(listed), strike)
    quote = replace(of.quote, ltp=Decimal(1))
    assert options.parity(strike, call, put, {call: quote, put: quote}.get).price == strike
    absurd = {call: quote, put: replace(quote, ltp=strike + 1)}
    with pytest.raises(NotFound, match="do not fit each other"):
        options.parity(strike, call, put, absurd.get)
    with pytest.raises(NotFound, match="Could not fetch LTP for Put option"):
        options.parity(strike, call, put, {call: quote}.get)


def test_a_share_without_options_says_so(listed: Desk) -> None:
    without = next(
        each.symbol
        for each in listed.store.instruments.stream(Exchange.NSE)
        if not listed.store.instruments.expiries(Exchange.NFO, each.symbol, (*FUTURES, *OPTIONS), today=TODAY)
    )
    of = options.underlying(listed, without, Exchange.NSE, date(2026, 11, 24))
    with pytest.raises(NotFound, match="NFO lists no options on it"):
        options.contract(listed, of, ATM, OptionType.CE)


@pytest.mark.parametrize("ltp", ["0", "-1"])
def test_without_a_price_of_the_underlying_no_strike_is_at_the_money(listed: Desk, ltp: str) -> None:
    with pytest.raises(NotFound, match="Failed to fetch LTP for NIFTY"):
        options.underlying(at(listed, ltp), "NIFTY", Exchange.NSE_INDEX, nearest(listed))
