"""``machine.key``: 32 random bytes in a file of their own, the root of every secret of this installation.

Never in the database and never in a backup: a stolen ``bridge.db`` alone forges no session and tests no key
(security T8). Everything is derived from it with HKDF-SHA256 under a label of its own, so that a leak of one
purpose says nothing about another (security 4.3).
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from openalgo_bridge.errors import StorageError

APIKEY_LOOKUP = "apikey-lookup"
SESSION_HASH = "session-hash"
CSRF = "csrf"
FLASK_SECRET = "flask-secret"  # noqa: S105 - a label, not a secret
MARK = "mark"
DEVICE_TOKEN = "device-token"  # noqa: S105 - a label, not a secret

TOTP_WRAP = "totp-wrap"
PASSWORD_WAS_RIGHT = "password-was-right"  # noqa: S105 - a label, not a secret
KEPT_FORM = "kept-form"

_LENGTH = 32
_POSIX = os.name == "posix"


class MachineKey:
    """The root key in memory. Thread-safe; its text form shows nothing."""

    __slots__ = ("_derived", "_root")

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._derived: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return "MachineKey(***)"

    @classmethod
    def load_or_create(cls, path: Path) -> MachineKey:
        """The key in ``path``, made now if there is none. Two starters at once get the same key.

        Raises StorageError, naming the fix, when the file has the wrong length, is not a plain file, or may be
        read by other users (POSIX; on Windows the folder's access list protects it).
        """
        try:
            if not path.exists():
                _create(path)
            return cls(_read(path))
        except OSError as error:
            raise StorageError(f"The machine key {path} cannot be used: {error.strerror or error}.") from error

    @property
    def mark(self) -> bytes:
        """32 bytes that tell this key from every other and give nothing of it away. It may stand in the database."""
        return self.derive(MARK)

    def derive(self, label: str) -> bytes:
        """32 bytes for one purpose; always the same for the same label."""
        derived = self._derived.get(label)
        if derived is None:
            info = f"openalgo_bridge|{label}".encode()
            derived = HKDF(algorithm=SHA256(), length=_LENGTH, salt=None, info=info).derive(self._root)
            self._derived[label] = derived
        return derived

    def digest(self, label: str, message: bytes) -> bytes:
        """HMAC-SHA256 of ``message`` under the key of that label: 32 bytes nobody else can compute."""
        return hmac.digest(self.derive(label), message, "sha256")


def _create(path: Path) -> None:
    """Write a whole file beside ``path``, then publish it under its name in one step that never overwrites.

    A crash leaves no half key under the real name, and of two starters the second finds the first one's key.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_LENGTH))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            _publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    """Raises FileExistsError when another starter was first."""
    if not _POSIX:
        draft.rename(path)  # on Windows a rename refuses an existing target
        return
    os.link(draft, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    """Checks the opened file, not the name: nobody can swap it in between."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise StorageError(f"The machine key {path} is not a plain file. Move it away and start again.")
        if _POSIX and found.st_mode & 0o077:
            raise StorageError(
                f"Other users of this PC may read {path}. Run: chmod 600 '{path}'. Where that changes nothing, the "
                "folder is on a drive that knows no permissions: set DB_DIR to one that does."
            )
        root = file.read(_LENGTH + 1)
    if len(root) != _LENGTH:
        raise StorageError(
            f"The machine key {path} is damaged: it has not {_LENGTH} bytes. Put back your copy of it. Without one, "
            "move it away: a new one is made, and the API key and all logins must be made again."
        )
    return root
