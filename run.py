# -*- coding: utf-8 -*-
"""Set up the bridge if need be, and run it: ``python3 run.py`` (Windows: ``py run.py``).

Up to the import below this file is also valid for old Pythons, so that they can say what is missing.
"""

import sys
import sysconfig


def refusal(version, platform):
    # type: (tuple[int, ...], str) -> str
    """Why this Python cannot run the bridge, and the fix; empty when it can."""
    if version < (3, 11):
        found = ".".join(str(part) for part in version[:3])
        return (
            "This is Python " + found + "; the bridge needs Python 3.11 or newer. "
            "Install it from https://www.python.org/downloads/ (or with uv: uv run --no-project --python 3.13 run.py)."
        )
    if platform in ("win32", "win-arm64"):
        return (
            "This Python is a " + platform + " build, for which no cryptography package exists. "
            'Install the "Windows installer (64-bit)", the x86-64 one, from https://www.python.org/downloads/windows/.'
        )
    return ""


_refusal = refusal(tuple(sys.version_info[:3]), sysconfig.get_platform())
if _refusal:
    sys.exit(_refusal)

from openalgo_bridge import bootstrap  # noqa: E402 - older Pythons cannot read it

if __name__ == "__main__":
    sys.exit(bootstrap.main(sys.argv[1:]))
