"""``examples/amibroker/bridge.afl`` runs: one order for each signal of a completed bar, and never a second one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from openalgo_bridge.model.order import OrderMode
from tests.conftest import TRADER
from tests.examples.amibroker import BACKTEST, EXPLORE, INDICATOR, INTERPRET, SCAN, TOOLTIP, VERIFY, Pane
from tests.serving import Bridge

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = (ROOT / "examples" / "amibroker" / "bridge.afl").read_text(encoding="ascii")
GUIDE = (ROOT / "docs" / "amibroker.md").read_text(encoding="utf-8")
TRUE, FALSE = 1.0, 0.0

Open = Callable[..., Pane]


@pytest.fixture
def pane(bridge: Bridge, tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    """Opens a chart with a formula of its own under the include file; each test trades under its own strategy."""
    key_file = tmp_path / "bridge.key"
    key_file.write_text(f"{bridge.key}\r\n", encoding="ascii", newline="")

    def opened(formula: str, **changes: Any) -> Pane:
        parameters = {"Bridge address": bridge.url, "File with the API key": str(key_file), "Send orders": TRUE}
        text = INCLUDE + formula.replace("STRATEGY", request.node.name)
        return Pane(text, bridge.port, parameters, **changes)

    return opened


def to(size: int, symbol: str = "SBIN", condition: str = "Buy") -> str:
    return f'if( BridgeSignal( {condition} ) ) BridgePosition( "STRATEGY", "{symbol}", "NSE", "MIS", {size} );'


def test_a_signal_takes_the_position_where_the_formula_wants_it(bridge: Bridge, pane: Open) -> None:
    chart = pane(to(10))
    chart.refresh()
    assert bridge.held("SBIN") == 10
    assert chart.log == [f"{tag_of(chart.sent[0])}: 200 {chart.answers[0].body.decode()}\n"]
    chart.signals = {"Buy": [FALSE, FALSE], "Sell": [TRUE, FALSE]}
    chart.formula += to(0, condition="Sell")
    chart.next_bar()
    chart.refresh()
    assert bridge.held("SBIN") == 0
    assert [re.findall(rb'"action":"(\w+)"', sent) for sent in chart.sent] == [[b"BUY"], [b"SELL"]]


def test_the_request_is_exactly_this(bridge: Bridge, pane: Open) -> None:
    chart = pane('BridgeLimit( "STRATEGY \\"1\\"", "SBIN", "NSE", "BUY", "MIS", 1000, 701.05 );')
    chart.refresh()
    strategy = "test_the_request_is_exactly_this"
    body = (
        f'{{"apikey":"{bridge.key}","strategy":"{strategy} \\"1\\"","symbol":"SBIN","exchange":"NSE","action":"BUY",'
        '"product":"MIS","quantity":"1000","pricetype":"LIMIT","price":"701.05"}'
    )
    assert chart.sent == [
        (
            "POST /api/v1/placeorder HTTP/1.1\r\nContent-Type: application/json\r\n"
            f'Idempotency-Key: afl:{strategy} "1":NSE:SBIN:BUY:300-1261120-100000\r\n'
            f"User-Agent: AmiBroker\r\nHost: 127.0.0.1:{bridge.port}\r\nContent-Length: {len(body)}\r\n"
            f"Connection: Keep-Alive\r\nCache-Control: no-cache\r\n\r\n{body}"
        ).encode()
    ]


def tag_of(sent: bytes) -> str:
    found = re.search(rb"Idempotency-Key: (.+)\r\n", sent)
    assert found is not None
    return found[1].decode()


def test_redraws_panes_and_a_restart_send_nothing_more(bridge: Bridge, pane: Open) -> None:
    chart = pane('if( BridgeSignal( Buy ) ) BridgeMarket( "STRATEGY", "INFY", "NSE", "BUY", "MIS", 5 );')
    other = pane(chart.formula.removeprefix(INCLUDE), static=chart.static, run_as=SCAN)
    for each in (chart, chart, other, chart, other):
        each.refresh()
    later = pane(chart.formula.removeprefix(INCLUDE), static=chart.static.after_restart())
    later.refresh()
    assert (len(chart.sent), len(other.sent), len(later.sent)) == (1, 0, 0)
    assert bridge.held("INFY") == 5


def test_the_next_completed_bar_is_another_signal(bridge: Bridge, pane: Open) -> None:
    chart = pane('if( BridgeSignal( Buy ) ) BridgeMarket( "STRATEGY", "TCS", "NSE", "BUY", "MIS", 2 );')
    chart.refresh()
    chart.next_bar()
    chart.refresh()
    assert bridge.held("TCS") == 4
    assert len({tag_of(sent) for sent in chart.sent}) == 2


def test_a_bar_of_another_interval_that_ends_at_the_same_time_is_another_signal(bridge: Bridge, pane: Open) -> None:
    chart = pane('if( BridgeSignal( Buy ) ) BridgeMarket( "STRATEGY", "TCS", "NSE", "BUY", "MIS", 2 );')
    slower = pane(chart.formula.removeprefix(INCLUDE), static=chart.static, interval=900.0)
    for each in (chart, slower, chart, slower):
        each.refresh()
    assert (len(chart.sent), len(slower.sent)) == (1, 1)


def test_a_quantity_that_changes_between_two_refreshes_is_no_other_signal(bridge: Bridge, pane: Open) -> None:
    chart = pane('BridgeMarket( "STRATEGY", "HDFCBANK", "NSE", "BUY", "MIS", 7 );')
    other = pane(chart.formula.removeprefix(INCLUDE).replace("7", "8"), static=chart.static)
    for each in (chart, other):
        each.refresh()
    assert bridge.held("HDFCBANK") == 7


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("a signal of the bar that is being drawn", {"signals": {"Buy": [FALSE, TRUE]}}),
        ("a signal that is not known yet", {"signals": {"Buy": [None, FALSE]}}),
        ("a backtest", {"run_as": BACKTEST}),
        ("a check of the formula", {"run_as": VERIFY}),
        ("a tooltip", {"run_as": TOOLTIP}),
    ],
)
def test_nothing_is_sent_for(bridge: Bridge, pane: Open, what: str, changes: dict[str, Any]) -> None:
    chart = pane(to(10, "WIPRO"))
    for name, value in changes.items():
        setattr(chart, name, value)
    chart.refresh()
    assert chart.sent == []
    chart.run_as, chart.signals = INDICATOR, {"Buy": [TRUE, FALSE]}
    chart.refresh()
    assert len(chart.sent) == 1


@pytest.mark.parametrize("run_as", [INDICATOR, INTERPRET, SCAN, EXPLORE])
def test_charts_scans_and_explorations_send(bridge: Bridge, pane: Open, run_as: float) -> None:
    chart = pane(to(0, "WIPRO"), run_as=run_as)
    chart.refresh()
    assert len(chart.sent) == 1


def test_nothing_is_sent_before_the_trader_switches_it_on(bridge: Bridge, pane: Open) -> None:
    chart = pane(to(10, "WIPRO"))
    chart.parameters.pop("Send orders")
    chart.refresh()
    assert chart.sent == []


@pytest.mark.parametrize(
    ("interval", "hours", "sends"), [(300, 0.2, 0), (3600, 1.9, 1), (86400, 72, 1), (86400, 240, 0)]
)
def test_an_old_signal_is_not_sent_when_amibroker_starts_late(
    bridge: Bridge, pane: Open, interval: float, hours: float, sends: int
) -> None:
    chart = pane(to(0, "WIPRO"), interval=float(interval))
    chart.now = chart.completed + timedelta(hours=hours)
    chart.refresh()
    assert len(chart.sent) == sends


def test_what_the_bridge_says_it_did_not_send_is_asked_again_on_the_same_bar(bridge: Bridge, pane: Open) -> None:
    chart = pane('if( BridgeSignal( Buy ) ) BridgeMarket( "STRATEGY", "LT", "NSE", "BUY", "MIS", 1 );')
    bridge.desk.doors.shut("The journal cannot be read.")
    chart.refresh()
    bridge.desk.doors.open()
    assert [answer.status for answer in chart.answers] == [503]
    chart.refresh()
    chart.refresh()
    assert [answer.status for answer in chart.answers] == [503, 200]
    assert bridge.held("LT") == 1


def test_a_refusal_is_not_asked_again(bridge: Bridge, pane: Open) -> None:
    chart = pane('if( BridgeSignal( Buy ) ) BridgeMarket( "STRATEGY", "NOSUCH", "NSE", "BUY", "MIS", 1 );')
    chart.refresh()
    chart.refresh()
    assert [answer.status for answer in chart.answers] == [400]
    assert "NOSUCH" in chart.log[0]


def test_a_lost_answer_is_asked_for_by_hand_and_never_makes_a_second_order(bridge: Bridge, pane: Open) -> None:
    chart = pane('if( BridgeSignal( Buy ) ) BridgeMarket( "STRATEGY", "ITC", "NSE", "BUY", "MIS", 3 );')
    chart.loses_answers = True
    chart.refresh()
    chart.refresh()
    assert len(chart.sent) == 1
    assert "No answer." in chart.log[0]
    chart.loses_answers = False
    chart.clicked.add("No answer came")
    chart.refresh()
    assert chart.answers[1].body == chart.answers[0].body
    assert b"Idempotency-Replayed: true" in chart.answers[1].head
    assert bridge.held("ITC") == 3


def test_a_held_order_is_told_as_such(bridge: Bridge, pane: Open) -> None:
    bridge.desk.store.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=TRADER)
    chart = pane('if( BridgeSignal( Buy ) ) BridgeMarket( "STRATEGY", "ITC", "NSE", "BUY", "MIS", 3 );')
    chart.refresh()
    bridge.desk.store.preferences.set_order_mode(OrderMode.AUTO, by=TRADER)
    assert json.loads(chart.answers[0].body)["mode"] == "semi_auto"
    assert "queued for approval" in chart.log[0]


def test_a_key_file_that_is_not_there_sends_nothing_to_a_broker(bridge: Bridge, pane: Open) -> None:
    chart = pane(to(10, "WIPRO"))
    chart.parameters["File with the API key"] = "no such file"
    before = len(bridge.tickets())
    chart.refresh()
    assert [answer.status for answer in chart.answers] == [400]
    assert len(bridge.tickets()) == before


def test_the_key_is_in_no_log_line(bridge: Bridge, pane: Open) -> None:
    chart = pane(to(0, "WIPRO"))
    chart.refresh()
    assert bridge.key not in "".join(chart.log)


def test_the_guide_names_every_function_and_parameter_of_the_file() -> None:
    functions = set(re.findall(r"^function (\w+)\( strategy", INCLUDE, re.MULTILINE)) - {"BridgeTag", "BridgeFields"}
    named = set(re.findall(r"Param\w+\( \"([^\"]+)\"", INCLUDE)) | functions | {"BridgeSignal"}
    assert len(named) == 8
    assert [name for name in sorted(named) if name not in GUIDE] == []
    assert set(re.findall(r"\bBridge[A-Z]\w+", GUIDE)) <= set(re.findall(r"\bBridge[A-Z]\w+", INCLUDE))
