"""The console can neither stop the bridge nor show a key."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from openalgo_bridge.console import Console, send_log_to
from openalgo_bridge.model import apikey


class FrozenWindow(io.StringIO):
    """Blocks every write until it is released, as a console does while text in it is selected."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.released = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        assert self.released.wait(30)
        return super().write(text)


class ClosedWindow(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError("the window is gone")


@dataclass
class Log:
    """The logger of a process whose console is ``window``."""

    logger: logging.Logger
    console: Console
    window: io.StringIO

    def written(self) -> list[str]:
        self.console.close()
        return self.window.getvalue().splitlines()


@pytest.fixture
def log() -> Iterator[Log]:
    root = logging.getLogger()
    handlers, level, loud = root.handlers[:], root.level, logging.raiseExceptions
    root.handlers.clear()
    window = io.StringIO()
    console = Console(out=window, log=window)
    console.start()
    send_log_to(console, "INFO")
    yield Log(logging.getLogger("test"), console, window)
    root.handlers[:], logging.raiseExceptions = handlers, loud
    root.setLevel(level)


def test_a_frozen_window_stops_nobody_and_what_finds_no_room_is_counted() -> None:
    window = FrozenWindow()
    console = Console(out=window, log=window, waiting=3)
    console.start()
    console.say("first")
    assert window.reached.wait(30)
    for number in range(5):
        console.say(f"line {number}")
    assert console.dropped == 2
    window.released.set()
    console.close()
    assert window.getvalue() == "first\nline 0\nline 1\nline 2\n"


def test_a_closed_window_does_not_end_the_console() -> None:
    out = io.StringIO()
    console = Console(out=out, log=ClosedWindow())
    console.start()
    console.log("lost")
    console.say("seen")
    console.close()
    assert out.getvalue() == "seen\n"


def test_a_key_in_a_log_record_is_not_written(log: Log) -> None:
    key = apikey.new_key()
    log.logger.warning("the key is %s", key)
    try:
        raise ValueError(key)
    except ValueError:
        log.logger.exception("failed")
    text = "\n".join(log.written())
    assert "the key is" in text
    assert "ValueError" in text
    assert key not in text


def test_a_record_cannot_pass_for_two_nor_command_the_terminal(log: Log) -> None:
    log.logger.warning("one\n12:00:00 WARNING forged\r\x1b[2J\u202eend ₹")
    first, second = log.written()
    assert first.endswith("WARNING one")
    assert second == "    12:00:00 WARNING forged\\u000d\\u001b[2J\\u202eend ₹"


def test_a_log_call_with_a_mistake_in_it_harms_nobody(log: Log) -> None:
    log.logger.warning("%d orders", "many")
    log.logger.warning("next")
    assert [line.partition(" ")[2] for line in log.written()] == ["WARNING next"]
