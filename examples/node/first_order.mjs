// Your first order from Node 18 or newer, with nothing to install:
//
//     OPENALGO_API_KEY=your-key node examples/node/first_order.mjs
//
// The order goes out with an Idempotency-Key. The bridge does what it was asked once, and gives the first answer again
// to the same request with the same key. So it may be asked again when no answer came, and when the answer says how
// long to wait; any other answer is final.
import { randomUUID } from "node:crypto";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";

const BRIDGE_URL = process.env.BRIDGE_URL ?? "http://127.0.0.1:5000";
const PATIENCE_MS = 30_000;
const MOST_TRIES = 4;

async function ask(endpoint, fields, apikey) {
  const request = {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": randomUUID() },
    body: JSON.stringify({ apikey, ...fields }),
  };
  for (let triesLeft = MOST_TRIES - 1; ; triesLeft -= 1) {
    try {
      const answer = await fetch(`${BRIDGE_URL}/api/v1/${endpoint}`, {
        ...request,
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const retryAfter = answer.headers.get("Retry-After");
      if (retryAfter === null || triesLeft === 0) return await answer.json();
      await wait(Number(retryAfter) * 1000);
    } catch (lost) {
      console.error(`No answer: ${lost.cause?.message ?? lost.message}`);
      if (triesLeft === 0) throw lost;
      await wait(1000);
    }
  }
}

const key = process.env.OPENALGO_API_KEY;
if (!key) {
  console.error(`Put your API key into OPENALGO_API_KEY first. It is at ${BRIDGE_URL}/apikey`);
  process.exit(2);
}
const order = { strategy: "first_order", symbol: "RELIANCE", exchange: "NSE", action: "BUY", product: "MIS", quantity: 1 };
const placed = await ask("placeorder", order, key);
if (placed.status !== "success") {
  console.error(`Not placed: ${placed.message}`);
  process.exit(1);
}
const orderid = placed.orderid ?? placed.reference;
const { data, message } = await ask("orderstatus", { orderid }, key);
console.log(`Order ${orderid} is ${data?.order_status ?? message}.`);
