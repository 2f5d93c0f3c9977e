"""A restore that kills itself before its n-th step. Run as a program: ``restorer.py FOLDER FILE STEP``.

A step is a name that is given or changed in the data folder, or a log that is removed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.modules["pandas"] = None  # type: ignore[assignment]

from openalgo_bridge.commands.restore import restore
from openalgo_bridge.settings import Settings


def main(folder: str, file: str, last: str) -> None:
    """Exit with 0 when the restore had fewer steps."""
    left = int(last)

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        path = str(arguments[0]) if arguments else ""
        is_step = event in {"os.link", "os.rename"} or (event == "os.remove" and path.endswith("-wal"))
        left -= is_step and path.startswith(folder)
        if left == 0:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    sys.addaudithook(count)
    restore([file], obj=Settings(db_dir=Path(folder)), standalone_mode=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
