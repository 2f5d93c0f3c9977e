"""What a view needs of the bridge it belongs to. The only place in the pages that knows Flask's app object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import Flask, current_app, request
from flask_login import current_user

from openalgo_bridge.account.setup import SetupCode
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.web.sent_forms import SentForms

_NAME = "openalgo_bridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bridge:
    desk: Desk
    setup_code: SetupCode
    sent_forms: SentForms
    started_at: datetime


def attach(app: Flask, desk: Desk, setup_code: SetupCode) -> None:
    """Give the pages of ``app`` their desk."""
    app.extensions[_NAME] = _Bridge(
        desk=desk, setup_code=setup_code, sent_forms=SentForms(), started_at=desk.clock.now()
    )


def current_desk() -> Desk:
    """The desk of the app that serves this request."""
    return _bridge().desk


def current_setup_code() -> SetupCode:
    """The one-time code of the app that serves this request."""
    return _bridge().setup_code


def current_sent_forms() -> SentForms:
    """The forms with many decisions that were sent to the app that serves this request."""
    return _bridge().sent_forms


def started_at() -> datetime:
    """When the app that serves this request was made, which is when the bridge was started."""
    return _bridge().started_at


def api_paths() -> list[str]:
    """Every address of the API, sorted. From its own map, never from what somebody called."""
    api = cast("Flask", current_app.extensions["api"])
    return sorted({rule.rule for rule in api.url_map.iter_rules()})


def order_mode(desk: Desk) -> OrderMode | None:
    """The order mode, or None while it cannot be read: orders are held then, and the pages must still work."""
    try:
        return desk.store.preferences.order_mode()
    except StorageError:
        return None


def actor() -> Actor:
    """Who sits at this browser, for the audit list."""
    return Actor(
        name=current_user.get_id() or "stranger",  # type: ignore[attr-defined, unused-ignore]
        address=request.remote_addr or "",
        program=request.user_agent.string,
    )


def _bridge() -> _Bridge:
    return cast("_Bridge", current_app.extensions[_NAME])
