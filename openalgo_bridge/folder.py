"""The data folder: made, private to its owner, and on a disk where SQLite is safe (security T4)."""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePath

from openalgo_bridge.errors import StorageError
from openalgo_bridge.settings import DEFAULT_FOLDER

_SYNCED = ("onedrive", "dropbox", "icloud", "mobile documents", "google drive", "googledrive")
_REMOTE_TYPES = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "fuse.rclone", "afpfs", "davfs")
_MOUNTS = Path("/proc/mounts")
_DRIVE_REMOTE = 4
# SYSTEM and Administrators by their fixed identifiers, because their names are translated.
_WINDOWS_ALWAYS = ("*S-1-5-18", "*S-1-5-32-544")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# The patterns cover SQLite's own -wal and -shm, and the draft that a crash may leave of the machine key.
_OURS = (
    "bridge.db*",
    "traffic.db*",
    "instruments.db*",
    "machine.key",
    ".machine.key.*.tmp",
    "bridge.lock",
    "install.lock",
)
_KEEPS_THE_FOLDER = ".gitkeep"


def keep_new_files_private() -> None:
    """From here on no file that this process makes is readable by others. Windows has no such mask."""
    if os.name == "posix":
        os.umask(0o077)


def prepare(folder: Path) -> list[str]:
    """Make the folder and take everybody else's rights from it and from our files in it.

    Returns one sentence for each thing that the trader should know. Raises StorageError when the folder
    cannot be made, belongs to somebody else, or holds something else: what is not ours keeps its rights.
    """
    try:
        refusal = why_not(folder)
        if refusal:
            raise StorageError(refusal)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [*_tighten(folder), *risks_of_place(folder), *open_to_others(folder)]
    except OSError as error:
        raise StorageError(
            f"The data folder {folder} cannot be used: {error.strerror or error}. Choose another with DB_DIR in .env."
        ) from error


def why_not(folder: Path) -> str:
    """Why this folder cannot be the data folder, and what to do, in words; empty when it can be."""
    place = folder.resolve()
    other = "Choose a new or an empty folder with DB_DIR in .env."
    if place == place.parent:
        return f"{place} is a whole drive, not a folder for the bridge alone. {other}"
    if not place.is_dir() or place == DEFAULT_FOLDER.resolve() or (place / "bridge.db").exists():
        return ""
    strange = sorted(path.name for path in place.iterdir() if not _is_ours(path) and path.name != _KEEPS_THE_FOLDER)
    if not strange:
        return ""
    return f"{place} holds other things, such as {strange[0]!r}, and no data of the bridge. {other}"


def risks_of_place(folder: Path) -> list[str]:
    """Sentences about a folder that is synchronised or on another machine, where SQLite loses data."""
    move = "Move it with DB_DIR in .env."
    parts = [part.lower() for part in folder.resolve().parts]
    if any(part.startswith(_SYNCED) for part in parts):
        return [f"The data folder {folder} is synchronised with a cloud, which can damage the database. {move}"]
    if _is_remote(folder.resolve()):
        return [f"The data folder {folder} is on a network drive, where the database is not safe. {move}"]
    return []


def open_to_others(folder: Path) -> list[str]:
    """A sentence when other users of this PC may enter the folder. On Windows nothing is known here."""
    if os.name != "posix" or not folder.stat().st_mode & _OTHERS:
        return []
    return [f"Other users of this PC may enter {folder}. Run: chmod go-rwx '{folder}'"]


def _tighten(folder: Path) -> list[str]:
    if sys.platform == "win32":
        return _tighten_windows(folder)
    if folder.stat().st_uid != os.geteuid():
        raise PermissionError(0, "it belongs to another user of this PC")
    for path in (folder, *_our_files(folder)):
        mode = path.lstat().st_mode
        if mode & _OTHERS and not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
    return []


def _our_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if _is_ours(path))


def _is_ours(path: Path) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in _OURS)


def _is_remote(folder: Path) -> bool:
    if sys.platform == "win32":
        return str(folder).startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(folder.anchor) == _DRIVE_REMOTE
    if not _MOUNTS.exists():
        return False
    return mount_type(folder, _MOUNTS.read_text(encoding="utf-8", errors="replace")).startswith(_REMOTE_TYPES)


def mount_type(folder: PurePath, mounts: str) -> str:
    """The file system under ``folder``, from the text of ``/proc/mounts``; empty when it is not told."""
    found: dict[PurePath, str] = {}
    for line in mounts.splitlines():
        _, point, kind, *_ = [*line.split(" "), "", "", ""]
        found[type(folder)(point.replace("\\040", " "))] = kind
    return next((found[place] for place in (folder, *folder.parents) if place in found), "")


def _tighten_windows(folder: Path) -> list[str]:
    """Inherited rights go, the owner's come, and the files below inherit those, as nobody else may enter anyway."""
    try:
        grants = [f"{who}:(OI)(CI)F" for who in (f"*{_windows_user()}", *_WINDOWS_ALWAYS)]
        _run_windows("icacls.exe", str(folder), "/inheritance:r", "/grant:r", *grants)
    except OSError as error:
        return [f"Other users of this PC may be able to open {folder}: {error.strerror or error}."]
    return []


def _windows_user() -> str:
    """The security identifier of this user; ``whoami`` ends its line with it."""
    return _run_windows("whoami.exe", "/user", "/fo", "csv", "/nh").strip().rpartition(",")[2].strip('"')


def _run_windows(program: str, *arguments: str) -> str:
    # By its full path: Windows looks for a bare name in the current folder first.
    path = _windows_system_folder() / program
    done = subprocess.run(  # noqa: S603 - a fixed program of the system, no shell
        [str(path), *arguments], capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        raise PermissionError(0, f"{program} answered: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _windows_system_folder() -> Path:
    text = ctypes.create_unicode_buffer(260)
    if sys.platform == "win32":
        ctypes.windll.kernel32.GetSystemDirectoryW(text, len(text))
    return Path(text.value)
