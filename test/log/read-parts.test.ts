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
    wanted: { baseOffset, byteLength, checksum: checksum | 0, from: HEADER_BYTE_LENGTH, until: byteLength },
    bytes,
    position: before,
  };
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
    expect(log.readPartSync(wanted)).toEqual(bytes);
    const from = wanted.byteLength - 7;
    expect(log.readPartSync({ ...wanted, from, until: from + 5 })).toEqual(
      new Uint8Array([...bytes.subarray(0, HEADER_BYTE_LENGTH), ...bytes.subarray(from, from + 5)]),
    );
  }
  await log.close(false);
});

it("gives nothing of what is not that batch: another length or checksum, offsets within it or beyond the end", async () => {
  const { log } = await threeBatches();
  const { wanted } = await noted(log, 2);
  expect(log.readPartSync({ ...wanted, checksum: wanted.checksum ^ 1 })).toBeNull();
  expect(log.readPartSync({ ...wanted, byteLength: wanted.byteLength - 1 })).toBeNull();
  expect(log.readPartSync({ ...wanted, byteLength: wanted.byteLength + 1 })).toBeNull();
  expect(log.readPartSync({ ...wanted, baseOffset: 1 })).toBeNull();
  expect(log.readPartSync({ ...wanted, baseOffset: 3 })).toBeNull();
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
    expect(log.readPartSync(wanted), spoil).toBeNull();
    await log.close(false).catch(() => {});
  }
});

it("gives nothing where the way to it is damaged: whoever asks for the whole is told where", async () => {
  const { log, file } = await threeBatches();
  for (let count = 0; count < 40; count += 1) await send(log, "later");
  const { wanted, bytes } = await noted(log, 2);
  // Read so often elsewhere that where this batch stands is no longer remembered, and must be looked for from the front.
  for (let offset = 10; offset < 40; offset += 1) await noted(log, offset);
  expect(log.readPartSync(wanted)).toEqual(bytes);
  file.writeAt(Uint8Array.of(0x7f, 0, 0, 0), 8);
  expect(log.readPartSync(wanted)).toBeNull();
  await log.close(false);
});

it("tells a refusal of the disk as what it is", async () => {
  const { storage, log } = await threeBatches();
  const { wanted, bytes } = await noted(log, 1);
  storage.fail({ call: "readAt", name: /\.log$/, errno: "EIO" });
  expect(() => log.readPartSync(wanted)).toThrow(
    expect.objectContaining({ code: "STORAGE_FAILED", message: expect.stringContaining("EIO") }),
  );
  expect(log.readPartSync(wanted)).toEqual(bytes);
  await log.close(false);
});
