/** What an attached process leaves to its owner, what it is told that may not come in, and how much of it is taken at a time. */
import { describe, expect, it } from "vitest";
import type { LogKeeper } from "../../src/api/broker.ts";
import type { Channel, ChannelListener } from "../../src/attached/channel.ts";
import { frameParts, KIND, type Kind, PROTOCOL_VERSION, parseFrame } from "../../src/attached/frame.ts";
import { Serving } from "../../src/attached/serving.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const PULSE = { everyMs: 1000, silentMs: 3000 };
const NAMES = Object.keys(KIND) as (keyof typeof KIND)[];
const joined = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(parts)).subarray(4);
const turns = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise(setImmediate);
};

class FakeChannel implements Channel {
  readonly key = "key";
  readonly isTrusted = true;
  unsentByteLength = 0;
  readonly said: { readonly kind: string; readonly id: number; readonly body: unknown }[] = [];
  /** What it was told to do, besides. */
  readonly did: string[] = [];
  listener: ChannelListener | null = null;

  start(listener: ChannelListener): void {
    this.listener = listener;
  }
  send(parts: readonly Uint8Array[]): void {
    const { kind, id, body } = parseFrame(joined(parts));
    this.said.push({ kind: NAMES.find((name) => KIND[name] === kind) ?? "", id, body });
  }
  trust(): void {
    this.did.push("trust");
  }
  pause(): void {
    this.did.push("pause");
  }
  resume(): void {
    this.did.push("resume");
  }
  keepAlive(alive: boolean): void {
    this.did.push(`keepAlive ${alive}`);
  }
  async close(): Promise<void> {
    this.did.push("close");
    this.listener?.ended(null);
  }
  say(kind: Kind, id: number, body?: unknown): void {
    this.listener?.frame(joined(frameParts(kind, id, body)));
  }
}

interface World {
  readonly channel: FakeChannel;
  readonly clock: ManualClock;
  readonly serving: Serving;
  /** What was asked of the log, in order. */
  readonly asked: unknown[][];
  quietCount: number;
}

function world(answers: Readonly<Record<string, (...values: never[]) => unknown>> = {}): World {
  const asked: unknown[][] = [];
  const keeper = new Proxy(
    {},
    {
      get:
        (_, name: string) =>
        (...values: never[]) => {
          if (name !== "metrics") asked.push([name, ...values]);
          return name === "metrics" ? { "log.appends": 7 } : answers[name]?.(...values);
        },
    },
  ) as LogKeeper;
  const clock = new ManualClock();
  const storageAt = (): never => ({}) as never;
  const made: World = {
    channel: new FakeChannel(),
    clock,
    asked,
    quietCount: 0,
    serving: new Serving({ keeper, clock, pulse: PULSE, storageAt }, () => {
      made.quietCount += 1;
    }),
  };
  made.serving.accept(made.channel);
  return made;
}

function known(answers?: Parameters<typeof world>[0]): World {
  const made = world(answers);
  made.channel.say(KIND.hello, 0, { version: PROTOCOL_VERSION, key: "key" });
  made.channel.said.length = 0;
  return made;
}

describe("a hello", () => {
  it("of this version and key is welcomed with the metrics, and from then on frames may be large", () => {
    const { channel } = world();
    expect(channel.did).toEqual(["keepAlive false"]);
    channel.say(KIND.hello, 0, { version: PROTOCOL_VERSION, key: "key" });
    expect(channel.said).toEqual([{ kind: "welcome", id: 0, body: { "log.appends": 7 } }]);
    expect(channel.did).toEqual(["keepAlive false", "trust"]);
  });

  it.each([
    ["of another version", KIND.hello, { version: PROTOCOL_VERSION + 1, key: "key" }, "UNSUPPORTED_VERSION"],
    ["of no version", KIND.hello, { key: "key" }, "UNSUPPORTED_VERSION"],
    ["with another key", KIND.hello, { version: PROTOCOL_VERSION, key: "kex" }, "INVALID_REQUEST"],
    ["without a key", KIND.hello, { version: PROTOCOL_VERSION }, "INVALID_REQUEST"],
    ["of nothing", KIND.hello, null, "INVALID_REQUEST"],
    ["of a text", KIND.hello, "key", "INVALID_REQUEST"],
    ["that is a call", KIND.call, ["listGroups"], "INVALID_REQUEST"],
    ["that is a sign of life", KIND.pulse, { version: PROTOCOL_VERSION, key: "key" }, "INVALID_REQUEST"],
  ] as const)("%s is refused by code, nothing is asked of the log, and the channel is closed", (_, kind, body, code) => {
    const { channel, asked } = world();
    channel.say(kind, 0, body);
    expect(channel.said).toMatchObject([{ kind: "refusal", id: 0, body: { code } }]);
    expect(channel.did).toEqual(["keepAlive false", "close"]);
    channel.say(KIND.hello, 0, { version: PROTOCOL_VERSION, key: "key" });
    expect([channel.said.length, asked]).toEqual([1, []]);
  });
});

describe("a frame of one who is known", () => {
  it.each([
    ["another hello", KIND.hello, { version: PROTOCOL_VERSION, key: "key" }],
    ["an answer", KIND.answer, []],
    ["a call without a name", KIND.call, []],
  ])("that is %s ends the channel", (_, kind, body) => {
    const { channel } = known();
    channel.say(kind, 1, body);
    expect(channel.said).toMatchObject([{ kind: "refusal", id: 0, body: { code: "INVALID_REQUEST" } }]);
    expect(channel.did.at(-1)).toBe("close");
  });

  it("that is a call nobody knows, or with arguments nobody takes, fails that call alone", async () => {
    const { channel, asked } = known({ listGroups: () => ["g"] });
    channel.say(KIND.call, 1, ["noSuchCall"]);
    channel.say(KIND.call, 2, ["close"]);
    channel.say(KIND.call, 3, ["toString"]);
    channel.say(KIND.call, 4, ["listGroups", 1]);
    channel.say(KIND.call, 5, ["fetch", { unknown: 1 }]);
    channel.say(KIND.call, 6, ["listGroups"]);
    await turns();
    expect(channel.said.map(({ kind, id, body }) => [kind, id, (body as { code?: string }).code])).toEqual([
      ["fault", 1, "UNSUPPORTED_VERSION"],
      ["fault", 2, "UNSUPPORTED_VERSION"],
      ["fault", 3, "UNSUPPORTED_VERSION"],
      ["fault", 4, "INVALID_REQUEST"],
      ["fault", 5, "INVALID_REQUEST"],
      ["answer", 6, undefined],
    ]);
    expect(asked).toEqual([["listGroups"]]);
  });

  it("that takes a call back gives its signal, which calls alone have that may wait", async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const noting = (...values: unknown[]): Promise<never> => {
      signals.push(values.find((value) => value instanceof AbortSignal) as AbortSignal | undefined);
      return new Promise(() => {});
    };
    const { channel } = known({ fetch: noting, listGroups: noting, maintain: noting });
    for (const [id, call] of [["fetch", {}], ["listGroups"], ["maintain"]].entries()) channel.say(KIND.call, id + 1, call);
    for (const id of [1, 2, 9]) channel.say(KIND.cancel, id);
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, undefined, false]);
  });
});

describe("what is taken of one process at a time", () => {
  it("is 16,384 calls under way, and it is listened to again with one less", async () => {
    let answer = (_: unknown): void => {};
    const { channel } = known({ fetch: () => new Promise((resolve) => (answer = resolve)), listGroups: () => new Promise(() => {}) });
    channel.did.length = 0;
    for (let id = 1; id < 16_384; id += 1) channel.say(KIND.call, id, ["listGroups"]);
    expect(channel.did).toEqual([]);
    channel.say(KIND.call, 16_384, ["fetch", {}]);
    expect(channel.did).toEqual(["pause"]);
    answer({ partitions: [], throttleTimeMs: 0 });
    await turns();
    expect(channel.did).toEqual(["pause", "resume"]);
  });

  it("is while no more than 8 MiB stand unsent", () => {
    const { channel } = known();
    channel.did.length = 0;
    channel.unsentByteLength = 8 * 1024 * 1024;
    channel.listener?.drained();
    expect(channel.did).toEqual([]);
    channel.unsentByteLength += 1;
    channel.listener?.drained();
    expect(channel.did).toEqual(["pause"]);
  });
});

describe("a process that is gone", () => {
  const identity = (transactionalId: string, producerEpoch = 0) => ({ transactionalId, producerId: 7n, producerEpoch });

  it("has its members leave and its transactions aborted: those that it has not ended itself, under their last epoch", async () => {
    const made = known({ joinGroup: ({ memberId }: { memberId: string }) => ({ memberId: memberId || "m1" }) });
    const calls: unknown[][] = [
      ["joinGroup", { groupId: "g", memberId: "" }],
      ["joinGroup", { groupId: "h", memberId: "m2" }],
      ["joinGroup", { groupId: "h", memberId: "m3" }],
      ["leaveGroup", { groupId: "h", members: [{ memberId: "m2", groupInstanceId: null }] }],
      ["leaveGroup", { groupId: "g", members: [{ memberId: "m3", groupInstanceId: null }] }],
      ["addPartitions", { ...identity("a"), partitions: [] }],
      ["addPartitions", { ...identity("a", 1), partitions: [] }],
      ["addOffsets", { ...identity("b"), groupId: "g" }],
      ["addOffsets", { ...identity("c"), groupId: "g" }],
      ["endTransaction", { ...identity("c"), commit: true }],
    ];
    for (const [id, call] of calls.entries()) {
      made.channel.say(KIND.call, id + 1, call);
      await turns();
    }
    made.asked.length = 0;
    await made.channel.close();
    await turns();
    const leaving = (groupId: string, memberId: string) => ["leaveGroup", { groupId, members: [{ memberId, groupInstanceId: null }] }];
    expect(made.asked).toEqual([
      leaving("g", "m1"),
      leaving("h", "m3"),
      ["endTransaction", { ...identity("a", 1), partitions: [], commit: false }],
      ["endTransaction", { ...identity("b"), groupId: "g", commit: false }],
    ]);
    expect([made.serving.count, made.quietCount]).toEqual([0, 1]);
  });

  it("is waited for in what it had begun: only then is put in order what it left", async () => {
    let end = (_: unknown): void => {};
    const made = known({ joinGroup: () => new Promise((resolve) => (end = resolve)) });
    made.channel.say(KIND.call, 1, ["joinGroup", { groupId: "g", memberId: "" }]);
    void made.channel.close();
    await turns();
    expect(made.asked.map(([name]) => name)).toEqual(["joinGroup"]);
    end({ memberId: "late" });
    await turns();
    expect(made.asked[1]).toEqual(["leaveGroup", { groupId: "g", members: [{ memberId: "late", groupInstanceId: null }] }]);
  });

  it("is hung up on after its silence, and says nothing of itself meanwhile that is not a sign of life", async () => {
    const { channel, clock } = known();
    await clock.advance(3000);
    expect(channel.said).toEqual(Array.from({ length: 3 }, () => ({ kind: "pulse", id: 0, body: undefined })));
    expect(channel.did).not.toContain("close");
    await clock.advance(1000);
    expect(channel.did.at(-1)).toBe("close");
    expect(clock.pendingCount).toBe(0);
  });
});
