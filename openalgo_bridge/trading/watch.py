"""The bridge's one timer: the list of today, the order doors, held tickets that expire, orders in doubt, the brokers'
books beside the journal, and what is due by the clock at the paper exchange.

It sends nothing but the withdrawals that the kill switch still owes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from openalgo_bridge.brokers.base import Broker
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, BrokerError
from openalgo_bridge.model.books import BrokerOrder
from openalgo_bridge.model.order import TradingMode
from openalgo_bridge.store import integrity
from openalgo_bridge.trading import drills, paper_profit
from openalgo_bridge.trading.doors import DoorState
from openalgo_bridge.trading.kill_switch import withdraw_late
from openalgo_bridge.trading.reconciliation import Absentees, reconcile
from openalgo_bridge.trading.recovery import Absences, look_for_parked, look_up_all, recover
from openalgo_bridge.trading.sending import write_again

INTERVAL_S = 5.0
"""Seconds between two rounds."""

ROUNDS_BETWEEN_RECONCILIATIONS = 12
"""A whole book is much to ask for, and brokers count what they are asked."""

_ROUNDS_BETWEEN_PRUNINGS = 720
_log = logging.getLogger(__name__)


def _tell_nobody(_: str) -> None:
    pass


class Watch:
    """One daemon thread, owned by whoever serves. ``tell`` gets sentences for the console."""

    def __init__(
        self, desk: Desk, *, tell: Callable[[str], None] = _tell_nobody, interval_s: float = INTERVAL_S
    ) -> None:
        self._desk = desk
        self._tell = tell
        self._interval_s = interval_s
        self._absences = Absences(desk.clock)
        self._absentees = Absentees(desk.clock)
        self._stopping = threading.Event()
        self._has_recovered = False
        self._rounds = 0
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """From now on, once at once and then on the timer."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """End it; False when it is still inside a call of the broker, which ends with the process."""
        self._stopping.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def round(self) -> None:
        """What is due now. A fault is logged, the rest is done all the same, and it is tried again next time."""
        if self._desk.doors.state is DoorState.SHUT:
            return
        if self._desk.doors.state is not DoorState.OPEN:
            self._attempt(self._open_doors)
        if not self._has_recovered:
            return
        self._attempt(lambda: write_again(self._desk))
        self._attempt(self._desk.store.journal.expire_held)
        self._attempt(lambda: look_up_all(self._desk, self._absences))
        self._attempt(lambda: look_for_parked(self._desk))
        self._attempt(lambda: withdraw_late(self._desk))
        self._attempt(lambda: drills.keep(self._desk))
        for broker in self._desk.brokers.values():
            self._attempt(partial(self._tend, broker))
        if self._rounds % _ROUNDS_BETWEEN_PRUNINGS == 0:
            self._attempt(self._desk.store.idempotency.prune)
        self._rounds += 1
        if self._rounds % ROUNDS_BETWEEN_RECONCILIATIONS == 0:
            for mode in self._desk.brokers:
                self._attempt(partial(self._reconcile_again, mode))
            self._attempt(partial(paper_profit.sample, self._desk))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.round()
            # After the doors were opened: writing a day's contracts takes a second.
            self._attempt(self._desk.store.instrument_lists.roll)
            self._stopping.wait(self._interval_s)

    def _attempt(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception:  # noqa: BLE001 - listed in tests/test_architecture.py
            # A dead timer would leave tickets open and orders in doubt for ever, and nobody would see it.
            _log.exception("the watch could not do all of its round")

    def _open_doors(self) -> None:
        """Sound journal, unfinished orders, a broker that answers and is compared: only then may orders come in, for
        each account by itself.
        """
        doors = self._desk.doors
        if not self._has_recovered and not self._recover():
            return
        unread = {}
        for mode in self._desk.brokers:
            if doors.are_open_for(mode):
                continue
            try:
                book = self._read(mode)
            except BridgeError as error:
                unread[mode] = (
                    f"Held because the broker for {mode} trading cannot be read since the start: {error.message}"
                )
            else:
                self._reconcile(mode, book)
        if unread:
            doors.keep_safe(" ".join(unread.values()), unread)
            return
        if doors.state is DoorState.SAFE:
            self._tell("The broker can be read again: orders are no longer held.")
        doors.open()

    def _tend(self, broker: Broker) -> None:
        for sentence in broker.tend():
            self._tell(sentence)

    def _recover(self) -> bool:
        """Write down what the last run left unfinished, and look it up. False when the journal cannot be trusted.

        Raises StorageError when it cannot be read just now: the doors stay as they are, and the next round tries again.
        """
        damage = "; ".join(integrity.faults_of(self._desk.settings.db_dir / "bridge.db"))
        if damage:
            cure = "Stop the bridge and put a backup in its place."
            self._desk.doors.shut(f"No order can be taken: bridge.db is damaged ({damage}). {cure}")
            return False
        found = recover(self._desk, self._absences)
        self._has_recovered = True
        if str(found):
            self._tell(str(found))
        return True

    def _read(self, mode: TradingMode) -> Sequence[BrokerOrder]:
        """The order book. Raises a BridgeError where the broker does not show that and its positions."""
        broker = self._desk.broker(mode)
        book = broker.order_book()
        broker.positions()
        return book

    def _reconcile_again(self, mode: TradingMode) -> None:
        """What cannot be read now is compared next time: the doors stay as they are."""
        try:
            book = self._desk.broker(mode).order_book()
        except BrokerError:
            return
        self._reconcile(mode, book)

    def _reconcile(self, mode: TradingMode, book: Sequence[BrokerOrder]) -> None:
        new = reconcile(self._desk, mode, book, self._absentees)
        if new:
            self._tell(f"{len(new)} order(s) in dispute between the broker and the journal: see the Orders page.")
