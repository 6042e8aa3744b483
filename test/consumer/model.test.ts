/** A consumer against a model of it: whatever is called in whatever order, what is delivered and committed follows from the rules. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Consumer, ConsumerRecord, RecordBatch } from "../../src/api/consumer.ts";
import { bed } from "./bed.ts";
import type { FakeBroker } from "./fake-broker.ts";

const PARTITIONS = 2;
const at = (partition: number) => ({ topic: "orders", partition });

/** Where the rules say the consumer stands in one partition. */
class ModelPartition {
  readonly log: string[] = [];
  position = 0;
  handFrom: number | null = null;
  paused = false;
  committed: number | null = null;
  floor = 0;

  get movedPast(): number {
    return this.handFrom ?? this.position;
  }

  commit(end: number): void {
    if (end < this.floor || (this.committed === null && end === 0)) return;
    this.committed = end;
    this.floor = end;
  }

  moveTo(offset: number): void {
    this.position = offset;
    this.handFrom = null;
    this.floor = 0;
  }
}

class World {
  readonly broker: FakeBroker;
  readonly consumer: Consumer<string, string>;
  readonly model: readonly ModelPartition[] = Array.from({ length: PARTITIONS }, () => new ModelPartition());
  iterator: AsyncIterableIterator<ConsumerRecord<string, string> | RecordBatch<string, string>> | null = null;
  afterPoll = false;
  #next = 0;

  constructor(broker: FakeBroker, consumer: Consumer<string, string>) {
    this.broker = broker;
    this.consumer = consumer;
  }

  append(partition: number, count: number): void {
    const values = Array.from({ length: count }, () => String(this.#next++));
    this.broker.append(
      at(partition),
      values.map((value) => ({ value })),
    );
    this.model[partition]?.log.push(...values);
  }

  moveOn(): void {
    for (const each of this.model) each.handFrom = null;
    this.afterPoll = false;
  }

  giveBack(): void {
    for (const each of this.model) {
      if (each.handFrom === null) continue;
      each.position = each.handFrom;
      each.handFrom = null;
    }
  }

  get readableCount(): number {
    return this.model.reduce((sum, each) => sum + (each.paused ? 0 : each.log.length - each.position), 0);
  }

  deliver(record: ConsumerRecord<string, string>): void {
    const partition = this.model[record.partition] as ModelPartition;
    expect(partition.paused).toBe(false);
    expect([record.offset, record.value]).toEqual([partition.position, partition.log[record.offset]]);
    partition.handFrom ??= record.offset;
    partition.position = record.offset + 1;
  }

  check(): void {
    for (const [number, each] of this.model.entries()) expect(this.broker.committedOf("g", at(number))).toBe(each.committed);
  }
}

type Step = readonly [name: string, run: (world: World) => Promise<void>];

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.nat(PARTITIONS - 1), fc.integer({ min: 1, max: 4 }))
      .map(([p, n]): Step => [`append(${p}, ${n})`, async (world) => world.append(p, n)]),
  },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom("records", "batches")
      .map((way): Step => [`next(${way})`, (world) => next(world, way as "records" | "batches")]),
  },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 5 }).map((max): Step => [`poll(${max})`, (world) => pollOnce(world, max)]) },
  { weight: 2, arbitrary: fc.constant<Step>(["break", leave]) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(PARTITIONS - 1), fc.nat(100))
      .map(([p, n]): Step => [`seek(${p}, ${n} %)`, async (world) => seek(world, p, n)]),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(PARTITIONS - 1), fc.boolean())
      .map(([p, on]): Step => [`${on ? "pause" : "resume"}(${p})`, async (world) => pause(world, p, on)]),
  },
  { weight: 2, arbitrary: fc.constant<Step>(["commit()", commitAll]) },
  { weight: 1, arbitrary: fc.nat(PARTITIONS - 1).map((p): Step => [`position(${p})`, (world) => checkPosition(world, p)]) },
);

async function next(world: World, way: "records" | "batches"): Promise<void> {
  if (world.readableCount === 0) return;
  world.iterator ??= way === "records" ? world.consumer.records() : world.consumer.batches();
  world.moveOn();
  const { value } = await world.iterator.next();
  if ("offset" in value) world.deliver(value);
  else for (const record of value) world.deliver(record);
}

async function pollOnce(world: World, maxRecords: number): Promise<void> {
  if (world.iterator !== null) return;
  world.moveOn();
  const expected = world.readableCount > 0;
  const records = await world.consumer.poll({ maxRecords, timeoutMs: 0 });
  expect(records.length <= maxRecords && records.length > 0 === expected).toBe(true);
  for (const record of records) world.deliver(record);
  world.afterPoll = true;
}

async function leave(world: World): Promise<void> {
  if (world.iterator === null) return;
  await world.iterator.return?.();
  world.iterator = null;
  world.giveBack();
}

function seek(world: World, partition: number, percent: number): void {
  const model = world.model[partition] as ModelPartition;
  const offset = Math.floor((model.log.length * percent) / 100);
  world.consumer.seek(at(partition), offset);
  model.moveTo(offset);
}

function pause(world: World, partition: number, on: boolean): void {
  if (on) world.consumer.pause([at(partition)]);
  else world.consumer.resume([at(partition)]);
  (world.model[partition] as ModelPartition).paused = on;
}

async function commitAll(world: World): Promise<void> {
  await world.consumer.commit();
  for (const each of world.model) {
    const end = world.afterPoll ? each.position : each.movedPast;
    if (end !== each.committed) each.commit(end);
  }
}

async function checkPosition(world: World, partition: number): Promise<void> {
  const model = world.model[partition] as ModelPartition;
  expect(await world.consumer.position(at(partition))).toBe(model.position);
  expect(await world.consumer.lag(at(partition))).toBe(model.log.length - model.position);
}

/** Begins a loop and breaks out of it at its first record; null when none comes in time. */
async function firstWithin(member: Consumer<string, string>, ms: number): Promise<string | null> {
  const signal = AbortSignal.timeout(ms);
  try {
    for await (const { value } of member.records({ signal })) return value;
  } catch (error) {
    expect(error).toBe(signal.reason);
  }
  return null;
}

describe("a consumer", () => {
  it("delivers and commits as the rules say, whatever is called in whatever order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.constantFrom(1, 150, 400, 1 << 20),
        async (steps, fetchMaxBytes) => {
          const { broker, consumer } = await bed(PARTITIONS);
          const reader = consumer({ groupId: "g", enableAutoCommit: false, fetchMaxBytes });
          await reader.assign([at(0), at(1)]);
          const world = new World(broker, reader);
          for (const [, run] of steps) {
            await run(world);
            world.check();
          }
          await reader.close();
        },
      ),
      { numRuns: 300 },
    );
  });

  it("of a group loses nothing, however members come, read, stop in the middle and go", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ member: fc.nat(2), act: fc.constantFrom("join", "poll", "poll", "iterate", "close", "append") }), {
          minLength: 5,
          maxLength: 30,
        }),
        fc.constantFrom("range" as const, "cooperative-sticky" as const),
        async (acts, partitionAssignmentStrategy) => {
          const { broker, consumer } = await bed(3);
          const members: (Consumer<string, string> | null)[] = [null, null, null];
          const delivered = new Set<string>();
          let appended = 0;
          const join = async (): Promise<Consumer<string, string>> => {
            const member = consumer({ groupId: "g", partitionAssignmentStrategy });
            await member.subscribe(["orders"]);
            return member;
          };
          for (const { member: index, act } of acts) {
            const member = members[index] ?? null;
            if (act === "append") {
              broker.appendSingles(at(appended % 3), 2, appended);
              appended += 2;
            } else if (member === null) members[index] = await join();
            else if (act === "close") {
              await member.close();
              members[index] = null;
            } else if (act === "poll") {
              for (const { value } of await member.poll({ timeoutMs: 2, maxRecords: 3 })) delivered.add(value ?? "");
            } else if (act === "iterate") {
              const value = await firstWithin(member, 5);
              if (value !== null) delivered.add(value);
            }
          }
          await Promise.all(members.map((member) => member?.close()));
          // Nothing was committed that had not been delivered.
          for (const [number, partition] of [0, 1, 2].map((each) => [each, broker.partition(at(each))] as const)) {
            const committed = broker.committedOf("g", at(number)) ?? 0;
            expect(committed).toBeLessThanOrEqual(partition.endOffset);
          }
          const last = await join();
          for await (const { value } of last.records({ until: "end" })) delivered.add(value ?? "");
          await last.close();
          expect(delivered.size).toBe(appended);
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);
});
