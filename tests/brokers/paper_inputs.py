"""What a trader of the paper exchange may do and time may bring, drawn at random.

SBIN and a future that expires on the way stand around 1000.00. The account is large enough for every intraday order
here, and small enough to run out, and more so where it is begun anew with less.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal

from hypothesis import strategies as st

from openalgo_bridge.clock import IST
from openalgo_bridge.model.order import (
    Action,
    Exchange,
    GttLeg,
    GttRequest,
    OrderRequest,
    PriceType,
    Product,
    TriggerSide,
)
from openalgo_bridge.model.paper import to_units
from openalgo_bridge.model.paper_settings import PaperHours, PaperSettings, SquareOffGroup
from openalgo_bridge.store.database import Row
from tests.brokers.desk import SBIN
from tests.brokers.week_off import EXPIRY, FUTURE

CRORE = to_units(Decimal(10_000_000))
CAPITALS = tuple(to_units(Decimal(rupees)) for rupees in (200_000, 1_000_000, 10_000_000))
TICK = Decimal("0.05")
LOT = 65
EXPIRED_AT = datetime.combine(EXPIRY, time(15, 40), IST)
LAST_DAY = date(2026, 12, 18)
"""Until then the calendar of ``by_hand`` is whole."""

SIDES = st.sampled_from(Action)
PRICE_TYPES = st.sampled_from(PriceType)
OFFSETS = st.integers(-300, 300)
DISTANCES = st.one_of(st.integers(1, 40), st.integers(1, 40), st.integers(1_000, 3_000))
"""From a trigger that waits: one that is soon reached, or never."""

OWN_TIMES = st.sampled_from([None, None, time(11), time(14)])
SETTINGS = st.builds(
    lambda hours, is_protected, shares, contracts: PaperSettings(
        hours=hours,
        protects_market_orders=is_protected,
        square_off=tuple(
            (group, at)
            for group, at in ((SquareOffGroup.SHARES, shares), (SquareOffGroup.DERIVATIVES, contracts))
            if at is not None
        ),
    ),
    st.sampled_from([PaperHours.ALWAYS, PaperHours.ALWAYS, PaperHours.EXCHANGE]),
    st.booleans(),
    OWN_TIMES,
    OWN_TIMES,
)
UNSEEN = st.lists(OFFSETS, max_size=3)
"""How the price moves while nobody looks."""

TIMES = (time(15, 12), time(15, 37), time(15, 50), time(2, 59, 59), time(3, 1), time(9, 20))
"""After the square-off of shares, that of contracts, the close; in the last second of the books' day and after it; the
opening.
"""

SHARES = st.builds(
    lambda side, quantity, product: replace(SBIN, action=side, quantity=quantity, product=product),
    SIDES,
    st.integers(1, 300),
    st.sampled_from([Product.MIS, Product.CNC]),
)
CONTRACTS = st.builds(
    lambda side, lots, product: replace(FUTURE, action=side, quantity=lots * LOT, product=product),
    SIDES,
    st.integers(1, 6),
    st.sampled_from([Product.MIS, Product.NRML]),
)
ASKED = st.one_of(SHARES, CONTRACTS)


def request_at(last: Decimal, asked: OrderRequest, price_type: PriceType, trigger: int, limit: int) -> OrderRequest:
    """With prices on both sides of the market; those of a stop mostly where the exchange wants them."""
    asked = replace(asked, price_type=price_type, price=Decimal(0), trigger_price=Decimal(0))
    if price_type is PriceType.LIMIT:
        return replace(asked, price=last + limit * TICK)
    if not price_type.is_stop:
        return asked
    trigger_price = last + asked.action.sign * (abs(trigger) - 10) * TICK
    if price_type is PriceType.SL_M:
        return replace(asked, trigger_price=trigger_price)
    return replace(
        asked, trigger_price=trigger_price, price=trigger_price + asked.action.sign * (abs(limit) - 10) * TICK
    )


def gtt_at(last: Decimal, asked: OrderRequest, below: int, above: int, limit: int, sides: int) -> GttRequest:
    """Below the market, above it, or both."""
    triggers = ((TriggerSide.STOPLOSS, last - below * TICK), (TriggerSide.TARGET, last + above * TICK))
    legs = [GttLeg(side=side, trigger_price=at, price=at + limit * TICK) for side, at in triggers]
    return GttRequest(
        symbol=asked.symbol,
        exchange=asked.exchange,
        action=asked.action,
        quantity=asked.quantity,
        price_type=PriceType.LIMIT,
        product=Product.CNC if asked.exchange is Exchange.NSE else Product.NRML,
        legs=tuple(leg for bit, leg in enumerate(legs) if sides & (1 << bit)),
    )


def closing(row: Row) -> OrderRequest:
    return OrderRequest(
        symbol=row["symbol"],
        exchange=Exchange(row["exchange"]),
        action=Action.SELL if row["quantity"] > 0 else Action.BUY,
        quantity=abs(row["quantity"]),
        product=Product(row["product"]),
    )
