"""The endpoints for orders that wait for a price over days."""

from __future__ import annotations

from openalgo_bridge.api import gtt
from openalgo_bridge.api.endpoint import Endpoint
from openalgo_bridge.api.limits import Bucket
from openalgo_bridge.api.schemas.account import Nothing
from openalgo_bridge.api.schemas.gtt import (
    GttAnswer,
    GttInDoubtAnswer,
    GttOrderBookAnswer,
    GttWithdrawnAnswer,
    ModifyGtt,
    NamedGtt,
    PlaceGtt,
)
from openalgo_bridge.api.schemas.orders import QueuedAnswer
from openalgo_bridge.model.permission import Permission

_UNKNOWN = 404
_NOT_OFFERED = 501

GTT_ENDPOINTS = (
    Endpoint(
        path="/placegttorder",
        summary="Places an order that waits for a price over days, where the broker keeps such orders.",
        view=gtt.place_gtt_order,
        request=PlaceGtt,
        answer=GttAnswer | QueuedAnswer | GttInDoubtAnswer,
        needs=Permission.PLACE_ORDERS,
        bucket=Bucket.ORDERS,
        must_be_recorded=True,
        also_fails_with=(_NOT_OFFERED,),
    ),
    Endpoint(
        path="/modifygttorder",
        summary="Replaces an order that waits for a price, where the broker keeps such orders.",
        view=gtt.modify_gtt_order,
        request=ModifyGtt,
        answer=GttAnswer | QueuedAnswer | GttInDoubtAnswer,
        needs=Permission.MODIFY_ORDERS,
        bucket=Bucket.ORDERS,
        must_be_recorded=True,
        also_fails_with=(_UNKNOWN, _NOT_OFFERED),
    ),
    Endpoint(
        path="/cancelgttorder",
        summary="Withdraws an order that waits for a price; also one that still waits in the Action Center.",
        view=gtt.cancel_gtt_order,
        request=NamedGtt,
        answer=GttAnswer | GttWithdrawnAnswer | GttInDoubtAnswer,
        needs=Permission.CANCEL_ORDERS,
        bucket=Bucket.CANCELS,
        also_fails_with=(_UNKNOWN, _NOT_OFFERED),
    ),
    Endpoint(
        path="/gttorderbook",
        summary="Lists the orders that wait for a price over days.",
        view=gtt.gtt_order_book,
        request=Nothing,
        answer=GttOrderBookAnswer,
        needs=Permission.VIEW_ORDERS,
    ),
)
