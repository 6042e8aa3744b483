/** What a call is taken to be when it is asked: its fate should its owner go, its transaction, its lane, and bytes of its own. */
import { describe, expect, it } from "vitest";
import { CALLS, type CallName, type Fate, ruleOf } from "../../src/attached/calls.ts";
import { OpenCall } from "../../src/attached/open-call.ts";
import { HEADER_BYTE_LENGTH, PRODUCER_EPOCH_AT, PRODUCER_ID_AT } from "../../src/base/record-batch.ts";

const callOf = (
  name: CallName,
  value: object = {},
  signal?: AbortSignal,
  onOver: (call: OpenCall, aborted: boolean) => void = () => {},
): OpenCall => new OpenCall(name, [value], signal, 0, onOver);

function batchOf(producerId: bigint, { epoch = 2, transactional = false, byteLength = HEADER_BYTE_LENGTH } = {}): Uint8Array<ArrayBuffer> {
  const batch = new Uint8Array(HEADER_BYTE_LENGTH);
  const view = new DataView(batch.buffer);
  view.setBigInt64(PRODUCER_ID_AT, producerId);
  view.setInt16(PRODUCER_EPOCH_AT, epoch);
  batch[22] = transactional ? 0x10 : 0;
  return batch.slice(0, byteLength);
}
const produced = (batch: Uint8Array, more: object = {}): OpenCall => callOf("produce", { topic: "t", partition: 3, batch, ...more });

describe("the fate of a call", () => {
  const FATES: Readonly<Record<Exclude<Fate, "numbered">, readonly CallName[]>> = {
    // Done twice it would be done to what another has made meanwhile.
    doubt: [
      "createTopic",
      "deleteTopic",
      "createPartitions",
      "alterConfig",
      "deleteGroup",
      "deleteOffsets",
      "alterClientQuotas",
      "adoptTopic",
      "reopenPartition",
      "backup",
    ],
    transaction: ["addPartitions", "addOffsets", "commitOffsets"],
    again: [
      "fetch",
      "listOffsets",
      "metadata",
      "describeConfig",
      "deleteRecords",
      "joinGroup",
      "syncGroup",
      "heartbeat",
      "leaveGroup",
      "offsetCommit",
      "offsetFetch",
      "listGroups",
      "describeGroup",
      "initProducerId",
      "endTransaction",
      "describeClientQuotas",
      "topicNames",
      "hasTopic",
      "describeTopic",
      "maintain",
      "metrics",
    ],
  };

  it.each(Object.entries(FATES))("is %s where its owner goes before it has answered", (fate, names) => {
    for (const name of names) expect(callOf(name, { generation: 0 }).fate, name).toBe(fate);
  });

  it("is known of every call there is", () => {
    expect(Object.values(FATES).flat().concat("produce").sort()).toEqual(Object.keys(CALLS).sort());
    expect(Object.keys(CALLS).filter((name) => ruleOf(name)?.waits === true)).toEqual([
      "fetch",
      "joinGroup",
      "syncGroup",
      "heartbeat",
      "initProducerId",
      "maintain",
    ]);
    for (const name of ["close", "atHand", "liftQuotas", "toString", "__proto__", "", 7, null, undefined])
      expect(ruleOf(name), String(name)).toBeUndefined();
  });

  it("of a commit from outside its group is doubt: a generation of -1, and no other", () => {
    for (const [generation, fate] of [
      [-1, "doubt"],
      [0, "again"],
      [5, "again"],
    ] as const)
      expect(callOf("offsetCommit", { generation }).fate).toBe(fate);
    expect(callOf("joinGroup", { generation: -1 }).fate).toBe("again");
  });

  it.each([
    [batchOf(0n), "again", "0/t-3", null],
    [batchOf(7n), "again", "7/t-3", null],
    [batchOf(-1n), "doubt", null, null],
    [batchOf(7n, { transactional: true }), "transaction", "7/t-3", { id: "a", identity: "7/2" }],
    [batchOf(7n, { transactional: true, epoch: 0 }), "transaction", "7/t-3", { id: "a", identity: "7/0" }],
    [batchOf(7n, { transactional: true, byteLength: HEADER_BYTE_LENGTH - 1 }), "doubt", null, null],
    [new Uint8Array(0), "doubt", null, null],
  ])("of a batch goes by what its header says of its producer, where it has one (%#)", (batch, fate, lane, transaction) => {
    const call = produced(batch, { transactionalId: "a" });
    expect([call.fate, call.lane, call.transaction, call.byteLength]).toEqual([fate, lane, transaction, batch.byteLength]);
  });
});

describe("the transaction of a call", () => {
  it.each(["addPartitions", "addOffsets", "commitOffsets", "endTransaction"] as const)("is named by %s", (name) => {
    const call = callOf(name, { transactionalId: "a", producerId: 7n, producerEpoch: 2 });
    expect([call.transaction, call.lane, call.byteLength]).toEqual([{ id: "a", identity: "7/2" }, null, 0]);
  });

  it("is none of any other, whatever it names, and that of a batch without an id has an empty one", () => {
    expect(callOf("initProducerId", { transactionalId: "a", producerId: 7n, producerEpoch: 2 }).transaction).toBeNull();
    expect(produced(batchOf(7n, { transactional: true })).transaction).toEqual({ id: "", identity: "7/2" });
  });
});

describe("a call", () => {
  it("has a batch of its own: what was lent may change from then on", () => {
    const lent = batchOf(7n);
    const call = produced(lent, { acks: 1 });
    lent.fill(9);
    expect(call.values).toEqual([{ topic: "t", partition: 3, acks: 1, batch: batchOf(7n) }]);
  });

  it("whose signal was given before it was asked, or is given meanwhile, is over with that reason, and told to have been given up", async () => {
    const reason = new Error("enough");
    const told: unknown[] = [];
    const onOver = (call: OpenCall, aborted: boolean): void => void told.push([call.isOver, aborted]);
    const before = callOf("fetch", {}, AbortSignal.abort(reason), onOver);
    await expect(before.promise).rejects.toBe(reason);
    const stop = new AbortController();
    const call = callOf("fetch", {}, stop.signal, onOver);
    expect(call.isOver).toBe(false);
    stop.abort(reason);
    await expect(call.promise).rejects.toBe(reason);
    expect(told).toEqual([
      [true, true],
      [true, true],
    ]);
  });

  it("that is answered or fails was not given up, and hears its signal no more", async () => {
    const told: boolean[] = [];
    const stop = new AbortController();
    const answered = callOf("fetch", {}, stop.signal, (_, aborted) => void told.push(aborted));
    answered.resolve(1);
    const failed = callOf("fetch", {}, stop.signal, (_, aborted) => void told.push(aborted));
    failed.reject(new Error("no"));
    stop.abort(new Error("too late"));
    expect(await answered.promise).toBe(1);
    await expect(failed.promise).rejects.toThrow("no");
    expect(told).toEqual([false, false]);
  });
});
