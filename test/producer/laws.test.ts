/** What holds for any program that sends: checked against a broker that answers late, out of order and sometimes not at all. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HeaderInput } from "../../src/api/bytes.ts";
import type { Producer, ProducerRecord, RecordMetadata } from "../../src/api/producer.ts";
import { SendBatchError, StorageError } from "../../src/base/errors.ts";
import { bytes } from "../../src/base/serde.ts";
import { loadCore } from "../../src/core/load-core.ts";
import {
  headersByteLength,
  loneBatchByteLength,
  recordByteLength,
  varintByteLength,
  type WireHeaders,
} from "../../src/producer/record-size.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import type { KeptRecord } from "./fake-broker.ts";
import { makeWorld, seeded } from "./world.ts";

const TOPICS: Readonly<Record<string, number>> = { single: 1, several: 3 };
const MESSAGE_BYTES_MAX = 800;
const NAME_BYTE_LENGTH = 4;

interface Fields {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly paddingByteLength: number;
  readonly headers: HeaderInput[] | undefined;
  readonly timestamp: number | undefined;
  readonly partition: number | undefined;
}

const header: fc.Arbitrary<HeaderInput> = fc.tuple(
  fc.string({ maxLength: 5, unit: "binary" }),
  fc.oneof(fc.constant(null), fc.string({ maxLength: 9 }), fc.uint8Array({ maxLength: 9 })),
);
const timestamp = fc.oneof(fc.nat(5000), fc.constantFrom(-1, 0, Number.MAX_SAFE_INTEGER), fc.maxSafeNat());
const fields: fc.Arbitrary<Fields> = fc
  .record({
    topic: fc.constantFrom(...Object.keys(TOPICS)),
    key: fc.option(fc.uint8Array({ maxLength: 40 }), { freq: 3 }),
    paddingByteLength: fc.oneof({ weight: 9, arbitrary: fc.nat(80) }, { weight: 1, arbitrary: fc.nat(600) }),
    headers: fc.option(fc.array(header, { maxLength: 3 }), { freq: 4, nil: undefined }),
    timestamp: fc.option(timestamp, { nil: undefined }),
    named: fc.option(fc.nat(2), { freq: 3, nil: undefined }),
  })
  .map(({ named, ...rest }) => ({ ...rest, partition: named === undefined ? undefined : named % (TOPICS[rest.topic] as number) }));

type Step =
  | { readonly kind: "send"; readonly records: readonly Fields[] }
  | { readonly kind: "batch"; readonly records: readonly Fields[] }
  | { readonly kind: "flush" }
  | { readonly kind: "turn" };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("send" as const), records: fc.tuple(fields) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("batch" as const), records: fc.array(fields, { maxLength: 30 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "flush" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "turn" as const }) },
);

const settings = fc.record({
  lingerMs: fc.constantFrom(0, 5),
  batchSize: fc.constantFrom(0, 200, 16384),
  bufferMemory: fc.constantFrom(900, 5000, 33_554_432),
});
const weather = fc.record({ seed: fc.integer(), failEvery: fc.constantFrom(0, 0, 4) });

/** A record that was sent, and what the program was told of it. */
interface Sent {
  readonly record: ProducerRecord<Uint8Array, Uint8Array>;
  told: RecordMetadata | Error | null;
}

class Program {
  readonly sent: Sent[] = [];
  readonly #producer: Producer<Uint8Array, Uint8Array>;
  readonly #ended: Promise<unknown>[] = [];

  constructor(producer: Producer<Uint8Array, Uint8Array>) {
    this.#producer = producer;
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "turn") await settled();
    else if (step.kind === "flush") this.#ended.push(this.#producer.flush());
    else if (step.kind === "send") this.#send(this.#make(step.records[0] as Fields));
    else this.#sendBatch(step.records.map((each) => this.#make(each)));
  }

  async ended(): Promise<void> {
    await Promise.all(this.#ended);
  }

  #make({ paddingByteLength, ...rest }: Fields): Sent {
    // The value begins with a number of its own, by which the record is known again.
    const value = new Uint8Array(NAME_BYTE_LENGTH + paddingByteLength);
    new DataView(value.buffer).setUint32(0, this.sent.length);
    const sent: Sent = { record: { ...rest, value }, told: null };
    this.sent.push(sent);
    return sent;
  }

  #send(sent: Sent): void {
    const tell = (told: RecordMetadata | Error): void => {
      sent.told = told;
    };
    this.#ended.push(this.#producer.send(sent.record).then(tell, tell));
  }

  #sendBatch(all: readonly Sent[]): void {
    const tell = (answers: readonly (RecordMetadata | Error)[]): void =>
      all.forEach((sent, i) => {
        sent.told = answers[i] ?? null;
      });
    const batch = this.#producer.sendBatch(all.map(({ record }) => record));
    this.#ended.push(
      batch.then(tell, (error: Error) => {
        if (!(error instanceof SendBatchError)) throw error;
        tell(error.results.map((result) => (result.status === "fulfilled" ? (result.value as RecordMetadata) : (result.reason as Error))));
      }),
    );
  }
}

function expectAsSent(kept: KeptRecord, { record }: Sent, clockMs: number): void {
  expect(kept.key).toStrictEqual(record.key ?? null);
  expect(kept.value).toStrictEqual(record.value);
  expect(kept.timestamp).toBe(record.timestamp ?? clockMs);
  const headers = (record.headers ?? []).map(([name, value]) => [
    name,
    typeof value === "string" ? new Uint8Array(Buffer.from(value)) : value,
  ]);
  expect(kept.headers).toStrictEqual(headers);
}

function everyPartition(): [topic: string, partition: number][] {
  return Object.entries(TOPICS).flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition): [string, number] => [topic, partition]),
  );
}

describe("a producer", () => {
  it("appends every record once, unaltered, in call order within its partition, within bufferMemory, and tells the truth of each", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), settings, weather, async (steps, options, { seed, failEvery }) => {
        const { broker, clock, producer } = makeWorld();
        for (const [name, count] of Object.entries(TOPICS)) broker.makeTopic(name, count, MESSAGE_BYTES_MAX);
        const random = seeded(seed);
        let [inFlightBytes, batchCount] = [0, 0];
        broker.refuse = () => {
          batchCount += 1;
          return failEvery > 0 && batchCount % failEvery === 0 ? new StorageError("STORAGE_FULL", "full") : null;
        };
        broker.onProduce = async ({ byteLength }) => {
          inFlightBytes += byteLength;
          expect(inFlightBytes).toBeLessThanOrEqual(options.bufferMemory);
          for (let turns = Math.floor(random.next() * 4); turns > 0; turns -= 1) await settled();
          inFlightBytes -= byteLength;
        };
        const clockMs = clock.now();
        const sender = producer({ ...options, key: bytes, value: bytes });
        const program = new Program(sender);
        for (const each of steps) await program.take(each);
        await sender.close();
        await program.ended();
        expect(clock.pendingCount).toBe(0);

        const appended = new Set<number>();
        for (const [topic, partition] of everyPartition()) {
          const names = broker.records(topic, partition).map((kept) => {
            const name = new DataView((kept.value as Uint8Array).buffer).getUint32(0);
            const sent = program.sent[name] as Sent;
            expectAsSent(kept, sent, clockMs);
            expect(sent.told).toStrictEqual({ topic, partition, offset: kept.offset, timestamp: kept.timestamp, durability: "power" });
            if (sent.record.partition !== undefined) expect(partition).toBe(sent.record.partition);
            appended.add(name);
            return name;
          });
          expect(names).toStrictEqual([...names].sort((a, b) => a - b));
          expect(new Set(names).size).toBe(names.length);
        }
        program.sent.forEach(({ told }, name) => {
          if (appended.has(name)) return;
          // It failed itself, or stood behind one that did: nothing overtakes.
          const cause = (told as { code?: string }).code === "OUT_OF_ORDER_SEQUENCE_NUMBER" ? (told as Error).cause : told;
          expect(cause).toMatchObject({ code: "STORAGE_FULL" });
        });
        if (failEvery === 0) expect(appended.size).toBe(program.sent.length);
      }),
      { numRuns: 150 },
    );
  });
});

describe("the size of a record", () => {
  it("is known to the byte before it is written", async () => {
    const { writer } = await loadCore();
    const wire: fc.Arbitrary<WireHeaders> = fc.array(
      fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 200 }))),
      {
        maxLength: 80,
      },
    );
    const one = fc.tuple(
      fc.option(fc.uint8Array({ maxLength: 300 })),
      fc.option(fc.uint8Array({ maxLength: 300 })),
      fc.option(wire),
      timestamp,
    );
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 200 }), (records) => {
        writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
        const base = records[0]?.[3] as number;
        records.forEach(([key, value, headers, at], i) => {
          const before = writer.byteLength;
          writer.append(key, value, headers, at);
          const lengths = [key === null ? -1 : key.length, value === null ? -1 : value.length, headersByteLength(headers)] as const;
          expect(writer.byteLength - before).toBe(recordByteLength(i, at - base, ...lengths));
          if (i === 0) expect(writer.byteLength).toBe(loneBatchByteLength(...lengths));
        });
      }),
    );
  });

  it("counts the bytes of any safe whole number as a varint", () => {
    const exact = (value: number): number => {
      let raw = BigInt(value) >= 0n ? BigInt(value) * 2n : BigInt(value) * -2n - 1n;
      let byteLength = 1;
      for (; raw >= 0x80n; raw >>= 7n) byteLength += 1;
      return byteLength;
    };
    for (let power = 0; power <= 53; power += 1) {
      for (const value of [2 ** power - 1, 2 ** power, 2 ** power + 1, -(2 ** power), -(2 ** power) - 1, 1 - 2 ** power]) {
        // A delta reaches from -1 to 2^53-1 and back: one beyond what is safe on its own.
        if (Math.abs(value) <= 2 ** 53) expect(varintByteLength(value), String(value)).toBe(exact(value));
      }
    }
    fc.assert(fc.property(fc.maxSafeInteger(), (value) => void expect(varintByteLength(value)).toBe(exact(value))));
  });
});
