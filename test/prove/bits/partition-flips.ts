/** Bits flipped in one partition that the log itself wrote, one at a time, and everything of it read after each. */
import { OdradekError } from "../../../src/base/errors.ts";
import { SEAL_BLOCK_BYTE_LENGTH } from "../../../src/log/files/block-checksums.ts";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { type Rig, type RigOptions, rig, send } from "../../log/log-rig.ts";
import type { Failure } from "../prover.ts";
import { ImageStorage } from "./disk-image.ts";
import type { MadePartition } from "./made-partition.ts";
import {
  assertDerived,
  assertDerivedOrTold,
  Broken,
  type PartitionTruth,
  READING_WAYS,
  type ReadingWay,
  type TrueBatch,
  truthOf,
  unreadable,
} from "./partition-truth.ts";

/** How the flipped directory is opened. "changing": opened to be written, perhaps appended to, closed in order, and opened once more. */
export interface OpeningWay {
  readonly cleanShutdown: boolean;
  readonly isChanging: boolean;
}

export interface FlipsResult {
  flips: number;
  failures: Failure[];
}

export interface Flip {
  readonly file: string;
  readonly bit: number;
}

/** Failures of one directory are as a rule one failure many times over. */
const FAILURES_MAX = 5;

export class PartitionFlips {
  readonly #made: MadePartition;
  readonly #way: OpeningWay;
  readonly #storage: ImageStorage;
  readonly #rig: Rig;
  readonly #isWalked: boolean;
  readonly #all: ReadonlySet<number>;
  readonly truth: PartitionTruth;
  #turn = 0;

  private constructor(made: MadePartition, way: OpeningWay, storage: ImageStorage, truth: PartitionTruth) {
    this.#made = made;
    this.#way = way;
    this.#storage = storage;
    this.truth = truth;
    this.#rig = rig(storage, optionsOf(made, way));
    this.#isWalked = made.isKilled || !way.cleanShutdown;
    this.#all = new Set(truth.batches.keys());
  }

  static async begin(made: MadePartition, way: OpeningWay): Promise<PartitionFlips> {
    const storage = new ImageStorage(made.image);
    const log = await openAs(rig(storage, { ...optionsOf(made, way), readOnly: true }));
    const truth = await truthOf(log, made.image);
    await log.close(false);
    assertSent(made, truth);
    return new PartitionFlips(made, way, storage, truth);
  }

  /** Every bit of the directory, those of the log first, then what our own books say; a state's pages are mostly empty, and one bit of 61 is taken. */
  targets(): Flip[] {
    const targets: Flip[] = [];
    for (const [file, bytes] of [...this.#made.image].sort(([left], [right]) => (rank(left) < rank(right) ? -1 : 1))) {
      const isState = file.endsWith("/odradek.state");
      for (let at = 0; at < bytes.length; at += 1)
        for (let bit = 0; bit < 8; bit += 1)
          if (!isState || bytes[at] !== 0 || (at * 8 + bit) % 61 === 0) targets.push({ file, bit: at * 8 + bit });
    }
    return targets;
  }

  async run(targets: Iterable<Flip>, random: SeededRandom): Promise<FlipsResult> {
    const result: FlipsResult = { flips: 0, failures: [] };
    const { stackTraceLimit } = Error;
    // A trace costs more than the opening that it is the trace of.
    Error.stackTraceLimit = 0;
    try {
      for (const flip of targets) {
        const way = random.pick(READING_WAYS);
        const appends = this.#way.isChanging && random.chance(0.3);
        await this.#try(flip, way, appends, result);
        result.flips += 1;
        if (result.failures.length >= FAILURES_MAX) break;
      }
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
    return result;
  }

  async #try(flip: Flip, reading: ReadingWay, appends: boolean, result: FlipsResult): Promise<void> {
    const what = `bit ${flip.bit & 7} of byte ${flip.bit >>> 3} of ${flip.file} flipped in a partition (${this.#made.shape}) opened ${this.#way.isChanging ? "to be written" : "to be read"}, ${this.#way.cleanShutdown ? "with" : "without"} the marker of a clean shutdown, read ${reading}`;
    this.#storage.flip(flip.file, flip.bit);
    try {
      await this.#look(flip, reading, appends, what);
    } catch (error) {
      const failure =
        error instanceof Broken
          ? { breach: error.breach, what: error.message }
          : { breach: "other" as const, what: `${what}: ${String(error)}` };
      result.failures.push(failure);
    }
    this.#storage.reset();
  }

  async #look(flip: Flip, reading: ReadingWay, appends: boolean, what: string): Promise<void> {
    const { truth } = this;
    const allowed = this.#neighbourhood(flip);
    const log = await openAs(this.#rig);
    try {
      // A change that is closed unread is the harder case: what the close makes of the flip is read below.
      const isHidden = this.#isBelowLogStart(flip);
      if (!this.#way.isChanging || !appends) await this.#read(log, truth, allowed, isHidden, reading, what, !this.#way.isChanging);
      if (!this.#way.isChanging) {
        await log.close(false);
        if (this.#storage.wasWritten) throw new Broken("other", `${what}: opened to be read, and something was written`);
        return;
      }
      const after = appends ? await this.#append(log, what) : truth;
      await log.close(true);
      const reopened = await openAs(rig(this.#storage, { ...this.#made.options, readOnly: true, cleanShutdown: true }));
      await this.#read(
        reopened,
        after,
        allowed,
        isHidden,
        reading,
        `${what}, closed in order${appends ? " after an append" : ""} and opened to be read`,
        true,
      );
      await reopened.close(false);
    } catch (error) {
      await log.close(false).catch(() => {});
      throw error;
    }
  }

  async #read(
    log: PartitionLog,
    truth: PartitionTruth,
    allowed: ReadonlySet<number>,
    isHidden: boolean,
    reading: ReadingWay,
    what: string,
    isReadOnly: boolean,
  ): Promise<void> {
    const refused = await unreadable(log, truth, reading, what);
    const outside = refused.filter((index) => !allowed.has(index));
    if (outside.length > 0) {
      const batches = outside.map((index) => (truth.batches[index] as TrueBatch).baseOffset).join(", ");
      throw new Broken("other", `${what}: expected neighbours to be readable, found the batches at ${batches} refused`);
    }
    // One time for a flip: all of them in turn, over neighbouring bits.
    this.#turn += 1;
    const times = truth.times.length === 0 ? [] : [truth.times[this.#turn % truth.times.length] as (typeof truth.times)[number]];
    if (refused.length > 0 || isHidden) await assertDerivedOrTold(log, truth, times, refused, what);
    else await assertDerived(log, truth, times, what, isReadOnly);
  }

  /** One more batch, or a refusal; answers what there is now. */
  async #append(log: PartitionLog, what: string): Promise<PartitionTruth> {
    try {
      const { baseOffset } = await send(log, "after");
      if (baseOffset === this.truth.logEndOffset) return await withTail(log, this.truth);
      throw new Broken("undetectedFlip", `${what}: expected an append at offset ${this.truth.logEndOffset}, found it at ${baseOffset}`);
    } catch (error) {
      if (error instanceof OdradekError) return this.truth;
      throw error;
    }
  }

  /**
   * A batch that was deleted and stands there still. Nobody reads it; but after an unclean end it may have been all that told when a
   * transaction began, or ended: that of the records above it none is shown too early is held against it all the same.
   */
  #isBelowLogStart({ file, bit }: Flip): boolean {
    if (!this.#isWalked || !file.endsWith(".log")) return false;
    const at = bit >>> 3;
    return !this.truth.batches.some((batch) => batch.file === file && batch.position <= at && at < batch.position + batch.byteLength);
  }

  /**
   * What may be refused: nothing, unless the flip is in a log. Then it is the batch that holds it; in a segment that may have gaps, where only the seal tells
   * what must stand there, the batches that touch its block of 64 KiB.
   */
  #neighbourhood({ file, bit }: Flip): ReadonlySet<number> {
    const at = bit >>> 3;
    // Kafka's text has no checksum. After an unclean end nothing else says which epoch a batch must carry; refused they are, never altered.
    if (file.endsWith("/leader-epoch-checkpoint") && this.#isWalked) return this.#all;
    if (!file.endsWith(".log")) return NONE;
    const hasGaps = this.#made.options.config?.cleanupPolicy === "compact";
    const block = at - (at % SEAL_BLOCK_BYTE_LENGTH);
    const [from, to] = hasGaps ? [block, block + SEAL_BLOCK_BYTE_LENGTH] : [at, at + 1];
    const near = new Set<number>();
    for (const [index, batch] of this.truth.batches.entries())
      if (batch.file === file && batch.position < to && from < batch.position + batch.byteLength) near.add(index);
    return near;
  }
}

const NONE: ReadonlySet<number> = new Set();

function optionsOf(made: MadePartition, way: OpeningWay): RigOptions {
  return { ...made.options, cleanShutdown: way.cleanShutdown, readOnly: !way.isChanging };
}

async function openAs({ context, spec }: Rig): Promise<PartitionLog> {
  return await PartitionLog.open(context, spec);
}

function rank(file: string): string {
  const kinds = [/\.log$/, /\.seal$/, /\.(index|timeindex|txnindex|snapshot)$/, /epoch/, /\.state$/];
  return `${kinds.findIndex((kind) => kind.test(file))} ${file}`;
}

/** The truth is what was sent: offsets one after another, and every byte that the log does not stamp. */
function assertSent({ sent, durableEnd, shape }: MadePartition, { batches, bytes, starts, logEndOffset }: PartitionTruth): void {
  if (logEndOffset !== durableEnd)
    throw new Broken("lost", `${shape}: expected the untouched log to end at ${durableEnd}, found ${logEndOffset}`);
  if (sent === null) return;
  const tail = sent.slice(sent.length - batches.length);
  for (const [index, { baseOffset }] of batches.entries()) {
    const batch = tail[index] as Uint8Array;
    const found = bytes.subarray(starts[index], starts[index + 1]);
    if (found.length !== batch.length || found.compare(batch, 16, batch.length, 16) !== 0)
      throw new Broken("lost", `${shape}: the batch at ${baseOffset} of the untouched log is not the one that was sent`);
  }
}

/** As `truth`, with the batch that was appended behind it. */
async function withTail(log: PartitionLog, truth: PartitionTruth): Promise<PartitionTruth> {
  const bytes = await log.read(truth.logEndOffset, 1);
  const place = {
    file: "",
    position: 0,
    byteLength: bytes.length,
    baseOffset: truth.logEndOffset,
    lastOffset: truth.logEndOffset,
    isOpen: false,
  };
  const logEndOffset = truth.logEndOffset + 1;
  const isHeld = truth.lastStableOffset < truth.logEndOffset;
  const times = truth.times.slice(0, 0);
  return {
    ...truth,
    batches: [...truth.batches, place],
    bytes: Buffer.concat([truth.bytes, bytes]),
    starts: [...truth.starts, truth.bytes.length + bytes.length],
    logEndOffset,
    lastStableOffset: isHeld ? truth.lastStableOffset : logEndOffset,
    times,
  };
}
