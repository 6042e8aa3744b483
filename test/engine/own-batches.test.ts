/** Batches whose header is believed because our own writer has just finished them, and errors that are no batch's fault. */
import { describe, expect, it } from "vitest";
import { handOverOwn } from "../../src/base/own-batch.ts";
import type { Compression } from "../../src/compression/compression.ts";
import { BatchAdmission } from "../../src/engine/batch-admission.ts";
import type { OpenTopic } from "../../src/engine/open-topic.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { compressionOf } from "../compression/support.ts";
import { core } from "../log/books/support.ts";
import { openEngine, readPartition } from "../simulation/engine-rig.ts";

function finished(count = 2): Uint8Array<ArrayBuffer> {
  core.writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
  for (let at = 0; at < count; at += 1) core.writer.append(null, Uint8Array.of(97 + at), null, 1000);
  return core.writer.finish().slice();
}

describe("a batch that our own writer hands over", () => {
  it("is taken as it is, and refused as a fault of ours where its header says what our writer does not", async () => {
    const life = await openEngine(memory());
    await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    const produce = (batch: Uint8Array<ArrayBuffer>) =>
      handOverOwn(batch, () => life.engine.produce({ topic: "orders", partition: 0, batch, acks: "all" }));
    for (const [what, at, value] of [
      ["a base offset", 7, 1],
      ["another magic", 16, 1],
      ["a length of another", 11, 9],
      ["a control batch", 22, 0x20],
      ["the time of its append", 22, 0x08],
      ["a codec of nobody", 22, 0x07],
      ["no records", 60, 0],
      ["another last offset", 26, 7],
    ] as const) {
      const batch = finished();
      batch[at] = value;
      await expect(produce(batch), what).rejects.toMatchObject({ code: "CORE_FAULT", message: expect.stringContaining("orders-0") });
    }
    await produce(finished());
    expect((await readPartition(life, "orders", 0)).records.map(({ value }) => value)).toEqual(["a", "b"]);
    await life.engine.close();
  });
});

describe("an error while a batch is opened", () => {
  it("that says nothing of the batch is told as it came: the client need not look for a fault in what it sent", () => {
    const real = compressionOf(core);
    const exhausted = new RangeError("Array buffer allocation failed");
    const compression = {
      ...real,
      decompressBatch: () => {
        throw exhausted;
      },
    } as unknown as Compression;
    const config = { compressionType: "producer", cleanupPolicy: "delete", maxMessageBytes: 1 << 20, segmentBytes: 1 << 20 };
    const topic = { name: "orders", frozen: false, config } as unknown as OpenTopic;
    const log = { spec: { directory: "orders-0" } } as unknown as PartitionLog;
    const batch = real.compressBatch(finished(), "lz4");
    expect(() => new BatchAdmission(core, compression).admit(topic, log, batch)).toThrow(exhausted);
    expect(new BatchAdmission(core, real).admit(topic, log, batch).verdict.recordCount).toBe(2);
  });
});
