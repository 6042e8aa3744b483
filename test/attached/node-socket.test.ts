/** The way from process to process where the system says no, where nobody is at its end any more, and where it is a named pipe. */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Channel } from "../../src/attached/channel.ts";
import { frameParts, KIND, parseFrame } from "../../src/attached/frame.ts";
import { listenAt, reachAt } from "../../src/attached/node-socket.ts";
import { open } from "../../src/index.ts";
import { temporaryDirectory } from "../face/support.ts";
import { forgetRefusals, refuse } from "../storage/system-faults.ts";

vi.mock("node:fs/promises", async (original) => (await import("../storage/system-faults.ts")).refusing(await original<object>()));
vi.mock("node:net", async (original) => (await import("../storage/system-faults.ts")).refusing(await original<object>()));

let path: string;
let came: Channel[];
const stops: (() => Promise<void>)[] = [];
beforeEach(() => {
  path = temporaryDirectory();
  came = [];
});
afterEach(async () => {
  for (const channel of came) await channel.close();
  for (const stop of stops.splice(0)) await stop();
  expect(forgetRefusals()).toEqual([]);
});

async function listen(): Promise<void> {
  stops.push(await listenAt(path, (channel) => came.push(channel)));
}

const fileOf = (): string => join(path, ".odradek-attach");
const addressOf = (): string => (JSON.parse(readFileSync(fileOf(), "utf8")) as { readonly address: string }).address;

/** As a process that died there would leave it. */
function leave(address: string): void {
  writeFileSync(fileOf(), "", { mode: 0o600 });
  writeFileSync(fileOf(), JSON.stringify({ address, key: "k", inode: String(statSync(fileOf(), { bigint: true }).ino) }));
}

describe("whoever comes", () => {
  it("finds nobody where there is no directory, and where the one who listened has died", async () => {
    expect(await reachAt(join(path, "nowhere"))).toBeNull();
    leave(join(path, "socket"));
    expect(await reachAt(path)).toBeNull();
  });

  it("is told what to allow where the file may not be read, or the socket not be reached", async () => {
    await listen();
    for (const [call, errno] of [
      ["open", "EACCES"],
      ["createConnection", "ERR_ACCESS_DENIED"],
    ] as const) {
      refuse(call, errno, /odradek-attach/);
      await expect(reachAt(path), call).rejects.toMatchObject({
        code: "PERMISSION_DENIED",
        message: expect.stringMatching(/may not reach the one that has the log.*--allow-fs-read/) as string,
      });
    }
    expect(await reachAt(pathToFileURL(path))).not.toBeNull();
  });
});

describe("whoever has the log", () => {
  it("is told what to allow where it may not listen, and what else keeps it from that as it is", async () => {
    refuse("mkdtemp", "EPERM");
    await expect(listen()).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      message: expect.stringMatching(/others cannot attach.*attach: false/) as string,
    });
    refuse("mkdtemp", "ENOSPC");
    await expect(listen()).rejects.toMatchObject({ code: "ENOSPC" });
  });

  it("removes no file that only looks like a dead one's socket", async () => {
    const folder = join(temporaryDirectory(), "odradek-attach-mine");
    mkdirSync(folder);
    const precious = join(folder, "socket");
    writeFileSync(precious, "precious");
    leave(precious);
    await listen();
    expect(readFileSync(precious, "utf8")).toBe("precious");
    expect(addressOf()).not.toBe(precious);
  });

  it("is found through a named pipe on Windows, where the mode of a file says nothing", async () => {
    const platform = Object.getOwnPropertyDescriptor(process, "platform") as PropertyDescriptor;
    const home = process.cwd();
    // The pipe's name is a file's here.
    process.chdir(path);
    Object.defineProperty(process, "platform", { ...platform, value: "win32" });
    try {
      await listen();
      expect(addressOf()).toMatch(/^\\\\\.\\pipe\\odradek-attach-[0-9a-f]{32}$/);
      chmodSync(fileOf(), 0o644);
      const channel = await reachAt(path);
      expect(channel).not.toBeNull();
      await channel?.close();
      await stops.pop()?.();
      expect(existsSync(fileOf())).toBe(false);
      expect(await reachAt(path)).toBeNull();
    } finally {
      Object.defineProperty(process, "platform", platform);
      process.chdir(home);
    }
  });
});

describe("a log that is attached to", () => {
  it("is refused as it would be opened, where that is no directory", async () => {
    const file = join(path, "file");
    writeFileSync(file, "");
    await expect(open(file, { attach: true })).rejects.toMatchObject({ code: "NOT_A_DIRECTORY" });
  });
});

describe("a channel", () => {
  it("carries a frame whole, empty parts or not", async () => {
    await listen();
    const channel = (await reachAt(path)) as Channel;
    await vi.waitFor(() => expect(came).toHaveLength(1));
    const tail = Uint8Array.of(1, 2, 3);
    const heard = new Promise<Uint8Array>((resolve) =>
      came[0]?.start({ frame: (bytes) => resolve(parseFrame(bytes).tail), drained: () => {}, ended: () => {} }),
    );
    channel.send(frameParts(KIND.pulse, 0, undefined, [new Uint8Array(0), tail, new Uint8Array(0)]));
    expect([...(await heard)]).toEqual([...tail]);
    await channel.close();
  });

  it("that has ended tells so to whoever listens late, and carries nothing more", async () => {
    await listen();
    const channel = (await reachAt(path)) as Channel;
    await channel.close();
    channel.send(frameParts(KIND.pulse, 0, undefined));
    const ended = vi.fn();
    channel.start({ frame: () => {}, drained: () => {}, ended });
    expect(ended).toHaveBeenCalledWith(null);
    expect(channel.unsentByteLength).toBe(0);
    await channel.close();
  });
});
