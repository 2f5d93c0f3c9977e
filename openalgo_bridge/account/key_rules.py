"""What the key may do, from where, what it is called, and whether a copy of it is kept.

Each change counts from the next call on. Whether a change makes things less safe is asked here, and answered by the
step-up of whoever sits at the page (design 5): what makes them safer is never hindered.
"""

from __future__ import annotations

from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid, NotFound
from openalgo_bridge.model.address import AddressRule
from openalgo_bridge.model.audit import Actor
from openalgo_bridge.model.permission import Grants
from openalgo_bridge.model.redaction import redact
from openalgo_bridge.store.api_keys import KeyRules
from openalgo_bridge.store.preferences import KeyCopy

LONGEST_NAME = 64


def rules_in_force(desk: Desk) -> KeyRules:
    """The rules of the key, readable or not. Raises NotFound when there is none, and StorageError."""
    active = desk.store.api_keys.active()
    if active is None:
        raise NotFound("There is no API key. Generate one first.")
    return active.rules


def rename(desk: Desk, name: str, *, by: Actor) -> None:
    """Raises Invalid for a name that nobody could read, NotFound, StorageError."""
    wanted = name.strip()
    faults = _faults_of_name(wanted)
    if faults:
        raise Invalid.of({"name": faults})
    desk.store.api_keys.rename(wanted, by=by)


def permits_more(before: KeyRules, granted: Grants) -> bool:
    """Whether a program could do something then that it cannot do now. While rules are damaged it can do nothing."""
    return not before.are_readable or not granted <= before.permissions


def permit(desk: Desk, granted: Grants, *, before: KeyRules, by: Actor) -> None:
    """Allow exactly this. ``before`` is what was decided on: raises Conflict where it is not in force any more,
    NotFound, StorageError. Damaged rules are overwritten, whatever they are."""
    desk.store.api_keys.permit(granted, by=by, expected=before.permissions if before.are_readable else None)


def reaches_further(before: KeyRules, addresses: AddressRule) -> bool:
    """Whether the key could be used from somewhere new then. While rules are damaged it can be used nowhere."""
    return not before.are_readable or not addresses.is_within(before.addresses)


def restrict(desk: Desk, addresses: AddressRule, *, before: KeyRules, by: Actor) -> None:
    """Take calls from these addresses only. Raises as :func:`permit` does."""
    desk.store.api_keys.restrict(addresses, by=by, expected=before.addresses if before.are_readable else None)


def keep_copy(desk: Desk, wanted: KeyCopy, *, by: Actor) -> None:
    """``NEVER`` deletes the copy there is: the key cannot be shown again. ``KEPT`` counts for the next key made.

    Raises StorageError.
    """
    desk.store.preferences.set_key_copy(wanted, by=by)


def _faults_of_name(name: str) -> list[str]:
    if not name:
        return ["Give the key a name, such as the program that uses it."]
    if len(name) > LONGEST_NAME:
        return [f"At most {LONGEST_NAME} characters."]
    if redact(name) != name:
        return ["This looks like a key. A name is kept and shown in clear: choose other words."]
    if not name.isprintable():
        return ["Letters, digits, spaces and punctuation only."]
    return []
