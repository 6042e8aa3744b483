/** What the tests of the face share: logs in memory and on real directories, a clock that can be moved, and the bytes of a directory. */
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Odradek, OdradekEvent, OpenOptions, StorageDriver } from "../../src/api/index.ts";
import { attachPortOn } from "../../src/attach-port.ts";
import { type Clock, systemClock, systemRandom } from "../../src/base/clock.ts";
import { nodeCodecs } from "../../src/compression/node-codecs.ts";
import { publishDiagnostics } from "../../src/engine/node-diagnostics.ts";
import { memory } from "../../src/index.ts";
import { openOn } from "../../src/open.ts";
import type { Platform } from "../../src/platform.ts";
import { servePortOn } from "../../src/serve-port.ts";
import { nodeHolder, nodeStorage } from "../../src/storage/node.ts";
import { afterEveryTest } from "../cleanups.ts";

/** The system's clock, but the wall may be moved as an operator moves it. Timers go by the monotonic side and do not care. */
export class MovedClock implements Clock {
  shiftMs = 0;

  now(): number {
    return systemClock.now() + this.shiftMs;
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  after(delayMs: number, call: () => void, keepAlive?: boolean): ReturnType<Clock["after"]> {
    return systemClock.after(delayMs, call, keepAlive);
  }
}

const opened = new Set<Odradek>();
const directories = new Set<string>();

afterEveryTest(async () => {
  for (const log of opened) await log.close().catch(() => {});
  opened.clear();
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  directories.clear();
});

/** Opens like `open`, with a clock of its own; closed after the test whatever happens. */
export async function openLog(where: StorageDriver | string, options: OpenOptions & { readonly clock?: Clock } = {}): Promise<Odradek> {
  const { clock = systemClock, ...rest } = options;
  const platform: Platform = {
    clock,
    random: systemRandom,
    storageAt: nodeStorage,
    holder: nodeHolder,
    publish: publishDiagnostics,
    codecs: nodeCodecs(),
    wasm: undefined,
  };
  const open = openOn(platform);
  const log = typeof where === "string" ? await open(where, rest) : await open({ ...rest, storage: where });
  opened.add(log);
  return process.env.ODRADEK_FACE === "attached" ? await attachedTo(log, platform, rest) : log;
}

/** The same log from the other end of a message port: what holds of the face holds there (test/attached/face.test.ts). */
async function attachedTo(log: Odradek, platform: Platform, { onEvent, logger }: OpenOptions): Promise<Odradek> {
  const { port1, port2 } = new MessageChannel();
  const stop = servePortOn(platform)(log, port1);
  const attached = await attachPortOn(platform)(port2, { onEvent, logger });
  const closeAttached = attached.close.bind(attached);
  attached.close = async () => {
    await closeAttached();
    await stop();
    await log.close();
  };
  opened.delete(log);
  opened.add(attached);
  return attached;
}

/** An empty directory that is removed after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "odradek-face-"));
  directories.add(directory);
  return directory;
}

/** A directory that Kafka's own classes wrote and closed in order (test/fixtures/golden/README.md). */
export function brokersDirectory(name: "data-clean" | "data-crash" | "data-torn" = "data-clean"): string {
  const directory = temporaryDirectory();
  cpSync(new URL(`../fixtures/golden/${name}`, import.meta.url), directory, { recursive: true });
  return directory;
}

/** Every file below a directory by its path, with the hash of its bytes. */
export function hashesOf(directory: string): Record<string, string> {
  const hashes: Record<string, string> = {};
  for (const entry of readdirSync(directory, { recursive: true }) as string[]) {
    const path = join(directory, entry);
    if (statSync(path).isFile()) hashes[entry] = createHash("sha256").update(readFileSync(path)).digest("hex");
  }
  return hashes;
}

/** Both places a log may live: what is promised is promised on each. */
export const PLACES: readonly { readonly place: string; readonly make: () => StorageDriver }[] = [
  { place: "memory", make: () => memory() },
  { place: "a directory", make: () => nodeStorage(temporaryDirectory()) },
];

export function heard(): {
  readonly events: OdradekEvent[];
  readonly onEvent: (event: OdradekEvent) => void;
  of(type: string): OdradekEvent[];
} {
  const events: OdradekEvent[] = [];
  return { events, onEvent: (event) => void events.push(event), of: (type) => events.filter((event) => event.type === type) };
}

/** Values of a topic, read by a consumer of no group from the log start to the end. */
export async function valuesIn(log: Odradek, topic: string): Promise<unknown[]> {
  const { partitions } = await log.describeTopic(topic);
  const consumer = log.consumer();
  await consumer.assign(partitions.map(({ partition }) => ({ topic, partition })));
  const values: unknown[] = [];
  for await (const { value } of consumer.records({ until: "end" })) values.push(value);
  await consumer.close();
  return values;
}

/** Sends values to one partition, one batch; answers the offset of the first. */
export async function sendAll(log: Odradek, topic: string, values: readonly unknown[], partition = 0): Promise<number> {
  const producer = log.producer();
  const sent = await producer.sendBatch(values.map((value) => ({ topic, partition, value })));
  await producer.close();
  return sent[0]?.offset ?? -1;
}
