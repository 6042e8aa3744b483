/** A log that another may have, on a door of the test's own: what becomes of each call when its owner goes, and of an opening that nobody lets in. */
import { describe, expect, it } from "vitest";
import type { LogKeeper } from "../../src/api/broker.ts";
import { AttachedLog } from "../../src/attached/attached-log.ts";
import type { Channel, ChannelListener } from "../../src/attached/channel.ts";
import type { Door, Owned } from "../../src/attached/door.ts";
import { Serving } from "../../src/attached/serving.ts";
import { OdradekError, ProducerStateError, StorageError, UsageError } from "../../src/base/errors.ts";
import { ATTRIBUTES_AT, HEADER_BYTE_LENGTH, PRODUCER_ID_AT } from "../../src/base/record-batch.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const TIMES = { pulse: { everyMs: 5000, silentMs: 20_000 }, helloMs: 100, openMs: 300, callMs: 1000 };
const caught = (promise: unknown): Promise<unknown> =>
  Promise.resolve(promise).then(
    () => "nothing was refused",
    (error: unknown) => error,
  );
const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
};

/** One end of a way in memory, in order and a moment later. */
class End implements Channel {
  readonly key = "key";
  readonly isTrusted = true;
  readonly unsentByteLength = 0;
  other!: End;
  isOver = false;
  #listener: ChannelListener | null = null;

  static pair(): readonly [End, End] {
    const [left, right] = [new End(), new End()];
    left.other = right;
    right.other = left;
    return [left, right];
  }
  start(listener: ChannelListener): void {
    this.#listener = listener;
  }
  send(parts: readonly Uint8Array[]): void {
    const frame = new Uint8Array(Buffer.concat(parts).subarray(4));
    queueMicrotask(() => {
      if (!this.isOver && !this.other.isOver) this.other.#listener?.frame(frame);
    });
  }
  trust(): void {}
  pause(): void {}
  resume(): void {}
  keepAlive(): void {}
  async close(): Promise<void> {
    for (const end of [this, this.other]) {
      if (end.isOver) continue;
      end.isOver = true;
      end.#listener?.ended(null);
    }
  }
}

type Answers = Readonly<Record<string, (...values: never[]) => unknown>>;

class World {
  readonly clock = new ManualClock();
  readonly asked: string[] = [];
  readonly events: string[] = [];
  /** What the owner of now answers. */
  answers: Answers = {};
  reach: () => Promise<Channel | null> = async () => this.served();
  own: () => Promise<Owned | null> = async () => null;
  isClosed = false;
  letGoCount = 0;
  #cut: () => void = () => {};

  keeper(): LogKeeper {
    const made: Record<string, unknown> = {
      metrics: () => ({ "log.appends": 7 }),
      liftQuotas: () => {},
      close: async () => {
        this.isClosed = true;
      },
      leaveGroup: async () => {},
    };
    return new Proxy(made, {
      get: (target, name: string) => {
        const answer = this.answers[name];
        if (answer === undefined) return target[name];
        return (...values: never[]) => {
          this.asked.push(name);
          return answer(...values);
        };
      },
    }) as unknown as LogKeeper;
  }

  /** A channel to an owner that lives until `cut`. */
  served(): Channel {
    const storageAt = (): never => {
      throw new Error("no backup here");
    };
    const serving = new Serving({ keeper: this.keeper(), clock: this.clock, pulse: TIMES.pulse, storageAt });
    const [theirs, ours] = End.pair();
    serving.accept(theirs);
    this.#cut = () => void theirs.close();
    return ours;
  }

  /** The owner dies. */
  cut(): void {
    this.#cut();
  }

  owned(): Owned {
    return {
      keeper: this.keeper(),
      letGo: async () => {
        this.letGoCount += 1;
      },
    };
  }

  open(door: Partial<Door> = {}): Promise<AttachedLog> {
    return AttachedLog.open({
      door: {
        own: () => this.own(),
        reach: () => this.reach(),
        shut: (reason) => new StorageError("NETWORK_EXCEPTION", `nobody has the log (${String(reason)})`),
        ...door,
      },
      clock: this.clock,
      random: { next: () => 0.5, bytes: (count) => new Uint8Array(count) },
      emit: (type) => void this.events.push(type),
      absolute: (directory) => `/absolute/${String(directory)}`,
      times: TIMES,
    });
  }
}

const never = (): Promise<never> => new Promise(() => {});
const batchOf = (producerId: bigint, transactional: boolean): Uint8Array<ArrayBuffer> => {
  const batch = new Uint8Array(HEADER_BYTE_LENGTH);
  new DataView(batch.buffer).setBigInt64(PRODUCER_ID_AT, producerId);
  batch[ATTRIBUTES_AT + 1] = transactional ? 0x10 : 0;
  return batch;
};
const identity = { transactionalId: "t", producerId: 7n, producerEpoch: 0 };
const produced = (batch: Uint8Array<ArrayBuffer>, transactionalId?: string): never =>
  ({ topic: "orders", partition: 0, acks: "all", batch, ...(transactionalId !== undefined && { transactionalId }) }) as never;

describe("a call", () => {
  it("that is given up before it is asked is not asked, one that waits is given up there too, and none is made of a closed log", async () => {
    const world = new World();
    let heard: AbortSignal | undefined;
    world.answers = {
      fetch: (_request: never, signal: never) => {
        heard = signal;
        return never();
      },
    };
    const log = await world.open();
    const reason = new Error("not any more");
    expect(await caught(log.keeper.fetch({} as never, AbortSignal.abort(reason)))).toBe(reason);
    expect(world.asked).toEqual([]);
    const stop = new AbortController();
    const waiting = caught(log.keeper.fetch({} as never, stop.signal));
    await turns();
    stop.abort(reason);
    expect(await waiting).toBe(reason);
    await turns();
    expect(heard?.aborted).toBe(true);
    const open = caught(log.keeper.fetch({} as never));
    await turns();
    await log.close();
    expect(await open).toMatchObject({ code: "LOG_CLOSED" });
    expect(await caught(log.keeper.listGroups())).toMatchObject({ code: "LOG_CLOSED" });
    expect(await caught(Promise.resolve(log.keeper.topicNames()))).toMatchObject({ message: "listTopics: the log was closed" });
  });

  it("for metrics is answered at once with what the owner said last, and asks it once more meanwhile", async () => {
    const world = new World();
    const log = await world.open();
    world.answers = { metrics: () => ({ "log.appends": 8 }) };
    expect(log.keeper.metrics()).toMatchObject({ "log.appends": 7, "attached.owners": 1 });
    log.keeper.metrics();
    await turns();
    expect(world.asked).toEqual(["metrics"]);
    expect(log.keeper.metrics()).toMatchObject({ "log.appends": 8 });
    world.answers = {
      metrics: () => {
        throw new UsageError("LOG_CLOSED", "closing");
      },
    };
    await turns();
    log.keeper.metrics();
    await turns();
    expect(log.keeper.metrics()).toMatchObject({ "log.appends": 8 });
    await log.close();
  });

  it("for a backup goes to whoever has the log, with the whole way to where it is wanted", async () => {
    const world = new World();
    const log = await world.open();
    expect(await caught(log.keeper.backup({} as never, "copy"))).toMatchObject({
      message: expect.stringContaining("no backup here") as string,
    });
    await log.close();
    const seen: unknown[] = [];
    const own = new World();
    own.own = async () => own.owned();
    own.reach = async () => null;
    own.answers = { backup: (...values) => seen.push(values), metrics: () => ({ "log.appends": 9 }), listGroups: async () => ["g"] };
    const mine = await own.open();
    expect(mine.isOwner).toBe(true);
    const target = {} as never;
    await mine.keeper.backup(target, "copy");
    expect(seen).toEqual([[target, "copy"]]);
    expect(mine.keeper.metrics()).toEqual({ "log.appends": 9 });
    expect(await mine.keeper.listGroups()).toEqual(["g"]);
    mine.keeper.liftQuotas();
    await mine.close();
    expect([own.letGoCount, own.isClosed]).toEqual([1, true]);
  });
});

describe("when the owner goes", () => {
  it("what may be asked again is, what may have been done is in doubt, and a transaction is aborted", async () => {
    const world = new World();
    const silent = {
      listGroups: never,
      createTopic: never,
      addPartitions: never,
      produce: never,
      endTransaction: never,
      offsetCommit: never,
    };
    world.answers = silent;
    const log = await world.open();
    const { keeper } = log;
    const again = keeper.listGroups();
    const commit = { groupId: "g", memberId: "m", groupInstanceId: null, durable: false, offsets: [] };
    const doubts = [
      keeper.createTopic({ topic: "orders", config: {} } as never),
      keeper.produce(produced(batchOf(-1n, false))),
      keeper.produce(produced(new Uint8Array(3))),
      keeper.offsetCommit({ ...commit, generation: -1 }),
    ].map(caught);
    const numbered = keeper.produce(produced(batchOf(5n, false)));
    const ofMember = keeper.offsetCommit({ ...commit, generation: 3 });
    const transaction = [
      keeper.addPartitions({ ...identity, partitions: [] } as never),
      keeper.produce(produced(batchOf(7n, true), "t")),
      keeper.produce(produced(batchOf(7n, true))),
    ].map(caught);
    const ending = caught(keeper.endTransaction({ ...identity, commit: true }));
    await turns();
    const fenced = new ProducerStateError("PRODUCER_FENCED", "another epoch");
    world.answers = {
      listGroups: async () => ["g"],
      produce: async () => ({ baseOffset: 3 }),
      offsetCommit: async () => [],
      endTransaction: async () => {
        throw fenced;
      },
    };
    world.cut();
    for (const doubt of doubts) expect(await doubt).toMatchObject({ code: "NETWORK_EXCEPTION", message: /not known/ });
    for (const lost of transaction) expect(await lost).toMatchObject({ code: "TRANSACTION_ABORTABLE" });
    expect(await again).toEqual(["g"]);
    expect(await numbered).toMatchObject({ baseOffset: 3 });
    expect(await ofMember).toEqual([]);
    // Fenced by the next owner's recovery, which is no fencing to its own producer.
    expect(await ending).toMatchObject({ code: "TRANSACTION_ABORTABLE" });
    expect(world.events).toEqual(["owner.reached", "owner.lost", "owner.reached"]);
    expect(keeper.metrics()).toMatchObject({ "attached.owners": 2, "attached.askedAgain": 4 });
    await log.close();
  });

  it("nothing more goes of a transaction that went with it, until it is ended or begun again", async () => {
    const world = new World();
    world.answers = {
      addPartitions: async () => {},
      addOffsets: async () => {},
      produce: async () => ({ baseOffset: 0 }),
      endTransaction: async () => ({ producerId: 7n, producerEpoch: 1 }),
    };
    const log = await world.open();
    const { keeper } = log;
    await keeper.addPartitions({ ...identity, partitions: [] } as never);
    world.cut();
    await turns();
    expect(await caught(keeper.produce(produced(batchOf(7n, true), "t")))).toMatchObject({ code: "TRANSACTION_ABORTABLE" });
    expect(await caught(keeper.addOffsets({ ...identity, groupId: "g" } as never))).toMatchObject({ code: "TRANSACTION_ABORTABLE" });
    // One of another epoch is not it.
    await caught(keeper.endTransaction({ ...identity, producerEpoch: 9, commit: false }));
    const next = { ...identity, producerEpoch: 1 };
    await keeper.addOffsets({ ...next, groupId: "g" } as never);
    expect(await keeper.endTransaction({ ...next, commit: true })).toMatchObject({ producerId: 7n });
    await log.close();
  });

  it("and nobody comes, calls are rejected in their time: with doubt where one had begun", async () => {
    const world = new World();
    world.answers = { listGroups: never };
    const log = await world.open();
    const begun = caught(log.keeper.listGroups());
    await turns();
    world.reach = async () => null;
    world.cut();
    await turns();
    const waits = caught(log.keeper.describeTopic("orders"));
    const lane = Array.from({ length: 7 }, () => caught(log.keeper.produce(produced(batchOf(5n, false)))));
    for (let i = 0; i < 30; i++) await world.clock.advance(100);
    expect(await begun).toMatchObject({ message: expect.stringContaining("not known") as string });
    for (const each of [waits, ...lane])
      expect(await each).toMatchObject({ message: expect.stringContaining("nobody has the log") as string });
    // Whoever comes later is asked.
    world.reach = async () => world.served();
    world.answers = { listGroups: async () => [] };
    const late = log.keeper.listGroups();
    for (let i = 0; i < 10; i++) await world.clock.advance(100);
    expect(await late).toEqual([]);
    await log.close();
  });

  it("and the log cannot be opened here, whoever waits is told why, and it is tried again", async () => {
    const world = new World();
    const log = await world.open();
    world.reach = async () => null;
    const broken = new StorageError("STORAGE_FULL", "no room to open it");
    world.own = async () => {
      throw broken;
    };
    world.cut();
    const waiting = caught(log.keeper.listGroups());
    await world.clock.advance(50);
    expect(await waiting).toBe(broken);
    world.own = async () => world.owned();
    world.answers = {
      listGroups: async () => ["mine"],
      // One that throws at once rejects like the rest.
      topicNames: () => {
        throw broken;
      },
      fetch: async () => ({ partitions: [], throttleTimeMs: 0 }),
    };
    const calls = [log.keeper.listGroups(), caught(log.keeper.topicNames()), log.keeper.fetch({} as never)];
    const left = new AbortController();
    const given = caught(log.keeper.fetch({} as never, left.signal));
    left.abort(new Error("left"));
    for (let i = 0; i < 30; i++) await world.clock.advance(100);
    expect(await Promise.all(calls)).toMatchObject([["mine"], broken, { throttleTimeMs: 0 }]);
    expect(await given).toMatchObject({ message: "left" });
    expect(world.events).toContain("owner.became");
    await log.close();
  });
});

describe("an opening", () => {
  const openedAfter = async (world: World, door: Partial<Door> = {}): Promise<unknown> => {
    const opening = caught(world.open(door));
    for (let i = 0; i < 10; i++) await world.clock.advance(100);
    return opening;
  };

  it("is refused at once by an owner of another version, and by a log that cannot be opened", async () => {
    const other = new World();
    const version = new UsageError("UNSUPPORTED_VERSION", "version 2");
    other.reach = async () => {
      throw version;
    };
    expect(await openedAfter(other)).toBe(version);
    const broken = new World();
    const full = new StorageError("STORAGE_FULL", "no room");
    broken.reach = async () => null;
    broken.own = async () => {
      throw full;
    };
    expect(await openedAfter(broken)).toBe(full);
    const denied = new World();
    denied.reach = async () => {
      throw new StorageError("PERMISSION_DENIED", "this process may not reach the owner");
    };
    denied.own = broken.own;
    expect(await openedAfter(denied)).toMatchObject({
      code: "PERMISSION_DENIED",
      message: expect.stringMatching(/may not reach the owner.*Nor.*no room/) as string,
    });
  });

  it("ends in its time where nobody answers, and at once where nobody ever will", async () => {
    const silent = new World();
    silent.reach = async () => End.pair()[0];
    expect(await openedAfter(silent)).toMatchObject({ code: "NETWORK_EXCEPTION", message: expect.stringContaining("100 ms") as string });
    const once = new World();
    once.reach = async () => null;
    expect(await caught(once.open({ isOnce: true }))).toMatchObject({ message: "nobody has the log (null)" });
    const odd = new World();
    odd.reach = async () => {
      throw new OdradekError("UNKNOWN_SERVER_ERROR", "no reason that is final");
    };
    expect(await openedAfter(odd)).toMatchObject({ message: expect.stringContaining("no reason that is final") as string });
  });

  it("tries again where the owner hung up with the very answer", async () => {
    const world = new World();
    let count = 0;
    world.reach = async () => {
      const channel = world.served();
      if (++count === 1) {
        const { start } = channel;
        channel.start = (listener) =>
          start.call(channel, {
            ...listener,
            frame: (bytes) => {
              listener.frame(bytes);
              listener.ended(null);
            },
          });
      }
      return channel;
    };
    const opening = world.open();
    for (let i = 0; i < 3; i++) await world.clock.advance(50);
    const log = await opening;
    expect(count).toBe(2);
    await log.close();
  });

  // It waited a second more, as after a failure, and looked for the lock of a log that was closed.
  it("that is under way when its log is closed lets go of what it won", async () => {
    const led = new World();
    const log = await led.open();
    led.reach = async () => null;
    let won = (_: Owned): void => {};
    led.own = () =>
      new Promise((resolve) => {
        won = resolve;
      });
    led.cut();
    await turns();
    const closing = log.close();
    won(led.owned());
    await closing;
    expect([led.letGoCount > 0, led.isClosed, log.isOwner]).toEqual([true, true, false]);
    const linked = new World();
    const second = await linked.open();
    let reached = (_: Channel): void => {};
    linked.reach = () =>
      new Promise((resolve) => {
        reached = resolve;
      });
    linked.cut();
    await turns();
    const closingSecond = second.close();
    reached(linked.served());
    await closingSecond;
    expect(linked.events.filter((type) => type === "owner.reached")).toHaveLength(1);
  });

  it("that waits for its next try when its log is closed tries no more", async () => {
    const world = new World();
    const log = await world.open();
    let count = 0;
    world.reach = async () => {
      count += 1;
      return null;
    };
    world.cut();
    await turns();
    expect(count).toBe(1);
    const closing = log.close();
    await world.clock.advance(1000);
    await closing;
    expect(count).toBe(1);
  });
});
