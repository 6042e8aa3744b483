/** A day in the life of one partition's log whose storage or core fails: what it does, whatever is refused, and how it is judged in the evening. */
import { UsageError } from "../../../src/base/errors.ts";
import type { Core } from "../../../src/core/core.ts";
import type { LogContext } from "../../../src/log/context/log-context.ts";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import type { CrashStorage } from "../../../src/testing/crash-storage.ts";
import { type FaultyStorage, faultyStorage } from "../../../src/testing/faulty-storage.ts";
import type { ManualClock } from "../../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { compressionOf } from "../../compression/support.ts";
import { type RigOptions, rig } from "../../log/log-rig.ts";
import { type Circumstances, wrongWith } from "./typed.ts";

/** A promise that did not hold; the message names the clause. */
export class Broken extends Error {}

export class LogDay {
  readonly disk: CrashStorage;
  readonly storage: FaultyStorage;
  readonly options: RigOptions;
  readonly core: Core;
  readonly random: SeededRandom;
  readonly circumstances: { -readonly [Name in keyof Circumstances]: Circumstances[Name] } = {};
  /** Ends every fault, of the storage and of the core. */
  readonly mendCore: () => void;
  log: PartitionLog | null = null;
  /** What befalls it from the morning on, and what from each hour on that the workload names. */
  onHour: () => void = () => {};
  /** Whether the last close left everything in order. */
  isInOrder = false;
  refusals = 0;
  #context: LogContext | null = null;
  #clock: ManualClock | null = null;
  #events: readonly { type: string; fields: Record<string, unknown> }[] = [];

  constructor(disk: CrashStorage, options: RigOptions, core: Core, random: SeededRandom, mendCore: () => void = () => {}) {
    this.disk = disk;
    this.storage = faultyStorage(disk);
    this.options = options;
    this.core = core;
    this.random = random;
    this.mendCore = mendCore;
  }

  get clock(): ManualClock {
    return this.#clock as ManualClock;
  }

  /** Does it, and takes a refusal if it is a proper one; null then. */
  async attempt<T>(what: string, work: () => T | Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Broken) throw error;
      this.refused(what, error);
      return null;
    }
  }

  refused(what: string, error: unknown): void {
    this.refusals += 1;
    const wrong = wrongWith(error, this.circumstances);
    if (wrong !== null) throw new Broken(`${what}: ${wrong}`);
  }

  /** Opens the log, again if that was refused; the fault is over by then if it was refused twice. */
  async open(begin = false): Promise<PartitionLog> {
    const open = async (): Promise<PartitionLog> => {
      const made = rig(this.storage, { ...this.options, cleanShutdown: this.isInOrder });
      this.#events = made.events;
      this.#clock = made.clock;
      this.#context = { ...made.context, core: this.core, compression: compressionOf(this.core) };
      return await (begin ? PartitionLog.create(this.#context, made.spec) : PartitionLog.open(this.#context, made.spec));
    };
    for (let tries = 0; tries < 2; tries += 1) {
      if (tries === 1) this.mend();
      const log = await this.attempt("open", open);
      if (log !== null) {
        this.log = log;
        this.isInOrder = false;
        return log;
      }
      this.#expectNoHandles("an open that was refused");
    }
    throw new Broken("the log cannot be opened when the fault has passed");
  }

  /** After a failure of the partition; a refusal leaves it failed. */
  async reviveIfFailed(): Promise<void> {
    const { log } = this;
    if (log !== null && log.failure !== null) await this.attempt("reopen", () => log.reopen());
  }

  async close(clean: boolean): Promise<void> {
    const { log } = this;
    if (log === null) return;
    this.log = null;
    const closed = await this.attempt("close", async () => {
      await log.close(clean);
      return true;
    });
    this.#look();
    this.#expectNoHandles("a close");
    this.isInOrder = clean && closed === true && log.failure instanceof UsageError;
  }

  /** An hour strikes: the faults that there were have passed, and others begin. */
  hour(): void {
    this.mend();
    this.onHour();
  }

  mend(): void {
    this.storage.mend();
    this.mendCore();
  }

  /** The power goes with whatever was not flushed; the next log stands on what is left. */
  afterPowerLoss(): LogDay {
    return this.#next(this.disk.crash(new SeededRandom(1), { survival: "nothing" }));
  }

  /** The process dies: all that it wrote is there. */
  afterDeath(): LogDay {
    return this.#next(this.disk.crash(new SeededRandom(1), { kind: "process" }));
  }

  #next(disk: CrashStorage): LogDay {
    return new LogDay(disk, this.options, this.core, this.random);
  }

  /** Events carry errors, too. */
  #look(): void {
    for (const { type, fields } of this.#events) {
      const error = fields["error"];
      if (error !== undefined) this.refused(`event ${type}`, error);
    }
  }

  #expectNoHandles(after: string): void {
    if (this.storage.openFileCount !== 0)
      throw new Broken(`${after} left ${this.storage.openFileCount} files open: ${this.storage.openFileNames.join(", ")}`);
  }
}
