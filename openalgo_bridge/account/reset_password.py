"""A new password for whoever owns the files, without the old one (security T28): the trader who forgot it."""

from __future__ import annotations

from dataclasses import dataclass

from openalgo_bridge.account import recovery, vault
from openalgo_bridge.account.password import faults_of_new, hash_password
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, Invalid
from openalgo_bridge.model.audit import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """What the new password cost."""

    key_copy_lost: bool
    recovery_codes_lost: bool
    two_factor_removed: bool


def reset_password(desk: Desk, password: str, *, recovery_code: str, removes_two_factor: bool, by: Actor) -> Reset:
    """Set ``password``. With a recovery code, which is used up, the copy of the API key can still be shown.

    Without one the copy and the other recovery codes are deleted: the old password alone opened them. The key goes on
    working either way. Raises Conflict while there is no account, Invalid naming the faults of the password, WrongCode,
    RateLimited, StorageError; nothing has changed then.
    """
    user = desk.store.users.get()
    if user is None:
        raise Conflict("There is no account yet. Make one with run.py setup, or on the set-up page.")
    faults = faults_of_new(password, user.username)
    if faults:
        raise Invalid.of({"password": faults})
    password_hash = hash_password(password, desk.argon2)
    removed = removes_two_factor and desk.store.two_factor.get().is_set_up
    codes = recovery.left(desk)
    # Last before the commit, because it uses the code up.
    vault_key = recovery.open_vault_with_code(desk, recovery_code, by=by) if recovery_code else vault.new_key()
    lost = desk.store.users.reset_password(
        password_hash,
        vault.wrap(vault_key, password, desk.argon2),
        opens_copies=bool(recovery_code),
        removes_two_factor=removed,
        by=by,
    )
    return Reset(
        key_copy_lost=lost,
        recovery_codes_lost=codes > 0 and not recovery_code and not removed,
        two_factor_removed=removed,
    )
