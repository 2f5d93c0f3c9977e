"""Flask sessions: who signed in has a row, so that it can be ended from this side (security 4.6); a visitor has none.

The cookie of a signed-in session holds 32 random bytes and nothing else. A row is read when a view first looks into
the session and written only when something changed; API calls, static files and the health check have no session.
Only what changed is written, so that of two tabs neither undoes the other. By then the request has done its work: where
the row cannot be written the answer goes out all the same, and a message to the next page, or a step-up, is lost.

Any web page can make the trader's browser ask for our sign-in page, so looking at it must cost no write and must
not push anybody out. A visit is one form token, kept by the browser in a signed cookie of its own name. It can say
nothing else, so a planted one opens nothing (security T21), and a new one replaces no signed-in session.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, cast

from flask import Flask, Request, Response, request, session
from flask.sessions import SessionInterface, SessionMixin

from openalgo_bridge.account.signing import sign, signed_text
from openalgo_bridge.clock import Clock
from openalgo_bridge.errors import StorageError
from openalgo_bridge.store.machine_key import CSRF, MachineKey
from openalgo_bridge.store.sessions import ID_BYTES, NewSession, Session, Sessions, hashed

VISIT_LIFE = timedelta(hours=1)

_log = logging.getLogger(__name__)

_FORM_TOKEN = "csrf_token"  # noqa: S105 - where Flask-WTF keeps it, not the token
_FLASHES = "_flashes"  # where Flask keeps what flash() was told
_WITHOUT_SESSION = ("/static/", "/bootstrap/", "/healthz")
_FORM_TOKEN_BYTES = 20
_LONGEST_COOKIE = 100


class _Fate(StrEnum):
    """What shall become of the row when the answer leaves."""

    KEEP = "keep"
    SIGN_IN = "sign_in"
    NEW_ID = "new_id"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Brought:
    """What a browser came with: the row of its sign-in, or the items of a visit."""

    row: Session | None = None
    items: dict[str, Any] = field(default_factory=dict)


class BridgeSession(SessionMixin):
    """The items of one session, read at first sight."""

    def __init__(self, load: Callable[[], _Brought]) -> None:
        self.modified = False
        self.is_background = False
        self.fate = _Fate.KEEP
        self.password_hash = ""
        self.was_saved = False
        self._load: Callable[[], _Brought] | None = load
        self._brought = _Brought()

    @property
    def was_opened(self) -> bool:
        """False while nobody has looked: then there is nothing to write."""
        return self._load is None

    @property
    def row(self) -> Session | None:
        """The row as it was read; None for a visitor."""
        self._opened()
        return self._brought.row

    @property
    def content(self) -> str:
        """The items as ASCII JSON."""
        return _as_json(self._opened())

    def changed_in(self, stored: str) -> str:
        """``stored``, which may be newer than what was read, with what this request changed."""
        read = "{}" if self.row is None else self.row.content
        return _as_json(_merged(json.loads(read), json.loads(self.content), json.loads(stored)))

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
            self._brought = load()
        return self._brought.items


class BridgeSessionInterface(SessionInterface):
    """Keeps signed-in sessions in ``store.sessions``, found by the HMAC of the cookie, and visits in the browser."""

    def __init__(self, sessions: Sessions, machine_key: MachineKey, clock: Clock) -> None:
        self._sessions = sessions
        self._machine_key = machine_key
        self._clock = clock

    def open_session(self, app: Flask, request: Request) -> BridgeSession:
        if request.path.startswith(_WITHOUT_SESSION):
            return BridgeSession(_Brought)
        cookie = request.cookies.get(self.get_cookie_name(app), "")[:_LONGEST_COOKIE]
        visit = request.cookies.get(self._visit_name(app), "")
        return BridgeSession(lambda: self._signed_in(cookie) or self._visiting(visit))

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not isinstance(session, BridgeSession) or not session.was_opened or _has_no_session():
            return
        if session.was_saved:
            # This answer is the page that says that the first try failed: it must not wait for another failure.
            return
        session.was_saved = True
        response.vary.add("Cookie")
        if session.fate is _Fate.END:
            self._end(app, session, response)
        elif session.fate is _Fate.SIGN_IN:
            self._start(app, session, response)
        elif session.row is not None:
            self._keep(app, session, session.row, response)
        elif session.modified and _FORM_TOKEN in session:
            self._keep_visit(app, session, response)

    def _signed_in(self, cookie: str) -> _Brought | None:
        row = self._sessions.load(self._hash(cookie)) if cookie else None
        return None if row is None else _Brought(row=row, items=json.loads(row.content))

    def _visiting(self, visit: str) -> _Brought:
        token = signed_text(self._machine_key, CSRF, visit, now=self._clock.now())
        return _Brought() if token is None else _Brought(items={_FORM_TOKEN: token})

    def _start(self, app: Flask, session: BridgeSession, response: Response) -> None:
        cookie = _new_id()
        fresh = NewSession(
            id_hash=self._hash(cookie),
            content=session.content,
            address=request.remote_addr or "",
            program=request.user_agent.string,
        )
        replacing = None if session.row is None else session.row.number
        if not self._sessions.create(fresh, password_hash=session.password_hash, replacing=replacing):
            # The password was changed while this one was looked at: the next page asks for the new one.
            self._delete_cookie(response, self.get_cookie_name(app))
            return
        self._set_cookie(app, response, cookie)
        self._delete_cookie(response, self._visit_name(app))

    def _keep(self, app: Flask, session: BridgeSession, row: Session, response: Response) -> None:
        try:
            if session.fate is _Fate.NEW_ID:
                self._renew(app, session, row, response)
            elif session.modified and not self._sessions.save(row.number, session.changed_in):
                self._delete_cookie(response, self.get_cookie_name(app))
            elif not session.is_background:
                self._sessions.touch(row)
        except StorageError as error:
            _log.warning("The session was not written, and the answer goes out all the same. %s", error.message)

    def _renew(self, app: Flask, session: BridgeSession, row: Session, response: Response) -> None:
        cookie = _new_id()
        if self._sessions.save(row.number, session.changed_in, new_id_hash=self._hash(cookie)):
            self._set_cookie(app, response, cookie)
        else:
            self._delete_cookie(response, self.get_cookie_name(app))

    def _keep_visit(self, app: Flask, session: BridgeSession, response: Response) -> None:
        expires = self._clock.now() + VISIT_LIFE
        visit = sign(self._machine_key, CSRF, session[_FORM_TOKEN], expires=expires)
        response.set_cookie(
            self._visit_name(app), visit, max_age=VISIT_LIFE, httponly=True, samesite="Strict", path="/"
        )

    def _end(self, app: Flask, session: BridgeSession, response: Response) -> None:
        if session.row is not None:
            self._sessions.delete(session.row.number)
        self._delete_cookie(response, self.get_cookie_name(app))

    def _set_cookie(self, app: Flask, response: Response, cookie: str) -> None:
        """For the browser's session only. Not Secure: plain loopback HTTP (security 4.6, recorded deviation)."""
        response.set_cookie(self.get_cookie_name(app), cookie, httponly=True, samesite="Strict", path="/")

    def _delete_cookie(self, response: Response, name: str) -> None:
        response.delete_cookie(name, httponly=True, samesite="Strict", path="/")

    def _visit_name(self, app: Flask) -> str:
        return f"{self.get_cookie_name(app)}_visit"

    def _hash(self, cookie: str) -> bytes:
        return hashed(self._machine_key, cookie)


def begin_signed_in(password_hash: str) -> None:
    """Forget what was in the session and give it a new id when the answer leaves (security T21).

    ``password_hash`` is what the password was compared with.
    """
    session.clear()
    # From the start: two tabs that each made one would leave the forms of one of them dead.
    session[_FORM_TOKEN] = secrets.token_hex(_FORM_TOKEN_BYTES)
    _current().fate = _Fate.SIGN_IN
    _current().password_hash = password_hash


def begin_new_id() -> None:
    """After a step-up: the same session under a new id. A sign-in in the same request has one already."""
    if _current().fate is _Fate.KEEP:
        _current().fate = _Fate.NEW_ID


def end() -> None:
    """Delete the row when the answer leaves."""
    session.clear()
    _current().fate = _Fate.END


def current_number() -> int | None:
    """The number of the session of this request; None for a visitor."""
    row = _current().row
    return None if row is None else row.number


def mark_background() -> None:
    """This request is a poll: it must not look like a person at the keyboard (security 4.6)."""
    _current().is_background = True


def _current() -> BridgeSession:
    # Flask's session is a proxy that types hide.
    return cast("BridgeSession", session)


def _has_no_session() -> bool:
    return request.path.startswith(_WITHOUT_SESSION)


def _merged(read: dict[str, Any], now: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """``stored`` with what became of ``read``: other items, and other messages, are another tab's."""
    merged = {name: value for name, value in stored.items() if name in now or name not in read}
    merged.update({name: value for name, value in now.items() if name not in read or value != read[name]})
    before, after, waiting = (items.get(_FLASHES, []) for items in (read, now, stored))
    messages = _without(waiting, _without(before, after)) + _without(after, before)
    # An empty list would be taken out, and that written, by every page that shows messages.
    merged.pop(_FLASHES, None)
    return merged | {_FLASHES: messages} if messages else merged


def _without(items: list[Any], others: list[Any]) -> list[Any]:
    left = list(items)
    for each in others:
        if each in left:
            left.remove(each)
    return left


def _as_json(items: dict[str, Any]) -> str:
    return json.dumps(items, separators=(",", ":"))


def _new_id() -> str:
    return secrets.token_urlsafe(ID_BYTES)
