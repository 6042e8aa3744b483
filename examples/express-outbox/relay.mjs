/** Brings what stands in the outbox to whoever waits for it, in order, again and again until it is taken. At least once: the id says which is which. */
import { setTimeout as pause } from "node:timers/promises";

const RETRY_MS_MAX = 30_000;
const DAY_MS = 24 * 60 * 60 * 1000;

export async function relay(log, url, signal) {
  // A message may be in hand for as long as the other side is down.
  const consumer = log.consumer({ groupId: "relay", enableAutoCommit: false, maxPollIntervalMs: DAY_MS, signal });
  await consumer.subscribe(["outbox"]);
  for await (const record of consumer) {
    const id = `${record.topic}-${record.partition}-${record.offset}`;
    if (!(await untilTaken(() => post(url, id, record.value), signal))) break;
    await consumer.commit(record);
  }
  await consumer.close();
}

async function post(url, id, message) {
  const headers = { "content-type": "application/json", "idempotency-key": id };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(message) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
}

/** False when it is to stop before it was taken: the next start tries again. */
async function untilTaken(deliver, signal) {
  for (let retryMs = 50; !signal.aborted; retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)) {
    try {
      await deliver();
      return true;
    } catch (error) {
      console.error(`not delivered, again in ${retryMs} ms: ${error.message}`);
      await pause(retryMs, undefined, { signal }).catch(() => {});
    }
  }
  return false;
}
