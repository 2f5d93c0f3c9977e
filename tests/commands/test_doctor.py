"""What doctor says about the account: the audit list, and an authenticator whose codes cannot be checked."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from openalgo_bridge.account import authenticator
from openalgo_bridge.commands.doctor import Finding, examine, holidays_known
from openalgo_bridge.desk import Desk
from openalgo_bridge.model.states import OrderState
from openalgo_bridge.settings import Settings
from openalgo_bridge.store import schema
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.journal import Settlement
from tests.bridge_rows import rows_of_every_table
from tests.conftest import TRADER, Account, free_port
from tests.phone import set_up
from tests.store.test_breaks import a_finding
from tests.store.test_journal import a_draft


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return Settings(db_dir=settings.db_dir, flask_port=free_port())


def said(settings: Settings, what: str) -> Finding | None:
    """The line about ``what``."""
    return next((finding for finding in examine(settings) if finding.what == what), None)


def test_a_whole_audit_list_is_counted(desk: Desk, account: Account, settings: Settings) -> None:
    finding = said(settings, "audit list")
    assert finding == Finding(ok=True, what="audit list", words=f"{desk.store.audit.count()} lines, unbroken.")


@pytest.mark.parametrize(
    ("change", "number", "why"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE id = 2", 2, "altered"),
        ("DELETE FROM audit WHERE id = 1", 1, "missing"),
        ("DELETE FROM audit WHERE id = 3", 3, "missing"),
    ],
)
def test_the_first_broken_line_is_named_with_what_to_do(
    desk: Desk, account: Account, settings: Settings, change: str, number: int, why: str
) -> None:
    assert desk.store.audit.count() == 3
    for name in ("audit_no_update", "audit_no_delete"):
        desk.store.files[0].write(f"DROP TRIGGER {name}")
    desk.store.files[0].write(change)
    finding = said(settings, "audit list")
    assert finding is not None
    assert not finding.ok
    assert f"line {number} " in finding.words
    assert why in finding.words
    assert "run.py restore" in finding.words


def test_an_audit_list_that_is_gone_is_no_older_version(desk: Desk, account: Account, settings: Settings) -> None:
    desk.store.files[0].write("DROP TABLE audit")
    finding = said(settings, "audit list")
    assert finding is not None
    assert not finding.ok


def test_a_file_of_an_older_version_is_left_as_it_is(settings: Settings) -> None:
    path: Path = settings.db_dir / "bridge.db"
    with closing(Database(path, synchronous="FULL")) as database:
        schema.bridge.apply(database.tables, stop_before="m005_vault")
    before = path.read_bytes()
    findings = [finding for finding in examine(settings) if finding.what in {"bridge.db", "audit list"}]
    assert [finding.ok for finding in findings] == [True, True]
    assert "older version" in findings[1].words
    assert path.read_bytes() == before


def test_doctor_changes_nothing(desk: Desk, account: Account, settings: Settings) -> None:
    before = rows_of_every_table(desk)
    list(examine(settings))
    assert rows_of_every_table(desk) == before


def test_without_an_authenticator_there_is_nothing_to_say(desk: Desk, account: Account, settings: Settings) -> None:
    assert said(settings, "two-factor") is None


def test_an_authenticator_whose_machine_key_was_replaced_is_told_with_the_remedy(
    desk: Desk, account: Account, settings: Settings
) -> None:
    set_up(desk)
    finding = said(settings, "two-factor")
    assert finding is not None
    assert finding.ok
    key = settings.db_dir / "machine.key"
    key.write_bytes(b"x" * 32)
    finding = said(settings, "two-factor")
    assert finding == Finding(ok=False, what="two-factor", words=authenticator.UNREADABLE)
    assert "--remove-two-factor" in finding.words
    key.unlink()
    assert said(settings, "two-factor") is None
    assert not key.exists()


def test_a_machine_key_of_another_account_is_told(desk: Desk, account: Account, settings: Settings) -> None:
    def told() -> list[Finding]:
        return [finding for finding in examine(settings) if finding.what == "machine.key"]

    assert [finding.ok for finding in told()] == [True]
    before = rows_of_every_table(desk)
    key = settings.db_dir / "machine.key"
    key.write_bytes(b"x" * 32)
    assert [finding.ok for finding in told()] == [True, False]
    assert "not the machine.key that your account was made with" in told()[1].words
    assert rows_of_every_table(desk) == before, "the start retires the key, not a look at it"
    key.unlink()
    assert ["put back your copy" in finding.words for finding in told()] == [True]
    assert not key.exists()


def test_orders_in_doubt_are_told_with_what_to_do(desk: Desk, account: Account, settings: Settings) -> None:
    assert said(settings, "orders") is None
    _, permit = desk.store.journal.release(a_draft())
    desk.store.journal.settle(permit.order_id, Settlement(state=OrderState.UNKNOWN))
    finding = said(settings, "orders")
    assert finding is not None
    assert not finding.ok
    assert finding.words.startswith("1 in doubt")
    assert "Do not send it again" in finding.words
    desk.store.journal.settle(permit.order_id, Settlement(state=OrderState.PARKED), was=OrderState.UNKNOWN)
    assert said(settings, "orders") == finding


def test_orders_in_dispute_with_the_broker_are_told(desk: Desk, account: Account, settings: Settings) -> None:
    desk.store.breaks.record([a_finding()], [])
    finding = said(settings, "orders")
    assert finding is not None
    assert not finding.ok
    assert finding.words.startswith("1 in dispute")
    desk.store.breaks.acknowledge([1], by=TRADER)
    assert said(settings, "orders") is None


def test_a_kill_switch_that_is_on_is_told_and_is_no_fault(desk: Desk, account: Account, settings: Settings) -> None:
    assert said(settings, "kill switch") is None
    desk.store.kill_switch.engage("the feed is wrong", by=TRADER)
    finding = said(settings, "kill switch")
    assert finding is not None
    assert finding.ok
    assert "the feed is wrong" in finding.words
    assert "/kill-switch" in finding.words


@pytest.mark.parametrize(
    ("today", "words"),
    [
        (date(2026, 11, 21), "the holidays of 2026 are known."),
        (date(2026, 12, 15), "the holidays of 2027 are not known. Add them on the page /settings/calendar."),
        (date(2027, 1, 4), "the holidays of 2027 are not known. Add them on the page /settings/calendar."),
    ],
)
def test_holidays_that_are_not_known_are_told_in_time_and_are_no_fault(desk: Desk, today: date, words: str) -> None:
    assert holidays_known(desk.store.calendar, today) == Finding(ok=True, what="calendar", words=words)


def test_holidays_that_the_trader_completed_are_known(desk: Desk) -> None:
    desk.store.calendar.set_complete(2027, is_complete=True, by=TRADER)
    assert holidays_known(desk.store.calendar, date(2026, 12, 15)).words == "the holidays of 2026 are known."


def test_a_calendar_that_cannot_be_read_is_a_fault(desk: Desk, account: Account, settings: Settings) -> None:
    assert said(settings, "calendar") is not None
    desk.store.files[0].write("INSERT INTO calendar_day VALUES ('never', 'NSE', 'closed', '', '', 'x')")
    finding = said(settings, "calendar")
    assert finding is not None
    assert not finding.ok
