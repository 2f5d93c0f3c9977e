"""The Trades page: every fill with the ticket behind it, sums that add up, any day that the broker keeps."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from werkzeug.test import TestResponse

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent
from openalgo_bridge.model.books import Trade
from openalgo_bridge.model.order import Action, BrokerOrderId, Exchange, Product, TradingMode
from tests.conftest import TRADER, Account, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.web.conftest import Person, a_trader_at, an_order, send


def a_trade(desk: Desk, number: int, price: str = "1000", quantity: int = 1, action: Action = Action.BUY) -> Trade:
    return Trade(
        id=f"T{number}",
        order_id=BrokerOrderId(f"S{number}"),
        symbol="RELIANCE",
        exchange=Exchange.NSE,
        product=Product.MIS,
        action=action,
        quantity=quantity,
        price=Decimal(price),
        traded_at=desk.clock.now(),
    )


def rows_of(text: str) -> list[str]:
    return re.findall(r"<tr>\s*<td data-label=\"Time\".*?</tr>", text, re.DOTALL)


def cells_of(text: str, label: str) -> list[str]:
    return re.findall(rf'<td data-label="{label}"[^>]*>(.*?)</td>', text, re.DOTALL)


def sums_of(text: str) -> list[str]:
    return [
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).strip() for row in text.split("<tfoot>")[1].split("</tr>")
    ]


def file_of(answer: TestResponse) -> list[dict[str, str]]:
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


# -- the list ----------------------------------------------------------------------------------------------------


def test_a_fill_leads_to_the_ticket_it_came_from_and_names_who_asked(trader: Person, desk: Desk) -> None:
    send(desk, an_order("INFY", 7), strategy="breakout")
    (row,) = rows_of(trader.get("/trades").text)
    assert "INFY" in row
    assert "a program, breakout" in row
    (link,) = re.findall(r'href="([^"]+)"', row)
    assert "BUY 7 INFY" in trader.get(link).text


@pytest.mark.parametrize(
    ("mode", "told"), [(TradingMode.ANALYZE, "the exchange itself"), (TradingMode.LIVE, "outside the bridge")]
)
def test_what_nobody_asked_for_here_is_said_to_be(desk: Desk, account: Account, mode: TradingMode, told: str) -> None:
    """At the paper exchange only the exchange trades by itself: it squares off, and fires what waited."""
    broker = ScriptedBroker(desk, trades=[a_trade(desk, 1)])
    desk.store.preferences.set_trading_mode(mode, by=TRADER)
    (row,) = rows_of(a_trader_at(with_broker(desk, broker, mode)).get("/trades").text)
    assert told in row
    assert "href" not in row


def test_both_sides_are_summed_and_one_instrument_has_an_average_price(desk: Desk, account: Account) -> None:
    bought = [a_trade(desk, 1, "1000", 10), a_trade(desk, 2, "1003", 20)]
    sold = a_trade(desk, 3, "1010", 5, Action.SELL)
    broker = ScriptedBroker(desk, trades=[*bought, sold])
    person = a_trader_at(with_broker(desk, broker))
    told = sums_of(person.get("/trades").text)
    assert told[:2] == ["Bought, 2 fills 30 1,002.00 ₹30,060.00", "Sold, 1 fill 5 1,010.00 ₹5,050.00"]
    broker.trades.append(replace(a_trade(desk, 4, "10", 3), symbol="IDEA"))
    told = sums_of(person.get("/trades").text)
    assert told[0] == "Bought, 3 fills ₹30,090.00", "units of two things add up to nothing"


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("symbol=infy", 1),
        ("symbol=INF", 0),
        ("action=sell", 1),
        ("exchange=NSE&strategy=other", 1),
        ("exchange=BSE", 0),
        ("action=nonsense&exchange=MARS&day=yesterday&before=junk", 3),
        ("day=2999-01-01&symbol=&strategy=", 3),
        ("symbol=%00%27;--&before=%00", 0),
    ],
)
def test_the_filters_narrow_and_nonsense_shows_the_nearest_sensible_list(
    trader: Person, desk: Desk, query: str, rows: int
) -> None:
    send(desk, an_order("INFY"))
    send(desk, an_order(), strategy="other")
    send(desk, replace(an_order(), action=Action.SELL))
    answer = trader.get(f"/trades?{query}")
    assert answer.status_code == 200
    assert len(rows_of(answer.text)) == rows
    if not rows:
        assert "Show all of that day" in answer.text


def test_the_list_is_paged_by_the_last_fill_seen_while_the_market_trades_on(desk: Desk, account: Account) -> None:
    broker = ScriptedBroker(desk, trades=[a_trade(desk, number) for number in range(120, 0, -1)])
    person = a_trader_at(with_broker(desk, broker))
    first = person.get("/trades?action=BUY").text
    older = re.search(r'href="(/trades\?action=BUY&amp;before=T71)"', first)
    assert older is not None
    broker.trades.insert(0, a_trade(desk, 121))
    second = person.get("/trades?action=BUY&before=T71").text
    assert len(rows_of(first)) == len(rows_of(second)) == 50
    assert "T71" not in second.split("<tfoot>")[0]
    assert sums_of(second)[0].startswith("Bought, 121 fills"), "the sum is of the whole list"
    assert len(rows_of(person.get("/trades?before=T21").text)) == 20


def test_an_earlier_day_is_shown_where_the_broker_keeps_it(trader: Person, desk: Desk, clock: FixedClock) -> None:
    send(desk, an_order("INFY", 3))
    clock.move(days=1)
    trader.sign_in()
    send(desk, an_order("TCS", 4))
    assert cells_of(trader.get("/trades").text, "Quantity")[0] == "4"
    text = trader.get("/trades?day=2026-11-21").text
    assert cells_of(text, "Quantity")[:2] == ["3", "3"]
    squared_off, bought = rows_of(text)
    assert "breakout" in bought, "the ticket behind it is known"
    assert "the exchange itself" in squared_off
    assert "No trade on 20 Nov 2026" in trader.get("/trades?day=2026-11-20").text


def test_where_it_keeps_none_the_orders_of_that_day_are_named(desk: Desk, account: Account) -> None:
    person = a_trader_at(with_broker(desk, ScriptedBroker(desk)))
    answer = person.get("/trades?day=2026-11-20")
    assert answer.status_code == 200
    assert "This broker tells today" in answer.text
    assert 'href="/orders?day=2026-11-20"' in answer.text


def test_what_was_filled_after_midnight_carries_its_date(trader: Person, desk: Desk, clock: FixedClock) -> None:
    send(desk)
    clock.move(hours=14)  # 00:30 IST: the books are still those of the day before
    trader.sign_in()
    assert "21 Nov 2026 10:30:00" in trader.get("/trades").text


def test_a_broker_that_cannot_be_read_is_said_and_no_half_file_is_given(desk: Desk, account: Account) -> None:
    broker = ScriptedBroker(desk, trades=[a_trade(desk, 1)], unreadable=NotSent("The connection never opened."))
    person = a_trader_at(with_broker(desk, broker))
    assert "cannot be read: The connection never opened." in person.get("/trades").text
    refused = person.get("/trades/export.csv")
    assert refused.status_code == 503
    assert refused.mimetype == "text/html"


def test_the_trades_are_those_of_the_account_that_is_on(desk: Desk, account: Account) -> None:
    both = with_broker(desk, ScriptedBroker(desk, trades=[a_trade(desk, 1)]), TradingMode.LIVE)
    person = a_trader_at(both)
    assert "No trade today" in person.get("/trades").text
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    text = person.get("/trades").text
    assert len(rows_of(text)) == 1
    assert "LIVE account, real money" in text


# -- the file ----------------------------------------------------------------------------------------------------


def test_the_file_has_every_line_of_the_list_whatever_its_page(desk: Desk, account: Account) -> None:
    broker = ScriptedBroker(desk, trades=[a_trade(desk, number) for number in range(120, 0, -1)])
    answer = a_trader_at(with_broker(desk, broker)).get("/trades/export.csv?before=T71")
    assert len(file_of(answer)) == 120
    assert answer.headers["Content-Disposition"] == 'attachment; filename="trades-2026-11-21.csv"'


def test_a_line_of_the_file_says_all_that_the_page_does(trader: Person, desk: Desk) -> None:
    send(desk, an_order("INFY", 7), strategy="=cmd|' /C calc'!A0")
    send(desk, an_order())
    (line,) = file_of(trader.get("/trades/export.csv?symbol=INFY"))
    assert (line["symbol"], line["action"], line["quantity"], line["ticket"]) == ("INFY", "BUY", "7", "1")
    assert line["time_ist"] == "2026-11-21 10:30:00"
    assert Decimal(line["value"]) == 7 * Decimal(line["price"])
    assert line["strategy"] == "'=cmd|' /C calc'!A0"
    assert (line["asked_by"], line["account"]) == ("api", "analyze")
