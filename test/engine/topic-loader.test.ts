/** What the directories of a data directory are taken for at an opening: ours, another writer's, or what a crash left of nothing. */
import { describe, expect, it, vi } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { bytesOf, put } from "../log/books/support.ts";
import { keyedBatch } from "../log/compaction-rig.ts";
import { openEngine, produce, readPartition } from "../simulation/engine-rig.ts";

const LOG = "00000000000000000000.log";
const metadata = (topicId: string): Uint8Array => bytesOf(`version: 0\ntopic_id: ${topicId}\n`);
const IDS = ["q83vASNFZ4mrze8BI0VniQ", "AAAAAAAAAAAAAAAAAAAAAQ"] as const;

describe("a directory that no catalogue names", () => {
  it.each([
    ["with records", { [LOG]: keyedBatch([["k", "v"]]) }, true],
    ["with records, and a state of ours", { [LOG]: keyedBatch([["k", "v"]]), "odradek.state": bytesOf("") }, true],
    ["with a log that begins later", { "00000000000000000007.log": bytesOf("") }, true],
    ["with a book of another writer", { "partition.metadata": metadata(IDS[0]) }, true],
    ["with a state of ours alone", { "odradek.state": bytesOf("") }, false],
    ["with a state of ours, and an empty log", { "odradek.state": bytesOf(""), [LOG]: bytesOf("") }, false],
    ["with nothing in it", {}, false],
  ])("%s is a topic that another writer left: %s", async (_, files, isTopic) => {
    const storage = memory();
    await storage.createDirectory("theirs-0");
    for (const [name, bytes] of Object.entries(files)) await put(storage, `theirs-0/${name}`, bytes as Uint8Array);
    const { engine } = await openEngine(storage);
    expect(engine.topicNames()).toEqual(isTopic ? ["theirs"] : []);
    if (isTopic) await expect(engine.alterConfig("theirs", {})).rejects.toMatchObject({ code: "TOPIC_NOT_ADOPTED" });
    await engine.close();
    // Neither is anything of it removed.
    expect((await storage.list("")).map(({ name }) => name)).toContain("theirs-0");
  });

  it("has the id that the first of its partitions knows, and none where none does", async () => {
    const storage = memory();
    for (const topic of ["some", "none"])
      for (const partition of [0, 1, 2]) await put(storage, `${topic}-${partition}/${LOG}`, keyedBatch([["k", "v"]]));
    await put(storage, "some-1/partition.metadata", metadata(IDS[0]));
    await put(storage, "some-2/partition.metadata", metadata(IDS[0]));
    const { engine } = await openEngine(storage);
    expect([engine.describeTopic("some").topicId, engine.describeTopic("none").topicId]).toEqual([IDS[0], ""]);
    expect(engine.describeTopic("some").partitions).toHaveLength(3);
    await engine.close();
  });
});

describe("a topic of the catalogue", () => {
  it("is opened in turns of the loop, where its storage answers at once: nobody waits for all of its partitions", async () => {
    const storage = memory();
    const before = await openEngine(storage);
    await before.engine.createTopic({ topic: "orders", partitions: 24, config: {} });
    await before.engine.close();
    // A look at this clock takes two milliseconds.
    let nowMs = 0;
    const looks = vi.spyOn(ManualClock.prototype, "monotonic").mockImplementation(() => (nowMs += 2));
    let isOpen = false;
    let rounds = 0;
    const count = (): void => {
      rounds += 1;
      if (!isOpen) setImmediate(count);
    };
    setImmediate(count);
    const life = await openEngine(storage, 1, { readOnly: true });
    isOpen = true;
    looks.mockRestore();
    expect(rounds).toBeGreaterThan(2);
    await life.engine.close();
  });

  it("has a partition that cannot be opened told of once, and the others at work", async () => {
    const storage = faultyStorage(memory());
    const before = await openEngine(storage);
    await before.engine.createTopic({ topic: "orders", partitions: 12, config: {} });
    for (let partition = 0; partition < 12; partition += 1) await produce(before, "orders", partition, ["a"]);
    await before.engine.close();
    storage.fail({ call: "open", errno: "EIO", name: /^orders-7\/.*\.log$/, times: Number.POSITIVE_INFINITY });
    const life = await openEngine(storage);
    expect(life.events.filter(({ type }) => type === "partition.failed")).toMatchObject([
      { partition: { topic: "orders", partition: 7 }, error: { name: "StorageError" } },
    ]);
    await expect(produce(life, "orders", 7, ["b"])).rejects.toMatchObject({ name: "StorageError" });
    for (const partition of [0, 6, 8, 11]) {
      await produce(life, "orders", partition, ["b"]);
      expect((await readPartition(life, "orders", partition)).records).toHaveLength(2);
    }
    expect(life.engine.metrics()).toMatchObject({ partitions: 11, partitionsFailed: 1 });
    storage.mend();
    await life.engine.close();
  });

  it("lacks a directory by name, takes no record there, and makes none in its place", async () => {
    const storage = memory();
    const before = await openEngine(storage);
    await before.engine.createTopic({ topic: "orders", partitions: 2, config: {} });
    await before.engine.close();
    for (const { name } of await storage.list("orders-1")) await storage.remove(`orders-1/${name}`);
    await storage.removeDirectory("orders-1");
    const life = await openEngine(storage);
    await expect(produce(life, "orders", 1, ["a"])).rejects.toMatchObject({ name: "StorageError", code: "FILE_NOT_FOUND" });
    await life.engine.close();
    expect((await storage.list("")).map(({ name }) => name)).not.toContain("orders-1");
  });
});
