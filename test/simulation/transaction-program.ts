/** Programs of transactions, noted in a world as they go: what a disk holds before them, one of each kind, and what works behind every crash. */
import type { CrashStorage } from "../../src/testing/crash-storage.ts";
import { type Life, openEngine, produce } from "./engine-rig.ts";
import { TestProducer } from "./transaction-rig.ts";
import { READ_FROM, type TransactionWorld } from "./transaction-world.ts";

/** More than any program commits offsets. */
const RECORDS_ASIDE = 400;

export async function prepare(disk: CrashStorage): Promise<void> {
  const life = await openEngine(disk, "before");
  const { engine } = life;
  await engine.createTopic({ topic: "orders", partitions: 2, config: { segmentBytes: 1200 } });
  await engine.createTopic({ topic: "quick", partitions: 1, config: { segmentBytes: 1200, durability: "os" } });
  await engine.createTopic({ topic: READ_FROM, partitions: 1, config: { segmentBytes: 100_000, maxMessageBytes: 50_000 } });
  await produce(
    life,
    READ_FROM,
    0,
    Array.from({ length: RECORDS_ASIDE }, () => ""),
  );
  await engine.close();
}

export interface Plan {
  readonly sends: readonly number[];
  readonly withOffset: boolean;
  readonly end: "commit" | "abort" | "leave";
}

/** One transaction of a producer, noted in the world as it goes. */
export async function transact(world: TransactionWorld, producer: TestProducer, plan: Plan): Promise<void> {
  if (plan.sends.length === 0 && !plan.withOffset) return;
  const facts = world.begin(producer.id);
  for (const place of plan.sends) {
    const { topic, partition } = world.places[place]!;
    const value = world.newValue(producer.id);
    facts.sent[place]!.push(value);
    await producer.send(topic, partition, value);
  }
  if (plan.withOffset) {
    facts.offset = world.newOffset();
    await producer.commitOffset(producer.id, world.readFrom, 0, facts.offset);
  }
  if (plan.end === "leave") return;
  facts.state = plan.end === "commit" ? "committing" : "aborting";
  await producer.end(plan.end === "commit");
  facts.state = plan.end === "commit" ? "committed" : "aborted";
}

export async function initialized(world: TransactionWorld, producer: TestProducer): Promise<void> {
  await producer.init();
  world.given(producer.identity);
}

/** After the faults: whoever was there before goes on, and everything closes. */
export async function thrive(world: TransactionWorld, life: Life, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const producer = new TestProducer(life, name);
    await initialized(world, producer);
    await transact(world, producer, { sends: [0, 1, 2], withOffset: true, end: "commit" });
    await transact(world, producer, { sends: [1, 2], withOffset: true, end: "abort" });
  }
  world.given(await life.engine.initProducerId({ transactionalId: null, transactionTimeoutMs: 0 }));
  await world.check(life);
  await life.engine.close();
}

/** Commits twice in a row over the same partitions, aborts, and leaves one open. */
export const PROGRAM: readonly Plan[] = [
  { sends: [0, 1, 2], withOffset: true, end: "commit" },
  { sends: [0, 2], withOffset: true, end: "commit" },
  { sends: [1], withOffset: true, end: "abort" },
  { sends: [1, 2], withOffset: true, end: "commit" },
  { sends: [0, 1], withOffset: true, end: "leave" },
];

export async function program(world: TransactionWorld, life: Life): Promise<void> {
  const producer = new TestProducer(life, "p");
  await initialized(world, producer);
  for (const plan of PROGRAM) await transact(world, producer, plan);
}
