/** Files that go, shrink or are refused while a backup copies them. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { memory } from "../../src/storage/memory.ts";
import { type FaultyStorage, faultyStorage } from "../../src/testing/faulty-storage.ts";
import { bytesOf, get, put, text } from "../log/books/support.ts";
import { type Life, openEngine, produce, readPartition, watched } from "../simulation/engine-rig.ts";

const FIRST = "orders-0/00000000000000000000.log";

async function bed(
  partitions = 1,
): Promise<{ readonly life: Life; readonly inner: ReturnType<typeof memory>; readonly storage: FaultyStorage }> {
  const inner = memory();
  const storage = faultyStorage(inner);
  const life = await openEngine(storage);
  await life.engine.createTopic({ topic: "orders", partitions, config: {} });
  const { core } = life.engine;
  const identity = await life.engine.initProducerId({ transactionalId: null, transactionTimeoutMs: 0 });
  for (let sequence = 0; sequence < 20; sequence += 1) {
    core.writer.begin({ ...identity, baseSequence: sequence, transactional: false });
    core.writer.append(null, new Uint8Array(50).fill(97), null, life.clock.now());
    await life.engine.produce({ topic: "orders", partition: 0, batch: core.writer.finish(), acks: "all" });
  }
  return { life, inner, storage };
}

async function filesIn(target: StorageDriver): Promise<[name: string, byteLength: number][]> {
  const found: [name: string, byteLength: number][] = [];
  for (const directory of ["", ...(await target.list("")).flatMap(({ kind, name }) => (kind === "directory" ? [name] : []))])
    for (const { kind, name } of await target.list(directory)) {
      const path = directory === "" ? name : `${directory}/${name}`;
      if (kind === "file") found.push([path, (await get(target, path))?.byteLength ?? 0]);
    }
  return found;
}

/** The `.log` files of the copied partition, in order. */
const logsIn = async (target: StorageDriver): Promise<string[]> =>
  (await target.list("orders-0")).flatMap(({ name }) => (name.endsWith(".log") ? [name] : [])).sort();

describe("a backup", () => {
  it("goes without what a producer's snapshot says where that has gone meanwhile, and ends with any other refusal", async () => {
    const { life, storage } = await bed();
    expect((await storage.list("orders-0")).filter(({ name }) => name.endsWith(".snapshot")).length).toBeGreaterThan(0);
    storage.fail({ call: "open", errno: "ENOENT", name: /\.snapshot$/, times: Number.POSITIVE_INFINITY });
    const target = memory();
    await life.engine.backup(target);
    expect((await target.list("orders-0")).filter(({ name }) => name.endsWith(".snapshot"))).toEqual([]);
    const copy = await openEngine(target);
    expect((await readPartition(copy, "orders", 0)).records).toHaveLength(20);
    await copy.engine.close();
    storage.mend();
    storage.fail({ call: "open", errno: "EIO", name: /\.snapshot$/ });
    await expect(life.engine.backup(memory())).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await life.engine.close();
  });

  it("of a file that somebody cuts while it is copied has what is left of it, and does not stand still", async () => {
    const { life, inner, storage } = await bed();
    const file = await inner.open(FIRST, { create: "no" });
    const onMeet = (): void => file.truncate(100);
    storage.fail({ call: "readAhead", name: /orders-0\/0+\.log$/, atMost: 0, onMeet });
    const target = memory();
    await life.engine.backup(target);
    expect((await get(target, FIRST))?.length).toBe(100);
    await file.close();
    await life.engine.close();
  });

  it("tells how many files it made and of how many bytes, and makes what names the topics last, and all of it durable", async () => {
    const { life, inner } = await bed();
    await put(inner, "meta.properties", bytesOf("node.id=7\n"));
    const made = memory();
    const calls: string[] = [];
    const { files, byteLength } = await life.engine.backup(watched(made, (call) => void calls.push(call)));
    const found = await filesIn(made);
    expect([files, byteLength]).toEqual([found.length, found.reduce((sum, [, length]) => sum + length, 0)]);
    expect(found.map(([name]) => name)).toEqual(
      expect.arrayContaining(["meta.properties", "odradek.json", "replication-offset-checkpoint", FIRST]),
    );
    const created = calls.flatMap((call) => /^open (\S+) new$/.exec(call)?.[1] ?? []);
    expect(created.slice(-2)).toEqual(["meta.properties", "odradek.json"]);
    expect(calls.slice(-2)).toEqual(["sync odradek.json", "syncDirectory "]);
    // Each file that was made was flushed.
    for (const name of created) expect(calls, name).toContain(`sync ${name}`);
    await life.engine.close();
  });

  it("asks of what it copies for reading alone, and a file that has gone is there in neither place and is not counted", async () => {
    const { life, inner, storage } = await bed();
    const snapshots = async (of: StorageDriver): Promise<string[]> =>
      (await of.list("orders-0")).flatMap(({ name }) => (name.endsWith(".snapshot") ? [name] : []));
    // The last roll has been settled by then: nothing else goes on in the directory.
    await life.engine.backup(memory());
    expect(await snapshots(inner)).not.toEqual([]);
    const going = (name: string): void => void inner.remove(name);
    storage.fail({ call: "open", name: /\.snapshot$/, shortBy: 0, times: Number.POSITIVE_INFINITY, onMeet: going });
    const asked: unknown[] = [];
    const open = inner.open.bind(inner);
    inner.open = (name, options) => {
      asked.push({ name, ...options });
      return open(name, options);
    };
    const target = memory();
    const { files } = await life.engine.backup(target);
    expect(asked).toContainEqual({ name: FIRST, create: "no", readOnly: true });
    expect(asked).toEqual(asked.map(() => expect.objectContaining({ create: "no", readOnly: true })));
    expect([await snapshots(inner), await snapshots(target)]).toEqual([[], []]);
    expect(files).toBe((await filesIn(target)).length);
    await life.engine.close();
  });

  it("ends where a segment is missing, and names no topics then: without its records a copy is none", async () => {
    const { life, storage } = await bed();
    storage.fail({ call: "open", name: /orders-0\/0+\.log$/, errno: "ENOENT" });
    const target = memory();
    await expect(life.engine.backup(target)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    expect((await target.list("")).map(({ name }) => name)).not.toContain("odradek.json");
    await life.engine.close();
  });

  it("gives back every file, of the original and of the copy, whether it comes to its end or not", async () => {
    const { life, storage } = await bed();
    // What the last roll holds open is given back by then.
    await life.engine.backup(memory());
    const before = storage.openFileNames;
    for (const errno of [null, "EIO"]) {
      if (errno !== null) storage.fail({ call: "readAt", name: /orders-0\/0+\.log$/, errno });
      const target = faultyStorage(memory());
      const code = await life.engine.backup(target).then(
        () => null,
        (error: { readonly code: string }) => error.code,
      );
      expect([code, target.openFileNames, storage.openFileNames]).toEqual([errno === null ? null : "STORAGE_FAILED", [], before]);
    }
    await life.engine.close();
  });

  it("reads a large file in pieces of 1 MiB, each fetched ahead, and has of it what was there when it was opened", async () => {
    const { life, inner, storage } = await bed();
    const bytes = Uint8Array.from({ length: 2.5 * 1024 * 1024 }, (_, index) => index % 251);
    await put(inner, "meta.properties", bytes);
    const file = await inner.open("meta.properties", { create: "no" });
    const onMeet = (): void => void file.writeAt(new Uint8Array(1024 * 1024), bytes.length);
    const fetched = storage.fail({ call: "readAhead", name: /^meta\.properties$/, shortBy: 0, onMeet });
    const target = memory();
    await life.engine.backup(target);
    const copied = (await get(target, "meta.properties")) as Uint8Array;
    expect([fetched.matchCount, copied.length, Buffer.compare(copied, bytes)]).toEqual([3, bytes.length, 0]);
    await file.close();
    await life.engine.close();
  });

  it("knows how far it was durable: a copy whose end is lost later takes no appends, and nothing is handed out a second time", async () => {
    const { life } = await bed();
    const target = memory();
    await life.engine.backup(target);
    const last = `orders-0/${(await logsIn(target)).at(-1)}`;
    const file = await target.open(last, { create: "no" });
    file.truncate(file.byteLength() - 1);
    await file.close();
    const copy = await openEngine(target);
    await expect(produce(copy, "orders", 0, ["next"])).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
    await copy.engine.close();
    await life.engine.close();
  });

  it("says to who goes by Kafka's files that only what the original had settled need not be looked at", async () => {
    const { life } = await bed();
    const target = memory();
    await life.engine.backup(target);
    const [, , line] = text(await get(target, "recovery-point-offset-checkpoint")).split("\n");
    const [topic, partition, recoveryPoint] = (line as string).split(" ");
    const active = Number.parseInt((await logsIn(target)).at(-1) as string, 10);
    expect([topic, partition]).toEqual(["orders", "0"]);
    expect(active).toBeGreaterThan(0);
    expect(Number(recoveryPoint)).toBeLessThanOrEqual(active);
    expect(text(await get(target, "replication-offset-checkpoint"))).toBe("0\n1\norders 0 20\n");
    await life.engine.close();
  });

  it("that one partition refuses while another is being copied ends with that refusal, and leaves none that nobody hears", async () => {
    const { life, storage } = await bed(2);
    const unheard: unknown[] = [];
    const hear = (reason: unknown): void => void unheard.push(reason);
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const target = memory();
    const createDirectory = target.createDirectory.bind(target);
    target.createDirectory = async (directory) => {
      await turn();
      await createDirectory(directory);
    };
    storage.fail({ call: "list", name: /^orders-1$/, errno: "EIO" });
    process.on("unhandledRejection", hear);
    try {
      await expect(life.engine.backup(target)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
      await turn();
    } finally {
      process.off("unhandledRejection", hear);
    }
    expect(unheard).toEqual([]);
    await life.engine.close();
  });

  it("names what stands in its way, three of it at most", async () => {
    const { life } = await bed();
    const target = memory();
    for (const name of ["a", "b", "c", "d"]) await put(target, name, bytesOf(""));
    await expect(life.engine.backup(target)).rejects.toMatchObject({
      name: "UsageError",
      code: "INVALID_ARGUMENT",
      message: "backup(): expected an empty directory, found 4 entries, among them a, b, c",
    });
    await life.engine.close();
  });
});
