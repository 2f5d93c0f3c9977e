"""A trading bridge for one trader on one PC, speaking the OpenAlgo dialect."""

__version__ = "0.1.0"
