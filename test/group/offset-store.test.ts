import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bytes } from "../../src/api/bytes.ts";
import { groupPartition } from "../../src/group/group-partition.ts";
import type { ExpiryFacts } from "../../src/group/offset-expiry.ts";
import { OffsetStore } from "../../src/group/offset-store.ts";
import { encodeOffsetKey } from "../../src/group/schemas/record-key.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";

interface Append {
  readonly partition: number;
  readonly records: readonly { readonly key: Bytes; readonly value: Bytes | null }[];
  readonly durable: boolean;
}

/** A store over fifty lists of records. */
class Shelf {
  readonly clock = new ManualClock();
  readonly appends: Append[] = [];
  /** What the next append waits for, before its records stand. */
  gate: () => Promise<void> = () => Promise.resolve();
  readonly store: OffsetStore;

  constructor(records: readonly Append[] = []) {
    this.store = new OffsetStore({
      clock: this.clock,
      appender: {
        append: async (partition, appended, durable) => {
          await this.gate();
          this.appends.push({ partition, records: appended.map(({ key, value }) => ({ key, value })), durable });
        },
      },
    });
    for (const { records: kept } of records) this.store.load(kept);
  }

  commit(groupId: string, offsets: Record<string, number>, durable = false) {
    return this.store.commit(
      groupId,
      Object.entries(offsets).map(([name, nextOffset]) => ({ ...at(name), nextOffset, leaderEpoch: 3, metadata: "" })),
      durable,
    );
  }

  committed(groupId: string): Record<string, number | null> {
    return Object.fromEntries(
      this.store.fetch(groupId, null).map(({ topic, partition, nextOffset }) => [`${topic}-${partition}`, nextOffset]),
    );
  }

  /** What a restart finds. */
  reopened(): Shelf {
    return new Shelf(this.appends);
  }
}

const at = (name: string) => ({ topic: name.slice(0, name.lastIndexOf("-")), partition: Number(name.slice(name.lastIndexOf("-") + 1)) });
const GROUP = { protocolType: "consumer", generation: 4, protocolName: "range", leader: null, stateTimestamp: 7, members: [] };
const DAY_MS = 24 * 3600 * 1000;

describe("committing offsets", () => {
  it("is told back once written, and found again by a restart", async () => {
    const shelf = new Shelf();
    expect(await shelf.commit("g", { "t-0": 5, "t-1": 7 })).toEqual([
      { topic: "t", partition: 0, fault: null },
      { topic: "t", partition: 1, fault: null },
    ]);
    await shelf.commit("g", { "t-0": 6 });
    for (const each of [shelf, shelf.reopened()]) {
      expect(each.committed("g")).toEqual({ "t-0": 6, "t-1": 7 });
      expect(each.store.fetch("g", [at("t-0"), at("u-9")])).toEqual([
        { topic: "t", partition: 0, nextOffset: 6, leaderEpoch: -1, metadata: "" },
        { topic: "u", partition: 9, nextOffset: null, leaderEpoch: -1, metadata: "" },
      ]);
      expect(each.store.fetch("other", null)).toEqual([]);
    }
    expect(shelf.appends.every(({ partition }) => partition === groupPartition("g"))).toBe(true);
  });

  it("is not told before it is written", async () => {
    const shelf = new Shelf();
    let open = (): void => {};
    shelf.gate = () => new Promise((resolve) => (open = resolve));
    const committed = shelf.commit("g", { "t-0": 5 });
    await settled();
    expect(shelf.committed("g")).toEqual({});
    open();
    await committed;
    expect(shelf.committed("g")).toEqual({ "t-0": 5 });
  });

  it("of one turn is one append per partition, with the last offset of each alone", async () => {
    const shelf = new Shelf();
    await Promise.all([shelf.commit("g", { "t-0": 1 }), shelf.commit("g", { "t-0": 2, "t-1": 1 }), shelf.commit("g", { "t-0": 3 })]);
    expect(shelf.appends.map(({ records }) => records.length)).toEqual([2]);
    expect(shelf.reopened().committed("g")).toEqual({ "t-0": 3, "t-1": 1 });
  });

  it("gathers while an append is under way, and waits for durability only where asked", async () => {
    const shelf = new Shelf();
    const gates: (() => void)[] = [];
    shelf.gate = () => new Promise((resolve) => gates.push(resolve));
    const first = shelf.commit("g", { "t-0": 1 });
    await settled();
    const rest = [shelf.commit("g", { "t-0": 2 }), shelf.commit("g", { "t-1": 2 }, true)];
    await settled();
    expect(gates).toHaveLength(1);
    gates[0]?.();
    await first;
    await settled();
    gates[1]?.();
    await Promise.all(rest);
    expect(shelf.appends.map(({ durable, records }) => [durable, records.length])).toEqual([
      [false, 1],
      [true, 2],
    ]);
  });

  it("that cannot be written changes nothing, and the next one may succeed", async () => {
    const shelf = new Shelf();
    await shelf.commit("g", { "t-0": 1 });
    shelf.gate = () => Promise.reject(new Error("disk full"));
    await expect(shelf.commit("g", { "t-0": 2 })).rejects.toThrow("disk full");
    expect(shelf.committed("g")).toEqual({ "t-0": 1 });
    shelf.gate = () => Promise.resolve();
    await shelf.commit("g", { "t-0": 3 });
    expect(shelf.reopened().committed("g")).toEqual({ "t-0": 3 });
  });

  it("refuses by the partition: metadata too long, an offset that is none", async () => {
    const shelf = new Shelf();
    const offset = { topic: "t", leaderEpoch: -1, nextOffset: 1, metadata: "" };
    const answers = await shelf.store.commit(
      "g",
      [
        { ...offset, partition: 0, metadata: "x".repeat(4097) },
        { ...offset, partition: 1, nextOffset: -1 },
        { ...offset, partition: 2, nextOffset: 0.5 },
        { ...offset, partition: 3, metadata: "é".repeat(4096) },
      ],
      false,
    );
    expect(answers.map(({ fault }) => fault?.code ?? null)).toEqual([
      "OFFSET_METADATA_TOO_LARGE",
      "INVALID_ARGUMENT",
      "INVALID_ARGUMENT",
      null,
    ]);
    expect(shelf.committed("g")).toEqual({ "t-3": 1 });
    await expect(shelf.commit("", { "t-0": 1 })).rejects.toMatchObject({ code: "INVALID_GROUP_ID" });
  });

  it("behaves as one table, whatever the order of commits, deletions and restarts", async () => {
    const group = fc.constantFrom("g", "h", "my-group");
    const topic = fc.constantFrom("t", "u");
    const action = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant("commit" as const),
          group,
          topic,
          partition: fc.nat(2),
          value: fc.nat(99),
          durable: fc.boolean(),
        }),
      },
      fc.record({ kind: fc.constant("deleteOffsets" as const), group, topic, partition: fc.nat(2) }),
      fc.record({ kind: fc.constant("deleteGroup" as const), group }),
      fc.record({ kind: fc.constant("forgetTopic" as const), topic }),
      fc.record({ kind: fc.constant("reopen" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(action, fc.boolean()), { maxLength: 40 }), async (actions) => {
        let shelf = new Shelf();
        const model = new Map<string, number>();
        const forget = (prefix: string): void => {
          for (const key of [...model.keys()]) if (`${key} `.startsWith(prefix)) model.delete(key);
        };
        let under: Promise<unknown>[] = [];
        for (const [each, wait] of actions) {
          if (each.kind === "commit") {
            model.set(`${each.group} ${each.topic}-${each.partition}`, each.value);
            under.push(shelf.commit(each.group, { [`${each.topic}-${each.partition}`]: each.value }, each.durable));
          } else if (each.kind === "deleteOffsets") {
            forget(`${each.group} ${each.topic}-${each.partition} `);
            under.push(shelf.store.deleteOffsets(each.group, [each]));
          } else if (each.kind === "deleteGroup") {
            forget(`${each.group} `);
            under.push(shelf.store.deleteGroup(each.group));
          } else if (each.kind === "forgetTopic") {
            for (const groupId of ["g", "h", "my-group"]) forget(`${groupId} ${each.topic}-`);
            under.push(shelf.store.forgetTopic(each.topic));
          }
          // Deletions look at what stands; a caller awaits them, as it awaits what they are to follow.
          if (wait || each.kind !== "commit") {
            await Promise.all(under);
            under = [];
          }
          if (each.kind === "reopen") shelf = new Shelf([...shelf.appends]);
          if (each.kind === "reopen") shelf.appends.length = 0;
          if (each.kind === "reopen")
            for (const [key, value] of model) await shelf.commit(key.split(" ")[0]!, { [key.split(" ")[1]!]: value });
        }
        await Promise.all(under);
        for (const seen of [shelf, shelf.reopened()]) {
          const found = ["g", "h", "my-group"].flatMap((groupId) =>
            Object.entries(seen.committed(groupId)).map(([name, value]) => [`${groupId} ${name}`, value]),
          );
          expect(Object.fromEntries(found)).toEqual(Object.fromEntries(model));
        }
      }),
    );
  });
});

describe("groups in the store", () => {
  it("are kept and found again, and go with everything they committed", async () => {
    const shelf = new Shelf();
    await shelf.store.saveGroup("g", GROUP);
    await shelf.commit("g", { "t-0": 1 });
    const again = shelf.reopened();
    expect(again.store.group("g")).toEqual(GROUP);
    expect(again.store.groupIds()).toEqual(["g"]);
    await shelf.store.deleteGroup("g");
    expect(shelf.appends.at(-1)).toMatchObject({ durable: true, records: [{ value: null }, { value: null }] });
    expect(shelf.reopened().store.groupIds()).toEqual([]);
    expect(shelf.store.has("g")).toBe(false);
  });

  it("of a group that is deleted take commits on their way along", async () => {
    const shelf = new Shelf();
    await Promise.all([shelf.commit("g", { "t-0": 1 }), shelf.store.deleteGroup("g")]);
    expect(shelf.reopened().store.groupIds()).toEqual([]);
  });
});

describe("loading", () => {
  it("passes over what is not ours, and over what cannot be read with a word about it", async () => {
    const shelf = new Shelf();
    await shelf.commit("g", { "t-0": 1 });
    const records = shelf.appends[0]!.records;
    const errors: unknown[] = [];
    shelf.store.load(
      [
        { key: Uint8Array.of(0, 3, 0, 1, 65), value: Uint8Array.of(1, 2, 3) },
        { key: Uint8Array.of(0, 14), value: null },
        { key: null, value: Uint8Array.of(1) },
        { key: encodeOffsetKey("g", "t", 0), value: Uint8Array.of(0, 3, 1) },
        { key: Uint8Array.of(0, 1, 0), value: null },
        ...records,
      ],
      (error) => errors.push(error),
    );
    expect(errors).toEqual([expect.objectContaining({ code: "INVALID_RECORD" }), expect.objectContaining({ code: "INVALID_RECORD" })]);
    expect(shelf.committed("g")).toEqual({ "t-0": 1 });
  });
});

describe("C5: after an open", () => {
  it("no committed offset exceeds its partition's log end; what is set back is durable before it is told", async () => {
    const offsets = fc.dictionary(fc.constantFrom("t-0", "t-1", "u-0", "gone-0"), fc.nat(20));
    const ends = fc.record({ "t-0": fc.nat(20), "t-1": fc.nat(20), "u-0": fc.nat(20) });
    await fc.assert(
      fc.asyncProperty(offsets, offsets, ends, async (ofG, ofH, logEnds) => {
        const shelf = new Shelf();
        await Promise.all([shelf.commit("g", ofG), shelf.commit("h", ofH)]);
        const opened = shelf.reopened();
        const logEndOf = ({ topic, partition }: { topic: string; partition: number }): number | null =>
          (logEnds as Record<string, number>)[`${topic}-${partition}`] ?? null;
        const setBack = await opened.store.clamp(logEndOf);
        const too = (offsets: Record<string, number>) =>
          Object.entries(offsets).filter(([name, value]) => value > (logEndOf(at(name)) ?? Number.POSITIVE_INFINITY));
        expect(setBack).toHaveLength(too(ofG).length + too(ofH).length);
        for (const { from, nextOffset } of setBack) expect(from).toBeGreaterThan(nextOffset);
        expect(opened.appends.every(({ durable }) => durable)).toBe(true);
        const after = new Shelf([...shelf.appends, ...opened.appends]);
        for (const [groupId, committed] of [
          ["g", ofG],
          ["h", ofH],
        ] as const) {
          const expected = Object.entries(committed).map(([name, value]) => [name, Math.min(value, logEndOf(at(name)) ?? value)]);
          expect(after.committed(groupId)).toEqual(Object.fromEntries(expected));
        }
      }),
    );
  });
});

describe("offsets expire", () => {
  const empty: ExpiryFacts = { state: "Empty", protocolType: "consumer", stateTimestamp: 0, subscribedTopics: new Set() };

  it("of a group without members: seven days after the last one left, whenever they were committed", async () => {
    const shelf = new Shelf();
    await shelf.store.saveGroup("g", GROUP);
    await shelf.commit("g", { "t-0": 1 });
    const left = shelf.clock.now() + DAY_MS;
    const facts = { ...empty, stateTimestamp: left };
    expect(await shelf.store.expire(left + 7 * DAY_MS - 1, () => facts)).toEqual({ offsetCount: 0, goneGroupIds: [] });
    expect(await shelf.store.expire(left + 7 * DAY_MS, () => facts)).toEqual({ offsetCount: 1, goneGroupIds: ["g"] });
    expect(shelf.reopened().store.groupIds()).toEqual([]);
  });

  it("of a group that only commits: seven days after each commit", async () => {
    const shelf = new Shelf();
    await shelf.commit("g", { "t-0": 1 });
    await shelf.clock.advance(DAY_MS);
    await shelf.commit("g", { "t-1": 1 });
    expect(await shelf.store.expire(shelf.clock.now() + 6 * DAY_MS, () => null)).toEqual({ offsetCount: 1, goneGroupIds: [] });
    expect(shelf.committed("g")).toEqual({ "t-1": 1 });
    expect(await shelf.store.expire(shelf.clock.now() + 7 * DAY_MS, () => null)).toEqual({ offsetCount: 1, goneGroupIds: ["g"] });
  });

  it("of a stable group: only in topics nobody in it subscribes to; of a rebalancing group: none", async () => {
    const shelf = new Shelf();
    await shelf.commit("g", { "t-0": 1, "u-0": 1 });
    const later = shelf.clock.now() + 30 * DAY_MS;
    const stable: ExpiryFacts = { ...empty, state: "Stable", subscribedTopics: new Set(["t"]) };
    for (const facts of [
      { ...stable, subscribedTopics: null },
      { ...stable, state: "PreparingRebalance" as const },
      { ...stable, state: "CompletingRebalance" as const },
    ]) {
      expect(await shelf.store.expire(later, () => facts)).toEqual({ offsetCount: 0, goneGroupIds: [] });
    }
    expect(await shelf.store.expire(later, () => stable)).toEqual({ offsetCount: 1, goneGroupIds: [] });
    expect(shelf.committed("g")).toEqual({ "t-0": 1 });
  });

  it("that carry a time of their own go at that time", async () => {
    // Version 1: offset 9, no metadata, committed at 5, expires at 100.
    const value = Uint8Array.from(Buffer.from("0001" + "0000000000000009" + "0000" + "0000000000000005" + "0000000000000064", "hex"));
    const shelf = new Shelf();
    shelf.store.load([{ key: encodeOffsetKey("g", "t", 0), value }]);
    expect((await shelf.store.expire(99, () => null)).offsetCount).toBe(0);
    expect((await shelf.store.expire(100, () => null)).offsetCount).toBe(1);
  });

  it("but not under a commit that is on its way", async () => {
    const shelf = new Shelf();
    await shelf.commit("g", { "t-0": 1 });
    await shelf.clock.advance(8 * DAY_MS);
    const commit = shelf.commit("g", { "t-0": 2 });
    expect(await shelf.store.expire(shelf.clock.now(), () => null)).toEqual({ offsetCount: 0, goneGroupIds: [] });
    await commit;
    expect(shelf.reopened().committed("g")).toEqual({ "t-0": 2 });
  });
});
