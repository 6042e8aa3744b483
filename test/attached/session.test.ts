/** One attached process as its owner sees it: what only waits is handed back, who does not read is not listened to, and a window names no paths. */
import { describe, expect, it } from "vitest";
import type { LogKeeper } from "../../src/api/broker.ts";
import type { Channel, ChannelListener } from "../../src/attached/channel.ts";
import { FRAME_BYTE_LENGTH_MAX, frameParts, KIND, type Kind, PROTOCOL_VERSION, parseFrame } from "../../src/attached/frame.ts";
import { checkRequest } from "../../src/attached/request-fields.ts";
import { Serving } from "../../src/attached/serving.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const joined = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(parts)).subarray(4);
const turns = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise(setImmediate);
};

class FakeChannel implements Channel {
  readonly key = "key";
  readonly isTrusted: boolean;
  unsentByteLength = 0;
  readonly said: string[] = [];
  listener: ChannelListener | null = null;

  constructor(isTrusted: boolean) {
    this.isTrusted = isTrusted;
  }
  start(listener: ChannelListener): void {
    this.listener = listener;
  }
  send(parts: readonly Uint8Array[]): void {
    const { kind, id, body } = parseFrame(joined(parts));
    const name = Object.entries(KIND).find(([, number]) => number === kind)?.[0] ?? "";
    this.said.push(`${name} ${id} ${(body as { readonly code?: string } | undefined)?.code ?? ""}`.trim());
  }
  trust(): void {}
  pause(): void {
    this.said.push("pause");
  }
  resume(): void {
    this.said.push("resume");
  }
  keepAlive(): void {}
  async close(): Promise<void> {
    this.said.push("close");
    this.listener?.ended(null);
  }
  say(kind: Kind, id: number, body?: unknown): void {
    this.listener?.frame(joined(frameParts(kind, id, body)));
  }
}

function served(
  answers: Readonly<Record<string, (...values: never[]) => unknown>>,
  isTrusted = true,
): { channel: FakeChannel; serving: Serving } {
  const keeper = { metrics: () => ({}), ...answers } as unknown as LogKeeper;
  const storageAt = (): never => ({}) as never;
  const serving = new Serving({ keeper, clock: new ManualClock(), pulse: { everyMs: 1000, silentMs: 3000 }, storageAt });
  const channel = new FakeChannel(isTrusted);
  serving.accept(channel);
  channel.say(KIND.hello, 0, { version: PROTOCOL_VERSION, key: "key" });
  expect(channel.said).toEqual(["welcome 0"]);
  channel.said.length = 0;
  return { channel, serving };
}

describe("a session", () => {
  it("whose owner closes hands back what only waited, finishes the rest, and lets nobody else in", async () => {
    let finish = (_: unknown): void => {};
    const { channel, serving } = served({
      fetch: (_request: never, signal: AbortSignal) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      listGroups: () => new Promise((resolve) => (finish = resolve)),
    });
    channel.say(KIND.call, 1, ["fetch", {}]);
    channel.say(KIND.call, 2, ["listGroups"]);
    const closing = serving.close();
    channel.say(KIND.call, 3, ["listGroups"]);
    finish(["g"]);
    await closing;
    expect(channel.said).toEqual(["back 3", "back 1", "answer 2", "close"]);
    const late = new FakeChannel(true);
    serving.accept(late);
    expect(late.said).toEqual(["close"]);
    expect(serving.count).toBe(0);
  });

  it("is not listened to while it reads too little of what it is sent, and again when it has", async () => {
    const { channel } = served({ listGroups: async () => [] });
    channel.unsentByteLength = 9 << 20;
    channel.say(KIND.call, 1, ["listGroups"]);
    await turns();
    channel.unsentByteLength = 0;
    channel.listener?.drained();
    channel.listener?.drained();
    expect(channel.said).toEqual(["pause", "answer 1", "resume"]);
  });

  it("of a window may not say where a backup goes, and one that asks twice under one number is hung up on", async () => {
    const window = served({ backup: async () => ({}) }, false);
    window.channel.say(KIND.call, 1, ["backup", "/somewhere"]);
    await turns();
    expect(window.channel.said).toEqual(["fault 1 INVALID_REQUEST"]);
    const { channel } = served({ backup: async () => ({}), listGroups: () => new Promise(() => {}) });
    channel.say(KIND.call, 1, ["backup", "/somewhere"]);
    await turns();
    channel.say(KIND.call, 2, ["listGroups"]);
    channel.say(KIND.cancel, 2);
    channel.say(KIND.pulse, 0);
    channel.say(KIND.call, 2, ["listGroups"]);
    // Nothing of it is heard any more.
    channel.say(KIND.call, 4, ["listGroups"]);
    expect(channel.said).toEqual(["answer 1", "refusal 0 INVALID_REQUEST", "close"]);
  });

  it("tells an error whose details cannot be carried without them", async () => {
    const failing = Object.assign(new Error("no"), { code: "STORAGE_FAILED", holder: () => {} });
    const { channel } = served({
      listGroups: async () => {
        throw failing;
      },
      topicNames: async () => [() => {}],
    });
    channel.say(KIND.call, 1, ["listGroups"]);
    channel.say(KIND.call, 2, ["topicNames"]);
    await turns();
    expect(channel.said.map((each) => each.slice(0, 7))).toEqual(["fault 1", "fault 2"]);
  });
});

describe("a frame", () => {
  it("is neither longer than one may be, nor shorter than its head, nor shorter than it says", () => {
    const huge = { byteLength: FRAME_BYTE_LENGTH_MAX } as Uint8Array;
    expect(() => frameParts(KIND.call, 1, undefined, [huge])).toThrow(/at most/);
    expect(() => parseFrame(new Uint8Array(3))).toThrow(/at least/);
    expect(() => parseFrame(Uint8Array.of(3, 0, 0, 0, 1, 0, 0, 0, 9))).toThrow(/its body ends/);
    expect(() => checkRequest("listOffsets", ["partitions"], [Array.from({ length: 1_000_001 })])).toThrow(/a list of 1000001/);
    const values: unknown[] = [7n];
    checkRequest("produce", ["producerId"], values);
    expect(values).toEqual([7n]);
    expect(() => checkRequest("produce", ["producerId"], [2n ** 70n])).toThrow(/producerId/);
  });
});
