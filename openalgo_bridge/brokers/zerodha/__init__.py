"""Zerodha: its daily file of instruments."""
