/** Calls that wait for nothing, one after another: whoever awaits them in a loop leaves timers, sockets and the screen their turn. */
import { expect, it } from "vitest";
import { memory } from "../../src/index.ts";
import { openLog } from "./support.ts";

/** A loop that keeps the event loop from going round gets here; one that does not has been stopped long before. */
const CALLS_MAX = 300_000;

it.each(["log.read", "table.get", "table.has"] as const)("%s in a loop lets a timer fire", async (way) => {
  const log = await openLog(memory());
  await log.createTopic("t", { cleanupPolicy: "compact" });
  await log.producer().send({ topic: "t", key: "k", value: "v" });
  const table = await log.table("t");
  const at = { topic: "t", partition: 0, offset: 0 };
  const call = { "log.read": () => log.read(at), "table.get": () => table.get("k"), "table.has": () => table.has("k") }[way];
  await call();
  let stop = false;
  setTimeout(() => {
    stop = true;
  }, 2);
  let calls = 0;
  for (; !stop && calls < CALLS_MAX; calls += 1) expect(await call()).toBeTruthy();
  expect(calls).toBeLessThan(CALLS_MAX);
});
