"""Public addresses without their end, so that a page can be shown to somebody (behaviour L4)."""

from __future__ import annotations

import ipaddress
import re

_PARTS_SHOWN = {4: 2, 6: 4}
_MAYBE_ADDRESS = re.compile(r"(?<![\w:.])[0-9A-Fa-f:.]{2,45}(?![\w:])")


def masked(address: str) -> str:
    """``103.25.x.x``: the second half of a public address is hidden. Of this PC, of a home network, and what is no
    address at all, nothing is.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    public = mapped or found
    if not public.is_global:
        return address
    sign = "." if public.version == 4 else ":"
    parts = public.exploded.split(sign)
    shown = parts[: _PARTS_SHOWN[public.version]]
    return sign.join(shown + ["x"] * (len(parts) - len(shown)))


def masked_within(text: str) -> str:
    """A text in which every public address is masked."""
    return _MAYBE_ADDRESS.sub(_masked_match, text)


def _masked_match(match: re.Match[str]) -> str:
    """The full stop after an address belongs to the sentence."""
    address = match[0].rstrip(".")
    return masked(address) + match[0][len(address) :]
