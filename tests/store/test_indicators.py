"""The table of what deserves a look: one open for each subject, answers that are not undone, habits that stay small."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.indicators import (
    MOST_OPEN,
    OTHERS,
    Evidence,
    Habit,
    IndicatorKind,
    IndicatorState,
    Sighted,
    Sighting,
)
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.indicators import Indicators
from tests.conftest import TRADER, FixedClock
from tests.fakes import each_in_a_thread, in_threads

AT = datetime(2026, 11, 21, 5, tzinfo=UTC)
TODAY = AT.toordinal()


@pytest.fixture
def indicators(db: Database, clock: FixedClock) -> Indicators:
    return Indicators(db, clock)


def a_sighting(subject: str = "127.0.0.1", detail: str = "Python", level: int = 3) -> Sighted:
    return Sighted.of(
        Sighting(
            kind=IndicatorKind.WRONG_KEY,
            subject=subject,
            detail=detail,
            level=level,
            at=AT,
            since=AT,
            program="python-httpx/0.28",
            address=subject,
            endpoint="/api/v1/funds",
        )
    )


def a_habit(*, day: int = TODAY - 1, hour: int = 10, program: str = "Python", calls: int = 1, most: int = 1) -> Habit:
    return Habit(day=day, hour=hour, program=program, calls=calls, most=most)


def test_many_threads_that_see_the_same_raise_it_once(indicators: Indicators, db: Database, clock: FixedClock) -> None:
    raised = in_threads(8, lambda: indicators.note([a_sighting()]))
    assert sorted(map(bool, raised)) == [False] * 7 + [True]
    (found,) = indicators.of(IndicatorState.OPEN)
    assert found.evidence.calls == 3 + 7
    assert AuditLog(db, clock).count() == 1


def test_two_details_of_one_subject_are_one(indicators: Indicators) -> None:
    indicators.note([a_sighting(detail="Python"), a_sighting(detail="curl", level=4)])
    (found,) = indicators.of(IndicatorState.OPEN)
    assert found.evidence.details == ("Python", "curl")
    assert found.evidence.level == 4


def test_an_answer_and_more_of_the_same_at_once_lose_nothing(indicators: Indicators) -> None:
    indicators.note([a_sighting()])
    (found,) = indicators.of(IndicatorState.OPEN)

    def answer() -> object:
        return indicators.acknowledge(found.id, found.shown, by=TRADER)

    def more() -> object:
        return indicators.note([a_sighting(detail="curl")])

    with each_in_a_thread(answer, more, more):
        pass
    (still_open,) = indicators.of(IndicatorState.OPEN)
    assert "curl" in still_open.evidence.details, "what another program did is answered by nobody"
    assert (indicators.count(IndicatorState.KNOWN) == 0) == (still_open.id == found.id)


def test_beyond_the_most_all_share_one(indicators: Indicators) -> None:
    for number in range(MOST_OPEN + 5):
        indicators.note([a_sighting(f"203.0.113.{number}")])
    assert indicators.count(IndicatorState.OPEN) == MOST_OPEN + 1
    others = indicators.of(IndicatorState.OPEN)[0]
    assert (others.subject, others.evidence.calls) == (OTHERS, 3 + 4)
    indicators.note([a_sighting("203.0.113.7")])
    assert indicators.count(IndicatorState.OPEN) == MOST_OPEN + 1


def test_nothing_is_deleted_and_no_answer_is_undone(indicators: Indicators, db: Database) -> None:
    indicators.note([a_sighting()])
    (found,) = indicators.of(IndicatorState.OPEN)
    with pytest.raises(StorageError, match="not deleted"):
        db.write("DELETE FROM indicator")
    assert indicators.acknowledge(found.id, found.shown, by=TRADER)
    with pytest.raises(StorageError, match="does not move so"):
        db.write("UPDATE indicator SET state = 'open', ended_at = NULL, known_level = NULL")
    assert indicators.put_past(found.id, found.shown, by=TRADER)
    with pytest.raises(StorageError, match="does not move so"):
        db.write("UPDATE indicator SET state = 'known', known_level = 1")


def test_a_number_is_not_given_twice(indicators: Indicators, db: Database) -> None:
    indicators.note([a_sighting()])
    first = indicators.of(IndicatorState.OPEN)[0]
    db.write("DROP TRIGGER indicator_no_delete")
    db.write("DELETE FROM indicator")
    indicators.note([a_sighting()])
    assert indicators.of(IndicatorState.OPEN)[0].id > first.id


def test_details_beyond_twenty_are_not_answered_with_the_others(indicators: Indicators) -> None:
    indicators.note([a_sighting(detail=f"p{number:02d}") for number in range(25)])
    (found,) = indicators.of(IndicatorState.OPEN)
    assert len(found.evidence.details) == 20
    indicators.acknowledge(found.id, found.shown, by=TRADER)
    assert indicators.note([a_sighting(detail="p03")]) == []
    assert [each.subject for each in indicators.note([a_sighting(detail="p22")])] == ["127.0.0.1"]


def test_more_than_one_word_of_the_trader_adds_up(indicators: Indicators) -> None:
    for detail in ("Python", "curl"):
        indicators.note([a_sighting(detail=detail)])
        (found,) = indicators.of(IndicatorState.OPEN)
        indicators.acknowledge(found.id, found.shown, by=TRADER)
    assert indicators.note([a_sighting(detail="Python"), a_sighting(detail="curl")]) == []


def test_evidence_of_many_parts_is_that_of_the_whole() -> None:
    parts = [a_sighting(detail=f"p{number}", level=number + 1).evidence for number in range(3)]
    assert parts[0].plus(parts[1]).plus(parts[2]) == parts[0].plus(parts[1].plus(parts[2]))
    later = replace(parts[0], first_at=AT.replace(hour=4), last_at=AT.replace(hour=4))
    both: Evidence = parts[0].plus(later)
    assert (both.first_at, both.last_at) == (AT.replace(hour=4), AT)


def test_habits_add_up_and_today_is_no_history(indicators: Indicators) -> None:
    indicators.learn([a_habit(calls=5, most=3), a_habit(hour=11)])
    indicators.learn([a_habit(calls=2, most=7), a_habit(day=TODAY, hour=23), a_habit(day=TODAY + 400)])
    history = indicators.history(TODAY)
    assert (history.days, history.hours) == (1, {10, 11})
    (program,) = history.programs
    assert (program.program, program.days, program.most) == ("Python", 1, 7)


def test_what_was_usual_five_weeks_ago_is_not(indicators: Indicators) -> None:
    indicators.learn([a_habit(day=TODAY - 29, hour=3), a_habit(day=TODAY - 28)])
    assert indicators.history(TODAY).hours == {10}


def test_habits_of_sixty_days_are_kept_and_of_forty_programs(indicators: Indicators, db: Database) -> None:
    for day in range(TODAY - 100, TODAY):
        indicators.learn([a_habit(day=day)])
    indicators.learn([a_habit(program=f"mask{number}") for number in range(100)])
    row = db.read_one("SELECT count(DISTINCT day) AS days, count(DISTINCT program) AS programs FROM call_habit")
    assert row is not None
    assert row["days"] <= 61
    assert row["programs"] == 41


def test_since_when_is_written_once(indicators: Indicators) -> None:
    assert indicators.since() is None
    indicators.begin(AT)
    indicators.begin(AT.replace(year=2031))
    assert indicators.since() == AT
