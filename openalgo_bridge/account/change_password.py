"""A new password for an old one. The vault key stays and is wrapped anew, so the copy of the API key stays readable."""

from __future__ import annotations

import unicodedata

from openalgo_bridge.account import login, vault
from openalgo_bridge.account.login import Proof
from openalgo_bridge.account.password import LONGEST, faults_of_new, hash_password
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Invalid, NotFound
from openalgo_bridge.model.audit import Actor


def change_password(
    desk: Desk, proof: Proof, new_password: str, again: str, *, keep_session: int | None, by: Actor
) -> None:
    """Set the new password and end every session but ``keep_session``, in one commit.

    From then on the new password opens what the old one did, and the old one nothing. Raises Invalid naming the
    faults of ``password``, ``new_password`` and ``again`` before the old password is looked at; then Denied,
    RateLimited, NotFound while there is no account, StorageError. Nothing has changed then.
    """
    user = desk.store.users.get()
    if user is None:
        raise NotFound("There is no account yet.")
    faults = _faults(proof.password, new_password, again, user.username)
    if faults:
        raise Invalid.of(faults)
    vault_key = login.open_vault(desk, proof)
    wrapped = vault.wrap(vault_key, new_password, desk.argon2)
    password_hash = hash_password(new_password, desk.argon2)
    desk.store.users.change_password(password_hash, wrapped, keep_session=keep_session, by=by)


def _faults(password: str, new_password: str, again: str, username: str) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {}
    if not password:
        faults["password"] = ["Type the password you have now."]
    of_new = faults_of_new(new_password, username)
    if not of_new and _is_same(password, new_password):
        of_new = ["This is the password you have now. Choose another."]
    if of_new:
        faults["new_password"] = of_new
    if new_password != again:
        faults["again"] = ["The two are not the same. Type the new password again."]
    return faults


def _is_same(password: str, new_password: str) -> bool:
    """As they are hashed. A text longer than any password is none, and slow to normalise."""
    if len(password) > LONGEST:
        return False
    return unicodedata.normalize("NFKC", password) == unicodedata.normalize("NFKC", new_password)
