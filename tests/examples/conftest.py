"""One bridge for each file of tests."""

from tests.serving import bridge

__all__ = ["bridge"]
