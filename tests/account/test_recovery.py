"""Recovery codes: each opens the vault once, for who lost the phone or forgot the password."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from openalgo_bridge.account import password as passwords
from openalgo_bridge.account import recovery, two_factor
from openalgo_bridge.account.login import Factor, Proof, confirm, open_vault, second_step
from openalgo_bridge.account.password import Argon2Cost
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, RateLimited, WrongCode
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.machine_key import MachineKey
from openalgo_bridge.store.sessions import NewSession
from tests.account.conftest import open_desk
from tests.conftest import CHEAP, PASSWORD, TRADER, Account, FixedClock, open_session
from tests.model.test_apikey import ANY_TEXT
from tests.phone import Phone, set_up

SHAPE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){4}")


@pytest.fixture
def phone(desk: Desk, account: Account, clock: FixedClock) -> Phone:
    made = set_up(desk)
    clock.move(seconds=30)
    return made


def vault_key(desk: Desk, phone: Phone) -> bytes:
    return open_vault(desk, Proof(password=PASSWORD, code=phone.code()))


def outcome(desk: Desk, code: str) -> str:
    """The name of what happened."""
    try:
        recovery.open_vault_with_code(desk, code, by=TRADER)
    except BridgeError as error:
        return type(error).__name__
    return "in"


def a_session(desk: Desk, name: bytes) -> None:
    open_session(desk, NewSession(id_hash=name, content="{}", address="", program=""))


def wrong(code: str) -> str:
    """One character of the secret part changed."""
    return code[:-1] + ("7" if code[-1] != "7" else "8")


def test_there_are_ten_of_eighty_bits_and_no_two_are_named_alike(phone: Phone) -> None:
    assert len(phone.recovery_codes) == 10
    assert all(SHAPE.fullmatch(code) for code in phone.recovery_codes)
    assert len({code[:4] for code in phone.recovery_codes}) == 10
    assert len({code[4:] for code in phone.recovery_codes}) == 10


def test_each_opens_what_the_password_opens_and_each_once(desk: Desk, phone: Phone) -> None:
    key = vault_key(desk, phone)
    for number, code in enumerate(phone.recovery_codes, start=1):
        assert recovery.open_vault_with_code(desk, code, by=TRADER) == key
        assert recovery.left(desk) == 10 - number
        with pytest.raises(WrongCode, match="used already"):
            recovery.open_vault_with_code(desk, code, by=TRADER)


@pytest.mark.parametrize(
    "spelled",
    [
        lambda code: code.lower(),
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: f"\t {code} \r\n",
        lambda code: code.replace("-", " \N{EN DASH} "),
        lambda code: code.replace("0", "O").replace("1", "I"),
        lambda code: code.replace("0", "o").replace("1", "l"),
    ],
)
def test_a_code_may_be_typed_as_a_person_reads_it(desk: Desk, phone: Phone, spelled: Callable[[str], str]) -> None:
    assert [outcome(desk, spelled(code)) for code in phone.recovery_codes] == ["in"] * 10


def test_of_eight_who_type_one_code_one_gets_in(desk: Desk, phone: Phone) -> None:
    barrier, outcomes = threading.Barrier(8), list[str]()

    def race() -> None:
        barrier.wait()
        outcomes.append(outcome(desk, phone.recovery_codes[0]))

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["WrongCode"] * 7 + ["in"]
    assert [line.event for line in desk.store.audit.page(limit=2)].count(AuditEvent.RECOVERY_CODE_USED) == 1


def test_a_wrong_code_opens_nothing_and_uses_nothing_up(desk: Desk, phone: Phone) -> None:
    first, second = phone.recovery_codes[:2]
    for code in (wrong(first), first[:4] + second[4:], "0000-" + first[5:], first[:-1], first + "0", ""):
        assert outcome(desk, code) == "WrongCode"
    assert recovery.left(desk) == 10
    assert outcome(desk, first) == "in"


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(text=st.one_of(ANY_TEXT, st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ-", min_size=18, max_size=26)))
def test_no_text_is_a_recovery_code(desk: Desk, text: str) -> None:
    assert outcome(desk, text) == "WrongCode"


@pytest.mark.parametrize("text", ["", "\x00", "\ud800" * 20, "A" * 1_000_000, "a\u0301" * 100_000, "' OR 1=1 --"])
def test_a_hostile_text_is_just_wrong(desk: Desk, phone: Phone, text: str) -> None:
    assert outcome(desk, text) == "WrongCode"
    with pytest.raises(WrongCode):
        second_step(desk, text, device="", by=TRADER)


def test_a_used_code_opens_nothing_that_is_still_stored(desk: Desk, phone: Phone) -> None:
    recovery.open_vault_with_code(desk, phone.recovery_codes[0], by=TRADER)
    used = next(row for row in desk.store.two_factor.recovery_codes() if row.used_at is not None)
    assert (used.wrapped.wrapped_key, used.wrapped.salt) == (b"", b"")


def test_codes_work_without_password_and_machine_key(desk: Desk, phone: Phone, tmp_path: Path) -> None:
    key = vault_key(desk, phone)
    other = MachineKey.load_or_create(tmp_path / "other.key")
    foreign = replace(desk, store=replace(desk.store, machine_key=other))
    assert recovery.open_vault_with_code(foreign, phone.recovery_codes[0], by=TRADER) == key


def test_new_codes_kill_those_that_were_left(desk: Desk, phone: Phone) -> None:
    fresh = two_factor.new_recovery_codes(desk, Proof(password=PASSWORD, code=phone.code()), by=TRADER)
    assert outcome(desk, phone.recovery_codes[0]) == "WrongCode"
    assert [outcome(desk, code) for code in fresh] == ["in"] * 10


def test_new_codes_need_the_password_even_after_a_fresh_proof(desk: Desk, phone: Phone) -> None:
    with pytest.raises(Denied, match="Type your password"):
        two_factor.new_recovery_codes(desk, Proof(password="", is_fresh=True), by=TRADER)
    assert outcome(desk, phone.recovery_codes[0]) == "in"


def test_without_two_factor_there_are_no_codes(desk: Desk, account: Account) -> None:
    with pytest.raises(Conflict):
        two_factor.new_recovery_codes(desk, Proof(password=PASSWORD), by=TRADER)
    assert outcome(desk, "0000-0000-0000-0000-0000") == "WrongCode"


def test_a_sign_in_with_one_ends_every_session_and_is_written_down(desk: Desk, phone: Phone) -> None:
    a_session(desk, b"one")
    a_session(desk, b"two")
    assert second_step(desk, phone.recovery_codes[0], device="", by=TRADER) is Factor.RECOVERY_CODE
    assert desk.store.sessions.all() == []
    events = [line.event for line in desk.store.audit.page(limit=2)]
    assert events == [AuditEvent.SESSIONS_ENDED, AuditEvent.RECOVERY_CODE_USED]


def test_a_sign_in_with_the_app_ends_no_session(desk: Desk, phone: Phone) -> None:
    a_session(desk, b"one")
    assert second_step(desk, phone.code(), device="", by=TRADER) is Factor.AUTHENTICATOR
    assert len(desk.store.sessions.all()) == 1


def test_a_wrong_code_ends_no_session(desk: Desk, phone: Phone) -> None:
    a_session(desk, b"one")
    with pytest.raises(WrongCode):
        second_step(desk, wrong(phone.recovery_codes[0]), device="", by=TRADER)
    assert len(desk.store.sessions.all()) == 1


def test_a_step_up_takes_one_too_and_ends_no_session(desk: Desk, phone: Phone) -> None:
    a_session(desk, b"one")
    proof = Proof(password=PASSWORD, code=phone.recovery_codes[0], by=TRADER)
    confirm(desk, proof)
    assert len(desk.store.sessions.all()) == 1
    assert desk.store.audit.page(limit=1)[0].actor == TRADER
    with pytest.raises(WrongCode, match="used already"):
        confirm(desk, proof)


def test_a_mistyped_password_does_not_use_one_up(desk: Desk, phone: Phone) -> None:
    with pytest.raises(Denied):
        confirm(desk, Proof(password="mistyped password", code=phone.recovery_codes[0]))
    confirm(desk, Proof(password=PASSWORD, code=phone.recovery_codes[0]))


def test_guesses_at_them_are_counted_with_those_at_the_app(
    desk: Desk, phone: Phone, settings: Settings, clock: FixedClock
) -> None:
    guess = wrong(phone.recovery_codes[0])
    for _ in range(5):
        with pytest.raises(WrongCode):
            second_step(desk, guess, device="", by=TRADER)
    desk.close()
    again = open_desk(settings, clock)
    for code in (phone.recovery_codes[0], phone.code()):
        with pytest.raises(RateLimited):
            second_step(again, code, device="", by=TRADER)
    again.close()


def test_a_code_that_was_not_looked_at_is_no_wrong_try(desk: Desk, phone: Phone) -> None:
    with passwords._turn(), pytest.raises(RateLimited):
        second_step(desk, phone.recovery_codes[0], device="", by=TRADER)
    assert desk.store.failed_logins.count_since("code", desk.clock.now()) == 0
    assert second_step(desk, phone.recovery_codes[0], device="", by=TRADER) is Factor.RECOVERY_CODE


def test_that_one_was_used_is_known_until_an_app_is_set_up_again(desk: Desk, phone: Phone, clock: FixedClock) -> None:
    assert desk.store.two_factor.recovery_code_used_at() is None
    recovery.open_vault_with_code(desk, phone.recovery_codes[0], by=TRADER)
    used_at = clock.now()
    clock.move(minutes=1)
    two_factor.new_recovery_codes(desk, Proof(password=PASSWORD, code=phone.code()), by=TRADER)
    assert desk.store.two_factor.recovery_code_used_at() == used_at
    other = Phone(two_factor.begin(desk).secret, clock)
    two_factor.finish(desk, Proof(password=PASSWORD, is_fresh=True), other.code(), by=TRADER)
    assert desk.store.two_factor.recovery_code_used_at() is None


def test_a_removal_leaves_no_code(desk: Desk, phone: Phone) -> None:
    recovery.open_vault_with_code(desk, phone.recovery_codes[0], by=TRADER)
    desk.store.two_factor.remove(by=TRADER)
    assert desk.store.two_factor.recovery_codes() == []
    assert desk.store.two_factor.recovery_code_used_at() is None
    assert outcome(desk, phone.recovery_codes[1]) == "WrongCode"


class FirstOnesTaken(set[str]):
    """The first names that are asked for are in use."""

    def __contains__(self, name: object) -> bool:
        if len(self) < 5:
            self.add(str(name))
        return super().__contains__(name)


def test_no_new_code_is_named_as_a_used_one() -> None:
    taken = FirstOnesTaken()
    made = {code.row.id for code in recovery.make(bytes(32), CHEAP, taken=taken)}
    assert len(taken) == 5
    assert len(made) == 10
    assert taken.isdisjoint(made)


@pytest.mark.parametrize(("password_cost", "cost"), [(Argon2Cost(), "m=19456,t=2,p=1"), (CHEAP, "m=64,t=1,p=1")])
def test_a_code_costs_less_than_a_password(password_cost: Argon2Cost, cost: str) -> None:
    assert {code.row.wrapped.cost for code in recovery.make(bytes(32), password_cost)} == {cost}


def test_the_codes_are_in_no_file(desk: Desk, phone: Phone) -> None:
    for code in phone.recovery_codes:
        secret = code.replace("-", "")[4:]
        for path in desk.settings.db_dir.iterdir():
            content = path.read_bytes().upper()
            assert secret.encode() not in content
            assert code[5:].encode() not in content
