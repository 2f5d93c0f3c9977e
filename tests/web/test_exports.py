"""The files of the Orders and the Positions page."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent
from openalgo_bridge.model.order import Action, CancelAllRequest
from openalgo_bridge.trading import closing
from openalgo_bridge.web.closing import BY_HAND
from tests.conftest import Account, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_trader_at, an_order, hold, send
from tests.web.test_action_center_lists import many


def rows_at(person: Person, path: str) -> list[dict[str, str]]:
    answer = person.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_the_orders_file_has_the_whole_list_of_the_page(trader: Person, desk: Desk) -> None:
    many(desk, 201)
    send(desk, an_order(quantity=52))
    hold(desk, an_order("INFY", 9), strategy="+other")
    rows = rows_at(trader, "/orders/export.csv")
    assert [row["ticket"] for row in rows] == [str(number) for number in range(203, 0, -1)]
    assert (rows[0]["outcome"], rows[0]["filled"], rows[0]["strategy"]) == ("waiting", "", "'+other")
    assert (rows[1]["outcome"], rows[1]["filled"], rows[1]["order_id"][:6]) == ("filled", "52", "261121")
    assert [row["ticket"] for row in rows_at(trader, "/orders/export.csv?outcome=filled")] == ["202"]
    assert len(rows_at(trader, "/orders/export.csv?outcome=waiting")) == 202
    assert [row["symbol"] for row in rows_at(trader, "/orders/export.csv?symbol=infy")] == ["INFY"]


def test_a_ticket_of_many_has_a_row_for_each_of_its_messages(trader: Person, desk: Desk) -> None:
    send(desk, an_order("INFY", 5, price="1300"))
    send(desk, an_order("INFY", 6, price="1300"))
    closing.cancel_all(desk, CancelAllRequest(), BY_HAND)
    rows = rows_at(trader, "/orders/export.csv")
    assert [(row["operation"], row["outcome"]) for row in rows] == [
        ("cancelorder", "done"),
        ("cancelorder", "done"),
        ("placeorder", "cancelled"),
        ("placeorder", "cancelled"),
    ]
    assert {row["order_id"] for row in rows[:2]} == {row["order_id"] for row in rows[2:]}
    assert len({row["ticket"] for row in rows[:2]}) == 1


def test_the_orders_of_an_earlier_day_are_there_too(trader: Person, desk: Desk, clock: FixedClock) -> None:
    send(desk, an_order(quantity=10))
    clock.move(days=1)
    trader.sign_in()
    assert rows_at(trader, "/orders/export.csv") == []
    (row,) = rows_at(trader, "/orders/export.csv?day=2026-11-21")
    assert (row["time_ist"], row["filled"]) == ("2026-11-21 10:30:00", "10")


def test_the_positions_file_says_what_the_page_does(trader: Person, desk: Desk) -> None:
    send(desk, replace(an_order("INFY", 10), action=Action.SELL))
    send(desk, an_order("TCS", 3))
    send(desk, replace(an_order("TCS", 3), action=Action.SELL))
    short, closed = rows_at(trader, "/positions/export.csv")
    assert (short["symbol"], short["quantity"], short["product"]) == ("INFY", "-10", "MIS")
    assert (closed["symbol"], closed["quantity"]) == ("TCS", "0")
    assert Decimal(closed["profit"]) == Decimal(closed["booked"]) != 0


@pytest.mark.parametrize("path", ["/orders/export.csv", "/positions/export.csv", "/holdings/export.csv"])
def test_no_file_is_given_where_the_broker_cannot_be_read(desk: Desk, account: Account, path: str) -> None:
    broker = ScriptedBroker(desk)
    scripted = with_broker(desk, broker)
    send(scripted)
    broker.unreadable = NotSent("The connection never opened.")
    answer = a_trader_at(scripted).get(path)
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "The connection never opened." in answer.text
