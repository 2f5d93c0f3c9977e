"""The instruments page: a search, the lists that were taken over, and what each of them changed."""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.store.instrument_lists import InstrumentLists
from tests.store.listing import DECEMBER, chain, share
from tests.web.conftest import Person

PAGE = "/settings/instruments"


def take_over(lists: InstrumentLists, *instruments: Instrument, edition: str) -> int:
    return lists.replace(instruments, source="zerodha", edition=edition, accept_fewer=True).id


@pytest.fixture
def second(desk: Desk) -> int:
    """The number of the second list of a broker: SBIN's lot is another one, INFY is gone, ITC is new."""
    lists = desk.store.instrument_lists
    take_over(lists, share("SBIN"), share("INFY"), edition="1")
    return take_over(lists, replace(share("SBIN"), lot=5), share("ITC"), edition="2")


def words(page: str) -> str:
    return " ".join(unescape(page).split())


def test_the_list_in_force_is_the_first_and_says_where_it_is_from(trader: Person, desk: Desk) -> None:
    loaded = desk.store.instrument_lists.latest()
    assert loaded is not None
    page = words(trader.get(PAGE).text)
    assert "The list that comes with the bridge" in page
    assert f"{loaded.size:,}" in page
    assert page.count("in force</span>") == 1


def test_settings_leads_here(trader: Person) -> None:
    page = trader.get("/settings").text
    assert f'href="{PAGE}"' in page
    assert "from the list that comes with the bridge, for 21 Nov 2026" in page


def test_a_search_tells_lot_tick_and_freeze_quantity(trader: Person, desk: Desk) -> None:
    page = words(trader.get(f"{PAGE}?q=nifty+26000+ce&exchange=NFO").text)
    (first, *_) = desk.store.instruments.search("nifty 26000 ce")
    assert f">{first.symbol}</th>" in page
    assert f'<td data-label="Lot" class="num">{first.lot:,}</td>' in page
    assert f'<td data-label="Tick" class="num">{first.tick}</td>' in page
    assert f'<td data-label="Freeze quantity" class="num">{first.freeze_quantity:,}</td>' in page
    assert 'value="nifty 26000 ce"' in page


def test_more_than_a_page_asks_for_another_word(trader: Person) -> None:
    page = words(trader.get(f"{PAGE}?q=nifty").text)
    assert "These are the first 50." in page
    assert page.count('data-label="Tick"') == 50


@pytest.mark.parametrize("exchange", ["", "NSE", "nowhere"])
def test_nothing_found_is_a_sentence(trader: Person, exchange: str) -> None:
    answer = trader.get(f"{PAGE}?q=nosuchthing&exchange={exchange}")
    assert answer.status_code == 200
    assert "Nothing is listed for “nosuchthing”" in answer.text


def test_what_a_list_changed_is_told_line_by_line(trader: Person, second: int) -> None:
    page = words(trader.get(f"{PAGE}?list={second}").text)
    assert "Zerodha's file against the one before it." in page
    assert (
        '<td data-label="What">Lot size</td> <td data-label="Before" class="num-text">1</td> '
        '<td data-label="Now" class="num-text text-break">5</td>'
    ) in page
    assert '<td data-label="What">New</td>' in page
    assert '<td data-label="What">Not listed any more</td>' in page


def test_the_changes_can_be_narrowed_to_one_kind(trader: Person, second: int) -> None:
    page = words(trader.get(f"{PAGE}?list={second}&what=lot").text)
    assert page.count('data-label="Before"') == 1
    assert '<option value="lot" selected>' in page
    assert "No line of this kind." in trader.get(f"{PAGE}?list={second}&what=tick").text


def test_changes_of_many_instruments_come_in_pages(trader: Person, desk: Desk) -> None:
    lists = desk.store.instrument_lists
    take_over(lists, share("SBIN"), edition="1")
    options = chain("NIFTY", DECEMBER, range(26_000, 27_500, 50))
    number = take_over(lists, share("SBIN"), *options, edition="2")
    after = lists.changes(number, limit=50)[-1].id
    pages = [trader.get(f"{PAGE}?list={number}").text, trader.get(f"{PAGE}?list={number}&after={after}").text]
    assert f"list={number}&amp;after={after}#changes" in pages[0]
    told = [[each.symbol for each in options if f">{each.symbol}</th>" in page] for page in pages]
    assert [len(each) for each in told] == [50, 10]
    assert sorted(told[0] + told[1]) == sorted(each.symbol for each in options)


def test_the_first_list_of_a_source_notes_nothing_and_says_why(trader: Person, desk: Desk) -> None:
    number = take_over(desk.store.instrument_lists, share("SBIN"), edition="1")
    assert "the list before it came from somewhere else" in trader.get(f"{PAGE}?list={number}").text


@pytest.mark.parametrize("number", ["0", "-1", "x", "999999", "9" * 30, ""])
def test_a_list_that_is_not_there_is_not_found(trader: Person, number: str) -> None:
    assert trader.get(f"{PAGE}?list={number}").status_code == 404
