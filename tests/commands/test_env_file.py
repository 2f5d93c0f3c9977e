"""The settings: every one in the sample with its default, the environment before the file, faults in words."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from openalgo_bridge import settings
from openalgo_bridge.errors import Invalid
from openalgo_bridge.settings import PROJECT_FOLDER, Settings

SAMPLE = PROJECT_FOLDER / ".env.sample"


def names_in(text: str) -> list[str]:
    return [line.split("=")[0] for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_the_sample_names_every_setting_once() -> None:
    names = names_in(SAMPLE.read_text(encoding="utf-8"))
    assert sorted(names) == sorted(field.name.upper() for field in fields(Settings))


def test_the_sample_holds_the_defaults() -> None:
    assert settings.load(SAMPLE, {}) == Settings()


def test_the_sample_explains_every_setting() -> None:
    blocks = SAMPLE.read_text(encoding="utf-8").strip().split("\n\n")
    assert all(block.startswith("# ") for block in blocks)


def test_without_a_file_the_defaults_hold(env_file: Path) -> None:
    assert settings.load(env_file, {}) == Settings()


def test_the_environment_beats_the_file(env_file: Path) -> None:
    env_file.write_text("FLASK_PORT=6000\nLOG_LEVEL=ERROR\n", encoding="utf-8")
    loaded = settings.load(env_file, {"FLASK_PORT": "7000"})
    assert (loaded.flask_port, loaded.log_level) == (7000, "ERROR")


def test_a_file_with_a_byte_order_mark_is_read(env_file: Path) -> None:
    env_file.write_text("FLASK_PORT=6000\n", encoding="utf-8-sig")
    assert settings.load(env_file, {}).flask_port == 6000


def test_a_utf16_file_is_refused_in_words(env_file: Path) -> None:
    env_file.write_text("FLASK_PORT=6000\n", encoding="utf-16")
    with pytest.raises(Invalid, match="not UTF-8"):
        settings.load(env_file, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLASK_HOST_IP", "0.0.0.0"),
        ("FLASK_HOST_IP", "192.168.1.5"),
        ("FLASK_PORT", "0"),
        ("FLASK_PORT", "65536"),
        ("FLASK_PORT", "http"),
        ("DB_DIR", " "),
        ("ORDER_RATE_LIMIT", "fast"),
        ("TRAFFIC_LOG_MAX_MB", "0"),
        ("OPEN_BROWSER", "maybe"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_value_is_refused_with_the_name_of_its_setting(env_file: Path, name: str, value: str) -> None:
    with pytest.raises(Invalid, match=name):
        settings.load(env_file, {name: value})


def test_all_bad_values_are_told_at_once(env_file: Path) -> None:
    with pytest.raises(Invalid) as refused:
        settings.load(env_file, {"FLASK_PORT": "x", "LOG_LEVEL": "y"})
    assert set(refused.value.faults) == {"FLASK_PORT", "LOG_LEVEL"}


def test_a_relative_folder_is_relative_to_the_project(env_file: Path) -> None:
    assert settings.load(env_file, {"DB_DIR": "elsewhere"}).db_dir == PROJECT_FOLDER / "elsewhere"
