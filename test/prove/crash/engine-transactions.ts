/** Whole engines with transactional producers: programs that commit, abort and leave transactions open, crashed at their calls. */
import { type CrashStorage, crashStorage } from "../../../src/testing/crash-storage.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { type Life, openEngine } from "../../simulation/engine-rig.ts";
import { initialized, type Plan, transact } from "../../simulation/transaction-program.ts";
import { TestProducer } from "../../simulation/transaction-rig.ts";
import { type Place, TransactionWorld } from "../../simulation/transaction-world.ts";
import type { Crashed, CrashTree, Subject } from "./crash-tree.ts";
import { isAlarm } from "./engine-topics.ts";

/** One of each durability: whatever stands beside them costs an opening. Offsets are of the first. */
const PLACES: readonly Place[] = [
  { topic: "orders", partition: 0 },
  { topic: "quick", partition: 0 },
];
const READ_FROM = "orders";
/** More than a program and what comes after it commit offsets, so that none is beyond the end. */
const RECORDS_BEFORE = 40;
const AGAIN_WHOLE_CHANCE = 0.25;

/** What every program begins with: made once, and copied. */
let prepared: Promise<CrashStorage> | null = null;

async function newDisk(): Promise<CrashStorage> {
  prepared ??= (async () => {
    const disk = crashStorage({ sectorByteLength: 64, aheadByteLength: 500 });
    const life = await openEngine(disk, "before");
    await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    await life.engine.createTopic({ topic: "quick", partitions: 1, config: { durability: "os" } });
    const { writer } = life.engine.core;
    writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
    for (let count = 0; count < RECORDS_BEFORE; count += 1) writer.append(null, new Uint8Array(0), null, life.clock.now());
    await life.engine.produce({ topic: READ_FROM, partition: 0, batch: writer.finish(), acks: "all" });
    await life.engine.close();
    return disk;
  })();
  return (await prepared).afterCrash(undefined, { kind: "process" });
}

export const transactionsSubject: Subject<TransactionWorld> = {
  kind: "engine with transactions",
  clone: (world) => world.clone(),
  version: (world) => world.version(),
  async survive(disk, world, stages, random) {
    const life = await openEngine(disk, random.integer(0, 1_000_000));
    stages.opened();
    await world.check(life);
    const alarms = life.events.filter(isAlarm);
    if (alarms.length > 0) throw new Error(`C9: after a crash alone: ${JSON.stringify(alarms)}`);
    stages.served();
    const producer = new TestProducer(life, "p");
    await initialized(world, producer);
    if (random.chance(0.3)) await nameless(world, life);
    const sends = random.pick([[0], [1], [0, 1]]);
    await transact(world, producer, { sends, withOffset: random.chance(0.6), end: random.chance(0.7) ? "commit" : "abort" });
    if (random.chance(AGAIN_WHOLE_CHANCE)) await world.check(life);
  },
};

/** A producer without transactions: its id is of the same blocks, and was never given before. */
async function nameless(world: TransactionWorld, { engine }: Life): Promise<void> {
  world.given(await engine.initProducerId({ transactionalId: null, transactionTimeoutMs: 0 }));
}

function randomPlan(random: SeededRandom): Plan {
  const sends = Array.from({ length: random.integer(0, 4) }, () => random.integer(0, PLACES.length));
  return { sends, withOffset: random.chance(0.6), end: random.pick(["commit", "commit", "abort", "leave"]) };
}

export async function transactionCrashes(
  tree: CrashTree<TransactionWorld>,
  perCall: number,
  random: SeededRandom,
): Promise<Crashed<TransactionWorld>[]> {
  const disk = await newDisk();
  const world = new TransactionWorld(PLACES, READ_FROM);
  let life = await openEngine(disk, random.integer(0, 1_000_000));
  const crashes: Crashed<TransactionWorld>[] = [];
  const told: string[] = [];
  disk.watch((call, name) => {
    if (random.chance(perCall)) crashes.push(tree.crash(disk, world, `${told.join(" ")}: before ${call} ${name}`));
  });
  let producer: TestProducer | null = null;
  let id = "p";
  for (let count = random.integer(1, 5); count > 0; count -= 1) {
    if (producer === null) {
      producer = new TestProducer(life, id);
      await initialized(world, producer);
    }
    const plan = randomPlan(random);
    told.push(`${producer.id} ${JSON.stringify(plan)}`);
    await transact(world, producer, plan);
    // Whoever left one open comes again: to others a commit is not told while readers wait for the end of that one.
    if (plan.end === "leave") producer = null;
    else if (random.chance(0.2)) {
      id = random.pick(["p", "q"]);
      producer = null;
    }
    if (random.chance(0.2)) await nameless(world, life);
    if (random.chance(0.15)) {
      told.push("closed and opened");
      await life.engine.close();
      life = await openEngine(disk, random.integer(0, 1_000_000));
      await world.check(life);
      producer = null;
    }
  }
  disk.watch(null);
  disk.halt();
  return crashes;
}
