"""What must not come back with a backup: what ended or was made safer after it was made, and what waited then.

A restore brings back the day of the backup. A key that was regenerated since, perhaps because somebody else had it,
would work again, and so would a used recovery code, a permission that was taken away, or the authenticator of a phone
that was lost; limits that were set since would be gone, and the kill switch off; an order that was approved since, or
was in doubt and was sent again since, could be sent once more. The file that the backup replaces still knows of most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from openalgo_bridge.account import authenticator
from openalgo_bridge.errors import NotFound, StorageError
from openalgo_bridge.model.address import NOWHERE, THIS_PC, AddressRule
from openalgo_bridge.model.audit import Actor, AuditEntry, AuditEvent
from openalgo_bridge.model.guards import GuardSettings, widens
from openalgo_bridge.model.permission import Grants
from openalgo_bridge.model.states import MAY_BE_THERE, OrderState
from openalgo_bridge.store.api_keys import ActiveKey, KeyRules
from openalgo_bridge.store.journal import Settlement
from openalgo_bridge.store.journal_reads import JournalOrder
from openalgo_bridge.store.kill_switch import SwitchState
from openalgo_bridge.store.preferences import KeyCopy
from openalgo_bridge.store.store import Store
from openalgo_bridge.store.two_factor import RecoveryCode, TwoFactor

_NO_MORE = "It waited when a backup was made that has been restored since. Send it again if it is still wanted."
_MOST_LINES = 10_000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Undone(StrEnum):
    """What a restore did not bring back, or made less safe. The value is a sentence for the person."""

    KEY = (
        "The API key of the backup was regenerated or revoked after the backup was made, so it stays refused. "
        "Generate a new one on the API key page, and put it into your programs."
    )
    COPY = "No copy of the API key is kept, as you chose after the backup was made, so it cannot be shown."
    PERMISSIONS = "The API key may do only what it might do then and still might do now: look at its permissions."
    ADDRESSES = "The API key is taken only from the addresses that were chosen after the backup was made."
    RECOVERY_CODES = (
        "Recovery codes that were used or replaced after the backup was made stay worthless. Make new ones on the "
        "Security page."
    )
    TWO_FACTOR = (
        "The authenticator app that was set up after the backup was made stays in force, with its recovery codes; the "
        "former ones are worthless."
    )
    TWO_FACTOR_OFF = (
        "The authenticator app that was set up after the backup was made could not be kept, and no former one counts: "
        "the password alone is asked until you set the app up again on the Security page."
    )
    SWITCHES = "Codes of the authenticator app are asked wherever they were asked then or just now."
    PASSWORD = "The password was changed or reset after the backup was made: the older one is in force again."  # noqa: S105 - a sentence
    ORDERS = "Orders that waited in the Action Center when the backup was made were turned down."
    DOUBTS = "Orders that were in doubt when the backup was made, and of which it was found out since, stay decided."
    KILL_SWITCH = "The kill switch is on, as it was just now: new orders are refused until you release it."
    GUARDS = "The guards are those of just now: those of the day of the backup would stop less."
    GUARDS_UNKNOWN = (
        "The guards of just now could not be read: those of the day of the backup are in force. Look at them."
    )
    UNKNOWN = (
        "What was here before could not be read, so what you ended or made safer after the backup was made is as it "
        "was then. If you regenerated the API key, do it again: the key of the backup works. Look at its permissions "
        "and addresses, at the guards and the kill switch, at the password and at the Security page."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTwoFactor:
    """An authenticator that was set up after the backup was made. ``fits`` is False where this machine key or the
    vault of the backup has nothing to do with it."""

    stands: TwoFactor
    codes: tuple[RecoveryCode, ...]
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An order that may be at the broker for all that the backup knows, and what was found out since."""

    order_id: int
    outcome: Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What the present file says of a backup of the same account. ``last_step`` is of the last code of the app.

    ``permissions``, ``addresses`` and ``guards`` are None where those of the backup are no wider, ``kill_switch`` where
    it is off. ``doubts`` are the orders in doubt there whose outcome is known here.
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
    kill_switch: SwitchState | None = None
    guards: GuardSettings | None = None
    guards_unknown: bool = False
    doubts: tuple[Decided, ...] = ()


def ended_since(backup: Store, present: Store) -> Ended:
    """What of ``backup`` is no longer good in ``present``; nothing where that is another account.

    What was sending in ``backup`` is in doubt by now: its journal was interrupted. Raises StorageError.
    """
    then, now = backup.users.get(), present.users.get()
    if then is None or now is None or then.created_at != now.created_at:
        return Ended()
    new_two_factor = _new_two_factor(backup, present)
    guards = _guards_of(present)
    return Ended(
        key=_has_key_ended(backup, present),
        copy=present.preferences.key_copy() is KeyCopy.NEVER and backup.preferences.key_copy() is KeyCopy.KEPT,
        permissions=_narrower_permissions(backup, present),
        addresses=_narrower_addresses(backup, present),
        recovery_codes=() if new_two_factor else _ended_codes(backup, present),
        last_step=present.two_factor.get().last_step,
        two_factor=new_two_factor,
        switched_on=_switched_on(backup.two_factor.get(), present.two_factor.get()),
        password=then.password_hash != now.password_hash,
        kill_switch=_stopped_since(backup, present),
        guards=_narrower_guards(backup, guards),
        guards_unknown=guards is None,
        doubts=tuple(_decided(backup, present)),
    )


def keep_ended(backup: Store, ended: Ended, *, by: Actor) -> list[Undone]:
    """Let it be so in ``backup`` too. Raises StorageError."""
    undone = [
        *_keep_key(backup, ended, by),
        *_keep_two_factor(backup, ended, by),
        *_keep_guards(backup, ended, by),
        *_keep_decided(backup, ended, by),
    ]
    return [*undone, Undone.PASSWORD] if ended.password else undone


def turn_down_waiting(backup: Store, *, by: Actor) -> list[Undone]:
    """Nobody can tell whether what waited then was sent since, so it is not offered again. Raises StorageError."""
    backup.journal.expire_held()
    had_some = False
    while waiting := backup.journal.held():
        had_some = True
        for ticket in waiting:
            backup.journal.reject(ticket.id, ticket.shown, _NO_MORE, by=by)
    return [Undone.ORDERS] if had_some else []


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


def _keep_guards(backup: Store, ended: Ended, by: Actor) -> list[Undone]:
    undone: list[Undone] = []
    if ended.kill_switch is not None:
        backup.kill_switch.keep(ended.kill_switch, by=by)
        undone.append(Undone.KILL_SWITCH)
    if ended.guards is not None:
        backup.guards.save(ended.guards, by=by)
        undone.append(Undone.GUARDS)
    return [*undone, Undone.GUARDS_UNKNOWN] if ended.guards_unknown else undone


def _keep_decided(backup: Store, ended: Ended, by: Actor) -> list[Undone]:
    for decided in ended.doubts:
        was = backup.journal.order(decided.order_id).state
        backup.journal.settle(decided.order_id, decided.outcome, was=was, by=by)
    return [Undone.DOUBTS] if ended.doubts else []


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


def _stopped_since(backup: Store, present: Store) -> SwitchState | None:
    now = present.kill_switch.state()
    return now if now.is_on and not backup.kill_switch.state().is_on else None


def _guards_of(store: Store) -> GuardSettings | None:
    """None where they cannot be read: the rest is worth looking at all the same."""
    try:
        return store.guards.load()
    except StorageError:
        return None


def _narrower_guards(backup: Store, now: GuardSettings | None) -> GuardSettings | None:
    """Those of the present as a whole: which of two mixed sets the trader wants, he decided last."""
    if now is None:
        return None
    then = _guards_of(backup)
    return now if then is None or widens(now, then) else None


def _decided(backup: Store, present: Store) -> Iterator[Decided]:
    """The same number names another order where the present file was restored itself, so the reference must fit."""
    for order in (*backup.journal.unresolved(), *backup.journal.parked()):
        found = _order_now(present, order)
        if found is None or found.state in MAY_BE_THERE:
            continue
        # A refusal that was parsed since proves as much, and from in doubt there is only one way to say so.
        state = OrderState.SENT if found.state is OrderState.SENT else OrderState.NOT_PLACED
        outcome = Settlement(state=state, broker_order_id=found.broker_order_id, message=found.message)
        yield Decided(order_id=order.id, outcome=outcome)


def _order_now(present: Store, of_backup: JournalOrder) -> JournalOrder | None:
    try:
        found = present.journal.order(of_backup.id)
    except NotFound:
        return None
    return found if found.ref == of_backup.ref else None


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
    first, first_now = backup.audit.page(before=2, limit=1), present.audit.page(before=2, limit=1)
    both_tell = bool(first) and first == first_now
    return then == now or (
        both_tell and _lines(backup, AuditEvent.PASSWORD_RESET) == _lines(present, AuditEvent.PASSWORD_RESET)
    )


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
