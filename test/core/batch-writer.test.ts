import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KEY } from "../../src/base/serdes/lending.ts";
import { lendText } from "../../src/base/serdes/utf8-bytes.ts";
import type { BatchOptions, Core } from "../../src/core/core.ts";
import type { CoreExports } from "../../src/core/core-exports.ts";
import { anySent, anyTimestamp, type Sent, slowBatchOf } from "./arbitraries.ts";
import { BUILDS, coreOf, exportsOf } from "./builds.ts";
import { slowBatchBytes } from "./twin/batch.ts";
import { slowVarint } from "./twin/varint.ts";
import { fromHex, isCompressed, toHex, vectors } from "./vectors.ts";

const PLAIN: BatchOptions = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false };
const anyOptions: fc.Arbitrary<BatchOptions> = fc.record({
  producerId: fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }),
  producerEpoch: fc.integer({ min: -1, max: 32767 }),
  baseSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  transactional: fc.boolean(),
  control: fc.boolean(),
});

function written(core: Core, sent: readonly Sent[], options: BatchOptions): Uint8Array {
  const { writer } = core;
  writer.begin(options);
  for (const { key, value, headers, timestamp } of sent) writer.append(key, value, headers.length === 0 ? null : headers, timestamp);
  const { byteLength, recordCount } = writer;
  const batch = writer.finish();
  expect([batch.length, sent.length]).toEqual([byteLength, recordCount]);
  return batch;
}

const twin = (sent: readonly Sent[], options: BatchOptions): Uint8Array =>
  slowBatchBytes(
    slowBatchOf(sent, {
      producerId: options.producerId,
      producerEpoch: options.producerEpoch,
      baseSequence: options.baseSequence,
      attributes: (options.transactional ? 0x10 : 0) | (options.control === true ? 0x20 : 0),
    }),
  );

const INT32_MAX = 2 ** 31 - 1;
const BATCH_HEADER_BYTE_LENGTH = 61;

interface Lengths {
  readonly key: number;
  readonly value: number;
  readonly headerCount: number;
  readonly headersByteLength: number;
}
const NULLS: Lengths = { key: -1, value: -1, headerCount: 0, headersByteLength: 0 };

/** The bare calls that frame a record. Two of them the writer asks only when another has refused, so a wrong refusal is mended in silence. */
const FRAMINGS = ["frameRecord", "frameRecordWithHeaders", "frameRecordApart"] as const;
type Framing = (typeof FRAMINGS)[number];

function begin(raw: CoreExports, framing: Framing): void {
  raw.beginBatch();
  // A record apart begins where the window does.
  if (framing === "frameRecordApart") raw.takeWindow();
}

function frame(raw: CoreExports, framing: Framing, { key, value, headerCount, headersByteLength }: Lengths, timestamp: number): number {
  if (framing === "frameRecord") return raw.frameRecord(key, value, timestamp);
  return raw[framing](key, value, timestamp, headerCount, headersByteLength);
}

/** Lengths at the borders of their varints. */
const anyBorder = (bitsMax: number): fc.Arbitrary<number> =>
  fc
    .tuple(fc.constantFrom(...[6, 13, 20, 27].filter((bits) => bits <= bitsMax)), fc.integer({ min: -1, max: 1 }))
    .map(([bits, by]) => 2 ** bits + by);
const anyLength = (bitsMax: number): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(-1, 0, 1), fc.nat(300), anyBorder(bitsMax), fc.nat(2 ** bitsMax));

describe.each(BUILDS)("the batch writer (%s)", (build) => {
  it("frames a record as its fields are written, whichever call does it, and whatever stood in the window", async () => {
    const raw = await exportsOf(build);
    const mailbox = new DataView(raw.memory.buffer, raw.initialize());
    const [windowAt, windowByteLength] = [mailbox.getInt32(24, true), mailbox.getInt32(40, true)];
    const window = new Uint8Array(raw.memory.buffer, windowAt, windowByteLength);
    const bytesAt = (at: number, byteLength: number): number[] => [...window.subarray(at - windowAt, at - windowAt + byteLength)];
    const anyCount = fc.oneof(fc.constantFrom(0, 1, 63, 64, 65, 8191, 8192), fc.nat(100));
    const anyUse = fc.constantFrom(...FRAMINGS).chain((framing) => {
      const bitsMax = framing === "frameRecordApart" ? 28 : 20;
      return fc.record({
        framing: fc.constant(framing),
        key: anyLength(bitsMax),
        value: anyLength(bitsMax),
        headerCount: framing === "frameRecord" ? fc.constant(0) : fc.oneof(fc.nat(2), anyBorder(27)),
        headersByteLength: framing === "frameRecord" ? fc.constant(0) : fc.nat(2 ** bitsMax),
      });
    });
    const seen = { framed: 0, refused: 0 };
    fc.assert(
      fc.property(anyUse, anyCount, anyTimestamp, anyTimestamp, fc.constantFrom(0, 0xa5, 0xff), (use, before, first, timestamp, junk) => {
        window.fill(junk);
        raw.beginBatch();
        for (let i = 0; i < before; i++) raw.frameRecord(-1, -1, first);
        const { framing, key, value, headerCount, headersByteLength } = use;
        const isApart = framing === "frameRecordApart";
        const place = windowAt + (isApart ? 0 : raw.batchByteLength());
        if (isApart) raw.takeWindow();
        const batchByteLength = raw.batchByteLength();

        const delta = before === 0 ? 0 : timestamp - first;
        const [keyBytes, valueBytes] = [Math.max(0, key), Math.max(0, value)];
        const intro = [0, ...[delta, before, key].flatMap((field) => slowVarint(BigInt(field)))];
        const [valueIntro, headersIntro] = [slowVarint(BigInt(value)), slowVarint(BigInt(headerCount))];
        const bodyByteLength = intro.length + keyBytes + valueIntro.length + valueBytes + headersIntro.length + headersByteLength;
        const announced = [...slowVarint(BigInt(bodyByteLength)), ...intro];
        const recordByteLength = announced.length - intro.length + bodyByteLength;

        const keyAt = frame(raw, framing, use, timestamp);
        if (!isApart && place + recordByteLength > windowAt + windowByteLength) {
          seen.refused++;
          expect(keyAt).toBe(-3);
          expect([raw.batchByteLength(), raw.batchRecordCount()]).toEqual([batchByteLength, before]);
          return;
        }
        seen.framed++;
        const expectedKeyAt = place + announced.length;
        const valueAt = expectedKeyAt + (isApart ? 0 : keyBytes) + valueIntro.length;
        const headersAt = valueAt + (isApart ? 0 : valueBytes) + headersIntro.length;
        expect([keyAt, mailbox.getInt32(0, true), mailbox.getInt32(8, true)]).toEqual([expectedKeyAt, valueAt, headersAt]);
        expect(bytesAt(place, announced.length)).toEqual(announced);
        expect(bytesAt(valueAt - valueIntro.length, valueIntro.length)).toEqual(valueIntro);
        expect(bytesAt(headersAt - headersIntro.length, headersIntro.length)).toEqual(headersIntro);
        if (headersAt < windowAt + windowByteLength) expect(bytesAt(headersAt, 1), "nothing is written behind it").toEqual([junk]);
        expect([raw.batchByteLength(), raw.batchRecordCount()]).toEqual([batchByteLength + recordByteLength, before + 1]);
      }),
      { numRuns: 200 },
    );
    expect(Math.min(seen.framed, seen.refused)).toBeGreaterThan(0);
  });

  it("takes a record that ends with its window, and not one that is a byte longer", async () => {
    const raw = await exportsOf(build);
    const mailbox = new DataView(raw.memory.buffer, raw.initialize());
    const windowByteLength = mailbox.getInt32(40, true);
    for (const framing of ["frameRecord", "frameRecordWithHeaders"] as const) {
      // length 4, attributes, both deltas and the null key 4, value length 4, header count 1
      const longest = windowByteLength - BATCH_HEADER_BYTE_LENGTH - 13;
      begin(raw, framing);
      expect(frame(raw, framing, { ...NULLS, value: longest + 1 }, 5), framing).toBe(-3);
      expect([raw.batchByteLength(), raw.batchRecordCount()], framing).toEqual([BATCH_HEADER_BYTE_LENGTH, 0]);
      expect(frame(raw, framing, { ...NULLS, value: longest }, 5), framing).toBeGreaterThan(0);
      expect(raw.batchByteLength(), framing).toBe(windowByteLength);
    }
  });

  it("refuses a length below null's and a count below none, and takes those", async () => {
    const raw = await exportsOf(build);
    for (const framing of FRAMINGS) {
      const least: Lengths = framing === "frameRecord" ? { ...NULLS, headerCount: -1, headersByteLength: -1 } : NULLS;
      const wrong: Partial<Lengths>[] = [{ key: -2 }, { value: -2 }, { key: -(2 ** 31) }, { value: -(2 ** 31) }];
      if (framing !== "frameRecord") wrong.push({ headerCount: -1 }, { headersByteLength: -1 });
      for (const field of wrong) {
        begin(raw, framing);
        const lengths = { ...NULLS, ...field };
        expect(() => frame(raw, framing, lengths, 5), `${framing} of ${JSON.stringify(field)}`).toThrowError(/unreachable/);
        expect(raw.batchRecordCount()).toBe(0);
      }
      expect(frame(raw, framing, least, 5), framing).toBeGreaterThan(0);
    }
  });

  it("says of a timestamp that it cannot be, and takes the first and the last that can", async () => {
    const raw = await exportsOf(build);
    for (const framing of FRAMINGS) {
      begin(raw, framing);
      for (const timestamp of [-2, -1.5, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        expect(frame(raw, framing, NULLS, timestamp), `${framing} at ${timestamp}`).toBe(-4);
      }
      for (const timestamp of [-1, 0, 2 ** 53 - 1]) {
        begin(raw, framing);
        expect(frame(raw, framing, NULLS, timestamp), `${framing} at ${timestamp}`).toBeGreaterThan(0);
      }
    }
  });

  it("counts to the byte how long a batch may become", async () => {
    const raw = await exportsOf(build);
    for (const framing of FRAMINGS) {
      // Five bytes are kept for the record's length; attributes, both deltas and header count are 4, the longer length is 5.
      const room = INT32_MAX - BATCH_HEADER_BYTE_LENGTH - 5 - 4;
      const longest: Lengths[] = [
        { ...NULLS, value: room - 1 - 5 },
        { ...NULLS, key: room - 1 - 5 },
        { ...NULLS, key: 2 ** 30, value: room - 2 ** 30 - 5 - 5 },
      ];
      if (framing !== "frameRecord") longest.push({ ...NULLS, headersByteLength: room - 1 - 1 });
      for (const lengths of longest) {
        begin(raw, framing);
        const [longer, what] = [{ ...lengths }, `${framing} of ${JSON.stringify(lengths)}`];
        const last = lengths.headersByteLength > 0 ? "headersByteLength" : lengths.value > 0 ? "value" : "key";
        longer[last] += 1;
        expect(frame(raw, framing, longer, 5), what).toBe(-5);
        expect([raw.batchByteLength(), raw.batchRecordCount()], what).toEqual([BATCH_HEADER_BYTE_LENGTH, 0]);
        const answer = frame(raw, framing, lengths, 5);
        if (framing === "frameRecordApart") expect(answer, what).toBeGreaterThan(0);
        else expect(answer, what).toBe(-3);
      }
    }
  });

  it("frames no record apart behind another in the window, and none while headers of another are missing", async () => {
    const raw = await exportsOf(build);
    for (const framing of FRAMINGS) {
      begin(raw, framing);
      expect(frame(raw, framing, NULLS, 5)).toBeGreaterThan(0);
      if (framing === "frameRecordApart") raw.takeWindow();
      raw.frameRecordWithHeaders(-1, -1, 5, 1, 2);
      expect(() => frame(raw, framing, NULLS, 5), framing).toThrowError(/unreachable/);
    }
    for (const taken of [false, true]) {
      raw.beginBatch();
      if (taken) raw.takeWindow();
      expect(raw.frameRecord(-1, -1, 5)).toBeGreaterThan(0);
      expect(() => raw.frameRecordApart(-1, -1, 5, 0, 0)).toThrowError(/unreachable/);
    }
  });

  it("knows nothing of a batch before, when a batch is begun: not its headers, its times or what was taken away", async () => {
    const raw = await exportsOf(build);
    const windowAt = new DataView(raw.memory.buffer, raw.initialize()).getInt32(24, true);
    for (const sent of [[], [{ key: null, value: null, headers: [], timestamp: 3 }]] as Sent[][]) {
      raw.beginBatch();
      raw.frameRecord(-1, -1, 9);
      raw.takeWindow();
      raw.frameRecordWithHeaders(-1, -1, 7, 2, 4);
      expect(raw.beginBatch()).toBe(0);
      expect([raw.batchByteLength(), raw.batchRecordCount()]).toEqual([BATCH_HEADER_BYTE_LENGTH, 0]);
      for (const { timestamp } of sent) expect(raw.frameRecord(-1, -1, timestamp)).toBeGreaterThan(0);
      const byteLength = raw.finishBatch(0, -1n, -1, -1);
      expect(toHex(new Uint8Array(raw.memory.buffer, windowAt, byteLength))).toBe(toHex(twin(sent, PLAIN)));
    }
  });

  // Four bytes at a time, and what announces the value stands behind the key already.
  it("writes a key that text was lent as, of any length, as it writes the same bytes", async () => {
    const core = await coreOf(build);
    const anyKey = fc.oneof(fc.string({ unit: "binary-ascii", maxLength: 70 }), fc.string({ unit: "grapheme", maxLength: 70 }));
    const anyRecord = fc.tuple(anyKey, fc.option(fc.uint8Array({ maxLength: 40 })));
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 20 }), (records) => {
        core.writer.begin(PLAIN);
        for (const [key, value] of records) core.writer.append(lendText(key, KEY), value, null, 1);
        const lent = toHex(core.writer.finish());
        const sent = records.map(([key, value]) => ({ key: new TextEncoder().encode(key), value, headers: [], timestamp: 1 }));
        expect(lent).toBe(toHex(written(core, sent, PLAIN)));
      }),
    );
  });

  // A key of text is framed before it is known to be ASCII: one that is not must leave nothing behind, its time included.
  it("writes a key of ASCII text as it writes the same bytes, and of another text nothing at all", async () => {
    const core = await coreOf(build);
    const anyKey = fc.oneof(fc.string({ unit: "binary-ascii", maxLength: 70 }), fc.string({ unit: "binary", maxLength: 70 }));
    const anyRecord = fc.tuple(anyKey, fc.option(fc.uint8Array({ maxLength: 40 })), anyTimestamp);
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 20 }), (records) => {
        core.writer.begin(PLAIN);
        const taken = records.filter(([key, value, timestamp]) => core.writer.appendText(key, value, timestamp));
        expect(taken).toEqual(records.filter(([key]) => /^[\0-\x7f]*$/.test(key)));
        expect(core.writer.recordCount).toBe(taken.length);
        fc.pre(taken.length > 0);
        const sent = taken.map(([key, value, timestamp]) => ({ key: new TextEncoder().encode(key), value, headers: [], timestamp }));
        expect(toHex(core.writer.finish())).toBe(toHex(twin(sent, PLAIN)));
      }),
    );
  });

  it("sees the one character beyond ASCII wherever in the text it stands", async () => {
    const core = await coreOf(build);
    core.writer.begin(PLAIN);
    for (let length = 1; length <= 13; length += 1) {
      for (let at = 0; at < length; at += 1) {
        const text = `${"a".repeat(at)}\u0080${"a".repeat(length - at - 1)}`;
        expect(core.writer.appendText(text, null, 1), `${length} characters, at ${at}`).toBe(false);
      }
    }
    expect(core.writer.recordCount).toBe(0);
  });

  it("leaves to append what a key of text cannot be appended for: no room in the window, a timestamp that cannot be", async () => {
    const core = await coreOf(build);
    const large = new Uint8Array(700_000).fill(9);
    core.writer.begin(PLAIN);
    expect(core.writer.appendText("first", large, 1)).toBe(true);
    const { byteLength } = core.writer;
    expect(core.writer.appendText("a", large, 2)).toBe(false);
    expect(core.writer.appendText("b", null, -2)).toBe(false);
    expect([core.writer.byteLength, core.writer.recordCount]).toEqual([byteLength, 1]);
    core.writer.append(new Uint8Array([97]), large, null, 2);
    const sent: Sent[] = [
      { key: new TextEncoder().encode("first"), value: large, headers: [], timestamp: 1 },
      { key: new Uint8Array([97]), value: large, headers: [], timestamp: 2 },
    ];
    expect(Buffer.compare(core.writer.finish(), twin(sent, PLAIN))).toBe(0);
  });

  it("writes what Kafka's own builder writes", async () => {
    const core = await coreOf(build);
    // Those a producer can make: offsets 0, 1, 2 …, and timestamps that numbers hold.
    const made = vectors.batches.filter((batch) => !isCompressed(batch) && !/compacted|large-varints/.test(batch.name));
    expect(made.length).toBeGreaterThan(6);
    for (const { name, hex, expect: header, records } of made) {
      const sent = records.map(({ key, value, headers, timestamp }) => ({
        key: key === null ? null : fromHex(key),
        value: value === null ? null : fromHex(value),
        headers: headers.map(([text, bytes]) => [new TextEncoder().encode(text), bytes === null ? null : fromHex(bytes)] as const),
        timestamp: Number(timestamp),
      }));
      const batch = written(core, sent, {
        producerId: BigInt(header.producerId),
        producerEpoch: header.producerEpoch,
        baseSequence: header.baseSequence,
        transactional: (header.attributes & 0x10) !== 0,
        control: (header.attributes & 0x20) !== 0,
      });
      // Base offset and leader epoch are the log's to stamp, and no checksum covers them.
      expect(toHex(batch).slice(16, 24), name).toBe(hex.slice(16, 24));
      expect(toHex(batch).slice(32), name).toBe(hex.slice(32));
    }
  });

  it("writes what field after field gives, one batch after the other", async () => {
    const core = await coreOf(build);
    fc.assert(
      fc.property(fc.array(anySent, { minLength: 1, maxLength: 70 }), anyOptions, (sent, options) => {
        expect(toHex(written(core, sent, options))).toBe(toHex(twin(sent, options)));
      }),
      { numRuns: 200 },
    );
  });

  it("goes on past its window, with records smaller and larger than that", async () => {
    const core = await coreOf(build);
    const many: Sent[] = Array.from({ length: 30 }, (_, i) => ({
      key: new Uint8Array([i]),
      value: new Uint8Array(60_000).fill(i),
      headers: [],
      timestamp: 1_700_000_000_000 + i,
    }));
    const huge: Sent = {
      key: null,
      value: new Uint8Array(1_500_000).fill(9),
      headers: [[new Uint8Array(3), null]],
      timestamp: 1_700_000_000_000,
    };
    for (const sent of [many, [huge], [...many.slice(0, 3), huge, ...many.slice(0, 3)]]) {
      const batch = written(core, sent, PLAIN);
      // As buffers: the assertion would print megabytes.
      expect(Buffer.from(batch).equals(Buffer.from(twin(sent, PLAIN)))).toBe(true);
      expect(core.validate(batch)).toMatchObject({ problem: null, recordCount: sent.length });
    }
    const small: Sent[] = [{ key: null, value: new Uint8Array(5), headers: [], timestamp: 1 }];
    expect(toHex(written(core, small, PLAIN)), "the next batch is small again").toBe(toHex(twin(small, PLAIN)));
  });

  it("writes the same wherever its window ends: within a record, before it, or in its very last byte", async () => {
    const core = await coreOf(build);
    const first: Sent = { key: null, value: new Uint8Array(core.readWindowByteLength - 61 - 200).fill(1), headers: [], timestamp: 5 };
    const filled = slowBatchBytes(slowBatchOf([first])).length;
    for (let slack = -4; slack <= 4; slack++) {
      // length 2, attributes, deltas, key length 1, value length 2, header count 1
      const value = new Uint8Array(core.readWindowByteLength - filled - 9 + slack).fill(2);
      for (const headers of [[], [[new Uint8Array(3).fill(7), new Uint8Array(5)] as const]]) {
        const sent = [first, { key: null, value, headers, timestamp: 6 }, { key: new Uint8Array(2), value: null, headers, timestamp: 4 }];
        const behind = core.readWindow().subarray(0, 8).fill(0xa5);
        expect(Buffer.from(written(core, sent, PLAIN)).equals(Buffer.from(twin(sent, PLAIN))), `${slack}`).toBe(true);
        expect(toHex(behind), "nothing is written behind the window").toBe("a5".repeat(8));
      }
    }
  });

  it("goes through any number of windows with records of any size and with headers", async () => {
    const core = await coreOf(build);
    const anySize = fc.constantFrom(0, 30, 64, 9_000, 300_000, 1_060_000, 1_114_100, 1_300_000);
    const anyLarge = fc.tuple(anySent, anySize, fc.nat(60), anySize).map(([sent, base, more, other]): Sent => {
      const headers = other < 64 ? sent.headers : [...sent.headers, [new Uint8Array(more).fill(3), new Uint8Array(other).fill(4)] as const];
      return { ...sent, headers, ...(base === 0 ? {} : { value: new Uint8Array(base + more).fill(more) }) };
    });
    fc.assert(
      fc.property(fc.array(anyLarge, { minLength: 1, maxLength: 7 }), anyOptions, (sent, options) => {
        expect(Buffer.from(written(core, sent, options)).equals(Buffer.from(twin(sent, options)))).toBe(true);
      }),
      { numRuns: build === "release" ? 15 : 6 },
    );
  });

  it("takes more headers than it can look at together, in the window and past it", async () => {
    const core = await coreOf(build);
    for (const [count, byteLength] of [
      [8192, 2],
      [8193, 3],
      [20_000, 100],
    ] as const) {
      const headers = Array.from(
        { length: count },
        (_, i) => [new Uint8Array([i]), i % 3 === 0 ? null : new Uint8Array(byteLength)] as const,
      );
      const sent: Sent[] = [
        { key: new Uint8Array(3), value: new Uint8Array(9), headers, timestamp: 8 },
        { key: null, value: null, headers: [], timestamp: 9 },
      ];
      expect(Buffer.from(written(core, sent, PLAIN)).equals(Buffer.from(twin(sent, PLAIN))), `${count} headers`).toBe(true);
    }
  });

  it("refuses the record with which a batch would be longer than its length can say, and keeps the others", async () => {
    const raw = await exportsOf(build);
    const [headersSlotAt, INT32_MAX] = [65_536, 2 ** 31 - 1];
    raw.beginBatch();
    expect(raw.frameRecord(-1, 2000, 1)).toBeGreaterThan(0);
    const before = [raw.batchByteLength(), raw.batchRecordCount()];
    for (const [key, value] of [
      [INT32_MAX, -1],
      [-1, INT32_MAX],
      [INT32_MAX, INT32_MAX],
      [2 ** 30, 2 ** 30 - 2050],
    ] as const) {
      expect(raw.frameRecord(key, value, 1)).toBe(-5);
      expect(raw.frameRecordWithHeaders(key, value, 1, 1, INT32_MAX)).toBe(-5);
    }
    expect(raw.frameRecord(-1, INT32_MAX - 5000, 1), "long, but not too long").toBe(-3);
    new DataView(raw.memory.buffer).setInt32(headersSlotAt, INT32_MAX, true);
    new DataView(raw.memory.buffer).setInt32(headersSlotAt + 4, INT32_MAX, true);
    expect(raw.headersByteLength(1)).toBe(-5);
    expect([raw.batchByteLength(), raw.batchRecordCount()]).toEqual(before);
  });

  it("refuses headers that no batch could hold by what they are, however many stand together, and keeps the others", async () => {
    const core = await coreOf(build);
    // The same bytes over and over: two gigabytes of headers, and four megabytes of memory.
    const value = new Uint8Array(4 << 20);
    core.writer.begin(PLAIN);
    core.writer.append(null, value.subarray(0, 9), null, 3);
    for (const count of [511, 512, 600]) {
      const headers = Array.from({ length: count }, () => [value.subarray(0, 1), value] as const);
      const append = (): void => core.writer.append(null, null, count === 511 ? [...headers, [value, null]] : headers, 3);
      expect(append, `${count} headers`).toThrowError(
        expect.objectContaining({ code: "RECORD_LIST_TOO_LARGE", message: expect.stringContaining("2147483647 bytes") }),
      );
      expect(core.writer.recordCount).toBe(1);
    }
    expect(toHex(core.writer.finish())).toBe(toHex(twin([{ key: null, value: new Uint8Array(9), headers: [], timestamp: 3 }], PLAIN)));
  });

  it("gives up when it is used out of turn, before it writes anything", async () => {
    const AT = 65_536;
    const outOfTurn: ((raw: Awaited<ReturnType<typeof exportsOf>>) => void)[] = [
      (raw) => raw.frameRecord(0, 0, 0),
      (raw) => raw.finishBatch(0, -1n, -1, -1),
      (raw) => {
        raw.beginBatch();
        raw.frameRecord(-2, 0, 0);
      },
      (raw) => {
        raw.beginBatch();
        raw.frameRecordApart(0, 0, 0, 0, 0);
      },
      (raw) => {
        raw.beginBatch();
        raw.frameHeaders(1);
      },
      (raw) => {
        raw.beginBatch();
        raw.frameRecordWithHeaders(0, 0, 0, 1, 2);
        raw.frameRecord(0, 0, 0);
      },
      (raw) => {
        raw.beginBatch();
        raw.frameRecordWithHeaders(0, 0, 0, 1, 2);
        raw.finishBatch(0, -1n, -1, -1);
      },
      (raw) => {
        raw.beginBatch();
        raw.frameRecordWithHeaders(0, 0, 0, 1, 2);
        raw.takeWindow();
      },
      (raw) => {
        raw.beginBatch();
        raw.frameRecordWithHeaders(0, 0, 0, 1, 2);
        // Longer than the two bytes it was said to take.
        new DataView(raw.memory.buffer).setInt32(AT, 1, true);
        raw.frameHeaders(1);
      },
      (raw) => {
        raw.beginBatch();
        raw.finishBatch(0, -1n, -1, -1);
        raw.finishBatch(0, -1n, -1, -1);
      },
      (raw) => {
        raw.beginBatch();
        raw.takeRecordBack();
      },
      (raw) => {
        raw.beginBatch();
        raw.frameRecord(0, 0, 0);
        raw.takeRecordBack();
        raw.takeRecordBack();
      },
      (raw) => {
        raw.beginBatch();
        raw.frameRecord(0, 0, 0);
        raw.beginBatch();
        raw.takeRecordBack();
      },
      (raw) => {
        raw.beginBatch();
        raw.frameRecord(0, 0, 0);
        raw.takeWindow();
        raw.takeRecordBack();
      },
      (raw) => {
        raw.beginBatch();
        raw.frameRecord(0, 0, 0);
        raw.takeWindow();
        raw.frameRecordApart(0, 0, 0, 0, 0);
        raw.takeRecordBack();
      },
      (raw) => {
        raw.beginBatch();
        raw.frameRecordWithHeaders(0, 0, 0, 1, 2);
        raw.takeRecordBack();
      },
      (raw) => {
        raw.beginBatch();
        raw.frameRecord(0, 0, 0);
        raw.finishBatch(0, -1n, -1, -1);
        raw.takeRecordBack();
      },
    ];
    for (const use of outOfTurn) {
      const raw = await exportsOf(build);
      expect(() => use(raw), `${use}`).toThrowError(/unreachable/);
    }
  });

  it("forgets a batch that is begun anew", async () => {
    const core = await coreOf(build);
    core.writer.begin(PLAIN);
    core.writer.append(null, new Uint8Array(2_000_000), null, 5);
    const sent: Sent[] = [{ key: new Uint8Array([1]), value: null, headers: [], timestamp: 7 }];
    expect(toHex(written(core, sent, PLAIN))).toBe(toHex(twin(sent, PLAIN)));
  });

  it("refuses a timestamp that is no whole number from -1 to 2^53-1, and leaves the batch as it was", async () => {
    const core = await coreOf(build);
    core.writer.begin(PLAIN);
    core.writer.append(null, null, null, 3);
    for (const timestamp of [-2, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
      for (const headers of [null, [[new Uint8Array(2), null]] as const]) {
        const append = (): void => core.writer.append(new Uint8Array(9), null, headers, timestamp);
        expect(append).toThrowError(expect.objectContaining({ code: "INVALID_TIMESTAMP" }));
      }
    }
    expect(toHex(core.writer.finish())).toBe(toHex(twin([{ key: null, value: null, headers: [], timestamp: 3 }], PLAIN)));
  });

  it("is not misused in silence", async () => {
    const core = await coreOf(build);
    expect(() => core.writer.finish()).toThrowError(/not begun/);
    expect(() => core.writer.append(null, null, null, 0)).toThrowError(/not begun/);
    expect(() => core.writer.appendText("", null, 0)).toThrowError(/not begun/);
    expect(() => core.writer.appendFrom(new DataView(new ArrayBuffer(8)), 0, 1, 1, 0)).toThrowError(/not begun/);
  });

  it("writes what was staged as it writes the same bytes, however long, and where they stand among others", async () => {
    const core = await coreOf(build);
    for (const [keyLength, valueLength] of [
      [-1, -1],
      [-1, 3],
      [0, 0],
      [5, -1],
      [5, 70_000],
      [3_000_000, 2],
      [-1, 3_000_000],
      [7, 3_000_000],
      [3_000_000, -1],
    ] as const) {
      const [keyByteLength, valueByteLength] = [Math.max(0, keyLength), Math.max(0, valueLength)];
      const staged = new Uint8Array(11 + keyByteLength + valueByteLength + 9).map((_, at) => at * 31);
      const [key, value] = [staged.slice(11, 11 + keyByteLength), staged.slice(11 + keyByteLength, 11 + keyByteLength + valueByteLength)];
      core.writer.begin(PLAIN);
      core.writer.append(null, new Uint8Array(2), null, 5);
      const view = new DataView(staged.buffer);
      expect(() => core.writer.appendFrom(view, 11, keyLength, valueLength, -2)).toThrowError(
        expect.objectContaining({ code: "INVALID_TIMESTAMP" }),
      );
      core.writer.appendFrom(view, 11, keyLength, valueLength, 6);
      const fromStage = core.writer.finish().slice();
      core.writer.begin(PLAIN);
      core.writer.append(null, new Uint8Array(2), null, 5);
      core.writer.append(keyLength < 0 ? null : key, valueLength < 0 ? null : value, null, 6);
      expect(Buffer.compare(fromStage, core.writer.finish()), `${keyLength} and ${valueLength} bytes`).toBe(0);
    }
  });
});
