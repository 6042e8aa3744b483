/** Tabs that share a log, on an imitation of the browser's file system and locks; the real ones are in test/runtimes. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Odradek } from "../../src/api/odradek.ts";
import { ATTACH_TIMES } from "../../src/attached/door.ts";
import { listenForTabs, reachTab, type TabDoorParts } from "../../src/attached/tab-door.ts";
import { type TabChannel, TabPort } from "../../src/attached/tab-port.ts";
import { utf8 } from "../../src/base/serde.ts";
import { open } from "../../src/index.ts";
import { openTab, opfs } from "../../src/opfs.ts";
import { portablePlatform } from "../../src/portable.ts";
import { keepStorage } from "../../src/storage/opfs-keep.ts";
import { openTabOn } from "../../src/tabs.ts";
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

function partsOf(locks: TabDoorParts["locks"]): TabDoorParts {
  return {
    lockName: "odradek:app",
    locks,
    channel: (name) => new BroadcastChannel(name) as unknown as TabChannel,
    newId: () => crypto.randomUUID(),
  };
}

/** Takes the log's lock until the signal says so. */
function holding({ locks, lockName }: TabDoorParts, signal: AbortSignal): Promise<unknown> {
  return locks.request(lockName, {}, () => new Promise<void>((free) => signal.addEventListener("abort", () => free())));
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
    const parts = partsOf(fakeLocks());
    expect(await reachTab(parts, new AbortController().signal)).toBe(null);
    const came: unknown[] = [];
    const stop = listenForTabs(parts, (channel) => came.push(channel));
    const stranger = new BroadcastChannel(parts.lockName);
    for (const said of [null, 7, {}, { comes: 7 }, { comes: "../../x" }]) stranger.postMessage(said);
    // Held, so that the one who comes waits for its end as in life.
    const owner = new AbortController();
    const held = holding(parts, owner.signal);
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

  it("that asked before the owner listened ask again when they hear that it does", async () => {
    const parts = partsOf(fakeLocks());
    const owner = new AbortController();
    const held = holding(parts, owner.signal);
    const witness = new BroadcastChannel(parts.lockName);
    const asked = new Promise((resolve) => {
      witness.onmessage = resolve;
    });
    const coming = reachTab(parts, new AbortController().signal);
    await asked;
    witness.postMessage("of no meaning");
    const came: unknown[] = [];
    const stop = listenForTabs(parts, (channel) => came.push(channel));
    const channel = await coming;
    expect(channel).not.toBe(null);
    expect(came).toHaveLength(1);
    await channel?.close();
    owner.abort();
    await held;
    witness.close();
    stop();
  });

  it("are told that whoever has the log shares it with nobody", async () => {
    const alone = await open({ storage: opfs("app", { directory }) });
    const coming = openTabOn(portablePlatform(undefined), { ...ATTACH_TIMES, openMs: 1 })("app", { directory });
    await expect(coming).rejects.toMatchObject({
      code: "DIRECTORY_IN_USE",
      message: expect.stringMatching(/openTab: .* opened it with open\(\), which shares with nobody/) as string,
    });
    await alone.close();
    await (await opened()).close();
  });

  it("have ports that tell their end to whoever listens late, and carry nothing more then", () => {
    const said: unknown[] = [];
    const channel: TabChannel = { postMessage: (message) => void said.push(message), addEventListener: () => {}, close: () => {} };
    const port = new TabPort(channel, { ...fakeLocks(), request: () => new Promise(() => {}) }, "odradek:app");
    port.postMessage("before");
    port.close();
    port.postMessage("behind");
    const ended = vi.fn();
    port.addEventListener("close", ended);
    expect(ended).toHaveBeenCalledTimes(1);
    expect(said).toEqual(["before"]);
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
