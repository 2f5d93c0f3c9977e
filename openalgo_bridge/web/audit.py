"""``/security/audit``: every change there ever was, newest first, and whether the list itself was changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from openalgo_bridge.model import address, permission
from openalgo_bridge.model.address import AddressRule
from openalgo_bridge.model.audit import AuditEntry, AuditEvent
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.model.permission import Grants, Permission
from openalgo_bridge.store.audit import AuditLog, BrokenLine
from openalgo_bridge.web.current import current_desk
from openalgo_bridge.web.grants import addresses_in_words
from openalgo_bridge.web.paging import PAGE_SIZE, before_in_url, page_of
from openalgo_bridge.web.words import order_mode, trading_mode

blueprint = Blueprint("audit", __name__)

_KINDS = {event.name.lower(): event for event in AuditEvent}

# What a value is, where its line does not say so.
_NOUNS: dict[str, str] = {
    AuditEvent.RISK_ACCEPTED: "text of",
    AuditEvent.KEY_GENERATED: "key",
    AuditEvent.KEY_REGENERATED: "key",
    AuditEvent.KEY_REVOKED: "key",
    AuditEvent.KEY_LOST: "key",
    AuditEvent.KEY_SHOWN: "key",
    AuditEvent.RECOVERY_CODE_USED: "the one that begins with",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line as it is read: ``change`` says from what to what, in words."""

    entry: AuditEntry
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What became of looking through the whole chain."""

    lines: int
    broken: BrokenLine | None


@blueprint.get("/security/audit")
def audit() -> ResponseReturnValue:
    """The chain is looked through when asked for, not for every page: that takes 7 ms for each thousand lines."""
    log = current_desk().store.audit
    kind = request.args.get("kind", "")
    before = before_in_url()
    page = page_of(log.page(before=before, limit=PAGE_SIZE + 1, event=_KINDS.get(kind)), before)
    return render_template(
        "audit.html",
        page=page,
        lines=lines_of(page.rows),
        kinds=_KINDS,
        kind=kind if kind in _KINDS else "",
        check=_check(log) if request.args.get("check") == "yes" else None,
    )


def lines_of(entries: Iterable[AuditEntry]) -> list[Line]:
    """As they are shown here and on ``/security``."""
    return [Line(entry=entry, change=_change(entry)) for entry in entries]


def _check(log: AuditLog) -> Check:
    return Check(lines=log.count(), broken=log.first_broken())


def _change(entry: AuditEntry) -> str:
    try:
        return _in_words(entry)
    except ValueError:
        # Written by another version: what stands there is still true.
        return _from_to(entry.before, entry.after)


def _in_words(entry: AuditEntry) -> str:
    """Raises ValueError where a value means nothing here."""
    match entry.event:
        case AuditEvent.ORDER_MODE if entry.before:
            return _from_to(order_mode(OrderMode(entry.before)), order_mode(OrderMode(entry.after)))
        case AuditEvent.TRADING_MODE if entry.before:
            return _from_to(trading_mode(TradingMode(entry.before)), trading_mode(TradingMode(entry.after)))
        case AuditEvent.KEY_PERMISSIONS:
            return _granted(_grants(entry.before), _grants(entry.after))
        case AuditEvent.KEY_ADDRESSES:
            return _reached(address.from_text(entry.before), address.from_text(entry.after))
        case _:
            return _from_to(_named(entry.event, entry.before), _named(entry.event, entry.after))


def _named(event: str, value: str) -> str:
    return f"{_NOUNS[event]} {value}" if value and event in _NOUNS else value


def _grants(told: str) -> Grants:
    """After the preset's name."""
    return permission.from_text(told.rpartition(": ")[2])


def _granted(before: Grants, after: Grants) -> str:
    allowed, taken = _sentences(after - before), _sentences(before - after)
    parts = [f"may now {allowed}"] * bool(allowed) + [f"may no longer {taken}"] * bool(taken)
    return "; ".join(parts)


def _reached(before: AddressRule, after: AddressRule) -> str:
    """Of two lists what was added and taken away: nobody finds one address among fifty by comparing."""
    if not before.networks or not after.networks:
        return f"from “{addresses_in_words(before)}” to “{addresses_in_words(after)}”"
    added, taken = _without(after, before), _without(before, after)
    parts = [f"may now be used from {added}"] * bool(added) + [f"no longer from {taken}"] * bool(taken)
    return "; ".join(parts) or "the same addresses in another order"


def _without(rule: AddressRule, other: AddressRule) -> str:
    return ", ".join(str(network) for network in rule.networks if network not in other.networks)


def _sentences(grants: Grants) -> str:
    return ", ".join(each.sentence for each in Permission if each in grants)


def _from_to(before: str, after: str) -> str:
    if before and after:
        return f"from {before} to {after}"
    return after or (f"was {before}" if before else "")
