/**
 * How fast a log appends and is read here, beside the storage's own calls with as many bytes. Each lap of 16 MiB stands beside a raw one that runs right
 * behind it; told are the medians, and the median of the ratios. The first scan of a lap checks every checksum, and is not told.
 */

const BYTE_LENGTH = 16 << 20;
const BLOCK_BYTE_LENGTH = 128 << 10;
const VALUE_BYTE_LENGTH = 1024;
const LAPS = 7;

/** `raw`: the storage below, as `{ write(bytes, position), read(into, position) }`. Two results as bench/results has them. */
export async function figures(odradek, open, raw) {
  const log = await open();
  await log.createTopic("speed", { durability: "os" });
  const producer = log.producer({ value: odradek.bytes });
  const records = Array.from({ length: 1000 }, () => ({ topic: "speed", value: new Uint8Array(VALUE_BYTE_LENGTH).fill(7) }));
  const block = new Uint8Array(BLOCK_BYTE_LENGTH).fill(7);
  const rounds = Math.floor(BYTE_LENGTH / VALUE_BYTE_LENGTH / records.length);
  const took = { append: [], write: [], scan: [], read: [] };
  // Clocks of browsers are coarse, and Durable Objects' may stand still: a lap of no time at all tells nothing.
  const lap = async (what, body) => {
    const beganMs = performance.now();
    await body();
    took[what].push(performance.now() - beganMs);
  };
  const consumer = log.consumer({ value: odradek.bytes });
  await consumer.assign([{ topic: "speed", partition: 0 }]);
  let byteLength = 0;
  const scan = async (nextOffset) => {
    consumer.seek({ topic: "speed", partition: 0 }, nextOffset);
    byteLength = 0;
    for await (const batch of consumer.batches({ until: "end" })) for (const { value } of batch) byteLength += value.length;
  };
  for (let i = 0; i < LAPS; i += 1) {
    await lap("append", async () => {
      for (let round = 0; round < rounds; round += 1) await producer.sendBatch(records);
    });
    await lap("write", async () => {
      for (let at = 0; at < BYTE_LENGTH; at += BLOCK_BYTE_LENGTH) await raw.write(block, i * BYTE_LENGTH + at);
    });
    const nextOffset = i * rounds * records.length;
    await scan(nextOffset);
    await lap("scan", () => scan(nextOffset));
    await lap("read", async () => {
      for (let at = 0; at < BYTE_LENGTH; at += BLOCK_BYTE_LENGTH) await raw.read(block, i * BYTE_LENGTH + at);
    });
  }
  await log.close();
  return [
    resultOf("append, 1 KiB values", took.append, took.write, byteLength),
    resultOf("scan, 1 KiB values", took.scan, took.read, byteLength),
  ];
}

function resultOf(name, ours, raw, byteLength) {
  const pairs = ours.map((ms, index) => [ms, raw[index]]).filter(([ms, rawMs]) => ms > 0 && rawMs > 0);
  // The raw loop moves a little more than the records do.
  const rate = (ms, bytes) => bytes / ms / 1000;
  const ratios = pairs.map(([ms, rawMs]) => rate(ms, byteLength) / rate(rawMs, BYTE_LENGTH)).sort((left, right) => left - right);
  return {
    name,
    value: median(pairs.map(([ms]) => rate(ms, byteLength))),
    unit: "MB/s",
    rawLimit: median(pairs.map(([, rawMs]) => rate(rawMs, BYTE_LENGTH))),
    ratio: median(ratios),
    spread: [ratios[0], ratios.at(-1)],
    against: "the storage's own calls of 128 KiB: a file's, an OPFS handle's, a row each in SQLite",
  };
}

/** 0 of nothing. */
export function median(numbers) {
  return [...numbers].sort((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? 0;
}
