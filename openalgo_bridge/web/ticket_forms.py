"""The forms on the page of one ticket. They ask whether something is a number; whether it makes sense, trading says."""

# mypy: disable-error-code="no-untyped-call"
# Flask-WTF and WTForms have no annotations.

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from wtforms import Field, SelectField, StringField  # type: ignore[import-untyped, unused-ignore]
from wtforms.fields.choices import SelectChoice  # type: ignore[import-untyped, unused-ignore]
from wtforms.validators import Length  # type: ignore[import-untyped, unused-ignore]

from openalgo_bridge.errors import Invalid
from openalgo_bridge.model.order import OrderRequest, PriceType, Product
from openalgo_bridge.model.ticket import Operation, Ticket
from openalgo_bridge.trading.approvals import Revision
from openalgo_bridge.web import words
from openalgo_bridge.web.forms import PageForm

_LONGEST = 40
_QUANTITY = re.compile(r"[0-9]{1,9}")
_PRICE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,4})?")
_GROUPING = str.maketrans("", "", ", \N{NO-BREAK SPACE}\N{INDIAN RUPEE SIGN}")
_DECIMAL = {"inputmode": "decimal"}


class ModifyForm(PageForm):
    """``POST /action-center/<id>/modify``. What a page does not offer keeps the value that the ticket has."""

    quantity = StringField("Quantity (units)", [Length(max=_LONGEST)], render_kw={"inputmode": "numeric"})
    price = StringField("Price", [Length(max=_LONGEST)], render_kw=_DECIMAL)
    trigger_price = StringField("Trigger price", [Length(max=_LONGEST)], render_kw=_DECIMAL)
    product = SelectField("Product", choices=[SelectChoice(each.value, words.product(each)) for each in Product])

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.left_out: set[str] = set()

    @property
    def offered(self) -> list[Field]:
        """The fields to show."""
        named = ("quantity", "price", "trigger_price", "product")
        return [self[name] for name in named if name not in self.left_out]

    def revision(self) -> Revision:
        """What was typed. Raises Invalid with every fault."""
        faults: dict[str, list[str]] = {}
        quantity = _typed(self.quantity.data, _QUANTITY)
        if quantity is None or not int(quantity):
            faults["quantity"] = ["Type a whole number above 0."]
        prices = {name: _typed(self[name].data or "0", _PRICE) for name in ("price", "trigger_price")}
        for name, text in prices.items():
            if text is None:
                faults[name] = ["Type a price in rupees, such as 1450.50."]
        if self.product.data not in set(Product):
            faults["product"] = ["Choose one of the products."]
        if faults:
            raise Invalid.of(faults)
        return Revision(
            quantity=int(quantity or 0),
            price=Decimal(prices["price"] or 0),
            trigger_price=Decimal(prices["trigger_price"] or 0),
            product=Product(self.product.data),
        )


class FoundForm(PageForm):
    """``POST /action-center/<id>/orders/<order>/there``: the number that the person saw at the broker."""

    broker_order_id = StringField("The order's number at the broker", [Length(max=_LONGEST)])


def modify_form(ticket: Ticket, order: OrderRequest) -> ModifyForm:
    """What was typed, or what the ticket asks for now, with the fields that its kind of order uses."""
    form = ModifyForm(
        data={
            "quantity": str(order.quantity),
            "price": f"{order.price:f}",
            "trigger_price": f"{order.trigger_price:f}",
            "product": order.product.value,
        }
    )
    if order.price_type not in {PriceType.LIMIT, PriceType.SL}:
        _leave_out(form, "price", f"{order.price:f}")
    if order.price_type not in {PriceType.SL, PriceType.SL_M}:
        _leave_out(form, "trigger_price", f"{order.trigger_price:f}")
    if ticket.operation is not Operation.PLACE:
        # A broker changes prices and quantities of an order that rests, never what it is.
        _leave_out(form, "product", order.product.value)
    return form


def _leave_out(form: ModifyForm, name: str, value: str) -> None:
    """The field is not shown, and what is sent for it all the same does not count."""
    form[name].data = value
    form.left_out.add(name)


def _typed(text: str | None, shape: re.Pattern[str]) -> str | None:
    """The digits of a number as a person types it, or None."""
    bare = (text or "").translate(_GROUPING)
    return bare if shape.fullmatch(bare) else None
