/**
 * Crashes of one disk and of what they leave: each image is opened, held against the oracle, used, and some lose their power again: while
 * they are opened, when all that was found has been served and nothing more was flushed, or in use.
 */
import type { CrashStorage } from "../../../src/testing/crash-storage.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Account } from "./account.ts";

/** What whoever opens a disk tells of how far it has come. */
export interface Stages {
  /** The opening is over. */
  opened(): void;
  /** All that is there was read, and `facts` says so; nothing was asked for since that would be flushed. */
  served(): void;
}

/** How a kind of disk is opened and judged. `Facts` is what was promised, as plain data. */
export interface Subject<Facts> {
  readonly kind: string;
  /** The promises as they stand, for one of several futures. */
  clone(facts: Facts): Facts;
  /** Changes whenever `facts` promises something else. The same disk is not looked at twice for the same promises. */
  version(facts: Facts): number;
  /**
   * Opens the disk, says so, holds what is there against `facts`, says so, and uses it: that must work. Rejects with what is wrong.
   * `facts` says at every call of the storage what is promised then.
   */
  survive(disk: CrashStorage, facts: Facts, stages: Stages, random: SeededRandom): Promise<void>;
  /** The power went: what did not outlive that is no longer promised. */
  losePower?(facts: Facts): void;
  /** Opens the disk to read alone, holds what is shown against `facts`, and closes. Rejects with what is wrong. */
  glance?(disk: CrashStorage, facts: Facts): Promise<void>;
}

/** A disk that a crash left, what was promised then, and how it came to be. */
export interface Crashed<Facts> {
  readonly disk: CrashStorage;
  readonly facts: Facts;
  readonly where: string;
  /** "process": what was not flushed is there, and a later loss of power may still take it. */
  readonly kind: "process" | "power";
}

/** How often a disk loses its power again while it is opened, and how often in a row at most; and after that, in use. */
const AGAIN_CHANCE = 0.4;
const AGAIN_MAX = 3;
const LATER_CHANCE = 0.1;
const TORN_CHANCE = 0.2;
/** How often somebody opens a disk to read alone before it is recovered. */
const GLANCE_CHANCE = 0.08;
const PROCESS_CHANCE = 0.2;
/**
 * How often the power goes when everything was served, with all that was not flushed until then: after the death of a process, whose
 * records still stand in the cache alone when the next one reads them; and after a loss of power.
 */
const SERVED_CHANCE = { process: 0.5, power: 0.06 };

export class CrashTree<Facts> {
  readonly #subject: Subject<Facts>;
  readonly #account: Account;
  readonly #random: SeededRandom;
  /** For which promises a disk was looked at last. */
  readonly #seen = new Map<number, number>();

  constructor(subject: Subject<Facts>, account: Account, random: SeededRandom) {
    this.#subject = subject;
    this.#account = account;
    this.#random = random;
  }

  /** What a crash at this moment leaves, by chance; the disk goes on. */
  crash(disk: CrashStorage, facts: Facts, where: string): Crashed<Facts> {
    const random = this.#random;
    // On a file system that has shut down no process begins before the machine does.
    const kind = random.chance(PROCESS_CHANCE) && !disk.isShutDown ? "process" : "power";
    return this.crashedInto(
      disk.afterCrash(random, { kind, tornSectors: random.chance(TORN_CHANCE) }),
      facts,
      `${where}, ${kind} lost`,
      kind,
    );
  }

  crashedInto(image: CrashStorage, facts: Facts, where: string, kind: "process" | "power" = "power"): Crashed<Facts> {
    const left = this.#subject.clone(facts);
    if (kind === "power") this.#subject.losePower?.(left);
    return { disk: image, facts: left, where, kind };
  }

  /** Looks at each, and at those that come of them. */
  async explore(crashes: readonly Crashed<Facts>[]): Promise<void> {
    for (const crashed of crashes) await this.#look(crashed, 0);
  }

  /** Who reads alone changes nothing, and is shown no less than was promised. */
  async #glance(disk: CrashStorage, facts: Facts, where: string): Promise<void> {
    const changes: string[] = [];
    disk.watch((call, name) => void changes.push(`${call} ${name}`));
    try {
      await this.#subject.glance?.(disk, this.#subject.clone(facts));
      if (changes.length > 0) throw new Error(`C10: opened to be read alone, it was changed: ${changes.join(", ")}`);
    } catch (error) {
      this.#account.fail(this.#subject.kind, `${where}; opened to be read alone`, error);
    }
    disk.watch(null);
  }

  async #look({ disk, facts, where, kind }: Crashed<Facts>, depth: number): Promise<void> {
    if (this.#account.isFull) return;
    const subject = this.#subject;
    const random = this.#random;
    const fingerprint = disk.fingerprint();
    const version = subject.version(facts);
    // What is read there is the same; what a loss of power may yet take is not.
    const seen = kind === "process" ? -1 - fingerprint : fingerprint;
    if (this.#seen.get(seen) === version) return;
    this.#seen.set(seen, version);
    if (subject.glance !== undefined && random.chance(GLANCE_CHANCE)) await this.#glance(disk, facts, where);
    const before = subject.clone(facts);
    // One of the calls of the opening by chance, each as likely, though nobody knows yet how many there are; then one of the use.
    let isOpen = false;
    type Next = Crashed<Facts> | null;
    let [again, afterServing, later]: [Next, Next, Next] = [null, null, null];
    let [callCount, useCount] = [0, 0];
    const [wantsAgain, wantsLater] = [depth < AGAIN_MAX && random.chance(AGAIN_CHANCE), random.chance(LATER_CHANCE)];
    const wantsServed = random.chance(SERVED_CHANCE[kind]);
    if (wantsAgain || wantsLater) {
      disk.watch((call, name) => {
        if (!isOpen) {
          callCount += 1;
          if (wantsAgain && random.chance(1 / callCount))
            again = this.crash(disk, before, `${where}; opened, at call ${callCount} (${call} ${name})`);
          return;
        }
        useCount += 1;
        if (wantsLater && random.chance(1 / useCount))
          later = this.crash(disk, facts, `${where}; used, at call ${useCount} (${call} ${name})`);
      });
    }
    try {
      const stages: Stages = {
        opened: () => {
          isOpen = true;
        },
        served: () => {
          if (!wantsServed) return;
          const left = disk.afterCrash(random, { survival: "nothing" });
          afterServing = this.crashedInto(left, facts, `${where}; opened and served, power lost with all that was not flushed`);
        },
      };
      await subject.survive(disk, facts, stages, random);
    } catch (error) {
      this.#account.fail(subject.kind, where, error);
    }
    disk.watch(null);
    disk.halt();
    this.#account.note(subject.kind, fingerprint, again !== null);
    if (again !== null) await this.#look(again, depth + 1);
    if (afterServing !== null) await this.#look(afterServing, AGAIN_MAX);
    if (later !== null) await this.#look(later, AGAIN_MAX);
  }
}
