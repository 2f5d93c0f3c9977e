"""What the trader notices while others try wrong keys at full speed: a wrong key never gets in, nor in the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import servers
from load import Tally, percentile
from report import Verdict
from servers import PROJECT

CONNECTIONS = 8
_KEYS = 2000
_LEAD_S, _TAIL_S = 1.0, 2.0
_PATH = "/api/v1/ping"
_LOAD = str(PROJECT / "bench" / "load.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Siege:
    """The owner's calls without and with the attack, and the attack itself, where good means refused."""

    quiet: Tally
    attacked: Tally
    wrong: Tally

    @property
    def verdict(self) -> Verdict:
        """No budget for the time, because it is the PC that is shared; but no wrong key may get in."""
        quiet, attacked = (percentile(tally.micros, 0.99) / 1000 for tally in (self.quiet, self.attacked))
        tried = len(self.wrong.micros) + self.wrong.failed
        per_second = tried / self.wrong.seconds
        figure = f"{quiet:.2f} ms quiet, {attacked:.2f} ms under attack; {tried} wrong keys ({per_second:.0f}/s),"
        why = self.wrong.why or self.attacked.why or self.quiet.why
        ok = not why and tried > 0 and bool(self.attacked.micros)
        return Verdict(figure=f"{figure} {self.wrong.failed} not refused {why}".rstrip(), budget="none let in", ok=ok)


def besiege(port: int, key: str, folder: Path, seconds: float) -> Siege:
    """One client calls for so many seconds in peace, and as long again while eight connections try wrong keys."""
    bodies = folder / "wrong-keys"
    with bodies.open("w", encoding="ascii") as lines:
        command = [sys.executable, str(PROJECT / "bench" / "wrong_keys.py"), str(_KEYS)]
        subprocess.run(command, stdout=lines, env=servers.with_package(), check=True)
    quiet = _owner(port, key, seconds)
    attack = [*_command(port, _LEAD_S + seconds + _TAIL_S), "--clients", str(CONNECTIONS), "--refused"]
    with bodies.open("rb") as given, subprocess.Popen(attack, stdin=given, stdout=subprocess.PIPE) as attacking:
        time.sleep(_LEAD_S)
        attacked = _owner(port, key, seconds)
        if attacking.poll() is not None:
            raise SystemExit("The attack ended before the owner's calls did, so nothing was measured.")
        told, _ = attacking.communicate()
    return Siege(quiet=quiet, attacked=attacked, wrong=Tally(**json.loads(told)))


def _owner(port: int, key: str, seconds: float) -> Tally:
    # The key goes through a pipe: a command line is for all to see.
    body = json.dumps({"apikey": key}).encode()
    done = subprocess.run(_command(port, seconds), input=body, stdout=subprocess.PIPE, check=True)
    return Tally(**json.loads(done.stdout))


def _command(port: int, seconds: float) -> list[str]:
    return [sys.executable, _LOAD, str(port), _PATH, "--calls", "100000", "--seconds", str(seconds), "--json"]
