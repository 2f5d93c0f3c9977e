"""What the paper exchange is given: its book, its market, its list of instruments. It opens no file itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from openalgo_bridge.model.books import Bar, Depth, Extremes, Quote
from openalgo_bridge.model.gtt import GttState
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import Exchange, OrderRequest, PositionKey, Ref, TriggerSide
from openalgo_bridge.model.paper import (
    LedgerKind,
    Named,
    PaperAccount,
    PaperHolding,
    PaperMoney,
    PaperOrder,
    PaperPosition,
    PaperStanding,
    PaperTrade,
    PriceRange,
)
from openalgo_bridge.model.paper_gtt import FiredOrder, PaperGtt


class OpenGtts(Protocol):
    """The orders that wait for their price over days, inside one transaction of the book. What one sets aside is posted
    to the ledger where it is written.
    """

    def find(self, number: int) -> PaperGtt | None:
        """The GTT as it stands now."""

    def add(self, gtt: PaperGtt) -> int | None:
        """Enter one that waits; returns its number, or None when an earlier one carries its tag."""

    def change(self, before: PaperGtt, after: PaperGtt) -> bool:
        """Write quantity, prices and what is set aside of ``after`` over one that waits; False where it does not."""

    def end(self, gtt: PaperGtt, state: GttState, at: datetime, reason: str = "") -> bool:
        """Let one that waits wait no more: what is set aside for it is free again. False where somebody was first."""

    def note_fired(self, gtt: PaperGtt, side: TriggerSide, fired: FiredOrder, refusal: str = "") -> None:
        """Which order one that was just ended as ``triggered`` placed by a leg; ``refusal`` is why it was refused."""


class Gtts(Protocol):
    """The same between transactions. Every method may raise StorageError."""

    def find(self, number: int) -> PaperGtt | None:
        """One, whatever became of it."""

    def by_tag(self, tag: Ref) -> PaperGtt | None:
        """The one that carries ``tag``."""

    def active(self) -> Sequence[PaperGtt]:
        """Those that wait, newest first."""

    def ended(self, since: datetime) -> Sequence[PaperGtt]:
        """Those that wait no more since then, the last one first."""


class OpenBook(Protocol):
    """The book inside one transaction: nobody else writes until it ends."""

    def order(self, number: int) -> PaperOrder | None:
        """The order as it stands now."""

    def standing(self, of: Named) -> PaperStanding:
        """The account, the position of a symbol and product, and up to when all is done that time does."""

    def holding(self, symbol: str, exchange: Exchange) -> PaperHolding | None:
        """The delivered shares, or None when there never were any."""

    def resting_quantity(self, request: OrderRequest, besides: int) -> int:
        """How many units are to fill yet on the side, symbol and product of ``request``, order ``besides`` left out."""

    def money(self) -> PaperMoney:
        """The account."""

    def add(self, order: PaperOrder) -> int | None:
        """Enter an order; returns its number, or None when an earlier order carries its tag."""

    def change(self, before: PaperOrder, after: PaperOrder) -> bool:
        """Write ``after`` over an order that still stands as ``before``; False where it works no more, or not so."""

    def add_trade(
        self, number: int, filled_before: int, quantity: int, price: int, at: datetime, *, multiplier: int
    ) -> None:
        """Enter a fill of an order of which ``filled_before`` units were filled. The same part twice raises
        StorageError. ``multiplier`` is what a unit counts.
        """

    def save(self, before: PaperPosition, after: PaperPosition, *, gain: int) -> None:
        """Write ``after`` over the position that stood as ``before``; ``gain`` is the profit that this books."""

    def save_holding(self, before: PaperHolding, after: PaperHolding) -> None:
        """Write ``after`` over the holding that stood as ``before``."""

    def post(
        self,
        kind: LedgerKind,
        at: datetime,
        about: Named | None = None,
        *,
        order: int | None = None,
        gtt: int | None = None,
    ) -> None:
        """Say why money moved since the last line of the ledger. A transaction that ends with money moved and not
        posted raises StorageError.
        """

    def advance(self, was: datetime, until: datetime) -> bool:
        """Move on from ``was`` up to when everything is done that time does; False where it is not ``was`` any more."""

    @property
    def gtts(self) -> OpenGtts:
        """Those that wait for their price over days."""

    def leave_behind(self, moment: datetime) -> None:
        """Let no price of before ``moment`` count for what rests now."""


class PaperBookProtocol(Protocol):
    """The book between transactions. Every method may raise StorageError."""

    @property
    def gtts(self) -> Gtts:
        """The orders that wait for their price over days."""

    def done_until(self) -> datetime | None:
        """Up to when everything was done that time does; None before the first order or GTT."""

    def transaction(self, *, is_synced: bool = True) -> AbstractContextManager[OpenBook]:
        """All or nothing, on the disk when it ends; without ``is_synced`` with whatever is written next."""

    def order(self, number: int) -> PaperOrder | None:
        """One order of any day."""

    def find(self, tag: Ref) -> PaperOrder | None:
        """The order of any day that carries ``tag``."""

    def begun_after(self) -> int:
        """The number of the last order before the account was begun anew. What :meth:`orders` and :meth:`trades` tell
        came after it.
        """

    def orders(self, since: datetime) -> Sequence[PaperOrder]:
        """Orders placed at or after ``since``, newest first."""

    def orders_changed(self, after: int, since: datetime) -> Sequence[PaperOrder]:
        """Those of :meth:`orders` whose revision is above ``after``: new ones and changed ones, oldest first."""

    def resting(self) -> Sequence[PaperOrder]:
        """All working orders, oldest first."""

    def resting_quantity(self, request: OrderRequest) -> int:
        """How many units are to fill yet on the side, symbol and product of ``request``."""

    def instruments_in_use(self) -> Sequence[tuple[Exchange, str]]:
        """What anybody has a working order for."""

    def reached(self, symbol: str, exchange: Exchange, prices: PriceRange) -> Sequence[PaperOrder]:
        """The working orders of one instrument that such prices trigger or fill, oldest first."""

    def trades(self, since: datetime, until: datetime) -> Sequence[PaperTrade]:
        """Fills at or after ``since`` and before ``until``, newest first."""

    def traded_after(self, moment: datetime) -> Set[PositionKey]:
        """The positions that anything filled for after ``moment``."""

    def positions(self, day: date) -> Sequence[PaperPosition]:
        """Every open position, and those that were closed on the trading day ``day``."""

    def position(self, of: Named) -> PaperPosition | None:
        """One position, or None when there never was one."""

    def holdings(self) -> Sequence[PaperHolding]:
        """Delivered shares that are still held."""

    def account(self, day: date) -> PaperAccount:
        """Money, and the positions as :meth:`positions` tells them, of one moment."""


class Market(Protocol):
    """Where the exchange's prices come from. Pure: no network, no waiting."""

    def price(self, instrument: Instrument, at: datetime) -> Decimal:
        """The last price in rupees."""

    def quote(self, instrument: Instrument, at: datetime) -> Quote:
        """The whole market of one instrument."""

    def depth(self, instrument: Instrument, at: datetime) -> Depth:
        """The best prices of both sides."""

    def extremes(self, instrument: Instrument, since: datetime, until: datetime) -> Extremes:
        """The lowest and the highest price from the second of ``since`` to that of ``until``, both included."""

    def bars(self, instrument: Instrument, interval: Interval, first: date, last: date, at: datetime) -> Iterator[Bar]:
        """The bars of the trading days ``first`` to ``last`` up to ``at``, ascending."""


class InstrumentList(Protocol):
    """What can be traded here."""

    def find(self, exchange: Exchange, symbol: str) -> Instrument | None:
        """One instrument, or None when it is not listed."""

    def has_derivatives(self, instrument: Instrument) -> bool:
        """Whether futures or options on a share are listed."""


def priced(instruments: InstrumentList, exchange: Exchange, symbol: str) -> Instrument | None:
    """One instrument where it is listed and has a price, else None."""
    instrument = instruments.find(exchange, symbol)
    return instrument if instrument is not None and instrument.is_priced else None
