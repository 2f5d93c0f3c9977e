"""From where the key may be used: what is typed, what is stored, what is allowed."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model import address
from openalgo_bridge.model.address import ANYWHERE, MOST_NETWORKS, THIS_PC, AddressRule, Reach, from_text

V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)
ONE = st.one_of(V4, V6)


def ranges(ip: str, prefix: int) -> str:
    whole = 32 if ":" not in ip else 128
    return str(ipaddress.ip_network(f"{ip}/{max(1, prefix % (whole + 1))}", strict=False))


RANGES = st.builds(ranges, ONE, st.integers(1, 128))
LISTS = st.lists(RANGES, min_size=1, max_size=8)


def fault_of(text: str) -> str:
    with pytest.raises(Invalid) as refused:
        AddressRule.of_networks(text)
    (fault, *_) = refused.value.faults["networks"]
    return fault


@given(LISTS)
def test_a_rule_comes_back_as_it_was_stored(words: list[str]) -> None:
    rule = AddressRule.of_networks("\n".join(words))
    assert from_text(str(rule)) == rule


@pytest.mark.parametrize("rule", [ANYWHERE, THIS_PC])
def test_the_two_simple_rules_come_back_as_well(rule: AddressRule) -> None:
    assert from_text(str(rule)) == rule


@given(RANGES, st.integers(min_value=0))
def test_every_address_of_a_range_is_allowed(word: str, pick: int) -> None:
    network = ipaddress.ip_network(word)
    inside = network.network_address + pick % network.num_addresses
    assert AddressRule.of_networks(word).allows(str(inside))


@pytest.mark.parametrize("ip", ["::ffff:203.0.113.7", "::7"])
def test_a_wide_range_of_ipv6_has_every_address_that_is_written_in_it(ip: str) -> None:
    assert AddressRule.of_networks("::/8").allows(ip)
    assert not AddressRule.of_networks("::/8").allows("203.0.113.7")


@given(V4, V4)
def test_one_address_allows_itself_alone(allowed: str, other: str) -> None:
    assert AddressRule.of_networks(allowed).allows(other) is (allowed == other)


@given(V4)
def test_an_old_address_in_a_new_coat_is_the_same_address(ip: str) -> None:
    assert AddressRule.of_networks(ip).allows(f"::ffff:{ip}")
    assert AddressRule.of_networks(f"::ffff:{ip}").allows(ip)


@given(st.text(max_size=60))
def test_no_text_that_is_no_address_is_allowed_by_a_restriction(text: str) -> None:
    rules = (THIS_PC, AddressRule.of_networks("203.0.113.0/24"))
    allowed = [rule for rule in rules if rule.allows(text)]
    assert not allowed or ipaddress.ip_address(text)


@given(st.text(max_size=200))
def test_typing_anything_gives_a_rule_or_a_sentence(text: str) -> None:
    try:
        rule = AddressRule.of_networks(text)
    except Invalid as refused:
        assert all(fault.isprintable() and fault.endswith((".", "?")) for fault in refused.faults["networks"])
    else:
        assert rule.reach is Reach.LISTED
        assert from_text(str(rule)) == rule


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "at least one"),
        ("banana", "banana is no IP address"),
        ("203.0.113.256", "no IP address"),
        ("203.0.113.0/33", "no IP address"),
        ("203.0.113.7/24", "Did you mean 203.0.113.0/24?"),
        ("0.0.0.0/0", "every address"),
        ("::/0", "every address"),
        ("::ffff:0:0/96", "every address"),
        ("2001:db8::1/32", "Did you mean 2001:db8::/32?"),
        ("\u202e1.2.3.4", "One entry is no IP address"),
        ("x" * 300, "One entry is no IP address"),
        (" ".join(f"10.0.0.{n}" for n in range(MOST_NETWORKS + 1)), "At most 50"),
    ],
)
def test_a_malformed_list_is_told_in_a_sentence(typed: str, said: str) -> None:
    assert said in fault_of(typed)


def test_every_fault_of_a_list_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        AddressRule.of_networks("banana 203.0.113.7, cherry")
    assert len(refused.value.faults["networks"]) == 2


def test_what_stands_twice_is_kept_once() -> None:
    assert str(AddressRule.of_networks("203.0.113.7 203.0.113.7,203.0.113.7")) == "listed 203.0.113.7/32"


@pytest.mark.parametrize("text", ["", "listed", "anywhere 1.2.3.4", "this_pc 1.2.3.4", "everywhere", "listed banana"])
def test_a_stored_text_that_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        address.from_text(text)


LISTED = AddressRule.of_networks("203.0.113.0/24 2001:db8::/32")


@pytest.mark.parametrize(
    ("narrow", "wide", "is_within"),
    [
        (ANYWHERE, ANYWHERE, True),
        (THIS_PC, ANYWHERE, True),
        (ANYWHERE, THIS_PC, False),
        (ANYWHERE, LISTED, False),
        (THIS_PC, LISTED, False),
        (LISTED, THIS_PC, False),
        (AddressRule.of_networks("127.0.0.1"), THIS_PC, True),
        (AddressRule.of_networks("203.0.113.7"), LISTED, True),
        (AddressRule.of_networks("203.0.112.0/23"), LISTED, False),
        (AddressRule.of_networks("2001:db8:1::/48"), LISTED, True),
        (AddressRule.of_networks("203.0.113.7 198.51.100.1"), LISTED, False),
    ],
)
def test_a_rule_knows_whether_it_reaches_further(narrow: AddressRule, wide: AddressRule, is_within: bool) -> None:
    assert narrow.is_within(wide) is is_within


@given(LISTS, LISTS, ONE)
def test_nothing_is_allowed_by_a_narrower_rule_that_the_wider_one_refuses(
    one: list[str], two: list[str], ip: str
) -> None:
    narrow, wide = AddressRule.of_networks(" ".join(one)), AddressRule.of_networks(" ".join(two))
    if narrow.is_within(wide) and narrow.allows(ip):
        assert wide.allows(ip)


def test_a_list_without_this_pc_says_so() -> None:
    assert THIS_PC.includes_this_pc
    assert ANYWHERE.includes_this_pc
    assert not LISTED.includes_this_pc
