/** A day of a whole engine whose storage fails: topics, rolls, commits, a clean close, changes and a deletion; and the evening after it. */
import { ERROR_CODES } from "../../../src/base/error-codes.ts";
import { OdradekError, StorageError } from "../../../src/base/errors.ts";
import { memory } from "../../../src/storage/memory.ts";
import { type CrashStorage, crashStorage } from "../../../src/testing/crash-storage.ts";
import { type FaultyStorage, faultyStorage } from "../../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { type Life, openEngine, produce } from "../../simulation/engine-rig.ts";
import { Run, type Step } from "../../simulation/engine-steps.ts";
import { World } from "../../simulation/engine-world.ts";
import { Broken } from "./log-day.ts";
import { wrongWith } from "./typed.ts";

const send = (topic: string, partition: number): Step => ({ kind: "produce", topic, partition, count: 2, length: 90, wait: true });
const commitTo = (durable: boolean): Step => ({ kind: "commit", group: "g", topic: "a", partition: 0, share: 0.99, durable, wait: true });

/** "hour": faults pass, and others begin. */
export type DayStep = Step | { readonly kind: "hour" } | { readonly kind: "backup" };

/** Two topics of both durabilities, rolls, commits, a clean close, changes, a backup and a deletion. */
export const ENGINE_DAY: readonly DayStep[] = [
  { kind: "create", topic: "a", partitions: 2, os: false },
  { kind: "create", topic: "b", partitions: 1, os: true },
  send("a", 0),
  send("a", 0),
  send("b", 0),
  { kind: "hour" },
  commitTo(true),
  send("a", 0),
  commitTo(false),
  { kind: "advance", ms: 61_000 },
  { kind: "deleteRecords", topic: "a", partition: 0, share: 0.5 },
  { kind: "reopen" },
  send("a", 0),
  { kind: "hour" },
  { kind: "alter", topic: "a", retentionBytes: 200_000 },
  { kind: "partitions", topic: "a" },
  { kind: "maintain" },
  { kind: "backup" },
  send("a", 2),
  { kind: "hour" },
  { kind: "delete", topic: "b" },
  { kind: "create", topic: "b", partitions: 1, os: false },
  send("b", 0),
  commitTo(true),
];

export class EngineDay {
  readonly world: World = new World();
  readonly disk: CrashStorage = crashStorage({ sectorByteLength: 512 });
  readonly storage: FaultyStorage = faultyStorage(this.disk);
  /** Told in the morning and at every hour, after all faults have passed. */
  readonly #onHour: (hour: number) => void;
  #life: Life | null = null;
  #hour = 0;
  /** Chance differs from open to open: topic ids must not come twice. */
  #opens = 0;
  refusals = 0;

  constructor(onHour: (day: EngineDay, hour: number) => void) {
    this.#onHour = (hour) => onHour(this, hour);
  }

  /** The day and its evening, whatever is refused. Rejects with what was not kept. */
  async live(): Promise<void> {
    this.#onHour(0);
    let run = await this.#open();
    for (const step of ENGINE_DAY) {
      if (step.kind === "hour") this.#strike();
      else if (step.kind === "backup") await this.#attempt("backup", () => run.life.engine.backup(memory()));
      else if (step.kind === "reopen") {
        await this.#settle(run);
        await this.#close();
        run = await this.#open();
      } else await run.step(step);
    }
    await this.#settle(run);
    this.storage.mend();
    await this.#thrive();
    await this.#close();
    // What was refused may have left anything unflushed: the power goes as well.
    this.world.losePower();
    const last = await openEngine(this.disk.crash(new SeededRandom(1), { survival: "nothing" }));
    await this.world.check(last);
    await last.engine.close();
  }

  #strike(): void {
    this.storage.mend();
    this.#hour += 1;
    this.#onHour(this.#hour);
  }

  async #settle(run: Run): Promise<void> {
    await run.settled();
    for (const error of run.errors.splice(0)) this.#refused("a step", error);
  }

  async #attempt(what: string, work: () => Promise<unknown>): Promise<void> {
    await work().catch((error: unknown) => this.#refused(what, error));
  }

  #refused(what: string, error: unknown): void {
    this.refusals += 1;
    const wrong = wrongWith(ours(error), { topics: true });
    if (wrong !== null) throw new Broken(`${what}: ${wrong}`);
  }

  async #close(): Promise<void> {
    await this.#attempt("close", () => (this.#life as Life).engine.close());
    this.#expectNothingHeld("a close");
  }

  #expectNothingHeld(after: string): void {
    const { openFileCount, openFileNames, heldLockCount } = this.storage;
    if (openFileCount > 0) throw new Broken(`${after} left ${openFileCount} files open: ${openFileNames.join(", ")}`);
    if (heldLockCount > 0) throw new Broken(`${after} left the lock held`);
  }

  /** Where that is refused the fault ends, and the next try must succeed: the lock was given back. */
  async #open(): Promise<Run> {
    this.#opens += 1;
    try {
      this.#life = await openEngine(this.storage, `engine ${this.#opens}`);
    } catch (error) {
      this.#refused("open", error);
      this.#expectNothingHeld("an open that was refused");
      this.storage.mend();
      this.#life = await openEngine(this.storage, `engine ${this.#opens}`);
    }
    return new Run(this.world, this.#life, () => Promise.reject(new Error("the day reopens by itself")), `ids ${this.#opens}`);
  }

  /** After the fault every partition takes records: at once, or after `reopenPartition`. */
  async #thrive(): Promise<void> {
    const life = this.#life as Life;
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

/** What a broker's answer says of a fault, with our code but no class, is as good. */
function ours(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (error instanceof OdradekError || typeof code !== "string" || !(code in ERROR_CODES)) return error;
  return new StorageError(code as keyof typeof ERROR_CODES, String(error));
}
