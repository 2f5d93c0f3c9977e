"""What the pages switch while the bridge runs. Read from disk every time: no cache in front of the mode."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.order import OrderMode, TradingMode
from openalgo_bridge.store.database import Database

_Choice = TypeVar("_Choice", bound=StrEnum)


class Preferences:
    """The one writer of the preference table."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def order_mode(self) -> OrderMode:
        """Auto or Semi-Auto. Raises StorageError when it cannot be read or means nothing."""
        return self._read("order_mode", OrderMode)

    def trading_mode(self) -> TradingMode:
        """Analyze or live. Raises StorageError when it cannot be read or means nothing."""
        return self._read("trading_mode", TradingMode)

    def set_order_mode(self, mode: OrderMode) -> None:
        """Effective for the next request. Raises StorageError."""
        self._db.write(
            "INSERT INTO preference VALUES ('order_mode', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (mode,),
        )

    def _read(self, name: str, choice: type[_Choice]) -> _Choice:
        row = self._db.read_one("SELECT value FROM preference WHERE name = ?", (name,))
        try:
            return choice(row["value"] if row is not None else "")
        except ValueError as error:
            raise StorageError(f"The setting {name} cannot be read.") from error
