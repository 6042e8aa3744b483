/** Records out of batches whose bytes were given up, by the whole way from the face to the file: each read in memory that is used again. */
import { describe, expect, it } from "vitest";
import type { Deserializer } from "../../src/api/serde.ts";
import { bytes, msgpack, open, SerdeError, utf8 } from "../../src/index.ts";
import { memory } from "../../src/storage/memory.ts";

const BATCH = 100;
/** More than is kept of batches as they are. */
const BATCHES = 90;
const VALUE_BYTE_LENGTH = 1000;

interface Value {
  readonly offset: number;
  readonly filling: Uint8Array;
}

const valueAt = (offset: number): Value => ({ offset, filling: new Uint8Array(VALUE_BYTE_LENGTH).fill(offset % 251) });

async function filledLog() {
  const log = await open({ storage: memory() });
  await log.createTopic("t", { durability: "os" });
  const producer = log.producer({ key: utf8, value: msgpack<Value>() });
  for (let batch = 0; batch < BATCHES; batch++) {
    const offsets = Array.from({ length: BATCH }, (_, index) => batch * BATCH + index);
    await producer.sendBatch(offsets.map((offset) => ({ topic: "t", key: `key-${offset}`, value: valueAt(offset) })));
  }
  // Each batch is read once, so that of most of them it is known by now where their records begin, and no more.
  for (let offset = 0; offset < BATCHES * BATCH; offset += BATCH) await log.read({ topic: "t", partition: 0, offset });
  return log;
}

describe("a record out of a batch that is not kept", () => {
  it("is the same by every serde, and stays so when others are read", async () => {
    const log = await filledLog();
    const mine: Deserializer<Uint8Array> = { deserialize: (stored) => stored };
    const read = [];
    for (let at = 0; at < 40; at++) {
      const offset = (at * 2917) % (BATCHES * BATCH);
      const where = { topic: "t", partition: 0, offset };
      const [decoded, raw, foreign] = [
        await log.read<string, Value>(where),
        await log.read(where, { key: bytes, value: bytes }),
        await log.read(where, { key: mine, value: mine }),
      ];
      read.push({ offset, decoded, raw, foreign });
    }
    for (const { offset, decoded, raw, foreign } of read) {
      expect(decoded).toMatchObject({ offset, key: `key-${offset}` });
      expect(Buffer.from(valueAt(offset).filling).equals(decoded?.value?.filling as Uint8Array)).toBe(true);
      expect(decoded?.value?.filling.buffer.byteLength).toBe(VALUE_BYTE_LENGTH);
      const stored = msgpack().serialize(valueAt(offset), { topic: "t", headers: [] });
      for (const record of [raw, foreign]) {
        expect(utf8.deserialize(record?.key as never, { topic: "t", headers: [] })).toBe(`key-${offset}`);
        expect(Buffer.from(stored).equals(record?.value as Uint8Array)).toBe(true);
        expect(record?.value?.buffer.byteLength).toBe(stored.length);
      }
    }
    await log.close();
  });

  it("is not mixed up with one that its own deserializer asks for", async () => {
    const log = await filledLog();
    const where = (offset: number) => ({ topic: "t", partition: 0, offset });
    let inner: Promise<unknown> = Promise.resolve();
    const curious: Deserializer<string> = {
      deserialize: (stored, context) => {
        inner = log.read(where(4321), { key: utf8, value: bytes });
        return utf8.deserialize(stored, context);
      },
    };
    // Ours reads in place; a program's own is given a view, made when the other record was read already.
    const own: Deserializer<Value> = { deserialize: (stored, context) => msgpack<Value>().deserialize(stored, context) };
    for (const offset of [5, 17, 4322, 4399, 8999]) {
      for (const value of [msgpack<Value>(), own]) {
        const record = await log.read(where(offset), { key: curious, value });
        expect(record).toMatchObject({ offset, key: `key-${offset}`, value: { offset } });
        expect(await inner).toMatchObject({ offset: 4321, key: "key-4321" });
      }
    }
    await log.close();
  });

  // One cursor is used again and again: the error showed the record that was asked for within.
  it("is told as what it is when its own deserializer asks for another and fails", async () => {
    const log = await filledLog();
    const where = (offset: number) => ({ topic: "t", partition: 0, offset });
    const inner: Promise<unknown>[] = [];
    const failing: Deserializer<never> = {
      deserialize: (stored) => {
        inner.push(log.read(where(7), { key: utf8, value: bytes }), log.read(where(4321), { key: utf8, value: bytes }));
        throw new RangeError(`nothing for ${stored.length} bytes`);
      },
    };
    for (const offset of [5, 4322]) {
      const stored = msgpack().serialize(valueAt(offset), { topic: "t", headers: [] });
      for (const serdes of [
        { key: failing, value: msgpack<Value>() },
        { key: utf8, value: failing },
      ]) {
        const error = (await log.read(where(offset), serdes).catch((told: unknown) => told)) as SerdeError;
        expect(error).toBeInstanceOf(SerdeError);
        expect(error.message).toContain(`offset ${offset}: `);
        expect(error.record?.offset).toBe(offset);
        expect(Buffer.from(stored).equals(error.record?.value as Uint8Array)).toBe(true);
      }
    }
    expect(await Promise.all(inner)).toMatchObject(inner.map((_, index) => ({ offset: index % 2 === 0 ? 7 : 4321 })));
    await log.close();
  });
});
