"""What charting programs keep, and how much of it."""

from __future__ import annotations

import pytest

from openalgo_bridge.errors import Invalid
from openalgo_bridge.store.chart_preferences import MOST_BYTES, ChartPreferences
from openalgo_bridge.store.database import Database


@pytest.fixture
def preferences(db: Database) -> ChartPreferences:
    return ChartPreferences(db)


def test_a_later_value_takes_the_place_of_the_former(preferences: ChartPreferences) -> None:
    preferences.put({"theme": "dark", "zoom": "1"})
    preferences.put({"theme": "light"})
    assert preferences.all() == {"theme": "light", "zoom": "1"}


def test_bytes_are_counted_not_characters(preferences: ChartPreferences) -> None:
    rupee = "₹"
    preferences.put({"a": rupee * (MOST_BYTES // 3)})
    with pytest.raises(Invalid, match=f"At most {MOST_BYTES} bytes of preferences are kept"):
        preferences.put({"b": rupee})
    assert list(preferences.all()) == ["a"]


def test_what_takes_the_place_of_something_large_may_be_as_large(preferences: ChartPreferences) -> None:
    preferences.put({"a": "x" * MOST_BYTES})
    preferences.put({"a": "y" * MOST_BYTES})
    assert preferences.all()["a"][0] == "y"
