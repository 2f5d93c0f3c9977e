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
from openalgo_bridge.store.api_keys import KeyRules
from openalgo_bridge.store.preferences import KeyCopy

LONGEST_NAME = 64


def rules_in_force(desk: Desk) -> KeyRules:
    """The rules of the key. Raises NotFound when there is none, and StorageError."""
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


def permits_more(desk: Desk, granted: Grants) -> bool:
    """Whether a program could do something then that it cannot do now. Raises NotFound, StorageError."""
    return not granted <= rules_in_force(desk).permissions


def permit(desk: Desk, granted: Grants, *, by: Actor) -> None:
    """Allow exactly this. Raises NotFound, StorageError."""
    desk.store.api_keys.permit(granted, by=by)


def reaches_further(desk: Desk, addresses: AddressRule) -> bool:
    """Whether the key could be used from somewhere new then. Raises NotFound, StorageError."""
    return not addresses.is_within(rules_in_force(desk).addresses)


def restrict(desk: Desk, addresses: AddressRule, *, by: Actor) -> None:
    """Take calls from these addresses only. Raises NotFound, StorageError."""
    desk.store.api_keys.restrict(addresses, by=by)


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
    if not name.isprintable():
        return ["Letters, digits, spaces and punctuation only."]
    return []
