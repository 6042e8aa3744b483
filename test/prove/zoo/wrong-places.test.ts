/**
 * What stands where it should not, or not where it should: index entries, batches, whole segments, offsets that no number holds. Checksums
 * say that bytes are whole, not that this is their place; each of these was given out as good by some engine.
 */
import { describe, expect, it } from "vitest";
import { CorruptionError } from "../../../src/base/errors.ts";
import { type CrashStorage, crashStorage } from "../../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { append, created, NOW_MS, opened, type ReadRecord, type RigOptions, readAll, recordsIn, send } from "../../log/log-rig.ts";

const FIRST = "orders-0/00000000000000000000.log";
const ROLLING: RigOptions = { config: { segmentBytes: 500, indexIntervalBytes: 50, maxMessageBytes: 400 } };
type Log = Awaited<ReturnType<typeof opened>>["log"];

/** Bytes of a file as they will be read, whatever anybody knows of them. */
async function overwrite(disk: CrashStorage, name: string, bytes: Uint8Array, at: number): Promise<void> {
  const file = await disk.open(name, { create: "no" });
  file.writeAt(bytes, at);
  await file.sync();
  await file.close();
}

/** The barest directory: no seals and no state, as another writer leaves it. */
async function forgetWhatIsOurs(disk: CrashStorage): Promise<void> {
  for (const { name } of await disk.list("orders-0")) {
    if (name.endsWith(".seal") || name === "odradek.state") await disk.remove(`orders-0/${name}`);
  }
  await disk.syncDirectory("orders-0");
}

function int64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value);
  return bytes;
}

/** Where batches begin that are as long as the first. */
function batchByteLength(disk: CrashStorage, name = FIRST): number {
  const bytes = disk.peek(name) as Uint8Array;
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(8) + 12;
}

/** What a reader gets who asks for an offset: records from there on, or an error that names the place. Never others, and none twice. */
async function readFrom(log: Log, offset: number, maxBytes: number): Promise<ReadRecord[]> {
  const found = recordsIn(await log.read(offset, maxBytes)).filter((record) => record.offset >= offset);
  for (const [index, record] of found.entries()) expect(record.value, `at ${record.offset}`).toBe(`value ${offset + index}`);
  return found;
}

async function lifeOf(count: number, options: RigOptions): Promise<CrashStorage> {
  const disk = crashStorage();
  const { log } = await created(disk, options);
  for (let index = 0; index < count; index += 1) await send(log, `value ${index}`);
  await log.sealUnsealed();
  await log.close(true);
  return disk;
}

describe("what stands in the wrong place", () => {
  it("an entry of an offset index that points behind its offset is not followed", async () => {
    for (const [isOurs, byteLength] of [
      [true, 500],
      [false, 500],
      [false, 5000],
    ] as const) {
      const options: RigOptions = { config: { ...ROLLING.config, segmentBytes: byteLength } };
      const disk = await lifeOf(12, options);
      if (!isOurs) await forgetWhatIsOurs(disk);
      const name = "orders-0/00000000000000000000.index";
      const entries = disk.peek(name) as Uint8Array;
      expect(entries.length).toBeGreaterThanOrEqual(24);
      // Each leads to where the one behind it belongs: all rise, and all are wrong.
      for (let at = 0; at + 8 < entries.length; at += 8) await overwrite(disk, name, entries.slice(at + 12, at + 16), at + 4);
      await overwrite(disk, name, entries.slice(0, 4), 0);
      const last = entries.slice(-4);
      last[3] = (last[3] as number) + 1;
      await overwrite(disk, name, last, entries.length - 4);
      for (let offset = 0; offset < 12; offset += 1) {
        const { log } = await opened(disk, { ...options, cleanShutdown: true, readOnly: true });
        const found = await readFrom(log, offset, 100);
        expect(found[0]?.offset, `ours ${isOurs}, segments of ${byteLength}`).toBe(offset);
        await log.close(false);
      }
    }
  });

  it("a batch whose offset was set back is no record of that offset, in a segment that nobody sealed", async () => {
    const disk = await lifeOf(12, ROLLING);
    await forgetWhatIsOurs(disk);
    const step = batchByteLength(disk);
    await overwrite(disk, FIRST, int64(0n), 2 * step);
    const { log } = await opened(disk, { ...ROLLING, cleanShutdown: true, readOnly: true });
    // In one read with those before it: what is asked for by itself may be a gap, which are legal where nobody sealed.
    for (const offset of [0, 1]) {
      const found = await readFrom(log, offset, 1000);
      expect(found.map((record) => record.offset)).toEqual([0, 1].filter((each) => each >= offset));
    }
  });

  it.each([
    ["an earlier one", 4],
    ["a later one", 6],
  ])("a batch that is whole, and stands where another belongs, ends what a recovery takes in: %s", async (_, stray) => {
    const disk = crashStorage();
    const { log } = await created(disk);
    for (let index = 0; index < 3; index += 1) await send(log, `value ${index}`);
    // Written, not flushed, and the process dies.
    for (let index = 3; index < 8; index += 1) await append(log, [{ value: `value ${index}`, timestamp: NOW_MS }]);
    const killed = disk.crash(new SeededRandom(0), { kind: "process" });
    const step = batchByteLength(killed);
    const bytes = killed.peek(FIRST) as Uint8Array;
    // A misdirected write: checksum and epoch are right, the place is not.
    await overwrite(killed, FIRST, bytes.slice(stray * step, (stray + 1) * step), 5 * step);
    const { log: next, events } = await opened(killed);
    const kept = [0, 1, 2, 3, 4];
    expect((await readAll(next)).map(({ offset, value }) => `${offset} ${value}`)).toEqual(kept.map((each) => `${each} value ${each}`));
    expect(events.filter(({ type }) => type === "recovery.cut").length).toBe(1);
    expect((await send(next, "value 5")).baseOffset).toBe(5);
  });

  it("a segment that is missing in the middle of what is recovered is damage, not the log's end", async () => {
    const disk = crashStorage();
    // Seals are what moves the recovery point over a segment: while none can be made, all of them are gone through.
    const full = faultyStorage(disk);
    full.fail({ call: "open", name: /\.seal/, errno: "ENOSPC", times: Number.POSITIVE_INFINITY });
    const { log } = await created(full, ROLLING);
    for (let index = 0; index < 25; index += 1) await send(log, `value ${index}`);
    const killed = disk.crash(new SeededRandom(0), { kind: "process" });
    const bases = (await killed.list("orders-0")).map(({ name }) => name).filter((name) => name.endsWith(".log"));
    expect(bases.length).toBeGreaterThanOrEqual(4);
    const [, missing, ...behind] = bases.sort();
    for (const kind of ["log", "index", "timeindex"]) await killed.remove(`orders-0/${missing?.replace(/log$/, kind)}`);
    const before = behind.map((name) => killed.peek(`orders-0/${name}`));
    const { log: next } = await opened(killed, ROLLING);
    expect(next.failure?.code).toBe("CORRUPT_MESSAGE");
    expect(behind.map((name) => killed.peek(`orders-0/${name}`))).toEqual(before);
    const firstMissing = Number(missing?.slice(0, 20));
    expect((await readAll(next).catch(() => [])).length).toBeLessThanOrEqual(firstMissing);
    await expect(next.read(firstMissing, 100)).rejects.toThrow(/00000/);
  });

  it("a sealed segment that is missing in the middle is told to who reads there, and passes for no gap", async () => {
    const disk = await lifeOf(25, ROLLING);
    const [, missing] = (await disk.list("orders-0"))
      .map(({ name }) => name)
      .filter((name) => name.endsWith(".log"))
      .sort();
    for (const kind of ["log", "index", "timeindex", "seal"]) await disk.remove(`orders-0/${missing?.replace(/log$/, kind)}`);
    const { log } = await opened(disk, { ...ROLLING, cleanShutdown: true });
    const firstMissing = Number(missing?.slice(0, 20));
    expect((await readFrom(log, firstMissing - 1, 1000)).length).toBe(1);
    const error = await log.read(firstMissing, 1000).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CorruptionError);
    const { nextReadableOffset } = error as CorruptionError;
    expect((await readFrom(log, nextReadableOffset as number, 100))[0]?.offset).toBe(nextReadableOffset);
  });

  it("a segment that was deleted and has come back is no part of the log, and goes again", async () => {
    const disk = crashStorage();
    const { log } = await created(disk, ROLLING);
    for (let index = 0; index < 25; index += 1) await send(log, `value ${index}`);
    await log.sealUnsealed();
    const bytes = disk.peek(FIRST) as Uint8Array;
    await log.deleteRecordsBefore(12);
    await log.applyRetention();
    await log.close(true);
    expect(disk.peek(FIRST)).toBe(null);
    await (await disk.open(FIRST, { create: "new" })).close();
    await overwrite(disk, FIRST, bytes, 0);
    const { log: next } = await opened(disk, { ...ROLLING, cleanShutdown: true });
    expect(next.watermarks.logStartOffset).toBe(12);
    expect((await readAll(next)).map(({ offset }) => offset)).toEqual(Array.from({ length: 13 }, (_, index) => 12 + index));
    expect(disk.peek(FIRST)).toBe(null);
  });

  it("an offset beyond 2^53 is not read, and no record is given one", async () => {
    const disk = crashStorage();
    const { log } = await created(disk);
    for (let index = 0; index < 3; index += 1) await send(log, `value ${index}`);
    await log.close(true);
    await forgetWhatIsOurs(disk);
    await overwrite(disk, FIRST, int64(2n ** 53n + 2n), 2 * batchByteLength(disk));
    const { log: next } = await opened(disk, { readOnly: true });
    expect(Number.isSafeInteger(next.watermarks.logEndOffset)).toBe(true);
    expect((await readAll(next)).map(({ offset }) => offset)).toEqual([0, 1]);
  });

  it("the last offset that a number holds exactly is the last one that is given out", async () => {
    const disk = crashStorage();
    const near = Number.MAX_SAFE_INTEGER - 3;
    const { log } = await created(disk);
    await log.close(true);
    for (const { name } of await disk.list("orders-0")) if (/^0{20}|state|checkpoint/.test(name)) await disk.remove(`orders-0/${name}`);
    const { log: next } = await opened(disk, { checkpoint: { recoveryPoint: null, logStartOffset: near } });
    expect(next.watermarks.logEndOffset).toBe(near);
    const given: number[] = [];
    for (let index = 0; index < 6; index += 1) {
      const sent = await send(next, "value").catch((error: unknown) => error);
      if (sent instanceof Error) expect(sent.message).toContain("2^53-1");
      else given.push((sent as { baseOffset: number }).baseOffset);
    }
    expect(given).toEqual([near, near + 1, near + 2]);
    expect((await readAll(next)).map(({ offset }) => offset)).toEqual(given);
  });
});
