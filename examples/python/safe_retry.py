"""An order that survives a lost answer: asked for again, but never placed twice.

    run.py example safe_retry

Each order gets an Idempotency-Key of its own. The bridge does what it was asked once, and gives the first answer again
to the same request with the same key. So the program may ask again when no answer came, and when the answer says how
long to wait (Retry-After); any other answer is final. It needs nothing but Python, and the key in OPENALGO_API_KEY.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

BRIDGE_URL = os.environ.get("BRIDGE_URL", "http://127.0.0.1:5000")
PATIENCE_S = 30
MOST_TRIES = 4


def main() -> int:
    """Place one order and print the answer. Returns the exit code."""
    key = os.environ.get("OPENALGO_API_KEY", "").strip()
    if not key:
        print(f"Put your API key into OPENALGO_API_KEY first. It is at {BRIDGE_URL}/apikey", file=sys.stderr)
        return 2
    order = {"apikey": key, "strategy": "safe_retry", "symbol": "RELIANCE", "exchange": "NSE", "action": "BUY"}
    status, answer = ask("placeorder", {**order, "product": "MIS", "quantity": "1"})
    print(json.dumps(answer))
    return 0 if status == 200 and answer["status"] == "success" else 1


def ask(endpoint: str, fields: dict) -> tuple[int, dict]:
    """The final answer, as status and JSON. Raises OSError when none came at all."""
    request = urllib.request.Request(
        f"{BRIDGE_URL}/api/v1/{endpoint}",
        data=json.dumps(fields).encode(),
        headers={"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())},
    )
    # The bridge is on this PC; a proxy has nothing to do with it.
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    tries_left = MOST_TRIES
    while True:
        tries_left -= 1
        try:
            with browser.open(request, timeout=PATIENCE_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            wait = refusal.headers.get("Retry-After")
            if wait is None or tries_left == 0:
                return refusal.code, json.load(refusal)
        except OSError as lost:
            print(f"No answer: {lost}", file=sys.stderr)
            if tries_left == 0:
                raise
            wait = "1"
        time.sleep(int(wait))


if __name__ == "__main__":
    sys.exit(main())
