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


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_utf16_file_is_refused_in_words(env_file: Path, encoding: str) -> None:
    env_file.write_text("FLASK_PORT=6000\n", encoding=encoding)
    with pytest.raises(Invalid, match="not UTF-8"):
        settings.load(env_file, {})


def test_a_folder_in_place_of_the_file_is_refused_in_words(env_file: Path) -> None:
    env_file.mkdir()
    with pytest.raises(Invalid, match="cannot be read"):
        settings.load(env_file, {})


def test_a_line_for_a_shell_is_read(env_file: Path) -> None:
    env_file.write_text("export FLASK_PORT=6000\n  export\tLOG_LEVEL = 'ERROR' \n", encoding="utf-8")
    loaded = settings.load(env_file, {})
    assert (loaded.flask_port, loaded.log_level) == (6000, "ERROR")
    assert settings.without_effect(env_file) == []


def test_a_mistyped_name_is_told_with_the_right_one(env_file: Path) -> None:
    env_file.write_text("# FLASK_PROT=1\n\nFLASK_PROT=6000\nflask_host_ip=::1\nSQUID=1\n", encoding="utf-8")
    (sentence,) = settings.without_effect(env_file)
    assert "FLASK_PROT (did you mean FLASK_PORT?)" in sentence
    assert "flask_host_ip (did you mean FLASK_HOST_IP?)" in sentence
    assert sentence.endswith(", SQUID.")


def test_a_line_that_sets_nothing_is_told_without_what_stands_in_it(env_file: Path) -> None:
    env_file.write_text("FLASK_PORT=6000\nFLASK PORT: secret\n", encoding="utf-8")
    (sentence,) = settings.without_effect(env_file)
    assert "line 2" in sentence
    assert "secret" not in sentence


def test_everything_in_the_sample_has_an_effect(env_file: Path) -> None:
    assert settings.without_effect(SAMPLE) == []
    assert settings.without_effect(env_file) == []


def test_port_80_is_ours_without_being_named() -> None:
    assert Settings(flask_port=80).hosts == {
        "127.0.0.1", "127.0.0.1:80", "localhost", "localhost:80", "[::1]", "[::1]:80",
    }  # fmt: skip
    assert "localhost" not in Settings(flask_port=8080).hosts


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLASK_HOST_IP", "0.0.0.0"),
        ("FLASK_HOST_IP", "192.168.1.5"),
        ("FLASK_PORT", "0"),
        ("FLASK_PORT", "65536"),
        ("FLASK_PORT", "http"),
        ("DB_DIR", " "),
        ("DB_DIR", "~no_such_user/db"),
        ("ORDER_RATE_LIMIT", "fast"),
        ("ORDER_RATE_LIMIT", "0 per second"),
        ("ORDER_RATE_LIMIT", "10 per second;0 per minute"),
        ("LOGIN_RATE_LIMIT", "5 per 0 minute"),
        ("LOGIN_RATE_LIMIT", "5 per 99999 day"),
        ("TRAFFIC_LOG_MAX_MB", "0"),
        ("OPEN_BROWSER", "maybe"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_value_is_refused_with_the_name_of_its_setting(env_file: Path, name: str, value: str) -> None:
    with pytest.raises(Invalid, match=name):
        settings.load(env_file, {name: value})


@pytest.mark.parametrize("rate", ["10 per second", "5/minute", "5 per 15 minutes;25 per hour", "100/2 days"])
def test_a_rate_may_be_written_in_several_ways(env_file: Path, rate: str) -> None:
    assert settings.load(env_file, {"API_RATE_LIMIT": rate}).api_rate_limit == rate


def test_all_bad_values_are_told_at_once(env_file: Path) -> None:
    with pytest.raises(Invalid) as refused:
        settings.load(env_file, {"FLASK_PORT": "x", "LOG_LEVEL": "y"})
    assert set(refused.value.faults) == {"FLASK_PORT", "LOG_LEVEL"}


def test_a_relative_folder_is_relative_to_the_project(env_file: Path) -> None:
    assert settings.load(env_file, {"DB_DIR": "elsewhere"}).db_dir == PROJECT_FOLDER / "elsewhere"
