/**
 * What `tail -f` is to a file: the last records of a topic, then every new one, beside the program that writes them.
 *
 *   node tail.mjs DIRECTORY TOPIC [COUNT]
 */
import { open } from "odradek";

const [directory = "./data", topic = "orders", count = "10"] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

// Takes no lock and asks nothing of the writer: it may run, stop, or be dead.
const log = await open(directory, { readOnly: true });
try {
  // The polite stop: a record in hand is finished, and the loop ends as if there were no more.
  const consumer = log.consumer({ signal: stop.signal });
  const { partitions } = await log.describeTopic(topic);
  await consumer.assign(partitions.map(({ partition }) => ({ topic, partition })));
  for (const { partition, logStartOffset, highWatermark } of partitions) {
    consumer.seek({ topic, partition }, Math.max(logStartOffset, highWatermark - Number(count)));
  }
  for await (const { partition, offset, key, value } of consumer) {
    console.log(`${topic}-${partition}@${offset} ${key} ${JSON.stringify(value)}`);
  }
} finally {
  await log.close();
}
