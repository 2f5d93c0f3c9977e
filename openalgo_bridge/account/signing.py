"""A short text with an end, under the machine key: a browser can keep it for us, but cannot make one up."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime

from openalgo_bridge.store.machine_key import MachineKey

_LONGEST = 200


def sign(machine_key: MachineKey, label: str, text: str, *, expires: datetime) -> str:
    """``expires.text.signature``. A ``label`` of :mod:`~openalgo_bridge.store.machine_key` keeps the uses apart."""
    body = f"{int(expires.timestamp())}.{text}"
    return f"{body}.{_signature(machine_key, label, body)}"


def signed_text(machine_key: MachineKey, label: str, signed: str, *, now: datetime) -> str | None:
    """The text that :func:`sign` was given; None when its time is over or it is not ours. Any text is allowed."""
    body, _, signature = signed[:_LONGEST].rpartition(".")
    expected = _signature(machine_key, label, body)
    if not hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), expected.encode("ascii")):
        return None
    expires, _, text = body.partition(".")  # signed, so its form is ours
    return text if now < datetime.fromtimestamp(int(expires), UTC) else None


def _signature(machine_key: MachineKey, label: str, body: str) -> str:
    return machine_key.digest(label, body.encode("utf-8", "surrogatepass")).hex()
