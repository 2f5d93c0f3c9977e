"""The built-in exchange. It is one more broker: nothing outside this folder knows that it is not real."""

from __future__ import annotations

from openalgo_bridge.brokers.paper.exchange import PaperExchange

__all__ = ["PaperExchange"]
