"""Hold a position of a given size: asks for what is missing, and does nothing when all is there.

    run.py example target_position RELIANCE 10        (-10 is short, 0 is none)

It needs the key in OPENALGO_API_KEY. In Semi-Auto it waits until you have decided, at most five minutes.
"""

import os
import sys
import time

from openalgo import api

BRIDGE_URL = os.environ.get("BRIDGE_URL", "http://127.0.0.1:5000")
STRATEGY = "target_position"
PATIENCE_S = 300


def main(arguments: list[str]) -> int:
    """Take the position to the size and tell what is held then. Returns the exit code."""
    key = os.environ.get("OPENALGO_API_KEY", "").strip()
    if not key or len(arguments) != 2:
        print("Say the symbol and the size, and put your API key into OPENALGO_API_KEY.", file=sys.stderr)
        return 2
    symbol, size = arguments[0], int(arguments[1])
    client = api(api_key=key, host=BRIDGE_URL)
    answer = client.placesmartorder(
        strategy=STRATEGY,
        symbol=symbol,
        exchange="NSE",
        action="BUY" if size > 0 else "SELL",
        price_type="MARKET",
        product="MIS",
        quantity=0,
        position_size=size,
    )
    if answer.get("status") != "success":
        print(f"Not placed: {answer.get('message', answer)}", file=sys.stderr)
        return 1
    print(decided(client, answer))
    held = client.openposition(strategy=STRATEGY, symbol=symbol, exchange="NSE", product="MIS")
    print(f"Held now: {held['quantity']} {symbol}.")
    return 0


def decided(client: api, answer: dict) -> str:
    """One sentence about the request, once the person has decided where it was held."""
    reference = answer.get("orderid") or answer.get("reference")
    if reference is None:
        return answer["message"]
    deadline = time.monotonic() + PATIENCE_S
    while True:
        order = client.orderstatus(order_id=reference, strategy=STRATEGY).get("data", {})
        status = order.get("order_status")
        if status != "held" or time.monotonic() > deadline:
            return f"Order {reference} is {status}."
        print(f"It waits for you at {BRIDGE_URL}/action-center", file=sys.stderr)
        time.sleep(5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
