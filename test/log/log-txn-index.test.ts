/** A `.txnindex` is kept as it was found, sealed with its segment, and every flipped bit of it is told of. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { surveyPartition } from "../../src/log/survey/partition-survey.ts";
import { memory } from "../../src/storage/memory.ts";
import { batchOf, opened, type RigOptions, rig } from "./log-rig.ts";

const GOLDEN = new URL("../fixtures/golden/data-clean/orders-0/", import.meta.url);
const TXN_INDEX = readdirSync(GOLDEN).find((name) => name.endsWith(".txnindex") && readFileSync(new URL(name, GOLDEN)).length > 0) ?? "";

async function golden(): Promise<{ storage: StorageDriver; options: RigOptions }> {
  const storage = memory();
  await storage.createDirectory("orders-0");
  for (const name of readdirSync(GOLDEN)) {
    const file = await storage.open(`orders-0/${name}`, { create: "new" });
    file.writeAt(readFileSync(new URL(name, GOLDEN)), 0);
    await file.close();
  }
  const topicId = /topic_id: (.*)$/.exec(readFileSync(new URL("partition.metadata", GOLDEN), "utf8"))?.[1] ?? "";
  return {
    storage,
    options: { topicId, cleanShutdown: true, config: { segmentBytes: 1000, segmentIndexBytes: 1200, indexIntervalBytes: 100 } },
  };
}

async function bytesOf(storage: StorageDriver, name: string): Promise<Uint8Array> {
  const file = await storage.open(`orders-0/${name}`, { create: "no", readOnly: true });
  const bytes = new Uint8Array(file.byteLength());
  file.readAt(bytes, 0);
  await file.close();
  return bytes;
}

async function flip(storage: StorageDriver, bit: number): Promise<void> {
  const file = await storage.open(`orders-0/${TXN_INDEX}`, { create: "no" });
  const byte = new Uint8Array(1);
  file.readAt(byte, bit >>> 3);
  file.writeAt(new Uint8Array([(byte[0] as number) ^ (1 << (bit & 7))]), bit >>> 3);
  await file.close();
}

async function defects(storage: StorageDriver, options: RigOptions): Promise<string[]> {
  const { context, spec, config } = rig(storage, { ...options, readOnly: true });
  const { topic, partition, directory, topicId } = spec;
  const survey = await surveyPartition(context, { topic, partition, directory, topicId, config, cleanShutdown: true, recoveryPoint: null });
  return survey.defects.filter((defect) => defect.kind === "txnindex").map((defect) => defect.problem);
}

describe("a .txnindex", () => {
  for (const way of ["sealed", "cleanly closed"] as const) {
    it(`${way}: is not altered by us, and every flipped bit is told of`, async () => {
      const { storage, options } = await golden();
      const before = await bytesOf(storage, TXN_INDEX);
      expect(before.length % 34).toBe(0);
      expect(before.length).toBeGreaterThan(0);
      const { log } = await opened(storage, options);
      if (way === "sealed") {
        // Enough to roll the segment it stands beside.
        for (let count = 0; count < 20; count += 1)
          await log.append(batchOf([{ value: "x".repeat(100), timestamp: 1_700_000_060_000 }]), {
            recordCount: 1,
            maxTimestamp: 1_700_000_060_000,
          });
        await log.flush();
      }
      await log.sealUnsealed();
      await log.close(true);
      expect(await bytesOf(storage, TXN_INDEX)).toEqual(before);
      expect(await defects(storage, options)).toEqual([]);
      for (let bit = 0; bit < before.length * 8; bit += 1) {
        await flip(storage, bit);
        expect(await defects(storage, options), `bit ${bit}`).toHaveLength(1);
        await flip(storage, bit);
      }
      // It is derived: an opening neither minds nor mends it.
      await flip(storage, 100);
      const flipped = await bytesOf(storage, TXN_INDEX);
      const again = await opened(storage, options);
      expect(again.log.failure).toBeNull();
      await again.log.close(true);
      expect(await bytesOf(storage, TXN_INDEX)).toEqual(flipped);
    });
  }

  it("that is missing, or of another length, is told of", async () => {
    const { storage, options } = await golden();
    const { log } = await opened(storage, options);
    await log.sealUnsealed();
    await log.close(true);
    const file = await storage.open(`orders-0/${TXN_INDEX}`, { create: "no" });
    file.truncate(file.byteLength() - 1);
    await file.close();
    expect(await defects(storage, options)).toEqual([expect.stringMatching(/expected \d+ bytes, found \d+$/)]);
    await storage.remove(`orders-0/${TXN_INDEX}`);
    expect(await defects(storage, options)).toEqual([expect.stringMatching(/expected \d+ bytes, found no such file$/)]);
  });
});
