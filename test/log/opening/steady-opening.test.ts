/**
 * A partition opened to be read while its writer removes and replaces segments. Whenever that happens, the opening shows the log as it is, tells of no damage,
 * and leaves nothing open; and what is damaged is told of all the same.
 */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../../src/api/storage-driver.ts";
import { CorruptionError } from "../../../src/base/errors.ts";
import type { LogContext } from "../../../src/log/context/log-context.ts";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import { memory } from "../../../src/storage/memory.ts";
import { compactAll, KEYED, put, readKeyed, rollOver } from "../compaction-rig.ts";
import { created, type RigOptions, readAll, rig, send } from "../log-rig.ts";

/** Counts what stands open, and lets something happen before a call that names or opens files. */
class Watched {
  calls = 0;
  openCount = 0;
  before: (call: number) => Promise<unknown> = async () => {};
  readonly driver: StorageDriver;

  constructor(inner: StorageDriver) {
    const step = async (): Promise<void> => {
      this.calls += 1;
      await this.before(this.calls);
    };
    this.driver = Object.assign(Object.create(inner), {
      list: async (directory: string) => {
        await step();
        return await inner.list(directory);
      },
      open: async (...args: Parameters<StorageDriver["open"]>) => {
        await step();
        const file = await inner.open(...args);
        this.openCount += 1;
        return Object.assign(Object.create(file), {
          close: async () => {
            this.openCount -= 1;
            await file.close();
          },
          byteLength: () => file.byteLength(),
          readAt: (into: Uint8Array, position: number) => file.readAt(into, position),
        });
      },
    });
  }
}

async function openedBeside(storage: StorageDriver, options: RigOptions): Promise<{ reader: PartitionLog; told: string[] }> {
  const { context, spec, events } = rig(storage, { ...options, readOnly: true });
  const following: LogContext = { ...context, isFollowing: true };
  const reader = await PartitionLog.open(following, spec);
  return { reader, told: events.map(({ type }) => type) };
}

/** As a fetch does: what it meets is believed unless the writer has been quicker. */
async function readBeside<Result>(reader: PartitionLog, read: (log: PartitionLog) => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await read(reader);
    } catch (error) {
      if (!(await reader.follower.isOvertaken())) throw error;
      await reader.follower.follow(true);
    }
  }
}

/** Three rounds of three keys over sealed segments, of which compaction leaves the last round. */
async function compacted(): Promise<{ storage: StorageDriver; writer: PartitionLog }> {
  const storage = memory();
  const { log: writer } = await created(storage, KEYED);
  for (let round = 0; round < 9; round += 1)
    await put(
      writer,
      ["a", "b", "c"].map((key) => [key, `${key}${round}`.padEnd(60)]),
    );
  await rollOver(writer);
  return { storage, writer };
}

const NEWEST = ["a8", "b8", "c8"];

async function newest(log: PartitionLog): Promise<(string | undefined)[]> {
  const byKey = new Map((await readBeside(log, readKeyed)).map(({ key, value }) => [key, value?.trim()]));
  return ["a", "b", "c"].map((key) => byKey.get(key));
}

describe("a log opened beside its writer", () => {
  it("that compacts it between any two looks shows the newest of each key, tells nothing, and keeps no file open", async () => {
    const quiet = new Watched((await compacted()).storage);
    const { reader } = await openedBeside(quiet.driver, KEYED);
    const callsOfAnOpening = quiet.calls;
    await reader.close(false);
    expect(callsOfAnOpening).toBeGreaterThan(12);
    for (let at = 1; at <= callsOfAnOpening; at += 1) {
      const { storage, writer } = await compacted();
      const watched = new Watched(storage);
      watched.before = async (call) => call === at && (await compactAll(writer));
      const { reader, told } = await openedBeside(watched.driver, KEYED);
      expect([at, told, await newest(reader)]).toEqual([at, [], NEWEST]);
      await reader.close(false);
      expect([at, watched.openCount]).toEqual([at, 0]);
      await writer.close(true);
    }
  });

  it("that compacts it step by step, some of them between any two looks, shows the newest of each key and tells nothing", async () => {
    for (const callsPerLook of [1, 2, 3, 5, 8, 13])
      for (let from = 1; from <= 16; from += 3) {
        const { storage: inner } = await compacted();
        // The writer's own calls wait for the reader's.
        const queue: (() => void)[] = [];
        let isHeld = false;
        const slow: StorageDriver = Object.create(inner);
        for (const name of ["open", "list", "replace", "remove", "syncDirectory"] as const)
          Object.assign(slow, {
            [name]: async (...args: never[]) => {
              if (isHeld) await new Promise<void>((resolve) => queue.push(resolve));
              return await (inner[name] as (...args: never[]) => Promise<unknown>)(...args);
            },
          });
        const { context, spec } = rig(slow, KEYED);
        const writer = await PartitionLog.open(context, spec);
        isHeld = true;
        let compaction: Promise<unknown> | null = null;
        const watched = new Watched(inner);
        watched.before = async (call) => {
          if (call < from) return;
          compaction ??= compactAll(writer);
          for (let step = 0; step < callsPerLook; step += 1) {
            await new Promise((resolve) => setImmediate(resolve));
            queue.shift()?.();
          }
        };
        const { reader, told } = await openedBeside(watched.driver, KEYED);
        expect([callsPerLook, from, told, await newest(reader)]).toEqual([callsPerLook, from, [], NEWEST]);
        await reader.close(false);
        isHeld = false;
        for (const resume of queue) resume();
        await compaction;
        await writer.close(true);
      }
  });

  it("that deletes its oldest segments between any two looks shows what is left of it", async () => {
    const options: RigOptions = { config: { segmentBytes: 400, retentionBytes: 500 } };
    for (let at = 1; at <= 20; at += 1) {
      const storage = memory();
      const { log: writer } = await created(storage, options);
      for (let index = 0; index < 12; index += 1) await send(writer, `${index}`.padEnd(150));
      const watched = new Watched(storage);
      let deleted = 0;
      watched.before = async (call) => {
        if (call === at) deleted = (await writer.applyRetention()).segmentsDeleted;
      };
      const { reader, told } = await openedBeside(watched.driver, options);
      const values = (await readBeside(reader, readAll)).map(({ value }) => value.trim());
      expect([at, told, values.at(-1), values.length <= 12]).toEqual([at, [], "11", true]);
      expect(values).toEqual(Array.from({ length: values.length }, (_, index) => `${12 - values.length + index}`));
      expect(deleted).toBeGreaterThan(1);
      await reader.close(false);
      expect([at, watched.openCount]).toEqual([at, 0]);
      await writer.close(true);
    }
  });

  it("whose directory is another at each look is opened all the same", async () => {
    const { storage, writer } = await compacted();
    const watched = new Watched(storage);
    let made = 0;
    watched.before = async () => {
      const file = await storage.open(`orders-0/${made++}.tmp`, { create: "new" });
      await file.close();
    };
    const { reader, told } = await openedBeside(watched.driver, KEYED);
    expect([told, await newest(reader)]).toEqual([[], NEWEST]);
    await reader.close(false);
    await writer.close(true);
  });

  it("tells of damage that is there whenever it is looked at: once, and as the opening without a writer does", async () => {
    const { storage, writer } = await compacted();
    await writer.close(false);
    const file = await storage.open("orders-0/odradek.state", { create: "no" });
    file.writeAt(new Uint8Array(file.byteLength()).fill(7), 0);
    await file.close();
    const { context, spec, events } = rig(storage, { ...KEYED, readOnly: true });
    await (await PartitionLog.open(context, spec)).close(false);
    const watched = new Watched(storage);
    const { reader, told } = await openedBeside(watched.driver, KEYED);
    expect(told).toContain("book.ignored");
    expect(told).toEqual(events.map(({ type }) => type));
    await reader.close(false);
    expect(watched.openCount).toBe(0);
  });

  it("does not tell of what it met while the writer was at work", async () => {
    const { storage, writer } = await compacted();
    const state = await storage.open("orders-0/odradek.state", { create: "no" });
    const good = new Uint8Array(state.byteLength());
    state.readAt(good, 0);
    state.writeAt(new Uint8Array(good.length).fill(7), 0);
    const watched = new Watched(storage);
    // By then the first opening has read it. With a file more, the writer is known to be at work.
    watched.before = async (call) => {
      if (call !== 8) return;
      state.writeAt(good, 0);
      await (await storage.open("orders-0/a.tmp", { create: "new" })).close();
    };
    const { reader, told } = await openedBeside(watched.driver, KEYED);
    expect([watched.calls > 8, told, await newest(reader)]).toEqual([true, [], NEWEST]);
    await reader.close(false);
    await state.close();
    await writer.close(true);
  });

  it("that cannot be opened rejects with the reason, however often the directory has changed", async () => {
    for (const changes of [false, true]) {
      const { storage, writer } = await compacted();
      await writer.close(true);
      for (const { name } of await storage.list("orders-0")) if (name.endsWith(".log")) await storage.remove(`orders-0/${name}`);
      const watched = new Watched(storage);
      let made = 0;
      if (changes) watched.before = async () => (await storage.open(`orders-0/${made++}.tmp`, { create: "new" })).close();
      await expect(openedBeside(watched.driver, KEYED)).rejects.toThrow(CorruptionError);
      expect(watched.openCount).toBe(0);
    }
  });
});

describe("a follower", () => {
  it("knows that its writer has overtaken it, until it has looked anew", async () => {
    const { storage, writer } = await compacted();
    const { reader } = await openedBeside(storage, KEYED);
    expect(await reader.follower.isOvertaken()).toBe(false);
    await put(writer, [["d", "d"]]);
    expect(await reader.follower.isOvertaken()).toBe(false);
    await compactAll(writer);
    expect(await reader.follower.isOvertaken()).toBe(true);
    await reader.follower.follow(true);
    expect(await reader.follower.isOvertaken()).toBe(false);
    await reader.close(false);
    await writer.close(true);
  });

  it("that is asked twice at once to look anew leaves no file open, nor does one that is closed meanwhile", async () => {
    const { storage, writer } = await compacted();
    const watched = new Watched(storage);
    const { reader } = await openedBeside(watched.driver, KEYED);
    const atRest = watched.openCount;
    await Promise.all([reader.follower.follow(true), reader.follower.follow(true), reader.follower.follow(true)]);
    expect(watched.openCount).toBe(atRest);
    expect(await newest(reader)).toEqual(NEWEST);
    // Closed before each look of it in turn, and behind the last.
    await reader.close(false);
    for (let at = 1; at <= 14; at += 1) {
      const { reader: next } = await openedBeside(watched.driver, KEYED);
      const from = watched.calls;
      let closing: Promise<void> | null = null;
      watched.before = async (call) => {
        if (call === from + at) closing = next.close(false);
      };
      await expect(next.follower.follow(true)).rejects.toThrow("closed");
      await closing;
      expect([at, watched.openCount]).toEqual([at, 0]);
    }
    await writer.close(true);
  });

  it.each([
    // What its log was opened with.
    ["odradek.state", ["book.ignored"], []],
    // What a reader meets.
    ["00000000000000000000.seal", [], ["seal.ignored"]],
  ])("with damage in %s tells of it once", async (name, whenOpened, whenRead) => {
    const { storage, writer } = await compacted();
    await writer.close(false);
    const file = await storage.open(`orders-0/${name}`, { create: "no" });
    file.writeAt(new Uint8Array(file.byteLength()).fill(7), 0);
    await file.close();
    const { context, spec, events } = rig(storage, { ...KEYED, readOnly: true });
    const told = (): string[] => events.splice(0).map(({ type }) => type);
    const reader = await PartitionLog.open({ ...context, isFollowing: true }, spec);
    expect(told()).toEqual(whenOpened);
    await reader.follower.follow(true);
    expect(told()).toEqual([]);
    await readAll(reader);
    expect(told()).toEqual(whenRead);
    await reader.close(false);
  });
});
