"""``run.py doctor --report``: everything that helps to help, no secret, and told also where all is broken."""

from __future__ import annotations

import logging
import secrets
from contextvars import Context
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from openalgo_bridge.commands import diagnostics
from openalgo_bridge.commands.doctor import doctor
from openalgo_bridge.desk import Desk
from openalgo_bridge.errors import Conflict, StorageError
from openalgo_bridge.fault_log import errors_kept
from openalgo_bridge.settings import Settings
from openalgo_bridge.store.traffic import Arrival, Ending
from tests.conftest import PASSWORD, Account, free_port
from tests.phone import set_up
from tests.secrets.test_canaries import abuse, spellings
from tests.web.conftest import a_browser, shown_key

TITLES = (
    "Versions",
    "Checks",
    "Settings",
    "Modes",
    "Files",
    "Tables of bridge.db",
    "Tables of traffic.db",
    "Tables of instruments.db",
    "Clock",
    "What to watch, open",
    "The last 50 errors, newest first",
    "The last 200 calls, newest first",
)
CANNOT = "This cannot be told."


def report_of(settings: Settings, folder: Path) -> str:
    path = folder / f"report-{secrets.token_hex(4)}.txt"
    diagnostics.write(path, settings, ["OK   python: checked."])
    return path.read_text(encoding="utf-8")


def parts_of(report: str) -> dict[str, str]:
    """What stands under each heading."""
    parts = dict(part.split("\n", 1) for part in report.split("\n== ")[1:])
    assert tuple(parts) == TITLES
    return parts


def record(desk: Desk, **arrival: str) -> None:
    usual = {"request_id": "r", "method": "POST", "endpoint": "/api/v1/quotes", "address": "127.0.0.1", "program": "x"}
    call_id = desk.store.traffic.open(Arrival(at=desk.clock.now_ms(), **{**usual, **arrival}))
    message = "The key may not be used from 103.21.58.9."
    desk.store.traffic.close(call_id, Ending(status=403, duration_us=1234, outcome="not allowed", message=message))


def test_every_part_is_told_of_a_bridge_that_runs(desk: Desk, account: Account, tmp_path: Path) -> None:
    record(desk, address="103.21.58.9", program="AmiBroker/6.40")
    with errors_kept(desk.store.faults, desk.clock):
        # As in a thread that answers no request.
        Context().run(logging.getLogger("of.a.module").error, "order %s: the outcome is unknown", "B7QK2A")
    parts = parts_of(report_of(replace(desk.settings, flask_port=5055), tmp_path))
    assert CANNOT not in "".join(parts.values())
    assert "SQLite 3." in parts["Versions"]
    assert parts["Checks"].strip() == "OK   python: checked."
    assert "FLASK_PORT                  5055  (changed)" in parts["Settings"]
    assert "WEBHOOK_ACCEPT_MAIN_KEY     False\n" in parts["Settings"]
    assert "orders: auto\ntrading: analyze" in parts["Modes"]
    assert "bytes" in parts["Files"]
    assert "traffic.db-wal" in parts["Files"]
    assert "the last is t0" in parts["Tables of traffic.db"]
    assert "The last request came at 2026-11-21 10:30:00 IST" in parts["Clock"]
    assert parts["What to watch, open"].strip() == "none"
    assert "ERROR of.a.module\n    order B7QK2A: the outcome is unknown" in parts["The last 50 errors, newest first"]
    (call,) = parts["The last 200 calls, newest first"].strip().splitlines()
    assert call == (
        "2026-11-21 10:30:00.000 POST /api/v1/quotes | 403 | 1.2 ms | 103.21.x.x | AmiBroker/6.40 | not allowed"
        " | The key may not be used from 103.21.x.x. | r"
    )


def test_of_many_calls_and_errors_the_last_are_told(desk: Desk, tmp_path: Path) -> None:
    for number in range(210):
        record(desk, endpoint=f"/api/v1/call{number}")
    with errors_kept(desk.store.faults, desk.clock):
        for number in range(55):
            logging.getLogger("of.a.module").error("error %s.", number)
    parts = parts_of(report_of(desk.settings, tmp_path))
    calls = parts["The last 200 calls, newest first"].strip().splitlines()
    assert len(calls) == 200
    assert "/api/v1/call209 " in calls[0]
    assert parts["The last 50 errors, newest first"].count("ERROR of.a.module") == 50
    assert "error 54." in parts["The last 50 errors, newest first"]


def test_no_secret_is_in_it_in_eight_spellings(
    desk: Desk, account: Account, client: FlaskClient, tmp_path: Path
) -> None:
    person = a_browser(client.application)
    person.sign_in()
    answer = person.post("/apikey/regenerate", page="/apikey", password=PASSWORD, confirm="yes")
    planted = {
        "old key": account.key,
        "key": shown_key(answer.text),
        "session": person.cookie(),
        "authenticator": set_up(desk).secret,
        "machine key": (desk.settings.db_dir / "machine.key").read_bytes().hex(),
    }
    (desk.settings.db_dir / f"{account.key}.txt").touch()
    with errors_kept(desk.store.faults, desk.clock):
        for secret in planted.values():
            abuse(client, secret)
            for text in spellings(secret).values():
                plant(desk, text.decode())
                plant(desk, f"a{text.decode()}")
        plant(desk, f'{{"password": "{PASSWORD}"}}')
        plant(desk, f"password={PASSWORD.replace(' ', '+')}&code=123456")
    report = report_of(replace(desk.settings, cors_allowed_origins=(f"https://{account.key}.example",)), tmp_path)
    assert len(report) > 10_000
    raw = report.encode()
    found = [(name, how) for name, secret in planted.items() for how, text in spellings(secret).items() if text in raw]
    assert found == []
    assert PASSWORD not in report
    assert "correct+horse" not in report


def test_a_run_of_characters_that_looks_like_a_secret_is_taken_out_too(desk: Desk, tmp_path: Path) -> None:
    coded = "c2VjcmV0LzE5/ODQrYmFzZTY0/VGV4dA9x+Qz"
    record(desk, program=f"script {coded}", endpoint="/api/v1/optionsmultiorder")
    report = report_of(desk.settings, tmp_path)
    assert coded not in report
    assert "POST /api/v1/optionsmultiorder | 403" in report
    assert "script [redacted]" in report


def plant(desk: Desk, secret: str) -> None:
    """Where a request and a mistake of ours could carry it."""
    record(desk, endpoint=f"/api/v1/{secret}/x", program=f"script {secret}", method=secret[:40])
    try:
        raise ValueError(f"no order of {secret}")
    except ValueError:
        logging.getLogger("of.a.module").exception("it failed with %s", secret)
    desk.store.faults.write_down()
    desk.clock.move(minutes=2)  # type: ignore[attr-defined]


def test_the_search_would_find_a_secret(desk: Desk, account: Account, tmp_path: Path) -> None:
    found = [text for text in spellings(account.key).values() if text in f"x{account.key}x".encode()]
    assert len(found) >= 5


def test_where_the_bridge_is_on_the_disk_is_not_told(desk: Desk, tmp_path: Path) -> None:
    report = report_of(desk.settings, tmp_path)
    assert str(desk.settings.db_dir) not in report
    assert "DB_DIR                      (data)  (changed)" in report


@pytest.mark.parametrize("name", ["bridge.db", "traffic.db", "instruments.db", "machine.key"])
@pytest.mark.parametrize("how", ["missing", "garbage", "empty", "a folder"])
def test_of_a_broken_bridge_all_is_told_that_can_be(
    settings: Settings, new_files: Path, tmp_path: Path, name: str, how: str
) -> None:
    for path in new_files.iterdir():
        (settings.db_dir / path.name).write_bytes(path.read_bytes())
    broken = settings.db_dir / name
    for each in settings.db_dir.glob(f"{name}*"):
        each.unlink()
    if how == "a folder":
        broken.mkdir()
    elif how != "missing":
        broken.write_bytes(b"" if how == "empty" else b"no database " * 1000)
    before = sorted(path.name for path in settings.db_dir.iterdir() if path.name == name)
    parts = parts_of(report_of(settings, tmp_path))
    assert [title for title in ("Versions", "Settings", "Files") if CANNOT in parts[title]] == []
    assert CANNOT in "".join(parts.values()) or name == "instruments.db"
    assert sorted(path.name for path in settings.db_dir.iterdir() if path.name == name) == before


def test_of_a_bridge_that_never_started_it_says_so(tmp_path: Path) -> None:
    parts = parts_of(report_of(Settings(db_dir=tmp_path / "nowhere"), tmp_path))
    assert "bridge.db is not there" in parts["Modes"]
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_is_there_is_not_overwritten(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict, match=r"kept\.txt is there already, and is not overwritten"):
        diagnostics.write(path, settings, [])
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_file_that_cannot_be_made_is_told_in_a_sentence(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written: No such file or directory"):
        diagnostics.write(tmp_path / "nowhere" / "report.txt", settings, [])


def test_the_command_writes_what_it_checked(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    run = CliRunner().invoke(doctor, ["--report", str(path)], obj=replace(desk.settings, flask_port=free_port()))
    assert f"The report is in {path}." in run.output
    checks = parts_of(path.read_text(encoding="utf-8"))["Checks"].strip().splitlines()
    assert len(checks) >= 8
    assert "audit list" in "".join(checks)


def test_a_clock_that_was_set_back_is_noticed(desk: Desk, tmp_path: Path) -> None:
    at = desk.clock.now() + timedelta(days=40_000)
    desk.store.traffic.open(
        Arrival(request_id="r", at=round(at.timestamp() * 1000), method="GET", endpoint="/", address="", program="")
    )
    assert "That is still to come" in parts_of(report_of(desk.settings, tmp_path))["Clock"]
