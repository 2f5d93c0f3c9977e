"""Requests that place, change, withdraw or look up an order (contract 2.1, 2.2)."""

from __future__ import annotations

from decimal import Decimal

from openalgo_bridge.api.schemas.base import ApiModel
from openalgo_bridge.api.schemas.fields import (
    ActionField,
    DisclosedQuantity,
    ExchangeField,
    Moment,
    OrderId,
    Price,
    PriceTypeField,
    ProductField,
    Quantity,
    Strategy,
    Symbol,
)
from openalgo_bridge.model.order import CloseRequest, OrderRequest, PriceType, Product


class _OrderFields(ApiModel):
    symbol: Symbol
    exchange: ExchangeField
    action: ActionField
    quantity: Quantity
    price: Price = Decimal(0)
    trigger_price: Price = Decimal(0)
    disclosed_quantity: DisclosedQuantity = 0

    def _order(self, price_type: PriceType, product: Product) -> OrderRequest:
        return OrderRequest(
            symbol=self.symbol,
            exchange=self.exchange,
            action=self.action,
            quantity=self.quantity,
            price_type=price_type,
            product=product,
            price=self.price,
            trigger_price=self.trigger_price,
            disclosed_quantity=self.disclosed_quantity,
        )


class PlaceOrder(_OrderFields):
    """``POST /placeorder`` (contract 2.1.1)."""

    strategy: Strategy
    pricetype: PriceTypeField = PriceType.MARKET
    product: ProductField = Product.MIS
    signal_time: Moment | None = None

    def order(self) -> OrderRequest:
        """The order that is asked for."""
        return self._order(self.pricetype, self.product)


class ModifyOrder(_OrderFields):
    """``POST /modifyorder`` (contract 2.1.5); Node omits the last two fields (5.1 item 5)."""

    orderid: OrderId
    pricetype: PriceTypeField
    product: ProductField
    price: Price
    strategy: Strategy = "-"

    def order(self) -> OrderRequest:
        """What the order shall be afterwards."""
        return self._order(self.pricetype, self.product)


class NamedOrder(ApiModel):
    """``POST /cancelorder`` and ``/orderstatus``: one order, by the broker's id or by our reference."""

    orderid: OrderId
    strategy: Strategy = "-"


class AllOrders(ApiModel):
    """``POST /cancelallorder`` (contract 2.1.7). The strategy is a note, not a filter."""

    strategy: Strategy = "-"


class AllPositions(ApiModel):
    """``POST /closeposition`` (contract 2.1.8): all of them, or those of one symbol, which is ours."""

    strategy: Strategy = "-"
    symbol: Symbol | None = None
    exchange: ExchangeField | None = None
    product: ProductField | None = None

    def request(self) -> CloseRequest:
        """What is asked to be closed."""
        return CloseRequest(symbol=self.symbol or "", exchange=self.exchange, product=self.product)
