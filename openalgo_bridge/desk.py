"""The handful of long-lived objects every use case gets as its first argument."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from openalgo_bridge.account.password import Argon2Cost
from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import NotSent
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.store import Store
from openalgo_bridge.trading.broker_time import BrokerTime, TimedBroker
from openalgo_bridge.trading.budget import BoundedBroker, Budget
from openalgo_bridge.trading.doors import Doors
from openalgo_bridge.trading.drilled import Drills
from openalgo_bridge.trading.lately import Lately
from openalgo_bridge.trading.readings import Readings
from openalgo_bridge.trading.throttle import Throttle
from openalgo_bridge.trading.turns import Turns
from openalgo_bridge.trading.unwritten import Unwritten


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One bridge. ``brokers`` has an entry per trading mode that is connected; paper always is.

    ``doors`` are closed until somebody has found out what became of the last orders. ``throttles`` has an entry for
    each broker, by its name, that limits how fast it takes orders. ``drills`` knows what the paper account acts out.
    ``unwritten`` is what brokers said and could not be written down yet, ``readings`` what the last proofs of exits
    read, ``lately`` what went out a moment ago. ``wait`` lets seconds pass, ``turns`` keeps two smart orders for one
    position apart. ``broker_time`` knows how long this thread has waited for brokers.
    """

    settings: Settings
    clock: Clock
    store: Store
    brokers: Mapping[TradingMode, Broker]
    argon2: Argon2Cost
    doors: Doors
    budget: Budget
    throttles: Mapping[str, Throttle]
    drills: Drills
    unwritten: Unwritten = field(default_factory=Unwritten)
    readings: Readings = field(default_factory=Readings)
    lately: Lately = field(default_factory=Lately)
    wait: Callable[[float], object] = time.sleep
    turns: Turns = field(default_factory=Turns)
    broker_time: BrokerTime = field(default_factory=BrokerTime)

    @classmethod
    def of_account(cls, settings: Settings, clock: Clock, store: Store) -> Desk:
        """For a command that asks about the account alone: no broker, and doors that nobody opens."""
        return cls(
            settings=settings,
            clock=clock,
            store=store,
            brokers={},
            argon2=Argon2Cost(),
            doors=Doors(),
            budget=Budget(0),
            throttles={},
            drills=Drills(clock),
        )

    def broker(self, mode: TradingMode) -> Broker:
        """The broker that carries out ``mode``. Raises NotSent: there is no silent fall from live to paper."""
        broker = self.brokers.get(mode)
        if broker is None:
            raise NotSent(f"No broker is connected for {mode} trading: connect one, or go back to paper.")
        return BoundedBroker(TimedBroker(broker, self.broker_time), self.budget)

    def close(self) -> None:
        """Close every file."""
        self.store.close()
