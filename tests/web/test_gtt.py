"""The page of the orders that wait for their price, and the word about them wherever everything is stopped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import NotSent, OutcomeUnknown, Rejected, Unsupported
from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.order import (
    Action,
    BrokerOrderId,
    CancelGttRequest,
    GttLeg,
    GttRequest,
    OrderMode,
    Product,
    TradingMode,
    TriggerSide,
)
from openalgo_bridge.model.permit import SendPermit
from openalgo_bridge.model.ticket import Operation, Origin
from openalgo_bridge.trading import gtts, orders
from openalgo_bridge.trading.sending import Sent
from openalgo_bridge.web.closing import BY_HAND
from tests.conftest import TRADER, Account, FixedClock
from tests.fakes import ScriptedBroker, with_broker
from tests.gtt_requests import OCO, SELL, STOP, TARGET
from tests.web.conftest import Person, a_trader_at, an_order

PROGRAM = Origin(source="api", strategy="breakout", request_id="r1")
LEFT = "Cancelling and closing withdraw none of them, and one that is left can open a position."


@dataclass
class Keeper(ScriptedBroker):
    """Keeps GTTs; ``gtt_faults`` are raised by the reads that they name, ``fires`` as one is to be withdrawn."""

    keeps_gtts: bool = True
    gtt_faults: dict[str, Exception] = field(default_factory=dict)
    fires: bool = False

    def cancel_gtt(self, permit: SendPermit[CancelGttRequest]) -> None:
        if self.fires:
            self.fire(permit.request.trigger_id)
            raise Rejected("It fired already.")
        super().cancel_gtt(permit)

    def fire(self, number: BrokerOrderId, reason: str = "") -> None:
        there = self.gtt(number)
        assert there is not None
        state = GttState.REJECTED if reason else GttState.TRIGGERED
        self.gtts[there.tag] = replace(there, state=state, fired=BrokerOrderId("F1"), reason=reason)

    def _read(self, what: str) -> None:
        if what in self.gtt_faults:
            raise self.gtt_faults[what]
        super()._read(what)


@pytest.fixture
def broker(desk: Desk) -> Keeper:
    return Keeper(desk)


@pytest.fixture
def scripted(desk: Desk, account: Account, broker: Keeper) -> Desk:
    return with_broker(desk, broker)


@pytest.fixture
def person(scripted: Desk) -> Iterator[Person]:
    yield a_trader_at(scripted)


def place(desk: Desk, wanted: GttRequest = SELL) -> BrokerOrderId:
    result = gtts.place(desk, wanted, PROGRAM)
    assert isinstance(result, Sent)
    return result.broker_order_id


def words_of(text: str) -> str:
    """What a person reads of a page, without what stands around it."""
    in_line = re.sub(r"</?(?:a|code|span|strong|time)\b[^>]*>", "", text[text.index("<main") :])
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", in_line)).split())


def read(person: Person, path: str = "/gtt") -> str:
    answer = person.get(path)
    assert answer.status_code == 200, answer.text
    return words_of(answer.text)


def withdraw(person: Person, number: str, **fields: str) -> str:
    """Press the button of one; what the page then says."""
    answer = person.post_raw(
        "/gtt/withdraw", csrf_token=_token(person), trigger_id=number, **{"account": "analyze", **fields}
    )
    assert answer.status_code == 302, answer.text
    return read(person, answer.location)


def _token(person: Person) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', person.get("/gtt").text)
    assert found is not None
    return found[1]


def statuses(text: str) -> str:
    """The page up to what it says of all GTTs."""
    return text[: text.index("Waiting")]


# -- the page ----------------------------------------------------------------------------------------------------


def test_nothing_waits_is_said_in_words(person: Person) -> None:
    text = read(person)
    assert "None waits. When a program places one with placegttorder, it stands here" in text
    assert "Fired or ended today None." in text


def test_a_line_says_what_waits_and_how_far_its_price_is(person: Person, scripted: Desk) -> None:
    place(scripted, OCO)
    text = read(person)
    assert "RELIANCE NSE SELL 10 CNC 1,000.00 falls to 900.00" in text
    assert "(−10.00 % from now): sell at limit 890.00 or rises to 1,200.00 (+20.00 % from now)" in text
    assert "breakout, ticket 1" in text
    assert "until it is withdrawn" in text


def test_one_that_has_no_price_says_so(person: Person, scripted: Desk, broker: Keeper) -> None:
    place(scripted)
    broker.gtt_faults["quote"] = NotSent("No prices.")
    text = read(person)
    assert "not known falls to 900.00: sell at limit 890.00" in text
    assert "from now" not in text


def test_the_nearest_to_its_price_stands_first(person: Person, scripted: Desk) -> None:
    near = GttLeg(side=TriggerSide.STOPLOSS, trigger_price=Decimal(990), price=Decimal(989))
    place(scripted)
    place(scripted, replace(SELL, symbol="TCS", legs=(near,)))
    place(scripted, replace(SELL, symbol="INFY", legs=(TARGET, replace(STOP, trigger_price=Decimal(950)))))
    text = read(person)
    assert text.index("TCS NSE SELL") < text.index("INFY NSE SELL") < text.index("RELIANCE NSE SELL")


def test_it_is_narrowed_to_a_symbol_and_stays_so_after_a_withdrawal(person: Person, scripted: Desk) -> None:
    number = place(scripted)
    place(scripted, replace(SELL, symbol="TCS"))
    page = person.get("/gtt?symbol=reliance").text
    assert "TCS NSE" not in words_of(page)
    assert 'action="/gtt/withdraw?symbol=RELIANCE"' in page
    answer = person.post("/gtt/withdraw?symbol=RELIANCE", page="/gtt", trigger_id=number, account="analyze")
    assert answer.location == "/gtt?symbol=RELIANCE"


def test_one_that_was_not_placed_through_us_is_shown_too(person: Person, scripted: Desk, broker: Keeper) -> None:
    place(scripted)
    (there,) = broker.gtts.values()
    broker.gtts[there.tag] = replace(there, id=BrokerOrderId("X9"))
    assert "not through this bridge" in read(person)


def test_what_ended_today_says_what_became_of_it(person: Person, scripted: Desk, broker: Keeper) -> None:
    fired, refused, cancelled = place(scripted), place(scripted, OCO), place(scripted, replace(SELL, quantity=3))
    result = orders.place(scripted, an_order(), BY_HAND)
    assert isinstance(result, Sent)
    broker.complete(result.ticket.ref)
    broker.book[result.ticket.ref] = replace(broker.book[result.ticket.ref], id=BrokerOrderId("F1"))
    broker.fire(fired)
    broker.fire(refused, "Margin is short by 5.00.")
    gtts.cancel(scripted, cancelled, PROGRAM)
    text = read(person)
    ended = text[text.index("Fired or ended today") :]
    assert "Fired It placed order F1: filled, 10 of 10 filled at 1,000.00." in ended
    assert "Refused Its order F1 was refused: Margin is short by 5.00." in ended
    assert "Cancelled breakout, ticket 3" in ended
    assert "None waits." in text


def test_what_ended_yesterday_is_gone(person: Person, scripted: Desk, clock: FixedClock) -> None:
    gtts.cancel(scripted, place(scripted), PROGRAM)
    assert "SELL 10 RELIANCE" in read(person)
    clock.move(hours=14)
    assert person.sign_in().status_code == 302
    assert "Fired or ended today None." in read(person)


def test_what_waits_is_shown_where_what_ended_cannot_be_told(person: Person, scripted: Desk, broker: Keeper) -> None:
    place(scripted)
    broker.gtt_faults["ended_gtts"] = Unsupported("This broker forgets them.")
    text = read(person)
    assert "RELIANCE NSE SELL 10" in text
    assert "That cannot be read: This broker forgets them." in text


def test_a_broker_that_cannot_be_read_may_still_fire_some(person: Person, scripted: Desk, broker: Keeper) -> None:
    place(scripted)
    broker.gtt_faults["gtt_book"] = NotSent("The broker is down.")
    text = read(person)
    assert "The GTTs cannot be read: The broker is down. Some may wait, and may fire." in text
    assert "None waits" not in text


def test_a_broker_that_keeps_none_says_so(person: Person, broker: Keeper) -> None:
    broker.keeps_gtts = False
    text = read(person)
    assert "Scripted keeps no GTT orders through this bridge" in text
    assert not set(broker.reads) & {"gtt_book", "ended_gtts"}


def test_one_in_doubt_is_not_passed_over(person: Person, scripted: Desk, broker: Keeper) -> None:
    broker.fault = lambda: OutcomeUnknown("timed out")
    gtts.place(scripted, SELL, PROGRAM)
    assert "1 more was sent, and nobody knows yet whether it is there. Do not send again." in read(person)
    assert "1 GTT of which nobody knows yet whether it is there" in read(person, "/orders/cancel-all")


def test_a_doubt_is_told_of_its_own_account_only(desk: Desk, account: Account, broker: Keeper) -> None:
    both = with_broker(with_broker(desk, broker), Keeper(desk), TradingMode.LIVE)
    broker.fault = lambda: OutcomeUnknown("timed out")
    gtts.place(both, SELL, PROGRAM)
    person = a_trader_at(both)
    assert "nobody knows yet" in read(person, "/orders/cancel-all?account=analyze")
    assert "GTT" not in read(person, "/orders/cancel-all?account=live")
    text = read(person)
    assert text.count("1 more was sent") == 1
    assert text.index("Waiting: paper account") < text.index("1 more was sent") < text.index("Waiting: LIVE account")


def test_one_in_doubt_that_the_broker_shows_is_counted_once(person: Person, scripted: Desk, broker: Keeper) -> None:
    broker.fault, broker.accepts_before_fault = lambda: OutcomeUnknown("timed out"), True
    gtts.place(scripted, SELL, PROGRAM)
    assert f"1 GTT still waits for its price at the paper account. {LEFT}" in read(person, "/orders/cancel-all")
    assert "nobody knows" not in read(person)


def test_it_is_led_to_from_the_orders_and_the_analyzer(trader: Person) -> None:
    for page in ("/orders", "/analyzer"):
        assert '<a class="btn btn-outline-secondary" href="/gtt">GTT orders</a>' in trader.get(page).text


# -- withdraw ----------------------------------------------------------------------------------------------------


def test_the_button_withdraws_that_one_and_no_other(person: Person, scripted: Desk, broker: Keeper) -> None:
    place(scripted, OCO)
    number = place(scripted)
    text = withdraw(person, number)
    assert f"Withdrawn: GTT {number}, SELL 10 RELIANCE on NSE at limit 890.00" in text
    assert "paper account" in statuses(text)
    assert [each.request for each in broker.gtt_book()] == [OCO]
    newest = scripted.store.journal.tickets()[0]
    assert (newest.operation, newest.origin) == (Operation.CANCEL_GTT, replace(BY_HAND, may_trade_live=False))


def test_it_goes_in_semi_auto_and_past_the_kill_switch(person: Person, scripted: Desk, broker: Keeper) -> None:
    number = place(scripted)
    scripted.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    scripted.store.kill_switch.engage("stop", by=TRADER)
    assert "Withdrawn: GTT" in withdraw(person, number)
    assert not broker.gtt_book()


def test_it_goes_to_the_account_that_the_button_named(person: Person, scripted: Desk, broker: Keeper) -> None:
    number = place(scripted)
    scripted.store.preferences.set_trading_mode(TradingMode.LIVE, by=TRADER)
    assert "Withdrawn: GTT" in withdraw(person, number)
    assert not broker.gtt_book()


def test_a_second_click_sends_nothing_and_says_that_it_is_over(person: Person, scripted: Desk, broker: Keeper) -> None:
    number = place(scripted)
    withdraw(person, number)
    sent = list(broker.calls)
    assert f"Nothing was sent, paper account: GTT {number} is over already: cancelled." in withdraw(person, number)
    assert "there is no GTT G99 at the broker" in withdraw(person, "G99")
    assert broker.calls == sent


def test_one_that_fires_first_is_not_called_withdrawn(person: Person, scripted: Desk, broker: Keeper) -> None:
    number = place(scripted)
    broker.fires = True
    text = withdraw(person, number)
    assert f"The broker did not withdraw GTT {number}, paper account: It fired already." in text
    assert "Withdrawn" not in text
    assert "Nothing was sent, paper account: GTT G1 is over already: fired. It placed order F1." in withdraw(
        person, number
    )


def test_a_time_out_is_in_doubt_and_a_refusal_is_told(person: Person, scripted: Desk, broker: Keeper) -> None:
    number = place(scripted)
    broker.fault = lambda: NotSent("no connection")
    assert f"GTT {number} was not withdrawn, paper account. no connection" in withdraw(person, number)
    broker.fault = lambda: OutcomeUnknown("timed out")
    assert f"Whether GTT {number} is withdrawn is in doubt, paper account." in withdraw(person, number)


@pytest.mark.parametrize("named", [{"trigger_id": ""}, {"trigger_id": "G" * 65}, {"account": "margin"}])
def test_a_form_that_names_nothing_sends_nothing(
    person: Person, scripted: Desk, broker: Keeper, named: dict[str, str]
) -> None:
    fields = {"account": "analyze", "trigger_id": place(scripted), **named}
    answer = person.post("/gtt/withdraw", page="/gtt", **fields)
    assert answer.status_code == 400
    assert len(broker.calls) == 1


# -- the stops leave them ----------------------------------------------------------------------------------------


def test_cancel_all_says_before_and_after_what_it_leaves(person: Person, scripted: Desk, broker: Keeper) -> None:
    orders.place(scripted, an_order(price="990"), BY_HAND)
    place(scripted)
    place(scripted, replace(SELL, symbol="TCS"))
    told = f"2 GTTs still wait for their price at the paper account. {LEFT}"
    assert told in read(person, "/orders/cancel-all")
    report = person.post("/orders/cancel-all", account="analyze").location
    assert told in read(person, report)
    assert 'href="/gtt"' in person.get(report).text
    assert len(broker.gtt_book()) == 2


def test_closing_one_position_names_those_of_its_symbol_in_any_product(
    person: Person, scripted: Desk, broker: Keeper
) -> None:
    broker.hold("RELIANCE", 10)
    place(scripted)
    place(scripted, replace(SELL, symbol="TCS"))
    answer = person.post(
        "/positions/close", page="/positions", account="analyze", which="one", position="NSE:MIS:10:RELIANCE"
    )
    text = read(person, answer.location)
    assert f"1 GTT still waits for its price in RELIANCE at the paper account. {LEFT}" in text
    assert 'href="/gtt?symbol=RELIANCE"' in person.get(answer.location).text


def test_close_all_says_what_it_leaves_and_the_position_which_gtt_closes_it_too(
    person: Person, scripted: Desk, broker: Keeper
) -> None:
    broker.hold("RELIANCE", 10, Product.CNC)
    place(scripted, replace(SELL, quantity=4))
    assert "1 GTT" in read(person, "/positions/close")
    text = read(person, "/positions")
    assert "An exit of 4 waits for its price as a GTT: closing does not withdraw that." in text
    assert "1 GTT waits for its price; closing withdraws none." in text


def test_a_gtt_on_the_other_side_does_not_stand_beside_the_button(
    person: Person, scripted: Desk, broker: Keeper
) -> None:
    broker.hold("RELIANCE", 10, Product.CNC)
    place(scripted, replace(SELL, action=Action.BUY))
    assert "as a GTT" not in read(person, "/positions")


def test_the_kill_switch_says_what_it_leaves(person: Person, scripted: Desk, broker: Keeper) -> None:
    orders.place(scripted, an_order(price="990"), BY_HAND)
    place(scripted)
    answer = person.post("/kill-switch", page="/kill-switch", cancel_all="yes")
    text = read(person, answer.location)
    assert "0 open orders (orders), 0 open positions (positions); 1 GTT, which no stop withdraws (GTTs)" in text
    assert len(broker.gtt_book()) == 1


def test_where_it_cannot_be_read_every_page_says_so_and_the_stop_is_made(
    person: Person, scripted: Desk, broker: Keeper
) -> None:
    broker.hold("RELIANCE", 10)
    orders.place(scripted, an_order(price="990"), BY_HAND)
    broker.gtt_faults["gtt_book"] = NotSent("The broker is down.")
    report = person.post("/orders/cancel-all", account="analyze").location
    assert "1 of 1 order cancelled" in read(person, report)
    for page in (report, "/orders/cancel-all", "/positions/close", "/positions"):
        assert "Whether GTTs still wait at the paper account cannot be read: The broker is down." in read(person, page)
    assert "whether GTTs wait cannot be read" in read(person, "/kill-switch")


def test_the_stops_are_sent_before_anybody_asks_for_gtts(person: Person, scripted: Desk, broker: Keeper) -> None:
    orders.place(scripted, an_order(price="990"), BY_HAND)
    token = _token(person)
    del broker.reads[:]
    person.post_raw("/orders/cancel-all", csrf_token=token, account="analyze")
    person.post_raw("/kill-switch", csrf_token=token, cancel_all="yes", close_all="yes")
    assert broker.reads
    assert not set(broker.reads) & {"gtt_book", "ended_gtts", "gtt"}


def test_nothing_is_said_where_none_waits_or_none_is_kept(person: Person, scripted: Desk, broker: Keeper) -> None:
    broker.hold("RELIANCE", 10)
    orders.place(scripted, an_order(price="990"), BY_HAND)
    for keeps in (True, False):
        broker.keeps_gtts = keeps
        for page in ("/orders/cancel-all", "/positions/close", "/positions", "/kill-switch"):
            assert "GTT" not in read(person, page)
