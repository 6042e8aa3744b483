/** `DATA=./data PORT=3000 WEBHOOK=http://… node server.mjs`. Ends in order by SIGTERM or SIGINT; `kill -9` loses nothing that was answered. */
import { open } from "odradek";
import { relay } from "./relay.mjs";
import { shop } from "./shop.mjs";

const { DATA = "./data", PORT = "3000", WEBHOOK = "http://127.0.0.1:3001/" } = process.env;
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());

const log = await open(DATA);
const server = (await shop(log)).listen(Number(PORT), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
stop.signal.addEventListener("abort", () => server.close());
const served = new Promise((resolve) => server.once("close", resolve));

await relay(log, WEBHOOK, stop.signal);
await served;
await log.close();
