"""The first minutes: one account, one key, and only for who sees the console."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given

from openalgo_bridge.account import keys
from openalgo_bridge.account.login import Proof, sign_in
from openalgo_bridge.account.setup import RISK_WARNING, SetupCode, create_account
from openalgo_bridge.clock import Clock
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, Invalid, StorageError
from tests.conftest import PASSWORD, TRADER
from tests.model.test_apikey import ANY_TEXT


class Stopwatch(Clock):
    """A monotonic clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def announced() -> list[str]:
    return []


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def code(announced: list[str], watch: Stopwatch) -> SetupCode:
    return SetupCode(announced.append, clock=watch)


def test_the_account_and_its_key_work_at_once(desk: Desk) -> None:
    key = create_account(desk, " trader ", PASSWORD, risk_accepted=True)
    user = sign_in(desk, "trader", PASSWORD, device="", address="127.0.0.1")
    assert user.username == "trader"
    assert user.risk_accepted_at == desk.clock.now()
    assert keys.verify(desk, key)
    assert keys.view(desk, Proof(password=PASSWORD), by=TRADER) == key


def test_a_second_account_is_a_conflict_and_the_first_stays(desk: Desk) -> None:
    key = create_account(desk, "trader", PASSWORD, risk_accepted=True)
    with pytest.raises(Conflict):
        create_account(desk, "thief", "another good password", risk_accepted=True)
    assert keys.view(desk, Proof(password=PASSWORD), by=TRADER) == key


def test_eight_at_once_make_one_account_and_one_key(desk: Desk) -> None:
    barrier, made, refused = threading.Barrier(8), dict[str, str](), list[BridgeError]()

    def create(name: str) -> None:
        barrier.wait()
        try:
            made[name] = create_account(desk, name, PASSWORD, risk_accepted=True)
        except BridgeError as error:
            refused.append(error)

    threads = [threading.Thread(target=create, args=(f"trader{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ((name, key),) = made.items()
    assert [type(error) for error in refused] == [Conflict] * 7
    assert keys.view(desk, Proof(password=PASSWORD), by=TRADER) == key
    assert sign_in(desk, name, PASSWORD, device="", address="127.0.0.1").username == name
    row = desk.store.files[0].read_one("SELECT count(*) AS n FROM api_key")
    assert row is not None
    assert row["n"] == 1


def test_every_fault_is_named_and_nothing_is_made(desk: Desk) -> None:
    with pytest.raises(Invalid) as refused:
        create_account(desk, " ", "short", risk_accepted=False)
    assert set(refused.value.faults) == {"username", "password", "accept_risk"}
    assert desk.store.users.get() is None
    assert desk.store.api_keys.active() is None


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "new\nline", "\x00", "\ud800", "tab\tbed"])
def test_a_name_that_cannot_be_is_told(desk: Desk, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        create_account(desk, name, PASSWORD, risk_accepted=True)
    assert list(refused.value.faults) == ["username"]


@pytest.mark.parametrize("name", ["t", "José Ramón", "व्यापारी", "a.b-c_d@example.com", "x" * 64])
def test_a_name_in_any_script_signs_in(desk: Desk, name: str) -> None:
    create_account(desk, name, PASSWORD, risk_accepted=True)
    assert sign_in(desk, name.upper(), PASSWORD, device="", address="127.0.0.1").username == name


def test_when_the_database_cannot_be_written_there_is_neither_user_nor_key(desk: Desk) -> None:
    desk.store.files[0].write("DROP TABLE api_key")
    with pytest.raises(StorageError):
        create_account(desk, "trader", PASSWORD, risk_accepted=True)
    assert desk.store.users.get() is None


def test_the_risk_warning_says_what_may_happen() -> None:
    for word in ("money", "lose", "errors", "key", "paper"):
        assert word in RISK_WARNING


def test_the_code_on_the_console_is_accepted_however_it_is_typed(code: SetupCode, announced: list[str]) -> None:
    (shown,) = announced
    assert re.fullmatch(r"([A-HJKMNP-Z2-9]{4}-){2}[A-HJKMNP-Z2-9]{4}", shown)
    for typed in (shown, shown.lower(), shown.replace("-", ""), f" {shown.replace('-', ' ')}\r\n"):
        code.check(typed)
    assert announced == [shown]


def test_a_wrong_code_is_denied_and_the_right_one_still_works(code: SetupCode, announced: list[str]) -> None:
    for _ in range(4):
        with pytest.raises(Denied, match="console"):
            code.check("AAAA-AAAA-AAAA")
    code.check(announced[0])


def test_the_fifth_wrong_try_makes_a_new_code(code: SetupCode, announced: list[str]) -> None:
    for _ in range(5):
        with pytest.raises(Denied):
            code.check("AAAA-AAAA-AAAA")
    assert len(announced) == 2
    with pytest.raises(Denied):
        code.check(announced[0])
    code.check(announced[1])


def test_a_code_lives_15_minutes_and_then_a_new_one_is_shown(
    code: SetupCode, announced: list[str], watch: Stopwatch
) -> None:
    watch.seconds = 15 * 60 - 1
    code.check(announced[0])
    watch.seconds = 15 * 60
    with pytest.raises(Denied, match="expired"):
        code.check(announced[0])
    assert len(announced) == 2
    code.check(announced[1])


def test_parallel_guesses_do_not_get_more_than_five_tries_at_one_code(code: SetupCode, announced: list[str]) -> None:
    barrier = threading.Barrier(8)

    def guess() -> None:
        barrier.wait()
        for _ in range(5):
            with pytest.raises(Denied):
                code.check("AAAA-AAAA-AAAA")

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(announced) == 1 + 8 * 5 // 5


@given(ANY_TEXT)
def test_no_text_makes_the_check_raise_anything_else(text: str) -> None:
    with pytest.raises(Denied):
        SetupCode(lambda code: None).check(text)
