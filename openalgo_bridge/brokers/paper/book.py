"""What the paper exchange is given: its book, its market, its list of instruments. It opens no file itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from openalgo_bridge.model.books import Bar, Depth, Quote
from openalgo_bridge.model.instrument import Instrument
from openalgo_bridge.model.interval import Interval
from openalgo_bridge.model.order import Exchange, OrderRequest, Product, Ref
from openalgo_bridge.model.paper import PaperAccount, PaperMoney, PaperOrder, PaperPosition, PaperTrade


class OpenBook(Protocol):
    """The book inside one transaction: nobody else writes until it ends."""

    def order(self, number: int) -> PaperOrder | None:
        """The order as it stands now."""

    def position(self, symbol: str, exchange: Exchange, product: Product) -> PaperPosition | None:
        """The position, or None when there never was one."""

    def resting_quantity(self, request: OrderRequest, besides: int) -> int:
        """How many units rest on the side, symbol and product of ``request``, order ``besides`` left out."""

    def money(self) -> PaperMoney:
        """The account."""

    def add(self, order: PaperOrder) -> int | None:
        """Enter an order; returns its number, or None when an earlier order carries its tag."""

    def change(self, order: PaperOrder) -> bool:
        """Write ``order`` over the one of its number if that is still open; False when it is not."""

    def add_trade(self, number: int, quantity: int, price: int, at: datetime) -> None:
        """Enter the one fill of an order. A second one raises StorageError."""

    def save(self, position: PaperPosition, gain: int) -> None:
        """Write a position, and add ``gain`` to the profit of the account."""


class PaperBookProtocol(Protocol):
    """The book between transactions. Every method may raise StorageError."""

    def transaction(self, *, is_synced: bool = True) -> AbstractContextManager[OpenBook]:
        """All or nothing, on the disk when it ends; without ``is_synced`` with whatever is written next."""

    def order(self, number: int) -> PaperOrder | None:
        """One order of any day."""

    def find(self, tag: Ref) -> PaperOrder | None:
        """The order of any day that carries ``tag``."""

    def orders(self, since: datetime) -> Sequence[PaperOrder]:
        """Orders placed at or after ``since``, newest first."""

    def orders_after(self, number: int, *, or_among: Collection[int]) -> Sequence[PaperOrder]:
        """Orders with a higher number than ``number``, and those named; oldest first."""

    def resting(self) -> Sequence[PaperOrder]:
        """All open orders, oldest first."""

    def resting_in(self, symbol: str, exchange: Exchange) -> Sequence[PaperOrder]:
        """The open orders of one instrument, oldest first."""

    def trades(self, since: datetime, until: datetime) -> Sequence[PaperTrade]:
        """Fills at or after ``since`` and before ``until``, newest first."""

    def positions(self, day: date) -> Sequence[PaperPosition]:
        """Every open position, and those that were closed on the trading day ``day``."""

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

    def bars(self, instrument: Instrument, interval: Interval, first: date, last: date, at: datetime) -> Iterator[Bar]:
        """The bars of the trading days ``first`` to ``last`` up to ``at``, ascending."""


class InstrumentList(Protocol):
    """What can be traded here."""

    def find(self, exchange: Exchange, symbol: str) -> Instrument | None:
        """One instrument, or None when it is not listed."""
