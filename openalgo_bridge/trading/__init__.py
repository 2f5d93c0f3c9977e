"""Decisions and use cases. No Flask, no SQL, no broker's name."""
