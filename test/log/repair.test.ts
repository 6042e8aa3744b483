/** Any damage to a log can be mended: what was readable still is, offsets keep their places, and nothing is found wrong afterwards. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readBatchHeader } from "../../src/base/record-batch.ts";
import { eachBatch } from "../../src/cli/batch-walk.ts";
import { mendDirectory } from "../../src/cli/mending.ts";
import { contextOn, type Verification, verifyDirectory } from "../../src/cli/verification.ts";
import type { StorageDriver } from "../../src/index.ts";
import { memory, open, utf8 } from "../../src/index.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";

const TOPIC = "orders";
const DIRECTORY = `${TOPIC}-0`;
const RECORD_COUNT = 90;

type Config = { cleanupPolicy?: "delete" | "compact" };

/** Several segments, batches of one to four records, closed in order. */
async function writtenLog(config: Config = {}, storage: StorageDriver = memory()): Promise<StorageDriver> {
  const log = await open({ storage });
  await log.createTopic(TOPIC, { segmentBytes: 1500, indexIntervalBytes: 100, maxMessageBytes: 1400, ...config });
  const producer = log.producer({ key: utf8, value: utf8 });
  for (let next = 0; next < RECORD_COUNT; ) {
    const count = Math.min(RECORD_COUNT - next, 1 + (next % 4));
    await producer.sendBatch(
      Array.from({ length: count }, (_, index) => ({ topic: TOPIC, key: `k${next + index}`, value: `value ${next + index}` })),
    );
    next += count;
  }
  const consumer = log.consumer({ groupId: "readers", key: utf8, value: utf8, enableAutoCommit: false });
  await consumer.subscribe([TOPIC]);
  for await (const _ of consumer.records({ until: "end" }));
  await consumer.commit();
  await log.close();
  return storage;
}

async function verified(storage: StorageDriver): Promise<Verification> {
  return verifyDirectory(await contextOn(storage, true), () => {});
}

function problemsOf({ partitions, defects }: Verification): string[] {
  return [...partitions.flatMap((each) => each.defects), ...defects].map((defect) => `${defect.kind}: ${defect.problem}`);
}

async function mend(storage: StorageDriver): Promise<string[]> {
  const actions: string[] = [];
  await mendDirectory(await contextOn(storage, false), (step) => actions.push(`${step.file}: ${step.action}`));
  await (await open({ storage })).close();
  return actions;
}

async function readable(storage: StorageDriver): Promise<Map<number, string | null>> {
  const log = await open({ storage });
  const records = new Map<number, string | null>();
  const consumer = log.consumer({ key: utf8, value: utf8 });
  await consumer.assign([{ topic: TOPIC, partition: 0 }]);
  for await (const record of consumer.records({ until: "end" })) records.set(record.offset, record.value);
  await log.close();
  return records;
}

async function copyFile(from: StorageDriver, to: StorageDriver, name: string): Promise<void> {
  const source = await from.open(name, { create: "no", readOnly: true });
  const target = await to.open(name, { create: "new" });
  const bytes = new Uint8Array(source.byteLength());
  source.readAt(bytes, 0);
  target.writeAt(bytes, 0);
  await target.sync();
  await source.close();
  await target.close();
}

/** The offsets of every batch that can be read, by the survey's word. */
async function readableBatches(storage: StorageDriver): Promise<number[]> {
  const context = await contextOn(storage, true);
  const offsets: number[] = [];
  for (const name of await filesOf(storage, ".log")) {
    await eachBatch(context, name, (bytes) => {
      const { baseOffset, lastOffset } = readBatchHeader(bytes);
      for (let offset = baseOffset; offset <= lastOffset; offset += 1) offsets.push(offset);
    });
  }
  return offsets;
}

async function filesOf(storage: StorageDriver, suffix: string): Promise<string[]> {
  const names = (await storage.list(DIRECTORY)).map((entry) => entry.name).filter((name) => name.endsWith(suffix));
  return names.sort().map((name) => `${DIRECTORY}/${name}`);
}

async function change(storage: StorageDriver, name: string, work: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  const file = await storage.open(name, { create: "no" });
  const bytes = new Uint8Array(file.byteLength());
  file.readAt(bytes, 0);
  const changed = work(bytes);
  file.truncate(0);
  file.writeAt(changed, 0);
  await file.sync();
  await file.close();
}

const flipped = (at: number, mask: number) => (bytes: Uint8Array) => {
  bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ mask;
  return bytes;
};

describe("repair", () => {
  it("finds nothing wrong with a log that was closed in order", async () => {
    const found = await verified(await writtenLog());
    expect(problemsOf(found)).toEqual([]);
    expect(found.partitions.find((each) => each.at.directory === DIRECTORY)?.segments.length).toBeGreaterThan(2);
  });

  it.each([["delete"], ["compact"]] as const)(
    "mends any flipped bit of any .log of a topic with cleanupPolicy %s, and loses one batch at most",
    async (cleanupPolicy) => {
      await fc.assert(
        fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 0, max: 7 }), async (which, at, bit) => {
          const storage = await writtenLog({ cleanupPolicy });
          const logs = await filesOf(storage, ".log");
          await change(storage, logs[which % logs.length] as string, flipped(at, 1 << bit));
          const before = problemsOf(await verified(storage));
          expect(before).not.toEqual([]);
          // A place that no batch's checksum covers, in a log whose offsets may have gaps: told, and left to a backup.
          if (before.every((problem) => problem.startsWith("changed"))) return;
          const actions = await mend(storage);
          expect(problemsOf(await verified(storage)), actions.join("\n")).toEqual([]);
          const records = await readable(storage);
          expect(records.size).toBeGreaterThanOrEqual(RECORD_COUNT - 4);
          for (const [offset, value] of records) expect(value).toBe(`value ${offset}`);
        }),
        { numRuns: 30 },
      );
    },
  );

  it("loses the records whose batches were touched, and no other, whatever is overwritten", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.nat(),
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.boolean(),
        async (which, at, noise, isZero) => {
          const storage = await writtenLog();
          const logs = await filesOf(storage, ".log");
          const name = logs[which % logs.length] as string;
          const touched = new Set<number>();
          let hasChanged = false;
          await change(storage, name, (bytes) => {
            const from = at % bytes.length;
            const to = Math.min(bytes.length, from + noise.length);
            for (let position = 0; position < bytes.length; ) {
              const { byteLength, baseOffset, lastOffset } = readBatchHeader(bytes, position);
              const isTouched = position < to && position + byteLength > from;
              for (let offset = baseOffset; isTouched && offset <= lastOffset; offset += 1) touched.add(offset);
              position += byteLength;
            }
            for (let position = from; position < to; position += 1) {
              const byte = isZero ? 0 : (noise[position - from] as number);
              hasChanged ||= bytes[position] !== byte;
              bytes[position] = byte;
            }
            return bytes;
          });
          expect(problemsOf(await verified(storage)).length > 0).toBe(hasChanged);
          const actions = await mend(storage);
          expect(problemsOf(await verified(storage)), actions.join("\n")).toEqual([]);
          const records = await readable(storage);
          for (const [offset, value] of records) expect(value).toBe(`value ${offset}`);
          for (let offset = 0; offset < RECORD_COUNT; offset += 1)
            if (!touched.has(offset)) expect(records.has(offset), `offset ${offset}`).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("finds nothing wrong with what a crash leaves, wherever it strikes, and mends nothing", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 40 }), fc.nat({ max: 200 }), async (batchCount, cut) => {
        const storage = memory();
        const log = await open({ storage });
        await log.createTopic(TOPIC, { segmentBytes: 1500, indexIntervalBytes: 100, maxMessageBytes: 1400 });
        const producer = log.producer({ key: utf8, value: utf8 });
        for (let next = 0; next < batchCount; next += 1) await producer.send({ topic: TOPIC, value: `value ${next}` });
        // As it stands on disk at this moment: another process would find it so after a kill.
        const copy = memory();
        for (const { name, kind } of await storage.list("")) {
          if (kind === "file") await copyFile(storage, copy, name);
          else {
            await copy.createDirectory(name);
            const files = await storage.list(name);
            // A seal on its way is not there under its name yet: a crash may leave it out.
            for (const file of files) if (!file.name.endsWith(".tmp")) await copyFile(storage, copy, `${name}/${file.name}`);
          }
        }
        await log.close();
        // And half a batch that nobody was told of.
        const active = (await filesOf(copy, ".log")).at(-1) as string;
        await change(copy, active, (bytes) => {
          const torn = new Uint8Array(bytes.length + cut).fill(0x77);
          torn.set(bytes);
          return torn;
        });
        expect(problemsOf(await verified(copy))).toEqual([]);
        expect(await mend(copy)).toEqual([]);
        expect((await readable(copy)).size).toBe(batchCount);
      }),
      { numRuns: 30 },
    );
  });

  it("can be cut short by a loss of power at any call, begun again, and has lost nothing more", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 150 }), fc.string(), async (which, at, nth, seed) => {
        const disk = crashStorage();
        await writtenLog({}, disk);
        const logs = await filesOf(disk, ".log");
        const name = logs[which % logs.length] as string;
        await change(disk, name, (bytes) => bytes.fill(0x33, at % bytes.length, (at % bytes.length) + 40));
        const whole = await readableBatches(disk);
        const call = ["open", "replace", "remove", "syncDirectory", "writeAt", "truncate", "sync"] as const;
        const dying = faultyStorage(disk, { faults: [{ call, nth, halt: true }] });
        await mendDirectory(await contextOn(dying, false), () => {}).catch(() => {});
        const left = disk.crash(new SeededRandom(seed));
        await mendDirectory(await contextOn(left, false), () => {});
        await (await open({ storage: left })).close();
        expect(problemsOf(await verified(left))).toEqual([]);
        const records = await readable(left);
        for (const offset of whole) expect(records.get(offset), `offset ${offset}`).toBe(`value ${offset}`);
      }),
      { numRuns: 30 },
    );
  });

  it("keeps every record when only the place in a batch's header is wrong", async () => {
    const storage = await writtenLog();
    const [, second] = await filesOf(storage, ".log");
    // The last byte of the first batch's base offset.
    await change(storage, second as string, flipped(7, 0x20));
    expect(problemsOf(await verified(storage))[0]).toContain("no good batch");
    await mend(storage);
    expect(problemsOf(await verified(storage))).toEqual([]);
    expect((await readable(storage)).size).toBe(RECORD_COUNT);
  });

  it("keeps what it takes out beside the log, and the log's end where it was", async () => {
    const storage = await writtenLog();
    const logs = await filesOf(storage, ".log");
    const last = logs.at(-1) as string;
    await change(storage, last, (bytes) => bytes.slice(0, bytes.length - 5));
    expect(problemsOf(await verified(storage))).toHaveLength(1);
    await mend(storage);
    expect((await storage.list(DIRECTORY)).some(({ name }) => /^\d{20}\.damaged-\d+$/.test(name))).toBe(true);
    expect(problemsOf(await verified(storage))).toEqual([]);
    const log = await open({ storage });
    expect((await log.describeTopic(TOPIC)).partitions[0]?.logEndOffset).toBe(RECORD_COUNT);
    const producer = log.producer({ key: utf8, value: utf8 });
    expect((await producer.send({ topic: TOPIC, value: "next" })).offset).toBe(RECORD_COUNT);
    await log.close();
  });

  it.each([[".index"], [".timeindex"], [".seal"], ["leader-epoch-checkpoint"], ["odradek.state"]])(
    "mends a damaged %s from the log",
    async (suffix) => {
      const storage = await writtenLog();
      const [file] = await filesOf(storage, suffix);
      await change(storage, file as string, (bytes) => bytes.fill(0x5a, 0, 40));
      // The state has two slots.
      if (suffix === "odradek.state") await change(storage, file as string, (bytes) => bytes.fill(0x5a));
      expect(problemsOf(await verified(storage))).not.toEqual([]);
      await mend(storage);
      expect(problemsOf(await verified(storage))).toEqual([]);
      expect((await readable(storage)).size).toBe(RECORD_COUNT);
    },
  );

  it("tells of segments that are gone, and does not pretend to bring them back", async () => {
    const storage = await writtenLog();
    for (const name of await filesOf(storage, "")) if (/\/\d{20}\./.test(name)) await storage.remove(name);
    expect(problemsOf(await verified(storage)).join("\n")).toContain("found none");
    await mend(storage);
  });

  it("sets back what a group committed beyond a log's end", async () => {
    const storage = await writtenLog();
    for (const name of await filesOf(storage, "")) await storage.remove(name);
    const before = problemsOf(await verified(storage)).join("\n");
    expect(before).toContain('group "readers" committed offset 90 of orders-0, whose log ends at 0');
    expect(before).toContain("recovery-point-offset-checkpoint: says offset 90");
    await mend(storage);
    expect(problemsOf(await verified(storage))).toEqual([]);
    const log = await open({ storage });
    expect((await log.describeGroup("readers")).offsets).toEqual([{ topic: TOPIC, partition: 0, nextOffset: 0, lag: 0 }]);
    await log.close();
  });
});
