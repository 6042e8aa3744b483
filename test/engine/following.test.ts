/** What a reader beside a writer looks at, and how often: topics, partitions, files; and what it does with a fetch that met what is gone. */
import { describe, expect, it } from "vitest";
import type { FetchResponse } from "../../src/api/broker.ts";
import { FOLLOW_INTERVAL_MS, Following } from "../../src/engine/following.ts";
import type { House } from "../../src/engine/house.ts";
import { OpenTopic, type PartitionSlot } from "../../src/engine/open-topic.ts";
import { TopicRegistry } from "../../src/engine/topic-registry.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

interface Entry {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: number;
  readonly overrides: object;
}

class FakeFollower {
  change: "records" | "files" | null = null;
  fails: Error | null = null;
  /** How many more times the writer will have been quicker. */
  overtakenCount = 0;
  readonly looks: boolean[] = [];
  readonly follows: boolean[] = [];
  async changeSeen(looksAtFiles: boolean): Promise<FakeFollower["change"]> {
    this.looks.push(looksAtFiles);
    if (this.fails !== null) throw this.fails;
    return this.change;
  }
  async isOvertaken(): Promise<boolean> {
    if (this.fails !== null) throw this.fails;
    this.overtakenCount -= 1;
    return this.overtakenCount >= 0;
  }
  async follow(isRewritten: boolean): Promise<void> {
    this.follows.push(isRewritten);
    if (this.fails !== null) throw this.fails;
  }
}

class Bed {
  readonly clock = new ManualClock();
  readonly topics = new TopicRegistry();
  entries: Entry[] = [];
  /** Whether the catalogue has changed since the last look. */
  isNews = false;
  /** How long a look takes. */
  lookMs = 0;
  looks = 0;
  readonly closed: string[] = [];
  #following: Following | null = null;

  entry(name: string, more: Partial<Entry> = {}): void {
    this.entries.push({ name, topicId: `id of ${name}`, partitions: 1, overrides: {}, ...more });
  }
  topic(
    name: string,
    followers: readonly (FakeFollower | null)[],
    { topicId = `id of ${name}`, cleanupPolicy = "delete" } = {},
  ): OpenTopic {
    const slots: PartitionSlot[] = followers.map((follower) => {
      if (follower === null) return { state: "empty" };
      const close = async (clean: boolean): Promise<void> => void this.closed.push(`${name} ${clean}`);
      return { state: "open", log: { follower, close } as never };
    });
    const config = { cleanupPolicy } as never;
    const topic = new OpenTopic({ name, topicId, internal: false, frozen: false, overrides: {}, config, slots });
    this.topics.put(topic);
    return topic;
  }
  get following(): Following {
    const catalog = {
      topics: () => new Map(this.entries.map((entry) => [entry.name, entry])),
      reread: async () => {
        this.looks += 1;
        await this.clock.advance(this.lookMs);
        return this.isNews;
      },
    };
    const context = { clock: this.clock, storage: { list: async () => [] }, readOnly: true };
    this.#following ??= new Following({ context, catalog, topics: this.topics, defaults: {} } as unknown as House);
    return this.#following;
  }
  look(): Promise<unknown> {
    return this.following.task().run();
  }
}

describe("a look", () => {
  it("comes ten times a second, and one that takes long is made room for: a tenth of the time is its share", async () => {
    const bed = new Bed();
    expect(bed.following.task()).toMatchObject({ name: "following", firstMs: 100, intervalMs: 100 });
    await bed.look();
    await bed.look();
    expect(bed.looks).toBe(2);
    bed.lookMs = 50;
    await bed.look();
    bed.lookMs = 0;
    // 50 ms of 500: with the interval that comes anyway, 400 more are let pass.
    await bed.clock.advance(399);
    await bed.look();
    expect(bed.looks).toBe(3);
    await bed.clock.advance(1);
    await bed.look();
    await bed.look();
    expect(bed.looks).toBe(5);
  });

  it("asks compacted partitions for other files once a second, and any partition for what is new each time", async () => {
    const bed = new Bed();
    const [plain, compacted, both] = [new FakeFollower(), new FakeFollower(), new FakeFollower()];
    bed.topic("plain", [plain]);
    bed.topic("compacted", [compacted], { cleanupPolicy: "compact" });
    bed.topic("both", [both], { cleanupPolicy: "compact,delete" });
    void bed.following;
    for (let count = 0; count < 21; count += 1) {
      await bed.look();
      await bed.clock.advance(FOLLOW_INTERVAL_MS);
    }
    expect(plain.looks).toEqual(Array.from({ length: 21 }, () => false));
    for (const { looks } of [compacted, both]) expect(looks.flatMap((looksAtFiles, at) => (looksAtFiles ? [at] : []))).toEqual([10, 20]);
  });

  it("follows what has changed, its files anew where those did, and goes on behind a partition that fails", async () => {
    const bed = new Bed();
    const followers = [new FakeFollower(), new FakeFollower(), new FakeFollower(), new FakeFollower()] as const;
    followers[0].fails = new Error("gone");
    followers[1].change = "records";
    followers[2].change = "files";
    bed.topic("orders", followers);
    await bed.look();
    expect(followers.map(({ follows }) => follows)).toEqual([[], [false], [true], []]);
  });

  it("sees topics that are gone, or others under their name: closed without a promise; what no catalogue ever named stays", async () => {
    const bed = new Bed();
    for (const name of ["kept", "gone", "anew"]) {
      bed.entry(name);
      bed.topic(name, [new FakeFollower()]);
    }
    bed.topic("theirs", [new FakeFollower()]);
    await bed.look();
    bed.entries = [];
    bed.entry("kept");
    bed.entry("anew", { topicId: "another" });
    // Nothing is believed to have changed before the catalogue has.
    await bed.look();
    expect([bed.topics.names(), bed.closed]).toEqual([["anew", "gone", "kept", "theirs"], []]);
    bed.isNews = true;
    await bed.look();
    expect(bed.topics.names()).toEqual(["anew", "kept", "theirs"]);
    expect(bed.closed.sort()).toEqual(["anew false", "gone false"]);
    expect(bed.topics.require("anew")).toMatchObject({ topicId: "another", frozen: false });
  });

  it("sees new topics, partitions and settings, and that a topic which came meanwhile has gone", async () => {
    const bed = new Bed();
    bed.entry("orders", { partitions: 3, overrides: { retentionMs: 5 } });
    bed.entry("new");
    const topic = bed.topic("orders", [new FakeFollower()]);
    bed.isNews = true;
    await bed.look();
    expect(bed.topics.names()).toEqual(["new", "orders"]);
    expect(bed.topics.require("orders")).toBe(topic);
    expect([topic.slots.map(({ state }) => state), topic.overrides, topic.config.retentionMs]).toEqual([
      ["open", "empty", "empty"],
      { retentionMs: 5 },
      5,
    ]);
    bed.entries = bed.entries.filter(({ name }) => name !== "new");
    await bed.look();
    expect(bed.topics.names()).toEqual(["orders"]);
  });
});

describe("a fetch beside a writer", () => {
  const response = (name: string | null, partition = 0, code = ""): FetchResponse => {
    const fault = name === null ? null : { name, code, message: "", details: {} };
    return { partitions: [{ topic: "orders", partition, fault }], throttleTimeMs: 0 } as unknown as FetchResponse;
  };

  it.each([
    ["StorageError", 2],
    ["OffsetError", 1],
    ["UsageError", 1],
    [null, 1],
  ])("that met %s is made %d times, on files looked at anew", async (name, times) => {
    const bed = new Bed();
    const [met, other] = [new FakeFollower(), new FakeFollower()];
    // What goes wrong with the look is told by the second fetch.
    met.fails = new Error("still gone");
    bed.topic("orders", [met, other]);
    const answers = [response(name), response("StorageError")];
    let count = 0;
    const answer = await bed.following.fetch(async () => answers[count++] as FetchResponse);
    expect([count, answer]).toEqual([times, answers[times - 1]]);
    expect([met.follows, other.follows]).toEqual([times === 2 ? [true] : [], []]);
  });

  // Beside a writer that compacted round after round it met the next swap at its second try, and a reader's loop ended with an error.
  it.each([
    ["StorageError", "FILE_NOT_FOUND"],
    ["CorruptionError", "CORRUPT_MESSAGE"],
  ])("that met %s with %s is made again for as long as the writer was quicker, and not for ever", async (name, code) => {
    const bed = new Bed();
    const [follower, other] = [new FakeFollower(), new FakeFollower()];
    bed.topic("orders", [other, follower]);
    const made = async (overtakenCount: number): Promise<[number, FetchResponse]> => {
      let count = 0;
      follower.overtakenCount = overtakenCount;
      const answer = await bed.following.fetch(async () => (count++ < 4 ? response(name, 1, code) : response(null)));
      return [count, answer];
    };
    expect(await made(3)).toEqual([5, response(null)]);
    expect([follower.follows, other.follows]).toEqual([[true, true, true, true], []]);
    // The files are those that it was opened with: this is damage, however often it is asked for.
    expect(await made(0)).toEqual([2, response(name, 1, code)]);
    expect(await made(1)).toEqual([3, response(name, 1, code)]);
    follower.overtakenCount = 1000;
    let count = 0;
    const answer = await bed.following.fetch(async () => {
      count += 1;
      return response(name, 1, code);
    });
    expect([count, answer]).toEqual([32, response(name, 1, code)]);
  });

  it("of two partitions that met damage is made again when the writer has overtaken either", async () => {
    const bed = new Bed();
    const [first, second] = [new FakeFollower(), new FakeFollower()];
    bed.topic("orders", [first, second]);
    second.overtakenCount = 1;
    let count = 0;
    await bed.following.fetch(async () => {
      count += 1;
      return {
        partitions: [...response("CorruptionError", 0).partitions, ...response("CorruptionError", 1).partitions],
      } as unknown as FetchResponse;
    });
    expect([count, first.follows, second.follows]).toEqual([3, [true, true], [true, true]]);
  });

  it("that met a partition which is not open, or not there, is made anew all the same", async () => {
    const bed = new Bed();
    bed.topic("orders", [null]);
    for (const partition of [0, 7]) {
      let count = 0;
      await bed.following.fetch(async () => {
        count += 1;
        return response(count === 1 ? "StorageError" : null, partition);
      });
      expect(count).toBe(2);
    }
  });
});
