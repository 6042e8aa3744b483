/** An opening that fails: what held the directory lets it go, and what stood there stands as it was. */
import { describe, expect, it } from "vitest";
import { nodeCodecs } from "../../src/compression/node-codecs.ts";
import { startEngine } from "../../src/engine/start-engine.ts";
import { memory } from "../../src/storage/memory.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { bytesOf, core, get, put } from "../log/books/support.ts";
import { openEngine, produce, readPartition } from "../simulation/engine-rig.ts";

const holder = { pid: 1, runtime: "test", version: "0", since: "", argv: [], hostname: "" };

/** A directory with a record in it, closed in order. */
async function left(): Promise<ReturnType<typeof memory>> {
  const storage = memory();
  const life = await openEngine(storage);
  await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
  await produce(life, "orders", 0, ["a"]);
  await life.engine.close();
  return storage;
}

async function valuesIn(storage: ReturnType<typeof memory>): Promise<string[]> {
  const life = await openEngine(storage);
  const { records } = await readPartition(life, "orders", 0);
  await life.engine.close();
  return records.map(({ value }) => value);
}

describe("an opening", () => {
  it("that meets a catalogue which cannot be believed changes nothing, and lets the lock go", async () => {
    const storage = await left();
    const catalog = (await get(storage, "odradek.json")) as Uint8Array;
    await put(storage, "odradek.json", bytesOf("{"));
    const before = (await storage.list("")).map(({ name }) => name).sort();
    await expect(openEngine(storage)).rejects.toMatchObject({ name: "CorruptionError" });
    // The marker of a close in order among them: nobody has been here since.
    expect((await storage.list("")).map(({ name }) => name).sort()).toEqual(before);
    expect(before).toContain(".kafka_cleanshutdown");
    await put(storage, "odradek.json", catalog);
    expect(await valuesIn(storage)).toEqual(["a"]);
  });

  it("that is given up is told so by its signal, and the directory can be opened at once", async () => {
    const storage = await left();
    const reason = new Error("enough");
    const wiring = { clock: new ManualClock(), random: new SeededRandom(1), publish: undefined, holder, codecs: nodeCodecs(), core };
    const options = { readOnly: false, lock: "auto", allowNetworkFileSystem: false, offsetsFlushMs: 100, maxUnflushedBytes: 500 } as const;
    const starting = startEngine(wiring, storage, { ...options, topicDefaults: {}, signal: AbortSignal.abort(reason) });
    await expect(starting).rejects.toBe(reason);
    expect(await valuesIn(storage)).toEqual(["a"]);
  });

  it("while another has the directory is refused, and harms him nothing", async () => {
    const storage = await left();
    const life = await openEngine(storage);
    await expect(openEngine(storage)).rejects.toMatchObject({ name: expect.stringMatching(/Error$/) as string });
    await produce(life, "orders", 0, ["b"]);
    await life.engine.close();
    expect(await valuesIn(storage)).toEqual(["a", "b"]);
  });
});
