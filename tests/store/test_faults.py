"""The error log: complete up to a limit, without secrets, and nobody waits for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest

from openalgo_bridge.clock import to_ms
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import StorageError
from openalgo_bridge.fault_log import FaultLog
from openalgo_bridge.store.faults import LONGEST_MESSAGE, LONGEST_TRACEBACK, PER_MINUTE, Fault, Note, drop_faults_before
from tests.conftest import Account, FixedClock


@pytest.fixture
def log(desk: Desk) -> Iterator[logging.Logger]:
    """A logger of a program whose errors go into the error log of ``desk``, and nowhere else.

    Else pytest would keep them for its report, and a lone surrogate ends the worker that sends one.
    """
    handler = FaultLog(desk.store.faults, desk.clock)
    logger = logging.Manager(logging.RootLogger(logging.DEBUG)).getLogger("of.a.module")
    logger.addHandler(handler)
    yield logger
    handler.close()


def faults_of(desk: Desk) -> list[Fault]:
    """The oldest first."""
    return desk.store.faults.page(limit=1000)[::-1]


def break_file(desk: Desk) -> None:
    desk.store.files[1].write("ALTER TABLE fault RENAME TO elsewhere")


def mend_file(desk: Desk) -> None:
    desk.store.files[1].write("ALTER TABLE elsewhere RENAME TO fault")


def test_an_error_is_kept_with_its_traceback_its_time_and_where_it_was_logged(desk: Desk, log: logging.Logger) -> None:
    try:
        raise ZeroDivisionError("nothing to share")
    except ZeroDivisionError:
        log.exception("order %s: the outcome is unknown", "B7QK2A")
    (fault,) = faults_of(desk)
    assert (fault.message, fault.level, fault.logger) == (
        "order B7QK2A: the outcome is unknown",
        "ERROR",
        "of.a.module",
    )
    assert fault.at == desk.clock.now()
    assert fault.traceback.startswith("Traceback (most recent call last):\n")
    assert fault.traceback.endswith("ZeroDivisionError: nothing to share")


def test_what_is_no_error_is_not_in_it(desk: Desk, log: logging.Logger) -> None:
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        log.log(level, "all is well")
    log.critical("this is not")
    assert [(fault.level, fault.message) for fault in faults_of(desk)] == [("CRITICAL", "this is not")]


def test_of_a_loop_of_errors_the_first_are_kept_and_the_others_counted(
    desk: Desk, clock: FixedClock, log: logging.Logger
) -> None:
    for number in range(PER_MINUTE + 40):
        log.error("error %s", number)
    assert [fault.message for fault in faults_of(desk)] == [f"error {number}" for number in range(PER_MINUTE)]
    clock.move(seconds=61)
    told = faults_of(desk)[PER_MINUTE:]
    assert [fault.message for fault in told] == [
        f"40 more errors came since then and are not kept: more than {PER_MINUTE} a minute are not."
    ]
    log.error("much later")
    assert [fault.message for fault in faults_of(desk)][PER_MINUTE + 1 :] == ["much later"]


def test_errors_of_several_minutes_that_nobody_wrote_down_are_bounded(
    desk: Desk, clock: FixedClock, log: logging.Logger
) -> None:
    break_file(desk)
    for _ in range(30):
        for _ in range(PER_MINUTE):
            log.error("the disk is full")
        with pytest.raises(StorageError):
            desk.store.faults.write_down()
        clock.move(seconds=61)
    mend_file(desk)
    kept = faults_of(desk)
    counted = [int(fault.message.split()[0].replace(",", "")) for fault in kept if fault.logger != "of.a.module"]
    assert len(kept) <= 6 * PER_MINUTE
    assert len(kept) - len(counted) + sum(counted) == 30 * PER_MINUTE


def test_what_could_not_be_written_down_is_written_later_in_its_order(desk: Desk, log: logging.Logger) -> None:
    break_file(desk)
    log.error("first")
    with pytest.raises(StorageError):
        desk.store.faults.write_down()
    log.error("second")
    mend_file(desk)
    assert desk.store.faults.write_down() == 2
    assert [fault.message for fault in faults_of(desk)] == ["first", "second"]


class _Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")


def test_no_log_call_raises_whatever_it_is_given(
    desk: Desk, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the console sets it for the whole process: a fault of logging itself is not printed past the queue.
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log.error("%d orders", "many")
    log.error("%s and %s", *["one"])
    log.error("%(name)s", {"other": 1})
    log.error("\ud800 \0 \x1b[31m \u202e")
    try:
        raise _Unspeakable
    except _Unspeakable as unspeakable:
        log.exception("%s", unspeakable)
        log.exception("its own text fails")
    messages = [fault.message for fault in faults_of(desk)]
    assert len(messages) == 5
    assert messages[3] == "� � �[31m �"
    assert messages[4] == "its own text fails"


def test_texts_that_are_too_long_lose_their_middle_and_no_word_is_cut(desk: Desk) -> None:
    long = " ".join(f"line{number:06d}" for number in range(20_000))
    desk.store.faults.note(Note(at=0, level="ERROR", logger="x", message=long, traceback=long))
    (fault,) = faults_of(desk)
    for text, most in ((fault.message, LONGEST_MESSAGE), (fault.traceback, LONGEST_TRACEBACK)):
        assert most // 2 < len(text) < most + 60
        assert text.startswith("line000000 line000001 ")
        assert text.endswith(" line019999")
        assert "characters left out]" in text
        assert all(len(word) == len("line000000") for word in text.split() if word.startswith("line"))


def test_secrets_are_taken_out_by_their_form_their_name_and_because_they_are_known(
    desk: Desk, account: Account, log: logging.Logger
) -> None:
    session = "Zy" * 21 + "x"
    try:
        raise ValueError(f"no order for {account.key}", {"password": "correct horse battery"}, "totp=123456")
    except ValueError:
        log.exception("apikey=%s&strategy=x; Authorization: Bearer abc.def; access_token: %s", account.key, session)
    (fault,) = faults_of(desk)
    for text in (account.key, "correct horse", "123456", "abc.def", session):
        assert text not in fault.message + fault.traceback, text
    assert "no order for [key]" in fault.traceback


def test_a_key_at_the_place_where_a_text_is_cut_is_not_kept_in_part(desk: Desk, account: Account) -> None:
    for before in range(0, 34, 3):
        for most in (LONGEST_MESSAGE // 3, LONGEST_TRACEBACK * 4 // 3):
            padding = "word " * ((most - before) // 5) + "x" * ((most - before) % 5) + " "
            text = f"{padding}{account.key} {'end ' * 40_000}"
            desk.store.faults.note(Note(at=0, level="ERROR", logger="x", message=text, traceback=text))
    for fault in faults_of(desk):
        for start in range(0, 25, 8):
            assert account.key[start : start + 8] not in fault.message + fault.traceback


def test_pages_go_back_by_key(desk: Desk, log: logging.Logger) -> None:
    for number in range(7):
        log.error("error %s", number)
    newest = desk.store.faults.page(limit=3)
    assert [fault.message for fault in newest] == ["error 6", "error 5", "error 4"]
    assert [fault.message for fault in desk.store.faults.page(before=newest[-1].id, limit=3)] == [
        "error 3",
        "error 2",
        "error 1",
    ]


def test_old_lines_are_pruned_a_few_at_a_time(desk: Desk) -> None:
    now = desk.clock.now()
    with desk.store.files[1].transaction() as db:
        db.executemany(
            "INSERT INTO fault (at, level, logger, message, traceback, request_id) VALUES (?, '', '', '', '', '')",
            [(to_ms(now - timedelta(days=40)),)] * 1200 + [(to_ms(now - timedelta(days=2)),)] * 5,
        )
    gone = [drop_faults_before(desk.store.files[1], now - timedelta(days=30)) for _ in range(4)]
    assert sum(gone) == 1200
    assert max(gone) <= 500
    assert gone[-1] == 0
    assert len(faults_of(desk)) == 5
