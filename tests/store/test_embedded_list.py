"""The list that comes with the bridge: what it promises on any day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import lists_contracts, parse
from openalgo_bridge.store.embedded_contracts import UNDERLYINGS, index_freeze_quantity, tick_size
from openalgo_bridge.store.embedded_list import edition, embedded_list, shares_and_indices

TODAY = date(2026, 11, 21)


@pytest.fixture(scope="module")
def listed() -> Sequence[Instrument]:
    return tuple(embedded_list(TODAY, SHIPPED))


def test_the_list_is_what_was_promised(listed: Sequence[Instrument]) -> None:
    by_exchange = defaultdict(set)
    for each in listed:
        by_exchange[each.exchange].add(each.symbol)
    assert len(by_exchange[Exchange.NSE]) >= 200
    assert by_exchange[Exchange.BSE] < by_exchange[Exchange.NSE]
    assert by_exchange[Exchange.NSE_INDEX] >= {
        "NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "INDIAVIX",
    }  # fmt: skip
    assert by_exchange[Exchange.BSE_INDEX] >= {"SENSEX", "BANKEX", "SENSEX50"}
    # The Tuesday is a holiday, so the month's contracts and the week's expire on the Monday.
    assert by_exchange[Exchange.NFO] >= {
        "NIFTY23NOV26FUT", "NIFTY23NOV2626000CE", "NIFTY01DEC2626050PE", "BANKNIFTY29DEC2658800CE", "SBIN23NOV26970PE",
    }  # fmt: skip
    assert by_exchange[Exchange.BFO] >= {"SENSEX26NOV2685200CE", "BANKEX31DEC26FUT"}
    assert by_exchange[Exchange.MCX] >= {"CRUDEOIL18DEC26FUT", "GOLD04DEC26FUT", "NATURALGAS24NOV26390CE"}
    assert by_exchange[Exchange.CDS] >= {"USDINR26NOV26FUT", "USDINR26NOV2688.75PE"}
    assert 30 <= sum(each.exchange is Exchange.NFO for each in UNDERLYINGS) - 5 <= 50


def test_every_row_of_the_list_makes_sense(listed: Sequence[Instrument]) -> None:
    assert len({(each.exchange, each.symbol) for each in listed}) == len({each.token for each in listed}) == len(listed)
    for each in listed:
        assert each.reference_price > 0
        assert each.is_index == (each.freeze_quantity == 0), each.symbol
        assert each.freeze_quantity % each.lot == 0 or each.freeze_quantity > each.lot
        if each.kind in {Kind.EQ, Kind.INDEX}:
            assert each.reference_price % each.tick == 0, each.symbol
        if each.kind is Kind.EQ:
            assert (each.lot, each.tick) == (1, tick_size(each.reference_price))


def test_every_contract_is_named_by_the_grammar(listed: Sequence[Instrument]) -> None:
    for each in listed:
        named = parse(each.symbol, each.exchange)
        assert lists_contracts(each.exchange) == each.is_derivative
        if each.is_derivative:
            assert (named.base, named.kind, named.expiry, named.strike) == (
                each.name, each.kind, each.expiry, each.strike,
            )  # fmt: skip


def test_contracts_expire_on_trading_days_from_today_on(listed: Sequence[Instrument]) -> None:
    for exchange, day in {(each.exchange, each.expiry) for each in listed if each.expiry is not None}:
        assert day >= TODAY
        assert SHIPPED.is_trading_day(exchange, day)


def test_strikes_surround_the_level_on_both_sides_without_a_hole(listed: Sequence[Instrument]) -> None:
    strikes = defaultdict(set)
    for each in listed:
        if each.kind is Kind.CE:
            strikes[each.name].add(each.strike)
    for underlying in UNDERLYINGS:
        if not underlying.option_months:
            assert underlying.base not in strikes
            continue
        ladder = sorted(strikes[underlying.base])
        assert ladder[0] < underlying.level < ladder[-1]
        steps = {higher - lower for lower, higher in pairwise(ladder)}
        assert steps <= {underlying.step, 2 * underlying.step}
        assert all(each % underlying.step == 0 for each in ladder)
        near = [each for each in ladder if abs(each - underlying.level) <= underlying.step * underlying.near / 2]
        assert {higher - lower for lower, higher in pairwise(near)} == {underlying.step}


@pytest.mark.parametrize(
    ("base", "kind", "number"),
    [
        ("NIFTY", Kind.CE, 8),
        ("BANKNIFTY", Kind.CE, 3),
        ("SENSEX", Kind.PE, 8),
        ("SBIN", Kind.PE, 2),
        ("NIFTY", Kind.FUT, 3),
    ],
)
def test_weeks_months_and_quarters_are_listed(listed: Sequence[Instrument], base: str, kind: Kind, number: int) -> None:
    assert len({each.expiry for each in listed if (each.name, each.kind) == (base, kind)}) >= number


def test_the_list_changes_when_something_expires_and_only_then() -> None:
    days = [TODAY + timedelta(days=number) for number in range(6)]
    editions = [edition(day, SHIPPED) for day in days]
    # Saturday to Monday; NSE's contracts expire on Monday, natural gas on Tuesday, nothing on Wednesday.
    assert editions[0] == editions[1] == editions[2]
    assert len(set(editions[2:5])) == 3
    assert editions[4] == editions[5]


def test_a_contract_keeps_its_token_while_others_go(listed: Sequence[Instrument]) -> None:
    later = {(each.exchange, each.symbol): each.token for each in embedded_list(date(2026, 11, 25), SHIPPED)}
    kept = [each for each in listed if (each.exchange, each.symbol) in later]
    assert len(kept) > 10_000
    assert all(later[each.exchange, each.symbol] == each.token for each in kept)


def test_shares_and_indices_belong_to_no_day() -> None:
    assert not any(each.is_derivative for each in shares_and_indices())


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        ("0.05", "0.01"),
        ("249.99", "0.01"),
        ("250", "0.05"),
        ("999.95", "0.05"),
        ("1000", "0.10"),
        ("5000", "0.50"),
        ("10000", "1.00"),
        ("20000", "5.00"),
        ("152500", "5.00"),
    ],
)
def test_the_tick_follows_the_price_bands(price: str, tick: str) -> None:
    assert tick_size(Decimal(price)) == Decimal(tick)


@pytest.mark.parametrize(
    ("level", "most"),
    [("5750", 8500), ("13900", 2800), ("26050", 1800), ("27500", 1800), ("27500.05", 1200), ("58850", 600)],
)
def test_the_freeze_quantity_of_an_index_follows_its_level(level: str, most: int) -> None:
    assert index_freeze_quantity(Decimal(level)) == most
