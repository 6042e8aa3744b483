/** The real socket under connections that stall, come in masses, or should not be there: each is bounded, and the door stays open for the others. */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { frameParts, KIND, PROTOCOL_VERSION } from "../../src/attached/frame.ts";
import { listenAt, reachAt } from "../../src/attached/node-socket.ts";
import { Serving } from "../../src/attached/serving.ts";
import { systemClock } from "../../src/base/clock.ts";
import { memory, open } from "../../src/index.ts";
import { keeperOf } from "../../src/keepers.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { temporaryDirectory } from "../face/support.ts";

const PULSE = { everyMs: 5000, silentMs: 20_000 };
const joined = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(parts));

describe("a socket", () => {
  const stops: (() => Promise<void>)[] = [];
  const sockets: Socket[] = [];

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const stop of stops.splice(0)) await stop();
    vi.unstubAllEnvs();
  });

  /** The door of a log in memory, at the address file in `path`. */
  async function listen(path: string, pulse: typeof PULSE = PULSE): Promise<Serving> {
    const log = await open({ storage: memory() });
    const serving = new Serving({ keeper: keeperOf(log)!, clock: systemClock, pulse, storageAt: nodeStorage });
    const stopListening = await listenAt(path, (channel) => serving.accept(channel));
    stops.push(async () => {
      await stopListening();
      await serving.close();
      await log.close();
    });
    return serving;
  }

  const addressOf = (path: string): { readonly address: string; readonly key: string } =>
    JSON.parse(readFileSync(join(path, ".odradek-attach"), "utf8"));

  function connected(address: string): Promise<Socket> {
    const socket = createConnection(address);
    sockets.push(socket);
    return new Promise((resolve, reject) => {
      socket.once("connect", () => resolve(socket));
      socket.once("error", reject);
    });
  }

  it("hangs up on who says nothing, or never ends what it began to say", async () => {
    const path = temporaryDirectory();
    const serving = await listen(path, { everyMs: 30, silentMs: 100 });
    const { address, key } = addressOf(path);
    const hello = joined(frameParts(KIND.hello, 0, { version: PROTOCOL_VERSION, key }));
    const [silent, slow, half] = (await Promise.all([connected(address), connected(address), connected(address)])) as [
      Socket,
      Socket,
      Socket,
    ];
    const over = Promise.all(
      [silent, slow, half].map(
        (socket) =>
          new Promise((resolve) =>
            socket
              .resume()
              .once("close", resolve)
              .on("error", () => {}),
          ),
      ),
    );
    // A byte now and then is no sign of life: a whole frame is.
    let at = 0;
    const dripping = setInterval(() => slow.write(hello.subarray(at, ++at)), 20);
    half.write(hello);
    half.write(joined(frameParts(KIND.call, 1, ["topicNames"])).subarray(0, 9));
    await over;
    clearInterval(dripping);
    await vi.waitFor(() => expect(serving.count).toBe(0));
  });

  it("lets a thousand in at a time, hangs up on more, and lets others in when those have gone", async () => {
    const path = temporaryDirectory();
    const serving = await listen(path);
    const { address } = addressOf(path);
    const many: Socket[] = [];
    // The system keeps no more than a few hundred in line.
    while (many.length < 1024) {
      many.push(...(await Promise.all(Array.from({ length: 64 }, () => connected(address)))));
      await vi.waitFor(() => expect(serving.count).toBe(many.length));
    }
    const more = await connected(address);
    await new Promise((resolve) =>
      more
        .resume()
        .once("close", resolve)
        .on("error", () => {}),
    );
    expect(serving.count).toBe(1024);
    for (const socket of many) socket.destroy();
    await vi.waitFor(() => expect(serving.count).toBe(0));
    const channel = (await reachAt(path))!;
    expect(channel).not.toBeNull();
    await vi.waitFor(() => expect(serving.count).toBe(1));
    await channel.close();
  });

  it("is where its address says, however long the way to the temporary directory is", async () => {
    const long = join(temporaryDirectory(), "x".repeat(60), "y".repeat(60));
    mkdirSync(long, { recursive: true });
    vi.stubEnv("TMPDIR", long);
    expect(tmpdir()).toBe(long);
    const path = temporaryDirectory();
    const serving = await listen(path);
    const { address } = addressOf(path);
    expect(Buffer.byteLength(address)).toBeLessThanOrEqual(103);
    expect(statSync(address).mode & 0o777).toBe(0o600);
    const channel = (await reachAt(path))!;
    await vi.waitFor(() => expect(serving.count).toBe(1));
    await channel.close();
  });

  it("that cannot be made is told by an event, and the log goes on alone", async () => {
    const path = temporaryDirectory();
    vi.stubEnv("TMPDIR", join(path, "gone"));
    const events: { readonly type: string; readonly error?: Error }[] = [];
    const log = await open(path, { onEvent: (event) => events.push(event as (typeof events)[number]) });
    await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain("attach.unavailable"));
    expect(events.find(({ type }) => type === "attach.unavailable")?.error?.message).toMatch(/ENOENT.*gone/);
    await log.createTopic("t");
    expect(existsSync(join(path, ".odradek-attach"))).toBe(false);
    await log.close();
  });

  it("is not looked for where a file says it is that another user may have written", async () => {
    const path = temporaryDirectory();
    await listen(path);
    chmodSync(join(path, ".odradek-attach"), 0o644);
    expect(await reachAt(path)).toBeNull();
    chmodSync(join(path, ".odradek-attach"), 0o600);
    const channel = await reachAt(path);
    expect(channel).not.toBeNull();
    await channel?.close();
  });

  it("that a killed owner left is gone when the next one listens", async () => {
    const path = temporaryDirectory();
    await listen(path);
    const left = addressOf(path).address;
    // As after a kill: the file and the socket stay, and nobody listens.
    const file = readFileSync(join(path, ".odradek-attach"));
    await stops.pop()!();
    expect(existsSync(left)).toBe(false);
    mkdirSync(join(left, ".."), { mode: 0o700 });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(left, resolve));
    writeFileSync(join(path, ".odradek-attach"), file, { mode: 0o600 });
    const { ino } = statSync(join(path, ".odradek-attach"), { bigint: true });
    const { key } = JSON.parse(file.toString()) as { readonly key: string };
    writeFileSync(join(path, ".odradek-attach"), JSON.stringify({ address: left, key, inode: String(ino) }));
    await listen(path);
    expect(existsSync(left)).toBe(false);
    expect(addressOf(path).address).not.toBe(left);
    server.close();
  });
});
