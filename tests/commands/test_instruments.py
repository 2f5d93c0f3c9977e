"""``run.py instruments``: a broker's file takes the place of the list, or nothing changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from openalgo_bridge.commands.instruments import instruments
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Invalid
from openalgo_bridge.model.order import Action, Exchange, LegsKind, LegsRequest, OrderMode, OrderRequest, Product
from openalgo_bridge.model.ticket import Origin
from openalgo_bridge.trading import orders, several
from tests.brokers.test_zerodha_instruments import HEADER, NIFTY, SBIN, changed
from tests.conftest import TRADER

OTHER = changed(SBIN, "instrument_token", "2953217")
ORIGIN = Origin(source="api", strategy="test", request_id="r1")
INFY = changed(changed(SBIN, "tradingsymbol", "INFY"), "instrument_token", "408065")


def ran(desk: Desk, *arguments: str) -> str:
    """What the command said. Raises what it raised."""
    done = CliRunner().invoke(instruments, list(arguments), obj=desk.settings)
    if isinstance(done.exception, BridgeError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def written(file: Path, *lines: str) -> str:
    file.write_text("".join(f"{line}\n" for line in (HEADER, *lines)), encoding="utf-8")
    return str(file)


def test_a_file_is_taken_over_beside_a_running_bridge(desk: Desk, tmp_path: Path) -> None:
    ran(desk, written(tmp_path / "monday.csv", SBIN, INFY, NIFTY), "--accept-fewer")
    abroad = changed(changed(SBIN, "exchange", "NSEIX"), "instrument_token", "1")
    told = ran(desk, written(tmp_path / "tuesday.csv", changed(SBIN, "lot_size", "25"), NIFTY, abroad))
    assert told.startswith("2 instruments are in force. Since the former list 0 appeared, 0 expired, 1 vanished; of 1")
    assert "Left out: 1 of an exchange that is not known." in told
    assert "  lot: SBIN on NSE 1 25" in told
    assert "  vanished: INFY on NSE" in told

    desk.store.instrument_lists.roll()
    found = desk.store.instruments.find(Exchange.NSE, "SBIN")
    assert found is not None
    assert (found.lot, found.token) == (25, "779521")


def test_a_file_of_one_tenth_is_taken_only_when_it_is_meant(desk: Desk, tmp_path: Path) -> None:
    many = [changed(changed(SBIN, "tradingsymbol", f"S{n}"), "instrument_token", f"{n}") for n in range(10)]
    with pytest.raises(Invalid, match="looks cut short"):
        ran(desk, written(tmp_path / "monday.csv", *many))
    ran(desk, str(tmp_path / "monday.csv"), "--accept-fewer")
    cut = written(tmp_path / "cut.csv", SBIN)
    with pytest.raises(Invalid, match="looks cut short"):
        ran(desk, cut)
    assert desk.store.instruments.count() == 10
    assert ran(desk, cut, "--accept-fewer").startswith("1 instruments are in force.")


def test_a_file_without_what_is_held_or_waits_is_taken_only_when_it_is_meant(desk: Desk, tmp_path: Path) -> None:
    order = OrderRequest(symbol="INFY", exchange=Exchange.NSE, action=Action.BUY, quantity=1, product=Product.MIS)
    ran(desk, written(tmp_path / "all.csv", SBIN, INFY, NIFTY), "--accept-fewer")
    orders.place(desk, order, ORIGIN)
    desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    both = (replace(order, symbol="SBIN"), replace(order, symbol="SBIN", quantity=2))
    several.place(desk, LegsRequest(kind=LegsKind.BASKET, orders=both), ORIGIN)
    with pytest.raises(Invalid, match=r"positions or orders in: INFY on NSE, SBIN on NSE\."):
        ran(desk, written(tmp_path / "others.csv", NIFTY, changed(OTHER, "tradingsymbol", "TCS")))


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_a_file_that_cannot_be_opened_is_told_by_name(desk: Desk, tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        ran(desk, str(tmp_path / name))


def test_a_file_that_is_no_text_is_refused(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "zip.csv").write_bytes(b"PK\x03\x04\xff\xfe\x00\x00")
    before = desk.store.instruments.count()
    with pytest.raises(Invalid, match="Line 1 of the file cannot be read"):
        ran(desk, str(tmp_path / "zip.csv"))
    assert desk.store.instruments.count() == before


def test_a_file_of_which_nothing_is_taken_says_what_was_left_out(desk: Desk, tmp_path: Path) -> None:
    lots = written(tmp_path / "lots.csv", changed(SBIN, "lot_size", "1" + "0" * 24))
    with pytest.raises(Invalid, match=r"has no instruments.*Left out: 1 with a lot, tick or price that no order could"):
        ran(desk, lots)
