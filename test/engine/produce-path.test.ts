/** The way of a batch into a log of the test's own: who is let through, what is counted, and what an acknowledgement says. */
import { describe, expect, it } from "vitest";
import type { ProduceRequest } from "../../src/api/broker.ts";
import type { Durability } from "../../src/api/bytes.ts";
import { ProducerStateError, StorageError, UsageError } from "../../src/base/errors.ts";
import type { BatchAdmission } from "../../src/engine/batch-admission.ts";
import { OpenTopic, type PartitionSlot } from "../../src/engine/open-topic.ts";
import { ProducePath } from "../../src/engine/produce-path.ts";
import { TopicRegistry } from "../../src/engine/topic-registry.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";

const TRANSACTIONAL = 0x10;
const APPENDED = { baseOffset: 40, lastOffset: 42, logAppendTime: 1234 };

interface Bed {
  readonly path: ProducePath;
  readonly topic: OpenTopic;
  /** In their order. */
  readonly did: unknown[];
  appended: typeof APPENDED | Promise<typeof APPENDED>;
  /** What admission, verification or the flush throws. */
  readonly refusals: { admit?: Error; verify?: Error; flush?: Error };
  produce(more?: Partial<ProduceRequest>, signal?: AbortSignal): Promise<unknown>;
}

/** As it is admitted: of another form than it was sent in. */
const admitted = new Uint8Array(61);
const sent = new Uint8Array(61).fill(0xff, 43, 61);
new DataView(sent.buffer).setBigInt64(43, 7n);
new DataView(sent.buffer).setInt16(51, 3);

function bed({ internal = false, durability = "power" as Durability, attributes = 0, slot = "open" } = {}): Bed {
  const did: unknown[] = [];
  const batch = admitted.slice();
  batch[22] = attributes;
  const log = {
    spec: { directory: "orders-0" },
    watermarks: { logStartOffset: 5 },
    append: (given: Uint8Array, verdict: unknown, signal: unknown) => {
      expect(given).toBe(batch);
      did.push(["append", verdict, signal]);
      return made.appended;
    },
    flushed: async (offset: number) => {
      did.push(["flushed", offset]);
      if (made.refusals.flush !== undefined) throw made.refusals.flush;
      return "power";
    },
  };
  const slots: PartitionSlot[] = [slot === "open" ? { state: "open", log: log as unknown as PartitionLog } : { state: "empty" }];
  const topic = new OpenTopic({ name: "orders", topicId: "", internal, frozen: false, overrides: {}, config: {} as never, slots });
  const topics = new TopicRegistry();
  topics.put(topic);
  const admission = {
    admit: () => {
      if (made.refusals.admit !== undefined) throw made.refusals.admit;
      return { batch, verdict: { recordCount: 3, maxTimestamp: 9 } };
    },
  } as unknown as BatchAdmission;
  const verify = (...given: unknown[]): void => {
    did.push(["verify", ...given]);
    if (made.refusals.verify !== undefined) throw made.refusals.verify;
  };
  const made: Bed = {
    path: new ProducePath(topics, admission, durability, { verify }),
    topic,
    did,
    appended: APPENDED,
    refusals: {},
    produce: (more = {}, signal) => made.path.produce({ topic: "orders", partition: 0, batch: sent, acks: "all", ...more }, signal),
  };
  return made;
}

const countsOf = ({ path: { batches, records, bytes } }: Bed): number[] => [batches, records, bytes];
const SOME = { baseOffset: 40, logAppendTime: 1234, logStartOffset: 5, throttleTimeMs: 0 };

describe("an acknowledgement", () => {
  it.each([
    ["power", "process"],
    ["process", "process"],
    ["none", "none"],
  ] as const)("of what is written, on storage of durability %s, promises %s and waits for no flush", async (durability, promised) => {
    const made = bed({ durability });
    expect(await made.produce({ acks: 1 })).toEqual({ ...SOME, durability: promised });
    expect(made.did).toEqual([["append", { recordCount: 3, maxTimestamp: 9 }, undefined]]);
  });

  it("of all comes with the flush behind the batch's last offset, and says what that promises", async () => {
    const made = bed({ durability: "none" });
    expect(await made.produce()).toEqual({ ...SOME, durability: "power" });
    expect(made.did[1]).toEqual(["flushed", 43]);
    made.refusals.flush = new StorageError("PARTITION_FAILED", "the flush failed");
    await expect(made.produce()).rejects.toBe(made.refusals.flush);
  });

  it.each([1, "all"] as const)("of a batch that has to wait for room comes behind its write (acks %s)", async (acks) => {
    const made = bed();
    let write = (_: typeof APPENDED): void => {};
    made.appended = new Promise((resolve) => (write = resolve));
    let isAnswered = false;
    const answer = made.produce({ acks }).finally(() => {
      isAnswered = true;
    });
    for (let turn = 0; turn < 10; turn += 1) await null;
    expect([isAnswered, made.did.length]).toEqual([false, 1]);
    write(APPENDED);
    expect(await answer).toEqual({ ...SOME, durability: acks === 1 ? "process" : "power" });
  });
});

describe("a batch", () => {
  it("is written before the call returns, with its signal, and counted as it stands in the log", () => {
    const made = bed();
    const { signal } = new AbortController();
    void made.produce({}, signal);
    expect(made.did[0]).toEqual(["append", { recordCount: 3, maxTimestamp: 9 }, signal]);
    void made.produce();
    expect(countsOf(made)).toEqual([2, 6, 122]);
  });

  it("of a transaction is asked about by what its header said as it came, and of none is not", async () => {
    const made = bed({ attributes: TRANSACTIONAL });
    await made.produce();
    expect(made.did[0]).toEqual(["verify", { topic: "orders", partition: 0 }, 7n, 3]);
    const plain = bed({ attributes: 0x0f });
    await plain.produce();
    expect(plain.did.map((each) => (each as unknown[])[0])).toEqual(["append", "flushed"]);
  });

  it.each(["admit", "verify"] as const)("that is refused (%s) rejects, and is neither written nor counted", async (step) => {
    const made = bed({ attributes: TRANSACTIONAL });
    const error = step === "admit" ? new UsageError("INVALID_RECORD", "no") : new ProducerStateError("INVALID_TXN_STATE", "no");
    made.refusals[step] = error;
    await expect(made.produce()).rejects.toBe(error);
    expect(countsOf(made)).toEqual([0, 0, 0]);
    expect(made.did.filter((each) => (each as unknown[])[0] === "append")).toEqual([]);
  });

  it.each([
    ["an internal topic", { internal: true }, {}, { name: "UsageError", code: "INVALID_TOPIC_EXCEPTION" }],
    ["an internal topic's partition without a log", { internal: true, slot: "empty" }, {}, { code: "INVALID_TOPIC_EXCEPTION" }],
    ["a partition that has no log", { slot: "empty" }, {}, { code: "INVALID_TOPIC_EXCEPTION" }],
    ["a partition that is not there", {}, { partition: 1 }, { code: "UNKNOWN_TOPIC_OR_PARTITION" }],
    ["a topic that is not there", {}, { topic: "order" }, { code: "UNKNOWN_TOPIC_OR_PARTITION" }],
  ])("for %s is refused by a rejection, not by a throw", async (_, facts, more, refusal) => {
    const made = bed(facts);
    await expect(made.produce(more)).rejects.toMatchObject(refusal);
    expect(made.did).toEqual([]);
  });

  it("for a partition that is being reopened is refused until it has been, and that of its neighbours is not", async () => {
    const made = bed();
    made.topic.reopening.add(1);
    await made.produce();
    made.topic.reopening.add(0);
    await expect(made.produce()).rejects.toMatchObject({ name: "StorageError", code: "PARTITION_FAILED" });
    made.topic.reopening.delete(0);
    await made.produce();
    expect(countsOf(made)[0]).toBe(2);
  });
});
