"""What the audit list records: who changed what, from where, from what to what (design 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something: the user's name or the command, the address, and the program (its User-Agent)."""

    name: str
    address: str = ""
    program: str = ""


class AuditEvent(StrEnum):
    """What happened. The value is stored, and is read by people."""

    ACCOUNT_MADE = "account made"
    RISK_ACCEPTED = "risk warning accepted"
    PASSWORD_CHANGED = "password changed"  # noqa: S105 - an event
    PASSWORD_RESET = "password reset at this PC"  # noqa: S105 - an event
    KEY_GENERATED = "API key generated"
    KEY_REGENERATED = "API key regenerated"
    KEY_REVOKED = "API key revoked"
    KEY_LOST = "API key retired: machine.key was replaced"
    KEY_SHOWN = "API key shown"
    KEY_NAMED = "API key named"
    KEY_PERMISSIONS = "API key permissions"
    KEY_ADDRESSES = "API key addresses"
    KEY_COPY = "copy of the API key"
    ORDER_MODE = "order mode"
    TRADING_MODE = "trading mode"
    LIMITS_DECLINED = "went live without"
    SIGNED_IN = "signed in"
    SESSION_ENDED = "session ended"
    SESSIONS_ENDED = "all other sessions ended"
    TWO_FACTOR_SET_UP = "two-factor set up"
    TWO_FACTOR_REMOVED = "two-factor removed"
    LOGIN_CODE = "code at sign-in"
    CREDENTIALS_CODE = "code for credentials"
    RECOVERY_CODES_MADE = "recovery codes made"
    RECOVERY_CODE_USED = "recovery code used"
    BACKUP_MADE = "backup made"
    RESTORED = "backup restored"
    KILL_SWITCH_ON = "kill switch on"
    KILL_SWITCH_OFF = "kill switch off"
    GUARDS = "guards"
    CALENDAR = "calendar"
    SMART_ORDERS = "smart orders"
    PAPER_SETTINGS = "paper exchange"
    PAPER_CAPITAL = "paper capital"
    PAPER_RESET = "paper account reset"
    BREAK_ACKNOWLEDGED = "reconciliation break acknowledged"
    DRILL_STARTED = "drill started"
    DRILL_ENDED = "drill ended"
    INDICATOR_RAISED = "worth a look in the traffic"
    INDICATOR_ANSWERED = "answered what was worth a look"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the list. ``digest`` covers every other field and the digest of the line before."""

    id: int
    at: datetime
    actor: Actor
    event: AuditEvent | str
    before: str
    after: str
    digest: bytes = field(repr=False)
