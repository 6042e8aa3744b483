/** What a rewrite or a removal cut short leaves behind: finished or taken back, never half of each, and never on doubt. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { CorruptionError } from "../../src/base/errors.ts";
import { batchByteLengthAt, viewOf } from "../../src/log/batch/batch-header.ts";
import { parseSegmentFileName } from "../../src/log/files/file-names.ts";
import { memory } from "../../src/storage/memory.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { DyingStorage } from "../simulation/log-crash-rig.ts";
import { created, opened, type RigOptions, readAll, send } from "./log-rig.ts";

const DIRECTORY = "orders-0";
const OPTIONS: RigOptions = { config: { segmentBytes: 450, indexIntervalBytes: 100, cleanupPolicy: "compact" } };
const COUNT = 14;
/** Disks looked at for one moment: nothing, everything, and each moment's state. */
const DISKS_MAX = 3;
/** Tidying comes first of all in an opening, and is done within so many calls. */
const TIDYING_CALLS_MAX = 22;
/** Until then files are only being made: there is nothing to finish yet. */
const SWAPPING_FROM = 12;
const ALL: readonly number[] = Array.from({ length: COUNT }, (_, index) => index);

async function bytesOf(storage: StorageDriver, name: string): Promise<Uint8Array> {
  const file = await storage.open(`${DIRECTORY}/${name}`, { create: "no", readOnly: true });
  const bytes = new Uint8Array(file.byteLength());
  file.readAt(bytes, 0);
  await file.close();
  return bytes;
}

async function put(storage: StorageDriver, name: string, bytes: Uint8Array): Promise<void> {
  const file = await storage.open(`${DIRECTORY}/${name}`, { create: "if-missing" });
  file.truncate(0);
  if (bytes.length > 0) file.writeAt(bytes, 0);
  await file.sync();
  await file.close();
}

async function contents(storage: StorageDriver): Promise<[string, Uint8Array][]> {
  const names = (await storage.list(DIRECTORY)).map((entry) => entry.name).sort();
  const found: [string, Uint8Array][] = [];
  for (const name of names) found.push([name, await bytesOf(storage, name)]);
  return found;
}

async function logBases(storage: StorageDriver): Promise<number[]> {
  const names = (await storage.list(DIRECTORY)).map((entry) => entry.name);
  return names
    .filter((name) => name.endsWith(".log"))
    .map((name) => Number(name.slice(0, 20)))
    .sort((left, right) => left - right);
}

/** Every second batch. */
function everySecond(log: Uint8Array): Uint8Array {
  const view = viewOf(log);
  const kept: number[] = [];
  for (let position = 0, number = 0; position < log.length; position += batchByteLengthAt(view, position), number += 1)
    if (number % 2 === 0) kept.push(...log.subarray(position, position + batchByteLengthAt(view, position)));
  return new Uint8Array(kept);
}

const named = (base: number, rest: string): string => `${String(base).padStart(20, "0")}.${rest}`;

/** A partition of several segments, and what compaction makes of the first two. */
async function prepared<Storage extends StorageDriver>(
  storage: Storage,
): Promise<{ storage: Storage; originals: string[]; cleaned: Uint8Array; kept: number[] }> {
  const { log } = await created(storage, OPTIONS);
  for (let value = 0; value < COUNT; value += 1) await send(log, `${value}`);
  await log.close(true);
  await storage.syncDirectory(DIRECTORY);
  const [first = 0, second = 0, third = 0] = await logBases(storage);
  const originals = (await storage.list(DIRECTORY))
    .map((entry) => entry.name)
    .filter((name) => (parseSegmentFileName(name)?.baseOffset ?? third) < third);
  const both = new Uint8Array([...(await bytesOf(storage, named(first, "log"))), ...(await bytesOf(storage, named(second, "log")))]);
  const kept = ALL.filter((offset) => offset >= third || offset % 2 === 0);
  return { storage, originals: originals.sort(), cleaned: everySecond(both), kept };
}

/** Kafka's order of steps, each group of names durable before the next. */
async function compact(storage: StorageDriver, originals: readonly string[], cleaned: Uint8Array): Promise<void> {
  const rename = (from: string, to: string): Promise<void> => storage.replace(`${DIRECTORY}/${from}`, `${DIRECTORY}/${to}`);
  const kinds = ["log", "index", "timeindex"];
  for (const kind of kinds) await put(storage, named(0, `${kind}.cleaned`), kind === "log" ? cleaned : new Uint8Array(0));
  await storage.syncDirectory(DIRECTORY);
  for (const kind of kinds) await rename(named(0, `${kind}.cleaned`), named(0, `${kind}.swap`));
  await storage.syncDirectory(DIRECTORY);
  for (const name of originals) await rename(name, `${name}.deleted`);
  await storage.syncDirectory(DIRECTORY);
  for (const kind of kinds) await rename(named(0, `${kind}.swap`), named(0, kind));
  await storage.syncDirectory(DIRECTORY);
  for (const name of originals) await storage.remove(`${DIRECTORY}/${name}.deleted`);
}

async function offsetsIn(storage: StorageDriver, options: RigOptions): Promise<number[]> {
  const { log } = await opened(storage, { ...OPTIONS, ...options });
  expect(log.failure).toBeNull();
  const records = await readAll(log);
  for (const { offset, value } of records) expect(value).toBe(`${offset}`);
  await log.close(false);
  return records.map((record) => record.offset);
}

describe("a compaction that a loss of power cuts short between any two steps", () => {
  it("is finished or taken back whole by the next open, also when that dies at any step; a reader sees the same and changes nothing", async () => {
    let finishedCount = 0;
    let takenBackCount = 0;
    for (let dyingAt = 1, done = false; !done; dyingAt += 1) {
      const { storage: disk, originals, cleaned, kept } = await prepared(crashStorage());
      const dying = new DyingStorage(disk, dyingAt);
      await compact(dying, originals, cleaned).catch(() => {});
      done = dying.callCount < dyingAt;
      const left = (): CrashStorage[] => [...disk.enumerateCrashes(DISKS_MAX)];
      const judge = (offsets: readonly number[]): void => {
        if (offsets.length === kept.length) finishedCount += 1;
        else takenBackCount += 1;
        expect(offsets, `dead at call ${dyingAt}`).toEqual(offsets.length === kept.length ? kept : ALL);
      };
      for (const [index, found] of left().entries()) {
        const before = await contents(found);
        for (const options of [{ frozen: true }, { readOnly: true }]) judge(await offsetsIn(found, options));
        expect(await contents(found)).toEqual(before);
        judge(await offsetsIn(found, {}));
        expect((await contents(found)).filter(([name]) => /swap|cleaned|deleted/.test(name))).toEqual([]);
        for (let againAt = 1; index === 0 && dyingAt > SWAPPING_FROM && againAt <= TIDYING_CALLS_MAX; againAt += 1) {
          const again = left()[index] as CrashStorage;
          const dyingAgain = new DyingStorage(again, againAt);
          await offsetsIn(dyingAgain, {}).catch(() => {});
          const [last] = again.enumerateCrashes(2);
          judge(await offsetsIn(last as CrashStorage, {}));
        }
      }
    }
    expect(finishedCount).toBeGreaterThan(20);
    expect(takenBackCount).toBeGreaterThan(20);
  }, 120_000);
});

describe("a swap of which it is not certain that it is whole", () => {
  it("is not put in place, nothing is removed, and the partition says which file; a reader passes it over and says so", async () => {
    const { storage, cleaned } = await prepared(memory());
    await put(storage, named(0, "log.swap"), cleaned.subarray(0, cleaned.length - 5));
    await put(storage, named(4, "log.deleted"), cleaned);
    const before = await contents(storage);
    const refused = opened(storage, OPTIONS);
    await expect(refused).rejects.toBeInstanceOf(CorruptionError);
    await expect(refused).rejects.toThrow(/orders-0\/0{20}\.log\.swap:\d+: expected the whole of a rewritten segment/);
    expect(await contents(storage)).toEqual(before);
    const { log, events } = await opened(storage, { ...OPTIONS, readOnly: true });
    expect((await readAll(log)).map((record) => record.offset)).toEqual(ALL);
    expect(events).toMatchObject([{ type: "swap.ignored" }]);
    await log.close(false);
    expect(await contents(storage)).toEqual(before);
  });

  it("belongs to a rewrite whose output is still being made when a .cleaned file stands at or below it: it goes, the originals stay", async () => {
    const { storage, cleaned } = await prepared(memory());
    await put(storage, named(0, "log.swap"), cleaned);
    await put(storage, named(0, "index.cleaned"), new Uint8Array(0));
    expect(await offsetsIn(storage, { readOnly: true })).toEqual(ALL);
    expect(await offsetsIn(storage, {})).toEqual(ALL);
    expect((await contents(storage)).filter(([name]) => /swap|cleaned/.test(name))).toEqual([]);
  });
});

describe("what a removal leaves", () => {
  it("is removed: .deleted files and derived files without a log; a name that is no segment's is not touched", async () => {
    const { storage } = await prepared(memory());
    for (const name of [named(99, "index"), named(99, "seal"), named(0, "log.deleted"), "notes.deleted", `${named(0, "log")}.set-aside-1`])
      await put(storage, name, new Uint8Array([1]));
    expect(await offsetsIn(storage, {})).toEqual(ALL);
    const names = (await contents(storage)).map(([name]) => name);
    expect(names.filter((name) => /99|deleted|set-aside/.test(name))).toEqual([`${named(0, "log")}.set-aside-1`, "notes.deleted"]);
  });
});
