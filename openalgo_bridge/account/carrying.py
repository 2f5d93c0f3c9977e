"""A text that a browser carries for us for a while, and can neither read nor make: sealed under the machine key.

Where the text may be read by other programs on this PC (cookies do not know ports), :mod:`~.signing` is enough.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag

from openalgo_bridge.account.sealing import seal, unseal
from openalgo_bridge.store.machine_key import MachineKey


def carried(machine_key: MachineKey, label: str, text: str, *, expires: datetime) -> str:
    """ASCII for a cookie. A ``label`` of :mod:`~openalgo_bridge.store.machine_key` keeps the uses apart."""
    packed = zlib.compress(f"{int(expires.timestamp())} {text}".encode())
    return base64.urlsafe_b64encode(seal(machine_key.derive(label), packed, label)).decode("ascii")


def brought(machine_key: MachineKey, label: str, cookie: str, *, now: datetime) -> str | None:
    """The text that :func:`carried` was given; None when its time is over or it is not ours. Any text is allowed."""
    try:
        sealed = base64.b64decode(cookie.encode("ascii"), altchars=b"-_", validate=True)
        packed = unseal(machine_key.derive(label), sealed, label)
    except (UnicodeEncodeError, binascii.Error, InvalidTag):
        return None
    expires, _, text = zlib.decompress(packed).decode().partition(" ")  # sealed, so its form is ours
    return text if now < datetime.fromtimestamp(int(expires), UTC) else None
