/**
 * What is compared: the key of a figure (task, bytes of a value, figure), its name, its unit, and which way is better. `aim`: how many
 * times better than every durable peer ours is to be, `aimBeside` for those named, `aimOfRaw` as a share of the raw file's figure.
 */

const rate = { better: "higher" };
const time = { better: "lower" };

export const measures = [
  { key: "bulk 100 recordsPerSecond", name: "bulk append, 100 B", unit: "records/s", aim: 2.5, ...rate },
  { key: "bulk 1024 recordsPerSecond", name: "bulk append, 1 KiB", unit: "records/s", aim: 2.5, ...rate },
  {
    key: "durable 100 recordsPerSecond",
    name: "durable append, 100 B, 1,000 a flush",
    unit: "records/s",
    needsDurable: true,
    aim: 2.5,
    ...rate,
  },
  {
    key: "durable 1024 recordsPerSecond",
    name: "durable append, 1 KiB, 1,000 a flush",
    unit: "records/s",
    needsDurable: true,
    aimOfRaw: 0.85,
    ...rate,
  },
  {
    key: "ahead 100 recordsPerSecond",
    name: "durable append, 100 B, 1,000 a flush, two calls at once",
    unit: "records/s",
    needsDurable: true,
    aim: 2.5,
    ...rate,
  },
  {
    key: "ahead 1024 recordsPerSecond",
    name: "durable append, 1 KiB, 1,000 a flush, two calls at once",
    unit: "records/s",
    needsDurable: true,
    aimOfRaw: 0.85,
    ...rate,
  },
  { key: "sends 100 oneMsP50", name: "one durable send, p50", unit: "ms", needsDurable: true, ...time },
  { key: "sends 100 oneMsP99", name: "one durable send, p99", unit: "ms", needsDurable: true, ...time },
  {
    key: "sends 100 manyPerSecond",
    name: "64 durable sends at once",
    unit: "sends/s",
    needsDurable: true,
    aim: 2,
    aimBeside: { "better-sqlite3": 1, "node:sqlite": 1 },
    ...rate,
  },
  { key: "sends 100 manyMsP99", name: "64 durable sends at once, p99", unit: "ms", needsDurable: true, ...time },
  { key: "filled 100 recordsPerSecond", name: "scan, 100 B", unit: "records/s", aim: 10, ...rate },
  { key: "filled 1024 recordsPerSecond", name: "scan, 1 KiB", unit: "records/s", aim: 10, ...rate },
  { key: "filled 100 readsPerSecond", name: "random read by offset, 100 B", unit: "reads/s", aim: 1, ...rate },
  { key: "filled 1024 readsPerSecond", name: "random read by offset, 1 KiB", unit: "reads/s", aim: 1, ...rate },
  { key: "delivery 100 deliveryMsP50", name: "append to delivery, p50", unit: "ms", ...time },
  { key: "delivery 100 deliveryMsP99", name: "append to delivery, p99", unit: "ms", aim: 1, ...time },
  { key: "opened 100 openMs", name: "load, open and first record", unit: "ms", aim: 1, ...time },
  { key: "opened 100 memoryMiB", name: "anonymous memory after a scan, its server's included", unit: "MiB", aim: 1, ...time },
  { key: "bulk 100 delayMsP99", name: "event-loop delay in bulk append, p99", unit: "ms", aim: 1, ...time },
  { key: "installed bytes", name: "installed, with all that it needs", unit: "MiB", aim: 5, ...time },
  { key: "kafka 116 producePerSecond", name: "produce, 116 B (ours by sendBatch)", unit: "records/s", aim: 3, ...rate },
  { key: "kafka 116 sendPerSecond", name: "produce, 116 B (ours by send, one call a record)", unit: "records/s", ...rate },
  { key: "kafka 116 durablePerSecond", name: "produce, 116 B, flushed", unit: "records/s", needsDurable: true, ...rate },
  { key: "kafka 116 consumePerSecond", name: "consume, 116 B", unit: "records/s", aim: 3, ...rate },
  { key: "kafka 116 deliveryMsP50", name: "end to end, p50", unit: "ms", ...time },
  { key: "kafka 116 deliveryMsP99", name: "end to end, p99", unit: "ms", aim: 10, ...time },
  { key: "kafka 116 memoryMiB", name: "anonymous memory of the broker, or of our whole process", unit: "MiB", aim: 10, ...time },
  { key: "kafka 116 startMs", name: "start", unit: "ms", aim: 100, ...time },
];
