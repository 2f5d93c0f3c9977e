"""A call that was cut off is answered again, when it comes again with its key, in the shape of its endpoint."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from openalgo_bridge.desk import Desk
from openalgo_bridge.model.instrument import OPTIONS
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.symbol import compact_date
from tests.conftest import Account, FixedClock

ORDER = {"symbol": "RELIANCE", "exchange": "NSE", "action": "BUY", "quantity": 25}
LEG = {"offset": "ATM", "option_type": "CE", "action": "BUY", "quantity": 65}
SOLD = {**LEG, "action": "SELL", "offset": "OTM1", "quantity": 195, "splitsize": 65}
CALLS: dict[str, dict[str, Any]] = {
    "placesmartorder": {**ORDER, "position_size": 25},
    "basketorder": {"orders": [{**ORDER, "action": "SELL"}, ORDER]},
    "splitorder": {**ORDER, "splitsize": 10},
    "optionsorder": LEG,
    "optionsorder in slices": {**LEG, "quantity": 195, "splitsize": 130},
    "optionsmultiorder": {"legs": [SOLD, LEG, {**LEG, "option_type": "PE"}]},
}


@pytest.fixture
def of_options(desk: Desk, clock: FixedClock) -> dict[str, str]:
    """The underlying and the nearest expiry."""
    desk.store.instrument_lists.roll()
    (expiry, *_) = desk.store.instruments.expiries(Exchange.NFO, "NIFTY", OPTIONS, today=clock.now().date())
    return {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": compact_date(expiry)}


def call(client: FlaskClient, account: Account, path: str, fields: dict[str, Any]) -> dict[str, Any]:
    body = {"apikey": account.key, "strategy": "t", **fields}
    answer = client.post(f"/api/v1/{path}", json=body, headers={"Idempotency-Key": "k1"})
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def cut_off(desk: Desk) -> None:
    """As a kill leaves it: the answer of the newest call was never written."""
    desk.store.files[0].write("UPDATE idempotency SET state = 'running', status = NULL, answer = NULL")


@pytest.mark.parametrize("name", CALLS)
def test_what_was_cut_off_is_told_in_the_words_of_its_endpoint(
    client: FlaskClient, account: Account, desk: Desk, of_options: dict[str, str], name: str
) -> None:
    path = name.partition(" ")[0]
    fields = {**(of_options if path.startswith("options") else {}), **CALLS[name]}
    first = call(client, account, path, fields)
    cut_off(desk)
    again = call(client, account, path, fields)
    # What the underlying cost then was not kept, and the price of now would be another one.
    first.pop("underlying_ltp", None)
    assert again == first
    assert len(desk.store.journal.tickets()) == 1


def test_a_cancel_of_several_that_was_cut_off_names_each(client: FlaskClient, account: Account, desk: Desk) -> None:
    low = {**ORDER, "pricetype": "LIMIT", "price": 1100}
    placed = client.post("/api/v1/basketorder", json={"apikey": account.key, "strategy": "t", "orders": [low, low]})
    named = {"orderid": placed.get_json()["reference"]}
    first = call(client, account, "cancelorder", named)
    assert len(first["canceled_orders"]) == 2
    cut_off(desk)
    assert call(client, account, "cancelorder", named) == first
