/** A disk that refuses, at each step of a commit in turn: all or nothing is seen, at once and after an open, and nobody waits for ever. */
import { describe, expect, it } from "vitest";
import { coordinatorPartition } from "../../src/base/java-hash.ts";
import { memory } from "../../src/index.ts";
import { type FaultyStorage, faultyStorage } from "../../src/testing/faulty-storage.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { type Life, openEngine } from "../simulation/engine-rig.ts";
import { committedOffset, readCommitted, TestProducer, unstable } from "../simulation/transaction-rig.ts";

const code = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "",
    (error: { code: string }) => error.code,
  );

async function bed(storage: FaultyStorage): Promise<Life> {
  const life = await openEngine(storage);
  if (!life.engine.hasTopic("orders")) await life.engine.createTopic({ topic: "orders", partitions: 2, config: { segmentBytes: 100_000 } });
  return life;
}

/** Everything a reader may see of the transaction: three facts that must agree. */
async function seen(life: Life): Promise<"all" | "nothing"> {
  const [zero, one] = [await readCommitted(life, "orders", 0), await readCommitted(life, "orders", 1)];
  const offset = await committedOffset(life, "g", "orders", 0);
  const facts = [zero.includes("a"), one.includes("b"), offset === 1];
  expect(new Set(facts).size, `part of it: ${JSON.stringify({ zero, one, offset })}`).toBe(1);
  return facts[0] ? "all" : "nothing";
}

async function reopenFailed(life: Life): Promise<void> {
  const failed = life.events.filter(({ type }) => type === "storage.failed").map(({ partition }) => partition);
  for (const partition of failed) if (partition !== undefined) await life.engine.reopenPartition(partition);
}

const CASES = [
  { call: "writeAt", errno: "ENOSPC" },
  { call: "writeAt", errno: "EIO" },
  { call: "sync", errno: "EIO" },
] as const;
/** More than a commit makes, so that the last of them hits nothing. */
const CALLS_MAX = 16;

describe.each(CASES)("a commit under which $call fails once with $errno", ({ call, errno }) => {
  it.each(["commit", "abort"] as const)("is decided one way, told so, whatever is asked next: %s", async (second) => {
    const outcomes = new Set<string>();
    for (let nth = 1; nth <= CALLS_MAX; nth += 1) {
      const storage = faultyStorage(memory());
      const life = await bed(storage);
      const producer = await new TestProducer(life, "t").init();
      await producer.send("orders", 0, "a");
      await producer.send("orders", 1, "b");
      await producer.commitOffset("g", "orders", 0, 1);
      storage.fail({ call, errno, nth, name: /\.log$/ });
      const first = await code(producer.end(true));
      storage.mend();
      const where = `${call} ${nth}: ${first}`;
      if (first !== "MARKERS_PENDING" && first !== "") expect(await seen(life), where).toBe("nothing");
      await reopenFailed(life);
      await life.clock.advance(3000);
      await settled();
      const then = first === "" ? "" : await code(producer.end(second === "commit"));
      outcomes.add(`${first}|${then}`);
      const expected = first === "" || first === "MARKERS_PENDING" || (second === "commit" && then === "") ? "all" : "nothing";
      if (first === "MARKERS_PENDING") expect(then, where).toBe(second === "commit" ? "" : "INVALID_TXN_STATE");
      // What could not be decided was found to be committed: the second call says so.
      const decided = then === "INVALID_TXN_STATE" && second === "abort" ? "all" : expected;
      if (then === "TRANSACTION_ABORTABLE") expect(await code(producer.end(false)), where).toBe("");
      expect(await seen(life), where).toBe(decided);
      expect([await unstable(life, "orders", 0), await unstable(life, "orders", 1)], where).toEqual([0, 0]);
      // And goes on.
      await producer.send("orders", 0, "next");
      await producer.end(true);
      await life.engine.close();
      const again = await bed(storage);
      expect(await seen(again), where).toBe(decided);
      expect(await readCommitted(again, "orders", 0), where).toContain("next");
      await again.engine.close();
    }
    // The fault hit before the commit point, behind it, and nothing at all.
    expect([...outcomes].some((outcome) => outcome === "|")).toBe(true);
    expect(
      [...outcomes].some((outcome) => outcome.startsWith("MARKERS_PENDING")),
      [...outcomes].join(" "),
    ).toBe(true);
    expect(
      [...outcomes].some((outcome) => outcome !== "|" && !outcome.startsWith("MARKERS_PENDING")),
      [...outcomes].join(" "),
    ).toBe(true);
  });
});

describe("a commit whose record may stand on the disk or not", () => {
  it.each([false, true])("is in doubt until its partition is reopened (by hand, or by the next open: %s)", async (byOpen) => {
    const storage = faultyStorage(memory());
    const life = await bed(storage);
    const producer = await new TestProducer(life, "t").init();
    await producer.send("orders", 0, "a");
    await producer.send("orders", 1, "b");
    await producer.commitOffset("g", "orders", 0, 1);
    storage.fail({ call: "sync", errno: "EIO", name: /^__transaction_state/ });
    const answer = await producer.end(true).catch((error: Error & { code: string }) => error);
    expect(answer).toMatchObject({ code: "CONCURRENT_TRANSACTIONS", message: expect.stringContaining("not known") });
    // Neither shown nor taken back, whoever asks for what.
    expect(await seen(life)).toBe("nothing");
    for (const commit of [true, false]) expect(await code(producer.end(commit))).toBe("CONCURRENT_TRANSACTIONS");
    expect(await code(new TestProducer(life, "t").init())).toBe("CONCURRENT_TRANSACTIONS");
    await life.clock.advance(120_000);
    expect(await seen(life)).toBe("nothing");
    expect(await unstable(life, "orders", 0)).toBeGreaterThan(0);
    if (byOpen) {
      await life.engine.close().catch(() => {});
      const again = await bed(storage);
      expect(await seen(again)).toBe("all");
      await again.engine.close();
    } else {
      await life.engine.reopenPartition({ topic: "__transaction_state", partition: coordinatorPartition("t") });
      expect(await seen(life)).toBe("all");
      expect(await code(producer.end(true))).toBe("");
      await life.engine.close();
    }
  });
});

describe("a transaction one of whose partitions had to be recovered", () => {
  it("can only be aborted: records of it may be lost", async () => {
    const storage = faultyStorage(memory());
    const life = await bed(storage);
    const producer = await new TestProducer(life, "t").init();
    await producer.send("orders", 0, "a");
    storage.fail({ call: "sync", errno: "EIO", name: /^orders-1/ });
    expect(await code(producer.send("orders", 1, "b"))).toBe("PARTITION_FAILED");
    expect(await code(producer.end(true))).toBe("PARTITION_FAILED");
    await life.engine.reopenPartition({ topic: "orders", partition: 1 });
    expect(await code(producer.end(true))).toBe("TRANSACTION_ABORTABLE");
    expect(await code(producer.end(false))).toBe("");
    expect(await seen(life)).toBe("nothing");
    expect([await unstable(life, "orders", 0), await unstable(life, "orders", 1)]).toEqual([0, 0]);
    await life.engine.close();
  });
});

describe("producer ids", () => {
  it("are refused by a retriable error while the catalogue cannot be written, and go on behind it", async () => {
    const storage = faultyStorage(memory());
    const life = await bed(storage);
    const init = () => life.engine.initProducerId({ transactionalId: null, transactionTimeoutMs: 0 });
    for (const errno of ["ENOSPC", "EIO"]) {
      storage.fail({ call: ["writeAt", "open", "replace", "sync"], errno, name: /odradek\.json/, times: 4 });
      await expect(init()).rejects.toMatchObject({ name: "StorageError", retriable: true });
      storage.mend();
    }
    const ids = await Promise.all(Array.from({ length: 2500 }, init));
    expect(new Set(ids.map(({ producerId }) => producerId)).size).toBe(2500);
    expect(ids.every(({ producerEpoch }) => producerEpoch === 0)).toBe(true);
    await life.engine.close();
  });

  it("take one writing of the catalogue a thousand", async () => {
    const storage = faultyStorage(memory());
    const life = await bed(storage);
    const before = storage.count("replace");
    for (let count = 0; count < 1000; count += 1) await life.engine.initProducerId({ transactionalId: null, transactionTimeoutMs: 0 });
    expect(storage.count("replace") - before).toBe(1);
    await life.engine.initProducerId({ transactionalId: null, transactionTimeoutMs: 0 });
    expect(storage.count("replace") - before).toBe(2);
    await life.engine.close();
  });
});
