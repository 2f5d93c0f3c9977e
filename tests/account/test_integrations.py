"""After a new key: which programs must get it, and which have it already."""

from __future__ import annotations

from datetime import timedelta

import pytest

from openalgo_bridge.account import integrations, keys
from openalgo_bridge.account.login import Proof
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict
from tests.conftest import TRADER, Account, FixedClock

USUAL = ["TradingView", "ChartInk", "AmiBroker", "Python", "Node", "Excel"]


def call(desk: Desk, program: str, address: str = "127.0.0.1") -> None:
    active = desk.store.api_keys.active()
    assert active is not None
    desk.store.key_uses.note(
        fingerprint=active.key.fingerprint, program=program, address=address, endpoint="/api/v1/ping"
    )


def regenerate(desk: Desk, account: Account) -> str:
    return keys.issue(desk, Proof(password=account.password), by=TRADER)


def names(desk: Desk) -> list[str]:
    return [line.name for line in integrations.the_list(desk)]


def test_the_first_key_has_nothing_to_update(desk: Desk, account: Account) -> None:
    assert integrations.the_list(desk) == []


def test_what_used_the_old_key_comes_first_the_latest_at_the_top_then_the_usual(
    desk: Desk, account: Account, clock: FixedClock
) -> None:
    call(desk, "okhttp/3.13.1")
    clock.move(minutes=5)
    seen = clock.now()
    call(desk, "python-httpx/0.28.1")
    clock.move(minutes=5)
    regenerate(desk, account)
    lines = integrations.the_list(desk)
    assert [line.name for line in lines] == ["Python", "Java", "TradingView", "ChartInk", "AmiBroker", "Node", "Excel"]
    assert [line.last_seen_at for line in lines] == [seen, seen - timedelta(minutes=5), None, None, None, None, None]
    assert not any(line.is_done for line in lines)


def test_two_libraries_of_one_language_are_one_line_with_the_latest_time(
    desk: Desk, account: Account, clock: FixedClock
) -> None:
    call(desk, "python-requests/2.32", address="::1")
    clock.move(minutes=5)
    call(desk, "python-httpx/0.28.1")
    seen = clock.now()
    regenerate(desk, account)
    assert names(desk).count("Python") == 1
    assert integrations.the_list(desk)[0].last_seen_at == seen


def test_what_was_not_seen_for_a_month_is_not_listed(desk: Desk, account: Account, clock: FixedClock) -> None:
    call(desk, "ScalpBot/1")
    clock.move(days=31)
    regenerate(desk, account)
    assert names(desk) == USUAL


def test_a_program_that_calls_with_the_new_key_is_seen_to(desk: Desk, account: Account, clock: FixedClock) -> None:
    call(desk, "AmiBroker")
    regenerate(desk, account)
    clock.move(minutes=3)
    first_call = clock.now()
    call(desk, "AmiBroker")
    clock.move(minutes=3)
    call(desk, "AmiBroker")
    line = integrations.the_list(desk)[0]
    assert (line.name, line.calling_since, line.updated_at, line.is_done) == ("AmiBroker", first_call, None, True)
    assert not any(other.is_done for other in integrations.the_list(desk)[1:])


def test_a_line_is_ticked_and_opened_again(desk: Desk, account: Account, clock: FixedClock) -> None:
    regenerate(desk, account)
    first, second, *_ = integrations.the_list(desk)
    integrations.tick(desk, {first.id, second.id, 10_000})
    ticked_at = clock.now()
    clock.move(minutes=1)
    integrations.tick(desk, {first.id})
    states = [line.updated_at for line in integrations.the_list(desk)]
    assert states == [ticked_at, None, None, None, None, None]


def test_the_numbers_of_an_older_list_tick_nothing_though_they_are_given_again(desk: Desk, account: Account) -> None:
    shown = keys.verify(desk, regenerate(desk, account)).fingerprint
    old = {line.id for line in integrations.the_list(desk)}
    regenerate(desk, account)
    listed = integrations.the_list(desk)
    assert old & {line.id for line in listed}
    for change in (lambda: integrations.tick(desk, old, shown=shown), lambda: integrations.dismiss(desk, shown=shown)):
        with pytest.raises(Conflict):
            change()
    assert integrations.the_list(desk) == listed


def test_the_list_that_is_looked_at_is_ticked(desk: Desk, account: Account) -> None:
    shown = keys.verify(desk, regenerate(desk, account)).fingerprint
    integrations.tick(desk, {line.id for line in integrations.the_list(desk)}, shown=shown)
    assert all(line.is_done for line in integrations.the_list(desk))
    integrations.dismiss(desk, shown=shown)
    assert integrations.the_list(desk) == []


def test_who_regenerates_twice_in_a_row_keeps_the_list(desk: Desk, account: Account, clock: FixedClock) -> None:
    call(desk, "ScalpBot/1")
    seen = clock.now()
    clock.move(minutes=1)
    regenerate(desk, account)
    clock.move(minutes=1)
    regenerate(desk, account)
    line = integrations.the_list(desk)[0]
    assert (line.name, line.last_seen_at) == ("ScalpBot", seen)


def test_a_key_made_after_a_revocation_has_the_list_too(desk: Desk, account: Account) -> None:
    call(desk, "ScalpBot/1")
    keys.revoke(desk, Proof(password=account.password), by=TRADER)
    assert integrations.the_list(desk) == []
    regenerate(desk, account)
    assert names(desk) == ["ScalpBot", *USUAL]


def test_a_dismissed_list_is_gone_until_the_next_key(desk: Desk, account: Account) -> None:
    regenerate(desk, account)
    integrations.dismiss(desk)
    assert integrations.the_list(desk) == []
    regenerate(desk, account)
    assert names(desk) == USUAL


def test_a_list_that_cannot_be_made_does_not_keep_the_new_key_back(
    desk: Desk, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    desk.store.files[1].write("DROP TABLE key_use")
    assert keys.verify(desk, regenerate(desk, account))
    assert "could not be made" in caplog.text
