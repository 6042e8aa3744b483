/**
 * How fast a log appends and is read here, beside the storage's own calls with as many bytes: the best of a few laps of 16 MiB, the first of
 * which check every checksum. An order of magnitude, and no gate.
 */

const BYTE_LENGTH = 16 << 20;
const BLOCK_BYTE_LENGTH = 128 << 10;
const VALUE_BYTE_LENGTH = 1024;
const LAPS = 4;

/** `raw`: the storage below, as `{ write(bytes, position), read(into, position) }`. Megabytes a second, and how much that is of raw. */
export async function figures(odradek, open, raw) {
  const log = await open();
  await log.createTopic("speed", { durability: "os" });
  const producer = log.producer({ value: odradek.bytes });
  const records = Array.from({ length: 1000 }, () => ({ topic: "speed", value: new Uint8Array(VALUE_BYTE_LENGTH).fill(7) }));
  const block = new Uint8Array(BLOCK_BYTE_LENGTH).fill(7);
  const rounds = Math.floor(BYTE_LENGTH / VALUE_BYTE_LENGTH / records.length);
  const best = {
    append: Number.POSITIVE_INFINITY,
    write: Number.POSITIVE_INFINITY,
    scan: Number.POSITIVE_INFINITY,
    read: Number.POSITIVE_INFINITY,
  };
  const lap = async (what, body) => {
    const beganMs = performance.now();
    await body();
    best[what] = Math.min(best[what], Math.max(performance.now() - beganMs, 0.01));
  };
  const consumer = log.consumer({ value: odradek.bytes });
  await consumer.assign([{ topic: "speed", partition: 0 }]);
  let byteLength = 0;
  for (let i = 0; i < LAPS; i += 1) {
    await lap("append", async () => {
      for (let round = 0; round < rounds; round += 1) await producer.sendBatch(records);
    });
    await lap("write", async () => {
      for (let at = 0; at < BYTE_LENGTH; at += BLOCK_BYTE_LENGTH) await raw.write(block, i * BYTE_LENGTH + at);
    });
    // What was appended in this lap, twice: the second time its checksums are known.
    for (const nextOffset of [i * rounds * records.length, i * rounds * records.length]) {
      consumer.seek({ topic: "speed", partition: 0 }, nextOffset);
      byteLength = 0;
      await lap("scan", async () => {
        for await (const batch of consumer.batches({ until: "end" })) for (const { value } of batch) byteLength += value.length;
      });
    }
    await lap("read", async () => {
      for (let at = 0; at < BYTE_LENGTH; at += BLOCK_BYTE_LENGTH) await raw.read(block, i * BYTE_LENGTH + at);
    });
  }
  await log.close();
  const told = (ms, rawMs) => `${(byteLength / ms / 1000).toFixed(0)} MB/s, ${(rawMs / ms).toFixed(2)} of raw`;
  return { append: told(best.append, best.write), scan: told(best.scan, best.read) };
}
