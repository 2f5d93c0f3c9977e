"""kill -9 in the middle of a call: its row was there before anything else happened, and says so after the restart."""

from __future__ import annotations

import subprocess
import sys

from openalgo_bridge.app import open_desk
from openalgo_bridge.desk import Desk
from openalgo_bridge.settings import PROJECT_FOLDER
from tests.conftest import Account
from tests.traffic_rows import rows


def test_a_call_that_a_kill_cut_off_is_told_after_the_restart(desk: Desk, account: Account) -> None:
    desk.close()
    died = subprocess.run(
        [sys.executable, "-m", "tests.crash.call_victim", str(desk.settings.db_dir), account.key],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert died.returncode in {-9, 77}, died.stderr
    again = open_desk(desk.settings)
    try:
        done, cut = rows(again)
        assert (cut.endpoint, cut.status, cut.outcome) == ("/api/v1/quotes", None, None)
        assert again.store.traffic.mark_cut_off() == 1
        assert again.store.traffic.mark_cut_off() == 0
        done, cut = rows(again)
        assert (done.endpoint, done.status, done.outcome) == ("/api/v1/ping", 200, "ok")
        assert (cut.status, cut.outcome, cut.program, cut.address) == (0, "cut off", "loop.py", "127.0.0.1")
    finally:
        again.close()
