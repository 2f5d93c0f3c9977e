"""The books that an exit is proven from: the broker's own, these read once, or of them the positions alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from openalgo_bridge.errors import BridgeError
from openalgo_bridge.model.books import BrokerOrder, Holding, Position

_Read = TypeVar("_Read")


class Books(Protocol):
    """What a proof is read from: a broker, or what was read of it a moment ago."""

    def order_book(self) -> Sequence[BrokerOrder]:
        """Every order of the day."""

    def positions(self) -> Sequence[Position]:
        """Every position of the day."""

    def holdings(self) -> Sequence[Holding]:
        """Delivered shares."""


class PositionsAlone:
    """For what closes positions, and never sells what was delivered."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def order_book(self) -> Sequence[BrokerOrder]:
        """Raises what reading it raises."""
        return self._books.order_book()

    def positions(self) -> Sequence[Position]:
        """Raises what reading them raises."""
        return self._books.positions()

    def holdings(self) -> Sequence[Holding]:
        """None, whatever was delivered."""
        return ()


class ReadOnce:
    """Each book when it is first asked for, to judge many orders by. Of one judgement, and of one thread.

    A proof reads the journal before the books; here that holds for the first order only. So no reservation that is
    made of it may be claimed. A failure is the answer to all: a broker that hangs must not be asked for each order.
    """

    def __init__(self, broker: Books) -> None:
        self._broker = broker
        self._order_book: Sequence[BrokerOrder] | None = None
        self._positions: Sequence[Position] | None = None
        self._holdings: Sequence[Holding] | None = None
        self._fault: BridgeError | None = None

    def order_book(self) -> Sequence[BrokerOrder]:
        """Raises what reading it raised."""
        if self._order_book is None:
            self._order_book = self._read(self._broker.order_book)
        return self._order_book

    def positions(self) -> Sequence[Position]:
        """Raises what reading it raised."""
        if self._positions is None:
            self._positions = self._read(self._broker.positions)
        return self._positions

    def holdings(self) -> Sequence[Holding]:
        """Raises what reading it raised."""
        if self._holdings is None:
            self._holdings = self._read(self._broker.holdings)
        return self._holdings

    def _read(self, book: Callable[[], _Read]) -> _Read:
        if self._fault is not None:
            raise self._fault
        try:
            return book()
        except BridgeError as fault:
            self._fault = fault
            raise
