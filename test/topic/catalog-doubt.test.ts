/** A change of the catalogue that was refused after its file may have been renamed over: what is in doubt, until when, and what is written meanwhile. */
import { describe, expect, it } from "vitest";
import { loadCore } from "../../src/core/load-core.ts";
import { memory } from "../../src/storage/memory.ts";
import { type FaultyStorage, faultyStorage } from "../../src/testing/index.ts";
import { Catalog } from "../../src/topic/catalog.ts";
import { get, put } from "../log/books/support.ts";

const core = await loadCore();
const FOREVER = { times: Number.POSITIVE_INFINITY, errno: "EIO" } as const;
const IDS = ["AAECAwQFBgcICQoLDA0ODw", "BAECAwQFBgcICQoLDA0ODw", "CAECAwQFBgcICQoLDA0ODw"] as const;
const topic = (name: "a" | "b" | "c") => ({ name, topicId: IDS["abc".indexOf(name)] as string, partitions: 1, overrides: {} });

interface Bed {
  readonly storage: FaultyStorage;
  readonly catalog: Catalog;
  /** The topics that the file has. */
  onDisk(): Promise<string[]>;
  /** How often the file was put in its place since it was last asked. */
  replaced(): number;
}

/** A catalogue with the topic "a". */
async function bed(): Promise<Bed> {
  const inner = memory();
  const storage = faultyStorage(inner);
  const catalog = await Catalog.load(storage, core);
  await catalog.addTopic(topic("a"));
  let before = storage.count("replace");
  return {
    storage,
    catalog,
    onDisk: async () => [...(await Catalog.load(inner, core)).topics().keys()],
    replaced: () => {
      const count = storage.count("replace") - before;
      before += count;
      return count;
    },
  };
}

describe("a change that the disk refused", () => {
  it("before its file was put in place leaves nothing in doubt, and nothing is written to take it back", async () => {
    for (const call of ["writeAt", "sync", "replace"] as const) {
      const { storage, catalog, onDisk, replaced } = await bed();
      storage.fail({ call, errno: "EIO" });
      await expect(catalog.addTopic(topic("b"))).rejects.toMatchObject({ code: "EIO" });
      expect([catalog.inDoubt, [...catalog.topics().keys()], await onDisk()], call).toEqual([false, ["a"], ["a"]]);
      expect(replaced()).toBe(call === "replace" ? 1 : 0);
    }
  });

  it("after its file was put in place is taken back at once, where that can be", async () => {
    const { storage, catalog, onDisk, replaced } = await bed();
    storage.fail({ call: "syncDirectory", errno: "EIO" });
    await expect(catalog.addTopic(topic("b"))).rejects.toMatchObject({ code: "EIO" });
    expect([catalog.inDoubt, [...catalog.topics().keys()], await onDisk()]).toEqual([false, ["a"], ["a"]]);
    expect(replaced()).toBe(2);
    await catalog.settle();
    expect(replaced()).toBe(0);
  });

  it("stays in doubt while it cannot be taken back, and the next change takes it back before it is made", async () => {
    const { storage, catalog, onDisk, replaced } = await bed();
    storage.fail({ call: "syncDirectory", nth: 1, times: 1, errno: "EIO" });
    storage.fail({ call: "sync", nth: 2, ...FOREVER });
    await expect(catalog.addTopic(topic("b"))).rejects.toMatchObject({ code: "EIO" });
    expect([catalog.inDoubt, [...catalog.topics().keys()], await onDisk()]).toEqual([true, ["a"], ["a", "b"]]);
    // While the disk is as it is, no change is made over what is in doubt.
    replaced();
    await expect(catalog.addTopic(topic("c"))).rejects.toMatchObject({ code: "EIO" });
    expect([catalog.inDoubt, replaced(), await onDisk()]).toEqual([true, 0, ["a", "b"]]);
    storage.mend();
    await catalog.addTopic(topic("c"));
    expect([catalog.inDoubt, replaced(), [...catalog.topics().keys()], await onDisk()]).toEqual([false, 2, ["a", "c"], ["a", "c"]]);
  });

  it("is taken back by settling, after which the file says what holds here and nothing is in doubt", async () => {
    const { storage, catalog, onDisk, replaced } = await bed();
    storage.fail({ call: "syncDirectory", ...FOREVER });
    await expect(catalog.addTopic(topic("b"))).rejects.toMatchObject({ code: "EIO" });
    expect(catalog.inDoubt).toBe(true);
    await expect(catalog.settle()).rejects.toMatchObject({ code: "EIO" });
    expect(catalog.inDoubt).toBe(true);
    storage.mend();
    replaced();
    await catalog.settle();
    expect([catalog.inDoubt, replaced(), await onDisk()]).toEqual([false, 1, ["a"]]);
    await catalog.settle();
    expect(replaced()).toBe(0);
    expect(await catalog.reread()).toBe(false);
  });

  it("is in doubt where the file cannot even be read to see, and is told by its own reason", async () => {
    const { storage, catalog, onDisk } = await bed();
    storage.fail({ call: "replace", errno: "EROFS" });
    storage.fail({ call: "open", nth: 2, ...FOREVER });
    await expect(catalog.addTopic(topic("b"))).rejects.toMatchObject({ code: "EROFS" });
    expect(catalog.inDoubt).toBe(true);
    storage.mend();
    await catalog.settle();
    expect([catalog.inDoubt, await onDisk()]).toEqual([false, ["a"]]);
  });

  it("that was none to begin with, of a catalogue that has no file, leaves none", async () => {
    const storage = faultyStorage(memory());
    const catalog = await Catalog.load(storage, core);
    storage.fail({ call: "replace", errno: "EIO" });
    await expect(catalog.addTopic(topic("a"))).rejects.toMatchObject({ code: "EIO" });
    expect([catalog.inDoubt, await storage.list("")]).toEqual([false, []]);
  });
});

describe("a catalogue that another process writes too", () => {
  it("is read again whole where it has changed, and is the same where it has not", async () => {
    const storage = memory();
    const mine = await Catalog.load(storage, core);
    expect(await mine.reread()).toBe(false);
    const other = await Catalog.load(storage, core);
    await other.addTopic(topic("a"));
    await other.addTopic(topic("b"));
    await other.markDeleting("b");
    await other.reserveProducerIds(7n, 3);
    await other.changeQuotas(() => [{ clientId: "x", quota: { producerByteRate: 5 } }]);
    expect(mine.topics().size).toBe(0);
    expect(await mine.reread()).toBe(true);
    for (const each of [mine, other]) {
      expect([[...each.topics().keys()], each.deleting(), each.nextProducerId]).toEqual([["a"], ["b"], 10n]);
      expect(each.quotas()).toEqual([{ clientId: "x", quota: { producerByteRate: 5 } }]);
    }
    expect(await mine.reread()).toBe(false);
    // What it goes on from is what it read.
    expect(await mine.reserveProducerIds()).toBe(10n);
    expect(await other.reread()).toBe(true);
    expect(other.nextProducerId).toBe(1010n);
  });

  it("is empty where its file is gone, and is kept as it was where the file cannot be believed", async () => {
    const storage = memory();
    const mine = await Catalog.load(storage, core);
    await mine.addTopic(topic("a"));
    const bytes = (await get(storage, "odradek.json")) as Uint8Array;
    await put(storage, "odradek.json", bytes.subarray(1));
    await expect(mine.reread()).rejects.toMatchObject({ code: "BOOK_CORRUPT" });
    expect(mine.topics().size).toBe(1);
    await storage.remove("odradek.json");
    expect(await mine.reread()).toBe(true);
    expect(mine.topics().size).toBe(0);
    await put(storage, "odradek.json", bytes);
    expect([await mine.reread(), mine.topics().size]).toEqual([true, 1]);
  });
});

describe("a change of the catalogue", () => {
  it.each([
    [0n, 0n],
    [999n, 1000n],
    [1000n, 1000n],
    [1001n, 1001n],
    [5000n, 5000n],
  ])("that takes producer ids from %d on, where a thousand are gone, begins at none before", async (atLeast, expected) => {
    const catalog = await Catalog.load(memory(), core);
    expect(await catalog.reserveProducerIds()).toBe(0n);
    const first = await catalog.reserveProducerIds(atLeast, 10);
    expect(first).toBe(expected < 1000n ? 1000n : expected);
    expect(catalog.nextProducerId).toBe(first + 10n);
  });

  it("that would need a producer id beyond Kafka's is refused with nothing written; the last one may go", async () => {
    const storage = memory();
    const catalog = await Catalog.load(storage, core);
    const last = 2n ** 63n - 1n;
    await expect(catalog.reserveProducerIds(last, 1)).rejects.toMatchObject({ code: "BOOK_CORRUPT" });
    expect([catalog.nextProducerId, await storage.list("")]).toEqual([0n, []]);
    expect(await catalog.reserveProducerIds(last - 1n, 1)).toBe(last - 1n);
    expect((await Catalog.load(storage, core)).nextProducerId).toBe(last);
  });

  it("takes a topic for one of ours unless it is said to be adopted, and changes nothing that it was not asked to", async () => {
    const catalog = await Catalog.load(memory(), core);
    await catalog.addTopic(topic("a"));
    await catalog.addTopic({ ...topic("b"), adopted: true, partitions: 3, overrides: { flushMs: 5 } });
    await catalog.changeTopic("b", { partitions: 4 });
    expect([...catalog.topics().values()]).toEqual([
      { ...topic("a"), adopted: false },
      { ...topic("b"), adopted: true, partitions: 4, overrides: { flushMs: 5 } },
    ]);
    await catalog.changeTopic("b", { adopted: false, overrides: {} });
    expect(catalog.topics().get("b")).toEqual({ ...topic("b"), adopted: false, partitions: 4, overrides: {} });
  });

  it("is refused by name: of a topic that is there, that is not, or that is still being deleted", async () => {
    const catalog = await Catalog.load(memory(), core);
    await catalog.addTopic(topic("a"));
    await expect(catalog.addTopic({ ...topic("b"), name: "a" })).rejects.toMatchObject({
      code: "TOPIC_ALREADY_EXISTS",
      message: 'topic "a" exists',
    });
    await expect(catalog.addTopic({ ...topic("a"), name: "b" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `topicId: "${IDS[0]}" is the id of topic "a"`,
    });
    await catalog.markDeleting("a");
    await expect(catalog.addTopic(topic("a"))).rejects.toMatchObject({
      code: "TOPIC_ALREADY_EXISTS",
      message: 'topic "a" is still being deleted',
    });
    for (const call of [catalog.markDeleting("a"), catalog.changeTopic("a", {})])
      await expect(call).rejects.toMatchObject({
        name: "UsageError",
        code: "UNKNOWN_TOPIC_OR_PARTITION",
        message: expect.stringContaining('"a"'),
      });
    await catalog.addTopic({ ...topic("a"), name: "b" });
    // One topic goes, marked or not, and nobody else.
    await catalog.removeTopic("b");
    expect([[...catalog.topics().keys()], catalog.deleting()]).toEqual([[], ["a"]]);
    await catalog.removeTopic("a");
    expect(catalog.deleting()).toEqual([]);
    await catalog.addTopic(topic("a"));
  });
});
