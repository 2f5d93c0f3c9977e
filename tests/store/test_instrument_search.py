"""Search finds what a trader means, and shows first what he expects first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.instrument import Kind
from openalgo_bridge.model.order import Exchange
from tests.store.listing import DECEMBER, JANUARY, Listing, chain, contract, opened, share


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listing]:
    with opened(tmp_path_factory.mktemp("list")) as listing:
        listing.take(
            *chain("NIFTY", JANUARY, [26_000, 26_050]),
            *chain("NIFTY", DECEMBER, [26_050, 26_000, 2_600]),
            *chain("BANKNIFTY", DECEMBER, [26_000]),
            contract("NIFTY", Kind.FUT, JANUARY),
            contract("NIFTY", Kind.FUT, DECEMBER),
            contract("RELIANCE", Kind.FUT, DECEMBER),
            share("RELIANCE", "Reliance Industries", Exchange.BSE),
            share("RELIANCE", "Reliance Industries"),
            share("RPOWER", "Reliance Power"),
            share("HDFCBANK", "HDFC Bank"),
            share("BANKBARODA", "Bank of Baroda", token="1195777"),
            share("TATASTEEL", "Tata Steel"),
            share("M&M", "Mahindra and Mahindra"),
            share("BAJAJ-AUTO", "Bajaj Auto"),
            share("DIVISLAB", "Divi's Laboratories Ltd."),
        )
        yield listing


def found(listing: Listing, query: str, exchange: Exchange | None = None, limit: int = 500) -> list[str]:
    return [each.symbol for each in listing.instruments.search(query, exchange, limit=limit)]


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("nifty 26000 ce dec", ["NIFTY29DEC2626000CE"]),
        ("NIFTY 26000 CE", ["NIFTY29DEC2626000CE", "NIFTY26JAN2726000CE"]),
        ("26000 nifty put jan", ["NIFTY26JAN2726000PE"]),
        ("nifty 29dec26 fut", ["NIFTY29DEC26FUT"]),
        ("nifty 29-DEC-26 future", ["NIFTY29DEC26FUT"]),
        ("NIFTY29DEC26FUT", ["NIFTY29DEC26FUT"]),
        ("nifty29dec2626000", ["NIFTY29DEC2626000CE", "NIFTY29DEC2626000PE"]),
        ("NIFTY 29DEC26 26000 CE", ["NIFTY29DEC2626000CE"]),
        ("ZNIFTY26JAN27FUT", ["NIFTY26JAN27FUT"]),
        ("1195777", ["BANKBARODA"]),
        ("tata st", ["TATASTEEL"]),
        ("m&m", ["M&M"]),
        ("bajaj-auto", ["BAJAJ-AUTO"]),
        ("auto", ["BAJAJ-AUTO"]),
        ("divi laboratories.", ["DIVISLAB"]),
        ("steel tata tata", ["TATASTEEL"]),
        ("nifty 27000 ce", []),
        ("nosuch", []),
    ],
)
def test_words_find_what_has_all_of_them(listing: Listing, query: str, symbols: list[str]) -> None:
    assert found(listing, query) == symbols


def test_the_symbol_itself_comes_first_then_shares_then_what_expires_first(listing: Listing) -> None:
    assert found(listing, "reliance") == ["RELIANCE", "RELIANCE", "RPOWER", "RELIANCE29DEC26FUT"]
    exchanges = [each.exchange for each in listing.instruments.search("reliance")][:2]
    assert exchanges == [Exchange.NSE, Exchange.BSE]
    nifty = found(listing, "nifty")
    assert nifty[:4] == ["NIFTY29DEC26FUT", "NIFTY26JAN27FUT", "NIFTY29DEC262600CE", "NIFTY29DEC262600PE"]
    assert nifty[-1] == "NIFTY26JAN2726050PE"


def test_a_word_as_it_is_comes_before_one_that_begins_so_and_that_before_one_inside(listing: Listing) -> None:
    assert found(listing, "bank") == ["BANKBARODA", "HDFCBANK", "BANKNIFTY29DEC2626000CE", "BANKNIFTY29DEC2626000PE"]
    assert found(listing, "baroda", limit=1) == found(listing, "rod") == ["BANKBARODA"]


def test_an_exchange_narrows_the_search(listing: Listing) -> None:
    assert found(listing, "reliance", Exchange.BSE) == ["RELIANCE"]
    assert found(listing, "rel", Exchange.NFO) == ["RELIANCE29DEC26FUT"]
    assert found(listing, "reliance", Exchange.MCX) == []


def test_no_more_are_found_than_asked_for(listing: Listing) -> None:
    assert len(found(listing, "nifty", limit=3)) == 3


@pytest.mark.parametrize("query", ["", "   ", "'", '"', "*", "(", "- . _", "\0"])
def test_a_query_without_a_word_finds_nothing(listing: Listing, query: str) -> None:
    assert found(listing, query) == []


@given(query=st.text(max_size=120) | st.text("niftyNEAROT \"'*(){}:^-.&_26", max_size=40))
def test_no_query_is_a_fault(listing: Listing, query: str) -> None:
    names = found(listing, query)
    assert len(set(names)) >= len(names) - 1
