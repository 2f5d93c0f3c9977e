"""The instrument list that comes with the bridge: shares, indices, and the contracts on them that are current."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

from openalgo_bridge.model.calendar import Calendar
from openalgo_bridge.model.instrument import INDEX_UNDERLYINGS, Instrument, Kind
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.store import embedded_contracts, embedded_shares
from openalgo_bridge.store.embedded_contracts import index_freeze_quantity, tick_size

_INDEX_TICK = Decimal("0.05")

# The exchanges publish a freeze quantity per share; ours is what this many rupees buy, in whole hundreds.
_FREEZE_VALUE = Decimal(1_000_000_000)

# What is known of instruments that come from a broker's list.
_UNDERLYINGS = {(each.exchange, each.base): each for each in embedded_contracts.UNDERLYINGS}
_SHARE_LEVELS = {symbol: Decimal(level) for symbol, _, level in (*embedded_shares.ON_BOTH, *embedded_shares.ON_NSE)}
_INDEX_LEVELS = {symbol: Decimal(level) for symbol, _, _, level in embedded_shares.INDICES}

_BOTH = (Exchange.NSE, Exchange.BSE)
_NSE_ONLY = (Exchange.NSE,)

# The first digit of our tokens, so that they are unique over the exchanges.
_EXCHANGE_CODES = {Exchange.NSE: 1, Exchange.BSE: 2, Exchange.NSE_INDEX: 3, Exchange.BSE_INDEX: 4}


def embedded_list(today: date, calendar: Calendar) -> Iterator[Instrument]:
    """Every instrument that the bridge knows without a broker on that day in India."""
    yield from shares_and_indices()
    yield from embedded_contracts.contracts(today, calendar)


def with_known_terms(instrument: Instrument) -> Instrument:
    """A broker's row with what such files leave out, where we know it.

    That is a level for the simulated market, and the freeze quantity of index derivatives of NSE.
    """
    level = instrument.reference_price or _level(instrument)
    is_on_index = instrument.exchange is Exchange.NFO and instrument.name in INDEX_UNDERLYINGS
    freeze = instrument.freeze_quantity or (index_freeze_quantity(level) if level and is_on_index else 0)
    if (level, freeze) == (instrument.reference_price, instrument.freeze_quantity):
        return instrument
    return replace(instrument, reference_price=level, freeze_quantity=freeze)


def shares_and_indices() -> tuple[Instrument, ...]:
    """The part of it that no day changes."""
    return (*_shares(), *_indices())


def edition(today: date, calendar: Calendar) -> str:
    """A fingerprint of all that the list of that day is made from: two days without an expiry between share theirs.

    Nobody has to remember to raise a number.
    """
    made_from = (shares_and_indices(), embedded_contracts.UNDERLYINGS, embedded_contracts.expiries(today, calendar))
    return hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]


def _level(instrument: Instrument) -> Decimal:
    if instrument.is_derivative:
        known = _UNDERLYINGS.get((instrument.exchange, instrument.name))
        return known.level if known is not None else _SHARE_LEVELS.get(instrument.name, Decimal(0))
    levels = _INDEX_LEVELS if instrument.is_index else _SHARE_LEVELS
    return levels.get(instrument.symbol, Decimal(0))


def _shares() -> Iterator[Instrument]:
    both = [(share, _BOTH) for share in embedded_shares.ON_BOTH]
    listings = [*both, *((share, _NSE_ONLY) for share in embedded_shares.ON_NSE)]
    for number, ((symbol, name, level), exchanges) in enumerate(listings, start=1):
        price = Decimal(level)
        for exchange in exchanges:
            yield Instrument(
                symbol=symbol,
                exchange=exchange,
                name=name,
                kind=Kind.EQ,
                lot=1,
                tick=tick_size(price),
                freeze_quantity=int(_FREEZE_VALUE / price) // 100 * 100,
                token=f"{_EXCHANGE_CODES[exchange]}{number:05d}",
                reference_price=price,
            )


def _indices() -> Iterator[Instrument]:
    for number, (symbol, exchange, name, level) in enumerate(embedded_shares.INDICES, start=1):
        yield Instrument(
            symbol=symbol,
            exchange=exchange,
            name=name,
            kind=Kind.INDEX,
            lot=1,
            tick=_INDEX_TICK,
            freeze_quantity=0,
            token=f"{_EXCHANGE_CODES[exchange]}{number:05d}",
            reference_price=Decimal(level),
        )
