#!/bin/sh
# Your first order with curl:
#
#     OPENALGO_API_KEY=your-key sh examples/curl/first_order.sh
#
# The key goes through standard input: what stands on a command line, every program of this PC can read. curl may ask
# again (--retry), because the order has an Idempotency-Key: the bridge gives the first answer to a key again.
set -eu

url=${BRIDGE_URL:-http://127.0.0.1:5000}
once=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

ask() {
    printf 'header = "X-API-KEY: %s"\n' "$OPENALGO_API_KEY" |
        curl --silent --show-error --fail-with-body --config - \
            --noproxy '*' --max-time 30 --retry 3 --retry-connrefused \
            --header 'Content-Type: application/json' --header "Idempotency-Key: $once" \
            --data "$2" "$url/api/v1/$1"
}

ask placeorder '{"strategy":"first_order","symbol":"RELIANCE","exchange":"NSE","action":"BUY","product":"MIS","quantity":"1"}'
