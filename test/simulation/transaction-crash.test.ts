/** Transactions on a machine that dies at any call of its storage, in recovery too: all of each is there, or nothing; what was acknowledged is. */
import { describe, expect, it } from "vitest";
import type { StorageDriver, StorageFile } from "../../src/api/storage-driver.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type Life, openEngine, SIM_SCALE, watched } from "./engine-rig.ts";
import { initialized, type Plan, prepare, program, thrive, transact } from "./transaction-program.ts";
import { readCommitted, TestProducer } from "./transaction-rig.ts";
import { TransactionWorld } from "./transaction-world.ts";

/** Whatever is under way on a dead machine never answers: those who wait go home. */
class Machine {
  callsLeft = Number.POSITIVE_INFINITY;
  calls = 0;
  readonly died: Promise<void>;
  #die: () => void = () => {};
  readonly disk: CrashStorage;

  constructor(disk: CrashStorage) {
    this.disk = disk;
    this.died = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  get isDead(): boolean {
    return this.callsLeft <= 0;
  }

  open(seed: number): Promise<Life> {
    const storage = watched(this.disk, () => {
      this.calls += 1;
      this.callsLeft -= 1;
      if (this.callsLeft > 0) return;
      this.disk.halt();
      this.#die();
    });
    return openEngine(storage, seed);
  }

  /** Runs until it is done or the machine is dead. A refusal by a machine that lives is thrown. */
  async run(work: () => Promise<void>): Promise<void> {
    const running = work().catch((error: unknown) => {
      // A promise that is broken after its death was checked against a ghost.
      if (!this.isDead) throw error;
    });
    await Promise.race([running, this.died.then(() => settled()).then(() => settled())]);
    if (!this.isDead) await running;
    else running.catch(() => {});
  }
}

// ── Every point of one program ───────────────────────────────────────────────

/** The machine dies at the n-th call of the program; answers it, or null where it has not so many. */
async function dieAt(base: CrashStorage, call: number): Promise<{ readonly machine: Machine; readonly world: TransactionWorld } | null> {
  const world = new TransactionWorld();
  const machine = new Machine(base.crash(undefined, { kind: "process" }));
  const life = await machine.open(1);
  machine.callsLeft = call;
  await machine.run(() => program(world, life));
  return machine.isDead ? { machine, world } : null;
}

async function recovers(disk: CrashStorage, world: TransactionWorld, where: string): Promise<void> {
  try {
    const life = await openEngine(disk, 2);
    await world.check(life);
    await thrive(world, life, ["p", "q"]);
  } catch (error) {
    throw new Error(`${where}: ${String(error)}`, { cause: error });
  }
}

describe("a program of transactions whose machine dies", () => {
  it("at every call of its storage, in every way: all or nothing of each, and nothing is left open", { timeout: 600_000 }, async () => {
    const base = crashStorage({ sectorByteLength: 64 });
    await prepare(base);
    // Two: nothing that was not flushed is there, and all of it.
    const images = Math.ceil(2 * SIM_SCALE);
    let points = 0;
    for (let call = 1; ; call += 1) {
      const end = await dieAt(base, call);
      if (end === null) break;
      points += 1;
      let image = 0;
      for (const disk of end.machine.disk.enumerateCrashes(images)) {
        image += 1;
        await recovers(disk, end.world.clone(), `call ${call}, loss of power ${image}`);
      }
      if (call % Math.max(1, Math.ceil(4 / SIM_SCALE)) !== 0) continue;
      await recovers(end.machine.disk.crash(undefined, { kind: "process" }), end.world.clone(), `call ${call}, death of the process`);
    }
    if (SIM_SCALE > 1) console.log(`transaction-crash: ${points} points, ${images} losses of power each`);
    // A commit over three partitions and offsets is no handful of calls.
    expect(points).toBeGreaterThan(60);
  });

  it("and again at any call of the recovery", { timeout: 600_000 }, async () => {
    const base = crashStorage({ sectorByteLength: 64 });
    await prepare(base);
    const stride = Math.max(1, Math.ceil(17 / SIM_SCALE));
    let points = 0;
    for (let call = 1; ; call += stride) {
      const end = await dieAt(base, call);
      if (end === null) break;
      for (let inner = 1 + (call % stride); ; inner += stride) {
        const random = new SeededRandom(`${call}/${inner}`);
        const machine = new Machine(end.machine.disk.crash(random.fork(), { kind: random.pick(["process", "power", "power"] as const) }));
        machine.callsLeft = inner;
        await machine.run(async () => void (await machine.open(2)));
        if (!machine.isDead) break;
        points += 1;
        const disk = machine.disk.crash(random.fork(), { kind: random.pick(["process", "power", "power"] as const) });
        await recovers(disk, end.world.clone(), `call ${call}, then call ${inner} of the recovery`);
      }
    }
    expect(points).toBeGreaterThan(50);
  });
});

/**
 * Epochs do not rise with each transaction: were the completion of a commit lost, and the first records of the next transaction
 * kept, recovery would take them for records of that commit. So a begin waits for the completion to be durable.
 */
describe("a transaction begun while the record that completes the last commit is on its way to the disk", () => {
  it("waits for it: a crash that forgets that record takes nothing of the new transaction for committed", async () => {
    const base = crashStorage({ sectorByteLength: 64 });
    await prepare(base);
    let freeSyncs = Number.POSITIVE_INFINITY;
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const disk = base.crash(undefined, { kind: "process" });
    const storage = slowSyncs(disk, async (name) => {
      if (!name.startsWith("__transaction_state") || name.endsWith("index")) return;
      freeSyncs -= 1;
      if (freeSyncs < 0) await held;
    });
    const life = await openEngine(storage, 1);
    const producer = await new TestProducer(life, "p").init();
    await producer.send("orders", 0, "first");
    await producer.send("orders", 1, "first");
    // The commit point passes, what completes it is held.
    freeSyncs = 1;
    await producer.end(true);
    let isSent = false;
    const sending = producer.send("orders", 0, "second").then(() => {
      isSent = true;
    });
    for (let turn = 0; turn < 20; turn += 1) await settled();
    for (const crashed of disk.enumerateCrashes(20)) {
      const next = await openEngine(crashed, 2);
      expect([await readCommitted(next, "orders", 0), await readCommitted(next, "orders", 1)]).toEqual([["first"], ["first"]]);
      await next.engine.close();
    }
    expect(isSent).toBe(false);
    expect(freeSyncs).toBeLessThan(0);
    release();
    await sending;
    await producer.end(true);
    expect(await readCommitted(life, "orders", 0)).toEqual(["first", "second"]);
    await life.engine.close();
  });
});

/** Passes every call on; a flush of a file first waits for `before`. */
function slowSyncs(driver: CrashStorage, before: (name: string) => Promise<void>): StorageDriver {
  const bound = (target: object, key: string | symbol): unknown => {
    const value: unknown = Reflect.get(target, key, target);
    return typeof value === "function" ? value.bind(target) : value;
  };
  const slowFile = (file: StorageFile, name: string): StorageFile =>
    new Proxy(file, {
      get: (target, key) => (key === "sync" ? () => before(name).then(() => target.sync()) : bound(target, key)),
    });
  return new Proxy(driver as StorageDriver, {
    get: (target, key) =>
      key === "open"
        ? async (name: string, options: Parameters<StorageDriver["open"]>[1]) => slowFile(await target.open(name, options), name)
        : bound(target, key),
  });
}

// ── Programs by chance ───────────────────────────────────────────────────────

function randomPlan(random: SeededRandom): Plan {
  const sends = Array.from({ length: random.integer(0, 4) }, () => random.integer(0, 2));
  return { sends, withOffset: random.chance(0.6), end: random.pick(["commit", "commit", "commit", "abort", "leave"] as const) };
}

/** Lives of one disk, in each of which producers work beside each other until the machine dies. */
async function simulate(seed: number): Promise<{ readonly crashes: number; readonly inRecovery: number; readonly committed: number }> {
  const random = new SeededRandom(seed);
  const latencies = random.fork();
  const latency = async (call: string): Promise<void> => {
    for (let turns = Math.floor(latencies.next() * (call === "sync" ? 40 : 4)); turns > 0; turns -= 1) await null;
  };
  let disk = crashStorage({ sectorByteLength: 64, latency });
  await prepare(disk);
  disk = disk.crash(undefined, { kind: "process" });
  const world = new TransactionWorld();
  const names = ["p", "q", "r"].slice(0, random.integer(1, 3));
  let [crashes, inRecovery] = [0, 0];
  for (let round = 0; round < 4; round += 1) {
    const machine = new Machine(disk);
    machine.callsLeft = random.pick([random.integer(1, 12), random.integer(1, 60), random.integer(30, 200), random.integer(30, 400)]);
    let isOpen = false;
    await machine.run(async () => {
      const life = await machine.open(random.integer(0, 1e9));
      isOpen = true;
      await world.check(life);
      await Promise.all(
        names.map(async (name) => {
          const producer = new TestProducer(life, name);
          const own = random.fork();
          await initialized(world, producer);
          for (let left = own.integer(1, 12); left > 0; left -= 1) {
            const plan = randomPlan(own);
            await transact(world, producer, plan);
            // Else the others would wait for its timeout.
            if (plan.end === "leave") await initialized(world, producer);
            if (own.chance(0.1)) world.given(await life.engine.initProducerId({ transactionalId: null, transactionTimeoutMs: 0 }));
          }
        }),
      );
      machine.callsLeft = 1;
      await life.engine.close();
    });
    crashes += 1;
    if (!isOpen) inRecovery += 1;
    const kind = random.pick(["process", "power", "power"] as const);
    disk = machine.disk.crash(random.fork(), { kind, tornSectors: random.chance(0.3) });
  }
  const life = await openEngine(disk, random.integer(0, 1e9));
  await world.check(life);
  await thrive(world, life, names);
  return { crashes, inRecovery, committed: world.transactions.filter(({ state }) => state === "committed").length };
}

describe("producers that transact beside each other while the machine dies and dies", () => {
  it("all or nothing of each transaction, what was acknowledged is there, no identity is given twice, nothing hangs", {
    timeout: 3_600_000,
  }, async () => {
    const seeds = Math.ceil(40 * SIM_SCALE);
    const first = Number(process.env["ODRADEK_SEED"] ?? 1);
    const sums = { crashes: 0, inRecovery: 0, committed: 0 };
    for (let seed = first; seed < first + seeds; seed += 1) {
      try {
        const { crashes, inRecovery, committed } = await simulate(seed);
        sums.crashes += crashes;
        sums.inRecovery += inRecovery;
        sums.committed += committed;
      } catch (error) {
        throw new Error(`seed ${seed} (ODRADEK_SEED=${seed}): ${String(error)}`, { cause: error });
      }
    }
    if (SIM_SCALE > 1) console.log(`transaction-crash: seeds ${first} to ${first + seeds - 1}, ${JSON.stringify(sums)}`);
    // A simulation that never dies in recovery, or commits little, shows nothing.
    expect(sums.inRecovery).toBeGreaterThan(seeds / 4);
    expect(sums.committed).toBeGreaterThan(seeds * 2);
  });
});
