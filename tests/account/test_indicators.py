"""What deserves a look in the traffic: each indicator is raised by what it is for, and left alone by its twin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openalgo_bridge.account import indicators
from openalgo_bridge.account.indicators import CallWatch
from openalgo_bridge.app import open_desk
from openalgo_bridge.clock import to_ms
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, NotFound
from openalgo_bridge.model.address import AddressRule
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.calls import CallKind, CallOutcome, Listener
from openalgo_bridge.model.indicators import (
    MOST_OPEN,
    OTHERS,
    VOLUME_FLOOR,
    VOLUME_FLOOR_OF_NEW,
    Indicator,
    IndicatorKind,
    IndicatorState,
)
from openalgo_bridge.traffic_upkeep import TrafficUpkeep
from tests.conftest import CHEAP, TRADER, Account, FixedClock
from tests.recorded_calls import PUBLIC, record

KEY = "0123456789ab"
CURL = "curl/8.5.0"
EXCEL = "Microsoft Office Excel"

WRONG = {"status": 403, "outcome": CallOutcome.WRONG_KEY}
RETIRED = {**WRONG, "key_fingerprint": "fedcba987654"}
ORDER = {"endpoint": "/api/v1/placeorder", "outcome": CallOutcome.SENT, "symbol": "SBIN", "strategy": "breakout"}


class Traffic:
    """Programs that call, and the watch that is told of it as the upkeep tells it."""

    def __init__(self, desk: Desk, clock: FixedClock) -> None:
        self.desk = desk
        self.clock = clock
        self.restart()

    def restart(self) -> None:
        self._watch = CallWatch(self.desk.store)

    def come(self, times: int = 1, *, every: float = 0.0, fingerprint: str | None = KEY, **told: Any) -> None:
        """That many calls, so many seconds apart. With the right key, if nothing else is told."""
        told = {"key_fingerprint": fingerprint} | told
        for _ in range(times):
            record(self.desk, **told)
            self.clock.move(seconds=every)
        self.look()

    def look(self) -> None:
        while calls := self.desk.store.traffic_digest.take(500):
            self._watch(calls)

    def open(self, kind: IndicatorKind | None = None) -> list[Indicator]:
        found = self.desk.store.indicators.of(IndicatorState.OPEN, limit=1000)
        return [each for each in found if kind in {None, each.kind}]

    def one(self, kind: IndicatorKind) -> Indicator:
        (found,) = self.open(kind)
        return found

    def this_was_me(self, kind: IndicatorKind) -> Indicator:
        found = self.one(kind)
        return indicators.acknowledge(self.desk, found.id, found.shown, by=TRADER)

    def weeks(self, days: int = 14, *, hours: tuple[int, ...] = (10, 11, 12, 13, 14, 15), **told: Any) -> None:
        """Days of ordinary trading, at these hours in India, up to today at 10:30."""
        for day in range(days, 0, -1):
            for hour in hours:
                at = datetime(2026, 11, 21, hour, 0, tzinfo=UTC) - timedelta(days=day, hours=5, minutes=30)
                record(self.desk, at=to_ms(at), **{"key_fingerprint": KEY} | told)
        self.look()


@pytest.fixture
def traffic(desk: Desk, account: Account, clock: FixedClock) -> Traffic:
    return Traffic(desk, clock)


def kinds(traffic: Traffic) -> list[IndicatorKind]:
    return [each.kind for each in traffic.open()]


# -- an address ----------------------------------------------------------------------------------------------------


def test_the_right_key_from_an_address_that_never_called_is_worth_a_look(traffic: Traffic) -> None:
    traffic.come(
        3, every=60, listener=Listener.HOOKS, kind=CallKind.HOOK, forwarded_for=PUBLIC, endpoint="/webhook/mine"
    )
    found = traffic.one(IndicatorKind.UNKNOWN_ADDRESS)
    assert found.subject == PUBLIC
    assert found.evidence.calls == 3
    assert found.evidence.last_at - found.evidence.first_at == timedelta(minutes=2)
    assert found.evidence.addresses == (PUBLIC,)
    assert found.evidence.endpoints == ("/webhook/mine",)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.8.8.8"])
def test_programs_on_this_pc_are_at_a_known_address(traffic: Traffic, address: str) -> None:
    traffic.come(3, address=address, program="something never seen")
    assert traffic.open() == []


def test_an_address_is_known_for_what_was_shown_and_for_nothing_else(traffic: Traffic) -> None:
    traffic.come(address=PUBLIC)
    traffic.this_was_me(IndicatorKind.UNKNOWN_ADDRESS)
    traffic.come(50, address=PUBLIC, endpoint="/api/v1/funds")
    assert traffic.open() == []
    traffic.come(address=PUBLIC, **ORDER)
    assert traffic.one(IndicatorKind.UNKNOWN_ADDRESS).evidence.details == ("Python sends orders",)
    traffic.this_was_me(IndicatorKind.UNKNOWN_ADDRESS)
    traffic.come(address=PUBLIC, program=CURL)
    assert traffic.one(IndicatorKind.UNKNOWN_ADDRESS).evidence.details == ("curl reads",)
    traffic.this_was_me(IndicatorKind.UNKNOWN_ADDRESS)
    traffic.come(2, address=PUBLIC, **ORDER)
    traffic.come(address=PUBLIC, program=CURL)
    assert traffic.open() == []


def test_a_cancel_and_a_webhook_from_a_known_reader_are_orders(traffic: Traffic) -> None:
    traffic.come(address=PUBLIC)
    traffic.this_was_me(IndicatorKind.UNKNOWN_ADDRESS)
    traffic.come(address=PUBLIC, endpoint="/api/v1/cancelallorder/")
    traffic.come(forwarded_for=PUBLIC, kind=CallKind.HOOK, endpoint="/webhook/mine", listener=Listener.HOOKS)
    assert traffic.one(IndicatorKind.UNKNOWN_ADDRESS).evidence.details == ("Python sends orders",)
    assert traffic.one(IndicatorKind.UNKNOWN_ADDRESS).evidence.calls == 2


@pytest.mark.parametrize(
    "more",
    [{"endpoint": "/api/v1/orderbook"}, {"program": CURL}, {"forwarded_for": "103.25.7.10"}],
    ids=["endpoint", "program", "address"],
)
def test_what_a_page_did_not_name_was_not_answered_for(traffic: Traffic, more: dict[str, str]) -> None:
    """Kinds that tell nothing apart within their subject, so that only what the page names can change."""
    away = {"status": 421, "outcome": CallOutcome.REFUSED, "fingerprint": None}
    traffic.come(**away)
    shown = traffic.one(IndicatorKind.TUNNEL)
    traffic.come(**away | more)
    with pytest.raises(Conflict, match="since this page was shown"):
        indicators.acknowledge(traffic.desk, shown.id, shown.shown, by=TRADER)
    assert traffic.this_was_me(IndicatorKind.TUNNEL).state is IndicatorState.KNOWN


def test_an_address_that_the_trader_listed_for_his_key_is_known(traffic: Traffic) -> None:
    rules = traffic.desk.store.api_keys.active()
    assert rules is not None
    listed = AddressRule.of_networks("103.25.7.0/24")
    traffic.desk.store.files[0].write("UPDATE api_key SET addresses = ? WHERE retired_at IS NULL", (str(listed),))
    traffic.come(address=PUBLIC)
    assert traffic.open() == []
    traffic.come(address="103.25.8.1")
    assert traffic.one(IndicatorKind.UNKNOWN_ADDRESS).subject == "103.25.8.1"


def test_a_stranger_without_a_key_is_no_unknown_address(traffic: Traffic) -> None:
    traffic.come(2, fingerprint=None, address=PUBLIC, **WRONG)
    assert traffic.open() == []


# -- keys ----------------------------------------------------------------------------------------------------------


def test_one_use_of_a_retired_key_is_enough(traffic: Traffic) -> None:
    traffic.come(**RETIRED)
    found = traffic.one(IndicatorKind.RETIRED_KEY)
    assert found.subject == "fedcba987654"
    assert found.evidence.details == ("Python at 127.0.0.1",)


def test_another_program_with_the_same_retired_key_is_something_else(traffic: Traffic) -> None:
    traffic.come(**RETIRED)
    traffic.this_was_me(IndicatorKind.RETIRED_KEY)
    traffic.come(50, **RETIRED)
    assert traffic.open() == []
    traffic.come(program=CURL, **RETIRED)
    assert traffic.one(IndicatorKind.RETIRED_KEY).evidence.details == ("curl at 127.0.0.1",)


def test_a_key_that_was_mistyped_twice_is_no_attempt_and_the_third_time_is(traffic: Traffic) -> None:
    traffic.come(2, fingerprint=None, every=60, **WRONG)
    assert traffic.open() == []
    traffic.come(fingerprint=None, **WRONG)
    found = traffic.one(IndicatorKind.WRONG_KEY)
    assert (found.subject, found.evidence.calls) == ("127.0.0.1", 3)
    assert found.evidence.last_at - found.evidence.first_at == timedelta(minutes=2)


def test_two_wrong_keys_an_hour_are_none(traffic: Traffic) -> None:
    traffic.come(20, fingerprint=None, every=1900, **WRONG)
    assert traffic.open() == []


def test_a_thousand_wrong_keys_are_one_finding_whatever_the_programs_call_themselves(traffic: Traffic) -> None:
    for number in range(1000):
        record(traffic.desk, program=f"guess{number}", **WRONG)
    traffic.look()
    (found,) = traffic.open()
    assert found.kind is IndicatorKind.WRONG_KEY
    assert (found.evidence.calls, found.evidence.level) == (1000, 1000)
    assert len(found.evidence.programs) == 20
    assert traffic.desk.store.audit.page(event=AuditEvent.INDICATOR_RAISED, limit=10)[0].after.endswith("127.0.0.1")
    assert len(traffic.desk.store.audit.page(event=AuditEvent.INDICATOR_RAISED, limit=10)) == 1


def test_wrong_keys_are_quiet_once_known_until_there_are_far_more_or_another_program_tries(traffic: Traffic) -> None:
    traffic.come(6, fingerprint=None, **WRONG)
    traffic.this_was_me(IndicatorKind.WRONG_KEY)
    traffic.clock.move(hours=2)
    traffic.come(12, fingerprint=None, **WRONG)
    assert traffic.open() == []
    traffic.come(1, fingerprint=None, **WRONG)
    assert traffic.one(IndicatorKind.WRONG_KEY).evidence.level == 13
    traffic.this_was_me(IndicatorKind.WRONG_KEY)
    traffic.come(1, fingerprint=None, program=CURL, **WRONG)
    assert traffic.one(IndicatorKind.WRONG_KEY).evidence.details == ("curl",)


def test_a_permission_that_is_missing_is_told_by_what_was_asked(traffic: Traffic) -> None:
    refused = {"status": 403, "outcome": CallOutcome.NOT_ALLOWED}
    traffic.come(30, endpoint="/api/v1/funds", **refused)
    found = traffic.one(IndicatorKind.NOT_ALLOWED)
    assert (found.subject, found.evidence.details, found.evidence.calls) == ("Python", ("/api/v1/funds",), 30)
    traffic.come(endpoint="/api/v1/quotes")
    assert kinds(traffic) == [IndicatorKind.NOT_ALLOWED]


# -- the wall ------------------------------------------------------------------------------------------------------


def test_what_the_wall_turned_away_is_told_once(traffic: Traffic) -> None:
    away = {"status": 421, "outcome": CallOutcome.REFUSED, "fingerprint": None}
    traffic.come(endpoint="/", kind=CallKind.PAGE, **away)
    traffic.come(4, endpoint="/api/v1/funds", **away)
    found = traffic.one(IndicatorKind.TUNNEL)
    assert (found.subject, found.evidence.calls) == (Listener.MAIN, 5)


def test_a_form_of_another_site_or_a_large_body_did_not_come_through_a_tunnel(traffic: Traffic) -> None:
    for status in (403, 413, 431):
        traffic.come(status=status, outcome=CallOutcome.REFUSED, fingerprint=None, kind=CallKind.STRAY)
    assert traffic.open() == []


def test_a_tunnel_may_lead_to_hooks_and_to_nothing_else(traffic: Traffic) -> None:
    hooks = {"listener": Listener.HOOKS, "fingerprint": None}
    traffic.come(endpoint="/webhook/tradingview", kind=CallKind.HOOK, **hooks)
    traffic.come(endpoint="/api/v1/placeorder", **hooks)
    assert traffic.open() == []
    traffic.come(endpoint="/.env", kind=CallKind.PAGE, status=404, outcome=CallOutcome.NOT_FOUND, **hooks)
    assert traffic.one(IndicatorKind.TUNNEL).subject == Listener.HOOKS


# -- errors --------------------------------------------------------------------------------------------------------

FAILING = {"status": 400, "outcome": CallOutcome.BAD_REQUEST}


def test_a_program_of_which_half_of_the_calls_fail_is_worth_a_look(traffic: Traffic) -> None:
    traffic.come(10, every=30)
    traffic.come(9, every=30, **FAILING)
    assert traffic.open() == []
    traffic.come(1, **FAILING)
    found = traffic.one(IndicatorKind.ERROR_RATE)
    assert (found.subject, found.evidence.level, found.evidence.calls) == ("Python", 10, 10)


def test_a_few_calls_are_no_rate_and_errors_among_many_are_none(traffic: Traffic) -> None:
    traffic.come(19, **FAILING)
    assert traffic.open() == []
    traffic.come(100, program=CURL)
    traffic.come(40, program=CURL, **FAILING)
    assert traffic.open() == []


def test_errors_of_long_ago_are_not_added_up(traffic: Traffic) -> None:
    traffic.come(40, every=60, **FAILING)
    assert traffic.open() == []


@pytest.mark.parametrize(
    ("status", "outcome"), [(429, CallOutcome.TOO_MANY), (503, CallOutcome.BUSY)], ids=["rate limit", "busy"]
)
def test_a_rate_limit_alone_is_no_alarm(traffic: Traffic, status: int, outcome: CallOutcome) -> None:
    traffic.come(500, status=status, outcome=outcome)
    traffic.come(500, **ORDER | {"status": status, "outcome": outcome})
    assert traffic.open() == []


# -- hours ---------------------------------------------------------------------------------------------------------


def test_a_call_at_three_in_the_night_is_unusual_for_who_trades_by_day(traffic: Traffic) -> None:
    traffic.weeks()
    traffic.clock.move(hours=16, minutes=45)
    traffic.come(program=CURL)
    found = traffic.one(IndicatorKind.UNUSUAL_HOURS)
    assert (found.subject, found.evidence.details) == ("curl", ("03:00 from this PC",))


def test_an_hour_earlier_than_ever_is_no_alarm(traffic: Traffic) -> None:
    traffic.weeks()
    traffic.clock.move(hours=23)
    traffic.come()
    assert traffic.open() == []


def test_four_days_of_history_say_nothing(traffic: Traffic) -> None:
    traffic.weeks(days=4)
    traffic.clock.move(hours=16)
    traffic.come()
    assert traffic.open() == []


def test_an_hour_becomes_usual_by_the_traders_word_and_not_by_itself(traffic: Traffic) -> None:
    traffic.weeks()
    traffic.clock.move(hours=16)
    traffic.come()
    traffic.clock.move(days=1)
    traffic.come()
    assert traffic.one(IndicatorKind.UNUSUAL_HOURS).evidence.calls == 2
    traffic.this_was_me(IndicatorKind.UNUSUAL_HOURS)
    traffic.clock.move(days=1)
    traffic.come()
    assert traffic.open() == []
    traffic.clock.move(hours=2)
    traffic.come()
    assert traffic.one(IndicatorKind.UNUSUAL_HOURS).evidence.details == ("04:00 from this PC",)


def test_an_hour_is_known_for_the_address_it_was_shown_with(traffic: Traffic) -> None:
    traffic.weeks()
    traffic.clock.move(hours=16)
    traffic.come()
    traffic.this_was_me(IndicatorKind.UNUSUAL_HOURS)
    traffic.come(5)
    assert traffic.open() == []
    traffic.come(address=PUBLIC)
    assert traffic.one(IndicatorKind.UNUSUAL_HOURS).evidence.details == (f"02:00 from {PUBLIC}",)


def test_an_hour_earlier_each_day_does_not_reach_the_night_unseen(traffic: Traffic) -> None:
    traffic.weeks()
    traffic.clock.move(hours=23)
    traffic.come(program=CURL)
    assert traffic.open() == []
    traffic.clock.move(hours=23)
    traffic.come(program=CURL)
    assert traffic.one(IndicatorKind.UNUSUAL_HOURS).evidence.details == ("08:00 from this PC",)


def test_the_first_days_are_learnt_whatever_the_hour(traffic: Traffic) -> None:
    traffic.weeks(days=5, hours=(3,))
    traffic.clock.move(hours=16, minutes=45)
    traffic.come()
    assert traffic.open() == []


def test_calls_that_were_refused_make_no_hour_usual(traffic: Traffic) -> None:
    traffic.weeks()
    traffic.weeks(hours=(3,), **RETIRED)
    traffic.clock.move(hours=16, minutes=45)
    traffic.come()
    assert IndicatorKind.UNUSUAL_HOURS in kinds(traffic)


# -- volume and loops ----------------------------------------------------------------------------------------------


def test_far_more_calls_than_ever_are_worth_a_look(traffic: Traffic) -> None:
    traffic.weeks()
    traffic.come(VOLUME_FLOOR - 1, every=0.1)
    assert traffic.open() == []
    traffic.come(1)
    found = traffic.one(IndicatorKind.HIGH_VOLUME)
    assert (found.subject, found.evidence.level) == ("Python", VOLUME_FLOOR)


def test_a_volume_that_nobody_answered_for_is_no_habit_the_next_day(traffic: Traffic) -> None:
    traffic.weeks()
    for _ in range(2):
        traffic.come(VOLUME_FLOOR - 1)
        traffic.come(1)
        traffic.clock.move(days=1)
    assert traffic.one(IndicatorKind.HIGH_VOLUME).evidence.calls == VOLUME_FLOOR + 1


def test_a_dashboard_that_always_asks_so_much_is_no_alarm(traffic: Traffic) -> None:
    for _ in range(4):
        traffic.come(250, every=1, endpoint="/api/v1/multiquotes")
        traffic.clock.move(days=1, seconds=-250)
    traffic.come(700, every=0.4, endpoint="/api/v1/multiquotes")
    assert traffic.open() == []


def test_a_dashboard_that_was_set_up_just_now_is_given_more(traffic: Traffic) -> None:
    traffic.weeks()
    traffic.come(VOLUME_FLOOR_OF_NEW - 1, every=0.1, program=EXCEL)
    assert traffic.open() == []
    traffic.come(1, program=EXCEL)
    assert traffic.one(IndicatorKind.HIGH_VOLUME).subject == "Excel"


def test_a_volume_that_is_known_is_raised_at_twice_of_it(traffic: Traffic) -> None:
    traffic.weeks()
    traffic.come(VOLUME_FLOOR)
    traffic.this_was_me(IndicatorKind.HIGH_VOLUME)
    traffic.clock.move(minutes=10)
    traffic.come(2 * VOLUME_FLOOR)
    assert traffic.open() == []
    traffic.come(1)
    assert traffic.one(IndicatorKind.HIGH_VOLUME).evidence.level == 2 * VOLUME_FLOOR + 1


def test_the_same_order_again_and_again_is_a_loop(traffic: Traffic) -> None:
    traffic.come(19, every=2, **ORDER)
    assert traffic.open() == []
    traffic.come(1, **ORDER)
    found = traffic.one(IndicatorKind.SCRIPT_LOOP)
    assert (found.subject, found.evidence.details) == ("Python", ("placeorder SBIN breakout",))
    assert found.evidence.calls == 20


@pytest.mark.parametrize(
    "told",
    [
        {"endpoint": "/api/v1/quotes"},
        {"endpoint": "/api/v1/modifyorder"},
        {"endpoint": "/api/v1/cancelorder"},
        {**ORDER, "endpoint": "/api/v1/placesmartorder", "outcome": CallOutcome.NOTHING_TO_DO},
        {**ORDER, "outcome": CallOutcome.REPLAYED},
    ],
    ids=["reading", "changing", "cancelling", "nothing to do", "replayed"],
)
def test_what_may_be_repeated_is_no_loop(traffic: Traffic, told: dict[str, Any]) -> None:
    traffic.come(100, every=0.2, **told)
    assert traffic.open() == []


def test_one_order_each_for_many_symbols_is_no_loop(traffic: Traffic) -> None:
    for number in range(60):
        traffic.come(**ORDER | {"symbol": f"SHARE{number}"})
    assert traffic.open() == []


# -- what becomes of them ------------------------------------------------------------------------------------------


def test_the_traders_own_pages_are_never_looked_at(traffic: Traffic) -> None:
    traffic.weeks()
    traffic.clock.move(hours=16)
    page = {"kind": CallKind.PAGE, "program": "Mozilla/5.0", "fingerprint": None}
    traffic.come(700, endpoint="/traffic/newer", **page)
    traffic.come(100, status=404, outcome=CallOutcome.NOT_FOUND, **page)
    assert traffic.open() == []


def test_a_restart_neither_forgets_nor_repeats(traffic: Traffic, desk: Desk, clock: FixedClock) -> None:
    traffic.come(**RETIRED)
    traffic.come(address=PUBLIC)
    traffic.this_was_me(IndicatorKind.UNKNOWN_ADDRESS)
    again = open_desk(desk.settings, clock, CHEAP)
    try:
        later = Traffic(again, clock)
        later.come(**RETIRED)
        later.come(address=PUBLIC)
        assert later.one(IndicatorKind.RETIRED_KEY).evidence.calls == 2
        assert kinds(later) == [IndicatorKind.RETIRED_KEY]
    finally:
        again.close()


def test_a_clock_that_was_set_back_raises_nothing_and_loses_nothing(traffic: Traffic, clock: FixedClock) -> None:
    traffic.weeks()
    clock.move(minutes=30)
    traffic.come(15, **FAILING)
    traffic.come(2, fingerprint=None, **WRONG)
    traffic.come(**RETIRED)
    clock.moment -= timedelta(hours=2)
    traffic.come(15, **FAILING)
    traffic.come(2, fingerprint=None, **WRONG)
    assert kinds(traffic) == [IndicatorKind.RETIRED_KEY]
    traffic.come(**RETIRED)
    evidence = traffic.one(IndicatorKind.RETIRED_KEY).evidence
    assert evidence.calls == 2
    assert evidence.last_at - evidence.first_at == timedelta(hours=2)
    traffic.come(1, fingerprint=None, **WRONG)
    assert IndicatorKind.WRONG_KEY in kinds(traffic)


def test_a_clock_in_the_wrong_year_for_an_hour_costs_no_history(traffic: Traffic, clock: FixedClock) -> None:
    traffic.weeks()
    now = clock.moment
    clock.moment = now.replace(year=2031)
    traffic.come(5)
    clock.moment = now + timedelta(hours=16)
    traffic.come()
    assert kinds(traffic) == [IndicatorKind.UNUSUAL_HOURS]


def test_what_can_not_be_written_is_written_with_the_next_calls(traffic: Traffic, desk: Desk) -> None:
    traffic.come()
    desk.store.files[0].write("ALTER TABLE indicator RENAME TO lost")
    traffic.come(3, **RETIRED)
    desk.store.files[0].write("ALTER TABLE lost RENAME TO indicator")
    assert traffic.open() == []
    traffic.come()
    assert traffic.one(IndicatorKind.RETIRED_KEY).evidence.calls == 3


def test_what_can_not_be_read_is_looked_at_with_the_next_calls(traffic: Traffic, desk: Desk) -> None:
    traffic.come()
    desk.store.files[0].write("ALTER TABLE api_key RENAME TO lost")
    traffic.come(2, fingerprint=None, **WRONG)
    desk.store.files[0].write("ALTER TABLE lost RENAME TO api_key")
    traffic.come(1, fingerprint=None, **WRONG)
    assert traffic.one(IndicatorKind.WRONG_KEY).evidence.calls == 3


def test_the_evidence_outlives_the_calls(traffic: Traffic, desk: Desk) -> None:
    traffic.come(7, **RETIRED)
    before = traffic.one(IndicatorKind.RETIRED_KEY)
    desk.store.files[1].write("DELETE FROM call")
    assert traffic.one(IndicatorKind.RETIRED_KEY) == before


def test_programs_with_ever_new_names_fill_no_page(traffic: Traffic) -> None:
    refused = {"status": 403, "outcome": CallOutcome.NOT_ALLOWED}
    for number in range(MOST_OPEN + 30):
        record(traffic.desk, program=f"mask{number}", key_fingerprint=KEY, **refused)
    traffic.look()
    found = traffic.open()
    assert len(found) == MOST_OPEN + 1
    (others,) = [each for each in found if each.subject == OTHERS]
    assert others.evidence.calls == 30


def test_the_upkeep_hands_the_calls_over(desk: Desk, account: Account, clock: FixedClock) -> None:
    record(desk, **RETIRED)
    TrafficUpkeep(desk.store, clock, [CallWatch(desk.store)]).round()
    assert desk.store.indicators.count(IndicatorState.OPEN) == 1


# -- this was me ---------------------------------------------------------------------------------------------------


def test_a_second_click_is_harmless_and_both_answers_are_in_the_audit_list(traffic: Traffic, desk: Desk) -> None:
    traffic.come(**RETIRED)
    found = traffic.one(IndicatorKind.RETIRED_KEY)
    first = indicators.acknowledge(desk, found.id, found.shown, by=TRADER)
    assert indicators.acknowledge(desk, found.id, found.shown, by=TRADER) == first
    (line,) = desk.store.audit.page(event=AuditEvent.INDICATOR_ANSWERED)
    assert (line.before, line.after) == ("open", "known: retired key used, fedcba987654")
    assert line.actor == TRADER


def test_more_calls_of_the_same_do_not_make_the_click_late(traffic: Traffic, desk: Desk) -> None:
    traffic.come(6, fingerprint=None, **WRONG)
    found = traffic.one(IndicatorKind.WRONG_KEY)
    traffic.come(4, fingerprint=None, **WRONG)
    assert indicators.acknowledge(desk, found.id, found.shown, by=TRADER).known_level == 6


@pytest.mark.parametrize("program", ["python-httpx/0.28", CURL], ids=["far more", "another program"])
def test_what_came_since_the_page_was_shown_is_not_acknowledged_with_it(
    traffic: Traffic, desk: Desk, program: str
) -> None:
    traffic.come(6, fingerprint=None, **WRONG)
    shown = traffic.one(IndicatorKind.WRONG_KEY)
    traffic.come(7, fingerprint=None, program=program, **WRONG)
    with pytest.raises(Conflict, match="since this page was shown"):
        indicators.acknowledge(desk, shown.id, shown.shown, by=TRADER)
    assert kinds(traffic) == [IndicatorKind.WRONG_KEY]


@pytest.mark.parametrize("shown", ["", "x", "1-", "-1-aa", "9" * 30, "²-00"])
def test_a_form_that_says_nothing_acknowledges_nothing(traffic: Traffic, desk: Desk, shown: str) -> None:
    traffic.come(**RETIRED)
    with pytest.raises(Conflict):
        indicators.acknowledge(desk, traffic.one(IndicatorKind.RETIRED_KEY).id, shown, by=TRADER)
    with pytest.raises(NotFound):
        indicators.acknowledge(desk, 77, shown, by=TRADER)


def test_what_is_dealt_with_is_raised_anew_when_it_comes_again(traffic: Traffic, desk: Desk) -> None:
    traffic.come(**RETIRED)
    found = traffic.one(IndicatorKind.RETIRED_KEY)
    assert indicators.put_past(desk, found.id, found.shown, by=TRADER).state is IndicatorState.PAST
    with pytest.raises(Conflict):
        indicators.acknowledge(desk, found.id, found.shown, by=TRADER)
    traffic.come(**RETIRED)
    assert traffic.one(IndicatorKind.RETIRED_KEY).id != found.id


def test_what_is_known_can_be_taken_back(traffic: Traffic, desk: Desk) -> None:
    traffic.come(**RETIRED)
    known = traffic.this_was_me(IndicatorKind.RETIRED_KEY)
    indicators.put_past(desk, known.id, known.shown, by=TRADER)
    traffic.come(**RETIRED)
    assert kinds(traffic) == [IndicatorKind.RETIRED_KEY]
