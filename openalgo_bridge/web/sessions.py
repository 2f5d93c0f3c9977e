"""Flask sessions as rows, so that one can be ended from this side (security 4.6).

The cookie holds 32 random bytes and nothing else. A row is read when a view first looks into the session and
written only when something changed; API calls, static files and the health check have no session at all.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, cast

from flask import Flask, Request, Response, request, session
from flask.sessions import SessionInterface, SessionMixin

from openalgo_bridge.store.machine_key import SESSION_HASH, MachineKey
from openalgo_bridge.store.sessions import NewSession, Session, Sessions

_WITHOUT_SESSION = ("/static/", "/bootstrap/", "/healthz")
_ID_BYTES = 32
_LONGEST_COOKIE = 100

_Load = Callable[[], Session | None]


class _Fate(StrEnum):
    """What shall become of the row when the answer leaves."""

    KEEP = "keep"
    SIGN_IN = "sign_in"
    NEW_ID = "new_id"
    END = "end"


class RowSession(SessionMixin):
    """The items of one row, read at first sight."""

    def __init__(self, load: _Load) -> None:
        self.modified = False
        self.is_background = False
        self.fate = _Fate.KEEP
        self._load: _Load | None = load
        self._row: Session | None = None
        self._items: dict[str, Any] = {}

    @property
    def was_opened(self) -> bool:
        """False while nobody has looked: then there is nothing to write."""
        return self._load is None

    @property
    def row(self) -> Session | None:
        """The row as it was read; None when the browser brought no living session."""
        self._opened()
        return self._row

    @property
    def content(self) -> str:
        """The items as ASCII JSON."""
        return json.dumps(self._opened(), separators=(",", ":"))

    def __getitem__(self, key: str) -> Any:
        return self._opened()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._opened()[key] = value
        self.modified = True

    def __delitem__(self, key: str) -> None:
        del self._opened()[key]
        self.modified = True

    def __iter__(self) -> Iterator[str]:
        return iter(self._opened())

    def __len__(self) -> int:
        return len(self._opened())

    def _opened(self) -> dict[str, Any]:
        if self._load is not None:
            load, self._load = self._load, None
            self._row = load()
            self._items = {} if self._row is None else json.loads(self._row.content)
        return self._items


class RowSessionInterface(SessionInterface):
    """Keeps :class:`RowSession` in ``store.sessions``; a row is found by the HMAC of the cookie."""

    def __init__(self, sessions: Sessions, machine_key: MachineKey) -> None:
        self._sessions = sessions
        self._machine_key = machine_key

    def open_session(self, app: Flask, request: Request) -> RowSession:
        cookie = request.cookies.get(self.get_cookie_name(app), "")[:_LONGEST_COOKIE]
        if not cookie or request.path.startswith(_WITHOUT_SESSION):
            return RowSession(_nothing)
        return RowSession(lambda: self._sessions.load(self._hash(cookie)))

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not isinstance(session, RowSession) or not session.was_opened or _has_no_session():
            return
        response.vary.add("Cookie")
        if session.fate is _Fate.END:
            self._end(app, session, response)
        elif session.fate is _Fate.SIGN_IN or (session.row is None and session):
            self._start(app, session, response)
        elif session.row is not None:
            self._keep(app, session, session.row, response)

    def _start(self, app: Flask, session: RowSession, response: Response) -> None:
        cookie = _new_id()
        fresh = NewSession(
            id_hash=self._hash(cookie),
            content=session.content,
            signed_in=session.fate is _Fate.SIGN_IN,
            address=request.remote_addr or "",
            program=request.user_agent.string,
        )
        self._sessions.create(fresh, replacing=None if session.row is None else session.row.id_hash)
        self._set_cookie(app, response, cookie)

    def _keep(self, app: Flask, session: RowSession, row: Session, response: Response) -> None:
        is_alive = not session.modified or self._sessions.save(row.id_hash, session.content)
        if is_alive and session.fate is _Fate.NEW_ID:
            cookie = _new_id()
            is_alive = self._sessions.rotate(row.id_hash, self._hash(cookie))
            self._set_cookie(app, response, cookie)
        if not is_alive:
            self._delete_cookie(app, response)
        elif row.signed_in and not session.is_background and session.fate is _Fate.KEEP:
            self._sessions.touch(row)

    def _end(self, app: Flask, session: RowSession, response: Response) -> None:
        if session.row is not None:
            self._sessions.delete(session.row.id_hash)
        self._delete_cookie(app, response)

    def _set_cookie(self, app: Flask, response: Response, cookie: str) -> None:
        """For the browser's session only. Not Secure: plain loopback HTTP (security 4.6, recorded deviation)."""
        response.set_cookie(self.get_cookie_name(app), cookie, httponly=True, samesite="Strict", path="/")

    def _delete_cookie(self, app: Flask, response: Response) -> None:
        response.delete_cookie(self.get_cookie_name(app), httponly=True, samesite="Strict", path="/")

    def _hash(self, cookie: str) -> bytes:
        # A cookie is any text; the digest gives every one of them an answer.
        shortened = hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).digest()
        return self._machine_key.digest(SESSION_HASH, shortened)


def begin_signed_in() -> None:
    """Forget what was in the session and give it a new id when the answer leaves (security T21)."""
    session.clear()
    _current().fate = _Fate.SIGN_IN


def begin_new_id() -> None:
    """After a step-up: the same session under a new id. A sign-in in the same request has one already."""
    if _current().fate is _Fate.KEEP:
        _current().fate = _Fate.NEW_ID


def end() -> None:
    """Delete the row when the answer leaves."""
    session.clear()
    _current().fate = _Fate.END


def mark_background() -> None:
    """This request is a poll: it must not look like a person at the keyboard (security 4.6)."""
    _current().is_background = True


def _current() -> RowSession:
    # Flask's session is a proxy that types hide.
    return cast("RowSession", session)


def _has_no_session() -> bool:
    return request.path.startswith(_WITHOUT_SESSION)


def _nothing() -> None:
    return None


def _new_id() -> str:
    return secrets.token_urlsafe(_ID_BYTES)
