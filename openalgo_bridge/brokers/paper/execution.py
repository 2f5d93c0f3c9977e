"""Writes into the open book what was decided about an order. What it writes for one order is one line of the ledger."""

from __future__ import annotations

from datetime import datetime

from openalgo_bridge.brokers.paper.book import OpenBook
from openalgo_bridge.brokers.paper.decisions import Decision
from openalgo_bridge.model.paper import LedgerKind, PaperOrder


def carry_out(book: OpenBook, number: int, decision: Decision, at: datetime) -> None:
    """What fills, and why money moved; the order itself is written already."""
    order, filling = decision.order, decision.filling
    if filling is None:
        book.post(LedgerKind.ORDER, at, order.request, order=number)
        return
    filled = order.filled_quantity - sum(fill.quantity for fill in filling.fills)
    for fill in filling.fills:
        book.add_trade(number, filled, fill.quantity, fill.price, at, multiplier=filling.before.multiplier)
        filled += fill.quantity
    book.save(filling.before, filling.effect.position, gain=filling.effect.gain)
    if filling.holdings is not None:
        book.save_holding(*filling.holdings)
    book.post(LedgerKind.FILL, at, order.request, order=number)


def amend(book: OpenBook, before: PaperOrder, decision: Decision, at: datetime) -> bool:
    """The same of an order that is in the book; False, and nothing done, where it does not stand as ``before``."""
    if not book.change(before, decision.order):
        return False
    carry_out(book, before.number, decision, at)
    return True


def send(book: OpenBook, decision: Decision, at: datetime) -> int:
    """The same of a new order that the exchange sends itself; returns its number."""
    number = book.add(decision.order)
    if number is None:
        raise RuntimeError("an order without a tag is always entered")
    carry_out(book, number, decision, at)
    return number
