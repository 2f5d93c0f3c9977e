"""What the trader can change while the bridge runs: where it is changed, and how it stands now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from openalgo_bridge.account import recovery
from openalgo_bridge.clock import day_in_india
from openalgo_bridge.desk import Desk
from openalgo_bridge.model import guard_form, paper_settings
from openalgo_bridge.model.guards import GuardSettings
from openalgo_bridge.model.instrument_list import EMBEDDED, LoadedList
from openalgo_bridge.model.order import Exchange
from openalgo_bridge.model.paper import to_rupees
from openalgo_bridge.model.paper_settings import PaperSettings
from openalgo_bridge.store.api_keys import ActiveKey
from openalgo_bridge.store.kill_switch import SwitchState
from openalgo_bridge.store.preferences import KeyCopy
from openalgo_bridge.store.two_factor import TwoFactor
from openalgo_bridge.web import words
from openalgo_bridge.web.current import order_mode
from openalgo_bridge.web.formats import duration, rupees
from openalgo_bridge.web.grants import addresses_in_words, permissions_in_words
from openalgo_bridge.web.optional import if_readable

_ReadT = TypeVar("_ReadT")

_UNREADABLE = "It cannot be read. The console says why."
_NO_KEY = "There is none: no program can call the bridge."


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing to change: its name, how it stands, and the page and part of it (``anchor``) where it is changed."""

    label: str
    now: str
    endpoint: str
    anchor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Entries that belong together."""

    title: str
    entries: tuple[Entry, ...]


def groups(desk: Desk) -> tuple[Group, ...]:
    """All of them. What cannot be read says so in its own line, and takes no other with it."""
    return (
        Group(title="Orders", entries=_orders(desk)),
        Group(title="API key", entries=_key(desk)),
        Group(title="Sign-in", entries=_sign_in(desk)),
    )


def _orders(desk: Desk) -> tuple[Entry, ...]:
    store = desk.store
    return (
        Entry(
            label="Paper or live",
            now=_told(store.preferences.trading_mode, words.trading_mode),
            endpoint="going_live.going_live",
        ),
        Entry(
            label="Order mode",
            now=_capital(words.order_mode(order_mode(desk))),
            endpoint="apikey.apikey",
            anchor="order-mode",
        ),
        Entry(label="Guards", now=_told(store.guards.load, _guards), endpoint="guards.guards"),
        Entry(label="How long an order waits", now=_told(store.guards.load, _held_for), endpoint="guards.guards"),
        Entry(label="Trading calendar", now=_calendar(desk), endpoint="calendar.calendar"),
        Entry(
            label="Instruments", now=_told(store.instrument_lists.latest, _listed), endpoint="instruments.instruments"
        ),
        Entry(
            label="Paper exchange",
            now=_told(store.paper_settings.load, _paper_exchange),
            endpoint="paper_settings.settings",
        ),
        Entry(
            label="Paper capital",
            now=_told(store.paper_capital.money, lambda money: rupees(to_rupees(money.capital))),
            endpoint="paper_capital.capital",
        ),
        Entry(label="Drills", now=_drill(desk), endpoint="drills.drills"),
        Entry(label="Kill switch", now=_told(store.kill_switch.state, _switch), endpoint="kill_switch.kill_switch"),
    )


def _key(desk: Desk) -> tuple[Entry, ...]:
    key = desk.store.api_keys.active
    return (
        Entry(label="Key", now=_told(key, _name_of), endpoint="apikey.apikey", anchor="your-key"),
        Entry(label="Permissions", now=_told(key, _permissions_of), endpoint="apikey.apikey", anchor="permissions"),
        Entry(label="From where", now=_told(key, _addresses_of), endpoint="apikey.apikey", anchor="addresses"),
        Entry(
            label="Showing it again",
            now=_told(desk.store.preferences.key_copy, _copy),
            endpoint="apikey.apikey",
            anchor="your-key",
        ),
    )


def _sign_in(desk: Desk) -> tuple[Entry, ...]:
    store = desk.store
    return (
        Entry(label="Password", now="Set. Nobody can read it.", endpoint="security.security", anchor="password"),
        Entry(
            label="Two-factor",
            now=_told(store.two_factor.get, lambda found: _two_factor(desk, found)),
            endpoint="two_factor.two_factor",
        ),
        Entry(
            label="Signed in now",
            now=_told(store.sessions.all, lambda found: _counted(len(found), "browser")),
            endpoint="security.security",
            anchor="sessions",
        ),
        Entry(
            label="What was changed, and when",
            now=_told(store.audit.count, lambda lines: f"{_counted(lines, 'line')} in the audit list"),
            endpoint="audit.audit",
        ),
    )


def _told(read: Callable[[], _ReadT], tell: Callable[[_ReadT], str]) -> str:
    told = if_readable(lambda: tell(read()))
    return _UNREADABLE if told is None else told


def _guards(settings: GuardSettings) -> str:
    _, changed = guard_form.changes(GuardSettings(), settings)
    return f"Set by you: {changed}." if changed else "As after a fresh start: only those that are always on."


def _held_for(settings: GuardSettings) -> str:
    own = len(settings.held_for_source)
    besides = f"; {_counted(own, 'source')} with a time of {'its' if own == 1 else 'their'} own" if own else ""
    return f"{duration(timedelta(seconds=settings.held_for))}{besides}"


def _listed(found: LoadedList | None) -> str:
    if found is None:
        return "There is no list yet."
    source = "the list that comes with the bridge" if found.source == EMBEDDED else f"{found.source}'s file"
    return f"{found.size:,} from {source}, for {found.day:%d %b %Y}"


def _switch(state: SwitchState) -> str:
    return f"On: {state.reason}" if state.is_on else "Off: orders may go."


def _name_of(key: ActiveKey | None) -> str:
    return _NO_KEY if key is None else key.rules.name


def _permissions_of(key: ActiveKey | None) -> str:
    return _NO_KEY if key is None else permissions_in_words(key.rules.permissions)


def _addresses_of(key: ActiveKey | None) -> str:
    return _NO_KEY if key is None else _capital(addresses_in_words(key.rules.addresses))


def _copy(kept: KeyCopy) -> str:
    return "Never: no copy is kept." if kept is KeyCopy.NEVER else "With your password."


def _two_factor(desk: Desk, found: TwoFactor) -> str:
    if not found.is_set_up:
        return "Off. The password alone opens everything."
    where = ["at sign-in"] * found.at_login + ["for credentials"] * found.for_credentials
    asked = f"A code {' and '.join(where)}" if where else "Set up, but no code is asked for"
    return f"{asked}; {_counted(recovery.left(desk), 'recovery code')} left."


def _calendar(desk: Desk) -> str:
    today = day_in_india(desk.clock.now())
    return desk.store.calendar.load().remark(Exchange.NSE, today) or "Today is a trading day."


def _paper_exchange(settings: PaperSettings) -> str:
    _, changed = paper_settings.changes(PaperSettings(), settings)
    return f"Set by you: {changed}." if changed else "Takes orders around the clock, and fills MARKET orders whole."


def _drill(desk: Desk) -> str:
    running = desk.drills.running()
    return "None runs." if running is None else f"Running: {running}."


def _capital(text: str) -> str:
    """With a capital at its begin and the rest as it is, which str.capitalize would make small."""
    return text[:1].upper() + text[1:]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
