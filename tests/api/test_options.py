"""Endpoints that tell about options (contract 2.5), on the list of Saturday 21 November 2026, 10:30 IST."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.clock import IST
from openalgo_bridge.desk import Desk
from openalgo_bridge.model import black76
from openalgo_bridge.model.black76 import Option
from openalgo_bridge.model.instrument import OPTIONS
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import compact_date
from tests.api.conftest import Post
from tests.conftest import Account, FixedClock

TODAY = date(2026, 11, 21)
NIFTY = {"underlying": "NIFTY", "exchange": "NSE_INDEX"}
A_YEAR = timedelta(days=365)


@pytest.fixture(autouse=True)
def expiry(desk: Desk) -> date:
    """The second expiry of NIFTY options, some ten days away."""
    desk.store.instrument_lists.roll()
    return desk.store.instruments.expiries(Exchange.NFO, "NIFTY", OPTIONS, today=TODAY)[1]


@pytest.fixture
def chain(post: Post, expiry: date) -> dict[str, Any]:
    """All strikes of it, with greeks."""
    status, answer = post("optionchain", **NIFTY, expiry_date=compact_date(expiry), with_greeks=True)
    assert status == 200
    told: dict[str, Any] = answer
    return told


def at_the_money(chain: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = next(row for row in chain["chain"] if row["strike"] == chain["atm_strike"])
    return row


def test_an_option_is_named_with_its_lot_and_tick(post: Post, expiry: date) -> None:
    status, answer = post("optionsymbol", **NIFTY, expiry_date=compact_date(expiry), offset="otm2", option_type="ce")
    assert status == 200
    chain = post("optionchain", **NIFTY, expiry_date=compact_date(expiry))[1]
    (leg,) = [row["ce"] for row in chain["chain"] if row["ce"]["label"] == "OTM2"]
    assert answer == {
        "status": "success",
        "symbol": leg["symbol"],
        "exchange": "NFO",
        "lotsize": leg["lotsize"],
        "tick_size": 0.05,
        "freeze_qty": answer["freeze_qty"],
        "underlying_ltp": chain["underlying_ltp"],
    }
    assert answer["freeze_qty"] > 0


def test_the_sdk_sends_numbers_as_text_and_a_name_with_an_expiry(post: Post, expiry: date) -> None:
    named = {"underlying": f"NIFTY{compact_date(expiry)}FUT", "exchange": "NFO", "strategy": "ignored"}
    status, answer = post("optionsymbol", **named, offset="ATM", option_type="PE", strike_int="100")
    assert status == 200
    assert int(answer["symbol"].removesuffix("PE")[-5:]) % 100 == 0


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"offset": "OTM51"}, 400, "offset: Offset must be ATM, ITM1-ITM50, or OTM1-OTM50"),
        ({"offset": 1}, 400, "offset: Not a valid string."),
        ({"option_type": "CALL"}, 400, "option_type: Must be one of: CE, PE."),
        ({"exchange": "nse"}, 400, "exchange: Must be one of: NSE, "),
        ({"expiry_date": "28-OCT-26"}, 400, "expiry_date: Not a valid date"),
        ({"expiry_date": ""}, 400, "expiry_date: Expiry date is required"),
        ({"expiry_date": "25NOV26"}, 404, "No strikes found for NIFTY expiring 25NOV26."),
        ({"strike_int": 0}, 400, "strike_int: Must be greater than or equal to 1"),
        ({"strike_int": 1.5}, 400, "strike_int: Not a valid integer."),
        ({"underlying": "NOSUCH"}, 400, "Failed to fetch LTP for NOSUCH."),
        ({"underlying": "NOSUCH", "exchange": "MCX"}, 404, "No unexpired future of NOSUCH"),
        ({"underlying": "RELIANCE", "exchange": "NSE", "offset": "ITM50"}, 400, "Offset ITM50 is out of range"),
    ],
)
def test_what_names_no_option_is_told(
    desk: Desk, post: Post, change: dict[str, Any], status: int, told: str, expiry: date
) -> None:
    monthly = desk.store.instruments.expiries(Exchange.NFO, "RELIANCE", OPTIONS, today=TODAY)[0]
    day = monthly if change.get("underlying") == "RELIANCE" else expiry
    asked = {**NIFTY, "expiry_date": compact_date(day), "offset": "ATM", "option_type": "CE", **change}
    got, answer = post("optionsymbol", **asked)
    assert (got, answer["status"]) == (status, "error")
    assert told in answer["message"]


def test_all_faults_are_told_at_once(post: Post) -> None:
    status, answer = post("optionsymbol", offset="x", option_type="y")
    assert status == 400
    assert set(answer["errors"]) == {"underlying", "exchange", "offset", "option_type"}


def test_a_chain_has_every_strike_once_and_labels_by_listed_neighbours(chain: dict[str, Any]) -> None:
    strikes = [row["strike"] for row in chain["chain"]]
    assert strikes == sorted(set(strikes))
    assert len(strikes) > 100
    middle = strikes.index(chain["atm_strike"])
    assert min(abs(strike - chain["underlying_ltp"]) for strike in strikes) == abs(
        chain["atm_strike"] - chain["underlying_ltp"]
    )
    labels = [(row["ce"]["label"], row["pe"]["label"]) for row in chain["chain"]]
    assert labels[middle - 2 : middle + 3] == [
        ("ITM2", "OTM2"),
        ("ITM1", "OTM1"),
        ("ATM", "ATM"),
        ("OTM1", "ITM1"),
        ("OTM2", "ITM2"),
    ]


def test_a_chain_says_of_what_and_when_it_is(chain: dict[str, Any], expiry: date, clock: FixedClock) -> None:
    assert (chain["underlying"], chain["underlying_symbol"], chain["underlying_exchange"]) == (
        "NIFTY",
        "NIFTY",
        "NSE_INDEX",
    )
    assert chain["expiry_date"] == compact_date(expiry)
    assert datetime.fromtimestamp(chain["expiry_ts"], IST) == datetime.combine(
        expiry, datetime.min.time(), IST
    ).replace(hour=15, minute=30)
    assert chain["server_ts"] == int(clock.now().timestamp())
    assert chain["quotes_included"] is True


def test_the_prices_of_a_chain_are_those_of_the_quotes(post: Post, chain: dict[str, Any]) -> None:
    leg = at_the_money(chain)["pe"]
    quote = post("quotes", symbol=leg["symbol"], exchange="NFO")[1]["data"]
    assert {name: leg[name] for name in quote if name in leg} == {
        name: value for name, value in quote.items() if name in leg
    }
    assert leg["ltp"] > 0


def test_the_greeks_of_a_chain_are_those_of_the_model(chain: dict[str, Any]) -> None:
    years = (chain["expiry_ts"] - chain["server_ts"]) / A_YEAR.total_seconds()
    checked = 0
    for row in chain["chain"]:
        for side in ("ce", "pe"):
            leg = row[side]
            if leg["ltp"] < 1:
                continue
            option = Option(
                is_call=side == "ce", forward=chain["forward_price"], strike=row["strike"], years=years, rate=0.0
            )
            # The price it was made from is exact, so only the rounding of the answer stands between the two.
            volatility = black76.implied_volatility(option, leg["ltp"])
            found = black76.greeks(option, volatility)
            assert leg["implied_volatility"] == pytest.approx(volatility * 100, abs=0.005)
            assert leg["delta"] == pytest.approx(found.delta, abs=0.00005)
            assert leg["gamma"] == pytest.approx(found.gamma, abs=0.0000005)
            assert leg["theta"] == pytest.approx(found.theta, abs=0.00005)
            assert leg["vega"] == pytest.approx(found.vega, abs=0.00005)
            checked += 1
    assert checked > 50


def test_the_forward_of_a_chain_is_the_synthetic_future(post: Post, chain: dict[str, Any], expiry: date) -> None:
    row = at_the_money(chain)
    assert chain["forward_price"] == pytest.approx(row["strike"] + row["ce"]["ltp"] - row["pe"]["ltp"])
    status, answer = post("syntheticfuture", **NIFTY, expiry_date=compact_date(expiry))
    assert status == 200
    assert answer == {
        "status": "success",
        "underlying": "NIFTY",
        "underlying_ltp": chain["underlying_ltp"],
        "expiry": compact_date(expiry),
        "atm_strike": chain["atm_strike"],
        "synthetic_future_price": chain["forward_price"],
    }


def test_without_greeks_a_chain_has_no_forward_and_no_greeks(post: Post, expiry: date) -> None:
    chain = post("optionchain", **NIFTY, expiry_date=compact_date(expiry), strike_count=2)[1]
    assert (chain["greeks_included"], chain["forward_price"]) == (False, None)
    assert [row["ce"]["label"] for row in chain["chain"]] == ["ITM2", "ITM1", "ATM", "OTM1", "OTM2"]
    assert "delta" not in chain["chain"][0]["ce"]


def test_an_option_without_time_value_has_a_delta_of_one(chain: dict[str, Any]) -> None:
    deepest = chain["chain"][0]["ce"]
    assert deepest["delta"] == pytest.approx(1, abs=0.02)
    assert chain["chain"][-1]["pe"]["delta"] == pytest.approx(-1, abs=0.02)


def test_a_chain_takes_its_expiry_from_the_name_too(post: Post, expiry: date) -> None:
    named = f"NIFTY{compact_date(expiry)}FUT"
    assert post("optionchain", underlying=named, exchange="NFO", strike_count=1)[1]["expiry_date"] == compact_date(
        expiry
    )
    assert post("optionchain", **NIFTY, strike_count=1)[0] == 400


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"strike_count": 0}, "strike_count: Must be greater than or equal to 1 and less than or equal to 100."),
        ({"strike_count": 101}, "strike_count: Must be"),
        ({"with_greeks": "perhaps"}, "with_greeks: Not a valid boolean."),
        ({"interest_rate": 101}, "interest_rate: Must be greater than or equal to 0 and less than or equal to 100."),
        ({"interest_rate": "x"}, "interest_rate: Not a valid number."),
    ],
)
def test_what_a_chain_cannot_be_made_with_is_told(post: Post, fields: dict[str, Any], told: str, expiry: date) -> None:
    status, answer = post("optionchain", **NIFTY, expiry_date=compact_date(expiry), **fields)
    assert status == 400
    assert told in answer["message"]


def test_greeks_of_one_option_are_those_of_its_chain(post: Post, chain: dict[str, Any], expiry: date) -> None:
    row = at_the_money(chain)
    leg = row["ce"]
    status, answer = post("optiongreeks", symbol=leg["symbol"], exchange="NFO")
    assert status == 200
    assert answer["greeks"].pop("rho") < 0
    assert answer["greeks"] == {name: leg[name] for name in ("delta", "gamma", "theta", "vega")}
    assert answer == {
        "status": "success",
        "symbol": leg["symbol"],
        "exchange": "NFO",
        "underlying": "NIFTY",
        "strike": row["strike"],
        "option_type": "CE",
        "expiry_date": expiry.strftime("%d-%b-%Y"),
        "days_to_expiry": round((chain["expiry_ts"] - chain["server_ts"]) / 86400, 4),
        "spot_price": chain["forward_price"],
        "option_price": leg["ltp"],
        "interest_rate": 0.0,
        "implied_volatility": leg["implied_volatility"],
        "greeks": answer["greeks"],
    }


def test_a_forward_a_rate_and_a_time_of_the_caller_count(post: Post, chain: dict[str, Any]) -> None:
    leg = at_the_money(chain)["pe"]
    forward = round(chain["forward_price"]) - 100
    asked = {"symbol": leg["symbol"], "exchange": "NFO", "interest_rate": "6.5", "expiry_time": "10:30"}
    answer = post("optiongreeks", **asked, forward_price=forward)[1]
    assert (answer["spot_price"], answer["interest_rate"]) == (forward, 6.5)
    assert answer["days_to_expiry"] == pytest.approx(
        (chain["expiry_ts"] - chain["server_ts"]) / 86400 - 5 / 24, abs=1e-4
    )


def test_a_future_that_is_named_is_the_forward(desk: Desk, post: Post, chain: dict[str, Any]) -> None:
    future = desk.store.instruments.futures(Exchange.NFO, "NIFTY", today=TODAY)[0].symbol
    ltp = post("quotes", symbol=future, exchange="NFO")[1]["data"]["ltp"]
    leg = at_the_money(chain)["ce"]
    named = {"underlying_symbol": future, "underlying_exchange": "NFO"}
    assert post("optiongreeks", symbol=leg["symbol"], exchange="NFO", **named)[1]["spot_price"] == ltp
    index = {"underlying_symbol": "NIFTY", "underlying_exchange": "NSE_INDEX"}
    assert (
        post("optiongreeks", symbol=leg["symbol"], exchange="NFO", **index)[1]["spot_price"] == chain["forward_price"]
    )


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"symbol": "NIFTY"}, 400, "NIFTY names no contract of NFO."),
        ({"symbol": "NIFTY29DEC26FUT"}, 400, "NIFTY29DEC26FUT is not an option."),
        ({"symbol": "NIFTY28OCT2524000CE"}, 400, "Option has expired on 28-Oct-2025"),
        ({"symbol": "NIFTY25NOV2624000CE"}, 400, "Symbol 'NIFTY25NOV2624000CE' not found"),
        ({"exchange": "NSE"}, 400, "exchange: Must be one of: NFO, BFO"),
        ({"expiry_time": "25:00"}, 400, "expiry_time: Not a valid time"),
        ({"forward_price": -1}, 400, "forward_price: Must be a non-negative number."),
        ({"forward_price": 1}, 400, "No volatility gives"),
        ({"underlying_symbol": "NOSUCH"}, 400, "Failed to fetch LTP for NOSUCH."),
    ],
)
def test_what_has_no_greeks_is_told(
    post: Post, chain: dict[str, Any], fields: dict[str, Any], status: int, told: str
) -> None:
    asked = {"symbol": at_the_money(chain)["ce"]["symbol"], "exchange": "NFO", **fields}
    got, answer = post("optiongreeks", **asked)
    assert (got, answer["status"]) == (status, "error")
    assert told in answer["message"]


def test_many_options_keep_their_order_and_each_has_its_own_fate(post: Post, chain: dict[str, Any]) -> None:
    row = at_the_money(chain)
    symbols = [row["pe"]["symbol"], "NIFTY25NOV2624000CE", "NIFTY28OCT2524000CE", row["ce"]["symbol"]]
    status, answer = post("multioptiongreeks", symbols=[{"symbol": each, "exchange": "NFO"} for each in symbols])
    assert status == 200
    assert (answer["status"], answer["summary"]) == ("partial", {"total": 4, "success": 3, "failed": 1})
    assert [each["symbol"] for each in answer["data"]] == symbols
    put, missing, expired, call = answer["data"]
    assert put["greeks"]["delta"] == row["pe"]["delta"]
    assert call == post("optiongreeks", symbol=symbols[3], exchange="NFO")[1]
    assert missing == {
        "status": "error",
        "symbol": "NIFTY25NOV2624000CE",
        "exchange": "NFO",
        "message": missing["message"],
    }
    assert set(expired["greeks"].values()) == {0.0}
    assert expired["note"] == "Option has expired on 28-Oct-2025"


def test_many_options_of_which_none_is_one_are_an_error_with_its_reasons(post: Post) -> None:
    status, answer = post("multioptiongreeks", symbols=[{"symbol": "NOSUCH", "exchange": "NFO"}])
    assert (status, answer["status"]) == (200, "error")
    assert "Each result says why." in answer["message"]
    assert "NOSUCH names no contract" in answer["data"][0]["message"]


def test_many_are_at_most_fifty(post: Post) -> None:
    one = {"symbol": "NIFTY28OCT2524000CE", "exchange": "NFO"}
    for symbols in ([], [one] * 51):
        status, answer = post("multioptiongreeks", symbols=symbols)
        assert status == 400
        assert answer["errors"] == {"symbols": ["Symbols must contain 1 to 50 items."]}
    assert post("multioptiongreeks", symbols=[one] * 50)[0] == 200
    status, answer = post("multioptiongreeks", symbols=[one, {"symbol": "X"}])
    assert answer["errors"] == {"symbols[1].exchange": ["Missing data for required field."]}


def test_a_commodity_option_has_the_forward_of_its_own_expiry(desk: Desk, post: Post) -> None:
    expiry = desk.store.instruments.expiries(Exchange.MCX, "CRUDEOIL", OPTIONS, today=TODAY)[0]
    asked = {"underlying": "CRUDEOIL", "exchange": "MCX", "expiry_date": compact_date(expiry)}
    chain = post("optionchain", **asked, with_greeks=True)[1]
    assert chain["underlying_symbol"].endswith("FUT")
    assert datetime.fromtimestamp(chain["expiry_ts"], IST).hour == 23
    leg = at_the_money(chain)["ce"]
    answer = post("optiongreeks", symbol=leg["symbol"], exchange="MCX")[1]
    assert (answer["underlying"], answer["greeks"]["delta"]) == ("CRUDEOIL", leg["delta"])


@pytest.mark.parametrize(
    "path", ["optionsymbol", "optionchain", "syntheticfuture", "optiongreeks", "multioptiongreeks"]
)
def test_a_wrong_key_is_forbidden_everywhere(client: FlaskClient, account: Account, path: str) -> None:
    answer = client.post(f"/api/v1/{path}", json={"apikey": "x" * len(account.key)})
    assert answer.status_code == 403
    assert answer.get_json()["message"].startswith("Invalid openalgo apikey")
