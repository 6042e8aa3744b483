/** Harm to what is derived, and misuse of what is promised: typed errors, nothing lost, and the neighbours are read as before. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Odradek, OdradekEvent, StorageDriver } from "../../src/api/index.ts";
import { OdradekError } from "../../src/base/errors.ts";
import { memory, utf8 } from "../../src/index.ts";
import { heard, openLog } from "./support.ts";

const text = { key: utf8, value: utf8 };

/** A keyed topic after compaction, a plain one beside it, transactions of both kinds in both, and a group moved on by them. */
async function life(log: Odradek): Promise<void> {
  await log.createTopic("keyed", { cleanupPolicy: "compact", segmentBytes: 600, minCleanableDirtyRatio: 0 });
  await log.createTopic("plain", { segmentBytes: 600 });
  const producer = log.producer({ ...text, transactionalId: "t" });
  const consumer = log.consumer({ ...text, groupId: "g", enableAutoCommit: false });
  await consumer.assign([{ topic: "plain", partition: 0 }]);
  for (let round = 0; round < 12; round += 1) {
    const aborts = round % 3 === 2;
    const body = producer.transaction(async (tx) => {
      await tx.send({ topic: "keyed", key: `k${round % 4}`, value: `keyed ${round}`.padEnd(80, aborts ? "-" : "+") });
      await tx.send({ topic: "plain", key: null, value: `plain ${round}`.padEnd(80, aborts ? "-" : "+") });
      tx.commitOffsets(consumer);
      if (aborts) throw new Error("taken back");
    });
    await body.catch((error: Error) => expect(error.message).toBe("taken back"));
    if (!aborts) await consumer.poll({ timeoutMs: 1000 });
    if (round === 8) await log.maintain();
  }
  await producer.close();
  await consumer.close();
}

/** Everything that a program can learn of it. */
async function answers(log: Odradek): Promise<unknown> {
  const table = await log.table("keyed", text);
  const keyed: [string, string][] = [];
  for await (const entry of table.entries()) keyed.push(entry);
  await table.close();
  const reader = log.consumer({ ...text });
  await reader.assign([{ topic: "plain", partition: 0 }]);
  const plain: string[] = [];
  for await (const { offset, value } of reader.records({ until: "end" })) plain.push(`${offset} ${value}`);
  await reader.close();
  const { offsets } = await log.describeGroup("g");
  return { keyed: new Map(keyed.sort()), plain, offsets: offsets.map(({ nextOffset }) => nextOffset) };
}

/** By name, "directory/file" or "file". */
type Files = Map<string, Uint8Array>;

async function filesOf(storage: StorageDriver): Promise<Files> {
  const files: Files = new Map();
  const take = async (directory: string): Promise<void> => {
    for (const { name, kind } of await storage.list(directory)) {
      const path = directory === "" ? name : `${directory}/${name}`;
      if (kind === "directory") {
        await take(path);
        continue;
      }
      const file = await storage.open(path, { create: "no" });
      const bytes = new Uint8Array(file.byteLength());
      file.readAt(bytes, 0);
      await file.close();
      files.set(path, bytes);
    }
  };
  await take("");
  return files;
}

async function storageOf(files: Files): Promise<StorageDriver> {
  const storage = memory();
  for (const [path, bytes] of files) {
    if (path.includes("/")) await storage.createDirectory(path.split("/")[0] as string);
    const file = await storage.open(path, { create: "new" });
    file.writeAt(bytes, 0);
    await file.sync();
    await file.close();
  }
  return storage;
}

/** What a directory held when its log was closed, and when it was left without a close. */
const left: { closed?: Files; killed?: Files; answers?: unknown } = {};

beforeAll(async () => {
  const storage = memory();
  const log = await openLog(storage);
  await life(log);
  left.answers = await answers(log);
  left.killed = await filesOf(storage);
  await log.close();
  left.closed = await filesOf(storage);
});

/** Opens what was left after `harm`, and holds every answer against those of before. */
async function opensAsBefore(how: "closed" | "killed", harm: (files: Files) => void): Promise<readonly OdradekEvent[]> {
  const files: Files = new Map([...(left[how] as Files)].map(([name, bytes]) => [name, bytes.slice()]));
  harm(files);
  const { events, onEvent } = heard();
  const log = await openLog(await storageOf(files), { onEvent });
  expect(await answers(log)).toEqual(left.answers);
  // And it goes on: the next transaction is written and read.
  const producer = log.producer({ ...text, transactionalId: "t" });
  const { offset } = await producer.transaction((tx) => tx.send({ topic: "plain", key: null, value: "after" }));
  expect((await log.read({ topic: "plain", partition: 0, offset }, text))?.value).toBe("after");
  await log.maintain();
  await log.close();
  return events;
}

const namesIn = (files: Files | undefined, wanted: RegExp): string[] =>
  [...(files as Files).keys()].filter((name) => wanted.test(name)).sort();

/** Each file by itself: one bit of every so many bytes, cut short, emptied, and gone. */
function* harms(files: Files, wanted: RegExp, step: number): Generator<[string, (files: Files) => void]> {
  for (const name of namesIn(files, wanted)) {
    const { byteLength } = files.get(name) as Uint8Array;
    for (let at = 0; at < byteLength; at += step)
      yield [`${name}, bit ${at % 8} of byte ${at}`, (all) => (((all.get(name) as Uint8Array)[at] as number) ^= 1 << (at % 8))];
    yield [`${name} cut short`, (all) => all.set(name, (all.get(name) as Uint8Array).slice(0, Math.max(0, byteLength - 3)))];
    yield [`${name} emptied`, (all) => all.set(name, new Uint8Array(0))];
    yield [`${name} gone`, (all) => void all.delete(name)];
  }
}

describe("harm to what can be made again from the log", () => {
  it.each([
    ["producer snapshots", /\.snapshot$/, "closed"],
    ["producer snapshots", /\.snapshot$/, "killed"],
    ["transaction indexes", /\.txnindex$/, "closed"],
    ["transaction indexes", /\.txnindex$/, "killed"],
  ] as const)("%s: %s of a log that was %s changes no answer", async (_, wanted, how) => {
    let count = 0;
    for (const [what, harm] of harms(left[how] as Files, wanted, 13)) {
      await opensAsBefore(how, harm).catch((error: unknown) => {
        throw new Error(`${what}: ${String(error)}`, { cause: error });
      });
      count += 1;
    }
    expect(count).toBeGreaterThan(4);
  });

  it("the cleaner's book: whatever stands in it, no newest value is lost and cleaning goes on", async () => {
    const name = "cleaner-offset-checkpoint";
    expect(left.closed?.has(name)).toBe(true);
    const texts = [
      "",
      "garbage",
      "0\n1\nkeyed 0 999999\n",
      "0\n1\nkeyed 0 -5\n",
      "0\n9\nkeyed 0 3\n",
      "7\n1\nkeyed 0 3\n",
      "0\n1\nnobody 0 3\n",
    ];
    for (const contents of texts) {
      const write = (files: Files): void => void files.set(name, new TextEncoder().encode(contents));
      await opensAsBefore("closed", write).catch((error: unknown) => {
        throw new Error(`${JSON.stringify(contents)}: ${String(error)}`, { cause: error });
      });
    }
  });
});

describe("harm to the record of a transaction's state", () => {
  it("is told by a typed error or a report, and takes no committed record with it", async () => {
    const [name] = namesIn(left.killed, /^__transaction_state-\d+\/\d+\.log$/);
    const { byteLength } = (left.killed as Files).get(name as string) as Uint8Array;
    let refused = 0;
    for (let at = 0; at < byteLength; at += 101) {
      const files: Files = new Map([...(left.closed as Files)].map(([each, bytes]) => [each, bytes.slice()]));
      ((files.get(name as string) as Uint8Array)[at] as number) ^= 1 << (at % 8);
      const log = await openLog(await storageOf(files));
      expect(await answers(log), `byte ${at}`).toEqual(left.answers);
      const other = log.producer({ ...text, enableIdempotence: false });
      await other.send({ topic: "plain", key: null, value: "beside it" });
      const producer = log.producer({ ...text, transactionalId: "t" });
      const begun = producer.transaction((tx) => tx.send({ topic: "plain", key: null, value: "after" }));
      const error: unknown = await begun.then(
        () => null,
        (refusal: unknown) => refusal,
      );
      if (error !== null) {
        expect(error, `byte ${at}`).toBeInstanceOf(OdradekError);
        refused += 1;
      }
      await log.close();
    }
    expect(refused).toBeGreaterThan(0);
  });
});

describe("what a program may not do", () => {
  const usage = (code: string): object => ({ name: "UsageError", code });

  async function bed(): Promise<Odradek> {
    const log = await openLog(memory());
    await log.createTopic("keyed", { cleanupPolicy: "compact" });
    await log.createTopic("plain");
    return log;
  }

  it("a record without a key is refused by a compacted topic, and whatever came with it is not appended", async () => {
    const log = await bed();
    for (const options of [{}, { enableIdempotence: false }, { compressionType: "gzip" as const }]) {
      const producer = log.producer({ ...text, ...options });
      const keyless = { topic: "keyed", key: null, value: "x" };
      await expect(producer.send(keyless)).rejects.toMatchObject(usage("INVALID_RECORD"));
      await expect(producer.sendBatch([{ topic: "keyed", key: "k", value: "x" }, keyless])).rejects.toMatchObject({ name: "UsageError" });
      expect((await log.describeTopic("keyed")).partitions[0]?.logEndOffset).toBe(0);
      await producer.send({ topic: "plain", key: null, value: "x" });
    }
    const producer = log.producer({ ...text });
    expect((await producer.send({ topic: "keyed", key: "k", value: "kept" })).offset).toBe(0);
  });

  it("a transaction within a transaction is refused, and the outer one commits", async () => {
    const log = await bed();
    const producer = log.producer({ ...text, transactionalId: "t" });
    await producer.transaction(async (tx) => {
      await expect(producer.transaction(async () => {})).rejects.toMatchObject(usage("CONCURRENT_CALL"));
      await expect(producer.send({ topic: "plain", value: "beside it" })).rejects.toMatchObject({ name: "UsageError" });
      await tx.send({ topic: "plain", value: "kept" });
    });
    expect((await log.read({ topic: "plain", partition: 0, offset: 0 }, text))?.value).toBe("kept");
  });

  it("a transaction's handle is of no use after its end, however it ended", async () => {
    const log = await bed();
    const producer = log.producer({ ...text, transactionalId: "t" });
    const consumer = log.consumer({ groupId: "g", enableAutoCommit: false });
    for (const aborts of [false, true]) {
      let kept: Parameters<Parameters<typeof producer.transaction>[0]>[0] | null = null;
      const ended = producer.transaction(async (tx) => {
        kept = tx;
        await tx.send({ topic: "plain", value: "x" });
        if (aborts) throw new Error("taken back");
      });
      await ended.catch(() => {});
      const tx = kept as unknown as Parameters<Parameters<typeof producer.transaction>[0]>[0];
      const end = (await log.describeTopic("plain")).partitions[0]?.logEndOffset;
      await expect(tx.send({ topic: "plain", value: "late" })).rejects.toMatchObject({ name: "UsageError" });
      await expect(tx.sendBatch([{ topic: "plain", value: "late" }])).rejects.toMatchObject({ name: "UsageError" });
      expect(() => tx.commitOffsets(consumer)).toThrow(expect.objectContaining({ name: "UsageError" }));
      expect((await log.describeTopic("plain")).partitions[0]?.logEndOffset).toBe(end);
    }
  });

  it("offsets go along only of a consumer with a group that does not commit by itself; the transaction is then aborted", async () => {
    const log = await bed();
    const producer = log.producer({ ...text, transactionalId: "t" });
    for (const consumer of [log.consumer({ groupId: "g" }), log.consumer(), {} as never, null as never]) {
      const ended = producer.transaction(async (tx) => {
        await tx.send({ topic: "plain", value: "taken back" });
        tx.commitOffsets(consumer);
      });
      await expect(ended).rejects.toMatchObject({ name: "UsageError" });
    }
    const reader = log.consumer({ ...text });
    await reader.assign([{ topic: "plain", partition: 0 }]);
    expect(await reader.poll({ timeoutMs: 0 })).toEqual([]);
    await producer.transaction((tx) => tx.send({ topic: "plain", value: "kept" }));
    expect((await reader.poll({ timeoutMs: 0 })).map(({ value }) => value)).toEqual(["kept"]);
  });

  it("a transaction whose sends nobody awaited is whole all the same, and one whose send failed is aborted", async () => {
    const log = await bed();
    const producer = log.producer({ ...text, transactionalId: "t" });
    await producer.transaction(async (tx) => {
      void tx.send({ topic: "plain", value: "a" });
      void tx.send({ topic: "keyed", key: "k", value: "b" });
    });
    const failing = producer.transaction(async (tx) => {
      void tx.send({ topic: "plain", value: "taken back" });
      void tx.send({ topic: "nowhere", value: "lost" }).catch(() => {});
    });
    await expect(failing).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    const reader = log.consumer({ ...text });
    await reader.assign([
      { topic: "plain", partition: 0 },
      { topic: "keyed", partition: 0 },
    ]);
    expect((await reader.poll({ timeoutMs: 0 })).map(({ value }) => value).sort()).toEqual(["a", "b"]);
  });

  it.each([[""], [5], [null], [{}], [true]])("a transactionalId is a text that is not empty, and %j is none", async (transactionalId) => {
    const log = await bed();
    expect(() => log.producer({ transactionalId: transactionalId as never })).toThrow(expect.objectContaining({ name: "UsageError" }));
    expect(() => log.producer({ transactionalId: "t", enableIdempotence: false })).toThrow(expect.objectContaining({ name: "UsageError" }));
  });

  it("a transactionalId of 249 characters, or with a prototype's name, is one; a longer one is none", async () => {
    const log = await bed();
    for (const transactionalId of ["x".repeat(249), "__proto__", "constructor", "\u{1f984}/.."]) {
      const producer = log.producer({ ...text, transactionalId });
      await producer.transaction((tx) => tx.send({ topic: "plain", value: transactionalId.slice(0, 9) }));
      await producer.close();
    }
    for (const length of [250, 70_000]) {
      expect(() => log.producer({ transactionalId: "x".repeat(length) })).toThrow(expect.objectContaining({ name: "UsageError" }));
    }
  });
});
