"""The data folder is private to its owner, and the trader is told of places where SQLite loses data."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path, PurePosixPath

import pytest

from openalgo_bridge import folder
from openalgo_bridge.errors import StorageError
from openalgo_bridge.settings import DEFAULT_FOLDER

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_a_new_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    assert folder.prepare(tmp_path / "a" / "db") == []
    assert mode_of(tmp_path / "a" / "db") == 0o700


@posix
def test_an_open_folder_and_our_files_in_it_are_tightened_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "db"
    place.mkdir()
    place.chmod(0o777)
    for name in ("bridge.db", "bridge.db-wal", "traffic.db", "machine.key", "bridge.lock", "report.html"):
        (place / name).touch()
        (place / name).chmod(0o664)
    assert folder.open_to_others(place) != []
    assert folder.prepare(place) == []
    assert mode_of(place) == 0o700
    open_still = [path.name for path in place.iterdir() if mode_of(path) != 0o600]
    assert open_still == ["report.html"]


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(StorageError, match=r"report\.html.*DB_DIR"):
        folder.prepare(tmp_path)
    if os.name == "posix":
        assert mode_of(tmp_path) == 0o755


@pytest.mark.parametrize("name", [".gitkeep", "bridge.lock", "traffic.db-wal", ".machine.key.0123456789abcdef.tmp"])
def test_a_folder_in_which_a_first_start_failed_is_taken_again(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    tmp_path.chmod(0o700)
    assert folder.prepare(tmp_path) == []


def test_the_folder_that_came_with_the_bridge_is_taken_whatever_is_in_it() -> None:
    assert folder.why_not(DEFAULT_FOLDER) == ""


def test_a_whole_drive_is_refused() -> None:
    assert "whole drive" in folder.why_not(Path(Path.cwd().anchor))


@posix
def test_a_link_in_the_folder_does_not_change_what_it_points_at(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch()
    outside.chmod(0o644)
    place = tmp_path / "db"
    place.mkdir()
    (place / "bridge.lock").symlink_to(outside)
    folder.prepare(place)
    assert mode_of(outside) == 0o644


@posix
def test_new_files_are_private_whatever_the_mask_was(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder.keep_new_files_private()
        (tmp_path / "file").touch()
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "file") == 0o600


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="DB_DIR"):
        folder.prepare(tmp_path / "file" / "db")


@pytest.mark.parametrize("cloud", ["OneDrive", "OneDrive - Work", "Dropbox", "iCloudDrive"])
def test_a_folder_in_a_cloud_is_warned_of(tmp_path: Path, cloud: str) -> None:
    warnings = folder.prepare(tmp_path / cloud / "db")
    assert len(warnings) == 1
    assert "DB_DIR" in warnings[0]


def test_the_file_system_of_a_folder_is_that_of_the_nearest_mount() -> None:
    mounts = "/dev/sda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n//pc/x /mnt/my\\040share cifs rw 0 0\n"
    assert folder.mount_type(PurePosixPath("/srv/db"), mounts) == "ext4"
    assert folder.mount_type(PurePosixPath("/home/trader/db"), mounts) == "nfs4"
    assert folder.mount_type(PurePosixPath("/mnt/my share/db"), mounts) == "cifs"
    assert folder.mount_type(PurePosixPath("/srv"), "") == ""


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can make another user's folder")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "db"
    place.mkdir()
    os.chown(place, 12345, 12345)
    with pytest.raises(StorageError, match="belongs to another user"):
        folder.prepare(place)
