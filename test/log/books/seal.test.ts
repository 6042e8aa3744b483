import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CorruptionError } from "../../../src/base/errors.ts";
import {
  BlockChecksums,
  blockChecksums,
  blockChecksumsInSteps,
  decodeSeal,
  encodeSeal,
  findBadBlock,
  SEAL_BLOCK_BYTE_LENGTH,
  type Seal,
} from "../../../src/log/seal/seal.ts";
import { memory } from "../../../src/storage/memory.ts";
import { SeededRandom } from "../../../src/testing/index.ts";
import { core, flipped, golden, put } from "./support.ts";

const NAME = "orders-0/00000000000000000000.seal";
const checksum = fc.nat({ max: 2 ** 32 - 1 });

const seals: fc.Arbitrary<Seal> = fc
  .record({
    topicId: fc.constantFrom("AAECAwQFBgcICQoLDA0ODw", "_____________________w"),
    partition: fc.nat(),
    baseOffset: fc.maxSafeNat(),
    nextOffset: fc.maxSafeNat(),
    maxTimestamp: fc.oneof(fc.constant(-1), fc.maxSafeNat()),
    hasGaps: fc.boolean(),
    indexByteLength: checksum,
    indexChecksum: checksum,
    timeIndexByteLength: checksum,
    timeIndexChecksum: checksum,
    logChecksums: fc.array(checksum, { maxLength: 5 }),
    txnIndexChecksums: fc.array(checksum, { maxLength: 2 }),
    short: fc.nat({ max: SEAL_BLOCK_BYTE_LENGTH - 1 }),
  })
  .map(({ short, ...seal }) => ({
    ...seal,
    logByteLength: Math.max(0, seal.logChecksums.length * SEAL_BLOCK_BYTE_LENGTH - short),
    txnIndexByteLength: Math.max(0, seal.txnIndexChecksums.length * SEAL_BLOCK_BYTE_LENGTH - short),
  }));

const NO_FILES = { logByteLength: 0, logChecksums: [], txnIndexByteLength: 0, txnIndexChecksums: [] };

describe("a seal", () => {
  it("comes back as it went", () => {
    fc.assert(fc.property(seals, (seal) => void expect(decodeSeal(encodeSeal(seal, core), NAME, core)).toEqual(seal)));
  });

  // The fuzzer wrote -1 where a seal tells how long its transaction index is, and made the checksum right: the seal was believed.
  it("is refused with a length below 0, however right its checksum", () => {
    for (const at of [60, 68]) {
      const bytes = encodeSeal(
        {
          ...(fc.sample(seals, { numRuns: 1, seed: 1 })[0] as Seal),
          logByteLength: 0,
          logChecksums: [],
          txnIndexByteLength: 0,
          txnIndexChecksums: [],
        },
        core,
      );
      const view = new DataView(bytes.buffer);
      view.setBigInt64(at, -1n);
      view.setUint32(8, core.crc32c(bytes.subarray(12)));
      expect(() => decodeSeal(bytes, NAME, core)).toThrow(/expected lengths of 0 or more/);
    }
  });

  it("is refused at every flipped bit, every shorter length and with a byte more", () => {
    fc.assert(
      fc.property(seals, (seal) => {
        const bytes = encodeSeal(seal, core);
        const wrong = Array.from({ length: bytes.byteLength * 8 }, (_, bit) => flipped(bytes, bit));
        for (let byteLength = 0; byteLength < bytes.byteLength; byteLength++) wrong.push(bytes.slice(0, byteLength));
        wrong.push(new Uint8Array([...bytes, 0]));
        for (const other of wrong) {
          let refusal: unknown;
          try {
            decodeSeal(other, NAME, core);
          } catch (error) {
            refusal = error;
          }
          expect(refusal).toBeInstanceOf(CorruptionError);
          expect(refusal).toMatchObject({ code: "BOOK_CORRUPT", file: NAME, byteRange: [0, other.byteLength] });
        }
      }),
      { numRuns: 5 },
    );
  });

  it("is not made of sums that do not cover the file", () => {
    const seal = decodeSeal(encodeSeal(fc.sample(seals, { numRuns: 1, seed: 1 })[0]!, core), NAME, core);
    expect(() => encodeSeal({ ...seal, logByteLength: 65_536 * 3, logChecksums: [1, 2] }, core)).toThrow(/64 KiB/);
    expect(() => encodeSeal({ ...seal, txnIndexByteLength: 65_536 * 3, txnIndexChecksums: [1, 2] }, core)).toThrow(/64 KiB/);
    expect(() => encodeSeal({ ...seal, topicId: "" }, core)).toThrow(/topic id/);
  });

  // These three held in no test: what a seal of a true checksum says of lengths was believed whatever it said.
  it("covers a file of 2^31 bytes with as many of transactions, and no more", () => {
    const seal = fc.sample(seals, { numRuns: 1, seed: 1 })[0]!;
    const sums = new Array<number>(2 ** 15).fill(0xfedcba98);
    const largest = { ...seal, logByteLength: 2 ** 31, logChecksums: sums, txnIndexByteLength: 2 ** 31, txnIndexChecksums: sums };
    expect(decodeSeal(encodeSeal(largest, core), NAME, core)).toEqual(largest);
    const larger = { ...largest, logByteLength: 2 ** 31 + 1, logChecksums: [...sums, 1] };
    expect(() => encodeSeal(larger, core)).toThrow(/64 KiB/);
  });

  it("is refused when its lengths call for other sums than it has, its checksum being right", () => {
    const bytes = encodeSeal({ ...fc.sample(seals, { numRuns: 1, seed: 1 })[0]!, ...NO_FILES }, core);
    const sealOf = (more: number): Uint8Array => {
      const other = new Uint8Array([...bytes, ...new Uint8Array(more)]);
      new DataView(other.buffer).setUint32(8, core.crc32c(other.subarray(12)));
      return other;
    };
    expect(decodeSeal(sealOf(0), NAME, core)).toMatchObject(NO_FILES);
    for (const more of [1, 4, 8]) {
      expect(() => decodeSeal(sealOf(more), NAME, core)).toThrow(
        new RegExp(`call for ${bytes.length} bytes, found ${bytes.length + more}`),
      );
    }
  });

  it("names both checksums in eight digits when they differ", () => {
    const bytes = encodeSeal({ ...fc.sample(seals, { numRuns: 1, seed: 1 })[0]!, ...NO_FILES }, core);
    new DataView(bytes.buffer).setUint32(8, 0x0000_0a1b);
    expect(() => decodeSeal(bytes, NAME, core)).toThrow(/computed crc [0-9a-f]{8}, stored 00000a1b/);
  });
});

describe("block checksums", () => {
  const lengths = fc.oneof(
    fc.nat({ max: 300 }),
    fc.constantFrom(65_535, 65_536, 65_537, 131_072),
    fc.integer({ min: 60_000, max: 200_000 }),
  );

  it("are the same however the bytes came: at once, in pieces, from the file, or begun in the file and gone on with", async () => {
    await fc.assert(
      fc.asyncProperty(
        lengths,
        fc.array(fc.integer({ min: 1, max: 90_000 }), { maxLength: 6 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (byteLength, pieces, part) => {
          const bytes = new SeededRandom(byteLength).bytes(byteLength);
          const expected: number[] = [];
          for (let at = 0; at < byteLength; at += SEAL_BLOCK_BYTE_LENGTH)
            expected.push(core.crc32c(bytes.subarray(at, at + SEAL_BLOCK_BYTE_LENGTH)));
          const grown = new BlockChecksums(core);
          for (const piece of [...pieces, byteLength]) grown.add(bytes.subarray(grown.byteLength, grown.byteLength + piece));
          expect(grown.checksums()).toEqual(expected);

          const storage = memory();
          await put(storage, "file", bytes);
          const file = await storage.open("file", { create: "no" });
          expect(blockChecksums(core, file, byteLength)).toEqual(expected);
          expect(blockChecksums(core, file, byteLength + 10)).toEqual(expected);
          const steps = blockChecksumsInSteps(core, file, Math.floor(part * byteLength));
          let step = steps.next();
          while (!step.done) step = steps.next();
          step.value.add(bytes.subarray(step.value.byteLength));
          expect(step.value.checksums()).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("find the block of any flipped bit, also where Kafka's batch checksum does not look, and a file that lost its end", async () => {
    const bytes = golden("data-clean/orders-0/00000000000000000000.log");
    const storage = memory();
    await put(storage, "log", bytes);
    const file = await storage.open("log", { create: "no" });
    const sealed = { byteLength: bytes.byteLength, checksums: blockChecksums(core, file, bytes.byteLength) };
    expect(findBadBlock(core, file, sealed, 0, bytes.byteLength)).toBe(-1);
    for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
      file.writeAt(flipped(bytes, bit).subarray(bit >> 3, (bit >> 3) + 1), bit >> 3);
      expect(findBadBlock(core, file, sealed, 0, bytes.byteLength), `bit ${bit}`).toBe(0);
      file.writeAt(bytes.subarray(bit >> 3, (bit >> 3) + 1), bit >> 3);
    }
    file.truncate(bytes.byteLength - 1);
    expect(findBadBlock(core, file, sealed, 0, 10)).toBe(0);
  });

  it("look at the blocks that are asked for and no others", async () => {
    const bytes = new SeededRandom("blocks").bytes(65_536 * 3 + 100);
    const storage = memory();
    await put(storage, "log", bytes);
    const file = await storage.open("log", { create: "no" });
    const sealed = { byteLength: bytes.byteLength, checksums: blockChecksums(core, file, bytes.byteLength) };
    file.writeAt(flipped(bytes, 65_536 * 8 * 2).subarray(65_536 * 2, 65_536 * 2 + 1), 65_536 * 2);
    expect(findBadBlock(core, file, sealed, 0, 65_536 * 2)).toBe(-1);
    expect(findBadBlock(core, file, sealed, 0, 65_536 * 2 + 1)).toBe(2);
    expect(findBadBlock(core, file, sealed, 65_536 * 2 + 500, 65_536 * 2 + 600)).toBe(2);
    expect(findBadBlock(core, file, sealed, 65_536 * 3, bytes.byteLength)).toBe(-1);
    expect(findBadBlock(core, file, sealed, 65_536 * 3, bytes.byteLength * 2)).toBe(-1);
  });
});
