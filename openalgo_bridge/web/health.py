"""``GET /healthz``: that the bridge answers, and nothing more, to whoever asks."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def health() -> ResponseReturnValue:
    """No key, no session, no database."""
    return jsonify(status="ok")
