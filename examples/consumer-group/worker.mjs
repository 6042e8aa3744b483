/**
 * One of many workers that share the work. Start it as often as you like, in as many terminals; stop one, or kill it: the others take over
 * its partitions, and what it had not finished.
 *
 *   node worker.mjs [DIRECTORY]
 */
import { setTimeout as pause } from "node:timers/promises";
import { open } from "odradek";

const [directory = "./data"] = process.argv.slice(2);
const name = `worker ${process.pid}`;
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

// The first process to come has the log; the others work through it, and one of them takes its place when it dies.
const log = await open(directory, { attach: true });
try {
  // As many can work at once as there are partitions.
  await log.createTopic("orders", { partitions: 6, ifNotExists: true });
  const consumer = log.consumer({ groupId: "workers", autoCommitIntervalMs: 200, signal: stop.signal });
  await consumer.subscribe(["orders"], {
    onPartitionsAssigned: (partitions) => console.log(`${name} has ${partitions.map(({ partition }) => partition).join(" ")}`),
  });
  // Asking for the next order says that this one is done: the group's offsets follow, never ahead of that. At least once, never not at all.
  for await (const { key, value } of consumer) {
    await pause(value.workMs);
    console.log(`${name} did ${value.number} of ${key}`);
  }
} finally {
  await log.close();
}
