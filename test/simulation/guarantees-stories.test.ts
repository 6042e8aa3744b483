/** What the simulation of compaction, idempotence and transactions found, each a tale of its own: how a promise was broken, and that it no longer is. */
import { describe, expect, it } from "vitest";
import type { ProducerIdentity } from "../../src/api/broker.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { NOW_MS } from "./engine-rig.ts";
import { DELETE_RETENTION_MS, GUARANTEE_TOPICS, openSubject, readFromStart, type Subject, sendRecords } from "./guarantees-rig.ts";

const AT = { topic: "kept", partition: 0 };
const ID = "t";

/** One partition of a compacted topic; values are told apart by their ids. */
class Story {
  readonly subject: Subject;
  #nextId = 1;
  #sequence = 0;
  identity: ProducerIdentity = { producerId: -1n, producerEpoch: -1 };

  private constructor(subject: Subject) {
    this.subject = subject;
  }

  static async begin(): Promise<Story> {
    const subject = await openSubject(crashStorage(), 1, NOW_MS);
    await subject.broker.createTopic({ topic: AT.topic, partitions: 1, config: GUARANTEE_TOPICS[AT.topic] ?? {} });
    return new Story(subject);
  }

  /** Plain, or in the transaction that `identity` has open. */
  async put(key: string, value: string | null, transactional = false): Promise<void> {
    const record = { id: this.#nextId, key, value, timestamp: this.subject.clock.now() };
    this.#nextId += 1;
    if (!transactional) return void (await sendRecords(this.subject, AT, [record]));
    await this.subject.broker.addPartitions({ ...this.identity, transactionalId: ID, partitions: [AT] });
    const from = { ...this.identity, baseSequence: this.#sequence, transactional: true };
    this.#sequence += 1;
    await sendRecords(this.subject, AT, [record], from, null, ID);
  }

  async init(): Promise<void> {
    this.identity = await this.subject.broker.initProducerId({ transactionalId: ID, transactionTimeoutMs: 60_000 });
    this.#sequence = 0;
  }

  async end(commit: boolean): Promise<void> {
    await this.subject.broker.endTransaction({ ...this.identity, transactionalId: ID, commit });
  }

  /** What is before it is in sealed segments, and may be compacted. */
  async roll(): Promise<void> {
    for (let batch = 0; batch < 3; batch += 1) await this.put("roll", "r".repeat(250));
  }

  async keys(): Promise<Record<string, string | null>> {
    const { records } = await readFromStart(this.subject, AT.topic, AT.partition, "readCommitted");
    return Object.fromEntries(records.filter(({ key }) => key !== "roll").map(({ key, value }) => [key, value]));
  }
}

describe("a compacted topic whose power went in the middle of a roll", () => {
  it("ends where its last batch does, not where an empty segment begins", async () => {
    // The new segment's name had come to the disk, the last batch of the one before had not. Gaps are legal where compaction may have
    // been, so nothing was cut: the log ended at the new name, and a reader before it was given nothing and never got there.
    const disk = crashStorage();
    const subject = await openSubject(disk, 1, NOW_MS);
    await subject.broker.createTopic({ topic: "quick", partitions: 1, config: GUARANTEE_TOPICS["quick"] ?? {} });
    const at = { topic: "quick", partition: 0 };
    const send = (id: number): Promise<number> =>
      sendRecords(subject, at, [{ id, key: `${id}`, value: "v".repeat(120), timestamp: NOW_MS }]);
    const logAt = (offset: number): string => `quick-0/${`${offset}`.padStart(20, "0")}.log`;
    await send(1);
    const stateBefore = disk.peek("quick-0/odradek.state") as Uint8Array;
    const lengths = [disk.peek(logAt(0))?.length as number];
    let rolledAt = 0;
    for (let offset = 1; rolledAt === 0; offset += 1) {
      await send(offset + 1);
      lengths.push(disk.peek(logAt(0))?.length as number);
      if (disk.peek(logAt(offset)) !== null) rolledAt = offset;
    }
    // Of the batches before the roll the last did not come to the disk, and of the new segment the name alone.
    const next = disk.crash(new SeededRandom(1), { kind: "process" });
    const change = async (name: string, bytes: Uint8Array | null, byteLength: number): Promise<void> => {
      const file = await next.open(name, { create: "no" });
      file.truncate(byteLength);
      if (bytes !== null) file.writeAt(bytes, 0);
      await file.sync();
      await file.close();
    };
    await change(logAt(0), null, lengths[rolledAt - 2] as number);
    await change(logAt(rolledAt), null, 0);
    await change("quick-0/odradek.state", stateBefore, 0);
    const again = await openSubject(next, 2, NOW_MS);
    const { marks, records } = await readFromStart(again, "quick", 0, "readCommitted");
    expect(records).toHaveLength(rolledAt - 1);
    expect(marks.logEndOffset).toBe(rolledAt - 1);
    expect(await sendRecords(again, at, [{ id: 99, key: "99", value: "v", timestamp: NOW_MS }])).toBe(rolledAt - 1);
    await again.broker.close();
  });
});

describe("compaction of a producer's transactions", () => {
  it("takes the records of a committed one for committed when an earlier one was aborted before the dirty part", async () => {
    // The walk that fills the offset map began behind the abort marker, was told of that transaction, never met its end, and passed
    // over everything the producer sent later. The newest value was not known, so the older one stayed; and when the newest was a
    // tombstone, it went at its horizon and the value it had deleted was back.
    const story = await Story.begin();
    await story.put("a", "deleted later");
    await story.init();
    await story.put("b", "taken back", true);
    await story.end(false);
    await story.roll();
    await story.subject.broker.maintain();
    await story.put("a", null, true);
    await story.end(true);
    await story.roll();
    await story.subject.broker.maintain();
    story.subject.clock.jump(2 * DELETE_RETENTION_MS);
    await story.roll();
    await story.subject.broker.maintain();
    expect(await story.keys()).toEqual({});
    await story.subject.broker.close();
  });
});
