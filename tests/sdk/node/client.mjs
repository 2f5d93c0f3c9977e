// Calls one method of the published Node client and prints what it answers, or how it fails, as one line of JSON.
import { createRequire } from "node:module";
import process from "node:process";

const OpenAlgo = createRequire(import.meta.url)("openalgo");
// The client prints the whole request, key and all, when a call fails.
console.error = () => {};

const [method, fields] = process.argv.slice(2);
const client = new OpenAlgo(process.env.OPENALGO_API_KEY, process.env.BRIDGE_URL);
try {
  console.log(JSON.stringify(await client[method](JSON.parse(fields))));
} catch (error) {
  console.log(JSON.stringify({ status: error.response?.status, data: error.response?.data }));
}
