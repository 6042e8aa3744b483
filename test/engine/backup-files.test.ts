/** Files that go, shrink or are refused while a backup copies them. */
import { describe, expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { type FaultyStorage, faultyStorage } from "../../src/testing/faulty-storage.ts";
import { bytesOf, get, put } from "../log/books/support.ts";
import { type Life, openEngine, readPartition, watched } from "../simulation/engine-rig.ts";

const FIRST = "orders-0/00000000000000000000.log";

async function bed(): Promise<{ readonly life: Life; readonly inner: ReturnType<typeof memory>; readonly storage: FaultyStorage }> {
  const inner = memory();
  const storage = faultyStorage(inner);
  const life = await openEngine(storage);
  await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
  const { core } = life.engine;
  const identity = await life.engine.initProducerId({ transactionalId: null, transactionTimeoutMs: 0 });
  for (let sequence = 0; sequence < 20; sequence += 1) {
    core.writer.begin({ ...identity, baseSequence: sequence, transactional: false });
    core.writer.append(null, new Uint8Array(50).fill(97), null, life.clock.now());
    await life.engine.produce({ topic: "orders", partition: 0, batch: core.writer.finish(), acks: "all" });
  }
  return { life, inner, storage };
}

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
    const found: [name: string, byteLength: number][] = [];
    for (const directory of ["", ...(await made.list("")).flatMap(({ kind, name }) => (kind === "directory" ? [name] : []))])
      for (const { kind, name } of await made.list(directory)) {
        const path = directory === "" ? name : `${directory}/${name}`;
        if (kind === "file") found.push([path, (await get(made, path))?.byteLength ?? 0]);
      }
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
