/** `readOnly: true` beside a process that writes: everything durable is seen a moment later, in order and once, and nothing else is. */
import { afterAll, afterEach, expect, it } from "vitest";
import type { StorageDriver } from "../../src/index.ts";
import { nodeStorage, open, utf8 } from "../../src/index.ts";
import { temporaryDirectory } from "../face/support.ts";
import { Child, killAll, removeBundle } from "./children.ts";

afterEach(killAll);
afterAll(removeBundle);

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));
/** A look every 100 ms, and a machine that has other things to do. */
const SOON_MS = 5000;

async function soon<T>(ask: () => Promise<T>, isThere: (answer: T) => boolean): Promise<T> {
  const untilMs = Date.now() + SOON_MS;
  for (;;) {
    const answer = await ask();
    if (isThere(answer) || Date.now() > untilMs) return answer;
    await pause(20);
  }
}

it("a reader follows a writer over rolls, new partitions, new and deleted topics, and over its death and successor", async () => {
  const path = temporaryDirectory();
  const setUp = await open(path);
  await setUp.createTopic("t", { segmentBytes: 1 << 20 });
  await setUp.close();
  const reader = await open(path, { readOnly: true });
  const consumer = reader.consumer<string, string>({ key: utf8, value: utf8 });
  await consumer.assign([{ topic: "t", partition: 0 }]);
  const seen: string[] = [];
  const stop = new AbortController();
  let expected = 0;
  const reading = (async () => {
    for await (const { offset, value } of consumer.records({ signal: stop.signal })) {
      expect(offset).toBe(expected);
      expected += 1;
      seen.push(value as string);
    }
  })().catch((error: unknown) => {
    if (error !== stop.signal.reason) throw error;
  });

  const writer = await Child.start();
  await writer.order({ call: "open", path });
  await writer.order({ call: "produce", topic: "t", name: `first${"x".repeat(4000)}`, atOnce: 16 });
  await pause(500);
  await writer.kill();

  const next = await open(path);
  const { partitions } = await next.describeTopic("t");
  const end = partitions[0]!.logEndOffset;
  expect(end).toBeGreaterThan(0);
  const producer = next.producer<string, string>({ key: utf8, value: utf8 });
  const last = await producer.send({ topic: "t", key: "k", value: "of the successor" });
  await soon(
    async () => seen.length,
    (count) => count > last.offset,
  );
  expect(seen.length).toBe(last.offset + 1);
  expect(seen.at(-1)).toBe("of the successor");

  await next.createTopic("u");
  await next.createPartitions("u", 3);
  await producer.send({ topic: "u", partition: 2, value: "new" });
  const read = (): Promise<unknown> => reader.read({ topic: "u", partition: 2, offset: 0 }, { value: utf8 }).catch(() => null);
  expect(await soon(read, (record) => record !== null)).toMatchObject({ value: "new" });
  await next.deleteTopic("u");
  expect(
    await soon(
      () => reader.listTopics(),
      (names) => !names.includes("u"),
    ),
  ).toEqual(["t"]);

  stop.abort();
  await reading;
  await next.close();
  await reader.close();
}, 30_000);

/** The directory at `path`; once `held` says so, no flush of a file comes back before `release`. */
function slowDisk(path: string): { readonly storage: StorageDriver; hold(): void; release(): void } {
  const driver = nodeStorage(path);
  let gate: Promise<void> | null = null;
  let open: () => void = () => {};
  const storage = new Proxy(driver, {
    get(target, name) {
      if (name === "open") {
        return async (...given: Parameters<StorageDriver["open"]>) => {
          const file = await target.open(...given);
          const flush = file.sync.bind(file);
          file.sync = async () => {
            await gate;
            await flush();
          };
          return file;
        };
      }
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return {
    storage,
    hold() {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    release() {
      gate = null;
      open();
    },
  };
}

it("what is written to a sync topic is not shown before it is flushed", async () => {
  const path = temporaryDirectory();
  const disk = slowDisk(path);
  const writer = await open({ storage: disk.storage });
  await writer.createTopic("t");
  const producer = writer.producer<string, string, 1>({ key: utf8, value: utf8, acks: 1 });
  await producer.send({ topic: "t", value: "flushed" });
  await producer.flush();
  const reader = await open(path, { readOnly: true });
  const highWatermark = async (): Promise<number> => (await reader.describeTopic("t")).partitions[0]!.highWatermark;
  expect(await soon(highWatermark, (offset) => offset === 1)).toBe(1);
  disk.hold();
  await producer.send({ topic: "t", value: "written alone" });
  await pause(350);
  expect(await highWatermark()).toBe(1);
  // Nor to one who comes now.
  const late = await open(path, { readOnly: true });
  expect((await late.describeTopic("t")).partitions[0]!.highWatermark).toBe(1);
  await late.close();
  disk.release();
  expect(await soon(highWatermark, (offset) => offset === 2)).toBe(2);
  await reader.close();
  await writer.close();
}, 30_000);

it("what is written to an os topic is shown, and records of a transaction only behind its marker", async () => {
  const path = temporaryDirectory();
  const writer = await open(path);
  await writer.createTopic("os", { durability: "os" });
  await writer.createTopic("x");
  const reader = await open(path, { readOnly: true });
  const highWatermark = async (topic: string): Promise<number> => (await reader.describeTopic(topic)).partitions[0]!.highWatermark;
  const stable = async (topic: string): Promise<number> => (await reader.describeTopic(topic)).partitions[0]!.lastStableOffset;

  const plain = writer.producer<string, string>({ key: utf8, value: utf8 });
  await plain.send({ topic: "os", value: "written" });
  expect(
    await soon(
      () => highWatermark("os"),
      (offset) => offset === 1,
    ),
  ).toBe(1);

  const producer = writer.producer<string, string>({ key: utf8, value: utf8, transactionalId: "tx" });
  await producer.transaction(async (tx) => {
    await tx.send({ topic: "x", value: "in doubt" });
    expect(
      await soon(
        () => highWatermark("x"),
        (offset) => offset === 1,
      ),
    ).toBe(1);
    expect(await stable("x")).toBe(0);
    expect(await reader.read({ topic: "x", partition: 0, offset: 0 })).toBeNull();
  });
  expect(
    await soon(
      () => stable("x"),
      (offset) => offset === 2,
    ),
  ).toBe(2);
  await reader.close();
  await writer.close();
}, 30_000);
