/** Topics as a directory may have them: with a gap, beyond any number of ours, half deleted, or with something in them that is nobody's. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { removeDirectoryWhole, removeLeftovers } from "../../src/engine/leftover.ts";
import { memory } from "../../src/storage/memory.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { type FaultyStorage, faultyStorage } from "../../src/testing/faulty-storage.ts";
import { put } from "../log/books/support.ts";
import { keyedBatch } from "../log/compaction-rig.ts";
import { commit, type Life, openEngine, produce, readPartition } from "../simulation/engine-rig.ts";

const valuesIn = async (life: Life, topic: string, partition = 0): Promise<string[]> =>
  (await readPartition(life, topic, partition)).records.map(({ value }) => value);

describe("a topic that another writer left", () => {
  it("is read where its directories are, and each that lacks or cannot be is told of", async () => {
    const storage = memory();
    for (const partition of [0, 2])
      await put(storage, `theirs-${partition}/00000000000000000000.log`, keyedBatch([["k", `v${partition}`]]));
    await storage.createDirectory("beyond-100000");
    const life = await openEngine(storage);
    expect([await valuesIn(life, "theirs", 0), await valuesIn(life, "theirs", 2)]).toEqual([["v0"], ["v2"]]);
    await expect(readPartition(life, "theirs", 1)).rejects.toThrow("its directory theirs-1 is not there");
    expect(life.engine.topicNames()).toEqual(["theirs"]);
    expect(life.events.filter(({ type }) => type === "directory.suspicious")).toMatchObject([{ name: "beyond-100000" }]);
    await life.engine.close();
  });
});

describe("a deletion that could not be finished", () => {
  const bed = async (): Promise<{ readonly life: Life; readonly storage: FaultyStorage }> => {
    const storage = faultyStorage(memory());
    const life = await openEngine(storage);
    await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    await produce(life, "orders", 0, ["old"]);
    await commit(life, "g", "orders", 0, 1, true);
    storage.fail({ call: "removeDirectory", errno: "EBUSY", name: /^orders-0/ });
    await expect(life.engine.deleteTopic("orders")).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    expect(life.engine.hasTopic("orders")).toBe(false);
    return { life, storage };
  };

  it("is finished by whoever deletes the topic again", async () => {
    const { life, storage } = await bed();
    await life.engine.deleteTopic("orders");
    expect((await storage.list("")).map(({ name }) => name)).not.toContain("orders-0");
    await expect(life.engine.deleteTopic("orders")).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    await life.engine.close();
  });

  it("is finished before a topic of that name is made, which then begins at nothing", async () => {
    const { life, storage } = await bed();
    await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    expect(await valuesIn(life, "orders")).toEqual([]);
    const [offset] = await life.engine.offsetFetch({ groupId: "g", partitions: [{ topic: "orders", partition: 0 }] });
    expect(offset?.nextOffset).toBeNull();
    await produce(life, "orders", 0, ["new"]);
    await life.engine.close();
    const again = await openEngine(storage);
    expect(await valuesIn(again, "orders")).toEqual(["new"]);
    await again.engine.close();
  });

  it("of which nobody knows whether it is on disk takes the topic out of service, a partition that could not be opened with it", async () => {
    const storage = faultyStorage(memory());
    const before = await openEngine(storage);
    await before.engine.createTopic({ topic: "orders", partitions: 2, config: {} });
    await before.engine.close();
    await removeDirectoryWhole(storage, "orders-1");
    const life = await openEngine(storage);
    storage.fail({ call: "syncDirectory", errno: "EIO", name: /^$/, times: Number.POSITIVE_INFINITY });
    await expect(life.engine.deleteTopic("orders")).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await expect(produce(life, "orders", 0, ["lost"])).rejects.toThrow("whether the topic's deletion is on disk is not known");
    await expect(produce(life, "orders", 1, ["lost"])).rejects.toThrow("its directory orders-1 is not there");
    storage.mend();
    await life.engine.close();
  });
});

describe("a directory that somebody made within a partition's", () => {
  it("is no segment, whatever its name, and is not removed with what is ours", async () => {
    const root = mkdtempSync(join(tmpdir(), "odradek-remains-"));
    try {
      mkdirSync(join(root, "orders-0", "00000000000000000007.log"), { recursive: true });
      writeFileSync(join(root, "orders-0", "00000000000000000000.index"), "");
      await expect(removeLeftovers(nodeStorage(root), ["orders-0"])).rejects.toMatchObject({ code: "ENOTEMPTY" });
      expect(readdirSync(join(root, "orders-0"))).toEqual(["00000000000000000007.log"]);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
