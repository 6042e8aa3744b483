/** Producer ids out of blocks: where a block begins and ends, and what was seen elsewhere meanwhile. */
import { describe, expect, it } from "vitest";
import { StorageError } from "../../src/base/errors.ts";
import type { House } from "../../src/engine/house.ts";
import { ProducerIds } from "../../src/engine/producer-ids.ts";

interface Bed {
  readonly ids: ProducerIds;
  /** What the catalogue was asked to stay above, at each reservation. */
  readonly asked: bigint[];
  /** The largest ids that the open logs know. */
  logs: bigint[];
  /** Of the next reservation: where its block begins, or what is thrown. */
  next: (atLeast: bigint) => Promise<bigint>;
}

function bed(): Bed {
  const asked: bigint[] = [];
  let free = 0n;
  const made: Bed = {
    asked,
    logs: [],
    next: async (atLeast) => {
      const first = free > atLeast ? free : atLeast;
      free = first + 1000n;
      return first;
    },
    ids: new ProducerIds({
      topics: { openLogs: () => made.logs.map((largest) => ({ producers: { largestProducerId: () => largest } })) },
      catalog: {
        reserveProducerIds: (atLeast: bigint) => {
          asked.push(atLeast);
          return made.next(atLeast);
        },
      },
    } as unknown as House),
  };
  return made;
}

const take = async (ids: ProducerIds, count: number): Promise<bigint[]> => {
  const taken: bigint[] = [];
  for (let at = 0; at < count; at += 1) taken.push(await ids.next());
  return taken;
};

describe("a block of producer ids", () => {
  it("is a thousand, given one after the other, and the next is reserved with the id behind its last", async () => {
    const { ids, asked } = bed();
    const taken = await take(ids, 1001);
    expect(taken).toEqual(Array.from({ length: 1001 }, (_, at) => BigInt(at)));
    expect(asked).toHaveLength(2);
    await take(ids, 999);
    expect(asked).toHaveLength(2);
  });

  it("is reserved once for all who ask meanwhile", async () => {
    const { ids, asked } = bed();
    expect(await Promise.all([ids.next(), ids.next(), ids.next()])).toEqual([0n, 1n, 2n]);
    expect(asked).toEqual([0n]);
  });

  it("begins above what the logs know, and is gone on in above what is seen later", async () => {
    const made = bed();
    made.logs = [41n, 7n];
    expect(await take(made.ids, 2)).toEqual([42n, 43n]);
    made.ids.noteSeen(43n);
    expect(await take(made.ids, 1)).toEqual([44n]);
    made.ids.noteSeen(100n);
    made.ids.noteSeen(50n);
    expect(await take(made.ids, 2)).toEqual([101n, 102n]);
    made.logs = [500n];
    made.ids.noteLogs();
    expect(await take(made.ids, 1)).toEqual([501n]);
    expect(made.asked).toEqual([42n]);
    // The last of the block, which is somebody else's by now.
    made.ids.noteSeen(1041n);
    expect(await take(made.ids, 1)).toEqual([1042n]);
    expect(made.asked).toEqual([42n, 1042n]);
  });

  it("is begun above an id that was seen while it was reserved", async () => {
    const made = bed();
    made.next = async () => {
      made.ids.noteSeen(6n);
      return 0n;
    };
    expect(await take(made.ids, 1)).toEqual([7n]);
  });

  it("that cannot be reserved is refused as a storage error that may pass, the reason kept, and asked for again by the next", async () => {
    const made = bed();
    const reserve = made.next;
    const mayPass = new StorageError("STORAGE_FULL", "no room");
    const cause = new Error("of another kind");
    for (const [error, told] of [
      [mayPass, { code: "STORAGE_FULL" }],
      [cause, { code: "KAFKA_STORAGE_ERROR", name: "StorageError", retriable: true, cause }],
    ] as const) {
      made.next = async () => {
        throw error;
      };
      const all = await Promise.allSettled([made.ids.next(), made.ids.next()]);
      for (const each of all) expect((each as PromiseRejectedResult).reason).toMatchObject(told);
      await made.ids.settled();
    }
    expect(made.asked).toHaveLength(2);
    made.next = reserve;
    expect(await take(made.ids, 1)).toEqual([0n]);
  });

  it("that is being reserved is waited for, whatever comes of it", async () => {
    const made = bed();
    await made.ids.settled();
    let fail = (_: unknown): void => {};
    made.next = () => new Promise((_, reject) => (fail = reject));
    const refused = made.ids.next().catch(() => "refused");
    let isSettled = false;
    const settled = made.ids.settled().then(() => {
      isSettled = true;
    });
    for (let turn = 0; turn < 10; turn += 1) await null;
    expect(isSettled).toBe(false);
    fail(new Error("no"));
    await settled;
    expect(await refused).toBe("refused");
  });
});
