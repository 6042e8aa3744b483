/** How a table's reader lives with a broker that fails, a topic that is not the one it was, and a close at any moment. */
import { describe, expect, it } from "vitest";
import type { Broker } from "../../src/api/broker.ts";
import { UsageError } from "../../src/base/errors.ts";
import { Follower, type FollowerWiring, type RawBatch } from "../../src/table/follower.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

/** A broker of one topic, and a consumer of it, which do what the test says. */
class World {
  readonly clock = new ManualClock();
  topicId = "first";
  partitionCount: number | null = 1;
  end = 0;
  fault: { readonly code: string; readonly message: string } | null = null;
  /** Of the topic in which the next batch stands; null: not at hand. */
  standing: { readonly topicId: string } | null = null;
  refusal: unknown = null;
  /** A broker of another process has nothing at hand. */
  isAtHand = true;
  /** What a wait for records is ended with when it is interrupted; null: with the interruption itself. */
  endsWith: unknown = null;
  taken = 0;
  failures: { readonly error: unknown; readonly isFinal: boolean }[] = [];
  caughtUpCount = 0;
  assigned = 0;
  isClosed = false;
  /** Awaited within each round to the ends. */
  during: () => Promise<void> | void = () => {};
  /** Awaited within each assignment. */
  assigning: () => Promise<void> | void = () => {};
  #wake: (() => void) | null = null;

  follower(): Follower {
    const broker = {
      metadata: async () => (this.partitionCount === null ? [] : [{ topicId: this.topicId, partitionCount: this.partitionCount }]),
      describeConfig: async () => ({}),
      listOffsets: async ({ partitions, isolation }: { readonly partitions: readonly object[]; readonly isolation: string }) => {
        if (this.refusal !== null) throw this.refusal;
        // Behind what is committed stands a record that is not.
        const offset = isolation === "readCommitted" ? this.end : this.end + 1;
        const watermarks = { logStartOffset: 0, highWatermark: this.end, lastStableOffset: this.end };
        return partitions.map((at) => ({ ...at, fault: this.fault, offset, watermarks }));
      },
      ...(this.isAtHand ? { atHand: { standing: () => this.standing } } : {}),
    } as unknown as Broker;
    const consumer = {
      assign: async () => {
        this.assigned += 1;
        await this.assigning();
      },
      position: async () => this.taken,
      batches: (options: { readonly until?: "end"; readonly signal?: AbortSignal }) => this.#batches(options),
      close: async () => {
        this.isClosed = true;
        this.#wake?.();
      },
    } as unknown as FollowerWiring["consumer"];
    return new Follower(
      {
        broker,
        clock: this.clock,
        consumer,
        take: () => {
          this.taken += 1;
        },
        beginsAt: () => {},
        caughtUp: () => {
          this.caughtUpCount += 1;
        },
        failed: (error, isFinal) => void this.failures.push({ error, isFinal }),
      },
      "users",
    );
  }

  /** A record more, for whoever waits. */
  arrive(): void {
    this.end += 1;
    this.#wake?.();
  }

  /** The consumer ends, as it does with its log. */
  endReading(): void {
    this.isClosed = true;
    this.#wake?.();
  }

  async *#batches({ until, signal }: { readonly until?: "end"; readonly signal?: AbortSignal }): AsyncGenerator<RawBatch> {
    if (until === "end") await this.during();
    for (;;) {
      while (this.taken < this.end) {
        const offset = this.taken;
        yield { topic: "users", partition: 0, firstOffset: offset, lastOffset: offset } as unknown as RawBatch;
      }
      if (until === "end" || this.isClosed) return;
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        if (signal?.aborted === true) reject(signal.reason);
        signal?.addEventListener("abort", () => reject(this.endsWith ?? signal.reason));
      });
    }
  }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 4; i++) await new Promise(setImmediate);
};
const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "nothing was refused",
    (error: unknown) => error,
  );
const CLOSED = new Error("the table was closed");

describe("a table's reader", () => {
  it("takes what comes while nobody asks, and answers at once who asks then", async () => {
    const world = new World();
    const follower = world.follower();
    await follower.start();
    await turns();
    world.arrive();
    await turns();
    expect(world.taken).toBe(1);
    const rounds = world.caughtUpCount;
    await follower.caughtUp();
    expect(world.caughtUpCount).toBe(rounds);
    await follower.close(CLOSED);
  });

  it("does not wait for records while a round is asked for that was asked during another", async () => {
    const world = new World();
    const follower = world.follower();
    let asked: Promise<unknown> | null = null;
    world.during = () => {
      world.during = () => {};
      world.end = 1;
      asked = follower.caughtUp();
      return turns();
    };
    await follower.start();
    expect(await asked).toBeUndefined();
    expect(world.taken).toBe(1);
    await follower.close(CLOSED);
  });

  it("meets a failure again only when somebody asks again, and then is as before", async () => {
    const world = new World();
    const follower = world.follower();
    await follower.start();
    world.refusal = new Error("the disk");
    await world.clock.advance(5000);
    await turns();
    expect(world.failures).toMatchObject([{ error: world.refusal, isFinal: false }]);
    await world.clock.advance(50_000);
    await turns();
    expect(world.failures).toHaveLength(1);
    world.refusal = null;
    world.arrive();
    await follower.caughtUp();
    expect(world.taken).toBe(1);
    await follower.close(CLOSED);
  });

  it("tells a failure to who asked before it, and goes on for who asked while it was met", async () => {
    const world = new World();
    const follower = world.follower();
    await follower.start();
    await turns();
    const broken = new Error("once");
    let second: Promise<unknown> | null = null;
    world.during = async () => {
      world.during = () => {};
      second = follower.caughtUp();
      await turns();
      throw broken;
    };
    world.end = 1;
    expect(await caught(follower.caughtUp())).toBe(broken);
    expect(await second).toBeUndefined();
    expect(world.taken).toBe(1);
    await follower.close(CLOSED);
  });

  it("tells the fault of a partition as its error", async () => {
    const world = new World();
    const follower = world.follower();
    world.fault = { code: "OFFSET_OUT_OF_RANGE", message: "gone" };
    expect(await caught(follower.start())).toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
    await follower.close(CLOSED);
  });

  it("finds partitions that were added, also when two look at once", async () => {
    const world = new World();
    const follower = world.follower();
    await follower.start();
    await turns();
    const before = world.assigned;
    world.partitionCount = 3;
    await Promise.all([follower.caughtUp(), follower.caughtUp()]);
    expect(world.assigned).toBe(before + 2);
    await follower.caughtUp();
    expect(world.assigned).toBe(before + 2);
    await follower.close(CLOSED);
  });

  it("is over for good when another topic has its name, wherever that is noticed", async () => {
    const anew: readonly ((world: World) => unknown)[] = [
      // Asked for.
      (world) => Object.assign(world, { topicId: "second" }),
      // Deleted, and made anew between two questions.
      (world) => Object.assign(world, { partitionCount: null }),
      // Met in a batch, before anybody asked.
      (world) => {
        world.standing = { topicId: "second" };
        world.arrive();
      },
    ];
    for (const make of anew) {
      const world = new World();
      const follower = world.follower();
      await follower.start();
      await turns();
      world.standing = { topicId: "first" };
      world.arrive();
      await turns();
      expect(world.failures).toEqual([]);
      make(world);
      await world.clock.advance(5000);
      await turns();
      expect(world.failures).toMatchObject([{ isFinal: true, error: { code: "UNKNOWN_TOPIC_OR_PARTITION" } }]);
      expect(await caught(follower.caughtUp())).toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
      // It does not look any more.
      await world.clock.advance(50_000);
      await turns();
      expect([world.failures.length, world.clock.pendingCount]).toEqual([1, 0]);
      await follower.close(CLOSED);
    }
  });

  it("that is over refuses who asked while it found that out, and tells it once", async () => {
    const world = new World();
    const follower = world.follower();
    await follower.start();
    await turns();
    const gone = new UsageError("CONSUMER_CLOSED", "the consumer was closed");
    let second: Promise<unknown> | null = null;
    world.during = async () => {
      world.during = () => {};
      second = caught(follower.caughtUp());
      await turns();
      throw gone;
    };
    world.end = 1;
    expect(await caught(follower.caughtUp())).toBe(gone);
    expect(await second).toBe(gone);
    expect([world.failures, world.taken]).toEqual([[{ error: gone, isFinal: true }], 0]);
    await follower.close(CLOSED);
  });

  it("reads through a broker that has nothing at hand", async () => {
    const world = new World();
    world.isAtHand = false;
    const follower = world.follower();
    await follower.start();
    await turns();
    world.arrive();
    await turns();
    expect([world.taken, world.failures]).toEqual([1, []]);
    await follower.close(CLOSED);
  });

  it("tells what broke in the very moment in which it was interrupted", async () => {
    const world = new World();
    const follower = world.follower();
    await follower.start();
    await turns();
    world.endsWith = new Error("the disk");
    await world.clock.advance(5000);
    await turns();
    expect(world.failures).toEqual([{ error: world.endsWith, isFinal: false }]);
    await follower.close(CLOSED);
  });

  it("keeps the partitions that were found last, though who looked before them is done later", async () => {
    const world = new World();
    const follower = world.follower();
    await follower.start();
    await turns();
    let resume = (): void => {};
    world.assigning = () =>
      new Promise<void>((resolve) => {
        resume = resolve;
      });
    world.partitionCount = 2;
    const slow = follower.caughtUp();
    await turns();
    world.assigning = () => {};
    world.partitionCount = 3;
    await follower.caughtUp();
    resume();
    await slow;
    const before = world.assigned;
    await follower.caughtUp();
    expect(world.assigned).toBe(before);
    await follower.close(CLOSED);
  });

  it("may be closed before it was begun", async () => {
    const world = new World();
    await world.follower().close(CLOSED);
    expect([world.isClosed, world.clock.pendingCount]).toEqual([true, 0]);
  });

  it("says that the log was closed under it", async () => {
    const world = new World();
    const follower = world.follower();
    await follower.start();
    await turns();
    world.endReading();
    await turns();
    expect(world.failures).toMatchObject([{ isFinal: true, error: { code: "LOG_CLOSED" } }]);
    expect(await caught(follower.caughtUp())).toBeInstanceOf(UsageError);
    await follower.close(CLOSED);
  });

  it("refuses with the close whoever still waits, whatever its last round met", async () => {
    for (const error of [null, new Error("met while it was closed")]) {
      const world = new World();
      const follower = world.follower();
      await follower.start();
      await turns();
      let resume = (): void => {};
      world.during = async () => {
        await new Promise<void>((resolve) => {
          resume = resolve;
        });
        if (error !== null) throw error;
      };
      world.end = 1;
      const waiting = caught(follower.caughtUp());
      await turns();
      const closing = follower.close(CLOSED);
      resume();
      expect(await waiting).toBe(CLOSED);
      await closing;
      expect(await caught(follower.caughtUp())).toBe(CLOSED);
    }
  });
});
