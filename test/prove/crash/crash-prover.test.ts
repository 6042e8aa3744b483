/** The prover of crashes sees: disks that lie, oracles that were promised too much; and its searches are as whole as they say. */
import { describe, expect, it } from "vitest";
import { fenced } from "../../../src/storage/fenced.ts";
import { memory } from "../../../src/storage/memory.ts";
import { CrashStorage } from "../../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { Account } from "./account.ts";
import { crashProver } from "./crash-prover.ts";
import { CrashTree, type Subject } from "./crash-tree.ts";
import { compactionCrashes, compactionSubject } from "./engine-compaction.ts";
import { PROGRAM_COUNT as SHORT_COUNT, shortProgram } from "./engine-topics.ts";
import type { KeyedTopics } from "./keyed-topics.ts";
import type { PlainFacts } from "./plain-facts.ts";
import { plainLife, plainSettings, plainSubject } from "./plain-log.ts";
import { PROGRAM_COUNT, smallProgram } from "./small-log.ts";

const trialOf = (seed: number) => ({ seed, directory: () => "", say: () => {} });
const SETTINGS = plainSettings(false, 200);

async function tallyOf(subject: Subject<PlainFacts>, newDisk?: () => CrashStorage): Promise<ReturnType<Account["tally"]>> {
  const account = new Account();
  for (let seed = 1; seed < 12 && !account.isFull; seed += 1) {
    const random = new SeededRandom(seed);
    const tree = new CrashTree(subject, account, random);
    await tree.explore(await plainLife(tree, random, SETTINGS, 0.5, newDisk));
  }
  return account.tally();
}

async function compactionTally(subject: Subject<KeyedTopics>, newDisk?: () => CrashStorage): Promise<ReturnType<Account["tally"]>> {
  const account = new Account();
  for (let seed = 1; seed < 12 && !account.isFull; seed += 1) {
    const random = new SeededRandom(seed);
    const tree = new CrashTree(subject, account, random);
    await tree.explore(await compactionCrashes(tree, 0.05, random, newDisk));
  }
  return account.tally();
}

/** Says that it flushed, and did not. */
class Liar extends CrashStorage {
  readonly #lies: "files" | "directories";

  constructor(lies: "files" | "directories") {
    super({ sectorByteLength: 64 });
    this.#lies = lies;
  }

  override async sync(number: number, name: string): Promise<void> {
    if (this.#lies !== "files") await super.sync(number, name);
  }

  override async syncDirectory(directory: string): Promise<void> {
    if (this.#lies !== "directories") await super.syncDirectory(directory);
  }
}

/** A flush that ends when it is told to, through the door that all of a process share. */
async function flushUnderWay(): Promise<() => Promise<void>> {
  const storage = memory();
  const open = storage.open.bind(storage);
  let end = (): void => {};
  storage.open = async (name, options) => {
    const file = await open(name, options);
    file.sync = () =>
      new Promise((resolve) => {
        end = resolve;
      });
    return file;
  };
  const flushed = (await fenced(storage).open("slow", { create: "new" })).sync();
  return () => {
    end();
    return flushed;
  };
}

describe("the prover of crashes", () => {
  // A log of another test had a flush under way when the first of two runs began, and a place less at the door gave it another order of calls.
  it("gives the same tally whatever else the process flushes", async () => {
    const endFlush = await flushUnderWay();
    const one = await crashProver.run(trialOf(3));
    await endFlush();
    expect(one).toEqual(await crashProver.run(trialOf(3)));
  });

  it("counts different disks, and those crashed again; the same seed gives the same tally", async () => {
    const [one, other] = [await crashProver.run(trialOf(3)), await crashProver.run(trialOf(3))];
    expect(one).toEqual(other);
    expect(one.failures).toEqual([]);
    const { crashStates, recrashed } = one.counts;
    expect(new Set(one.stateHashes).size).toBe(crashStates);
    expect(crashStates).toBeGreaterThan(100);
    expect(recrashed).toBeGreaterThan((crashStates ?? 0) / 4);
    const kinds = Object.entries(one.counts).filter(([name]) => name.startsWith("crashStates: "));
    expect(kinds.reduce((sum, [, count]) => sum + count, 0)).toBe(crashStates);
    const ofEngines = kinds.filter(([name]) => name.startsWith("crashStates: engine")).reduce((sum, [, count]) => sum + count, 0);
    expect(ofEngines).toBeGreaterThan((crashStates ?? 0) / 10);
    expect(one.counts.engineCrashStates).toBe(ofEngines);
  });

  it.each(["files", "directories"] as const)("sees a disk that does not flush its %s", async (lies) => {
    const { failures } = await tallyOf(plainSubject("log", SETTINGS), () => new Liar(lies));
    expect(failures.length).toBe(3);
    expect(failures.map(({ what }) => what).join("\n")).toMatch(/C1|C9/);
  });

  const spoilt: readonly (readonly [what: string, breach: string, spoil: (facts: PlainFacts) => void])[] = [
    [
      "an acknowledged record that is gone",
      "lost",
      (facts) => {
        facts.acknowledgedEnd += 1;
      },
    ],
    [
      "another record where one was acknowledged",
      "phantom",
      (facts) => {
        facts.history[0] = 2 ** 31;
      },
    ],
    [
      "records that were never sent",
      "phantom",
      (facts) => {
        facts.sentCount = 0;
      },
    ],
    [
      "a log that starts where nobody asked for it",
      "lost",
      (facts) => {
        facts.deletedBefore += 1_000;
      },
    ],
  ];
  it.each(spoilt)("sees %s", async (_what, breach, spoil) => {
    const honest = plainSubject("log", SETTINGS);
    const { failures } = await tallyOf({
      ...honest,
      survive: async (disk, facts, stages, random) => {
        if (facts.acknowledgedEnd > 0 && !facts.lied) spoil(facts);
        await honest.survive(disk, facts, stages, random);
      },
    });
    expect(failures[0]?.breach).toBe(breach);
  });

  it("sees a log that takes no records after its recovery", async () => {
    const honest = plainSubject("log", SETTINGS);
    const { failures } = await tallyOf({
      ...honest,
      survive: (disk, facts, stages, random) => {
        const opened = (): void => {
          stages.opened();
          disk.halt();
        };
        return honest.survive(disk, facts, { ...stages, opened }, random);
      },
    });
    expect(failures.length).toBe(3);
  });

  it("sees what one process wrote, another served without flushing it, and the power then took", async () => {
    const honest = plainSubject("log", SETTINGS);
    const { failures } = await tallyOf({
      ...honest,
      survive: (disk, facts, stages, random) => {
        const flush = disk.sync.bind(disk);
        disk.sync = async (number, name) => {
          if (!name.endsWith(".log")) await flush(number, name);
        };
        const served = (): void => {
          stages.served();
          disk.sync = flush;
        };
        return honest.survive(disk, facts, { ...stages, served }, random);
      },
    });
    expect(failures.map(({ what }) => what).join("\n")).toMatch(/opened and served, power lost.*C1|opened and served, power lost.*C9/);
  });

  it.each(["files", "directories"] as const)("sees a compaction on a disk that does not flush its %s", async (lies) => {
    const { failures } = await compactionTally(compactionSubject, () => new Liar(lies));
    expect(failures.length).toBe(3);
    expect(failures.map(({ what }) => what).join("\n")).toMatch(/C1|C3|C9|CorruptionError/);
  });

  const spoiltTopics: readonly (readonly [what: string, breach: string, spoil: (facts: KeyedTopics) => void])[] = [
    [
      "a key whose newest value was compacted away",
      "lost",
      ({ topics }) => {
        for (const facts of topics.values()) {
          facts.history[facts.acknowledgedEnd - 1] = { offset: facts.acknowledgedEnd - 1, key: "of none", value: "gone" };
        }
      },
    ],
    [
      "a topic that comes back",
      "phantom",
      ({ topics }) => {
        for (const facts of topics.values()) facts.presence = "absent";
      },
    ],
    [
      "records that retention removed, and that are there again",
      "lost",
      ({ topics }) => {
        for (const facts of topics.values()) facts.deletedBefore += 1_000;
      },
    ],
  ];
  it.each(spoiltTopics)("sees %s", async (_what, breach, spoil) => {
    const { failures } = await compactionTally({
      ...compactionSubject,
      survive: async (disk, facts, stages, random) => {
        spoil(facts);
        await compactionSubject.survive(disk, facts, stages, random);
      },
    });
    expect(failures[0]?.breach).toBe(breach);
  });

  it("comes round to every short program", () => {
    const smalls = Array.from({ length: PROGRAM_COUNT }, (_none, number) => JSON.stringify({ ...smallProgram(number), firstRecord: 0 }));
    expect(new Set(smalls).size).toBe(3 * (9 + 9 ** 2 + 9 ** 3));
    const shorts = Array.from({ length: SHORT_COUNT }, (_none, number) => JSON.stringify(shortProgram(number)));
    expect(new Set(shorts).size).toBe(2 * (1 + 10 + 10 ** 2));
  });
});
