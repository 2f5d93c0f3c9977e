"""A new password opens all that the old one did, and the old one nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from openalgo_bridge.account import keys, login, recovery
from openalgo_bridge.account.change_password import change_password
from openalgo_bridge.account.login import Proof, sign_in
from openalgo_bridge.account.setup import create_account
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Denied, Invalid, NotFound, RateLimited, StorageError
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.store.sessions import NewSession
from tests.conftest import PASSWORD, TRADER, FixedClock, open_session
from tests.phone import set_up

NEW = "four unrelated new words"


@pytest.fixture
def key(desk: Desk) -> str:
    return create_account(desk, "trader", PASSWORD, risk_accepted=True)


def change(desk: Desk, new: str = NEW, again: str = NEW, *, old: str = PASSWORD, keep: int | None = None) -> None:
    change_password(desk, Proof(password=old), new, again, keep_session=keep, by=TRADER)


def faults_of(desk: Desk, new: str, again: str, *, old: str = PASSWORD) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as refused:
        change(desk, new, again, old=old)
    return refused.value.faults


def opens(desk: Desk, password: str) -> bool:
    """Whether it signs in and shows the key: both or neither."""
    try:
        sign_in(desk, "trader", password, device="", address="127.0.0.1")
    except Denied:
        with pytest.raises(Denied):
            keys.view(desk, Proof(password=password), by=TRADER)
        return False
    keys.view(desk, Proof(password=password), by=TRADER)
    return True


def test_the_new_password_signs_in_and_shows_the_same_key_and_the_old_one_does_neither(desk: Desk, key: str) -> None:
    change(desk)
    assert not opens(desk, PASSWORD)
    assert opens(desk, NEW)
    assert keys.view(desk, Proof(password=NEW), by=TRADER) == key
    assert keys.verify(desk, key), "programs go on working"


def test_a_key_made_after_the_change_is_shown_with_the_new_password(desk: Desk, key: str) -> None:
    change(desk)
    fresh = keys.issue(desk, Proof(password=NEW), by=TRADER)
    assert keys.view(desk, Proof(password=NEW), by=TRADER) == fresh


def test_the_recovery_codes_still_open_the_copy_of_the_key(desk: Desk, key: str, clock: FixedClock) -> None:
    phone_app = set_up(desk)
    clock.move(minutes=1)
    before = login.open_vault(desk, Proof(password=PASSWORD, code=phone_app.code()))
    clock.move(minutes=1)
    change_password(desk, Proof(password=PASSWORD, code=phone_app.code()), NEW, NEW, keep_session=None, by=TRADER)
    assert recovery.open_vault_with_code(desk, phone_app.recovery_codes[0], by=TRADER) == before


def test_a_code_is_not_used_up_by_a_wrong_password_or_a_bad_new_one(desk: Desk, key: str, clock: FixedClock) -> None:
    phone_app = set_up(desk)
    clock.move(minutes=1)
    code = phone_app.code()
    with pytest.raises(Denied):
        change_password(desk, Proof(password="wrong password 1", code=code), NEW, NEW, keep_session=None, by=TRADER)
    with pytest.raises(Invalid):
        change_password(desk, Proof(password=PASSWORD, code=code), "short", "short", keep_session=None, by=TRADER)
    change_password(desk, Proof(password=PASSWORD, code=code), NEW, NEW, keep_session=None, by=TRADER)


def test_it_can_be_changed_again_and_again(desk: Desk, key: str) -> None:
    old = PASSWORD
    for number in range(5):
        new = f"four unrelated new words {number}"
        change(desk, new, new, old=old)
        old = new
    assert keys.view(desk, Proof(password=old), by=TRADER) == key


def test_every_session_but_this_one_ends(desk: Desk, key: str) -> None:
    numbers = [
        open_session(desk, NewSession(id_hash=name, content="{}", address="", program=""))
        for name in (b"this", b"phone", b"stolen")
    ]
    change(desk, keep=numbers[0])
    assert [session.id_hash for session in desk.store.sessions.all()] == [b"this"]


def test_it_is_in_the_audit_list_without_a_password(desk: Desk, key: str) -> None:
    change(desk)
    line = desk.store.audit.page(limit=1)[0]
    assert (line.event, line.actor, line.before, line.after) == (AuditEvent.PASSWORD_CHANGED, TRADER, "", "")
    for path in desk.settings.db_dir.iterdir():
        assert NEW.encode() not in path.read_bytes()


def test_a_wrong_old_password_changes_nothing_and_is_counted(desk: Desk, key: str) -> None:
    user, wrapped = desk.store.users.get(), desk.store.vault.get()
    open_session(desk, NewSession(id_hash=b"other", content="{}", address="", program=""))
    for _ in range(5):
        with pytest.raises(Denied, match="Wrong password"):
            change(desk, old="not the password")
    with pytest.raises(RateLimited):
        change(desk)
    assert (desk.store.users.get(), desk.store.vault.get()) == (user, wrapped)
    assert len(desk.store.sessions.all()) == 1


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("short", "At least 12 characters"),
        ("x" * 129, "At most 128 characters"),
        ("passwordpassword", "first passwords"),
        ("aaaaaaaaaaaaaaaa", "first passwords"),
        (PASSWORD, "the password you have now"),
        ("ｃorrect horse battery", "the password you have now"),
        ("words with \ud800 in it", "not text"),
        ("", "At least 12 characters"),
    ],
)
def test_a_bad_new_password_is_refused_with_a_sentence(desk: Desk, key: str, new: str, said: str) -> None:
    faults = faults_of(desk, new, new)
    assert list(faults) == ["new_password"]
    assert said in faults["new_password"][0]
    assert opens(desk, PASSWORD)


def test_it_must_not_be_the_user_name(desk: Desk) -> None:
    create_account(desk, "a name of many letters", PASSWORD, risk_accepted=True)
    assert list(faults_of(desk, "A Name of Many Letters", "A Name of Many Letters")) == ["new_password"]


def test_all_faults_are_told_at_once_and_cost_no_try(desk: Desk, key: str) -> None:
    for _ in range(20):
        assert list(faults_of(desk, "short", "shorter", old="")) == ["password", "new_password", "again"]
    change(desk)
    assert opens(desk, NEW)


def test_without_an_account_there_is_nothing_to_change(desk: Desk) -> None:
    with pytest.raises(NotFound):
        change(desk)


def test_a_commit_that_fails_leaves_the_old_password_whole(desk: Desk, key: str) -> None:
    db = desk.store.files[0]
    open_session(desk, NewSession(id_hash=b"other", content="{}", address="", program=""))
    db.write("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(StorageError):
        change(desk)
    db.write("DROP TRIGGER full")
    assert opens(desk, PASSWORD)
    assert not opens(desk, NEW)
    assert len(desk.store.sessions.all()) == 1


def test_of_two_changes_at_once_one_password_is_left_and_it_opens_all(desk: Desk, key: str, clock: FixedClock) -> None:
    candidates = [f"four unrelated new words {number}" for number in range(4)]
    with ThreadPoolExecutor(max_workers=4) as threads:
        tries = [threads.submit(change, desk, new, new) for new in candidates]
        done = [each.exception() for each in tries]
    assert None in done
    assert all(error is None or isinstance(error, Denied | RateLimited) for error in done)
    clock.move(hours=2)
    assert sum(opens(desk, password) for password in (PASSWORD, *candidates)) == 1


def test_a_sign_in_that_was_checked_against_the_former_password_opens_no_session(desk: Desk, key: str) -> None:
    before = desk.store.users.get()
    assert before is not None
    change(desk)
    late = NewSession(id_hash=b"late", content="{}", address="", program="")
    assert not desk.store.sessions.create(late, password_hash=before.password_hash)
    assert desk.store.sessions.all() == []
