/**
 * Keys of text and values of bytes, sent by `sendBatch`, are written without being made into anything first. What comes of it is what the
 * same serdes give where nobody knows them: the same batches, answers and errors.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SendBatchError, StorageError } from "../../src/base/errors.ts";
import { bytes, utf8 } from "../../src/base/serde.ts";
import type { KeptRecord } from "./fake-broker.ts";
import { makeWorld, refusal } from "./world.ts";

const QUICK = { key: utf8, value: bytes };
/** By what they do the same, and not the same objects. */
const PLAIN = { key: { ...utf8 }, value: { ...bytes } };
const topic = "orders";
const MESSAGE_BYTES_MAX = 400;

interface Sent {
  readonly topic: string;
  readonly key?: string | null | undefined;
  readonly value: Uint8Array | null;
  readonly headers?: [string, string][] | undefined;
  readonly timestamp?: number | undefined;
  readonly partition?: number | undefined;
}

interface Told {
  readonly batches: readonly number[];
  readonly kept: readonly (readonly KeptRecord[])[];
  readonly answers: unknown;
}

/** What becomes of a call whose topics are known, and again of the same call. */
async function sendTwice(serdes: object, records: readonly Sent[], partitionCount: number): Promise<Told> {
  const { broker, producer } = makeWorld();
  for (const name of [topic, "other"]) broker.makeTopic(name, partitionCount, MESSAGE_BYTES_MAX);
  const sender = producer<string, Uint8Array>(serdes as never);
  await sender.sendBatch([topic, "other"].map((name) => ({ topic: name, partition: 0, value: new Uint8Array(1) })));
  const answers: unknown[] = [];
  for (let call = 0; call < 2; call += 1) {
    answers.push(await sender.sendBatch(records as never).catch((error: Error) => ({ name: error.name, message: error.message })));
  }
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  return {
    batches: broker.batches.map(({ byteLength }) => byteLength),
    kept: [topic, "other"].flatMap((name) => partitions.map((partition) => broker.records(name, partition))),
    answers,
  };
}

const anyKey = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 70 }) },
  { weight: 1, arbitrary: fc.constantFrom("x".repeat(64), "x".repeat(65), "\ud800", "é", "") },
  { weight: 1, arbitrary: fc.constantFrom(null, undefined) },
);
const anySent: fc.Arbitrary<Sent> = fc.record(
  {
    topic: fc.oneof({ weight: 15, arbitrary: fc.constant(topic) }, { weight: 1, arbitrary: fc.constant("other") }),
    key: anyKey,
    value: fc.oneof({ weight: 9, arbitrary: fc.uint8Array({ maxLength: 60 }) }, { weight: 1, arbitrary: fc.constant(null) }),
    headers: fc.oneof(
      { weight: 9, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constant([["h", "1"]] as [string, string][]) },
    ),
    timestamp: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat() }),
    partition: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(0, 1) }),
  },
  { requiredKeys: ["topic", "value"] },
);
/** What goes the quick way to its end, in one batch and in several. */
const anyPlain: fc.Arbitrary<Sent> = fc.record(
  {
    topic: fc.constant(topic),
    key: fc.oneof(
      { weight: 19, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 12 }) },
      { weight: 1, arbitrary: fc.constant("é") },
    ),
    value: fc.uint8Array({ minLength: 1, maxLength: 90, size: "max" }),
    timestamp: fc.oneof({ weight: 19, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat() }),
  },
  { requiredKeys: ["topic", "key", "value"] },
);
const anyCall = fc.oneof(
  fc.array(anySent, { minLength: 1, maxLength: 25 }),
  fc.array(anyPlain, { minLength: 1, maxLength: 25, size: "max" }),
);

describe("text and bytes by sendBatch", () => {
  it("come to the same batches, answers and errors as by serdes that nobody knows", async () => {
    const seen = { several: 0, errors: 0 };
    await fc.assert(
      fc.asyncProperty(anyCall, fc.constantFrom(1, 1, 2), async (records, partitionCount) => {
        const [quick, plain] = [await sendTwice(QUICK, records, partitionCount), await sendTwice(PLAIN, records, partitionCount)];
        expect(quick).toStrictEqual(plain);
        if (quick.batches.length > 6) seen.several += 1;
        if (!Array.isArray((quick.answers as unknown[])[0])) seen.errors += 1;
      }),
      { numRuns: 400, endOnFailure: true },
    );
    // Else the property says less than it seems to.
    expect(seen.several).toBeGreaterThan(50);
    expect(seen.errors).toBeGreaterThan(5);
  });

  it("read each field of a record once", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer(QUICK);
    await sender.sendBatch([{ topic, key: "first", value: new Uint8Array(1) }]);
    for (const key of ["ascii", "später", "x".repeat(65), null]) {
      const reads: string[] = [];
      const record = new Proxy(
        { topic, key, value: new Uint8Array(3) },
        {
          get(target, field, self) {
            reads.push(String(field));
            return Reflect.get(target, field, self);
          },
        },
      );
      // Not the first: of that one it is asked before where the call may go.
      await sender.sendBatch([{ topic, key: "before", value: new Uint8Array(1) }, record]);
      expect(reads.sort(), `${key}`).toEqual(["headers", "key", "partition", "timestamp", "topic", "value"]);
    }
  });

  it("keep to call order when a field of a record, read, itself sends", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer(QUICK);
    const plain = (key: string) => ({ topic, key, value: new Uint8Array(1) });
    await sender.sendBatch([plain("first")]);
    let inner: Promise<unknown> = Promise.resolve();
    const sly = {
      ...plain("sly"),
      get partition() {
        inner = sender.sendBatch([plain("inner")]);
        return 0;
      },
    };
    await sender.sendBatch([plain("before"), sly, plain("behind")]);
    await inner;
    const keys = broker.records(topic).map(({ key }) => new TextDecoder().decode(key as Uint8Array));
    // The getter was run: what was written so far was lost with the writer, and all of it went another way, behind what was sent inside.
    expect(keys.filter((key) => key !== "inner")).toEqual(["first", "before", "sly", "behind"]);
    expect(keys.indexOf("inner")).toBeGreaterThan(0);
  });

  it("refuse a value whose memory was handed over, wherever in the call it stands, and append nothing", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer(QUICK);
    const good = { topic, key: "good", value: new Uint8Array(1) };
    await sender.sendBatch([good]);
    const gone = new Uint8Array(8);
    structuredClone(gone, { transfer: [gone.buffer] });
    for (const records of [[{ ...good, value: gone }], [good, { ...good, value: gone }, good]]) {
      expect((await refusal(sender.sendBatch(records))).code).toBe("SERIALIZATION_FAILED");
    }
    await sender.sendBatch([{ ...good, value: new Uint8Array(0) }]);
    expect(broker.records(topic).map(({ value }) => value?.length)).toEqual([1, 0]);
  });

  it("tell of each batch of a call what became of it", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1, MESSAGE_BYTES_MAX);
    const sender = producer({ ...QUICK, enableIdempotence: false });
    const record = { topic, key: "k", value: new Uint8Array(100) };
    await sender.sendBatch([record]);
    const full = new StorageError("STORAGE_FULL", "no room");
    let count = 0;
    broker.refuse = () => {
      count += 1;
      return count === 2 ? full : null;
    };
    const error = (await refusal(sender.sendBatch(new Array(7).fill(record)))) as SendBatchError;
    expect(error).toBeInstanceOf(SendBatchError);
    expect(error.message).toContain("3 of 7");
    expect(error.cause).toBe(full);
    const fulfilled = (offset: number) => ({
      status: "fulfilled",
      value: { topic, partition: 0, offset, timestamp: 1_000_000, durability: "power" },
    });
    const rejected = { status: "rejected", reason: full };
    // The first batch, written before it is known what comes, is cut by how long its records may be; those behind it to the byte.
    expect(error.results).toEqual([fulfilled(1), fulfilled(2), rejected, rejected, rejected, fulfilled(3), fulfilled(4)]);
  });
});
