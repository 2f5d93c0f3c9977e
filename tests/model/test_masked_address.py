"""A page of the traffic log can be shown to somebody without the whole of a public address."""

from __future__ import annotations

import pytest

from openalgo_bridge.model.masked_address import masked, masked_within


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("103.25.7.9", "103.25.x.x"),
        ("8.8.8.8", "8.8.x.x"),
        ("2401:4900:1c5a:7b1f::1", "2401:4900:1c5a:7b1f:x:x:x:x"),
        ("::ffff:103.25.7.9", "103.25.x.x"),
    ],
)
def test_the_second_half_of_a_public_address_is_hidden(address: str, shown: str) -> None:
    assert masked(address) == shown


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "192.168.1.10",
        "10.0.0.5",
        "172.16.3.4",
        "100.64.0.7",
        "fe80::1",
        "fd00::5",
        "",
        "a",
        "103.25",
    ],
)
def test_what_is_not_public_or_no_address_is_shown(address: str) -> None:
    assert masked(address) == address


def test_within_a_sentence_only_addresses_change() -> None:
    told = "At 10:30:15 key used from 103.25.7.9. Not 192.168.1.10, nor 2401:4900::1, {'ip':'103.25.7.9'}; 12:34"
    assert masked_within(told) == (
        "At 10:30:15 key used from 103.25.x.x. Not 192.168.1.10, nor 2401:4900:0000:0000:x:x:x:x,"
        " {'ip':'103.25.x.x'}; 12:34"
    )
