"""The promises of ``contract.py``, for every broker there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.brokers.registry import BROKERS, Surroundings
from openalgo_bridge.market.simulated import SimulatedMarket
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store.store import Store
from tests.brokers.contract import BrokerPromises
from tests.conftest import FixedClock


class TestEveryBroker(BrokerPromises):
    @pytest.fixture(params=list(BROKERS))
    def broker_name(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def store(self, tmp_path: Path, clock: FixedClock) -> Iterator[Store]:
        opened = Store.open(tmp_path, clock)
        yield opened
        opened.close()

    @pytest.fixture
    def broker(self, broker_name: str, store: Store, clock: FixedClock) -> Broker:
        given = Surroundings(
            book=store.paperbook,
            market=SimulatedMarket(7),
            instruments=store.instruments,
            clock=clock,
            calendar=store.calendar.load,
            paper_settings=store.paper_settings.load,
        )
        return BROKERS[broker_name](given)

    @pytest.fixture
    def instrument(self, store: Store) -> Instrument:
        found = store.instruments.find(Exchange.NSE, "SBIN")
        assert found is not None
        return found
