"""What a page can do without while it cannot be read, such as anything of the traffic log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from openalgo_bridge.errors import StorageError

_Read = TypeVar("_Read")
_log = logging.getLogger(__name__)


def if_readable(read: Callable[[], _Read]) -> _Read | None:
    """What ``read`` returns. None where that cannot be read: the page says so, and the console why."""
    try:
        return read()
    except StorageError as error:
        _log.error("A part of a page cannot be read: %s", error.message)
        return None
