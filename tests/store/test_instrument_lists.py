"""One list takes the place of another, whole or not at all, and says what it changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.calendar import Calendar
from openalgo_bridge.model.holidays import SHIPPED
from openalgo_bridge.model.instrument import Instrument, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store import instrument_lists
from openalgo_bridge.store.embedded_list import shares_and_indices
from tests.store.listing import DECEMBER, JANUARY, Listing, chain, contract, opened, share

SBIN, INFY = share("SBIN"), share("INFY")


@pytest.fixture
def listing(tmp_path: Path) -> Iterator[Listing]:
    with opened(tmp_path) as listing:
        yield listing


# -- the list that comes with the bridge -----------------------------------------------------------------


def test_the_embedded_list_is_brought_to_each_day_and_what_expired_can_still_be_named(listing: Listing) -> None:
    listing.lists.ensure()
    assert listing.instruments.find(Exchange.NFO, "NIFTY23NOV26FUT") is None
    listing.lists.roll()
    loaded = listing.lists.latest()
    future = listing.instruments.find(Exchange.NFO, "NIFTY23NOV26FUT")
    assert loaded is not None
    assert future is not None
    assert (loaded.size, loaded.day, future.left_on) == (listing.instruments.count(), date(2026, 11, 21), None)
    assert listing.lines() == []

    listing.clock.move(days=3)
    listing.lists.roll()
    rolled = listing.lists.latest()
    assert rolled is not None
    assert rolled.id > loaded.id
    assert (rolled.vanished, rolled.changed) == (0, 0)
    assert rolled.expired == rolled.appeared + loaded.size - rolled.size > 0
    assert listing.instruments.find(Exchange.NFO, "NIFTY23NOV26FUT") == replace(future, left_on=date(2026, 11, 24))
    assert "NIFTY23NOV26FUT" not in listing.symbols(Exchange.NFO)
    assert ("NIFTY23FEB27FUT", "appeared", "", "") in listing.lines()


def test_a_day_on_which_nothing_expired_writes_no_list(listing: Listing) -> None:
    listing.lists.ensure()
    listing.lists.roll()
    before = listing.lists.latest()
    listing.clock.move(days=1)
    listing.lists.roll()
    assert listing.lists.latest() == before


def test_a_list_that_is_there_is_left_alone(listing: Listing) -> None:
    listing.take(SBIN)
    listing.lists.ensure()
    listing.lists.roll()
    listing.clock.move(days=30)
    listing.lists.roll()
    assert listing.symbols() == ["SBIN"]


def test_the_list_of_another_process_is_noticed(listing: Listing, tmp_path: Path) -> None:
    listing.take(SBIN)
    assert listing.instruments.find(Exchange.NSE, "SBIN") == SBIN
    with opened(tmp_path) as other:
        other.take(replace(SBIN, lot=25))
    listing.lists.roll()
    assert listing.instruments.find(Exchange.NSE, "SBIN") == replace(SBIN, lot=25)


def test_a_list_that_another_process_takes_over_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    def calendar_read_slowly() -> Calendar:
        with opened(tmp_path) as other:
            other.take(SBIN, accept_fewer=True)
        return SHIPPED

    with opened(tmp_path, calendar_read_slowly) as listing:
        listing.lists.ensure()
        listing.lists.roll()
        latest = listing.lists.latest()
        assert latest is not None
        assert latest.source == "broker"
        listing.lists.roll()
        assert listing.instruments.find(Exchange.NSE, "SBIN") == SBIN


# -- what a list changed ---------------------------------------------------------------------------------


def test_what_appeared_vanished_and_changed_is_told_line_by_line(listing: Listing) -> None:
    gone, call = share("OLDNAME"), contract("NIFTY", Kind.CE, DECEMBER, 26_000)
    listing.take(SBIN, INFY, gone, call)
    changed = replace(call, lot=75, tick=Decimal("0.10"), freeze_quantity=1755)
    loaded = listing.take(replace(SBIN, token="77"), INFY, share("NEWNAME"), changed)
    assert (loaded.size, loaded.appeared, loaded.vanished, loaded.expired, loaded.changed) == (4, 1, 1, 0, 2)
    assert sorted(listing.lines()) == [
        ("NEWNAME", "appeared", "", ""),
        ("NIFTY29DEC2626000CE", "freeze quantity", "1800", "1755"),
        ("NIFTY29DEC2626000CE", "lot", "65", "75"),
        ("NIFTY29DEC2626000CE", "tick", "0.05", "0.10"),
        ("OLDNAME", "vanished", "", ""),
        ("SBIN", "token", "NSESBIN", "77"),
    ]
    assert listing.instruments.find(Exchange.NFO, changed.symbol) == changed


def test_what_expired_has_not_vanished(listing: Listing) -> None:
    listing.take(contract("NIFTY", Kind.FUT, DECEMBER), contract("NIFTY", Kind.FUT, JANUARY))
    listing.clock.move(days=39)
    loaded = listing.take(contract("NIFTY", Kind.FUT, JANUARY))
    assert (loaded.expired, loaded.vanished) == (1, 0)


def test_against_another_source_only_numbers_are_told(listing: Listing) -> None:
    listing.lists.ensure()
    loaded = listing.take(SBIN, share("NEWNAME"), accept_fewer=True)
    assert (loaded.appeared, loaded.vanished, loaded.changed) == (1, len(shares_and_indices()) - 1, 1)
    assert listing.lines() == []


def test_changes_are_read_a_page_at_a_time(listing: Listing) -> None:
    listing.take(SBIN)
    loaded = listing.take(SBIN, *(share(f"N{number}") for number in range(5)))
    first = listing.lists.changes(loaded.id, limit=3)
    rest = listing.lists.changes(loaded.id, after=first[-1].id, limit=3)
    assert [each.symbol for each in (*first, *rest)] == ["N0", "N1", "N2", "N3", "N4"]


def test_an_instrument_that_comes_back_is_a_former_one_no_longer(listing: Listing) -> None:
    listing.take(SBIN, INFY)
    listing.take(SBIN)
    left = listing.instruments.find(Exchange.NSE, "INFY")
    assert left is not None
    assert left.left_on == date(2026, 11, 21)
    listing.take(SBIN, INFY)
    assert listing.instruments.find(Exchange.NSE, "INFY") == INFY
    listing.db.write("DELETE FROM instrument")
    listing.instruments.forget()
    assert listing.instruments.find(Exchange.NSE, "INFY") is None


def test_what_left_the_list_is_forgotten_after_some_weeks(listing: Listing) -> None:
    listing.take(SBIN, INFY)
    listing.take(SBIN)
    listing.clock.move(days=35)
    listing.take(SBIN)
    assert listing.instruments.find(Exchange.NSE, "INFY") is not None
    listing.clock.move(days=1)
    listing.take(SBIN)
    assert listing.instruments.find(Exchange.NSE, "INFY") is None


def test_the_lists_of_the_last_weeks_are_kept(listing: Listing) -> None:
    for number in range(45):
        listing.take(replace(SBIN, lot=number + 1))
    kept = listing.lists.loaded()
    assert [each.id for each in kept] == list(range(45, 5, -1))
    assert listing.lists.changes(5) == []


# -- what is not taken -----------------------------------------------------------------------------------


def truncated() -> Iterator[Instrument]:
    yield share("NEWNAME")
    raise Invalid("Line 3 of the file is not whole.")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "has no instruments"),
        ([SBIN, INFY, share("SBIN")], "same instrument twice .NSE:SBIN."),
        ([SBIN, replace(INFY, token=SBIN.token)], "same token twice .NSE:NSESBIN."),
        ([SBIN], "1 instruments, the former one 3: it looks cut short"),
        (truncated(), "Line 3"),
    ],
    ids=["empty", "instrument", "token", "short", "truncated"],
)
def test_a_list_that_cannot_be_right_leaves_the_former_one_in_force(
    listing: Listing, rows: list[Instrument], sentence: str
) -> None:
    former = listing.take(SBIN, INFY, share("TCS"))
    with pytest.raises(Invalid, match=sentence):
        listing.take(*()) if not rows else listing.lists.replace(rows, source="broker", edition="new")
    assert listing.symbols() == ["INFY", "SBIN", "TCS"]
    assert listing.lists.latest() == former
    assert [each.symbol for each in listing.instruments.search("sbin")] == ["SBIN"]
    assert listing.instruments.find(Exchange.NSE, "NEWNAME") is None


def test_the_length_of_a_list_is_judged_by_the_former_one_whatever_its_source(listing: Listing) -> None:
    listing.lists.ensure()
    before = listing.lists.latest()
    with pytest.raises(Invalid, match="looks cut short"):
        listing.take(SBIN)
    assert listing.lists.latest() == before


def test_a_list_without_what_is_in_use_is_taken_only_when_it_is_meant(listing: Listing) -> None:
    future, spent = contract("NIFTY", Kind.FUT, DECEMBER), contract("NIFTY", Kind.FUT, date(2026, 11, 20))
    listing.take(SBIN, INFY, future, spent)
    listing.in_use.update((each.exchange, each.symbol) for each in (INFY, future, spent))
    with pytest.raises(Invalid, match=r"positions or orders in: NIFTY29DEC26FUT on NFO, INFY on NSE\."):
        listing.take(SBIN, share("TCS"))
    assert listing.take(SBIN, share("TCS"), accept_fewer=True).size == 2
    assert listing.take(SBIN, share("TCS")).size == 2


def test_what_left_the_list_is_kept_as_long_as_it_is_in_use(listing: Listing) -> None:
    listing.take(SBIN, INFY)
    listing.in_use.add((Exchange.NSE, "INFY"))
    listing.take(SBIN, accept_fewer=True)
    listing.clock.move(days=100)
    listing.take(SBIN)
    assert listing.instruments.find(Exchange.NSE, "INFY") is not None
    listing.in_use.clear()
    listing.take(SBIN)
    assert listing.instruments.find(Exchange.NSE, "INFY") is None


def test_a_list_without_end_is_not_taken(listing: Listing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instrument_lists, "MOST_INSTRUMENTS", 10)
    with pytest.raises(Invalid, match="more than 10 instruments"):
        listing.take(*(share(f"N{number}") for number in range(11)))
    assert listing.take(*(share(f"N{number}") for number in range(10))).size == 10


def test_a_short_list_is_taken_when_it_is_meant(listing: Listing) -> None:
    listing.take(SBIN, INFY, share("TCS"))
    assert listing.take(SBIN, accept_fewer=True).size == 1


def test_a_name_that_two_instruments_would_have_is_nobodys(listing: Listing) -> None:
    """Two of one name, one of them a warrant: an order must not reach the one that was not meant."""
    warrant = replace(SBIN, broker_symbol="SBIN-W1", token="99", lot=33_340)
    listing.take(SBIN, INFY)
    loaded = listing.take(SBIN, INFY, warrant)
    assert (loaded.size, loaded.conflicts) == (1, 1)
    found = listing.instruments.find(Exchange.NSE, "SBIN")
    assert found is not None
    assert found.left_on is not None
    assert listing.instruments.name_conflict(Exchange.NSE, "SBIN") == "SBIN, SBIN-W1"
    assert listing.instruments.name_conflict(Exchange.NSE, "INFY") == ""
    assert ("SBIN", "two of one name", "", "SBIN, SBIN-W1") in listing.lines()
    listing.take(SBIN, INFY)
    assert listing.instruments.name_conflict(Exchange.NSE, "SBIN") == ""


# -- beside readers --------------------------------------------------------------------------------------


def test_whoever_reads_meanwhile_sees_one_list_or_the_other(listing: Listing) -> None:
    small, large = (
        [SBIN, *chain("NIFTY", DECEMBER, range(100, 150))],
        [SBIN, *chain("NIFTY", DECEMBER, range(100, 200))],
    )
    listing.take(*small)
    seen: set[tuple[int, int]] = set()
    faults: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                with listing.db.snapshot() as db:
                    listed = db.execute("SELECT count(*) FROM instrument").fetchone()[0]
                    words = db.execute("SELECT count(*) FROM instrument_words WHERE instrument_words MATCH 'nifty'")
                    seen.add((listed, words.fetchone()[0]))
                assert listing.instruments.find(Exchange.NSE, "SBIN") == SBIN
        except Exception as fault:  # noqa: BLE001 - shown by the assertion below
            faults.append(fault)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(10):
        listing.take(*(large if number % 2 == 0 else small), accept_fewer=True)
    done.set()
    for reader in readers:
        reader.join()
    assert not faults
    assert seen <= {(101, 100), (201, 200)}


def test_what_files_leave_out_is_filled_in_where_it_is_known(listing: Listing) -> None:
    bare = {"freeze_quantity": 0, "reference_price": Decimal(0)}
    listing.take(
        share("SBIN", **bare),
        share("UNHEARDOF", **bare),
        contract("NIFTY", Kind.FUT, DECEMBER, **bare),
        contract("SBIN", Kind.FUT, DECEMBER, **bare),
    )
    find = listing.instruments.find
    terms = [find(Exchange.NSE, "SBIN"), find(Exchange.NSE, "UNHEARDOF"), find(Exchange.NFO, "NIFTY29DEC26FUT")]
    terms.append(find(Exchange.NFO, "SBIN29DEC26FUT"))
    assert [(each.reference_price, each.freeze_quantity) for each in terms if each is not None] == [
        (Decimal(968), 0),
        (Decimal(0), 0),
        (Decimal(26_050), 1_800),
        (Decimal(968), 0),
    ]
