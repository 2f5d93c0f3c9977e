"""The secrets of this bridge, recognised where they must not be written (security 4.11). Nothing of them is in memory.

Keys and session ids stand in ``bridge.db`` as keyed hashes alone. What may be one of them is hashed in the same way and
compared: also a key whose form says nothing, such as one of an older release.
"""

from __future__ import annotations

import math
import re

from openalgo_bridge.errors import StorageError
from openalgo_bridge.model.redaction import LONG_RUN_PLACEHOLDER, TOKEN, has_token
from openalgo_bridge.store import sessions
from openalgo_bridge.store.database import Database
from openalgo_bridge.store.machine_key import APIKEY_LOOKUP, MachineKey

_LONGEST = 64
_ID_LENGTH = math.ceil(sessions.ID_BYTES * 4 / 3)


class KnownSecrets:
    """API keys, retired ones too, and the sessions of the pages. ``db`` is ``bridge.db``."""

    def __init__(self, db: Database, machine_key: MachineKey) -> None:
        self._db = db
        self._machine_key = machine_key

    def without(self, text: str) -> str:
        """The text without them. While nobody can tell, whatever might be one is left out."""
        if not has_token(text):
            return text
        try:
            known = self._hashes()
        except StorageError:
            return TOKEN.sub(LONG_RUN_PLACEHOLDER, text)

        def replaced(token: re.Match[str]) -> str:
            return LONG_RUN_PLACEHOLDER if self._is_one_of(known, token[0]) else token[0]

        return TOKEN.sub(replaced, text)

    def _hashes(self) -> set[bytes]:
        rows = self._db.read("SELECT lookup AS hash FROM api_key UNION ALL SELECT id_hash FROM session")
        return {row["hash"] for row in rows}

    def _is_one_of(self, known: set[bytes], token: str) -> bool:
        """Or too long to tell: such a run says nothing to a person."""
        if len(token) > _LONGEST or self._machine_key.digest(APIKEY_LOOKUP, token.encode("ascii")) in known:
            return True
        # An id is made of what names are made of, so it may stand inside of a longer one.
        windows = (token[start : start + _ID_LENGTH] for start in range(len(token) - _ID_LENGTH + 1))
        return any(sessions.hashed(self._machine_key, window) in known for window in windows)
