"""The authenticator app: which code counts, how often, and what the trader is told when it does not."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.account import authenticator, two_factor
from openalgo_bridge.account.devices import known_device, new_device_token
from openalgo_bridge.account.login import Proof, confirm, open_vault, second_step
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import BridgeError, Conflict, Denied, NotFound, RateLimited, StorageError, WrongCode
from openalgo_bridge.model.audit import AuditEvent
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.machine_key import MachineKey
from tests.account.conftest import open_desk
from tests.conftest import PASSWORD, TRADER, Account, FixedClock
from tests.model.test_apikey import ANY_TEXT
from tests.phone import Phone, set_up

SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_6238 = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]
HOSTILE = [
    "",
    " ",
    "12345",
    "1234567",
    "abcdef",
    "12 34 5x",
    "-12345",
    "1e1000",
    "\x00" * 6,
    "\ud800" * 6,
    "9" * 100_000,
]


@pytest.fixture
def phone(desk: Desk, account: Account, clock: FixedClock) -> Phone:
    """Set up half a minute ago, so that the code it shows is unused."""
    made = set_up(desk)
    clock.move(seconds=30)
    return made


def outcome(act: Callable[[], object]) -> str:
    """The name of what happened."""
    try:
        act()
    except BridgeError as error:
        return type(error).__name__
    return "in"


def type_code(desk: Desk, code: str, device: str = "") -> str:
    return outcome(lambda: authenticator.confirm_code(desk, code, device=device))


def sentence(desk: Desk, code: str, device: str = "") -> str:
    """What is said about a code that is refused."""
    with pytest.raises(WrongCode) as refused:
        authenticator.confirm_code(desk, code, device=device)
    return refused.value.message


def with_another_machine_key(desk: Desk, tmp_path: Path) -> Desk:
    other = MachineKey.load_or_create(tmp_path / "other.key")
    return replace(desk, store=replace(desk.store, machine_key=other))


# Which code counts


@pytest.mark.parametrize(("seconds", "digits"), RFC_6238)
def test_the_codes_are_those_of_the_standard(seconds: int, digits: str) -> None:
    assert authenticator.step_of(SECRET, digits, seconds // 30) == seconds // 30


@given(st.integers(0, 10**9), st.integers(-40, 40))
def test_only_this_step_and_the_one_before_count(now: int, away: int) -> None:
    clock = FixedClock()
    clock.moment = datetime.fromtimestamp((now + 100 + away) * 30, UTC)
    digits = Phone(SECRET, clock).code()
    found = authenticator.step_of(SECRET, digits, now + 100)
    if away in {-1, 0}:
        assert found == now + 100 + away
    elif found is not None:  # one in a million: two steps with the same digits
        clock.moment = datetime.fromtimestamp(found * 30, UTC)
        assert found in {now + 99, now + 100}
        assert Phone(SECRET, clock).code() == digits


@pytest.mark.parametrize(("away", "happened"), [(0, "in"), (-1, "in"), (1, "WrongCode"), (-2, "WrongCode")])
def test_the_code_before_counts_and_the_next_and_an_older_one_do_not(
    desk: Desk, phone: Phone, clock: FixedClock, away: int, happened: str
) -> None:
    clock.move(minutes=5)
    assert type_code(desk, phone.code(away)) == happened


@pytest.mark.parametrize("spelled", ["{0}{1}", "{0} {1}", " {0}\t{1}\n", "\u00a0{0}\u2009{1}"])
def test_a_code_may_be_typed_with_spaces(desk: Desk, phone: Phone, spelled: str) -> None:
    code = phone.code()
    assert type_code(desk, spelled.format(code[:3], code[3:])) == "in"


def test_a_code_may_be_typed_in_wide_digits(desk: Desk, phone: Phone) -> None:
    assert type_code(desk, "".join(chr(ord(digit) + 0xFEE0) for digit in phone.code())) == "in"


@given(ANY_TEXT)
def test_any_text_is_six_digits_or_refused(text: str) -> None:
    try:
        digits = authenticator.digits_of(text)
    except WrongCode:
        return
    assert len(digits) == 6
    assert all(digit in "0123456789" for digit in digits)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_has_not_six_digits_is_refused_and_not_counted(desk: Desk, phone: Phone, text: str) -> None:
    for _ in range(7):
        assert "six digits" in sentence(desk, text)
    assert type_code(desk, phone.code()) == "in"


# Once, ever


def test_a_code_works_once_even_after_another_one(desk: Desk, phone: Phone, clock: FixedClock) -> None:
    first = phone.code()
    assert type_code(desk, first) == "in"
    clock.move(seconds=30)
    assert type_code(desk, phone.code()) == "in"
    assert sentence(desk, first) == "This code was used already. Wait for the next one (up to 30 s)."


def test_the_code_that_set_it_up_signs_nobody_in(desk: Desk, account: Account) -> None:
    assert type_code(desk, set_up(desk).code()) == "WrongCode"


def test_a_code_of_the_past_does_not_work_after_a_later_one(desk: Desk, phone: Phone, clock: FixedClock) -> None:
    clock.move(seconds=30)
    assert type_code(desk, phone.code()) == "in"
    assert type_code(desk, phone.code(-1)) == "WrongCode"


def test_of_eight_who_type_one_code_one_gets_in(desk: Desk, phone: Phone) -> None:
    device, code = new_device_token(desk, proved_code=True), phone.code()
    devices = [f"{device}"] + [new_device_token(desk, proved_code=True) for _ in range(7)]
    barrier, outcomes = threading.Barrier(8), list[str]()

    def race(own: str) -> None:
        barrier.wait()
        outcomes.append(type_code(desk, code, own))

    threads = [threading.Thread(target=race, args=(own,)) for own in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["WrongCode"] * 7 + ["in"]


def test_a_used_code_stays_used_over_a_restart_and_over_a_removal(
    desk: Desk, phone: Phone, settings: Settings, clock: FixedClock
) -> None:
    code = phone.code()
    assert type_code(desk, code) == "in"
    desk.close()
    again = open_desk(settings, clock)
    assert type_code(again, code) == "WrongCode"
    again.store.two_factor.remove(by=TRADER)
    again.store.two_factor.begin(authenticator.sealed(again.store.machine_key, phone.secret))
    two_factor.finish(again, Proof(password=PASSWORD), phone.code(), by=TRADER)
    assert type_code(again, code) == "WrongCode"
    again.close()


# What is said


def test_a_wrong_code_is_called_wrong(desk: Desk, phone: Phone) -> None:
    assert sentence(desk, phone.wrong_code()).startswith("Wrong code.")


@pytest.mark.parametrize(
    ("away", "spoken"),
    [
        (-2, "60 seconds"),
        (-3, "90 seconds"),
        (-4, "2 minutes"),
        (-10, "5 minutes"),
        (1, "30 seconds"),
        (10, "5 minutes"),
    ],
)
def test_a_clock_that_is_off_is_told_in_words_and_the_code_is_still_refused(
    desk: Desk, phone: Phone, clock: FixedClock, away: int, spoken: str
) -> None:
    clock.move(minutes=30)
    device, code = new_device_token(desk, proved_code=True), phone.code(away)
    told = sentence(desk, code, device)
    assert f"off by about {spoken}." in told
    assert "automatic time" in told
    assert type_code(desk, phone.code(), new_device_token(desk, proved_code=True)) == "in"


@pytest.mark.parametrize("away", [-11, 11])
def test_further_away_nothing_is_said_about_the_clock(desk: Desk, phone: Phone, clock: FixedClock, away: int) -> None:
    clock.move(minutes=30)
    assert sentence(desk, phone.code(away), new_device_token(desk, proved_code=True)).startswith("Wrong code.")


def test_a_stranger_is_not_told_that_a_guess_will_count_in_a_minute(desk: Desk, phone: Phone) -> None:
    assert sentence(desk, phone.code(2)) == sentence(desk, phone.wrong_code())


def test_a_clock_that_was_set_back_is_told(desk: Desk, phone: Phone, clock: FixedClock) -> None:
    clock.move(hours=1)
    assert type_code(desk, phone.code()) == "in"
    clock.move(minutes=-50)
    assert "clock of this PC" in sentence(desk, phone.code(), new_device_token(desk, proved_code=True))


# Setting it up


def test_setting_it_up_switches_both_on(desk: Desk, phone: Phone) -> None:
    assert authenticator.is_needed_at_login(desk)
    assert authenticator.is_needed_for_credentials(desk)


def test_before_it_is_finished_nothing_is_asked_and_no_code_counts(desk: Desk, account: Account) -> None:
    begun = Phone(two_factor.begin(desk).secret, desk.clock)
    assert not authenticator.is_needed_at_login(desk)
    assert not authenticator.is_needed_for_credentials(desk)
    confirm(desk, Proof(password=PASSWORD))
    assert type_code(desk, begun.code()) == "WrongCode"


def test_the_qr_holds_what_an_app_needs(desk: Desk, account: Account) -> None:
    begun = two_factor.begin(desk)
    uri = urlsplit(begun.uri)
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/OpenAlgo%20Bridge:trader")
    assert parse_qs(uri.query) == {"secret": [begun.secret], "issuer": ["OpenAlgo Bridge"]}
    assert len(base64.b32decode(begun.secret)) == 20


def test_neither_secret_nor_codes_are_in_a_text_form(desk: Desk, account: Account) -> None:
    begun = two_factor.begin(desk)
    assert begun.secret not in repr(begun)
    assert "123456" not in repr(Proof(password="p", code="123456"))


@pytest.mark.parametrize(
    ("password", "is_right_code", "error"), [(PASSWORD, False, WrongCode), ("wrong password", True, Denied)]
)
def test_a_wrong_code_or_password_sets_nothing_up_and_the_secret_stays(
    desk: Desk, account: Account, password: str, is_right_code: bool, error: type[BridgeError]
) -> None:
    begun = Phone(two_factor.begin(desk).secret, desk.clock)
    code = begun.code() if is_right_code else begun.wrong_code()
    with pytest.raises(error):
        two_factor.finish(desk, Proof(password=password), code, by=TRADER)
    assert not desk.store.two_factor.get().is_set_up
    assert len(two_factor.finish(desk, Proof(password=PASSWORD), begun.code(), by=TRADER)) == 10


def test_the_newest_qr_code_counts(desk: Desk, account: Account) -> None:
    older = Phone(two_factor.begin(desk).secret, desk.clock)
    newer = Phone(two_factor.begin(desk).secret, desk.clock)
    with pytest.raises(WrongCode):
        two_factor.finish(desk, Proof(password=PASSWORD), older.code(), by=TRADER)
    two_factor.finish(desk, Proof(password=PASSWORD), newer.code(), by=TRADER)


def test_a_set_up_is_finished_once(desk: Desk, phone: Phone) -> None:
    with pytest.raises(Conflict):
        two_factor.finish(desk, Proof(password=PASSWORD, is_fresh=True), phone.code(), by=TRADER)
    with pytest.raises(Conflict):
        two_factor.check_new_code(desk, phone.code())


def test_a_clock_that_is_off_is_told_while_setting_up(desk: Desk, account: Account) -> None:
    begun = Phone(two_factor.begin(desk).secret, desk.clock)
    with pytest.raises(WrongCode, match="off by about 2 minutes"):
        two_factor.check_new_code(desk, begun.code(4))


def test_another_app_needs_a_code_of_the_old_one_which_stays_in_force_until_then(
    desk: Desk, phone: Phone, clock: FixedClock
) -> None:
    other = Phone(two_factor.begin(desk).secret, desk.clock)
    with pytest.raises(WrongCode):
        two_factor.finish(desk, Proof(password=PASSWORD), other.code(), by=TRADER)
    two_factor.finish(desk, Proof(password=PASSWORD, code=phone.code()), other.code(), by=TRADER)
    clock.move(seconds=30)
    assert type_code(desk, phone.code()) == "WrongCode"
    assert type_code(desk, other.code()) == "in"


def test_a_wrong_code_of_the_new_app_does_not_use_up_one_of_the_old(desk: Desk, phone: Phone) -> None:
    other = Phone(two_factor.begin(desk).secret, desk.clock)
    proof = Proof(password=PASSWORD, code=phone.code())
    with pytest.raises(WrongCode):
        two_factor.finish(desk, proof, other.wrong_code(), by=TRADER)
    assert len(two_factor.finish(desk, proof, other.code(), by=TRADER)) == 10


def test_without_an_account_there_is_nothing_to_set_up(desk: Desk) -> None:
    with pytest.raises(NotFound):
        two_factor.begin(desk)


def test_each_change_is_in_the_audit_list(desk: Desk, phone: Phone) -> None:
    two_factor.new_recovery_codes(desk, Proof(password=PASSWORD, code=phone.code()), by=TRADER)
    desk.store.two_factor.switch(AuditEvent.LOGIN_CODE, is_on=False, by=TRADER)
    desk.store.two_factor.remove(by=TRADER)
    lines = desk.store.audit.page(limit=4)
    assert [line.event for line in reversed(lines)] == [
        AuditEvent.TWO_FACTOR_SET_UP,
        AuditEvent.RECOVERY_CODES_MADE,
        AuditEvent.LOGIN_CODE,
        AuditEvent.TWO_FACTOR_REMOVED,
    ]
    assert all(line.actor == TRADER for line in lines)


# The step-up


def test_a_step_up_needs_password_and_code(desk: Desk, phone: Phone) -> None:
    with pytest.raises(WrongCode):
        confirm(desk, Proof(password=PASSWORD))
    confirm(desk, Proof(password=PASSWORD, code=phone.code()))


@pytest.mark.parametrize("use", [confirm, open_vault])
def test_a_mistyped_password_does_not_use_the_code_up(
    desk: Desk, phone: Phone, use: Callable[[Desk, Proof], object]
) -> None:
    with pytest.raises(Denied, match="Wrong password"):
        use(desk, Proof(password="mistyped password", code=phone.code()))
    use(desk, Proof(password=PASSWORD, code=phone.code()))


@pytest.mark.parametrize("use", [confirm, open_vault])
def test_a_right_password_with_a_wrong_code_opens_nothing(
    desk: Desk, phone: Phone, use: Callable[[Desk, Proof], object]
) -> None:
    assert outcome(lambda: use(desk, Proof(password=PASSWORD, code=phone.wrong_code()))) == "WrongCode"
    assert outcome(lambda: use(desk, Proof(password=PASSWORD, code=""))) == "WrongCode"


def test_after_a_fresh_proof_no_code_is_needed_but_one_that_is_sent_is_looked_at(desk: Desk, phone: Phone) -> None:
    code = phone.code()
    confirm(desk, Proof(password=PASSWORD, code=code))
    confirm(desk, Proof(password=PASSWORD, is_fresh=True))
    with pytest.raises(WrongCode, match="used already"):
        confirm(desk, Proof(password=PASSWORD, code=code, is_fresh=True))
    with pytest.raises(Denied):
        confirm(desk, Proof(password="wrong password", is_fresh=True))


def test_with_the_switch_off_no_code_is_needed_but_one_that_is_sent_is_looked_at(desk: Desk, phone: Phone) -> None:
    desk.store.two_factor.switch(AuditEvent.CREDENTIALS_CODE, is_on=False, by=TRADER)
    confirm(desk, Proof(password=PASSWORD))
    with pytest.raises(WrongCode):
        confirm(desk, Proof(password=PASSWORD, code=phone.wrong_code()))


def test_without_two_factor_a_code_means_nothing(desk: Desk, account: Account) -> None:
    confirm(desk, Proof(password=PASSWORD, code="123456"))


# Guessing


def guess_often(desk: Desk, phone: Phone, times: int, device: str = "") -> list[str]:
    return [type_code(desk, phone.wrong_code(), device) for _ in range(times)]


def test_strangers_guess_five_times_in_15_minutes_together(desk: Desk, phone: Phone, clock: FixedClock) -> None:
    assert guess_often(desk, phone, 6) == ["WrongCode"] * 5 + ["RateLimited"]
    with pytest.raises(RateLimited) as refused:
        second_step(desk, phone.recovery_codes[0], device="", by=TRADER)
    assert refused.value.retry_after == 15 * 60
    assert refused.value.message == "Too many wrong codes. Try again in 15 minutes."
    clock.move(minutes=15)
    assert type_code(desk, phone.code()) == "in"


def test_strangers_guess_fifty_times_a_day(desk: Desk, phone: Phone, clock: FixedClock) -> None:
    outcomes = []
    for _ in range(24 * 4):
        outcomes += guess_often(desk, phone, 6)
        clock.move(minutes=14, seconds=59)
    assert outcomes.count("WrongCode") == 50


def test_a_restart_does_not_clear_the_limit(desk: Desk, phone: Phone, settings: Settings, clock: FixedClock) -> None:
    guess_often(desk, phone, 5)
    desk.close()
    again = open_desk(settings, clock)
    assert type_code(again, phone.code()) == "RateLimited"
    again.close()


def test_guesses_at_the_same_moment_never_exceed_the_limit(desk: Desk, phone: Phone) -> None:
    barrier, outcomes = threading.Barrier(16), list[str]()

    def guess() -> None:
        barrier.wait()
        outcomes.extend(guess_often(desk, phone, 1))

    threads = [threading.Thread(target=guess) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["RateLimited"] * 11 + ["WrongCode"] * 5


def test_a_known_browser_waits_at_most_30_seconds_whatever_strangers_do(
    desk: Desk, phone: Phone, clock: FixedClock
) -> None:
    device, waits = new_device_token(desk, proved_code=True), []
    for _ in range(8):
        guess_often(desk, phone, 6)
        assert type_code(desk, phone.wrong_code(), device) == "WrongCode"
        with pytest.raises(RateLimited) as refused:
            authenticator.confirm_code(desk, phone.code(), device=device)
        waits.append(refused.value.retry_after)
        clock.move(seconds=refused.value.retry_after)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert type_code(desk, phone.code(), device) == "in"


def test_a_known_browser_steps_up_while_somebody_else_guesses_at_an_open_session(desk: Desk, phone: Phone) -> None:
    for _ in range(6):
        outcome(lambda: confirm(desk, Proof(password="wrong password")))
        guess_often(desk, phone, 1)
    assert outcome(lambda: confirm(desk, Proof(password=PASSWORD, code=phone.code()))) == "RateLimited"
    confirm(desk, Proof(password=PASSWORD, code=phone.code(), device=new_device_token(desk, proved_code=True)))


def test_a_right_code_clears_the_count(desk: Desk, phone: Phone) -> None:
    guess_often(desk, phone, 4)
    assert type_code(desk, phone.code()) == "in"
    assert guess_often(desk, phone, 6) == ["WrongCode"] * 5 + ["RateLimited"]


def test_when_the_counters_cannot_be_read_no_code_counts(desk: Desk, phone: Phone) -> None:
    desk.store.files[0].write("DROP TABLE failed_login")
    assert type_code(desk, phone.code()) == "StorageError"
    assert type_code(desk, phone.code(), new_device_token(desk, proved_code=True)) == "StorageError"


def test_when_the_switches_cannot_be_read_nothing_is_confirmed(desk: Desk, phone: Phone) -> None:
    desk.store.files[0].write("DROP TABLE two_factor")
    with pytest.raises(StorageError):
        confirm(desk, Proof(password=PASSWORD))
    with pytest.raises(StorageError):
        authenticator.is_needed_at_login(desk)


# At rest


def test_the_secret_is_in_no_file(desk: Desk, phone: Phone) -> None:
    pending = two_factor.begin(desk).secret
    for secret in (phone.secret, pending):
        raw = base64.b32decode(secret)
        forms = [secret.encode(), secret.lower().encode(), raw, raw.hex().encode(), base64.b64encode(raw)]
        for path in desk.settings.db_dir.iterdir():
            content = path.read_bytes()
            assert not any(form in content for form in forms), path.name


def test_under_another_machine_key_codes_are_still_asked_and_none_counts(
    desk: Desk, phone: Phone, tmp_path: Path
) -> None:
    foreign = with_another_machine_key(desk, tmp_path)
    assert authenticator.is_readable(desk)
    assert not authenticator.is_readable(foreign)
    assert authenticator.is_needed_at_login(foreign)
    assert authenticator.is_needed_for_credentials(foreign)
    told = sentence(foreign, phone.code())
    assert "recovery codes" in told
    assert "run.py reset-password --remove-two-factor" in told
    assert type_code(desk, phone.code()) == "in"


def test_under_another_machine_key_a_recovery_code_sets_the_app_up_again(
    desk: Desk, phone: Phone, tmp_path: Path, clock: FixedClock
) -> None:
    foreign = with_another_machine_key(desk, tmp_path)
    other = Phone(two_factor.begin(foreign).secret, clock)
    proof = Proof(password=PASSWORD, code=phone.recovery_codes[0])
    two_factor.finish(foreign, proof, other.code(), by=TRADER)
    clock.move(seconds=30)
    assert type_code(foreign, other.code()) == "in"


def test_a_pending_secret_under_another_machine_key_must_be_begun_again(
    desk: Desk, account: Account, tmp_path: Path
) -> None:
    begun = Phone(two_factor.begin(desk).secret, desk.clock)
    with pytest.raises(Conflict, match="begun again"):
        two_factor.check_new_code(with_another_machine_key(desk, tmp_path), begun.code())


def test_who_has_the_password_gets_no_new_count_with_every_sign_in(desk: Desk, phone: Phone) -> None:
    # A sign-in with the password alone makes a browser known, but not where codes are guessed.
    told = [type_code(desk, phone.wrong_code(), new_device_token(desk)) for _ in range(8)]
    assert told == ["WrongCode"] * 5 + ["RateLimited"] * 3


def test_no_browser_stays_known_when_the_authenticator_or_the_password_changes(desk: Desk, account: Account) -> None:
    before = new_device_token(desk, proved_code=True)
    assert known_device(desk, before, for_codes=True)
    set_up(desk)
    after = new_device_token(desk, proved_code=True)
    assert (known_device(desk, before), known_device(desk, after)) == (False, True)
    desk.store.files[0].write("UPDATE user SET password_hash = '$changed$'")
    assert not known_device(desk, after)
