"""Your first order: one share of RELIANCE at the market price, through your own bridge.

    run.py example first_order

It needs the key you were shown at set-up, in the environment variable OPENALGO_API_KEY.
"""

import os
import sys

from openalgo import api

BRIDGE_URL = os.environ.get("BRIDGE_URL", "http://127.0.0.1:5000")


def main() -> int:
    """Place the order and tell in words what became of it. Returns the exit code."""
    key = os.environ.get("OPENALGO_API_KEY", "").strip()
    if not key:
        print(f"Put your API key into OPENALGO_API_KEY first. It is at {BRIDGE_URL}/apikey", file=sys.stderr)
        return 2
    client = api(api_key=key, host=BRIDGE_URL)
    answer = client.placeorder(
        strategy="first_order",
        symbol="RELIANCE",
        exchange="NSE",
        action="BUY",
        price_type="MARKET",
        product="MIS",
        quantity=1,
    )
    if answer.get("status") != "success":
        print(f"Not placed: {answer.get('message', answer)}", file=sys.stderr)
        return 1
    print(what_happened(client, answer))
    return 0


def what_happened(client: api, answer: dict) -> str:
    """One sentence about an order that was accepted."""
    if "pending_order_id" in answer:
        return (
            f"Held: it is ticket {answer['pending_order_id']} and waits for you. "
            f"Approve it at {BRIDGE_URL}/action-center"
        )
    if answer.get("order_status") == "unknown":
        return f"In doubt: {answer.get('message', '')} Do not send it again; look at {BRIDGE_URL}/orders"
    order_id = answer["orderid"]
    status = client.orderstatus(order_id=order_id, strategy="first_order")
    order = status.get("data")
    if not isinstance(order, dict):
        return f"Placed as order {order_id}; its state could not be read: {status.get('message', status)}"
    if order.get("order_status") == "complete":
        return f"Filled: bought 1 RELIANCE at {order.get('average_price')} (order {order_id})."
    return f"Placed as order {order_id}; it is now {order.get('order_status')}."


if __name__ == "__main__":
    sys.exit(main())
