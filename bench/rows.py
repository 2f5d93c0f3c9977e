"""What is asked, of whom, and what it may cost (the performance budget of the bridge, as ratios)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from load import Tally, percentile

BURST_CLIENTS = 8
_PING = "/api/v1/ping"
_PLACE = "/api/v1/placeorder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that is asked.

    ``floor`` names the row it is compared with, ``most`` the largest ratio to it. ``fewest`` and ``latest_ms`` are
    the budget of a burst: calls per second, and the 99th percentile.
    """

    name: str
    server: str
    path: str
    extra: tuple[Mapping[str, str], ...] = ({},)
    clients: int = 1
    keep_alive: bool = True
    floor: str | None = None
    most: float | None = None
    fewest: float | None = None
    latest_ms: float | None = None

    @property
    def is_order(self) -> bool:
        return self.path == _PLACE


@dataclass(slots=True, kw_only=True)
class Measured:
    """All that was seen of one row. ``medians`` has the p50 of each round, in milliseconds.

    ``warm_up`` answers are orders like any other, but their times do not count.
    """

    tally: Tally = field(default_factory=Tally)
    medians: list[float] = field(default_factory=list)
    warm_up: Tally = field(default_factory=Tally)

    def add(self, tally: Tally) -> None:
        self.tally.add(tally)
        self.medians.append(percentile(tally.micros, 0.5) / 1000)

    def percentile_ms(self, share: float) -> float:
        return percentile(self.tally.micros, share) / 1000

    @property
    def calls_per_second(self) -> float:
        return len(self.tally.micros) / self.tally.seconds

    @property
    def answers(self) -> int:
        """How many calls were answered well, warm-up included."""
        return len(self.tally.micros) + len(self.warm_up.micros)


def _order(action: str) -> Mapping[str, str]:
    return {
        "strategy": "bench",
        "exchange": "NSE",
        "symbol": "SBIN",
        "action": action,
        "pricetype": "MARKET",
        "product": "MIS",
        "quantity": "1",
    }


# Bought and sold in turn, so that the paper account never runs out of money.
_ORDERS = (_order("BUY"), _order("SELL"))
_QUOTE = ({"symbol": "SBIN", "exchange": "NSE"},)

ROWS = (
    Row(name="floor", server="floor", path="/floor"),
    Row(name="ping", server="auto", path=_PING, floor="floor", most=2.0),
    Row(name="quotes", server="auto", path="/api/v1/quotes", extra=_QUOTE, floor="floor", most=2.0),
    Row(name="funds", server="auto", path="/api/v1/funds", floor="floor", most=2.0),
    Row(name="durable floor", server="floor", path="/durable"),
    Row(name="placeorder, Auto", server="auto", path=_PLACE, extra=_ORDERS, floor="durable floor", most=3.0),
    Row(name="placeorder, Semi-Auto", server="semi", path=_PLACE, extra=_ORDERS, floor="durable floor", most=2.5),
    Row(name="floor, new connections", server="floor", path="/floor", keep_alive=False),
    Row(name="ping, new connections", server="auto", path=_PING, keep_alive=False, floor="floor, new connections"),
    Row(name="durable floor, 8 clients", server="floor", path="/durable", clients=BURST_CLIENTS),
    Row(
        name="placeorder, 8 clients",
        server="auto",
        path=_PLACE,
        extra=_ORDERS,
        clients=BURST_CLIENTS,
        floor="durable floor, 8 clients",
        fewest=250,
        latest_ms=60,
    ),
    Row(
        name="placeorder, 8 clients, new connections",
        server="auto",
        path=_PLACE,
        extra=_ORDERS,
        clients=BURST_CLIENTS,
        keep_alive=False,
        floor="durable floor, 8 clients",
    ),
)
