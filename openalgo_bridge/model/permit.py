"""The right to send one message to a broker. Only the journal's claiming transaction makes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from openalgo_bridge.model.order import (
    BrokerRequest,
    CancelGttRequest,
    CancelRequest,
    GttRequest,
    ModifyGttRequest,
    ModifyRequest,
    OrderRequest,
    Ref,
)

RequestT = TypeVar(
    "RequestT",
    OrderRequest,
    ModifyRequest,
    CancelRequest,
    GttRequest,
    ModifyGttRequest,
    CancelGttRequest,
    BrokerRequest,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPermit(Generic[RequestT]):
    """Proof that order ``order_id`` stands as ``sending`` on disk.

    ``tests/test_architecture.py`` checks that nothing but ``store/journal.py`` constructs it.
    """

    order_id: int
    ref: Ref
    request: RequestT
