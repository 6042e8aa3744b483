/** How much of an owner's answer a process waits for at a time, what its link counts of that, and how a greeting ends. */
import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { AttachedLog } from "../../src/attached/attached-log.ts";
import type { CallName } from "../../src/attached/calls.ts";
import type { Channel, ChannelListener } from "../../src/attached/channel.ts";
import { frameParts, KIND, type Kind, PROTOCOL_VERSION, parseFrame } from "../../src/attached/frame.ts";
import { OpenCall } from "../../src/attached/open-call.ts";
import { RemoteLink } from "../../src/attached/remote-link.ts";
import { HEADER_BYTE_LENGTH, PRODUCER_ID_AT } from "../../src/base/record-batch.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";

const PULSE = { everyMs: 1_000_000, silentMs: 3_000_000 };
const MIB = 1024 * 1024;
const joined = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(parts)).subarray(4);

/** The owner's side is the test: it answers when it is told to. */
class FakeChannel implements Channel {
  readonly key = "the key";
  readonly isTrusted = true;
  unsentByteLength = 0;
  readonly sent: { readonly kind: number; readonly id: number; readonly body: unknown }[] = [];
  readonly did: string[] = [];
  listener: ChannelListener | null = null;

  start(listener: ChannelListener): void {
    this.listener = listener;
  }
  send(parts: readonly Uint8Array[]): void {
    // The tail may be of megabytes: what it says is not looked at.
    const { kind, id, body } = parseFrame(joined(parts.slice(0, 1)));
    this.sent.push({ kind, id, body });
  }
  trust(): void {
    this.did.push("trust");
  }
  pause(): void {}
  resume(): void {}
  keepAlive(alive: boolean): void {
    this.did.push(`keepAlive ${alive}`);
  }
  async close(): Promise<void> {
    this.did.push("close");
  }
  say(kind: Kind, id: number, body?: unknown): void {
    this.listener?.frame(joined(frameParts(kind, id, body)));
  }
  /** The names of the calls that came. */
  get calls(): string[] {
    return this.sent.flatMap(({ kind, body }) => (kind === KIND.call ? [String((body as unknown[])[0])] : []));
  }
}

const greet = (channel: FakeChannel, clock: ManualClock, signal?: AbortSignal, lost: unknown[] = []) =>
  RemoteLink.greet(channel, {
    clock,
    pulse: PULSE,
    helloMs: 500,
    signal,
    onRoom: () => {},
    onHandedBack: () => {},
    onLost: (...told) => void lost.push(told),
  });

describe("a greeting", () => {
  it("says the version and the key, and once it is welcome keeps nobody alive and leaves nothing behind", async () => {
    const [channel, clock, stop] = [new FakeChannel(), new ManualClock(), new AbortController()];
    const greeting = greet(channel, clock, stop.signal);
    expect(channel.sent).toEqual([{ kind: KIND.hello, id: 0, body: { version: PROTOCOL_VERSION, key: "the key" } }]);
    await clock.advance(499);
    channel.say(KIND.welcome, 0, { "log.appends": 1 });
    expect((await greeting).metrics).toEqual({ "log.appends": 1 });
    expect(channel.did).toEqual(["trust", "keepAlive false"]);
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    // The pulse alone.
    expect(clock.pendingCount).toBe(1);
  });

  it("that its signal ends, before or meanwhile, ends with the signal's reason, the channel closed and no timer left", async () => {
    const reason = new Error("enough");
    for (const isBefore of [true, false]) {
      const [channel, clock, stop, lost] = [new FakeChannel(), new ManualClock(), new AbortController(), [] as unknown[]];
      if (isBefore) stop.abort(reason);
      const greeting = greet(channel, clock, stop.signal, lost);
      if (!isBefore) stop.abort(reason);
      await expect(greeting).rejects.toBe(reason);
      expect([channel.did.at(-1), clock.pendingCount, lost]).toEqual(["close", 0, []]);
      channel.listener?.ended(null);
      expect(lost).toEqual([]);
    }
  });
});

describe("a link", () => {
  const callOf = (name: CallName, value: object = {}): OpenCall => new OpenCall(name, [value], undefined, 0, () => {});
  const produced = (byteLength: number): OpenCall => callOf("produce", { topic: "t", partition: 0, batch: new Uint8Array(byteLength) });

  it("counts what was not answered, call for call and byte for byte, whichever way each ends", async () => {
    const [channel, clock] = [new FakeChannel(), new ManualClock()];
    const greeting = greet(channel, clock);
    channel.say(KIND.welcome, 0, {});
    const { link } = await greeting;
    const calls = [produced(100), produced(20), produced(3), callOf("listGroups")];
    for (const call of calls) link.send(call);
    const counts = (): number[] => [link.openCount, link.unansweredByteLength];
    expect([calls.map(({ id }) => id), counts()]).toEqual([
      [1, 2, 3, 4],
      [4, 123],
    ]);
    channel.say(KIND.answer, 1, {});
    expect(counts()).toEqual([3, 23]);
    channel.say(KIND.fault, 2, { code: "STORAGE_FULL", message: "no room" });
    calls[1]?.promise.catch(() => {});
    expect(counts()).toEqual([2, 3]);
    link.cancel(calls[2] as OpenCall);
    expect(counts()).toEqual([1, 0]);
    // Answers to what nobody waits for, or that never was, say nothing.
    for (const id of [1, 3, 99]) channel.say(KIND.answer, id, {});
    expect(counts()).toEqual([1, 0]);
    channel.unsentByteLength = 77;
    expect(link.unsentByteLength).toBe(77);
    expect(link.takeBack()).toEqual([calls[3]]);
    expect(link.openCount).toBe(0);
  });

  it("that is closed here is over, and nobody is told that it was lost", async () => {
    const [channel, clock, lost] = [new FakeChannel(), new ManualClock(), [] as unknown[]];
    const greeting = greet(channel, clock, undefined, lost);
    channel.say(KIND.welcome, 0, {});
    const { link } = await greeting;
    expect(link.isOver).toBe(false);
    await link.close();
    channel.listener?.ended(new Error("hung up"));
    expect([link.isOver, clock.pendingCount, lost]).toEqual([true, 0, []]);
  });

  it("that is refused later is lost with the refusal, and closed", async () => {
    const [channel, clock, lost] = [new FakeChannel(), new ManualClock(), [] as unknown[][]];
    const greeting = greet(channel, clock, undefined, lost);
    channel.say(KIND.welcome, 0, {});
    await greeting;
    channel.say(KIND.refusal, 0, { code: "INVALID_REQUEST", message: "a frame that makes no sense" });
    expect(lost).toMatchObject([[{ code: "INVALID_REQUEST" }, []]]);
    expect(channel.did.at(-1)).toBe("close");
  });
});

describe("an attached log", () => {
  async function attached(): Promise<{ readonly log: AttachedLog; readonly channel: FakeChannel; readonly clock: ManualClock }> {
    const [channel, clock] = [new FakeChannel(), new ManualClock()];
    const opening = AttachedLog.open({
      door: { own: async () => null, reach: async () => channel, shut: (reason) => reason as never },
      clock,
      random: { next: () => 0.5, bytes: (count) => new Uint8Array(count) },
      emit: () => {},
      absolute: String,
      times: { pulse: PULSE, helloMs: 500, openMs: 300, callMs: 1000 },
    });
    await settled();
    channel.say(KIND.welcome, 0, {});
    return { log: await opening, channel, clock };
  }
  /** Of a producer of its own each, so that no lane holds it. */
  const send = (log: AttachedLog, producerId: number, byteLength: number): Promise<unknown> => {
    const batch = new Uint8Array(Math.max(HEADER_BYTE_LENGTH, byteLength));
    new DataView(batch.buffer).setBigInt64(PRODUCER_ID_AT, BigInt(producerId));
    return log.keeper.produce({ topic: "t", partition: 0, acks: 1, batch }).catch(() => {});
  };

  it("has at most 4 MiB of batches unanswered, a single one of more alone, and asks on in order as answers come", async () => {
    const { log, channel } = await attached();
    void send(log, 1, 3 * MIB);
    void send(log, 2, MIB);
    void send(log, 3, HEADER_BYTE_LENGTH);
    void log.keeper.listGroups().catch(() => {});
    // Whatever has no room holds up what came behind it: calls keep their order.
    expect(channel.calls).toEqual(["produce", "produce"]);
    channel.say(KIND.answer, 2, {});
    expect(channel.calls).toEqual(["produce", "produce", "produce", "listGroups"]);
    for (const id of [1, 3, 4]) channel.say(KIND.answer, id, {});
    void send(log, 4, 5 * MIB);
    void send(log, 5, HEADER_BYTE_LENGTH);
    expect(channel.calls).toHaveLength(5);
    channel.say(KIND.answer, 5, {});
    expect(channel.calls).toHaveLength(6);
    await log.close();
  });

  it("asks nothing more while more than 4 MiB stand unsent, and goes on when they have gone", async () => {
    const { log, channel } = await attached();
    channel.unsentByteLength = 4 * MIB;
    void log.keeper.listGroups().catch(() => {});
    channel.unsentByteLength += 1;
    void log.keeper.offsetFetch({ groupId: "g", partitions: null }).catch(() => {});
    expect(channel.calls).toEqual(["listGroups"]);
    channel.unsentByteLength = 0;
    channel.listener?.drained();
    expect(channel.calls).toEqual(["listGroups", "offsetFetch"]);
    await log.close();
  });

  it("has at most 8,192 calls unanswered", async () => {
    const { log, channel } = await attached();
    for (let count = 0; count < 8193; count += 1) void log.keeper.listGroups().catch(() => {});
    expect(channel.calls).toHaveLength(8192);
    channel.say(KIND.answer, 1, []);
    expect(channel.calls).toHaveLength(8193);
    expect(log.keeper.metrics()["attached.calls"]).toBeGreaterThanOrEqual(8193);
    await log.close();
  });

  it("has at most five batches of a producer for a partition unanswered, in their order", async () => {
    const { log, channel } = await attached();
    for (let count = 0; count < 7; count += 1) void send(log, 9, HEADER_BYTE_LENGTH);
    void send(log, 10, HEADER_BYTE_LENGTH);
    expect(channel.calls).toHaveLength(6);
    channel.say(KIND.answer, 2, {});
    await settled();
    expect(channel.calls).toHaveLength(7);
    await log.close();
  });
});
