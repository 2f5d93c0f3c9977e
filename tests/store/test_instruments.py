"""The instrument list that comes with the bridge, in a real file."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.embedded_list import embedded_list, tick_size
from openalgo_bridge.store.instruments import Instruments


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "instruments.db", synchronous="NORMAL")
    opened.migrate(schema.instruments)
    yield opened
    opened.close()


@pytest.fixture
def instruments(db: Database) -> Instruments:
    listed = Instruments(db)
    listed.ensure_embedded_list()
    return listed


def test_every_listed_instrument_is_found_as_it_was_listed(instruments: Instruments) -> None:
    assert instruments.count() == len(embedded_list())
    for each in embedded_list():
        assert instruments.find(each.exchange, each.symbol) == each


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
def test_an_unlisted_symbol_is_absent(instruments: Instruments, exchange: Exchange, symbol: str) -> None:
    assert instruments.find(exchange, symbol) is None


def test_a_second_start_leaves_the_list_alone(db: Database, instruments: Instruments) -> None:
    db.write("UPDATE instrument SET name = 'seen' WHERE symbol = 'SBIN'")
    instruments.ensure_embedded_list()
    assert name_of(instruments) == "seen"


def test_another_edition_of_the_list_replaces_the_old_one(db: Database, instruments: Instruments) -> None:
    db.write("UPDATE instrument_list SET edition = 'an older one'")
    db.write("UPDATE instrument SET name = 'old'")
    db.write("DELETE FROM instrument WHERE symbol = 'INFY'")
    instruments.ensure_embedded_list()
    assert name_of(instruments) == "State Bank of India"
    assert instruments.count() == len(embedded_list())


def test_a_brokers_list_is_never_replaced_by_ours(db: Database, instruments: Instruments) -> None:
    db.write("UPDATE instrument_list SET source = 'broker', edition = '2026-11-21'")
    db.write("UPDATE instrument SET name = 'theirs'")
    instruments.ensure_embedded_list()
    assert name_of(instruments) == "theirs"


def test_the_list_is_what_was_promised() -> None:
    listed = embedded_list()
    shares = [each for each in listed if each.exchange is Exchange.NSE]
    assert len(shares) >= 60
    assert {each.symbol for each in listed if each.exchange is Exchange.BSE} < {each.symbol for each in shares}
    assert {each.symbol for each in listed if each.exchange is Exchange.NSE_INDEX} >= {
        "NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "INDIAVIX",
    }  # fmt: skip
    assert {each.symbol for each in listed if each.exchange is Exchange.BSE_INDEX} >= {"SENSEX", "BANKEX", "SENSEX50"}


def test_every_row_of_the_list_makes_sense() -> None:
    listed = embedded_list()
    assert len({(each.exchange, each.symbol) for each in listed}) == len({each.token for each in listed}) == len(listed)
    for each in listed:
        assert each.reference_price > 0
        assert each.reference_price % each.tick == 0, each.symbol
        assert each.lot == 1
        assert each.is_index == (each.freeze_quantity == 0), each.symbol
        assert each.is_index or each.tick == tick_size(each.reference_price)


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


def name_of(instruments: Instruments) -> str:
    found = instruments.find(Exchange.NSE, "SBIN")
    assert found is not None
    return found.name
