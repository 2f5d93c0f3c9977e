"""What a key may do: stored, read back, named; and what each preset leaves out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.model.permission import (
    PRESETS,
    READS,
    TRADES,
    Grants,
    Permission,
    Preset,
    from_text,
    preset_of,
    refusal,
    to_text,
)

GRANTS = st.frozensets(st.sampled_from(Permission))


@given(GRANTS)
def test_what_is_stored_is_read_back_whatever_the_order(granted: Grants) -> None:
    assert from_text(to_text(granted)) == granted
    assert to_text(sorted(granted, reverse=True)) == to_text(granted)


@pytest.mark.parametrize("text", ["everything", "place_orders,fly", "PLACE_ORDERS", "place_orders "])
def test_a_grant_that_does_not_exist_is_no_grant(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_text(text)


def test_no_grants_is_a_choice_too() -> None:
    assert from_text("") == frozenset()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_known_by_its_grants(preset: Preset) -> None:
    assert preset_of(PRESETS[preset]) is preset


@given(GRANTS)
def test_whatever_is_no_preset_is_custom(granted: Grants) -> None:
    assert (preset_of(granted) is Preset.CUSTOM) is (granted not in PRESETS.values())


def test_the_ten_operations_of_the_key_page_are_in_full() -> None:
    ten = {
        Permission.PLACE_ORDERS,
        Permission.MODIFY_ORDERS,
        Permission.CANCEL_ORDERS,
        Permission.VIEW_POSITIONS,
        Permission.VIEW_HOLDINGS,
        Permission.VIEW_ORDERS,
        Permission.VIEW_TRADES,
        Permission.VIEW_FUNDS,
        Permission.QUOTES,
        Permission.DEPTH,
    }
    assert PRESETS[Preset.FULL] - ten == {Permission.HISTORY, Permission.INSTRUMENTS, Permission.WEBHOOKS}
    assert ten <= PRESETS[Preset.FULL]


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_trades_with_real_money_or_switches_the_account(preset: Preset) -> None:
    assert not PRESETS[preset] & {Permission.LIVE_TRADING, Permission.SWITCH_ANALYZER}


def test_read_only_changes_nothing_and_trade_only_sees_no_money() -> None:
    assert PRESETS[Preset.READ_ONLY] == READS
    assert not READS & (TRADES | {Permission.WEBHOOKS})
    assert not PRESETS[Preset.TRADE_ONLY] & {
        Permission.VIEW_FUNDS,
        Permission.VIEW_HOLDINGS,
        Permission.VIEW_POSITIONS,
        Permission.VIEW_TRADES,
    }


@pytest.mark.parametrize("permission", Permission)
def test_a_refusal_names_what_is_missing_in_words(permission: Permission) -> None:
    message = refusal(permission).message
    assert message.startswith("API key not authorized: it has no permission to ")
    assert permission.sentence in message
    assert "_" not in message
