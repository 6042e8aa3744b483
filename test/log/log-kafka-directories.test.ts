/** Directories that Kafka's own classes wrote: read, recovered and left as Kafka would leave them, byte for byte. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { viewOf } from "../../src/log/batch/batch-header.ts";
import { memory } from "../../src/storage/memory.ts";
import { opened, type RigOptions, send } from "./log-rig.ts";
import { oldMessage } from "./older-message.ts";

const GOLDEN = new URL("../fixtures/golden/", import.meta.url);
const TOPIC_ID = /topic_id: (.*)$/.exec(readFileSync(new URL("data-clean/orders-0/partition.metadata", GOLDEN), "utf8"))?.[1] ?? "";
const OPTIONS: RigOptions = { topicId: TOPIC_ID, config: { segmentBytes: 1000, indexIntervalBytes: 100, segmentIndexBytes: 1200 } };
const KAFKAS = /\.(log|index|timeindex|txnindex|snapshot)$|^partition\.metadata$/;

async function load(name: string): Promise<StorageDriver> {
  const storage = memory();
  await storage.createDirectory("orders-0");
  for (const [file, bytes] of golden(name)) await put(storage, file, bytes);
  return storage;
}

async function put(storage: StorageDriver, name: string, bytes: Uint8Array): Promise<void> {
  const file = await storage.open(`orders-0/${name}`, { create: "if-missing" });
  file.truncate(0);
  if (bytes.length > 0) file.writeAt(bytes, 0);
  await file.close();
}

function golden(name: string): Map<string, Uint8Array> {
  const directory = new URL(`${name}/orders-0/`, GOLDEN);
  return new Map(readdirSync(directory).map((file) => [file, new Uint8Array(readFileSync(new URL(file, directory)))]));
}

async function contents(storage: StorageDriver): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const { name } of await storage.list("orders-0")) {
    const file = await storage.open(`orders-0/${name}`, { create: "no", readOnly: true });
    const bytes = new Uint8Array(file.byteLength());
    file.readAt(bytes, 0);
    found.set(name, bytes);
    await file.close();
  }
  return found;
}

function kafkas(files: ReadonlyMap<string, Uint8Array>): [string, Uint8Array][] {
  return [...files].filter(([name]) => KAFKAS.test(name)).sort(([left], [right]) => (left < right ? -1 : 1));
}

/** First and last offset of every batch, read from `from` on. */
async function batches(log: {
  read(offset: number, maxBytes: number): Promise<Uint8Array>;
  watermarks: { logEndOffset: number };
}): Promise<[number, number][]> {
  const found: [number, number][] = [];
  for (let offset = 0; offset < log.watermarks.logEndOffset; ) {
    const view = viewOf(await log.read(offset, 1));
    const base = view.getInt32(0) * 2 ** 32 + view.getUint32(4);
    const last = base + view.getInt32(23);
    found.push([base, last]);
    offset = last + 1;
  }
  return found;
}

const ALL: [number, number][] = [
  ...[0, 2, 4, 6, 8, 10].map((base): [number, number] => [base, base + 1]),
  ...[12, 13, 14, 15].map((base): [number, number] => [base, base]),
  [16, 17],
  ...[18, 19, 20].map((base): [number, number] => [base, base]),
];

describe("a partition that Kafka closed cleanly", () => {
  it("is read whole, and closed again it is what Kafka left, byte for byte", async () => {
    const storage = await load("data-clean");
    const { log } = await opened(storage, { ...OPTIONS, cleanShutdown: true, checkpoint: { recoveryPoint: 21, logStartOffset: 0 } });
    expect(await batches(log)).toEqual(ALL);
    await log.close(true);
    expect(kafkas(await contents(storage))).toEqual(kafkas(golden("data-clean")));
  });

  it("takes appends where Kafka stopped", async () => {
    const storage = await load("data-clean");
    const { log } = await opened(storage, { ...OPTIONS, cleanShutdown: true });
    expect(await send(log, "ours")).toMatchObject({ baseOffset: 21 });
    await log.close(true);
    const again = await opened(storage, { ...OPTIONS, cleanShutdown: true });
    expect(await batches(again.log)).toEqual([...ALL, [21, 21]]);
    await again.log.close(true);
  });

  it("frozen, changes nothing on disk at all", async () => {
    for (const name of ["data-clean", "data-crash", "data-torn"]) {
      const storage = await load(name);
      await put(storage, "00000000000000000000.log.deleted", new Uint8Array([1]));
      await put(storage, "notes.txt", new Uint8Array([2]));
      const before = await contents(storage);
      const { log } = await opened(storage, { ...OPTIONS, frozen: true, cleanShutdown: name === "data-clean" });
      expect((await batches(log)).slice(0, 11)).toEqual(ALL.slice(0, 11));
      await expect(send(log, "no")).rejects.toMatchObject({ code: "TOPIC_NOT_ADOPTED" });
      await log.close(true);
      expect(await contents(storage)).toEqual(before);
    }
  });

  it("opens with sidecars missing and leftovers about, which it tidies as Kafka does; what it does not know it leaves", async () => {
    const storage = await load("data-clean");
    for (const name of ["00000000000000000000.index", "00000000000000000016.timeindex", "00000000000000000016.index"])
      await storage.remove(`orders-0/${name}`);
    await put(storage, "00000000000000000007.log.deleted", new Uint8Array([1]));
    await put(storage, "00000000000000000000.log.cleaned", new Uint8Array([1]));
    await put(storage, "00000000000000000005.index", new Uint8Array([1]));
    await put(storage, "notes.txt", new Uint8Array([2]));
    const { log } = await opened(storage, { ...OPTIONS, cleanShutdown: true });
    expect(await batches(log)).toEqual(ALL);
    await log.close(true);
    const names = [...(await contents(storage)).keys()];
    expect(names).toContain("notes.txt");
    expect(names.filter((name) => /deleted|cleaned|00005/.test(name))).toEqual([]);
  });
});

describe("a partition that Kafka left in a crash", () => {
  it("with full-size indexes, is recovered to the files a clean stop leaves", async () => {
    const storage = await load("data-crash");
    const { log, events } = await opened(storage, OPTIONS);
    expect(await batches(log)).toEqual(ALL);
    expect(events.filter((event) => event.type === "recovery.cut")).toEqual([]);
    await log.close(true);
    expect(kafkas(await contents(storage))).toEqual(kafkas(golden("data-clean")));
  });

  it("with a torn tail, is cut to the files Kafka's own recovery leaves, and says so", async () => {
    const storage = await load("data-torn");
    const { log, events } = await opened(storage, OPTIONS);
    const recovered = golden("data-torn-recovered");
    expect(events.filter((event) => event.type === "recovery.cut")).toMatchObject([{ fields: { firstOffset: 20 } }]);
    await log.close(true);
    expect(kafkas(await contents(storage))).toEqual(kafkas(recovered));
  });
});

/** From BUILD-LOG.txt: producer 5000 wrote offset 12 and aborted at 14; 5001 wrote 13 and committed at 15. */
const ABORTED = [{ producerId: 5000n, firstOffset: 12, lastOffset: 14, lastStableOffset: 13 }];

describe("the producers and transactions that Kafka left", () => {
  it("are known: sequences go on where they stopped, and the aborted transaction is told", async () => {
    for (const [name, cleanShutdown, next] of [["data-clean", true, 21] as const, ["data-torn", false, 20] as const]) {
      const { log } = await opened(await load(name), { ...OPTIONS, cleanShutdown });
      expect([...log.producers.lastEntries()]).toEqual([
        { producerId: 4000n, producerEpoch: 0, lastDataOffset: next - 1 },
        { producerId: 5000n, producerEpoch: 0, lastDataOffset: 12 },
        { producerId: 5001n, producerEpoch: 2, lastDataOffset: 13 },
      ]);
      expect(log.watermarks.lastStableOffset).toBe(next);
      expect(await log.abortedTransactions(0, 16)).toEqual(ABORTED);
      expect(await log.abortedTransactions(15, 21)).toEqual([]);
      await log.close(true);
    }
  });

  const KINDS = [/snapshot$/, /txnindex$/, /snapshot$|txnindex$/];
  it("are found again in the log where the files are missing or were flipped, and what is found is what Kafka wrote, byte for byte", async () => {
    for (const kind of KINDS) {
      for (const harm of ["missing", "flipped"] as const) {
        for (const cleanShutdown of [true, false]) {
          const storage = await load(cleanShutdown ? "data-clean" : "data-crash");
          for (const [name, bytes] of await contents(storage)) {
            if (!kind.test(name)) continue;
            if (harm === "missing") await storage.remove(`orders-0/${name}`);
            // The version: what a broker looks at, having no sums of a transaction index.
            else
              await put(
                storage,
                name,
                bytes.map((byte, at) => (at === 1 ? byte ^ 4 : byte)),
              );
          }
          const { log } = await opened(storage, { ...OPTIONS, cleanShutdown });
          const known = [...log.producers.lastEntries()].map(({ lastDataOffset }) => lastDataOffset);
          expect(known).toEqual([20, 12, 13]);
          // That a broker's own index is missing nobody can tell without reading all of the log.
          if (harm === "flipped" || !cleanShutdown) expect(await log.abortedTransactions(0, 16)).toEqual(ABORTED);
          await log.close(true);
          const left = (await contents(storage)).get("00000000000000000021.snapshot");
          expect(left).toEqual(golden("data-clean").get("00000000000000000021.snapshot"));
        }
      }
    }
  });
});

describe("a message of magic 0 or 1", () => {
  it("is refused by name and never cut", async () => {
    for (const cleanShutdown of [true, false]) {
      const storage = await load("data-clean");
      const old = oldMessage();
      const before = golden("data-clean").get("00000000000000000016.log") as Uint8Array;
      await put(storage, "00000000000000000016.log", new Uint8Array([...before, ...old]));
      const { log } = await opened(storage, { ...OPTIONS, cleanShutdown });
      expect(log.failure).toMatchObject({ code: "UNSUPPORTED_MAGIC" });
      await expect(send(log, "no")).rejects.toMatchObject({ code: "UNSUPPORTED_MAGIC" });
      await expect(log.read(21, 100)).rejects.toMatchObject({ code: "UNSUPPORTED_MAGIC" });
      await log.close(true);
      expect((await contents(storage)).get("00000000000000000016.log")?.length).toBe(before.length + old.length);
    }
  });
});
