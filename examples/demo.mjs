/**
 * Real flights through the log: extracted from a published data set, loaded into a keyed, partitioned topic, transformed
 * by a consumer group of three, and loaded into a compacted topic and a CSV file. Kill it at any moment and run it again:
 * the loader goes on from the log ends, the group from its commits, and the result is the same to the byte.
 *
 *   node examples/demo.mjs [--dir demo-data] [--flights 20k|200k] [--rate RECORDS_PER_SECOND]
 *
 * The rate is 10,000 a second unless said, so that there is something to watch; `--rate Infinity` shows what the machine can do.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { open } from "odradek";
import { aggregateDelays } from "./flights/delays.mjs";
import { loadFlights } from "./flights/loader.mjs";
import { writeResult } from "./flights/result-file.mjs";
import { Screen } from "./flights/screen.mjs";
import { flightSource } from "./flights/source.mjs";

const { values: options } = parseArgs({
  options: {
    dir: { type: "string", default: "demo-data" },
    flights: { type: "string", default: "20k" },
    rate: { type: "string", default: "10000" },
  },
});
const source = await flightSource(options.flights);
await mkdir(options.dir, { recursive: true });
const log = await open(join(options.dir, `log-${options.flights}`));
const recordsPerSecond = Number(options.rate);
if (!(recordsPerSecond > 0)) throw new Error(`--rate: expected a number above 0, found ${options.rate}`);
const screen = new Screen(source.flights.length, recordsPerSecond);
try {
  await log.createTopic("flights", { partitions: 6, ifNotExists: true });
  await log.createTopic("delays", { partitions: 3, cleanupPolicy: "compact", ifNotExists: true });
  screen.begin(log, "flights", "delay-report");
  await Promise.all([
    loadFlights(log, source, { recordsPerSecond, onLoaded: (count) => screen.loaded(count) }),
    aggregateDelays(log, { members: 3, flightCount: source.flights.length, onCounted: (count) => screen.counted(count) }),
  ]);
  await screen.end();
  const { file, rows, sha256 } = await writeResult(log, options.dir);
  console.log(`${rows} rows in ${file}`);
  console.log(`result sha256 ${sha256}`);
} finally {
  await screen.end();
  await log.close();
}
