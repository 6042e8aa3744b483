/** Whole engines with transactional producers: a program that commits, aborts and leaves transactions open, crashed at its calls. */
import { type CrashStorage, crashStorage } from "../../../src/testing/crash-storage.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { openEngine } from "../../simulation/engine-rig.ts";
import { initialized, prepare, program, transact } from "../../simulation/transaction-program.ts";
import { TestProducer } from "../../simulation/transaction-rig.ts";
import { TransactionWorld } from "../../simulation/transaction-world.ts";
import type { Crashed, CrashTree, Subject } from "./crash-tree.ts";

/** What every program begins with: made once, and copied. */
let prepared: Promise<CrashStorage> | null = null;

async function newDisk(): Promise<CrashStorage> {
  prepared ??= (async () => {
    const disk = crashStorage({ sectorByteLength: 64 });
    await prepare(disk);
    return disk;
  })();
  return (await prepared).afterCrash(undefined, { kind: "process" });
}

export const transactionsSubject: Subject<TransactionWorld> = {
  kind: "engine with transactions",
  clone: (world) => world.clone(),
  version: (world) => world.version(),
  async survive(disk, world, opened, random) {
    const life = await openEngine(disk, random.integer(0, 1_000_000));
    opened();
    await world.check(life);
    const producer = new TestProducer(life, "p");
    await initialized(world, producer);
    await transact(world, producer, { sends: [0, 2], withOffset: true, end: random.chance(0.7) ? "commit" : "abort" });
    await world.check(life);
  },
};

export async function transactionCrashes(
  tree: CrashTree<TransactionWorld>,
  perCall: number,
  random: SeededRandom,
): Promise<Crashed<TransactionWorld>[]> {
  const disk = await newDisk();
  const world = new TransactionWorld();
  const life = await openEngine(disk, random.integer(0, 1_000_000));
  const crashes: Crashed<TransactionWorld>[] = [];
  let number = 0;
  disk.watch((call, name) => {
    number += 1;
    if (random.chance(perCall)) crashes.push(tree.crash(disk, world, `call ${number}: ${call} ${name}`));
  });
  await program(world, life);
  disk.watch(null);
  disk.halt();
  return crashes;
}
