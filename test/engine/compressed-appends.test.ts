import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { TopicConfig } from "../../src/api/topic.ts";
import { batchByteLengthAt, HEADER_BYTE_LENGTH, readBatchHeader, stampChecksum } from "../../src/base/record-batch.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import type { CodecName } from "../../src/compression/compression.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { memory } from "../../src/storage/memory.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { bombs } from "../compression/bombs.ts";
import { batchAround, compressionOf } from "../compression/support.ts";
import { fromHex, vectors } from "../core/vectors.ts";
import { openLog, temporaryDirectory } from "../face/support.ts";
import { type Life, openEngine } from "../simulation/engine-rig.ts";

const core = await loadCore();
const compression = compressionOf(core);
const text = new TextEncoder();
const CODECS: readonly CodecName[] = ["gzip", "snappy", "lz4"];
const LINE = "a line that is much like the next one; ";

function plain(count: number, key: string | null = "key"): Uint8Array<ArrayBuffer> {
  core.writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
  for (let i = 0; i < count; i++) {
    core.writer.append(key === null ? null : text.encode(key), text.encode(LINE + i), null, 1_700_000_000_000 + i);
  }
  return core.writer.finish().slice();
}

async function withTopic<T>(config: Partial<TopicConfig>, body: (life: Life) => Promise<T>): Promise<T> {
  const life = await openEngine(memory());
  try {
    await life.engine.createTopic({
      topic: "orders",
      partitions: 1,
      topicId: undefined,
      config: { maxMessageBytes: 1_000_000, segmentBytes: 1 << 24, ...config },
    });
    return await body(life);
  } finally {
    await life.engine.close();
  }
}

const produce = ({ engine }: Life, batch: Uint8Array) => engine.produce({ topic: "orders", partition: 0, batch, acks: "all" });

async function stored({ engine }: Life): Promise<Uint8Array[]> {
  const wanted = [{ topic: "orders", partition: 0, offset: 0, maxBytes: 1 << 20 }];
  const { partitions } = await engine.fetch({
    partitions: wanted,
    minBytes: 0,
    maxWaitMs: 0,
    maxBytes: 1 << 20,
    isolation: "readUncommitted",
  });
  const bytes = partitions[0]?.batches ?? new Uint8Array(0);
  const batches: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += batchByteLengthAt(bytes, at)) batches.push(bytes.slice(at, at + batchByteLengthAt(bytes, at)));
  return batches;
}

function valuesIn(batch: Uint8Array): string[] {
  const opened = compression.decompressBatch(batch);
  const cursor = new RecordCursor(opened);
  const values: string[] = [];
  while (cursor.next()) values.push(new TextDecoder().decode(cursor.value() ?? new Uint8Array(0)));
  return values;
}

describe("a compressed batch through the port", () => {
  it("keeps the sender's bytes when the topic leaves the codec to him, or names the same", async () => {
    const zstd = fromHex((vectors.batches.find(({ name }) => name === "24-java-zstd") as { hex: string }).hex);
    zstd.fill(0, 0, 8);
    for (const codec of CODECS) {
      for (const compressionType of ["producer", codec] as const) {
        await withTopic({ compressionType }, async (life) => {
          const batch = compression.compressBatch(plain(100), codec);
          // Java's level of zlib may not be ours: what came is what stands.
          await produce(life, batch);
          const [kept] = await stored(life);
          expect(Buffer.compare(kept?.subarray(16) as Uint8Array, batch.subarray(16))).toBe(0);
        });
      }
    }
    await withTopic({ compressionType: "producer" }, async (life) => {
      await produce(life, zstd);
      const [kept] = await stored(life);
      expect(Buffer.compare(kept?.subarray(16) as Uint8Array, zstd.subarray(16))).toBe(0);
    });
  });

  it("is stored in the topic's codec when it comes in another, with all that its header says", async () => {
    for (const sent of [null, ...CODECS]) {
      for (const compressionType of ["uncompressed", ...CODECS] as const) {
        await withTopic({ compressionType }, async (life) => {
          const batch = plain(60);
          await produce(life, sent === null ? batch : compression.compressBatch(batch, sent));
          await produce(life, sent === null ? batch : compression.compressBatch(batch, sent));
          const [, second] = await stored(life);
          const header = readBatchHeader(second as Uint8Array);
          expect(header.attributes).toBe(["uncompressed", "gzip", "snappy", "lz4"].indexOf(compressionType));
          const {
            byteLength: _,
            checksum: __,
            attributes: ___,
            baseOffset: ____,
            lastOffset: _____,
            leaderEpoch: ______,
            ...rest
          } = readBatchHeader(batch);
          expect(header).toMatchObject({ ...rest, baseOffset: 60, lastOffset: 119 });
          expect(core.crc32c((second as Uint8Array).subarray(21))).toBe(header.checksum);
          expect(valuesIn(second as Uint8Array)).toEqual(valuesIn(batch));
        });
      }
    }
  });

  it("is refused, and nothing is appended, when its form as sent, its payload or its records are not sound", async () => {
    await withTopic({}, async (life) => {
      const good = compression.compressBatch(plain(20), "lz4");
      const changed = (at: number, byte: number, stamped: boolean): Uint8Array => {
        const batch = good.slice();
        batch[at] = byte;
        if (stamped) stampChecksum(batch, core);
        return batch;
      };
      const fewer = compression.compressBatch(plain(2), "gzip").subarray(HEADER_BYTE_LENGTH);
      const cases: readonly (readonly [what: string, batch: Uint8Array, code: string])[] = [
        ["the checksum of the form that was sent", changed(90, (good[90] as number) ^ 1, false), "CORRUPT_MESSAGE"],
        ["a payload that does not add up", changed(69, 0x7f, true), "CORRUPT_MESSAGE"],
        ["fewer records than its header says", batchAround(core, fewer, "gzip", 3), "INVALID_RECORD"],
        ["no records", batchAround(core, fewer, "gzip", 0), "INVALID_RECORD"],
        ["a codec of nobody", changed(22, 5, true), "UNSUPPORTED_COMPRESSION_TYPE"],
        ["a codec of nobody", changed(22, 7, true), "UNSUPPORTED_COMPRESSION_TYPE"],
        ["the control bit", changed(22, 0x23, true), "INVALID_RECORD"],
        ["LogAppendTime", changed(22, 0x0b, true), "INVALID_RECORD"],
        ["another magic", changed(16, 1, true), "INVALID_RECORD"],
        ["a base offset", changed(7, 1, true), "INVALID_RECORD"],
        ["a length of another", good.subarray(0, good.length - 1), "CORRUPT_MESSAGE"],
        ["less than a header", good.subarray(0, 30), "INVALID_RECORD"],
        ...bombs(core, 2 ** 28)
          .filter(({ bytes }) => bytes.length < 900_000)
          .map(({ codec, kind, bytes }) => [`a bomb: ${codec}, ${kind}`, batchAround(core, bytes, codec, 5), "CORRUPT_MESSAGE"] as const),
      ];
      for (const [what, batch, code] of cases) {
        await expect(produce(life, batch), what).rejects.toMatchObject({ name: "UsageError", code });
      }
      expect(await stored(life)).toEqual([]);
      await produce(life, good);
      expect((await stored(life)).length).toBe(1);
    });
  });

  it("needs a key in every record where the topic is compacted", async () => {
    await withTopic({ cleanupPolicy: "compact" }, async (life) => {
      const refusal = { code: "INVALID_RECORD", message: expect.stringContaining("every record needs a key") };
      await expect(produce(life, compression.compressBatch(plain(3, null), "snappy"))).rejects.toMatchObject(refusal);
      await produce(life, compression.compressBatch(plain(3), "snappy"));
    });
  });

  it("may have as many bytes as maxMessageBytes says, as it is sent and as it is stored", async () => {
    const batch = plain(200);
    const closed = compression.compressBatch(batch, "lz4");
    expect(closed.length).toBeLessThan(3000);
    const refusal = { code: "MESSAGE_TOO_LARGE" };
    await withTopic({ maxMessageBytes: 3000 }, async (life) => {
      await produce(life, closed);
      await expect(produce(life, batch)).rejects.toMatchObject(refusal);
    });
    await withTopic({ maxMessageBytes: 3000, compressionType: "uncompressed" }, async (life) => {
      await expect(produce(life, closed)).rejects.toMatchObject(refusal);
      expect(await stored(life)).toEqual([]);
    });
  });

  it("is given the time of its append where the topic says so, with the checksum of the stored form", async () => {
    await withTopic({ messageTimestampType: "LogAppendTime" }, async (life) => {
      const { logAppendTime } = await produce(life, compression.compressBatch(plain(5), "gzip"));
      const [batch] = await stored(life);
      const header = readBatchHeader(batch as Uint8Array);
      expect(header).toMatchObject({
        attributes: 0x09,
        maxTimestamp: logAppendTime,
        checksum: core.crc32c((batch as Uint8Array).subarray(21)),
      });
      const cursor = new RecordCursor(compression.decompressBatch(batch as Uint8Array));
      while (cursor.next()) expect(cursor.timestamp).toBe(logAppendTime);
    });
  });
});

describe("group commits that a broker compressed", () => {
  it("are read at open", async () => {
    const directory = temporaryDirectory();
    const log = await openLog(nodeStorage(directory));
    await log.createTopic("orders");
    const producer = log.producer();
    await producer.sendBatch(Array.from({ length: 9 }, (_, value) => ({ topic: "orders", partition: 0, value })));
    const consumer = log.consumer({ groupId: "billing", enableAutoCommit: false });
    await consumer.subscribe(["orders"]);
    await consumer.poll({ timeoutMs: 2000 });
    await consumer.commit([{ topic: "orders", partition: 0, nextOffset: 7 }], { durable: true });
    await log.close();

    const partition = readdirSync(directory).find((name) => name.startsWith("__consumer_offsets-")) as string;
    const files = readdirSync(join(directory, partition));
    const name = files.find((each) => each.endsWith(".log")) as string;
    const bytes = new Uint8Array(readFileSync(join(directory, partition, name)));
    const closed: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += batchByteLengthAt(bytes, at)) {
      closed.push(compression.compressBatch(bytes.subarray(at, at + batchByteLengthAt(bytes, at)), "snappy"));
    }
    expect(closed.length).toBeGreaterThan(0);
    for (const file of files)
      if (file !== "partition.metadata" && file !== "leader-epoch-checkpoint") rmSync(join(directory, partition, file));
    writeFileSync(join(directory, partition, name), Buffer.concat(closed));
    rmSync(join(directory, ".kafka_cleanshutdown"));

    const again = await openLog(nodeStorage(directory));
    const { offsets } = await again.describeGroup("billing");
    expect(offsets).toMatchObject([{ topic: "orders", partition: 0, nextOffset: 7 }]);
  });
});
