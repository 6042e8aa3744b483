/**
 * Whatever comes through a channel, the owner lives, answers in words or hangs up, and holds little more than what it was sent: frames of every
 * kind, whole, cut, bent and made up, go to a session over a log in memory.
 */
import * as fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { CALLS } from "../../src/attached/calls.ts";
import type { Channel, ChannelListener } from "../../src/attached/channel.ts";
import {
  FRAME_BYTE_LENGTH_MAX,
  FrameCutter,
  frameParts,
  HELLO_BYTE_LENGTH_MAX,
  KIND,
  PROTOCOL_VERSION,
  parseFrame,
} from "../../src/attached/frame.ts";
import { Serving } from "../../src/attached/serving.ts";
import { systemClock } from "../../src/base/clock.ts";
import { OdradekError } from "../../src/base/errors.ts";
import { memory, type Odradek, open } from "../../src/index.ts";
import { keeperOf } from "../../src/keepers.ts";
import { nodeStorage } from "../../src/storage/node.ts";

const PULSE = { everyMs: 5000, silentMs: 20_000 };
const joined = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(parts));
const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** Cuts as a socket does, and hangs up on what no frame is. */
class FakeChannel implements Channel {
  readonly key = "the key";
  readonly isTrusted = true;
  readonly unsentByteLength = 0;
  readonly sent: Uint8Array<ArrayBuffer>[] = [];
  isOver = false;
  #listener: ChannelListener | null = null;
  readonly #cutter: FrameCutter = new FrameCutter((frame) => this.#listener?.frame(frame));

  push(piece: Uint8Array<ArrayBuffer>): void {
    if (this.isOver) return;
    try {
      this.#cutter.push(piece);
    } catch (error) {
      expect(error).toBeInstanceOf(OdradekError);
      void this.close();
    }
  }

  start(listener: ChannelListener): void {
    this.#listener = listener;
  }

  send(parts: readonly Uint8Array[]): void {
    if (!this.isOver) this.sent.push(joined(parts));
  }

  trust(): void {
    this.#cutter.byteLengthMax = FRAME_BYTE_LENGTH_MAX;
  }

  pause(): void {}
  resume(): void {}
  keepAlive(): void {}

  async close(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    this.#listener?.ended(null);
  }
}

const small = fc.oneof(
  fc.integer(),
  fc.string({ maxLength: 8 }),
  fc.boolean(),
  fc.constant(null),
  fc.double(),
  fc.uint8Array({ maxLength: 90 }),
);
const field = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "topic",
      "partition",
      "offset",
      "groupId",
      "memberId",
      "partitions",
      "members",
      "producerId",
      "producerEpoch",
    ),
  },
  fc.constantFrom(
    "transactionalId",
    "acks",
    "batch",
    "config",
    "topics",
    "maxBytes",
    "maxWaitMs",
    "generation",
    "offsets",
    "__proto__",
    "constructor",
  ),
);
const likely = fc.oneof({ weight: 3, arbitrary: small }, fc.constantFrom<unknown>("t", 0, "g", "", -1, 1));
const object = fc.dictionary(
  field,
  fc.oneof({ weight: 4, arbitrary: likely }, fc.array(fc.dictionary(field, likely, { maxKeys: 5 }), { maxLength: 3 })),
  {
    maxKeys: 8,
  },
);
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...Object.keys(CALLS).filter((each) => each !== "backup")) },
  fc.string({ maxLength: 12 }),
);
const call = fc.record({
  name,
  values: fc.array(fc.oneof({ weight: 3, arbitrary: object }, likely), { maxLength: 3 }),
  tail: fc.uint8Array({ maxLength: 200 }),
});

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: call.map(({ name: called, values, tail }) => ({ kind: KIND.call, body: [called, ...values] as unknown, tail, bend: -1 })),
  },
  {
    weight: 2,
    arbitrary: call.chain(({ name: called, values, tail }) =>
      fc.nat(400).map((bend) => ({ kind: KIND.call, body: [called, ...values] as unknown, tail, bend })),
    ),
  },
  fc.record({
    kind: fc.constantFrom(...Object.values(KIND)),
    body: fc.oneof(small, object) as fc.Arbitrary<unknown>,
    tail: fc.uint8Array({ maxLength: 40 }),
    bend: fc.constant(-1),
  }),
);

describe("a session", () => {
  it("answers every call of whoever knows the key, or hangs up with a refusal, and the log goes on", async () => {
    const log: Odradek = await open({ storage: memory() });
    const keeper = keeperOf(log)!;
    const serving = new Serving({ keeper, clock: systemClock, pulse: PULSE, storageAt: nodeStorage });
    let answered = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(step, { maxLength: 12 }), fc.nat(60), async (isKnown, steps, cut) => {
        const channel = new FakeChannel();
        serving.accept(channel);
        const frames = steps.map(({ kind, body, tail, bend }, index) => {
          const bytes = joined(frameParts(kind, index + 1, body, [tail]));
          if (bend >= 0) bytes[4 + (bend % (bytes.length - 4))]! ^= 1 + (bend % 255);
          return bytes;
        });
        const hello = isKnown ? [joined(frameParts(KIND.hello, 0, { version: PROTOCOL_VERSION, key: channel.key }))] : [];
        const stream = joined([...hello, ...frames]);
        for (let at = 0; at < stream.length; at += cut + 1) channel.push(stream.slice(at, at + cut + 1));
        await pause(0);
        const kinds = channel.sent.map((bytes) => parseFrame(bytes.subarray(4) as Uint8Array<ArrayBuffer>).kind);
        for (const kind of kinds) expect([KIND.welcome, KIND.answer, KIND.fault, KIND.refusal, KIND.back]).toContain(kind);
        answered += kinds.filter((kind) => kind === KIND.answer || kind === KIND.fault).length;
        if (kinds.includes(KIND.refusal)) refused += 1;
        // Who said nothing of who it is was told nothing but no.
        if (!isKnown) expect(kinds.filter((kind) => kind !== KIND.refusal)).toEqual([]);
        await channel.close();
      }),
      { numRuns: 400 },
    );
    expect(answered).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(20);
    await vi.waitFor(() => expect(serving.count).toBe(0));
    await log.createTopic("still-there");
    expect((await log.producer().send({ topic: "still-there", value: 1 })).offset).toBe(0);
    await serving.close();
    await log.close();
  });

  it("gives the same frames however they are cut, and takes no length that none has", async () => {
    await fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 9, maxLength: 300 })),
        fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }),
        (bodies, cuts) => {
          const found: Uint8Array[] = [];
          const cutter = new FrameCutter((frame) => found.push(frame.slice()));
          const stream = joined(bodies.flatMap((body) => [new Uint8Array(new Uint32Array([body.length]).buffer).reverse(), body]));
          for (let at = 0, turn = 0; at < stream.length; turn += 1) {
            const end = at + (cuts[turn % cuts.length] as number);
            cutter.push(stream.slice(at, end));
            at = end;
          }
          expect(found).toEqual(bodies);
        },
      ),
    );
    for (const length of [0, 8, HELLO_BYTE_LENGTH_MAX + 1, 0xffffffff]) {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, length);
      expect(() => new FrameCutter(() => {}).push(bytes)).toThrow(/a frame that makes no sense/);
    }
  });

  it("sets little aside for a length that was only said, and gives a frame of many megabytes whole", () => {
    const before = process.memoryUsage().arrayBuffers;
    const cutters = Array.from({ length: 20 }, () => {
      const cutter = new FrameCutter(() => {});
      cutter.byteLengthMax = FRAME_BYTE_LENGTH_MAX;
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, FRAME_BYTE_LENGTH_MAX);
      cutter.push(length);
      cutter.push(new Uint8Array(1000));
      return cutter;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(cutters.length * 2 * 1024 * 1024);
    let found: Uint8Array | null = null;
    const cutter = new FrameCutter((frame) => {
      found = frame;
    });
    cutter.byteLengthMax = FRAME_BYTE_LENGTH_MAX;
    const body = Uint8Array.from({ length: 9_000_001 }, (_, index) => index % 251);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, body.length);
    cutter.push(length);
    for (let at = 0; at < body.length; at += 65_536) cutter.push(body.slice(at, at + 65_536));
    expect(Buffer.compare(found!, body)).toBe(0);
  });
});
