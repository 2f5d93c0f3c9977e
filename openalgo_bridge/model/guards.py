"""The limits a trader sets before anything is sent: each one a rule with a name (users D, design 4). Pure.

A rule asks only for what it needs, and a rule that is off asks for nothing: facts are read from a broker or a
database, and every order waits for that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from openalgo_bridge.model.exits import position_of
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.order import Action, OrderRequest, PositionKey, PriceType

FREEZE_MULTIPLE = 10
"""An order may be at most so many times the exchange's freeze quantity; nobody means more (design 4)."""

LARGEST_QUANTITY = 1_000_000
"""The same where the exchange publishes no freeze quantity."""

CLOCKS_APART = 5
"""So many seconds the clock of a sender may be ahead; what comes from further ahead has no age that is known."""


class Guard(StrEnum):
    """What may refuse an order. The value is what a program reads in the answer."""

    KILL_SWITCH = "kill_switch"
    MAXIMUM_QUANTITY = "maximum_quantity"
    ORDER_VALUE = "order_value"
    OPEN_POSITIONS = "open_positions"
    ORDERS_PER_DAY = "orders_per_day"
    LOSS_OF_DAY = "loss_of_day"
    ALLOWED_SYMBOLS = "allowed_symbols"
    TRADING_WINDOW = "trading_window"
    DUPLICATE_SIGNAL = "duplicate_signal"
    STALE_SIGNAL = "stale_signal"
    PRICE_BAND = "price_band"
    PRICE_DRIFT = "price_drift"


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingWindow:
    """The hours of the day, in IST, in which entries may be made; ``closes`` itself is outside."""

    opens: time
    closes: time

    def __str__(self) -> str:
        return f"{self.opens:%H:%M} to {self.closes:%H:%M} IST"

    def has(self, moment: time) -> bool:
        """Whether it is open."""
        return self.opens <= moment < self.closes


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """What the trader set. None is off; what cannot be None is a sanity limit that is always on (design 4).

    Money is in rupees, windows and ages in seconds, bands in percent of the last price. ``allowed_symbols`` are
    ``EXCHANGE:SYMBOL``; an entry that ends in ``*`` stands for every symbol that begins like it. ``held_for_source``
    are the sources that have a time of their own, sorted, with that time; ``duplicate_window_source`` those that have
    a window of their own, where None is off for that source. ``rehearse_rate`` makes a broker that does not count
    orders take them as fast as one that does.
    """

    maximum_quantity: int | None = None
    order_value: Decimal | None = None
    open_positions: int | None = None
    orders_per_day: int = 500
    loss_of_day: Decimal | None = None
    allowed_symbols: frozenset[str] | None = None
    trading_window: TradingWindow | None = None
    duplicate_window: int | None = None
    duplicate_window_source: tuple[tuple[str, int | None], ...] = ()
    stale_after: int | None = None
    price_band: Decimal = field(default=Decimal(20))
    price_drift: Decimal | None = None
    let_exits_through: bool = False
    held_for: int = 300
    held_for_source: tuple[tuple[str, int], ...] = ()
    rehearse_rate: bool = False

    def held_for_of(self, source: str) -> int:
        """How long a ticket of ``source`` waits for the trader, in seconds."""
        return dict(self.held_for_source).get(source, self.held_for)

    def duplicate_window_of(self, source: str) -> int | None:
        """Within how many seconds ``source`` may not ask for the same again; None where it may at once."""
        return dict(self.duplicate_window_source).get(source, self.duplicate_window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be judged. ``signal_at`` is when the signal arose, where its sender says so.

    ``arrived_at`` is set where that was before ``now``, because it waited. ``is_change`` is a change of an order that
    is at the broker already: it is no further order. ``beside`` are the positions of the other orders that it goes
    with or not at all: a limit must have room for all of them.
    """

    order: OrderRequest
    instrument: Instrument
    source: str
    now: datetime
    time_of_day: time
    arrived_at: datetime | None = None
    signal_at: datetime | None = None
    is_change: bool = False
    beside: tuple[PositionKey, ...] = ()


class Facts(Protocol):
    """What rules may ask for. Each may raise a BridgeError: then nobody knows, and the order waits for the person."""

    def last_price(self) -> Decimal:
        """The last price of the instrument, in rupees."""

    def exposures(self) -> Collection[PositionKey]:
        """Every position that is open, or would be once what is working and in flight had filled."""

    def profit_of_day(self) -> Decimal:
        """Booked and open profit of today, in rupees; a loss is negative."""

    def has_orders_of_day(self, number: int) -> bool:
        """Whether at least ``number`` orders of today were sent or wait for the person."""

    def has_equal_signal(self, since: datetime) -> bool:
        """Whether the same source asked for exactly the same since then. What a person clicks is no signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """No, and why."""

    guard: Guard
    sentence: str


_Rule = Callable[[Asked, GuardSettings, Facts], Refusal | None]


def refusal_of_exit(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:
    """The first of the rules that hold for exits too: they guard against a slip of the finger, and a repeat."""
    return _first(_FOR_EXITS_TOO, asked, settings, facts)


def refusal_of_entry(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:
    """The first of the rules that only make sense for entries; what costs no read is asked first."""
    return _first(_FOR_ENTRIES, asked, settings, facts)


def refusal_of_whole(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:
    """The first of the rules about the size of one order, of what is sent in slices: each alone would keep them."""
    return _first(_FOR_WHOLES, asked, settings, facts)


def drift(then: Decimal, now: Decimal, settings: GuardSettings) -> Refusal | None:
    """Whether the price left the trader's limit while a ticket waited for him. ``then`` is the price at arrival."""
    limit = settings.price_drift
    if limit is None or not then or abs(now - then) * 100 <= limit * then:
        return None
    sentence = f"The price moved from {then} to {now} while it waited, by more than {limit} %."
    return Refusal(guard=Guard.PRICE_DRIFT, sentence=sentence)


def repeat(window: int) -> Refusal:
    """Of a signal that came a second time within ``window`` seconds."""
    sentence = f"The same source asked for exactly the same less than {window} s ago."
    return Refusal(guard=Guard.DUPLICATE_SIGNAL, sentence=sentence)


def widens(before: GuardSettings, after: GuardSettings) -> bool:
    """Whether ``after`` lets anything through that ``before`` stops: that needs step-up (design 5).

    The rehearsal of a rate stops nothing, it only makes it wait.
    """
    return (
        any(_is_above(getattr(after, name), getattr(before, name)) for name in _UPPER_LIMITS)
        or _is_wider(before.trading_window, after.trading_window)
        or (before.allowed_symbols is not None and not _covers(before.allowed_symbols, after.allowed_symbols))
        or (after.let_exits_through and not before.let_exits_through)
        or any(_is_wider_for(source, before, after) for source in _sources(before, after))
    )


_UPPER_LIMITS = (
    "maximum_quantity",
    "order_value",
    "open_positions",
    "orders_per_day",
    "loss_of_day",
    "stale_after",
    "price_band",
    "price_drift",
)


def _is_above(one: Decimal | int | None, other: Decimal | int | None) -> bool:
    """Of two upper limits, where None has no end."""
    if one is None:
        return other is not None
    return other is not None and one > other


def _is_wider(before: TradingWindow | None, after: TradingWindow | None) -> bool:
    if before is None or after is None:
        return before is not None
    return after.opens < before.opens or after.closes > before.closes


def _sources(*settings: GuardSettings) -> set[str]:
    """Those that have something of their own in any of them, and an empty one that stands for all others."""
    return {""} | {source for each in settings for source, _ in each.held_for_source + each.duplicate_window_source}


def _is_wider_for(source: str, before: GuardSettings, after: GuardSettings) -> bool:
    """Whether its tickets wait longer or its repeats pass sooner. Without a window they pass at once."""
    window, former = after.duplicate_window_of(source) or 0, before.duplicate_window_of(source) or 0
    return after.held_for_of(source) > before.held_for_of(source) or window < former


def _covers(allowed: Collection[str], wanted: Collection[str] | None) -> bool:
    """Whether every symbol of ``wanted`` is one of ``allowed`` too. Many symbols are covered only by as many."""
    many = [entry for entry in allowed if entry.endswith("*")]
    return wanted is not None and all(_is_named(entry.removesuffix("*"), many) or entry in allowed for entry in wanted)


# -- for exits too -----------------------------------------------------------------------------------------------


def _sane_quantity(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:  # noqa: ARG001
    freeze = asked.instrument.freeze_quantity
    limit = FREEZE_MULTIPLE * freeze if freeze else LARGEST_QUANTITY
    if asked.order.quantity <= limit:
        return None
    sentence = f"Quantity {asked.order.quantity} is above {limit}, more than any order of it can mean."
    return Refusal(guard=Guard.MAXIMUM_QUANTITY, sentence=sentence)


def _price_band(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:
    if asked.order.price_type is not PriceType.LIMIT:
        return None
    price, last = asked.order.price, facts.last_price()
    if abs(price - last) * 100 <= settings.price_band * last:
        return None
    sentence = f"The price {price} is more than {settings.price_band} % away from the last price {last}."
    return Refusal(guard=Guard.PRICE_BAND, sentence=sentence)


# -- for entries only --------------------------------------------------------------------------------------------


def _maximum_quantity(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:  # noqa: ARG001
    limit = settings.maximum_quantity
    if limit is None or asked.order.quantity <= limit:
        return None
    sentence = f"Quantity {asked.order.quantity} is above the {limit} you allow for one order."
    return Refusal(guard=Guard.MAXIMUM_QUANTITY, sentence=sentence)


def _allowed_symbols(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:  # noqa: ARG001
    if settings.allowed_symbols is None or _is_listed(asked.order, settings.allowed_symbols):
        return None
    sentence = f"{asked.order.symbol} on {asked.order.exchange} is not among the symbols you allow."
    return Refusal(guard=Guard.ALLOWED_SYMBOLS, sentence=sentence)


def _trading_window(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:  # noqa: ARG001
    window = settings.trading_window
    if window is None or window.has(asked.time_of_day):
        return None
    sentence = f"It is {asked.time_of_day:%H:%M} IST; you allow entries from {window}."
    return Refusal(guard=Guard.TRADING_WINDOW, sentence=sentence)


def _stale_signal(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:  # noqa: ARG001
    """A sender that does not say when its signal arose cannot be judged."""
    if settings.stale_after is None or asked.signal_at is None:
        return None
    # By its arrival, so that of several orders the last is as old as the first.
    age = ((asked.arrived_at or asked.now) - asked.signal_at).total_seconds()
    if age < -CLOCKS_APART:
        sentence = f"The signal is of {-age:.0f} s from now: the clock of its sender is ahead, so its age is unknown."
        return Refusal(guard=Guard.STALE_SIGNAL, sentence=sentence)
    if age <= settings.stale_after:
        return None
    sentence = f"The signal is {age:.0f} s old; you allow {settings.stale_after} s."
    return Refusal(guard=Guard.STALE_SIGNAL, sentence=sentence)


def _orders_per_day(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:
    limit, others = settings.orders_per_day, len(asked.beside)
    if asked.is_change or not facts.has_orders_of_day(limit - others):
        return None
    sentence = f"The {limit} orders you allow for one day are used up."
    if others:
        sentence = f"It goes in {1 + others} orders or not at all; of the {limit} you allow for one day fewer are left."
    return Refusal(guard=Guard.ORDERS_PER_DAY, sentence=sentence)


def _duplicate_signal(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:
    """For exits too: it stops a repeat, and an exit that is sent twice closes twice as much."""
    window = settings.duplicate_window_of(asked.source)
    if window is None or asked.is_change:
        return None
    if not facts.has_equal_signal((asked.arrived_at or asked.now) - timedelta(seconds=window)):
        return None
    return repeat(window)


def _order_value(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:
    limit = settings.order_value
    if limit is None:
        return None
    value = worth(asked.order, asked.instrument, facts.last_price)
    if value <= limit:
        return None
    return Refusal(guard=Guard.ORDER_VALUE, sentence=f"It is worth {value:.2f}, above the {limit} you allow.")


def _loss_of_day(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:  # noqa: ARG001
    """Of two orders at once both may see the figure of before: the broker's, which no claim can look at again."""
    limit = settings.loss_of_day
    if limit is None:
        return None
    loss = -facts.profit_of_day()
    if loss < limit:
        return None
    return Refusal(guard=Guard.LOSS_OF_DAY, sentence=f"Today's loss is {loss:.2f}; you stop at {limit}.")


def _open_positions(asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:
    limit = settings.open_positions
    if limit is None:
        return None
    wanted = position_of(asked.order)
    others = len({*facts.exposures(), *asked.beside} - {wanted})
    if others < limit:
        return None
    are_open = "would be open with all of its orders" if asked.beside else "are open"
    sentence = f"You allow {limit} open positions; {others} others {are_open}."
    return Refusal(guard=Guard.OPEN_POSITIONS, sentence=sentence)


_FOR_EXITS_TOO: tuple[_Rule, ...] = (_sane_quantity, _duplicate_signal, _price_band)
_FOR_WHOLES: tuple[_Rule, ...] = (_sane_quantity, _maximum_quantity, _order_value)
_FOR_ENTRIES: tuple[_Rule, ...] = (
    _maximum_quantity,
    _allowed_symbols,
    _trading_window,
    _stale_signal,
    _orders_per_day,
    _order_value,
    _loss_of_day,
    _open_positions,
)


def _first(rules: tuple[_Rule, ...], asked: Asked, settings: GuardSettings, facts: Facts) -> Refusal | None:
    return next((found for rule in rules if (found := rule(asked, settings, facts)) is not None), None)


def worth(order: OrderRequest, instrument: Instrument, last_price: Callable[[], Decimal]) -> Decimal:
    """The most that an order can cost or bring, in rupees; ``last_price`` is called where that depends on it."""
    return order.quantity * instrument.multiplier * _price_at_most(order, last_price)


def _price_at_most(order: OrderRequest, last_price: Callable[[], Decimal]) -> Decimal:
    """Of one unit at a multiplier of 1. A price that the price type does not use says nothing, a sale below the market
    is filled at the market, and a stop that buys above it is filled where it is triggered.
    """
    has_price = order.price_type in {PriceType.LIMIT, PriceType.SL}
    if has_price and order.action is Action.BUY:
        return order.price
    if order.price_type is PriceType.SL_M and order.action is Action.BUY:
        return max(order.trigger_price, last_price())
    return max(order.price, last_price()) if has_price else last_price()


def _is_listed(order: OrderRequest, allowed: Collection[str]) -> bool:
    return _is_named(f"{order.exchange}:{order.symbol}", allowed)


def _is_named(name: str, allowed: Collection[str]) -> bool:
    return any(name == entry or (entry.endswith("*") and name.startswith(entry[:-1])) for entry in allowed)
