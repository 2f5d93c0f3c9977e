"""What the trader set for the paper exchange survives and is audited."""

from __future__ import annotations

from datetime import time

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.paper_settings import PaperHours, PaperSettings, SquareOffGroup
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.paper_settings import SavedPaperSettings
from tests.conftest import TRADER, FixedClock

STRICT = PaperSettings(
    hours=PaperHours.EXCHANGE, protects_market_orders=True, square_off=((SquareOffGroup.SHARES, time(15, 5)),)
)


@pytest.fixture
def saved(db: Database, clock: FixedClock) -> SavedPaperSettings:
    return SavedPaperSettings(db, clock)


def test_a_fresh_file_has_the_defaults(saved: SavedPaperSettings) -> None:
    assert saved.load() == PaperSettings()


def test_what_was_saved_is_loaded_and_audited(saved: SavedPaperSettings, db: Database, clock: FixedClock) -> None:
    saved.save(STRICT, by=TRADER)
    assert SavedPaperSettings(db, clock).load() == STRICT
    (line,) = AuditLog(db, clock).page()
    assert (line.event, line.actor.name) == (AuditEvent.PAPER_SETTINGS, "trader")
    assert (line.before.split(";")[0], line.after.split(";")[0]) == ("hours: always", "hours: exchange")


def test_saving_what_stands_already_is_no_change(saved: SavedPaperSettings, db: Database, clock: FixedClock) -> None:
    saved.save(PaperSettings(), by=TRADER)
    assert AuditLog(db, clock).page() == []


def test_what_means_nothing_is_an_error_and_can_be_written_over(
    saved: SavedPaperSettings, db: Database, clock: FixedClock
) -> None:
    db.write("INSERT INTO paper_setting VALUES ('hours', 'sometimes')")
    with pytest.raises(StorageError, match="The settings of the paper exchange cannot be read"):
        saved.load()
    saved.save(PaperSettings(), by=TRADER)
    assert saved.load() == PaperSettings()
    (line,) = AuditLog(db, clock).page()
    assert (line.before, line.after) == ("not readable", "as after a fresh start")
