"""The Analyzer page: what the paper account made, its capital, and the way to begin anew."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from openalgo_bridge.clock import IST
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Rejected
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.order import Action, Product, TradingMode
from openalgo_bridge.model.paper import to_units
from openalgo_bridge.model.paper_settings import PaperHours, PaperSettings
from openalgo_bridge.trading import paper_profit
from tests.conftest import PASSWORD, TRADER, FixedClock
from tests.web.conftest import Person, an_order, send

CRORE, LAKH = to_units(Decimal(1_00_00_000)), to_units(Decimal(1_00_000))


def row_of(text: str, name: str) -> str:
    table = text[text.index("strategies-title") : text.index("positions-title")]
    (row,) = [row for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL) if f">{name}<" in row]
    return str(row)


def capital_of(desk: Desk) -> int:
    return desk.store.paper_capital.money().capital


def is_flat(desk: Desk) -> bool:
    return not any(each.quantity for each in desk.broker(TradingMode.ANALYZE).positions())


def test_a_fresh_account_says_what_will_stand_there(trader: Person) -> None:
    text = trader.get("/analyzer").text
    assert "No fill yet." in text
    assert "No position today." in text
    assert "<dd>₹1,00,00,000.00</dd>" in text


def test_the_strategies_and_the_books_of_the_day_stand_on_it(desk: Desk, trader: Person) -> None:
    send(desk, an_order("SBIN", 10), strategy="momentum")
    send(desk, replace(an_order("TCS", 5), action=Action.SELL), strategy="fade")
    text = trader.get("/analyzer").text
    assert "Orders of the day: 2" in text
    assert "Trades of the day: 2" in text
    assert row_of(text, "momentum")
    assert row_of(text, "fade")
    told = [Decimal(amount.replace(",", "").replace("−", "-").replace("₹", "")) for amount in profits(text)]
    funds = desk.broker(TradingMode.ANALYZE).funds()
    assert told[-1] == round(funds.realised + funds.unrealised, 2)


def test_a_refused_order_names_who_asked_for_it_and_why_it_was_refused(desk: Desk, trader: Person) -> None:
    with pytest.raises(Rejected):
        send(desk, replace(an_order("SBIN", 10), product=Product.NRML), strategy="momentum")
    text = trader.get("/analyzer").text
    orders = text[text.index("orders-title") : text.index("trades-title")]
    assert "NRML" in orders[orders.index("Refused") :]
    assert ">momentum</a>" in orders
    assert "the exchange" not in orders


def profits(text: str) -> list[str]:
    """The last column of the strategies, their sum at the end."""
    table = text[text.index("strategies-title") : text.index("positions-title")]
    return re.findall(r'data-label="Profit or loss"[^>]*><span[^>]*>([^<]+)</span>', table)


def test_the_curve_has_its_words_beside_it(desk: Desk, trader: Person, clock: FixedClock) -> None:
    send(desk, an_order("SBIN", 10))
    paper_profit.sample(desk)
    clock.move(minutes=1)
    text = trader.get("/analyzer").text
    (path,) = re.findall(r'<path class="line" d="([^"]+)"', text)
    assert re.fullmatch(r"M\d+ \d+ L\d+ \d+", path)
    assert 'aria-describedby="equity-words"' in text
    assert "<dt>Lowest, at" in text


def test_while_orders_go_to_the_live_account_the_page_says_so(desk: Desk, trader: Person) -> None:
    desk.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    text = trader.get("/analyzer").text
    assert "Your orders go to the live account just now." in text
    assert "Money</h2>" in text


def test_another_capital_is_in_force_at_once(desk: Desk, trader: Person) -> None:
    send(desk, an_order("SBIN", 10))
    answer = trader.post("/analyzer/capital", capital="other", other="12,34,567")
    assert answer.status_code == 302
    assert capital_of(desk) == to_units(Decimal(1_234_567))
    assert not is_flat(desk)
    assert re.search(r'value="other"[^>]*>', trader.get("/analyzer/capital").text)


@pytest.mark.parametrize(("chosen", "other"), [("other", "999"), ("other", ""), ("12", ""), ("", "5000")])
def test_a_capital_out_of_bounds_is_told_and_changes_nothing(
    desk: Desk, trader: Person, chosen: str, other: str
) -> None:
    answer = trader.post("/analyzer/capital", capital=chosen, other=other)
    assert answer.status_code == 400
    assert "Must be whole rupees from 1,000" in answer.text
    assert capital_of(desk) == CRORE


def test_an_amount_beside_another_choice_is_asked_about(desk: Desk, trader: Person) -> None:
    answer = trader.post("/analyzer/capital", capital="100000", other="7,77,777")
    assert answer.status_code == 400
    assert "You typed an amount and chose another one." in answer.text
    assert capital_of(desk) == CRORE


def test_the_amount_that_stood_there_already_is_no_second_choice(desk: Desk, trader: Person) -> None:
    trader.post("/analyzer/capital", capital="other", other="1234567")
    assert trader.post("/analyzer/capital", capital="100000", other="12,34,567").status_code == 302
    assert capital_of(desk) == LAKH


def test_the_page_before_beginning_anew_counts_what_would_be_gone(desk: Desk, trader: Person) -> None:
    send(desk, an_order("SBIN", 10))
    send(desk, an_order("TCS", 1, price="2500"))
    text = trader.get("/analyzer/reset").text
    assert "1 open position and 0 holdings" in text
    assert "1 working order and 0 waiting GTTs, cancelled" in text


def test_beginning_anew_needs_the_password(desk: Desk, trader: Person) -> None:
    send(desk, an_order("SBIN", 10))
    for password in ("", "not the password"):
        assert trader.post("/analyzer/reset", capital="100000", password=password).status_code == 403
    assert not is_flat(desk)


def test_beginning_anew_with_another_capital(desk: Desk, trader: Person) -> None:
    send(desk, an_order("SBIN", 10))
    assert trader.post("/analyzer/reset", capital="100000", password=PASSWORD).status_code == 302
    assert (capital_of(desk), is_flat(desk)) == (LAKH, True)
    (line,) = desk.store.audit.page(event=AuditEvent.PAPER_RESET)
    assert line.after == "100000 rupees"
    assert "Orders of the day: 0" in trader.get("/analyzer").text


def test_the_curve_begins_where_the_account_does(desk: Desk, trader: Person, clock: FixedClock) -> None:
    send(desk, an_order("SBIN", 10))
    paper_profit.sample(desk)
    clock.move(minutes=2)
    trader.post("/analyzer/reset", capital="100000", password=PASSWORD)
    clock.move(minutes=2)
    assert paper_profit.of_today(desk) == []


def test_the_curve_of_a_day_begins_at_three_in_the_night(desk: Desk, clock: FixedClock) -> None:
    paper_profit.sample(desk)
    assert len(paper_profit.of_today(desk)) == 1
    clock.move(days=1)
    assert paper_profit.of_today(desk) == []


def test_the_settings_are_kept_and_shown_again(desk: Desk, trader: Person) -> None:
    answer = trader.post(
        "/analyzer/settings", hours="exchange", protects_market_orders="yes", square_off_shares="15:05"
    )
    assert answer.status_code == 302
    kept = desk.store.paper_settings.load()
    assert (kept.hours, kept.protects_market_orders) == (PaperHours.EXCHANGE, True)
    text = trader.get("/analyzer/settings").text
    assert 'value="15:05"' in text
    assert re.search(r'<input checked class="form-check-input" id="hours-1"[^>]* value="exchange"', text)


def test_a_time_that_has_passed_leaves_open_what_is_open(desk: Desk, trader: Person, clock: FixedClock) -> None:
    until = datetime(2026, 11, 23, 14, 20, tzinfo=IST) - clock.now()
    clock.move(seconds=until.total_seconds())
    trader.sign_in()
    send(desk, an_order("SBIN", 10), strategy="momentum")
    clock.move(minutes=5)
    trader.post("/analyzer/settings", hours="always", square_off_shares="14:24")
    clock.move(minutes=5)
    assert trader.get("/analyzer").status_code == 200
    assert not is_flat(desk)


def test_a_time_that_is_none_is_told_beside_its_field(desk: Desk, trader: Person) -> None:
    answer = trader.post("/analyzer/settings", hours="always", square_off_crypto="25:00")
    assert answer.status_code == 400
    assert "Must be a time of the day such as 15:10, or empty." in answer.text
    assert desk.store.paper_settings.load() == PaperSettings()


def test_intraday_positions_are_squared_off_at_the_time_that_was_set(
    desk: Desk, trader: Person, clock: FixedClock
) -> None:
    trader.post("/analyzer/settings", hours="always", square_off_shares="14:30")
    until = datetime(2026, 11, 23, 14, 20, tzinfo=IST) - clock.now()
    clock.move(seconds=until.total_seconds())
    trader.sign_in()
    send(desk, an_order("SBIN", 10), strategy="momentum")
    clock.move(minutes=9)
    assert not is_flat(desk)
    clock.move(minutes=2)
    text = trader.get("/analyzer").text
    assert is_flat(desk)
    orders = text[text.index("orders-title") : text.index("trades-title")]
    assert "SELL 10 SBIN" in orders
    assert "the exchange" in orders
    assert profits(text)[0] == profits(text)[-1], "the one strategy made all of it"
