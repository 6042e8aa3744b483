/** The way to an owner elsewhere: what of it can fail fails one call or tells the end once, and a port says no more than it was told. */
import { describe, expect, it } from "vitest";
import type { CallName } from "../../src/attached/calls.ts";
import type { Channel, ChannelListener } from "../../src/attached/channel.ts";
import { frameParts, KIND, type Kind, parseFrame } from "../../src/attached/frame.ts";
import type { MessagePortLike } from "../../src/attached/message-port.ts";
import { OpenCall } from "../../src/attached/open-call.ts";
import { checkPort, PortChannel } from "../../src/attached/port-channel.ts";
import { RemoteLink } from "../../src/attached/remote-link.ts";
import { OdradekError, UsageError } from "../../src/base/errors.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const PULSE = { everyMs: 1000, silentMs: 3000 };
const joined = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(parts));
const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "nothing was refused",
    (error: unknown) => error,
  );

/** The owner's side is the test. */
class FakeChannel implements Channel {
  readonly key = "key";
  readonly isTrusted = true;
  readonly unsentByteLength = 0;
  readonly sent: { readonly kind: number; readonly id: number; readonly body: unknown }[] = [];
  readonly alive: boolean[] = [];
  closeCount = 0;
  listener: ChannelListener | null = null;

  start(listener: ChannelListener): void {
    this.listener = listener;
  }
  send(parts: readonly Uint8Array[]): void {
    const { kind, id, body } = parseFrame(joined(parts).subarray(4));
    this.sent.push({ kind, id, body });
  }
  trust(): void {}
  pause(): void {}
  resume(): void {}
  keepAlive(alive: boolean): void {
    this.alive.push(alive);
  }
  async close(): Promise<void> {
    this.closeCount += 1;
  }
  /** A frame from the owner. */
  say(kind: Kind | 99, id: number, body?: unknown): void {
    this.listener?.frame(joined(frameParts(kind as Kind, id, body)).subarray(4));
  }
}

interface World {
  readonly clock: ManualClock;
  readonly channel: FakeChannel;
  readonly lost: { readonly error: unknown; readonly unanswered: readonly OpenCall[] }[];
  readonly back: OpenCall[];
  room: number;
  greet(): Promise<RemoteLink>;
}

function world(): World {
  const clock = new ManualClock();
  const channel = new FakeChannel();
  const made: World = {
    clock,
    channel,
    lost: [],
    back: [],
    room: 0,
    greet: async () => {
      const { link } = await RemoteLink.greet(channel, {
        clock,
        pulse: PULSE,
        helloMs: 500,
        onRoom: () => {
          made.room += 1;
        },
        onHandedBack: (call) => void made.back.push(call),
        onLost: (error, unanswered) => void made.lost.push({ error, unanswered }),
      });
      return link;
    },
  };
  return made;
}

async function linked(): Promise<{ readonly link: RemoteLink } & World> {
  const made = world();
  const greeting = made.greet();
  made.channel.say(KIND.welcome, 0, { "log.appends": 1 });
  return Object.assign(made, { link: await greeting });
}

const callOf = (name: CallName, ...values: unknown[]): OpenCall => new OpenCall(name, values, undefined, 0, () => {});

describe("a hello", () => {
  it("that is refused, not answered, or hung up on, is told as that, and the channel is closed", async () => {
    const refused = world();
    const refusal = caught(refused.greet());
    refused.channel.say(KIND.refusal, 0, { code: "UNSUPPORTED_VERSION", message: "another version" });
    expect(await refusal).toMatchObject({ code: "UNSUPPORTED_VERSION" });
    const late = world();
    const silence = caught(late.greet());
    await late.clock.advance(500);
    expect(await silence).toMatchObject({ code: "NETWORK_EXCEPTION", message: expect.stringContaining("500 ms") as string });
    const hungUp = world();
    const ended = caught(hungUp.greet());
    hungUp.channel.listener?.ended(null);
    expect(await ended).toMatchObject({ code: "NETWORK_EXCEPTION", message: expect.stringContaining("hung up") as string });
    for (const { channel, lost } of [refused, late, hungUp]) {
      expect(channel.closeCount).toBeGreaterThan(0);
      expect(lost).toEqual([]);
    }
  });
});

describe("a link", () => {
  it("fails the call alone whose arguments or answer cannot be carried", async () => {
    const { link, channel } = await linked();
    const unpackable = callOf("metadata", [Symbol("no data")]);
    link.send(unpackable);
    expect(await caught(unpackable.promise)).toBeInstanceOf(OdradekError);
    const own = new UsageError("INVALID_TOPIC_EXCEPTION", "said while it was packed");
    const throwing = callOf("metadata", {
      get topic(): never {
        throw own;
      },
    });
    link.send(throwing);
    expect(await caught(throwing.promise)).toBe(own);
    const fetched = callOf("fetch", { partitions: [] });
    link.send(fetched);
    channel.say(KIND.answer, fetched.id, { partitions: [{ batches: 10, abortedTransactions: [] }], throttleTimeMs: 0 });
    expect(await caught(fetched.promise)).toMatchObject({ code: "INVALID_REQUEST" });
    const next = callOf("listGroups");
    link.send(next);
    channel.say(KIND.answer, next.id, ["g"]);
    expect(await next.promise).toEqual(["g"]);
    expect(link.openCount).toBe(0);
  });

  it("makes numbers of producers what they were", async () => {
    const { link, channel } = await linked();
    const fetched = callOf("fetch", { partitions: [] });
    link.send(fetched);
    channel.say(KIND.answer, fetched.id, { partitions: [{ batches: 0, abortedTransactions: [{ producerId: 7 }] }], throttleTimeMs: 0 });
    expect(await fetched.promise).toMatchObject({ partitions: [{ abortedTransactions: [{ producerId: 7n }] }] });
    const id = callOf("initProducerId", {});
    link.send(id);
    channel.say(KIND.answer, id.id, { producerId: 5, producerEpoch: 0 });
    expect(await id.promise).toMatchObject({ producerId: 5n });
  });

  it("does not ask any more for what nobody waits for, and lets its answer go", async () => {
    const { link, channel } = await linked();
    const call = callOf("listGroups");
    link.send(call);
    link.cancel(call);
    link.cancel(call);
    channel.say(KIND.answer, call.id, []);
    expect(channel.sent.map(({ kind }) => kind)).toEqual([KIND.hello, KIND.call, KIND.cancel]);
  });

  it("gives back what the owner did not begin, and takes no frame of a kind that it does not know", async () => {
    const made = await linked();
    const call = callOf("listGroups");
    made.link.send(call);
    made.channel.say(KIND.back, call.id);
    expect(made.back).toEqual([call]);
    expect(made.room).toBe(1);
    const other = callOf("listGroups");
    made.link.send(other);
    expect(() => made.channel.say(99, other.id)).toThrow(/kind 99/);
    // A second welcome says nothing new.
    made.channel.say(KIND.welcome, 0, {});
    made.channel.listener?.drained();
    expect(made.room).toBe(2);
  });

  it("keeps the process alive while somebody waits for an answer, and not for a member that listens", async () => {
    const { link, channel } = await linked();
    channel.alive.length = 0;
    const listening = callOf("heartbeat", { maxWaitMs: 1000 });
    const asked = callOf("heartbeat", { maxWaitMs: 0 });
    const second = callOf("listGroups");
    for (const call of [listening, asked, second]) link.send(call);
    expect(channel.alive).toEqual([true]);
    for (const call of [listening, asked, second]) channel.say(KIND.fault, call.id, { code: "REBALANCE_IN_PROGRESS", message: "" });
    expect(channel.alive).toEqual([true, false]);
    for (const call of [listening, asked, second]) expect(await caught(call.promise)).toMatchObject({ code: "REBALANCE_IN_PROGRESS" });
  });

  it("tells its end once, with what was not answered in the order in which it was asked", async () => {
    const made = await linked();
    const calls = [callOf("listGroups"), callOf("topicNames")];
    for (const call of calls) made.link.send(call);
    made.channel.listener?.ended(new Error("the pipe broke"));
    made.channel.listener?.ended(null);
    expect(made.lost).toMatchObject([{ error: { message: "the pipe broke" }, unanswered: calls }]);
    expect(made.link.isOver).toBe(true);
  });

  it("ends when the owner gives no sign of life, and not while it does", async () => {
    const made = await linked();
    for (let i = 0; i < 10; i++) {
      await made.clock.advance(1000);
      made.channel.say(KIND.pulse, 0);
    }
    expect(made.lost).toEqual([]);
    for (let i = 0; i < 5; i++) await made.clock.advance(1000);
    expect(made.lost).toMatchObject([{ error: { message: expect.stringContaining("no sign of life") as string } }]);
  });
});

describe("a port", () => {
  interface FakePort extends MessagePortLike {
    readonly said: unknown[];
    hear(data: unknown): void;
  }
  const portOf = (style: "browser" | "electron"): FakePort => {
    const listeners: ((event: object) => void)[] = [];
    const said: unknown[] = [];
    const listen = (type: string, call: (event: object) => void): void => {
      if (type === "message") listeners.push(call);
    };
    return {
      said,
      hear: (data) => {
        for (const call of listeners) call({ data });
      },
      postMessage: (message: unknown, transfer?: never[]) => void said.push([message, transfer?.length ?? 0]),
      close: () => void said.push("closed"),
      ...(style === "browser" ? { addEventListener: listen } : { on: listen }),
    } as FakePort;
  };
  const listener = (frames: unknown[], ends: unknown[]): ChannelListener => ({
    frame: (bytes) => void frames.push(bytes.length),
    drained: () => {},
    ended: (error) => void ends.push(error),
  });

  it("hands memory over where it can, and copies it in Electron's main process", () => {
    for (const style of ["browser", "electron"] as const) {
      const port = portOf(style);
      const channel = new PortChannel(port);
      channel.start(listener([], []));
      channel.send(frameParts(KIND.pulse, 0, undefined));
      expect(port.said).toMatchObject([[expect.any(Uint8Array), style === "browser" ? 1 : 0]]);
      channel.keepAlive(true);
      channel.keepAlive(false);
    }
  });

  it("holds what comes while it is paused, and says nothing more once it is over", async () => {
    const port = portOf("browser");
    const frames: unknown[] = [];
    const ends: unknown[] = [];
    const channel = new PortChannel(port);
    channel.start(listener(frames, ends));
    channel.resume();
    channel.pause();
    channel.pause();
    const frame = joined(frameParts(KIND.pulse, 0, undefined));
    port.hear(frame);
    expect(frames).toEqual([]);
    channel.resume();
    expect(frames).toEqual([frame.length - 4]);
    port.hear("odradek:goodbye");
    port.hear(frame);
    channel.send([frame]);
    await channel.close();
    expect(ends).toEqual([null]);
    expect(frames).toHaveLength(1);
    expect(port.said).toEqual(["closed"]);
  });

  it("ends with what is no frame, and says goodbye when it is closed here", async () => {
    for (const wrong of ["text", new Uint8Array(2), Uint8Array.of(0, 0, 0, 9, 1)]) {
      const port = portOf("electron");
      const ends: unknown[] = [];
      const channel = new PortChannel(port);
      channel.start(listener([], ends));
      port.hear(wrong);
      expect(ends).toMatchObject([{ code: "INVALID_REQUEST" }]);
    }
    const port = portOf("browser");
    const channel = new PortChannel(port);
    channel.start(listener([], []));
    await channel.close();
    await channel.close();
    expect(port.said).toEqual([["odradek:goodbye", 0], "closed"]);
    expect(checkPort(port, "attachPort")).toBe(port);
    for (const wrong of [null, 7, {}]) expect(() => checkPort(wrong, "attachPort")).toThrow(/expected a MessagePort/);
  });
});
