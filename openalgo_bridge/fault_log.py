"""Leads what is logged as an error into the error log, with its traceback and the request it belongs to."""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler

from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import StorageError
from openalgo_bridge.store.faults import Faults, Note
from openalgo_bridge.traffic import current_request_id


class FaultLog(QueueHandler):
    """For the root logger. It never raises, and waits neither for the disk nor for another thread.

    A :class:`QueueHandler`, because that is the one which survives whatever an exception's own text does.
    """

    def __init__(self, faults: Faults, clock: Clock) -> None:
        super().__init__(queue.SimpleQueue())
        self.setLevel(logging.ERROR)
        self.setFormatter(logging.Formatter())
        self._faults = faults
        self._clock = clock

    def prepare(self, record: logging.LogRecord) -> Note:
        """Everything as text: what is kept must keep no frame alive, and with it no secret in a variable."""
        return Note(
            at=self._clock.now_ms(),
            level=record.levelname,
            logger=record.name,
            message=_message(record),
            traceback=self._traceback(record),
            request_id=current_request_id(),
        )

    def enqueue(self, record: Note) -> None:  # type: ignore[override]
        """In the thread that logged it."""
        self._faults.note(record)

    def _traceback(self, record: logging.LogRecord) -> str:
        if not record.exc_info or self.formatter is None:
            return ""
        return self.formatter.formatException(record.exc_info)


@contextmanager
def errors_kept(faults: Faults, clock: Clock) -> Iterator[None]:
    """For the length of the block, the errors of the whole process go into the error log, too."""
    handler = FaultLog(faults, clock)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        # They were on the console as well.
        with suppress(StorageError):
            faults.write_down()


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # A log call with a mistake in it tells of an error all the same.
        return f"{record.msg} {record.args}"
