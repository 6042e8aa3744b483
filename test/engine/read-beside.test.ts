/** A log that is only read: what it refuses, what it leaves as it is, and what it makes of files that go while it looks at them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FetchedPartition } from "../../src/api/broker.ts";
import { FOLLOW_INTERVAL_MS } from "../../src/engine/following.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { commit, type Life, openEngine, produce, readPartition } from "../simulation/engine-rig.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "odradek-beside-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const valuesIn = async (life: Life, topic: string, partition: number): Promise<string[]> =>
  (await readPartition(life, topic, partition)).records.map(({ value }) => value);

async function fetchAll(
  { engine }: Life,
  partitions: readonly (readonly [topic: string, partition: number])[],
): Promise<FetchedPartition[]> {
  const wanted = partitions.map(([topic, partition]) => ({ topic, partition, offset: 0, maxBytes: 1 << 16 }));
  const answer = await engine.fetch({ partitions: wanted, minBytes: 0, maxWaitMs: 0, maxBytes: 1 << 16, isolation: "readUncommitted" });
  return [...answer.partitions];
}

/** The reader looks, with files between: a look is timers and I/O. */
async function look({ clock }: Life, until: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 500; turn += 1) {
    await clock.advance(FOLLOW_INTERVAL_MS);
    for (let wait = 0; wait < 5; wait += 1) await settled();
    if (await until()) return;
  }
  throw new Error("the reader did not come to see it");
}

describe("a log that is only read", () => {
  it("refuses to write, sets no book aside, and opens anew what it could not, without a word to the disk", async () => {
    const writer = await openEngine(nodeStorage(directory));
    await writer.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    await produce(writer, "orders", 0, ["a"]);
    await writer.engine.close();
    const book = join(directory, "recovery-point-offset-checkpoint");
    writeFileSync(book, "0\nnine\nlives\n");
    const disk = faultyStorage(nodeStorage(directory));
    disk.fail({ call: "open", errno: "EIO", name: /^orders-0\/.*\.log$/, times: Number.POSITIVE_INFINITY });
    const reader = await openEngine(disk, 1, { readOnly: true });
    disk.mend();
    expect(reader.events.filter(({ type }) => type === "book.rebuilt")).toMatchObject([
      { file: "recovery-point-offset-checkpoint", setAsideAs: null },
    ]);
    expect(readFileSync(book, "utf8")).toBe("0\nnine\nlives\n");
    await expect(produce(reader, "orders", 0, ["b"])).rejects.toMatchObject({ code: "READ_ONLY" });
    const writes = ["writeAt", "truncate", "replace", "remove", "createDirectory"] as const;
    await reader.engine.reopenPartition({ topic: "orders", partition: 0 });
    expect(writes.map((call) => disk.count(call))).toEqual(writes.map(() => 0));
    expect(await valuesIn(reader, "orders", 0)).toEqual(["a"]);
    await reader.engine.close();
  });

  it("follows a writer past a file that could not be read once, partitions that are not there, and those not yet written", async () => {
    const writer = await openEngine(nodeStorage(directory));
    await writer.engine.createTopic({ topic: "orders", partitions: 2, config: {} });
    await writer.engine.createTopic({ topic: "lost", partitions: 1, config: {} });
    await produce(writer, "orders", 0, ["a"]);
    const disk = faultyStorage(nodeStorage(directory));
    rmSync(join(directory, "lost-0"), { recursive: true });
    const reader = await openEngine(disk, 1, { readOnly: true });
    disk.fail({ call: "readAt", errno: "EIO", name: /^orders-0\/.*\.log$/, times: 1 });
    const [first, lost] = await fetchAll(reader, [
      ["orders", 0],
      ["lost", 0],
    ]);
    expect(first).toMatchObject({ fault: null });
    expect(first?.batches.byteLength).toBeGreaterThan(0);
    expect(lost?.fault).toMatchObject({ name: "StorageError" });
    // The groups' topic comes with one of its fifty partitions; the others are nowhere.
    await commit(writer, "g", "orders", 0, 1, true);
    await look(reader, async () => reader.engine.hasTopic("__consumer_offsets"));
    const seen = async (): Promise<number> => {
      const all = Array.from({ length: 50 }, (_, partition): readonly [string, number] => ["__consumer_offsets", partition]);
      return (await fetchAll(reader, all)).filter(({ batches }) => batches.byteLength > 0).length;
    };
    await look(reader, async () => (await seen()) === 1);
    await reader.engine.close();
    rmSync(join(directory, "lost-0"), { recursive: true, force: true });
    await writer.engine.close();
  });
});

describe("a fetch whose room is used up", () => {
  it("says of an internal partition that nothing was written to that it is empty", async () => {
    const life = await openEngine(nodeStorage(directory));
    await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    await produce(life, "orders", 0, ["a"]);
    await commit(life, "g", "orders", 0, 1, true);
    const { partitions } = await life.engine.fetch({
      partitions: [["orders", 0] as const, ...Array.from({ length: 50 }, (_, at) => ["__consumer_offsets", at] as const)].map(
        ([topic, partition]) => ({ topic, partition, offset: 0, maxBytes: 1 }),
      ),
      minBytes: 0,
      maxWaitMs: 0,
      maxBytes: 1,
      isolation: "readUncommitted",
    });
    expect(partitions.map(({ batches }) => batches.byteLength > 0)).toEqual([true, ...Array.from({ length: 50 }, () => false)]);
    expect(partitions.filter(({ watermarks }) => watermarks.logEndOffset > 0)).toHaveLength(2);
    await life.engine.close();
  });
});
