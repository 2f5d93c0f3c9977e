"""Who gets in, who has to wait, and that the trader is never locked out of the own browser."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from openalgo_bridge.account import keys
from openalgo_bridge.account import password as passwords
from openalgo_bridge.account.devices import known_device, new_device_token
from openalgo_bridge.account.login import Proof, confirm, sign_in
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Denied, RateLimited, StorageError
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.machine_key import MachineKey
from tests.account.conftest import open_desk
from tests.conftest import TRADER, Account, FixedClock
from tests.model.test_apikey import ANY_TEXT

HOSTILE = ["", "\x00", "\ud800", "é" * 100, "x" * 1_000_000, "a\u0301" * 100_000, "' OR 1=1 --"]


def attempt(desk: Desk, password: str, *, username: str = "trader", device: str = "") -> str:
    """The name of what happened."""
    try:
        sign_in(desk, username, password, device=device, address="127.0.0.1")
    except BridgeError as error:
        return type(error).__name__
    return "in"


def confirm_or_name(desk: Desk) -> str:
    """The name of what happened at the step-up."""
    try:
        confirm(desk, Proof(password="any"))
    except BridgeError as error:
        return type(error).__name__
    return "in"


def guess_often(desk: Desk, times: int, device: str = "") -> list[str]:
    return [attempt(desk, f"wrong password {number}", device=device) for number in range(times)]


def test_the_right_name_and_password_sign_in(desk: Desk, account: Account) -> None:
    user = sign_in(desk, " Trader ", account.password, device="", address="127.0.0.1")
    assert user.username == account.username


def test_a_wrong_name_and_a_wrong_password_get_the_same_sentence(desk: Desk, account: Account) -> None:
    sentences = set()
    for username, password in [("nobody", account.password), (account.username, "wrong"), ("nobody", "wrong")]:
        with pytest.raises(Denied) as refused:
            sign_in(desk, username, password, device="", address="127.0.0.1")
        sentences.add(refused.value.message)
    assert sentences == {"Wrong user name or password."}


def test_without_an_account_nobody_signs_in(desk: Desk) -> None:
    assert attempt(desk, "anything at all") == "Denied"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_or_password_is_just_wrong(desk: Desk, account: Account, text: str) -> None:
    assert attempt(desk, text) == "Denied"
    assert attempt(desk, account.password, username=text) == "Denied"


def test_the_sixth_wrong_try_in_a_minute_waits_even_if_it_is_right(desk: Desk, account: Account) -> None:
    assert guess_often(desk, 5) == ["Denied"] * 5
    with pytest.raises(RateLimited) as refused:
        sign_in(desk, account.username, account.password, device="", address="127.0.0.1")
    assert refused.value.retry_after == 60
    assert "60 seconds" in refused.value.message


def test_after_the_wait_the_right_password_signs_in(desk: Desk, account: Account, clock: FixedClock) -> None:
    guess_often(desk, 6)
    clock.move(seconds=60)
    assert attempt(desk, account.password) == "in"


def test_a_patient_guesser_gets_25_an_hour(desk: Desk, account: Account, clock: FixedClock) -> None:
    outcomes = []
    for _ in range(59):
        outcomes += guess_often(desk, 2)
        clock.move(minutes=1)
    assert outcomes.count("Denied") == 25


def test_a_right_password_clears_the_count(desk: Desk, account: Account) -> None:
    guess_often(desk, 4)
    assert attempt(desk, account.password) == "in"
    assert guess_often(desk, 6) == ["Denied"] * 5 + ["RateLimited"]


def test_guesses_at_the_same_moment_never_exceed_the_limit(desk: Desk, account: Account) -> None:
    barrier, outcomes = threading.Barrier(16), list[str]()

    def guess() -> None:
        barrier.wait()
        outcomes.append(attempt(desk, "wrong password"))

    threads = [threading.Thread(target=guess) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Denied"] * 5 + ["RateLimited"] * 11


def test_a_password_that_was_not_looked_at_is_no_wrong_try(desk: Desk, account: Account) -> None:
    looks = [partial(attempt, desk, "any"), partial(confirm_or_name, desk)] * 2
    with passwords._turn(), ThreadPoolExecutor(len(looks)) as threads:
        assert [each.result() for each in [threads.submit(look) for look in looks]] == ["RateLimited"] * 4
    assert desk.store.failed_logins.count_since("sign-in", desk.clock.now()) == 0
    assert desk.store.failed_logins.count_since("confirm", desk.clock.now()) == 0
    assert guess_often(desk, 6) == ["Denied"] * 5 + ["RateLimited"]


def test_a_restart_does_not_clear_the_limit(
    desk: Desk, account: Account, settings: Settings, clock: FixedClock
) -> None:
    guess_often(desk, 5)
    desk.close()
    again = open_desk(settings, clock)
    assert attempt(again, account.password) == "RateLimited"
    again.close()


def test_a_flood_from_strangers_does_not_lock_the_known_browser_out(desk: Desk, account: Account) -> None:
    device = new_device_token(desk)
    assert guess_often(desk, 10)[-1] == "RateLimited"
    assert attempt(desk, account.password, device=device) == "in"


def test_a_known_browser_waits_a_little_longer_each_time_and_at_most_30_seconds(
    desk: Desk, account: Account, clock: FixedClock
) -> None:
    device = new_device_token(desk)
    waits = []
    for _ in range(8):
        assert attempt(desk, "wrong password", device=device) == "Denied"
        with pytest.raises(RateLimited) as refused:
            sign_in(desk, account.username, account.password, device=device, address="127.0.0.1")
        waits.append(refused.value.retry_after)
        clock.move(seconds=refused.value.retry_after)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert attempt(desk, account.password, device=device) == "in"


def test_when_the_counters_cannot_be_read_nobody_signs_in(desk: Desk, account: Account) -> None:
    desk.store.files[0].write("DROP TABLE failed_login")
    assert attempt(desk, account.password) == "StorageError"
    assert attempt(desk, account.password, device=new_device_token(desk)) == "StorageError"
    with pytest.raises(StorageError):
        confirm(desk, Proof(password=account.password))
    with pytest.raises(StorageError):
        keys.view(desk, Proof(password=account.password), by=TRADER)
    with pytest.raises(StorageError):
        keys.issue(desk, Proof(password=account.password), by=TRADER)
    assert keys.verify(desk, account.key)


def test_a_step_up_takes_the_right_password_alone(desk: Desk, account: Account) -> None:
    confirm(desk, Proof(password=account.password))
    with pytest.raises(Denied, match="Wrong password"):
        confirm(desk, Proof(password="wrong password"))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_step_up_is_just_wrong(desk: Desk, account: Account, text: str) -> None:
    with pytest.raises(Denied):
        confirm(desk, Proof(password=text))
    with pytest.raises(Denied):
        keys.view(desk, Proof(password=text), by=TRADER)


def test_who_took_over_a_session_cannot_guess_for_ever_nor_lock_the_trader_out(desk: Desk, account: Account) -> None:
    wrong = Proof(password="wrong password")
    tries: list[Callable[[], object]] = [
        lambda: confirm(desk, wrong),
        lambda: keys.view(desk, wrong, by=TRADER),
        lambda: keys.issue(desk, wrong, by=TRADER),
    ]
    outcomes = []
    for number in range(9):
        with pytest.raises((Denied, RateLimited)) as refused:
            tries[number % 3]()
        outcomes.append(type(refused.value).__name__)
    assert outcomes == ["Denied"] * 5 + ["RateLimited"] * 4
    assert attempt(desk, account.password) == "in"


def test_a_device_token_is_known_for_90_days(desk: Desk, clock: FixedClock) -> None:
    token = new_device_token(desk)
    clock.move(days=90, seconds=-1)
    assert known_device(desk, token)
    clock.move(seconds=1)
    assert not known_device(desk, token)


def test_a_device_token_of_another_bridge_is_unknown(desk: Desk, tmp_path: Path) -> None:
    other = MachineKey.load_or_create(tmp_path / "other.key")
    foreign = replace(desk, store=replace(desk.store, machine_key=other))
    assert not known_device(desk, new_device_token(foreign))


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 200), character=st.characters(exclude_categories=()))
def test_a_changed_device_token_is_unknown(desk: Desk, place: int, character: str) -> None:
    token = new_device_token(desk)
    changed = token[:place] + character + token[place + 1 :]
    assert known_device(desk, changed) is (changed == token)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ANY_TEXT)
def test_no_text_is_a_device_token(desk: Desk, text: str) -> None:
    assert not known_device(desk, text)


@pytest.mark.parametrize("text", [*HOSTILE, ".", "..", "1.2.3", "9" * 5000 + ".a.b"])
def test_no_hostile_text_is_a_device_token(desk: Desk, text: str) -> None:
    assert not known_device(desk, text)
