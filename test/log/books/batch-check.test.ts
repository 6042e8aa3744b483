/** What a batch's place says of it when its checksum is right: offsets and epoch lie outside of the checksum. */
import { describe, expect, it } from "vitest";
import { writeInt32, writeInt64 } from "../../../src/base/big-endian.ts";
import { BASE_OFFSET_AT, LAST_OFFSET_DELTA_AT, stampChecksum } from "../../../src/base/record-batch.ts";
import { checkBatches } from "../../../src/log/batch/batch-check.ts";
import { isOlderMessage } from "../../../src/log/batch/older-message.ts";
import { setAside } from "../../../src/log/files/set-aside.ts";
import { memory } from "../../../src/storage/memory.ts";
import { faultyStorage } from "../../../src/testing/faulty-storage.ts";
import { batchOf, core, NOW_MS } from "../log-rig.ts";

function batchAt(baseOffset: number, count = 2): Uint8Array {
  const batch = batchOf(Array.from({ length: count }, (_, index) => ({ value: `${index}`, timestamp: NOW_MS })));
  writeInt64(batch, BASE_OFFSET_AT, baseOffset);
  return batch;
}

describe("a batch that was read", () => {
  const rules = { core, epochFor: () => null };
  const check = (bytes: Uint8Array, expected: number | null = null, end = 1000) => checkBatches(rules, bytes, expected, true, end);

  it("is good where its offsets follow, end below what may be read, and rise", () => {
    const two = Uint8Array.of(...batchAt(5), ...batchAt(7));
    expect(check(two, 5)).toEqual({ goodByteLength: two.length, reason: "", detail: "" });
    expect(check(two, 4)).toMatchObject({ goodByteLength: 0, reason: "order" });
    expect(check(two, 5, 8)).toMatchObject({
      goodByteLength: two.length / 2,
      reason: "order",
      detail: "expected offsets below 8, found 7 to 8",
    });
  });

  it("is not good with offsets that are none, whatever it is expected at", () => {
    const falling = batchAt(5);
    writeInt32(falling, LAST_OFFSET_DELTA_AT, -3);
    stampChecksum(falling, core);
    expect(check(falling)).toMatchObject({ goodByteLength: 0, reason: "offset", detail: "offsets 5 to 2" });
    expect(check(batchAt(-4))).toMatchObject({ goodByteLength: 0, reason: "offset" });
    expect(check(batchAt(Number.MAX_SAFE_INTEGER), null, Number.POSITIVE_INFINITY)).toMatchObject({ goodByteLength: 0, reason: "offset" });
  });
});

describe("an older message", () => {
  it("is not seen where the file ends within it, at whichever read", async () => {
    // Magic 0 with its checksum: what stands behind the size is 4 bytes of crc, magic, attributes, and two lengths of -1.
    const bytes = new Uint8Array(26);
    const view = new DataView(bytes.buffer);
    view.setInt32(8, 14);
    bytes.fill(0xff, 18);
    let crc = 0xffffffff;
    for (const byte of bytes.subarray(16)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    view.setUint32(12, ~crc >>> 0);
    const storage = faultyStorage(memory());
    const file = await storage.open("f", { create: "new" });
    file.writeAt(bytes, 0);
    expect(isOlderMessage(file, 0, 26)).toBe(true);
    expect(isOlderMessage(file, 0, 25)).toBe(false);
    for (const nth of [1, 2]) {
      storage.fail({ call: "readAt", nth, shortBy: 1 });
      expect(isOlderMessage(file, 0, 26)).toBe(false);
    }
    expect(isOlderMessage(file, 1, 26)).toBe(false);
    await file.close();
  });
});

describe("setting a file aside", () => {
  it("never takes a name that is taken, and has nothing to do where no file is", async () => {
    const storage = memory();
    expect(await setAside(storage, "", "f")).toBe(null);
    for (const number of [1, 2]) {
      await (await storage.open("f", { create: "new" })).close();
      expect(await setAside(storage, "", "f")).toBe(`f.set-aside-${number}`);
    }
  });
});
