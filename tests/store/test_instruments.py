"""Look-ups in the instrument list, and the contracts of an underlying."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from openalgo_bridge.model.instrument import FUTURES, OPTIONS, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store.embedded_list import shares_and_indices
from tests.store.listing import DECEMBER, JANUARY, Listing, chain, contract, opened, share

TODAY = date(2026, 11, 21)


@pytest.fixture
def listing(tmp_path: Path) -> Iterator[Listing]:
    with opened(tmp_path) as listing:
        yield listing


def test_every_listed_instrument_is_found_as_it_was_listed(listing: Listing) -> None:
    listing.lists.ensure()
    assert listing.instruments.count() == len(shares_and_indices())
    for each in shares_and_indices():
        assert listing.instruments.find(each.exchange, each.symbol) == each


def test_a_contract_is_found_with_all_its_terms(listing: Listing) -> None:
    call = contract("VEDL", Kind.CE, DECEMBER, "292.5", lot=1150, tick=Decimal("0.0025"))
    listing.take(call)
    assert listing.instruments.find(Exchange.NFO, "VEDL29DEC26292.5CE") == call
    assert (call.underlying, call.underlying_exchange) == ("VEDL", Exchange.NSE)


@pytest.mark.parametrize(
    ("exchange", "symbol"),
    [
        (Exchange.NSE, "NOSUCH"),
        (Exchange.NFO, "SBIN"),
        (Exchange.NSE, "sbin"),
        (Exchange.NSE, "SBIN "),
        (Exchange.NSE, ""),
    ],
)
def test_an_unlisted_symbol_is_absent(listing: Listing, exchange: Exchange, symbol: str) -> None:
    listing.lists.ensure()
    assert listing.instruments.find(exchange, symbol) is None


def test_expiries_are_told_by_kind_nearest_first_and_none_of_the_past(listing: Listing) -> None:
    nifty = [
        contract("NIFTY", Kind.FUT, JANUARY),
        *chain("NIFTY", JANUARY, [26_000]),
        *chain("NIFTY", DECEMBER, [26_000]),
    ]
    listing.take(*nifty, *chain("NIFTYNXT50", date(2026, 12, 1), [69_000]))
    find = listing.instruments.expiries
    assert find(Exchange.NFO, "NIFTY", OPTIONS, today=TODAY) == [DECEMBER, JANUARY]
    assert find(Exchange.NFO, "NIFTY", FUTURES, today=TODAY) == [JANUARY]
    assert find(Exchange.NFO, "NIFTY", OPTIONS, today=DECEMBER) == [DECEMBER, JANUARY]
    assert find(Exchange.NFO, "NIFTY", OPTIONS, today=date(2026, 12, 30)) == [JANUARY]
    assert find(Exchange.BFO, "NIFTY", OPTIONS, today=TODAY) == []


def test_a_chain_pairs_calls_and_puts_by_strike_as_numbers_go(listing: Listing) -> None:
    rows = [*chain("VEDL", DECEMBER, [1000, 990]), contract("VEDL", Kind.PE, DECEMBER, "997.5")]
    listing.take(*rows, *chain("VEDL", JANUARY, [500]), contract("VEDL", Kind.FUT, DECEMBER))
    found = listing.instruments.chain(Exchange.NFO, "VEDL", DECEMBER)
    assert [str(row.strike) for row in found] == ["990", "997.5", "1000"]
    assert [row.strike for row in found] == listing.instruments.strikes(Exchange.NFO, "VEDL", DECEMBER)
    assert found[1].call is None
    assert found[1].put == rows[-1]
    assert found[2].call == rows[0]


def test_a_chain_is_remembered_until_the_list_changes(listing: Listing) -> None:
    listing.take(*chain("VEDL", DECEMBER, [1000]))
    ask = partial(listing.instruments.chain, Exchange.NFO, "VEDL", DECEMBER)
    assert ask() is ask()
    listing.take(*chain("VEDL", DECEMBER, [1000, 990]))
    assert [str(row.strike) for row in ask()] == ["990", "1000"]
    listing.take(share("SBIN"), accept_fewer=True)
    assert ask() == ()


def test_only_so_many_chains_are_remembered(listing: Listing) -> None:
    days = [DECEMBER + timedelta(days=each) for each in range(40)]
    listing.take(*(option for day in days for option in chain("VEDL", day, [1000])))
    for day in days:
        assert len(listing.instruments.chain(Exchange.NFO, "VEDL", day)) == 1
    assert 0 < len(listing.instruments._chains) <= 32


def test_futures_come_nearest_first(listing: Listing) -> None:
    near, far = contract("NIFTY", Kind.FUT, DECEMBER), contract("NIFTY", Kind.FUT, JANUARY)
    listing.take(far, near, *chain("NIFTY", DECEMBER, [26_000]))
    assert listing.instruments.futures(Exchange.NFO, "NIFTY", today=TODAY) == [near, far]
    assert listing.instruments.futures(Exchange.NFO, "NIFTY", today=date(2026, 12, 30)) == [far]


def test_a_stream_has_every_row_once_and_stays_small(listing: Listing) -> None:
    listing.take(
        *(share(f"S{number:05d}") for number in range(5_000)), *chain("NIFTY", DECEMBER, range(20_000, 21_000))
    )
    tracemalloc.start()
    assert sum(1 for _ in listing.instruments.stream()) == 7_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000
    assert listing.symbols(Exchange.NSE) == [f"S{number:05d}" for number in range(5_000)]
