/** The log of a topic without keys: lives of it by chance, with crashes at their calls, and how what is left is opened and used. */
import { OdradekError, StorageError } from "../../../src/base/errors.ts";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import { type CrashStorage, type CrashStorageOptions, crashStorage, type SyncFailure } from "../../../src/testing/crash-storage.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { NOW_MS } from "../../log/log-rig.ts";
import type { Crashed, CrashTree, Subject } from "./crash-tree.ts";
import { latencyOf } from "./disk-latency.ts";
import { roomOf } from "./disk-room.ts";
import { bedOf, glanceAt, type LogSettings } from "./log-bed.ts";
import { PlainFacts } from "./plain-facts.ts";

/** Less than a segment holds. */
const UNFLUSHED_BYTES = 500;
const RETENTION_MS = 1000;
/** How often all is read again when records have been added; else these alone are. */
const AGAIN_WHOLE_CHANCE = 0.25;

export const plainSettings = (
  preallocate: boolean,
  recoveryPointIntervalBytes: number,
  durability: "sync" | "os" = "sync",
  maxUnflushedBytes: number = UNFLUSHED_BYTES,
): LogSettings => ({
  config: { segmentBytes: 600, indexIntervalBytes: 100, maxMessageBytes: 400, retentionMs: RETENTION_MS, preallocate, durability },
  maxUnflushedBytes,
  recoveryPointIntervalBytes,
});

export type PlainStep =
  | { readonly kind: "append"; readonly recordCount: number; readonly valueLength: number; readonly wait: boolean }
  | { readonly kind: "delete"; readonly share: number }
  | { readonly kind: "retain"; readonly agedMs: number }
  | { readonly kind: "seal" }
  | { readonly kind: "failSync"; readonly failure: SyncFailure; readonly files: RegExp }
  | { readonly kind: "reopen"; readonly clean: boolean };

export function plainSubject(kind: string, settings: LogSettings): Subject<PlainFacts> {
  return {
    kind,
    clone: (facts) => facts.clone(),
    version: (facts) => facts.version(),
    losePower: (facts) => facts.losePower(),
    async glance(disk, facts) {
      // What a flush that lied has cost is looked at by whoever may mend it.
      if (facts.lied || facts.disturbed) return;
      await glanceAt(disk, settings, new ManualClock(NOW_MS), (log) => facts.check(log));
    },
    async survive(disk, facts, stages, random) {
      const clock = new ManualClock(NOW_MS);
      const { context, spec, alarms } = bedOf(disk, settings, clock);
      const log = await PartitionLog.open(context, spec).catch((error: unknown) => {
        if (facts.lied && error instanceof OdradekError) return null;
        throw new Error(`C9: a crash was taken for damage: ${String(error)}`);
      });
      stages.opened();
      if (log === null) return;
      await facts.check(log);
      if (facts.lied) {
        // What was lost with a lie may be in the way of more: then that is said.
        await facts.append(log, 1, 20, clock.now()).catch((error: unknown) => {
          if (!(error instanceof OdradekError)) throw error;
        });
        return;
      }
      if (alarms.length > 0 && !facts.disturbed) throw new Error(`C9: after a crash alone: ${alarms.join("; ")}`);
      stages.served();
      // It lives: takes records, gives them back, and now and then closes in order.
      const [one, other] = [random.integer(0, 3), random.integer(4, 90)];
      const sent = [facts.append(log, 1 + one, other, clock.now())];
      if (one === 0) sent.push(facts.append(log, 1, other, clock.now()));
      const before = log.watermarks.highWatermark;
      await Promise.all(sent);
      await facts.check(log, random.chance(AGAIN_WHOLE_CHANCE) ? 0 : before);
      if (!random.chance(0.1)) return;
      await log.close(true);
      const next = bedOf(disk, settings, clock, { cleanShutdown: true });
      const again = await PartitionLog.open(next.context, next.spec);
      await facts.check(again);
    },
  };
}

/** One life of a log, its steps told to `facts` as they are done; the disk is watched by whoever wants it crashed. */
export class PlainLife {
  readonly facts: PlainFacts = new PlainFacts();
  readonly #disk: CrashStorage;
  readonly #settings: LogSettings;
  readonly #clock: ManualClock = new ManualClock(NOW_MS);
  #log: PartitionLog | null = null;
  #waiting: Promise<unknown>[] = [];
  /** What an append was refused with though no flush had failed. */
  #unexpected: { readonly error: unknown } | null = null;

  constructor(disk: CrashStorage, settings: LogSettings) {
    this.#disk = disk;
    this.#settings = settings;
  }

  async begin(): Promise<void> {
    const { context, spec } = bedOf(this.#disk, this.#settings, this.#clock);
    this.#log = await PartitionLog.create(context, spec);
  }

  /** False: the storage refuses everything from here on. */
  async step(step: PlainStep): Promise<boolean> {
    try {
      await this.#take(step);
      this.#throwUnexpected();
      return true;
    } catch (error) {
      if (error instanceof StorageError && this.facts.disturbed) return false;
      throw error;
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#waiting.splice(0));
    this.#throwUnexpected();
  }

  #throwUnexpected(): void {
    if (this.#unexpected !== null) throw this.#unexpected.error;
  }

  async #take(step: PlainStep): Promise<void> {
    const { facts } = this;
    const log = this.#log as PartitionLog;
    if (step.kind === "append") {
      const sent = facts.append(log, step.recordCount, step.valueLength, this.#clock.now());
      // What fails with the flush under it promises nothing; where none was made to fail, nothing does.
      const noted = sent.catch((error: unknown) => {
        if (!(error instanceof StorageError && facts.disturbed)) this.#unexpected ??= { error };
      });
      this.#waiting.push(noted);
      if (step.wait) await noted;
      if (log.failure !== null) await this.#recover(log);
    } else if (step.kind === "delete") {
      const { logStartOffset, highWatermark } = log.watermarks;
      const target = logStartOffset + Math.floor((highWatermark - logStartOffset) * step.share);
      facts.deletionAsked = Math.max(facts.deletionAsked, target);
      facts.deletedBefore = Math.max(facts.deletedBefore, await log.deleteRecordsBefore(target));
    } else if (step.kind === "retain") {
      this.#clock.jump(step.agedMs);
      // The high watermark may rise to there before it is decided what goes.
      facts.deletionAsked = Math.max(facts.deletionAsked, log.watermarks.logEndOffset);
      await log.applyRetention();
      facts.deletedBefore = log.watermarks.logStartOffset;
    } else if (step.kind === "seal") {
      await log.sealUnsealed();
    } else if (step.kind === "failSync") {
      facts.disturbed = true;
      if (step.failure === "ext4-late") facts.mayLie();
      // What an "os" topic acknowledged may stand in the cache alone, and this file system takes it from there: no promise covers that.
      const isTaken = step.failure === "btrfs" && this.#settings.config.durability === "os";
      this.#disk.failSyncs(step.files, isTaken ? "ext4" : step.failure);
    } else {
      await this.settled();
      await log.close(step.clean);
      const isClean = step.clean && log.failure === null;
      const { context, spec } = bedOf(this.#disk, this.#settings, this.#clock, { cleanShutdown: isClean });
      this.#log = await PartitionLog.open(context, spec);
      await facts.check(this.#log);
    }
    facts.look(this.#log as PartitionLog, this.#settings.config.durability === "os");
  }

  /** A flush failed: recovery decides what there is, and readers lose nothing that they saw. */
  async #recover(log: PartitionLog): Promise<void> {
    await this.settled();
    await log.reopen();
    await this.facts.check(log);
  }
}

/** Crashes of one life by chance: about `perCall` images of each moment before a call. */
export async function plainLife(
  tree: CrashTree<PlainFacts>,
  random: SeededRandom,
  settings: LogSettings,
  perCall: number,
  newDisk: (options: CrashStorageOptions) => CrashStorage = crashStorage,
): Promise<Crashed<PlainFacts>[]> {
  const disk = newDisk({
    sectorByteLength: random.pick([32, 64, 128]),
    ...latencyOf(random),
    ...roomOf(random),
  });
  const life = new PlainLife(disk, settings);
  // Records of no other trial, so that its disks are others too.
  life.facts.sentCount = random.integer(0, 1_000_000_000);
  await life.begin();
  const crashes: Crashed<PlainFacts>[] = [];
  const steps: PlainStep[] = [];
  let step = 0;
  disk.watch((call, name) => {
    for (let left = perCall; left > 0; left -= 1)
      if (random.chance(Math.min(1, left))) crashes.push(tree.crash(disk, life.facts, `${told(steps)}, before ${call} ${name}`));
  });
  for (const end = random.integer(4, 16); step < end; step += 1) {
    const next = randomPlainStep(random);
    steps.push(next);
    if (!(await life.step(next))) break;
  }
  await life.settled();
  crashes.push(tree.crash(disk, life.facts, "at the end"));
  disk.watch(null);
  disk.halt();
  return crashes;
}

function randomPlainStep(random: SeededRandom): PlainStep {
  const roll = random.integer(0, 20);
  if (roll < 14) return { kind: "append", recordCount: random.integer(1, 5), valueLength: random.integer(4, 70), wait: random.chance(0.5) };
  if (roll === 14) return { kind: "delete", share: random.next() };
  if (roll === 15) return { kind: "retain", agedMs: random.pick([0, RETENTION_MS / 2, RETENTION_MS * 2]) };
  if (roll === 16) return { kind: "seal" };
  if (roll < 19) return { kind: "reopen", clean: random.chance(0.5) };
  const failure = random.pick(["ext4", "ext4", "btrfs", "btrfs", "xfs", "xfs", "ext4-late"] as const);
  return { kind: "failSync", failure, files: random.pick([/\.log$/, /./, /\/$/, /odradek\.state$/]) };
}

/** As short as it can be said again. */
function told(steps: readonly PlainStep[]): string {
  const each = (step: PlainStep): string =>
    Object.values(step)
      .map((value) => (typeof value === "number" ? `${Math.round(value * 100) / 100}` : `${value}`))
      .join(" ");
  return `[${steps.map(each).join(", ")}]`;
}
