"""From which addresses the API key may be used (behaviour N1, N2): anywhere, this PC only, or a list."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from openalgo_bridge.errors import Invalid

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_NETWORKS = 50


class Reach(StrEnum):
    """How far the key reaches."""

    ANYWHERE = "anywhere"
    THIS_PC = "this_pc"
    LISTED = "listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRule:
    """``networks`` is empty unless ``reach`` is LISTED. Its text form is what is stored."""

    reach: Reach
    networks: tuple[Network, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.reach, *map(str, self.networks)))

    @classmethod
    def of_networks(cls, text: str) -> AddressRule:
        """A list as a person types it, with spaces, commas or lines between. Raises Invalid naming each fault."""
        words = text.replace(",", " ").split()
        if not words:
            raise Invalid.of({"networks": ["Type at least one address, or choose one of the other two."]})
        if len(words) > MOST_NETWORKS:
            raise Invalid.of({"networks": [f"At most {MOST_NETWORKS} addresses."]})
        faults = [fault for word in words if (fault := _fault_of(word))]
        if faults:
            raise Invalid.of({"networks": faults})
        return cls(reach=Reach.LISTED, networks=tuple(dict.fromkeys(map(_network, words))))

    def allows(self, address: str) -> bool:
        """Whether a call from this address may use the key. Text that is no address is allowed nothing but ANYWHERE."""
        if self.reach is Reach.ANYWHERE:
            return True
        return any(found in network for found in _forms(address) for network in self._spans)

    def is_within(self, other: AddressRule) -> bool:
        """Whether every address this rule allows is allowed by ``other`` as well."""
        if other.reach is Reach.ANYWHERE:
            return True
        if self.reach is Reach.ANYWHERE:
            return False
        return all(any(_covers(wide, mine) for wide in other._spans) for mine in self._spans)

    @property
    def _spans(self) -> tuple[Network, ...]:
        """The same as networks, for a rule that is not ANYWHERE."""
        return _LOOPBACK if self.reach is Reach.THIS_PC else self.networks

    @property
    def includes_this_pc(self) -> bool:
        """Whether programs on this PC may use the key."""
        return self.allows("127.0.0.1")


_LOOPBACK: tuple[Network, ...] = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128"))

ANYWHERE = AddressRule(reach=Reach.ANYWHERE)
THIS_PC = AddressRule(reach=Reach.THIS_PC)
NOWHERE = AddressRule(reach=Reach.LISTED)
"""Stands for a rule that cannot be read. It is never stored: its text is no rule."""


@lru_cache(maxsize=64)
def from_text(text: str) -> AddressRule:
    """The inverse of ``str``. Raises ValueError for a text that is no rule."""
    reach, *networks = text.split(" ")
    rule = AddressRule(reach=Reach(reach), networks=tuple(ipaddress.ip_network(each) for each in networks))
    if (rule.reach is Reach.LISTED) != bool(rule.networks):
        raise ValueError(f"{text!r} is no address rule.")
    return rule


def _covers(wide: Network, narrow: Network) -> bool:
    """Ranges of one family only; what several ranges cover together counts as new, which asks once too often."""
    if isinstance(wide, ipaddress.IPv4Network):
        return isinstance(narrow, ipaddress.IPv4Network) and narrow.subnet_of(wide)
    return isinstance(narrow, ipaddress.IPv6Network) and narrow.subnet_of(wide)


@lru_cache(maxsize=256)
def _forms(text: str) -> tuple[Address, ...]:
    """The address; ::ffff:127.0.0.1 is 127.0.0.1 too, on a socket that serves both versions. Nothing for other text."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ()
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (found,) if mapped is None else (mapped, found)


def _network(word: str) -> Network:
    return _unmapped(ipaddress.ip_network(word))


def _unmapped(network: Network) -> Network:
    """A range of IPv4 addresses in the form of IPv6 is that range of IPv4 addresses."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network((mapped, network.prefixlen - 96))


def _fault_of(word: str) -> str | None:
    shown = word if len(word) <= 50 and word.isprintable() else "One entry"
    try:
        loose = ipaddress.ip_network(word, strict=False)
    except ValueError:
        return f"{shown} is no IP address or range. Write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32."
    if _unmapped(loose).prefixlen == 0:
        return f"{shown} is every address. Choose “from anywhere” instead."
    if "/" in word and str(loose.network_address) != str(ipaddress.ip_address(word.split("/", maxsplit=1)[0])):
        return f"{shown} does not begin its range. Did you mean {loose}?"
    return None
