"""Endpoints that send the trader a message (contract 2.11.3, 2.11.5)."""

from __future__ import annotations

from openalgo_bridge.api.answers import Json
from openalgo_bridge.api.call import Call
from openalgo_bridge.api.schemas.messages import TelegramMessage, WhatsAppMessage
from openalgo_bridge.errors import NotSetUp

_NOT_SET_UP = "{} is not set up in this bridge, so the message was not sent to anybody."


def telegram(call: Call) -> Json:
    """``POST /telegram/notify``"""
    call.parsed(TelegramMessage)
    raise NotSetUp(_NOT_SET_UP.format("Telegram"))


def whatsapp(call: Call) -> Json:
    """``POST /whatsapp/notify``"""
    call.parsed(WhatsAppMessage).check()
    raise NotSetUp(_NOT_SET_UP.format("WhatsApp"))
