"""The trader's limits: each refuses what is beyond it, passes what is not, and asks for nothing while it is off."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model import guard_form
from openalgo_bridge.model.guards import (
    Asked,
    Guard,
    GuardSettings,
    PositionKey,
    Refusal,
    TradingWindow,
    drift,
    refusal_of_entry,
    refusal_of_exit,
    widens,
)
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Action, Exchange, OrderRequest, PriceType, Product

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
RELIANCE = Instrument(
    symbol="RELIANCE",
    exchange=Exchange.NSE,
    name="Reliance",
    kind="EQ",
    lot=1,
    tick=Decimal("0.05"),
    freeze_quantity=1000,
    token="1",
    reference_price=Decimal(1000),
)
ORDER = OrderRequest(symbol="RELIANCE", exchange=Exchange.NSE, action=Action.BUY, quantity=100)
OTHERS: set[PositionKey] = {(Exchange.NSE, symbol, Product.MIS) for symbol in ("TCS", "INFY")}


@dataclass
class Known:
    """Facts as given, and which of them were asked for."""

    price: Decimal = Decimal(1000)
    open: set[PositionKey] = field(default_factory=lambda: set(OTHERS))
    profit: Decimal = Decimal(0)
    orders: int = 0
    last_equal: datetime | None = None
    asked_for: list[str] = field(default_factory=list)

    def last_price(self) -> Decimal:
        self.asked_for.append("last_price")
        return self.price

    def exposures(self) -> Collection[PositionKey]:
        self.asked_for.append("exposures")
        return self.open

    def profit_of_day(self) -> Decimal:
        self.asked_for.append("profit_of_day")
        return self.profit

    def has_orders_of_day(self, number: int) -> bool:
        self.asked_for.append("has_orders_of_day")
        return self.orders >= number

    def has_equal_signal(self, since: datetime) -> bool:
        self.asked_for.append("has_equal_signal")
        return self.last_equal is not None and self.last_equal >= since


def refusal(asked: Asked, settings: GuardSettings, facts: Known) -> Refusal | None:
    """Of an entry, to which both kinds of rules apply."""
    return refusal_of_exit(asked, settings, facts) or refusal_of_entry(asked, settings, facts)


def asked(order: OrderRequest = ORDER, **changes: Any) -> Asked:
    fresh = Asked(order=order, instrument=RELIANCE, source="api", now=NOW, time_of_day=time(10, 30))
    return replace(fresh, **changes)


def limit(price: int, quantity: int = 100, action: Action = Action.BUY) -> OrderRequest:
    return replace(ORDER, price_type=PriceType.LIMIT, price=Decimal(price), quantity=quantity, action=action)


# guard, settings, what passes, what is refused; each a pair of what is asked and what is known.
CASES: list[tuple[Guard, GuardSettings, tuple[Asked, Known], tuple[Asked, Known]]] = [
    (
        Guard.MAXIMUM_QUANTITY,
        GuardSettings(maximum_quantity=100),
        (asked(), Known()),
        (asked(replace(ORDER, quantity=101)), Known()),
    ),
    (
        Guard.ORDER_VALUE,
        GuardSettings(order_value=Decimal(100_000)),
        (asked(), Known()),
        (asked(), Known(price=Decimal("1000.01"))),
    ),
    (
        Guard.OPEN_POSITIONS,
        GuardSettings(open_positions=3),
        (asked(), Known()),
        (asked(), Known(open={*OTHERS, (Exchange.NSE, "SBIN", Product.MIS)})),
    ),
    (Guard.ORDERS_PER_DAY, GuardSettings(orders_per_day=3), (asked(), Known(orders=2)), (asked(), Known(orders=3))),
    (
        Guard.LOSS_OF_DAY,
        GuardSettings(loss_of_day=Decimal(5000)),
        (asked(), Known(profit=Decimal("-4999.99"))),
        (asked(), Known(profit=Decimal(-5000))),
    ),
    (
        Guard.ALLOWED_SYMBOLS,
        GuardSettings(allowed_symbols=frozenset({"NSE:REL*"})),
        (asked(), Known()),
        (asked(replace(ORDER, symbol="RBLBANK")), Known()),
    ),
    (
        Guard.TRADING_WINDOW,
        GuardSettings(trading_window=TradingWindow(opens=time(9, 15), closes=time(15, 30))),
        (asked(time_of_day=time(15, 29, 59)), Known()),
        (asked(time_of_day=time(15, 30)), Known()),
    ),
    (
        Guard.DUPLICATE_SIGNAL,
        GuardSettings(duplicate_window=10),
        (asked(), Known(last_equal=NOW - timedelta(seconds=11))),
        (asked(), Known(last_equal=NOW - timedelta(seconds=10))),
    ),
    (
        Guard.STALE_SIGNAL,
        GuardSettings(stale_after=30),
        (asked(signal_at=NOW - timedelta(seconds=30)), Known()),
        (asked(signal_at=NOW - timedelta(seconds=31)), Known()),
    ),
    (
        Guard.PRICE_BAND,
        GuardSettings(price_band=Decimal(5)),
        (asked(limit(1050)), Known()),
        (asked(limit(1051)), Known()),
    ),
]


@pytest.mark.parametrize(("guard", "settings", "passes", "refused"), CASES, ids=[case[0] for case in CASES])
def test_a_guard_passes_what_is_at_its_limit_and_refuses_what_is_beyond(
    guard: Guard, settings: GuardSettings, passes: tuple[Asked, Known], refused: tuple[Asked, Known]
) -> None:
    assert refusal(passes[0], settings, passes[1]) is None
    found = refusal(refused[0], settings, refused[1])
    assert found is not None
    assert found.guard is guard
    assert found.sentence.endswith(".")


@pytest.mark.parametrize(("guard", "settings", "passes", "refused"), CASES, ids=[case[0] for case in CASES])
def test_an_exit_passes_every_guard_but_those_for_slips_and_repeats(
    guard: Guard, settings: GuardSettings, passes: tuple[Asked, Known], refused: tuple[Asked, Known]
) -> None:
    assert (refusal_of_exit(refused[0], settings, refused[1]) is not None) is (
        guard in {Guard.PRICE_BAND, Guard.DUPLICATE_SIGNAL}
    )


def test_guards_that_are_off_ask_for_nothing_but_the_count_of_the_day() -> None:
    known = Known()
    assert refusal(asked(), GuardSettings(), known) is None
    assert known.asked_for == ["has_orders_of_day"]


def test_every_guard_that_a_trader_can_set_is_tested() -> None:
    assert {case[0] for case in CASES} == set(Guard) - {Guard.KILL_SWITCH, Guard.PRICE_DRIFT}


@pytest.mark.parametrize("exits", [False, True])
def test_no_more_than_ten_times_the_freeze_quantity_goes_whatever_is_set(exits: bool) -> None:
    judge = refusal_of_exit if exits else refusal
    assert judge(asked(replace(ORDER, quantity=10_000)), GuardSettings(), Known()) is None
    found = judge(asked(replace(ORDER, quantity=10_001)), GuardSettings(maximum_quantity=10**8), Known())
    assert found is not None
    assert found.guard is Guard.MAXIMUM_QUANTITY


def test_without_a_freeze_quantity_a_million_is_the_most() -> None:
    unfrozen = replace(RELIANCE, freeze_quantity=0)
    one_more = asked(replace(ORDER, quantity=1_000_001), instrument=unfrozen)
    assert refusal(replace(one_more, order=replace(ORDER, quantity=1_000_000)), GuardSettings(), Known()) is None
    assert refusal(one_more, GuardSettings(), Known()) is not None


@pytest.mark.parametrize(("price", "goes"), [(1200, True), (1201, False), (800, True), (799, False)])
def test_a_limit_more_than_twenty_percent_away_is_a_slip(price: int, goes: bool) -> None:
    assert (refusal(asked(limit(price)), GuardSettings(), Known()) is None) is goes


def test_a_price_that_the_price_type_does_not_use_does_not_lower_the_value() -> None:
    settings = GuardSettings(order_value=Decimal(50_000))
    assert refusal(asked(replace(ORDER, price=Decimal("0.05"))), settings, Known()) is not None


def test_a_sale_below_the_market_is_worth_what_the_market_pays() -> None:
    settings = GuardSettings(order_value=Decimal(95_000))
    assert refusal(asked(limit(900, action=Action.SELL)), settings, Known()) is not None
    assert refusal(asked(limit(900, action=Action.BUY)), settings, Known()) is None


@pytest.mark.parametrize(
    ("order", "worth"),
    [
        (replace(ORDER, price_type=PriceType.SL_M, trigger_price=Decimal(1200)), 120_000),
        (replace(ORDER, price_type=PriceType.SL_M, trigger_price=Decimal(900)), 100_000),
        (replace(limit(1210), price_type=PriceType.SL, trigger_price=Decimal(1200)), 121_000),
        (replace(ORDER, action=Action.SELL, price_type=PriceType.SL_M, trigger_price=Decimal(900)), 100_000),
        (
            replace(limit(890, action=Action.SELL), price_type=PriceType.SL, trigger_price=Decimal(900)),
            100_000,
        ),
    ],
    ids=["buy above", "buy below, which goes at once", "buy with a limit", "sell", "sell with a limit"],
)
def test_a_stop_is_worth_what_it_can_cost_or_bring_once_it_is_triggered(order: OrderRequest, worth: int) -> None:
    for limit_of, goes in ((worth, True), (worth - 1, False)):
        refused = refusal(asked(order), GuardSettings(order_value=Decimal(limit_of)), Known(price=Decimal(1000)))
        assert (refused is None) is goes


def test_a_unit_that_the_exchange_counts_a_hundred_times_is_worth_a_hundred_times_its_price() -> None:
    of_lots = replace(RELIANCE, multiplier=100)
    one = asked(replace(ORDER, quantity=1), instrument=of_lots)
    for limit_of, goes in ((100_000, True), (99_999, False)):
        refused = refusal(one, GuardSettings(order_value=Decimal(limit_of)), Known(price=Decimal(1000)))
        assert (refused is None) is goes


def test_adding_to_an_open_position_opens_none() -> None:
    full = {*OTHERS, (Exchange.NSE, "RELIANCE", Product.MIS)}
    assert refusal(asked(), GuardSettings(open_positions=3), Known(open=full)) is None
    other_product = asked(replace(ORDER, product=Product.CNC))
    assert refusal(other_product, GuardSettings(open_positions=3), Known(open=full)) is not None


def test_a_change_is_no_further_order_and_no_duplicate() -> None:
    settings = GuardSettings(orders_per_day=1, duplicate_window=60)
    assert refusal(asked(is_change=True), settings, Known(orders=9, last_equal=NOW)) is None


def test_a_sender_without_a_clock_is_never_stale() -> None:
    assert refusal(asked(), GuardSettings(stale_after=1), Known()) is None


def test_the_last_of_several_orders_is_no_staler_than_the_first() -> None:
    arrived = {"arrived_at": NOW - timedelta(seconds=60)}
    for age, goes in ((30, True), (31, False)):
        late = asked(**arrived, signal_at=NOW - timedelta(seconds=60 + age))
        assert (refusal(late, GuardSettings(stale_after=30), Known()) is None) is goes


@pytest.mark.parametrize(("now", "goes"), [("1010", True), ("1010.05", False), ("990", True), ("989.95", False)])
def test_the_drift_limit_holds_both_ways(now: str, goes: bool) -> None:
    settings = GuardSettings(price_drift=Decimal(1))
    assert (drift(Decimal(1000), Decimal(now), settings) is None) is goes
    assert drift(Decimal(1000), Decimal(now), GuardSettings()) is None


WIDER: list[dict[str, str]] = [
    {"maximum_quantity": ""},
    {"maximum_quantity": "101"},
    {"order_value": ""},
    {"order_value": "100001"},
    {"open_positions": "4"},
    {"orders_per_day": "51"},
    {"loss_of_day": ""},
    {"allowed_symbols": ""},
    {"allowed_symbols": "NSE:RELIANCE NFO:NIFTY* NSE:SBIN"},
    {"allowed_symbols": "NSE:* NFO:NIFTY*"},
    {"allowed_symbols": "NSE:RELIANCE* NFO:NIFTY*"},
    {"window_opens": "", "window_closes": ""},
    {"window_opens": "09:14"},
    {"window_closes": "15:16"},
    {"duplicate_window": ""},
    {"duplicate_window": "9"},
    {"duplicate_window_source": ""},
    {"duplicate_window_source": "webhook:tv 19"},
    {"duplicate_window_source": "webhook:tv off"},
    {"duplicate_window_source": "webhook:tv 20\napi 9"},
    {"duplicate_window_source": "webhook:tv 20\napi off"},
    {"stale_after": "31"},
    {"stale_after": ""},
    {"price_band": "6"},
    {"price_drift": ""},
    {"let_exits_through": "yes"},
    {"held_for": "301"},
    {"held_for_source": "webhook:tv 121"},
    {"held_for_source": ""},
    {"held_for_source": "webhook:tv 120\napi 301"},
]
STRICT = {
    "maximum_quantity": "100",
    "order_value": "100000",
    "open_positions": "3",
    "orders_per_day": "50",
    "loss_of_day": "5000",
    "allowed_symbols": "NSE:RELIANCE NFO:NIFTY*",
    "window_opens": "09:20",
    "window_closes": "15:15",
    "duplicate_window": "10",
    "duplicate_window_source": "webhook:tv 20",
    "stale_after": "30",
    "price_band": "5",
    "price_drift": "1",
    "let_exits_through": "",
    "held_for": "300",
    "held_for_source": "webhook:tv 120",
    "rehearse_rate": "",
}


@pytest.mark.parametrize("change", WIDER, ids=str)
def test_what_lets_more_through_is_wider_and_its_inverse_is_not(change: dict[str, str]) -> None:
    before, after = guard_form.parse(STRICT), guard_form.parse({**STRICT, **change})
    assert widens(before, after)
    assert not widens(after, before)
    assert not widens(before, before)


def test_a_narrower_list_within_a_wildcard_is_not_wider() -> None:
    after = guard_form.parse({**STRICT, "allowed_symbols": "NFO:NIFTY28NOV26FUT"})
    assert not widens(guard_form.parse(STRICT), after)


def test_every_setting_can_be_widened_in_some_row() -> None:
    assert set(STRICT) == set(guard_form.texts(GuardSettings()))
    # A rehearsal of the broker's rate stops nothing, so its end lets nothing through.
    assert {name for change in WIDER for name in change} == set(STRICT) - {"rehearse_rate"}


def test_a_source_waits_its_own_time_and_the_others_wait_the_usual_one() -> None:
    settings = guard_form.parse({"held_for": "90", "held_for_source": "webhook:tv 120\n\n  api   600 "})
    assert [settings.held_for_of(source) for source in ("webhook:tv", "api", "page")] == [120, 600, 90]
    assert guard_form.texts(settings)["held_for_source"] == "api 600\nwebhook:tv 120"


def test_a_source_has_its_own_window_and_the_others_have_the_usual_one() -> None:
    typed = {"duplicate_window": "10", "duplicate_window_source": "webhook:tv 60\n\n  api   off "}
    settings = guard_form.parse(typed)
    sources = ("webhook:tv", "api", "webhook:chart")
    assert [settings.duplicate_window_of(source) for source in sources] == [60, None, 10]
    assert guard_form.texts(settings)["duplicate_window_source"] == "api off\nwebhook:tv 60"


@pytest.mark.parametrize(
    ("source", "seconds_ago", "passes"),
    [
        ("webhook:tv", 60, False),
        ("webhook:tv", 61, True),
        ("webhook:chart", 10, False),
        ("webhook:chart", 11, True),
        ("api", 0, True),
    ],
)
def test_a_repeat_is_refused_within_the_window_of_its_source(source: str, seconds_ago: int, passes: bool) -> None:
    settings = GuardSettings(duplicate_window=10, duplicate_window_source=(("api", None), ("webhook:tv", 60)))
    known = Known(last_equal=NOW - timedelta(seconds=seconds_ago))
    assert (refusal(asked(source=source), settings, known) is None) is passes


def test_a_source_may_have_the_only_window() -> None:
    settings = GuardSettings(duplicate_window_source=(("webhook:tv", 60),))
    assert refusal(asked(source="webhook:tv"), settings, Known(last_equal=NOW)) is not None
    assert refusal(asked(source="api"), settings, Known(last_equal=NOW)) is None


# The window of all, the own lines, both again; whether repeats of some source pass sooner after.
WINDOWS: list[tuple[str, str, str, str, bool]] = [
    ("", "", "", "api 10", False),
    ("", "api 10", "", "", True),
    ("", "", "", "api off", False),
    ("", "api 10", "10", "", False),
    ("10", "", "", "api 10", True),
    ("10", "", "10", "api 10", False),
    ("10", "api 10", "10", "", False),
    ("10", "", "10", "api 5", True),
    ("10", "", "10", "api 20", False),
    ("10", "", "10", "api off", True),
    ("10", "api off", "10", "", False),
    ("10", "api off", "20", "api off", False),
    ("", "", "10", "api off", False),
    ("10", "api off", "", "", True),
    ("10", "api 20", "20", "", False),
    ("20", "api 10", "10", "", True),
    ("10", "", "20", "api 5", True),
    ("10", "api 20", "20", "webhook:tv 5", True),
    ("10", "api 20", "20", "webhook:tv 10", False),
    ("10", "api 20", "9", "api 21", True),
    ("10", "api 20\nwebhook:tv 5", "10", "", True),
    ("10", "", "10", "api 20\nwebhook:tv 5", True),
]


@pytest.mark.parametrize(("general", "own", "later_general", "later_own", "wider"), WINDOWS)
def test_windows_are_wider_when_repeats_of_any_source_pass_sooner(
    general: str, own: str, later_general: str, later_own: str, wider: bool
) -> None:
    before = guard_form.parse({"duplicate_window": general, "duplicate_window_source": own})
    after = guard_form.parse({"duplicate_window": later_general, "duplicate_window_source": later_own})
    assert widens(before, after) is wider


def test_a_form_comes_back_as_it_was_typed() -> None:
    assert guard_form.texts(guard_form.parse(STRICT)) == {**STRICT, "allowed_symbols": "NFO:NIFTY* NSE:RELIANCE"}
    assert guard_form.parse({}) == GuardSettings()


@pytest.mark.parametrize("value", ["x", "-1", "0", "1e5", "NaN", "1_000", "١٢", "1,5", " ; DROP", "9" * 30, "1.123456"])
@pytest.mark.parametrize("name", ["maximum_quantity", "order_value", "loss_of_day", "orders_per_day", "price_band"])
def test_what_is_not_a_number_is_a_sentence(name: str, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        guard_form.parse({**STRICT, name: value})
    assert list(refused.value.faults) == [name]


@pytest.mark.parametrize(
    ("change", "field_at_fault"),
    [
        ({"window_opens": "25:00"}, "window_opens"),
        ({"window_opens": "", "window_closes": "15:00"}, "window_opens"),
        ({"window_closes": ""}, "window_closes"),
        ({"window_opens": "16:00"}, "window_closes"),
        ({"allowed_symbols": "RELIANCE"}, "allowed_symbols"),
        ({"allowed_symbols": "MARS:RELIANCE"}, "allowed_symbols"),
        ({"allowed_symbols": "NSE:<b>"}, "allowed_symbols"),
        ({"price_band": "101"}, "price_band"),
        ({"held_for": "5"}, "held_for"),
        ({"duplicate_window_source": "webhook:tv"}, "duplicate_window_source"),
        ({"duplicate_window_source": "webhook:tv 0"}, "duplicate_window_source"),
        ({"duplicate_window_source": "webhook:tv 86401"}, "duplicate_window_source"),
        ({"duplicate_window_source": "webhook:tv never"}, "duplicate_window_source"),
        ({"duplicate_window_source": "page 10"}, "duplicate_window_source"),
        ({"duplicate_window_source": "api 10\napi off"}, "duplicate_window_source"),
        ({"held_for_source": "api off"}, "held_for_source"),
        ({"held_for_source": "webhook:tv"}, "held_for_source"),
        ({"held_for_source": "webhook:tv 5"}, "held_for_source"),
        ({"held_for_source": "mars 120"}, "held_for_source"),
        ({"held_for_source": "api 60\napi 70"}, "held_for_source"),
        ({"held_for_source": "webhook:<b> 60"}, "held_for_source"),
        ({"held_for_source": "\n".join(f"webhook:s{number} 60" for number in range(101))}, "held_for_source"),
    ],
)
def test_a_field_at_fault_is_named(change: dict[str, str], field_at_fault: str) -> None:
    with pytest.raises(Invalid) as refused:
        guard_form.parse({**STRICT, **change})
    assert field_at_fault in refused.value.faults


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        guard_form.parse({"maximum_quantity": "x", "price_band": "y"})
    assert set(refused.value.faults) == {"maximum_quantity", "price_band"}


def test_the_audit_list_is_told_only_what_differs() -> None:
    before, after = guard_form.changes(GuardSettings(), GuardSettings(maximum_quantity=10))
    assert (before, after) == ("maximum quantity: off", "maximum quantity: 10")
    assert guard_form.changes(GuardSettings(), GuardSettings()) == ("", "")
