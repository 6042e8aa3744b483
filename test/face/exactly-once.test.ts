/** Read, process, write, by a group whose members come and go and fail: every record's copy is there once. */
import { describe, expect, it } from "vitest";
import type { Consumer, Odradek, Producer } from "../../src/api/index.ts";
import { OdradekError } from "../../src/base/errors.ts";
import { memory } from "../../src/index.ts";
import { faultyStorage } from "../../src/testing/index.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { openLog, sendAll, valuesIn } from "./support.ts";

const PARTITIONS = 4;
const COUNT = 400;

/** One member, until it has done so many turns or found nothing for a while. */
async function copy(log: Odradek, name: string, turns: number, random: () => number, trouble: () => void = () => {}): Promise<void> {
  const producer = log.producer<string, number>({ transactionalId: name });
  const consumer = log.consumer<string, number>({ groupId: "g", enableAutoCommit: false });
  try {
    await consumer.subscribe(["in"]);
    await copyAll({ log, consumer, producer }, turns, random, trouble);
  } finally {
    // Some leave in the middle of things, with records in hand.
    await consumer.close();
    await producer.close();
  }
}

interface Copier {
  readonly log: Odradek;
  readonly consumer: Consumer<string, number>;
  readonly producer: Producer<string, number>;
}

/** Nobody's transaction may hold a copier up for longer: a marker that found the disk full is tried again after a second. */
const IDLE_MAX = 60;

async function copyAll({ log, consumer, producer }: Copier, turns: number, random: () => number, trouble: () => void): Promise<void> {
  for (let turn = 0, idle = 0; turn < turns && idle < (turns === Number.POSITIVE_INFINITY ? IDLE_MAX : 4); turn += 1) {
    const records = await consumer.poll({ maxRecords: 1 + Math.floor(random() * 6), timeoutMs: 60 });
    idle = records.length === 0 ? idle + 1 : 0;
    if (records.length === 0 && (await isDone(log))) return;
    if (records.length === 0) continue;
    const choice = random();
    trouble();
    const copying = producer.transaction(async (tx) => {
      tx.commitOffsets(consumer);
      for (const { value, partition } of records) void tx.send({ topic: "out", partition, value });
      if (choice < 0.2) await new Promise((resolve) => setTimeout(resolve, 3));
      if (choice > 0.8) throw new Error("the body failed");
    });
    await copying.catch((error: unknown) => {
      if (!(error instanceof OdradekError)) expect((error as Error).message).toBe("the body failed");
    });
  }
}

async function isDone(log: Odradek): Promise<boolean> {
  const { offsets } = await log.describeGroup("g");
  return offsets.filter(({ lag }) => lag === 0).length === PARTITIONS;
}

async function prepare(log: Odradek): Promise<void> {
  await log.createTopic("in", { partitions: PARTITIONS });
  await log.createTopic("out", { partitions: PARTITIONS });
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const values = Array.from({ length: COUNT / PARTITIONS }, (_, index) => index * PARTITIONS + partition);
    await sendAll(log, "in", values, partition);
  }
}

async function expectOnce(log: Odradek): Promise<void> {
  const values = (await valuesIn(log, "out")) as number[];
  expect([...values].sort((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, index) => index));
  const { offsets } = await log.describeGroup("g");
  expect(offsets.map(({ nextOffset, lag }) => [nextOffset, lag])).toEqual(new Array(PARTITIONS).fill([COUNT / PARTITIONS, 0]));
}

describe("copies made in transactions", () => {
  it.each([1, 2, 3])("are there once, with members that come and go and bodies that fail (seed %i)", async (seed) => {
    const random = new SeededRandom(seed);
    const log = await openLog(memory());
    await prepare(log);
    const members: Promise<void>[] = [];
    for (let index = 0; index < 6; index += 1) {
      members.push(copy(log, `t${index % 4}-${index}`, 4 + Math.floor(random.next() * 12), () => random.next()));
      await new Promise((resolve) => setTimeout(resolve, Math.floor(random.next() * 40)));
    }
    await Promise.all(members);
    await copy(log, "last", Number.POSITIVE_INFINITY, () => random.next());
    await expectOnce(log);
  });

  it.each([4, 5, 6])("are there once, with a disk that is full now and then, at any step (seed %i)", async (seed) => {
    const random = new SeededRandom(seed);
    const storage = faultyStorage(memory());
    const log = await openLog(storage);
    await prepare(log);
    const trouble = (): void => {
      storage.mend();
      if (random.next() < 0.4) return;
      const nth = 1 + Math.floor(random.next() * 3);
      const name = [/^out-.*log$/, /^__transaction_state-.*log$/, /^__consumer_offsets-.*log$/, /log$/][random.integer(0, 4)] as RegExp;
      storage.fail({ call: "writeAt", errno: "ENOSPC", name, nth, times: 1 + Math.floor(random.next() * 2) });
    };
    for (let index = 0; index < 3; index += 1) {
      await copy(log, "t", 12, () => random.next(), trouble).catch((error: unknown) => expect(error).toBeInstanceOf(OdradekError));
      storage.mend();
    }
    await copy(log, "t", Number.POSITIVE_INFINITY, () => random.next());
    await expectOnce(log);
  });
});
