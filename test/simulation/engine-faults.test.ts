/** One call of the storage refuses, or all from one on: errors are typed, the lock is given back, nothing acknowledged is lost. */
import { describe, expect, it } from "vitest";
import { OdradekError } from "../../src/base/errors.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { type Fault, type FaultyStorage, faultyStorage, type StorageCall } from "../../src/testing/faulty-storage.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type Life, openEngine, produce, SIM_SCALE } from "./engine-rig.ts";
import { Run, type Step } from "./engine-steps.ts";
import { World } from "./engine-world.ts";

const ERRNOS = ["ENOSPC", "EIO", "EMFILE", "EACCES"] as const;
/** Not `lock`: it has nothing to give back. Not `byteLength`, `modifiedAt`, `readAhead`: they do not fail on a file that is open. */
const CALLS: readonly StorageCall[] = [
  "open",
  "list",
  "createDirectory",
  "removeDirectory",
  "replace",
  "remove",
  "syncDirectory",
  "readAt",
  "writeAt",
  "truncate",
  "sync",
  "closeFile",
];

const send = (topic: string, partition: number): Step => ({ kind: "produce", topic, partition, count: 2, length: 90, wait: true });
const commitTo = (durable: boolean): Step => ({ kind: "commit", group: "g", topic: "a", partition: 0, share: 0.99, durable, wait: true });

/** What an engine does in a day: two topics, rolls, commits, a clean close, changes and a deletion. */
const DAY: readonly Step[] = [
  { kind: "create", topic: "a", partitions: 2, os: false },
  { kind: "create", topic: "b", partitions: 1, os: true },
  send("a", 0),
  send("a", 0),
  send("b", 0),
  commitTo(true),
  send("a", 0),
  commitTo(false),
  { kind: "advance", ms: 61_000 },
  { kind: "deleteRecords", topic: "a", partition: 0, share: 0.5 },
  { kind: "reopen" },
  send("a", 0),
  { kind: "alter", topic: "a", retentionBytes: 200_000 },
  { kind: "partitions", topic: "a" },
  { kind: "maintain" },
  send("a", 2),
  { kind: "delete", topic: "b" },
  { kind: "create", topic: "b", partitions: 1, os: false },
  send("b", 0),
  commitTo(true),
];

class Day {
  readonly world: World = new World();
  readonly disk: CrashStorage = crashStorage({ sectorByteLength: 512 });
  readonly storage: FaultyStorage = faultyStorage(this.disk);
  readonly errors: unknown[] = [];
  life: Life | null = null;
  /** Chance differs from open to open: topic ids must not come twice. */
  #opens = 0;

  /** The day, up to its end, whatever is refused. Where opening is refused the fault ends, and the next try must succeed. */
  async live(): Promise<void> {
    let run = await this.#open();
    for (const step of DAY) {
      if (step.kind !== "reopen") {
        await run.step(step);
        continue;
      }
      await run.settled();
      this.errors.push(...run.errors);
      await run.life.engine.close().catch((error: unknown) => this.errors.push(error));
      run = await this.#open();
    }
    await run.settled();
    this.errors.push(...run.errors);
    run.errors.length = 0;
  }

  async #open(): Promise<Run> {
    this.#opens += 1;
    try {
      this.life = await openEngine(this.storage, `engine ${this.#opens}`);
    } catch (error) {
      this.errors.push(error);
      this.storage.mend();
      this.life = await openEngine(this.storage, `engine ${this.#opens}`);
    }
    return new Run(this.world, this.life, () => Promise.reject(new Error("the day reopens by itself")), `ids ${this.#opens}`);
  }

  /** After the fault every partition takes records: at once, or after `reopenPartition`. */
  async thrive(): Promise<void> {
    const life = this.life as Life;
    for (const [topic, facts] of Object.entries(this.world.topics)) {
      // Deleted, as far as this engine knows: whether for good is for the next open to say.
      if (!life.engine.hasTopic(topic)) continue;
      for (const [partition, part] of facts.partitions.entries()) {
        const value = `after-${topic}-${partition}`;
        part.sent.push(value);
        const again = async (): Promise<number> => {
          await life.engine.reopenPartition({ topic, partition });
          return await produce(life, topic, partition, [value]);
        };
        const offset = await produce(life, topic, partition, [value]).catch(again);
        part.history[offset] = value;
        part.promised = offset + 1;
        if (facts.config.durability !== "os") part.durable = part.promised;
      }
    }
  }
}

async function dayWith(fault: Fault | null, errors: unknown[]): Promise<FaultyStorage> {
  const day = new Day();
  if (fault !== null) day.storage.fail(fault);
  await day.live();
  day.storage.mend();
  await day.thrive();
  await day.life?.engine.close().catch((error: unknown) => day.errors.push(error));
  errors.push(...day.errors);
  for (const error of day.errors) if (!(error instanceof OdradekError) && (error as { code?: unknown }).code === undefined) throw error;
  // What was refused may have left anything unflushed: the power goes as well.
  day.world.losePower();
  const last = await openEngine(day.disk.crash(new SeededRandom(1), { survival: "nothing" }));
  await day.world.check(last);
  await last.engine.close();
  return day.storage;
}

describe("an engine whose storage refuses a call", () => {
  it("lives through the day without one, and every step of it does something", async () => {
    const errors: unknown[] = [];
    await dayWith(null, errors);
    expect(errors).toEqual([]);
  });

  it("tells a typed error, gives back the lock, loses nothing acknowledged, and takes records when the fault has passed", async () => {
    const random = new SeededRandom("faults");
    const quiet = await dayWith(null, []);
    let runs = 0;
    let refusals = 0;
    for (const call of CALLS) {
      const count = quiet.count(call);
      for (const errno of ERRNOS) {
        for (const times of [1, Number.POSITIVE_INFINITY]) {
          for (let nth = 1; nth <= count; nth += 1) {
            if (!random.chance(Math.min(1, (8 / count) * SIM_SCALE))) continue;
            const errors: unknown[] = [];
            try {
              await dayWith({ call, nth, times, errno }, errors);
            } catch (error) {
              throw new Error(`${errno} at ${call} number ${nth}, ${times === 1 ? "once" : "for ever"}: ${String(error)}`, {
                cause: error,
              });
            }
            runs += 1;
            if (errors.length > 0) refusals += 1;
          }
        }
      }
    }
    await settled();
    if (SIM_SCALE > 1) console.log(`engine-faults: ${runs} days with a fault, ${refusals} with a refusal told`);
    expect(refusals).toBeGreaterThan(runs / 4);
  }, 3_600_000);
});
