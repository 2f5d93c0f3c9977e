"""One key in force; the ones before it are known, but their copies are gone."""

from __future__ import annotations

import threading

import pytest

from openalgo_bridge.errors import Conflict, NotFound, StorageError
from openalgo_bridge.model.address import ANYWHERE, MOST_NETWORKS, NOWHERE, THIS_PC, AddressRule
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.model.permission import PRESETS, READS, Grants, Permission, Preset
from openalgo_bridge.store.api_keys import ApiKeys, Ending, KeyRules, SealedKey
from openalgo_bridge.store.audit import AuditLog
from openalgo_bridge.store.database import Database
from tests.conftest import TRADER, FixedClock


@pytest.fixture
def keys(db: Database, clock: FixedClock) -> ApiKeys:
    return ApiKeys(db, clock)


MARK = b"m" * 32
READ_ONLY = READS


def a_key(number: int, *, copied: bool = True, mark: bytes = MARK) -> SealedKey:
    lookup = bytes([number]) * 32
    sealed = b"sealed" if copied else None
    return SealedKey(lookup=lookup, fingerprint=lookup.hex()[:12], machine_mark=mark, sealed=sealed)


def test_a_fresh_bridge_has_no_key(keys: ApiKeys) -> None:
    assert keys.active() is None
    assert keys.find(b"1" * 32) is None


@pytest.mark.parametrize("copied", [True, False])
def test_the_active_key_comes_back_as_it_was_written(keys: ApiKeys, clock: FixedClock, copied: bool) -> None:
    keys.replace(a_key(1, copied=copied), by=TRADER)
    active = keys.active()
    assert active is not None
    assert active.key == a_key(1, copied=copied)
    assert active.created_at == clock.now()


def test_replacing_retires_the_former_key_and_forgets_its_copy(keys: ApiKeys, db: Database, clock: FixedClock) -> None:
    keys.replace(a_key(1), by=TRADER)
    keys.replace(a_key(2), by=TRADER)
    former, current = keys.find(a_key(1).lookup), keys.find(a_key(2).lookup)
    assert former is not None
    assert current is not None
    assert (former.ending, current.ending) == (Ending.REGENERATED, None)
    assert former.retired_at == clock.now()
    assert [row["sealed"] for row in db.read("SELECT sealed FROM api_key ORDER BY id")] == [None, b"sealed"]


def test_when_the_new_key_cannot_be_written_the_former_stays_in_force(keys: ApiKeys) -> None:
    keys.replace(a_key(1), by=TRADER)
    keys.replace(a_key(2), by=TRADER)
    with pytest.raises(StorageError):
        keys.replace(a_key(1), by=TRADER)  # its keyed hash is taken
    active = keys.active()
    assert active is not None
    assert active.key == a_key(2)


def test_only_the_key_that_was_meant_is_replaced(keys: ApiKeys) -> None:
    assert keys.replace(a_key(1), expected="", by=TRADER) == ""
    assert keys.replace(a_key(2), expected=a_key(1).fingerprint, by=TRADER) == a_key(1).fingerprint
    for expected in ("", a_key(1).fingerprint):
        with pytest.raises(Conflict):
            keys.replace(a_key(3), expected=expected, by=TRADER)
    active = keys.active()
    assert active is not None
    assert active.key == a_key(2)


def test_the_key_before_is_named_also_when_it_had_ended(keys: ApiKeys) -> None:
    keys.replace(a_key(1), by=TRADER)
    keys.revoke(by=TRADER)
    assert keys.replace(a_key(2), by=TRADER) == a_key(1).fingerprint


def test_a_key_made_under_another_machine_key_is_retired_once(keys: ApiKeys, db: Database) -> None:
    assert not keys.retire_foreign(MARK, by=TRADER)
    assert not keys.is_foreign(MARK)
    keys.replace(a_key(1, mark=b"o" * 32), by=TRADER)
    assert [keys.retire_foreign(MARK, by=TRADER) for _ in range(2)] == [True, False]
    assert keys.active() is None
    assert keys.is_foreign(MARK), "also after it was retired: there is no other key yet"
    assert [row["sealed"] for row in db.read("SELECT sealed FROM api_key")] == [None]


def test_a_key_made_under_this_machine_key_stays(keys: ApiKeys) -> None:
    keys.replace(a_key(1, mark=b"o" * 32), by=TRADER)
    keys.replace(a_key(2), by=TRADER)
    assert not keys.retire_foreign(MARK, by=TRADER)
    assert not keys.is_foreign(MARK)
    assert keys.active() is not None


def test_keys_replaced_at_once_leave_one_in_force(keys: ApiKeys, db: Database) -> None:
    barrier = threading.Barrier(8)

    def replace(number: int) -> None:
        barrier.wait()
        keys.replace(a_key(number), by=TRADER)

    threads = [threading.Thread(target=replace, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = db.read("SELECT retired_at IS NULL AS active, count(*) AS n FROM api_key GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [(0, 7), (1, 1)]


@pytest.mark.parametrize(
    "change",
    [
        "retired_at = 1",
        "ending = 'revoked'",
        "retired_at = 1, ending = 'forgotten', sealed = NULL",
        "retired_at = 1, ending = 'revoked'",
    ],
    ids=["no ending", "no moment", "unknown ending", "a copy left"],
)
def test_the_table_refuses_a_key_that_is_half_retired(keys: ApiKeys, db: Database, change: str) -> None:
    keys.replace(a_key(1), by=TRADER)
    with pytest.raises(StorageError):
        db.write(f"UPDATE api_key SET {change}")


def test_a_revoked_key_leaves_none_and_is_remembered(keys: ApiKeys, clock: FixedClock) -> None:
    keys.replace(a_key(1), by=TRADER)
    keys.revoke(by=TRADER)
    match = keys.find(a_key(1).lookup)
    assert match is not None
    assert (keys.active(), match.ending, match.retired_at) == (None, Ending.REVOKED, clock.now())
    with pytest.raises(NotFound):
        keys.revoke(by=TRADER)


RULES = KeyRules(name="desk", permissions=PRESETS[Preset.READ_ONLY], addresses=THIS_PC)


def set_rules(keys: ApiKeys) -> None:
    keys.rename(RULES.name, by=TRADER)
    keys.permit(RULES.permissions, by=TRADER)
    keys.restrict(RULES.addresses, by=TRADER)


@pytest.mark.parametrize("is_revoked", [True, False])
def test_a_new_key_has_the_rules_of_the_one_before(keys: ApiKeys, is_revoked: bool) -> None:
    keys.replace(a_key(1), by=TRADER)
    active = keys.active()
    assert active is not None
    assert active.rules == KeyRules()
    set_rules(keys)
    if is_revoked:
        keys.revoke(by=TRADER)
    keys.replace(a_key(2), by=TRADER)
    active, match = keys.active(), keys.find(a_key(2).lookup)
    assert active is not None
    assert match is not None
    assert active.rules == match.rules == RULES


def test_without_a_key_there_are_no_rules_to_set(keys: ApiKeys) -> None:
    with pytest.raises(NotFound):
        keys.rename("desk", by=TRADER)


def test_every_change_tells_the_audit_list_from_what_to_what(keys: ApiKeys, db: Database, clock: FixedClock) -> None:
    keys.replace(a_key(1), by=TRADER)
    set_rules(keys)
    set_rules(keys)  # nothing changes, so nothing is told
    keys.revoke(by=TRADER)
    told = [(line.event, line.before, line.after) for line in reversed(AuditLog(db, clock).page())]
    name, permissions, addresses = told[1:4]
    assert told[0] == (AuditEvent.KEY_GENERATED, "", a_key(1).fingerprint)
    assert name == (AuditEvent.KEY_NAMED, "My key", "desk")
    assert permissions[1].startswith("full: place_orders,")
    assert permissions[2].startswith("read_only: view_positions,")
    assert addresses == (AuditEvent.KEY_ADDRESSES, "anywhere", "this_pc")
    assert told[4] == (AuditEvent.KEY_REVOKED, a_key(1).fingerprint, "")
    assert len(told) == 5


def test_a_change_that_cannot_be_told_is_not_made(keys: ApiKeys, db: Database) -> None:
    keys.replace(a_key(1), by=TRADER)
    db.write("DROP TABLE audit")
    for change in (lambda: keys.replace(a_key(2), by=TRADER), lambda: keys.revoke(by=TRADER), lambda: set_rules(keys)):
        with pytest.raises(StorageError):
            change()
    active = keys.active()
    assert active is not None
    assert (active.key, active.rules) == (a_key(1), KeyRules())


def test_a_rule_that_changed_since_it_was_looked_at_is_not_overwritten(keys: ApiKeys, db: Database) -> None:
    keys.replace(a_key(1), by=TRADER)
    keys.permit(READ_ONLY, by=TRADER)
    keys.restrict(THIS_PC, by=TRADER)
    lines = db.read("SELECT * FROM audit")
    for change in (
        lambda: keys.permit(PRESETS[Preset.FULL], expected=PRESETS[Preset.FULL], by=TRADER),
        lambda: keys.restrict(ANYWHERE, expected=ANYWHERE, by=TRADER),
    ):
        with pytest.raises(Conflict):
            change()
    assert in_force(keys) == KeyRules(permissions=READ_ONLY, addresses=THIS_PC)
    assert db.read("SELECT * FROM audit") == lines
    keys.permit(PRESETS[Preset.FULL], expected=READ_ONLY, by=TRADER)
    keys.restrict(ANYWHERE, expected=THIS_PC, by=TRADER)
    assert in_force(keys) == KeyRules()


def test_what_was_expected_is_compared_by_what_it_means(keys: ApiKeys, db: Database) -> None:
    keys.replace(a_key(1), by=TRADER)
    db.write("UPDATE api_key SET permissions = 'quotes,place_orders,quotes'")
    keys.permit(READ_ONLY, expected=frozenset({Permission.QUOTES, Permission.PLACE_ORDERS}), by=TRADER)
    assert in_force(keys).permissions == READ_ONLY


@pytest.mark.parametrize(
    ("damage", "granted", "addresses"),
    [
        ("permissions = permissions || ',telegram'", frozenset(), THIS_PC),
        ("addresses = 'moon'", READ_ONLY, NOWHERE),
        ("addresses = 'listed', permissions = 'x'", frozenset(), NOWHERE),
    ],
)
def test_rules_that_cannot_be_read_allow_nothing_and_can_be_set_again(
    keys: ApiKeys, db: Database, damage: str, granted: Grants, addresses: AddressRule
) -> None:
    keys.replace(a_key(1), by=TRADER)
    keys.permit(READ_ONLY, by=TRADER)
    keys.restrict(THIS_PC, by=TRADER)
    db.write(f"UPDATE api_key SET {damage}")
    assert in_force(keys) == KeyRules(permissions=granted, addresses=addresses, are_readable=False)
    assert not addresses.allows("203.0.113.7")
    with pytest.raises(StorageError):
        keys.find(a_key(1).lookup)
    keys.permit(READ_ONLY, by=TRADER)
    keys.restrict(THIS_PC, by=TRADER)
    assert in_force(keys) == KeyRules(permissions=READ_ONLY, addresses=THIS_PC)
    assert keys.find(a_key(1).lookup) is not None


@pytest.mark.parametrize("damage", ["permissions = 'x'", "addresses = 'moon'"])
def test_a_new_key_after_damaged_rules_may_do_nothing(keys: ApiKeys, db: Database, damage: str) -> None:
    keys.replace(a_key(1), by=TRADER)
    keys.restrict(THIS_PC, by=TRADER)
    db.write(f"UPDATE api_key SET {damage}")
    keys.replace(a_key(2), by=TRADER)
    assert in_force(keys) == KeyRules(permissions=frozenset(), addresses=THIS_PC)
    assert keys.find(a_key(2).lookup) is not None


def test_the_audit_list_holds_the_largest_rule_whole(keys: ApiKeys, db: Database, clock: FixedClock) -> None:
    keys.replace(a_key(1), by=TRADER)
    many = [f"2001:db8:1111:2222:3333:4444:5555:{number:04x}" for number in range(0x1000, 0x1000 + MOST_NETWORKS - 1)]
    before, after = (AddressRule.of_networks(" ".join([*many, last])) for last in ("203.0.113.7", "0.0.0.0/1"))
    keys.restrict(before, by=TRADER)
    keys.restrict(after, by=TRADER)
    line = AuditLog(db, clock).page(limit=1)[0]
    assert (line.before, line.after) == (str(before), str(after))


def in_force(keys: ApiKeys) -> KeyRules:
    active = keys.active()
    assert active is not None
    return active.rules
