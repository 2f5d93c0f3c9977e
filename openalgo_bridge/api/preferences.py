"""Endpoints for what charting programs keep with the bridge (contract 2.11.2)."""

from __future__ import annotations

from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.account import Nothing
from openalgo_bridge.api.schemas.preferences import KeepPreferences


def preferences(call: Call) -> Json:
    """``GET /chart``"""
    call.parsed(Nothing)
    return {"status": "success", "data": call.desk.store.chart_preferences.all()}


def keep_preferences(call: Call) -> Json:
    """``POST /chart``"""
    asked = call.parsed(KeepPreferences)
    call.desk.store.chart_preferences.put(asked.texts())
    return {"status": "success", "message": "Preferences updated successfully"}
