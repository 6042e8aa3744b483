import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ClientQuota } from "../../src/api/broker.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/index.ts";
import { Catalog } from "../../src/topic/catalog.ts";
import { decodeCatalog, encodeCatalog } from "../../src/topic/catalog-file.ts";
import { atEveryCrash, flipped, get, put } from "../log/books/support.ts";

const core = await loadCore();
const EMPTY = { topics: [], deleting: [], nextProducerId: 5n, quotas: [] } as const;

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Changed after the fact, with the checksum that belongs to it: a catalogue by another hand. */
function forged(quotas: unknown): Uint8Array {
  const body = { version: 1, nextProducerIdBlock: "5", topics: [], deleting: [], quotas };
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sorted)
      : typeof value === "object" && value !== null
        ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted((value as Record<string, unknown>)[key])])) // biome-ignore format: short
        : value;
  const checksum = core.crc32c(new TextEncoder().encode(JSON.stringify(sorted(body)))).toString(16).padStart(8, "0"); // biome-ignore format: short
  return new TextEncoder().encode(JSON.stringify({ ...body, checksum }));
}

describe("the quotas in the catalogue", () => {
  const value = fc.double({ min: Number.MIN_VALUE, noNaN: true, noDefaultInfinity: true });
  const client = fc.oneof(fc.constantFrom(null, "__proto__", "constructor", "\ud800", "a"), fc.string({ minLength: 1, maxLength: 249 }));
  const quotas = fc.uniqueArray(
    fc.record({
      clientId: client,
      quota: fc.record({ producerByteRate: value, consumerByteRate: value, requestPercentage: value }, { requiredKeys: [] }),
    }),
    { selector: ({ clientId }) => clientId, maxLength: 20 },
  );

  it("are read as they were written", () => {
    const byId = (list: readonly ClientQuota[]): [string | null, object][] => list.map(({ clientId, quota }) => [clientId, { ...quota }]);
    fc.assert(
      fc.property(quotas, (list) => {
        const read = decodeCatalog(encodeCatalog({ ...EMPTY, quotas: list }, core), core).quotas;
        expect(new Map(byId(read))).toEqual(new Map(byId(list)));
      }),
    );
  });

  it("are left out where there are none, and missing in a file of before: then there are none", () => {
    const bytes = encodeCatalog(EMPTY, core);
    expect(text(bytes)).not.toContain("quotas");
    expect(decodeCatalog(bytes, core).quotas).toEqual([]);
  });

  it.each([
    null,
    {},
    "x",
    [null],
    [[]],
    [{}],
    [{ clientId: "" }],
    [{ clientId: 5 }],
    [{ clientId: "x".repeat(250) }], // biome-ignore format: cases
    [{ clientId: "a", producerByteRate: 0 }],
    [{ clientId: "a", producerByteRate: "7" }],
    [{ clientId: "a", producerByteRate: null }], // biome-ignore format: cases
    [{ clientId: "a", other: 7 }],
    [{ clientId: "a", producerByteRate: 1 }, { clientId: "a", producerByteRate: 2 }], // biome-ignore format: cases
    [{ clientId: null }, { clientId: null }], // biome-ignore format: cases
  ])("are refused as %j", (list) => {
    expect(() => decodeCatalog(forged(list), core)).toThrow(expect.objectContaining({ code: "BOOK_CORRUPT" }));
  });

  it("pass for what they are where the hand was right", () => {
    expect(decodeCatalog(forged([{ clientId: "a", producerByteRate: 7 }]), core).quotas).toEqual([
      { clientId: "a", quota: { producerByteRate: 7 } },
    ]);
  });

  it("are under the checksum, to the last bit", () => {
    const bytes = encodeCatalog({ ...EMPTY, quotas: [{ clientId: "a", quota: { producerByteRate: 7 } }] }, core);
    const from = text(bytes).indexOf('"clientId"');
    for (let at = from; at < from + 40; at += 1)
      for (let bit = 0; bit < 8; bit += 1) {
        let read: unknown;
        try {
          read = decodeCatalog(flipped(bytes, at * 8 + bit), core).quotas;
        } catch {
          continue;
        }
        // White space is not what it says.
        expect(read).toEqual([{ clientId: "a", quota: { producerByteRate: 7 } }]);
      }
  });

  it("stay when topics change, and do not come back when they were taken out", async () => {
    const storage = memory();
    const catalog = await Catalog.load(storage, core);
    await catalog.changeQuotas(() => [{ clientId: "a", quota: { producerByteRate: 7 } }]);
    await catalog.reserveProducerIds();
    expect((await Catalog.load(storage, core)).quotas()).toEqual([{ clientId: "a", quota: { producerByteRate: 7 } }]);
    await catalog.changeQuotas(() => []);
    const bytes = await get(storage, "odradek.json");
    const other = memory();
    await put(other, "odradek.json", bytes as never);
    expect((await Catalog.load(other, core)).quotas()).toEqual([]);
  });

  it("are those of before or those of after, wherever the power goes; those of after once the change has resolved", async () => {
    const states = [[], [7], [9], []];
    let resolved = 0;
    const looked = await atEveryCrash(
      async (storage) => {
        const catalog = await Catalog.load(storage, core);
        for (const state of states.slice(1)) {
          await catalog.changeQuotas(() => state.map((producerByteRate) => ({ clientId: "a", quota: { producerByteRate } })));
          resolved += 1;
        }
      },
      async (disk) => {
        const found = (await Catalog.load(disk, core)).quotas().map(({ quota }) => quota.producerByteRate as number);
        expect([states[resolved], states[resolved + 1]]).toContainEqual(found);
      },
    );
    expect(looked).toBeGreaterThan(20);
  });

  it("stay as they were where the disk refuses the change", async () => {
    const storage = faultyStorage(memory());
    const catalog = await Catalog.load(storage, core);
    await catalog.changeQuotas(() => [{ clientId: "a", quota: { producerByteRate: 7 } }]);
    storage.fail({ call: "writeAt", name: /odradek\.json/, errno: "ENOSPC" });
    await expect(catalog.changeQuotas(() => [])).rejects.toThrow("ENOSPC");
    expect(catalog.quotas()).toEqual([{ clientId: "a", quota: { producerByteRate: 7 } }]);
    expect((await Catalog.load(storage, core)).quotas()).toEqual(catalog.quotas());
  });

  it("are bounded: one client too many is refused, and leaves what was there", async () => {
    const catalog = await Catalog.load(memory(), core);
    await catalog.changeQuotas(() => [{ clientId: "a", quota: { producerByteRate: 7 } }]);
    const tooMany = Array.from({ length: 100_001 }, (_, index) => ({ clientId: `c${index}`, quota: { producerByteRate: 1 } }));
    await expect(catalog.changeQuotas(() => tooMany)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringContaining("100001"),
    });
    expect(catalog.quotas()).toEqual([{ clientId: "a", quota: { producerByteRate: 7 } }]);
  });
});
