/**
 * `readOnly: true` beside a writer that rolls, compacts and deletes: an offset is never another record's, none is seen twice or out of order, of each key the
 * newest is seen, and a reader that retention has overtaken goes on where the log now begins.
 */
import { afterEach, expect, it, vi } from "vitest";
import type { Odradek, OpenOptions } from "../../src/index.ts";
import { open, utf8 } from "../../src/index.ts";
import { temporaryDirectory } from "../face/support.ts";

const logs: Odradek[] = [];

afterEach(async () => {
  for (const log of logs.splice(0).reverse()) await log.close();
});

async function opened(path: string, options: OpenOptions = {}): Promise<Odradek> {
  const log = await open(path, options);
  logs.push(log);
  return log;
}

/** Of what the writer holds now, by offset. */
async function contentOf(log: Odradek, topic: string): Promise<Map<number, string>> {
  const consumer = log.consumer<string, string>({ key: utf8, value: utf8 });
  await consumer.assign([{ topic, partition: 0 }]);
  consumer.seek({ topic, partition: 0 }, "earliest");
  const found = new Map<number, string>();
  for await (const { offset, key, value } of consumer.records({ until: "end" })) found.set(offset, `${key}=${value}`);
  await consumer.close();
  return found;
}

/** Reads on and on; whatever it is given must be what was written there, and rise. */
function following(
  reader: Odradek,
  topic: string,
  written: ReadonlyMap<number, string>,
): { readonly seen: number[]; stop(): Promise<void> } {
  const stop = new AbortController();
  const seen: number[] = [];
  const reading = (async () => {
    const consumer = reader.consumer<string, string>({ key: utf8, value: utf8, autoOffsetReset: "earliest" });
    await consumer.assign([{ topic, partition: 0 }]);
    for await (const { offset, key, value } of consumer.records({ signal: stop.signal })) {
      expect(`${offset}: ${key}=${value}`).toBe(`${offset}: ${written.get(offset)}`);
      expect(offset).toBeGreaterThan(seen.at(-1) ?? -1);
      seen.push(offset);
    }
  })().catch((error: unknown) => {
    if (error !== stop.signal.reason) throw error;
  });
  // Until somebody awaits it.
  reading.catch(() => {});
  return {
    seen,
    async stop() {
      stop.abort();
      await reading;
    },
  };
}

it("a reader follows a compacted topic through its rounds: the newest of each key, and never another record at an offset", async () => {
  const path = temporaryDirectory();
  const writer = await opened(path);
  await writer.createTopic("keys", { cleanupPolicy: "compact", segmentBytes: 65_536, minCleanableDirtyRatio: 0 });
  const reader = await opened(path, { readOnly: true });
  const written = new Map<number, string>();
  const newest = new Map<string, number>();
  // Written before it is sent: a reader may be quicker than our own answer.
  const producer = writer.producer<string, string>({ key: utf8, value: utf8 });
  const follower = following(reader, "keys", written);
  let next = 0;
  let reclaimed = 0;
  for (let round = 0; round < 8; round += 1) {
    for (let turn = 0; turn < 10; turn += 1) {
      const records = Array.from({ length: 40 }, (_, index) => ({
        topic: "keys",
        key: `k${(index * 7 + round) % 50}`,
        value: `${round}.${turn}.${index}`.padEnd(300, "x"),
      }));
      for (const { key, value } of records) {
        newest.set(key, next);
        written.set(next++, `${key}=${value}`);
      }
      await producer.sendBatch(records);
    }
    reclaimed += (await writer.maintain()).bytesReclaimed;
  }
  expect(reclaimed).toBeGreaterThan(100_000);
  const now = await contentOf(writer, "keys");
  // The reader comes to the same content, and one that comes now does too.
  await vi.waitFor(async () => expect(await contentOf(reader, "keys")).toEqual(now), { timeout: 10_000, interval: 100 });
  const late = await opened(path, { readOnly: true });
  expect(await contentOf(late, "keys")).toEqual(now);
  await vi.waitFor(() => expect(follower.seen.at(-1)).toBe(next - 1), { timeout: 10_000 });
  await follower.stop();
  const seen = new Set(follower.seen);
  for (const [key, offset] of newest) expect([key, seen.has(offset)]).toEqual([key, true]);
}, 60_000);

it("a reader follows retention: what was deleted is gone for it too, and one in the middle of it goes on where the log begins", async () => {
  const path = temporaryDirectory();
  const writer = await opened(path);
  await writer.createTopic("short", { segmentBytes: 65_536, retentionBytes: 200_000 });
  const reader = await opened(path, { readOnly: true });
  const written = new Map<number, string>();
  const producer = writer.producer<string, string>({ key: utf8, value: utf8 });
  const follower = following(reader, "short", written);
  // Stands at the first record, and reads on when all of that has been deleted.
  const slow = reader.consumer<string, string>({ key: utf8, value: utf8, autoOffsetReset: "earliest" });
  await slow.assign([{ topic: "short", partition: 0 }]);
  let next = 0;
  let first: number | undefined;
  let deleted = 0;
  for (let round = 0; round < 20; round += 1) {
    const records = Array.from({ length: 100 }, (_, index) => ({ topic: "short", key: "k", value: `${round}.${index}`.padEnd(500, "x") }));
    for (const { value } of records) written.set(next++, `k=${value}`);
    await producer.sendBatch(records);
    if (round === 0) {
      first = (await slow.poll({ maxRecords: 1, timeoutMs: 10_000 }))[0]?.offset;
    }
    deleted += (await writer.maintain()).segmentsDeleted;
  }
  expect(first).toBe(0);
  expect(deleted).toBeGreaterThan(5);
  const now = await contentOf(writer, "short");
  const [start] = now.keys();
  expect(start).toBeGreaterThan(0);
  await vi.waitFor(async () => expect(await contentOf(reader, "short")).toEqual(now), { timeout: 10_000, interval: 100 });
  await vi.waitFor(() => expect(follower.seen.at(-1)).toBe(next - 1), { timeout: 10_000 });
  await follower.stop();
  const rest: number[] = [];
  while (rest.at(-1) !== next - 1) {
    for (const { offset, value } of await slow.poll({ timeoutMs: 5000 })) {
      expect(`k=${value}`).toBe(written.get(offset));
      expect(offset).toBeGreaterThan(rest.at(-1) ?? 0);
      rest.push(offset);
    }
  }
  await slow.close();
  // And records that were deleted by hand.
  await writer.deleteRecords({ topic: "short", partition: 0 }, next - 5);
  await vi.waitFor(async () => expect((await reader.describeTopic("short")).partitions[0]?.logStartOffset).toBe(next - 5), {
    timeout: 10_000,
  });
  expect([...(await contentOf(reader, "short")).keys()]).toEqual([next - 5, next - 4, next - 3, next - 2, next - 1]);
}, 60_000);
