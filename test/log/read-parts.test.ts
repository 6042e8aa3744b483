/** Parts of a batch that was read before: those very bytes at once, or nothing; never others, and a refusal of the disk is told. */
import { expect, it } from "vitest";
import { readBatchHeader } from "../../src/base/record-batch.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import type { CheckedBatch } from "../../src/log/segment/segment-reader.ts";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/index.ts";
import { created, send } from "./log-rig.ts";

const LOG = "orders-0/00000000000000000000.log";
const HEADER_BYTE_LENGTH = 61;

/** The batch at an offset, as a reader that had it whole keeps note of it; all its records are wanted. */
async function noted(log: PartitionLog, offset: number): Promise<{ wanted: CheckedBatch; bytes: Uint8Array; position: number }> {
  const before = offset === 0 ? 0 : readBatchHeader(await log.read(0, 1), 0).byteLength * offset;
  const read = await log.read(offset, 1);
  const { baseOffset, byteLength, checksum } = readBatchHeader(read, 0);
  const bytes = read.slice(0, byteLength);
  return {
    wanted: { baseOffset, byteLength, checksum: checksum | 0, from: 0, place: null },
    bytes,
    position: before,
  };
}

/** What a log gives of a batch; null: it must be read whole. */
function part(log: PartitionLog, wanted: CheckedBatch, byteLength: number = wanted.byteLength - wanted.from): Uint8Array | null {
  const into = new Uint8Array(byteLength);
  return log.readPartSync(wanted, into) ? into : null;
}

/** A log of equally long batches, and its file for whoever wants to spoil it. */
async function threeBatches() {
  const disk = memory();
  const storage = faultyStorage(disk);
  const { log } = await created(storage);
  for (const value of ["first", "other", "third"]) await send(log, value);
  return { storage, log, file: await disk.open(LOG, { create: "no" }) };
}

it("gives the part that is asked for, as it was read", async () => {
  const { log } = await threeBatches();
  for (const offset of [0, 1, 2]) {
    const { wanted, bytes } = await noted(log, offset);
    expect(part(log, wanted)).toEqual(bytes);
    const from = wanted.byteLength - 7;
    for (const place of [null, wanted.place, {}]) {
      expect(part(log, { ...wanted, from, place }, 5)).toEqual(bytes.slice(from, from + 5));
      expect(part(log, { ...wanted, from, place }, 8), "beyond its end").toBeNull();
    }
  }
  await log.close(false);
});

it("gives nothing of what is not that batch: another length or checksum, offsets within it or beyond the end", async () => {
  const { log } = await threeBatches();
  const { wanted } = await noted(log, 2);
  expect(part(log, { ...wanted, checksum: wanted.checksum ^ 1 })).toBeNull();
  expect(part(log, { ...wanted, byteLength: wanted.byteLength - 1 })).toBeNull();
  expect(part(log, { ...wanted, byteLength: wanted.byteLength + 1 })).toBeNull();
  expect(part(log, { ...wanted, baseOffset: 1 })).toBeNull();
  expect(part(log, { ...wanted, baseOffset: 3 })).toBeNull();
  await log.close(false);
});

it("gives nothing where the file has been cut or written over since: the batch must be read whole, and checked", async () => {
  for (const spoil of [
    "cut in its header",
    "cut in its header, its place being remembered",
    "cut in its records",
    "its checksum",
  ] as const) {
    const { log, file } = await threeBatches();
    const { wanted, position } = await noted(log, 2);
    if (spoil.includes("remembered")) await log.read(1, 1);
    if (spoil.startsWith("cut in its header")) file.truncate(position + 20);
    if (spoil === "cut in its records") file.truncate(position + HEADER_BYTE_LENGTH + 1);
    if (spoil === "its checksum") file.writeAt(Uint8Array.of(1, 2, 3, 4), position + 17);
    expect(part(log, wanted), spoil).toBeNull();
    await log.close(false).catch(() => {});
  }
});

it("finds its way back without a look at the header, in the same segment alone, and to the end of the file at most", async () => {
  const [{ log, file }, other] = [await threeBatches(), await threeBatches()];
  const [first, second] = [await noted(log, 1), await noted(other.log, 2)];
  expect(part(log, first.wanted)).toEqual(first.bytes);
  file.writeAt(new Uint8Array(HEADER_BYTE_LENGTH), first.position);
  const { from, ...rest } = first.wanted;
  expect(part(log, { ...rest, from: HEADER_BYTE_LENGTH })).toEqual(first.bytes.slice(HEADER_BYTE_LENGTH));
  expect(part(log, { ...first.wanted, place: null }), "looked for anew").toBeNull();
  expect(part(other.log, { ...second.wanted, place: first.wanted.place }), "the place is of another segment").toEqual(second.bytes);
  file.truncate(first.position + HEADER_BYTE_LENGTH + 1);
  expect(part(log, first.wanted), "cut").toBeNull();
  await log.close(false).catch(() => {});
  await other.log.close(false);
});

it("gives nothing where the way to it is damaged: whoever asks for the whole is told where", async () => {
  const { log, file } = await threeBatches();
  for (let count = 0; count < 40; count += 1) await send(log, "later");
  const { wanted, bytes } = await noted(log, 2);
  // Read so often elsewhere that where this batch stands is no longer remembered, and must be looked for from the front.
  for (let offset = 10; offset < 40; offset += 1) await noted(log, offset);
  expect(part(log, { ...wanted })).toEqual(bytes);
  file.writeAt(Uint8Array.of(0x7f, 0, 0, 0), 8);
  expect(part(log, wanted)).toBeNull();
  await log.close(false);
});

it("tells a refusal of the disk as what it is", async () => {
  const { storage, log } = await threeBatches();
  const { wanted, bytes } = await noted(log, 1);
  storage.fail({ call: "readAt", name: /\.log$/, errno: "EIO" });
  expect(() => part(log, wanted)).toThrow(expect.objectContaining({ code: "STORAGE_FAILED", message: expect.stringContaining("EIO") }));
  expect(part(log, wanted)).toEqual(bytes);
  await log.close(false);
});
