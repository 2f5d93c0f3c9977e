"""A tradable thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.trading_hours import expires, last_close


class Kind(StrEnum):
    """What an instrument is, in the dialect's words (contract 1.6)."""

    EQ = "EQ"
    INDEX = "INDEX"
    FUT = "FUT"
    CE = "CE"
    PE = "PE"

    @property
    def is_option(self) -> bool:
        """True for calls and puts."""
        return self in OPTIONS

    @property
    def is_derivative(self) -> bool:
        """True for whatever expires."""
        return self in DERIVATIVES


FUTURES = (Kind.FUT,)
OPTIONS = (Kind.CE, Kind.PE)
DERIVATIVES = (*FUTURES, *OPTIONS)

INDEX_UNDERLYINGS: Mapping[str, Exchange] = {
    "NIFTY": Exchange.NSE_INDEX,
    "BANKNIFTY": Exchange.NSE_INDEX,
    "FINNIFTY": Exchange.NSE_INDEX,
    "MIDCPNIFTY": Exchange.NSE_INDEX,
    "NIFTYNXT50": Exchange.NSE_INDEX,
    "SENSEX": Exchange.BSE_INDEX,
    "BANKEX": Exchange.BSE_INDEX,
    "SENSEX50": Exchange.BSE_INDEX,
}
"""The indices that derivatives are traded on, and where each is quoted."""

_SHARES_BEHIND = {Exchange.NFO: Exchange.NSE, Exchange.BFO: Exchange.BSE}


def spot_exchange(base: str, exchange: Exchange) -> Exchange | None:
    """Where the underlying ``base`` of a derivative on ``exchange`` is quoted itself; None where it nowhere is.

    Commodities and currencies have no spot price here: their nearest future stands for it (contract 2.5.1).
    """
    shares = _SHARES_BEHIND.get(exchange)
    return None if shares is None else INDEX_UNDERLYINGS.get(base, shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One row of the instrument list.

    ``tick`` and ``strike`` are in rupees, ``lot`` and ``freeze_quantity`` (0: not known) in units. ``name`` is the
    symbol of the underlying for whatever expires. ``reference_price`` is the level the simulated market moves
    around, for a derivative that of its underlying; 0 where none is known. ``broker_symbol`` and
    ``broker_exchange`` are what the broker calls it, empty where that is what we call it. ``left_on`` is the day
    on which it was not in the list any more. ``multiplier`` is the value in rupees of one unit of quantity at a price
    of one rupee: more than 1 where the exchange counts lots and quotes a part of one, as commodities do.
    """

    symbol: str
    exchange: Exchange
    name: str
    kind: Kind
    lot: int
    tick: Decimal
    freeze_quantity: int
    token: str
    reference_price: Decimal
    expiry: date | None = None
    strike: Decimal = Decimal(0)
    broker_symbol: str = ""
    broker_exchange: str = ""
    left_on: date | None = None
    multiplier: int = 1

    @property
    def is_priced(self) -> bool:
        """True where a price of it is known."""
        return self.reference_price > 0

    @property
    def is_index(self) -> bool:
        """True where it can be quoted but not traded."""
        return self.exchange.endswith("_INDEX")

    @property
    def is_derivative(self) -> bool:
        """True where it expires."""
        return self.kind.is_derivative

    @property
    def underlying(self) -> str:
        """The symbol of what a derivative is a claim on; empty for anything else."""
        return self.name if self.is_derivative else ""

    @property
    def underlying_exchange(self) -> Exchange | None:
        """Where the underlying is quoted; None where it nowhere is, and for whatever is no derivative."""
        return spot_exchange(self.name, self.exchange) if self.is_derivative else None

    @property
    def last_close(self) -> datetime | None:
        """When its exchange closes for good for what expires; None for whatever does not."""
        if self.expiry is None:
            return None
        return last_close(self.exchange, self.expiry, is_on_index=self.name in INDEX_UNDERLYINGS)

    def has_expired(self, now: datetime) -> bool:
        """True from the moment at which it settles."""
        return self.expiry is not None and now >= expires(self.exchange, self.expiry)

    def why_not_traded(self, now: datetime, *, leaves: int | None = None) -> str:
        """Why no order for it can be taken at that moment, as a sentence; empty where one can.

        ``leaves`` is what is left of the position that the order closes or makes smaller; None for any other order.
        Such a one may come until the exchange closes on the last day, and after the instrument has left the list:
        a list must not lock anybody in.
        """
        if self.is_index:
            return f"{self.symbol} is an index: it can be quoted, not traded."
        is_exit = leaves is not None
        ends = self.last_close
        if ends is not None and self.has_expired(now):
            return "" if is_exit and now < ends else f"{self.symbol} expired on {self.expiry}."
        if self.left_on is not None and not is_exit:
            return f"{self.symbol} is not listed on {self.exchange} any more, since {self.left_on.isoformat()}."
        return ""

    def keeps_lots(self, quantity: int, *, leaves: int | None = None) -> bool:
        """Whether so many units may be ordered: whole lots, or what leaves whole lots of the position it makes smaller.

        Exchanges revise lots while positions are open. ``leaves`` as in :meth:`why_not_traded`.
        """
        return not quantity % self.lot or (leaves is not None and not leaves % self.lot)
