/** How a consumer ends: by its signal, by its close, and when its group or its last commit refuses. */
import { describe, expect, it, vi } from "vitest";
import { GroupError, StorageError, UsageError } from "../../src/base/errors.ts";
import { bed, orders } from "./bed.ts";

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "nothing was refused",
    (error: unknown) => error,
  );
const full = (): StorageError => new StorageError("STORAGE_FULL", "no room");
const turnedAway = (): GroupError => new GroupError("REBALANCE_IN_PROGRESS", "a generation is being handed out");

describe("a consumer", () => {
  it("whose signal had stopped it before it was made is closed, and reads nothing", async () => {
    const { consumer, closed } = await bed();
    const reader = consumer({ groupId: "g", signal: AbortSignal.abort() });
    await vi.waitFor(() => expect(closed).toEqual([reader]));
    expect(await caught(reader.assign([orders]))).toMatchObject({ code: "CONSUMER_CLOSED" });
    expect(await caught(reader.commit())).toMatchObject({ code: "CONSUMER_CLOSED" });
  });

  it("commits what it was moved past in a partition that is assigned to it no more", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(orders, 3);
    const reader = consumer({ groupId: "g" });
    await reader.assign([orders]);
    for await (const { offset } of reader) if (offset === 2) break;
    await reader.assign([{ ...orders, partition: 1 }]);
    expect(broker.committedOf("g", orders)).toBe(2);
    expect(reader.assignment()).toEqual([{ ...orders, partition: 1 }]);
  });

  it("closes though its last commit is refused: told by an event where its group or log is why, and thrown else", async () => {
    const cases: readonly (readonly [Error, boolean])[] = [
      [new GroupError("ILLEGAL_GENERATION", "another has it"), false],
      [new UsageError("LOG_CLOSED", "the log was closed"), false],
      [full(), true],
      [new Error("no error of ours"), true],
    ];
    for (const [error, isThrown] of cases) {
      const { broker, consumer, events, closed } = await bed();
      broker.appendSingles(orders, 3);
      const reader = consumer({ groupId: "g" });
      await reader.assign([orders]);
      for await (const { offset } of reader) if (offset === 2) break;
      broker.nextCommitError = error;
      expect(await caught(reader.close())).toBe(isThrown ? error : "nothing was refused");
      expect(events).toMatchObject([{ type: "commit.failed", error }]);
      expect(closed).toEqual([reader]);
    }
  });

  it("tells by an event what its signal's own close met", async () => {
    const { broker, consumer, events, closed } = await bed();
    broker.appendSingles(orders, 3);
    const stop = new AbortController();
    const reader = consumer({ groupId: "g", signal: stop.signal });
    await reader.assign([orders]);
    await reader.poll({ maxRecords: 2 });
    await reader.poll({ maxRecords: 1 });
    const error = full();
    broker.nextCommitError = error;
    stop.abort();
    await caught(reader.poll({ timeoutMs: 0 }));
    await vi.waitFor(() => expect(closed).toEqual([reader]));
    expect(events).toContainEqual({ type: "commit.failed", error });
  });

  it("is gone from its group though leaving it failed, and says so unless the group did not know it any more", async () => {
    for (const [error, isThrown] of [
      [new GroupError("UNKNOWN_MEMBER_ID", "who?"), false],
      [full(), true],
    ] as const) {
      const { broker, consumer, closed } = await bed();
      const reader = consumer({ groupId: "g" });
      await reader.subscribe(["orders"]);
      await vi.waitFor(() => expect(reader.assignment()).toEqual([orders]));
      vi.spyOn(broker, "leaveGroup").mockRejectedValueOnce(error);
      expect(await caught(reader.close())).toBe(isThrown ? error : "nothing was refused");
      expect(closed).toEqual([reader]);
    }
  });
});

describe("a commit that a rebalance turned away", () => {
  it("is made again for a member, and refused for a reader outside any group's rebalance", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 3);
    const outside = consumer({ groupId: "other" });
    await outside.assign([orders]);
    const error = turnedAway();
    broker.nextCommitError = error;
    expect(await caught(outside.commit([{ ...orders, nextOffset: 1 }]))).toBe(error);
    const member = consumer({ groupId: "g" });
    await member.subscribe(["orders"]);
    await vi.waitFor(() => expect(member.assignment()).toEqual([orders]));
    broker.nextCommitError = turnedAway();
    await member.commit([{ ...orders, nextOffset: 2 }]);
    expect(broker.committedOf("g", orders)).toBe(2);
  });

  it("is given up after ten times more", async () => {
    const { broker, consumer } = await bed();
    const member = consumer({ groupId: "g" });
    await member.subscribe(["orders"]);
    await vi.waitFor(() => expect(member.assignment()).toEqual([orders]));
    const commit = vi.spyOn(broker, "offsetCommit").mockRejectedValue(turnedAway());
    expect(await caught(member.commit([{ ...orders, nextOffset: 0 }]))).toMatchObject({ code: "REBALANCE_IN_PROGRESS" });
    expect(commit).toHaveBeenCalledTimes(11);
    commit.mockRestore();
  });

  it("is not made again by a consumer that is closing", async () => {
    const { broker, consumer } = await bed();
    const member = consumer({ groupId: "g" });
    await member.subscribe(["orders"]);
    await vi.waitFor(() => expect(member.assignment()).toEqual([orders]));
    let closing: Promise<void> | null = null;
    vi.spyOn(broker, "offsetCommit").mockImplementationOnce(async () => {
      closing = member.close();
      await new Promise(setImmediate);
      throw turnedAway();
    });
    expect(await caught(member.commit([{ ...orders, nextOffset: 0 }]))).toMatchObject({ code: "REBALANCE_IN_PROGRESS" });
    await closing;
  });
});

describe("a group that refuses a member for good", () => {
  // A member that failed when it had joined, as leader say, over another's unreadable subscription, stayed in its group: whoever came
  // next, its own consumer included, waited for it until maxPollIntervalMs put it out. Now it leaves.
  it("is told by subscribe(), and the consumer may subscribe again at once", async () => {
    const { broker, consumer } = await bed();
    const reader = consumer({ groupId: "g" });
    const error = new Error("no topics to be had");
    const { metadata } = broker;
    let calls = 0;
    // The first is of what it subscribes to, the second of what it assigns as leader.
    vi.spyOn(broker, "metadata").mockImplementation(async (topics) => {
      if (++calls === 2) throw error;
      return metadata.call(broker, topics);
    });
    expect(await caught(reader.subscribe(["orders"]))).toBe(error);
    await reader.subscribe(["orders"]);
    await vi.waitFor(() => expect(reader.assignment()).toEqual([orders]));
  });

  it("ends its loop and its commits with what it said, until it subscribes again", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 1);
    const reader = consumer({ groupId: "g", autoOffsetReset: "earliest" });
    await reader.subscribe(["orders"]);
    await vi.waitFor(() => expect(reader.assignment()).toEqual([orders]));
    const error = new Error("broken for good");
    const beat = vi.spyOn(broker, "heartbeat").mockRejectedValue(error);
    // A topic more wakes nobody: the heartbeat under way ends with the next change of the group.
    await vi.waitFor(async () => expect(await caught(reader.commit([{ ...orders, nextOffset: 0 }]))).toBe(error), { timeout: 5000 });
    expect(await caught(reader.records().next())).toBe(error);
    beat.mockRestore();
    await reader.subscribe(["orders"]);
    const seen = reader.records();
    expect((await seen.next()).value).toMatchObject({ value: "0" });
    await seen.return?.();
  });

  // The member went on trying, and subscribe() rejected all the same, since there was no such group yet.
  it("is asked again after an error that may pass", async () => {
    const { broker, consumer } = await bed();
    const reader = consumer({ groupId: "g" });
    vi.spyOn(broker, "joinGroup").mockRejectedValueOnce(new GroupError("COORDINATOR_LOAD_IN_PROGRESS", "loading"));
    await reader.subscribe(["orders"]);
    await vi.waitFor(() => expect(reader.assignment()).toEqual([orders]), { timeout: 3000 });
  });
});

describe("iterators", () => {
  it("may be left before they were begun, and twice", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 2);
    const reader = consumer();
    await reader.assign([orders]);
    const unused = reader.records();
    expect(await unused.return?.()).toMatchObject({ done: true });
    expect(await unused.next()).toEqual({ done: true, value: undefined });
    const used = reader.records();
    await used.next();
    await used.return?.();
    await expect(used.throw?.(new Error("the loop's own"))).rejects.toThrow("the loop's own");
    const views = reader.batches();
    const { value: batch } = await views.next();
    const [record] = batch;
    expect([record.key, record.key]).toEqual(["k0", "k0"]);
    await views.return?.();
  });

  it("give no batch whose records were left by a seek while the caller was asked about one of them", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [{ value: "bad" }, { value: "1" }]);
    broker.append(orders, [{ value: "2" }]);
    const value = {
      deserialize: (bytes: Uint8Array): string => {
        const text = new TextDecoder().decode(bytes);
        if (text === "bad") throw new TypeError("bad");
        return text;
      },
    };
    const reader = consumer<string, string>({
      value,
      onDeserializeError: () => {
        reader.seek(orders, 2);
        return "skip";
      },
    });
    await reader.assign([orders]);
    const seen: (string | null)[] = [];
    for await (const batch of reader.batches({ until: "end" })) for (const each of batch) seen.push(each.value);
    expect(seen).toEqual(["2"]);
    reader.seek(orders, 0);
    seen.length = 0;
    for await (const each of reader.records({ until: "end" })) seen.push(each.value);
    expect(seen).toEqual(["2"]);
  });
});
