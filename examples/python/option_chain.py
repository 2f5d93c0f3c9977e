"""The options around the price of an index, with their implied volatilities and deltas.

    run.py example option_chain NIFTY

It needs the key in OPENALGO_API_KEY, and places nothing.
"""

import os
import sys

from openalgo import api

BRIDGE_URL = os.environ.get("BRIDGE_URL", "http://127.0.0.1:5000")
STRIKES_EACH_SIDE = 5


def main(arguments: list[str]) -> int:
    """Print the chain of the nearest expiry. Returns the exit code."""
    key = os.environ.get("OPENALGO_API_KEY", "").strip()
    if not key:
        print(f"Put your API key into OPENALGO_API_KEY first. It is at {BRIDGE_URL}/apikey", file=sys.stderr)
        return 2
    index = arguments[0] if arguments else "NIFTY"
    client = api(api_key=key, host=BRIDGE_URL)
    listed = client.expiry(symbol=index, exchange="NFO", instrumenttype="options")
    if not listed.get("data"):
        print(f"No options: {listed.get('message', listed)}", file=sys.stderr)
        return 1
    chain = client.optionchain(
        underlying=index,
        exchange="NSE_INDEX",
        expiry_date=listed["data"][0].replace("-", ""),
        strike_count=STRIKES_EACH_SIDE,
        with_greeks=True,
    )
    if chain.get("status") != "success":
        print(f"No chain: {chain.get('message', chain)}", file=sys.stderr)
        return 1
    print_chain(chain)
    return 0


def print_chain(chain: dict) -> None:
    """One line a strike: calls at the left, puts at the right."""
    print(f"{chain['underlying']} {chain['underlying_ltp']}, expiry {chain['expiry_date']}")
    print(f"{'delta':>7} {'IV':>6} {'call':>9} {'strike':>9} {'put':>9} {'IV':>6} {'delta':>7}")
    for row in chain["chain"]:
        call, put = row["ce"] or {}, row["pe"] or {}
        at_the_money = "*" if row["strike"] == chain["atm_strike"] else ""
        print(
            f"{call.get('delta', ''):>7} {call.get('implied_volatility', ''):>6} {call.get('ltp', ''):>9} "
            f"{row['strike']:>9} {put.get('ltp', ''):>9} {put.get('implied_volatility', ''):>6} "
            f"{put.get('delta', ''):>7} {at_the_money}".rstrip()
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
