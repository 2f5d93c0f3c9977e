"""What the exchange tells of its GTTs, in the words of ``model/gtt.py``. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from openalgo_bridge.brokers.paper import statements
from openalgo_bridge.clock import IST
from openalgo_bridge.model.gtt import BrokerGtt
from openalgo_bridge.model.order import BrokerOrderId
from openalgo_bridge.model.paper import to_rupees
from openalgo_bridge.model.paper_gtt import PaperGtt

_ID = re.compile(r"GTT-[0-9]{6}-([0-9]{8})")


def gtt_id(number: int, placed_at: datetime) -> BrokerOrderId:
    """``GTT-``, the IST date as YYMMDD and its number in the book (contract 2.7.1)."""
    return BrokerOrderId(f"GTT-{placed_at.astimezone(IST):%y%m%d}-{number:08d}")


def id_of(gtt: PaperGtt) -> BrokerOrderId:
    """The same of one that is in the book."""
    return gtt_id(gtt.number, gtt.placed_at)


def number_in(wanted: BrokerOrderId) -> int:
    """The number in an id; 0, which no GTT has, when it is not one of ours."""
    match = _ID.fullmatch(wanted)
    return int(match[1]) if match else 0


def broker_gtt(gtt: PaperGtt, last_price: Decimal) -> BrokerGtt:
    """One row of the GTT book."""
    return BrokerGtt(
        id=id_of(gtt),
        tag=gtt.tag,
        request=gtt.request,
        state=gtt.state,
        last_price=last_price,
        blocked=to_rupees(gtt.blocked),
        created_at=gtt.placed_at,
        changed_at=gtt.changed_at,
        expires_at=gtt.expires_at,
        fired=None if gtt.fired is None else statements.order_id(gtt.fired.number, gtt.fired.at),
        reason=gtt.reason,
    )
