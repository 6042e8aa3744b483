/** Tabs that share a log, on an imitation of the browser's file system and locks; the real ones are in test/runtimes. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Odradek } from "../../src/api/odradek.ts";
import { listenForTabs, reachTab, type TabDoorParts } from "../../src/attached/tab-door.ts";
import type { TabChannel } from "../../src/attached/tab-port.ts";
import { utf8 } from "../../src/base/serde.ts";
import { openTab } from "../../src/opfs.ts";
import { keepStorage } from "../../src/storage/opfs-keep.ts";
import { FakeDirectory, fakeLocks } from "../storage/fake-opfs.ts";

let directory: FakeDirectory;

beforeEach(() => {
  directory = new FakeDirectory();
  vi.stubGlobal("navigator", { locks: fakeLocks() });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const opened = (): Promise<Odradek> => openTab("app", { directory });

async function values(log: Odradek): Promise<string[]> {
  const consumer = log.consumer({ value: utf8 });
  await consumer.assign([{ topic: "t", partition: 0 }]);
  const found: string[] = [];
  for await (const { value } of consumer.records({ until: "end" })) found.push(value ?? "");
  await consumer.close();
  return found;
}

describe("tabs of an origin", () => {
  it("work with one log, and one of them takes it when the one that has it closes", async () => {
    const [first, second, third] = [await opened(), await opened(), await opened()];
    await second.createTopic("t");
    const producers = [first, second, third].map((log) => log.producer({ value: utf8 }));
    for (const [index, producer] of producers.entries()) await producer.send({ topic: "t", value: `from ${index}` });
    expect(await values(third)).toEqual(["from 0", "from 1", "from 2"]);
    const late = producers[1]?.send({ topic: "t", value: "on the way" });
    await first.close();
    await late;
    await producers[2]?.send({ topic: "t", value: "after" });
    expect(await values(second)).toEqual(["from 0", "from 1", "from 2", "on the way", "after"]);
    await second.close();
    expect(await values(third)).toHaveLength(5);
    await third.close();
  });

  it("are told where there are no locks, or no channels", async () => {
    vi.stubGlobal("navigator", {});
    await expect(opened()).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE", message: expect.stringContaining("https") as string });
    vi.stubGlobal("navigator", { locks: fakeLocks() });
    vi.stubGlobal("BroadcastChannel", undefined);
    await expect(opened()).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });
    await expect(openTab("../app")).rejects.toThrow(/opfs\(name\)/);
  });

  it("do not begin an empty log where one must be", async () => {
    await expect(openTab("app", { directory, create: false })).rejects.toThrow(/evicted/);
  });

  it("find nobody where nobody has the log, and take no notice of what others say on its channel", async () => {
    const parts: TabDoorParts = {
      lockName: "odradek:app",
      locks: fakeLocks(),
      channel: (name) => new BroadcastChannel(name) as unknown as TabChannel,
      newId: () => crypto.randomUUID(),
    };
    expect(await reachTab(parts, new AbortController().signal)).toBe(null);
    const came: unknown[] = [];
    const stop = listenForTabs(parts, (channel) => came.push(channel));
    const stranger = new BroadcastChannel(parts.lockName);
    for (const said of [null, 7, {}, { comes: 7 }, { comes: "../../x" }]) stranger.postMessage(said);
    // Held, so that the one who comes waits for its end as in life.
    const owner = new AbortController();
    const held = parts.locks.request(
      parts.lockName,
      {},
      () => new Promise<void>((free) => owner.signal.addEventListener("abort", () => free())),
    );
    const channel = await reachTab(parts, new AbortController().signal);
    expect(channel).not.toBe(null);
    expect(came).toHaveLength(1);
    const ended = new Promise<void>((resolve) => channel?.start({ frame: () => {}, drained: () => {}, ended: () => resolve() }));
    owner.abort();
    await held;
    await ended;
    stranger.close();
    stop();
  });

  it("ask the browser to keep what is stored, from a page, and are told how it stands everywhere", async () => {
    expect(await keepStorage()).toEqual({ persisted: false, usageByteLength: 0, quotaByteLength: 0 });
    const estimate = async (): Promise<object> => ({ usage: 7, quota: 100 });
    vi.stubGlobal("navigator", { storage: { persisted: async () => false, persist: async () => true, estimate } });
    expect(await keepStorage()).toEqual({ persisted: true, usageByteLength: 7, quotaByteLength: 100 });
    vi.stubGlobal("navigator", { storage: { persisted: async () => false, estimate } });
    expect((await keepStorage()).persisted).toBe(false);
  });
});
