"""GTTs of ten RELIANCE, which stands at 1000 at a scripted broker: a stop below, a target above, and both."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from openalgo_bridge.model.order import Action, Exchange, GttLeg, GttRequest, PriceType, Product, TriggerSide

STOP = GttLeg(side=TriggerSide.STOPLOSS, trigger_price=Decimal(900), price=Decimal(890))
TARGET = GttLeg(side=TriggerSide.TARGET, trigger_price=Decimal(1200), price=Decimal(1210))
SELL = GttRequest(
    symbol="RELIANCE",
    exchange=Exchange.NSE,
    action=Action.SELL,
    quantity=10,
    price_type=PriceType.LIMIT,
    product=Product.CNC,
    legs=(STOP,),
)
OCO = replace(SELL, legs=(STOP, TARGET))
