"""What must not come back with a backup: what ended or was made safer after it was made, and what waited then.

A restore brings back the day of the backup. A key that was regenerated since, perhaps because somebody else had it,
would work again, and so would a used recovery code, a permission that was taken away, or the authenticator of a phone
that was lost; limits that were set since would be gone, and the kill switch off; an order that was approved since, or
was in doubt and was sent again since, could be sent once more. The file that the backup replaces still knows of most.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from openalgo_bridge.account import authenticator, orders_since
from openalgo_bridge.account.orders_since import OrdersSince, Reading
from openalgo_bridge.account.undone import Undone
from openalgo_bridge.model.address import NOWHERE, THIS_PC, AddressRule
from openalgo_bridge.model.audit import Actor, AuditEntry, AuditEvent
from openalgo_bridge.model.permission import Grants
from openalgo_bridge.store.api_keys import ActiveKey, KeyRules
from openalgo_bridge.store.preferences import KeyCopy
from openalgo_bridge.store.store import Store
from openalgo_bridge.store.two_factor import RecoveryCode, TwoFactor

_MOST_LINES = 10_000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTwoFactor:
    """An authenticator that was set up after the backup was made. ``fits`` is False where this machine key or the
    vault of the backup has nothing to do with it."""

    stands: TwoFactor
    codes: tuple[RecoveryCode, ...]
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What the present file says of a backup of the same account. ``last_step`` is of the last code of the app.

    ``permissions`` and ``addresses`` are None where those of the backup are no wider. ``is_known`` is False where a
    part of that file could not be read: what that part would say is then as it was when the backup was made.
    """

    key: bool = False
    copy: bool = False
    permissions: Grants | None = None
    addresses: AddressRule | None = None
    recovery_codes: tuple[str, ...] = ()
    last_step: int = 0
    two_factor: NewTwoFactor | None = None
    switched_on: tuple[AuditEvent, ...] = ()
    password: bool = False
    orders: OrdersSince = field(default_factory=OrdersSince)
    is_known: bool = True


def ended_since(backup: Store, present: Store, *, is_of_another_pc: bool = False) -> Ended:
    """What of ``backup`` is no longer good in ``present``. Of another account only the orders in doubt count.

    A key and an authenticator of another PC work here no more. Raises StorageError for the backup alone.
    """
    reading = Reading()
    then = backup.users.get()
    now = reading.part(present.users.get, then)
    if then is None or now is None or then.created_at != now.created_at:
        ended = Ended(orders=orders_since.doubts_alone(present, reading))
    else:
        ended = Ended() if is_of_another_pc else _account_since(backup, present, reading)
        ended = replace(
            ended,
            password=then.password_hash != now.password_hash,
            orders=orders_since.orders_since(backup, present, reading),
        )
    return replace(ended, is_known=reading.is_whole)


def unknown_since(backup: Store) -> Ended:
    """Where the present file says nothing."""
    return Ended(orders=orders_since.nothing_readable(backup), is_known=False)


def keep_ended(backup: Store, ended: Ended, *, by: Actor) -> list[Undone]:
    """Let it be so in ``backup`` too, whose journal is interrupted on the way; where not all is known entries stop.

    Raises StorageError.
    """
    undone = [
        *_keep_key(backup, ended, by),
        *_keep_two_factor(backup, ended, by),
        *orders_since.keep_orders_since(backup, ended.orders, by=by),
    ]
    if ended.password:
        undone.append(Undone.PASSWORD)
    return undone if ended.is_known else [*undone, Undone.UNKNOWN, *orders_since.stop(backup, by=by)]


def _account_since(backup: Store, present: Store, reading: Reading) -> Ended:
    new = reading.part(lambda: _new_two_factor(backup, present), None)
    return Ended(
        key=reading.part(lambda: _has_key_ended(backup, present), otherwise=False),
        copy=reading.part(lambda: _keeps_no_copy(backup, present), otherwise=False),
        permissions=reading.part(lambda: _narrower_permissions(backup, present), None),
        addresses=reading.part(lambda: _narrower_addresses(backup, present), None),
        recovery_codes=() if new else reading.part(lambda: _ended_codes(backup, present), ()),
        last_step=reading.part(lambda: present.two_factor.get().last_step, 0),
        two_factor=new,
        switched_on=reading.part(lambda: _switched_on(backup.two_factor.get(), present.two_factor.get()), ()),
    )


def _keep_key(backup: Store, ended: Ended, by: Actor) -> list[Undone]:
    """The rules first: the key after one that ends here has the same."""
    undone: list[Undone] = []
    if ended.permissions is not None:
        backup.api_keys.permit(ended.permissions, by=by)
        undone.append(Undone.PERMISSIONS)
    if ended.addresses is not None:
        backup.api_keys.restrict(ended.addresses, by=by)
        undone.append(Undone.ADDRESSES)
    if ended.copy:
        backup.preferences.set_key_copy(KeyCopy.NEVER, by=by)
        undone.append(Undone.COPY)
    if ended.key:
        backup.api_keys.revoke(by=by)
        undone.append(Undone.KEY)
    return undone


def _keep_two_factor(backup: Store, ended: Ended, by: Actor) -> list[Undone]:
    backup.two_factor.use_step(ended.last_step)
    for id_ in ended.recovery_codes:
        backup.two_factor.use_recovery_code(id_, by=by)
    for switch in ended.switched_on:
        backup.two_factor.switch(switch, is_on=True, by=by)
    undone: list[Undone] = []
    if ended.recovery_codes:
        undone.append(Undone.RECOVERY_CODES)
    if ended.switched_on:
        undone.append(Undone.SWITCHES)
    if ended.two_factor:
        undone.append(_keep_new_two_factor(backup, ended.two_factor, by))
    return undone


def _keep_new_two_factor(backup: Store, new: NewTwoFactor, by: Actor) -> Undone:
    """The former authenticator is off either way: the phone with it may be why there is a new one."""
    if new.fits:
        backup.two_factor.adopt(new.stands, new.codes, by=by)
        return Undone.TWO_FACTOR
    if backup.two_factor.get().is_set_up:
        backup.two_factor.remove(by=by)
    return Undone.TWO_FACTOR_OFF


def _has_key_ended(backup: Store, present: Store) -> bool:
    active, in_force = backup.api_keys.active(), present.api_keys.active()
    if active is None or (in_force is not None and in_force.key.lookup == active.key.lookup):
        return False
    match = present.api_keys.find(active.key.lookup)
    return match is not None and match.ending is not None


def _keeps_no_copy(backup: Store, present: Store) -> bool:
    return present.preferences.key_copy() is KeyCopy.NEVER and backup.preferences.key_copy() is KeyCopy.KEPT


def _narrower_permissions(backup: Store, present: Store) -> Grants | None:
    active = backup.api_keys.active()
    now = None if active is None else _rules_now(present, active)
    if active is None or now is None or active.rules.permissions <= now.permissions:
        return None
    return active.rules.permissions & now.permissions


def _narrower_addresses(backup: Store, present: Store) -> AddressRule | None:
    """Where neither is within the other, those of the present are what was decided last.

    NOWHERE stands for a rule that cannot be read and is never written; a new key would have THIS_PC then.
    """
    active = backup.api_keys.active()
    now = None if active is None else _rules_now(present, active)
    if active is None or now is None or active.rules.addresses.is_within(now.addresses):
        return None
    return THIS_PC if now.addresses == NOWHERE else now.addresses


def _rules_now(present: Store, of_backup: ActiveKey) -> KeyRules | None:
    """Those of the key in force, and else those that the key of the backup had at its end."""
    active = present.api_keys.active()
    if active is not None:
        return active.rules
    match = present.api_keys.find(of_backup.key.lookup)
    return None if match is None else match.rules


def _new_two_factor(backup: Store, present: Store) -> NewTwoFactor | None:
    then, now = backup.two_factor.get(), present.two_factor.get()
    if now.secret is None or now.set_up_at is None:
        return None
    if then.set_up_at is not None and then.set_up_at >= now.set_up_at:
        return None
    is_readable = authenticator.unsealed(backup.machine_key, now.secret) is not None
    unused = tuple(code for code in present.two_factor.recovery_codes() if code.used_at is None)
    return NewTwoFactor(stands=now, codes=unused, fits=is_readable and _have_one_vault_key(backup, present))


def _have_one_vault_key(backup: Store, present: Store) -> bool:
    """Only a reset of the password makes another one, and each has its line where the list had begun by then."""
    then, now = backup.vault.get(), present.vault.get()
    if then is None or now is None:
        return False
    if then == now:
        return True
    first, first_now = backup.audit.page(before=2, limit=1), present.audit.page(before=2, limit=1)
    both_tell = bool(first) and first == first_now
    return both_tell and _lines(backup, AuditEvent.PASSWORD_RESET) == _lines(present, AuditEvent.PASSWORD_RESET)


def _switched_on(then: TwoFactor, now: TwoFactor) -> tuple[AuditEvent, ...]:
    """What the same authenticator is asked for now and was not then."""
    if then.set_up_at is None or then.set_up_at != now.set_up_at:
        return ()
    on = {
        AuditEvent.LOGIN_CODE: now.at_login and not then.at_login,
        AuditEvent.CREDENTIALS_CODE: now.for_credentials and not then.for_credentials,
    }
    return tuple(switch for switch, is_on in on.items() if is_on)


def _ended_codes(backup: Store, present: Store) -> tuple[str, ...]:
    """The unused ones of the backup that were used or replaced since.

    One that the present file does not know may be newer than that file: then a restore is being taken back.
    """
    codes = present.two_factor.recovery_codes()
    known, used = {code.id for code in codes}, {code.id for code in codes if code.used_at is not None}
    # Codes that were forgotten together with their authenticator still have a line where they were used.
    told = {line.before: line.at for line in reversed(_lines(present, AuditEvent.RECOVERY_CODE_USED))}
    set_up_at = present.two_factor.get().set_up_at or _LONG_AGO
    newest = max([set_up_at, *map(_made, codes)])

    def has_ended(code: RecoveryCode) -> bool:
        if code.id in known:
            return code.id in used
        return _made(code) < newest or told.get(code.id, _LONG_AGO) >= _made(code)

    return tuple(code.id for code in backup.two_factor.recovery_codes() if code.used_at is None and has_ended(code))


def _made(code: RecoveryCode) -> datetime:
    return code.made_at or _LONG_AGO


def _lines(store: Store, event: AuditEvent) -> list[AuditEntry]:
    return store.audit.page(event=event, limit=_MOST_LINES)
