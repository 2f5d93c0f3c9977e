"""Bodies for ``load.py``, one a line, whose keys are well formed and unknown: ``python bench/wrong_keys.py COUNT``."""

from __future__ import annotations

import json
import sys

from openalgo_bridge.model.apikey import new_key


def main() -> None:
    for _ in range(int(sys.argv[1])):
        print(json.dumps({"apikey": new_key()}))


if __name__ == "__main__":
    main()
