"""What a restored account needs before it is used: here, and on another PC, whose ``machine.key`` is another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from openalgo_bridge.account import keys, vault
from openalgo_bridge.account.password import matches
from openalgo_bridge.account.undone import Undone
from openalgo_bridge.errors import Denied
from openalgo_bridge.model.audit import Actor, AuditEvent
from openalgo_bridge.model.order import OrderMode
from openalgo_bridge.store.api_keys import ApiKeys
from openalgo_bridge.store.machine_key import MachineKey
from openalgo_bridge.store.preferences import KeyCopy
from openalgo_bridge.store.store import Store
from openalgo_bridge.store.users import User
from openalgo_bridge.store.vault import Wrapped


class Loss(StrEnum):
    """What did not survive the way to another PC. The value is a sentence for the person."""

    KEY = "The former API key works no more. The new one is on the last line; put it into your programs."
    TWO_FACTOR = (
        "The authenticator app and its recovery codes were removed: they were tied to the former machine.key. "
        "Set the app up again on the security page."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """``key`` is the new API key, to be shown once; empty where the former one works, or there was none."""

    key: str = field(default="", repr=False)
    losses: tuple[Loss | Undone, ...] = ()


def is_of_another_pc(user: User | None, api_keys: ApiKeys, here: MachineKey | None) -> bool:
    """Whether the account was made under another machine key than the one here, or there is none here.

    Raises StorageError.
    """
    if user is None:
        return False
    return here is None or api_keys.is_foreign(here.mark)


def open_vault(user: User, wrapped: Wrapped | None, password: str) -> bytes | None:
    """The vault key, for the password that the backup was made under; None where the backup's is damaged.

    Not counted: who has the file can try as many passwords elsewhere. Raises Denied, RateLimited, StorageError.
    """
    if not matches(password, user.password_hash):
        raise Denied("Wrong password. It is the one that you had when the backup was made. Nothing was changed.")
    return None if wrapped is None else vault.opens(wrapped, password)


def settle(restored: Store, *, told: str, by: Actor) -> None:
    """End every session and hold the orders to come; ``told`` is for the audit list. Raises StorageError.

    Semi-Auto, because what happened since the backup is not in it: positions and orders that a program relies on may
    not be there, and Auto may have been switched off since.
    """
    restored.audit.add(by, AuditEvent.RESTORED, after=told)
    restored.sessions.end_others(None, by=by)
    restored.failed_logins.clear_all()
    restored.preferences.set_order_mode(OrderMode.SEMI_AUTO, by=by)


def settle_on_another_pc(restored: Store, vault_key: bytes | None, *, by: Actor) -> Settled:
    """A new key with the former one's rules, and no authenticator: neither works under this machine key.

    Without a vault key no copy of it is kept. Raises StorageError.
    """
    losses: list[Loss] = []
    key = ""
    if restored.api_keys.retire_foreign(restored.machine_key.mark, by=by):
        keeps_copy = restored.preferences.key_copy() is KeyCopy.KEPT
        fresh = keys.make(restored.machine_key, vault_key if keeps_copy else None)
        restored.api_keys.replace(fresh.row, by=by)
        key = fresh.text
        losses.append(Loss.KEY)
    if restored.two_factor.get().is_set_up:
        restored.two_factor.remove(by=by)
        losses.append(Loss.TWO_FACTOR)
    return Settled(key=key, losses=tuple(losses))
