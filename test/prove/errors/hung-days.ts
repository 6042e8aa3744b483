/**
 * Days on which the disk hangs: a flush, or another call, does not return. Whoever appends waits, or is refused by a typed error; nothing is
 * acknowledged that is not durable, nothing piles up without bound, and what is durable is read as ever. When the disk goes on, or fails, or
 * the power goes, everything ends: each append, and a close that was asked for meanwhile.
 */
import { OdradekError } from "../../../src/base/errors.ts";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import { ManualClock, settled } from "../../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { batchOf, NOW_MS, type ReadRecord, readAll } from "../../log/log-rig.ts";
import { bedOf, type LogSettings } from "../crash/log-bed.ts";
import { failureOf } from "../failure.ts";
import type { Failure, Tally, Trial } from "../prover.ts";
import { Account } from "./account.ts";
import { type HangingCall, HangingDisk } from "./hanging-disk.ts";
import { Broken } from "./log-day.ts";
import { wrongWith } from "./typed.ts";

/** Nothing on a simulated disk takes more turns of the loop. */
const TURNS_MAX = 400;
/** After so many, what has not come waits for the disk. */
const TURNS_IDLE = 20;
const RETENTION_MS = 1000;
const UNFLUSHED_BYTES = 400;
const BATCH_BYTES_MAX = 350;
const CALLS: readonly HangingCall[] = ["sync", "sync", "sync", "sync", "syncDirectory", "open", "entry"];
const ENDS = ["goes on", "goes on", "fails", "the process dies", "the power goes"] as const;

class HungDay {
  readonly #random: SeededRandom;
  readonly #call: HangingCall;
  readonly #disk: HangingDisk;
  readonly #settings: LogSettings;
  readonly #account: Account = new Account();
  readonly #clock: ManualClock = new ManualClock(NOW_MS);
  readonly #waiting: Promise<void>[] = [];
  #log!: PartitionLog;
  /** Where each written batch ends, in offsets and in bytes; what was acknowledged of it goes. */
  #unacknowledged: { readonly end: number; readonly byteLength: number }[] = [];
  #broken: Broken | null = null;
  readonly said: string[] = [];
  hung = false;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#call = random.pick(CALLS);
    this.#disk = new HangingDisk({ sectorByteLength: 128 });
    const durability = random.chance(0.25) ? "os" : "sync";
    this.#settings = {
      config: {
        segmentBytes: 500,
        indexIntervalBytes: 100,
        maxMessageBytes: BATCH_BYTES_MAX,
        retentionMs: RETENTION_MS,
        cleanupPolicy: random.chance(0.25) ? "compact,delete" : "delete",
        durability,
      },
      maxUnflushedBytes: UNFLUSHED_BYTES,
      recoveryPointIntervalBytes: random.pick([200, 1 << 20]),
    };
    this.said.push(durability);
  }

  async live(): Promise<void> {
    const random = this.#random;
    const bed = bedOf(this.#disk.storage, this.#settings, this.#clock);
    this.#log = await this.#soon("the opening", PartitionLog.create(bed.context, bed.spec));
    for (let count = random.integer(1, 6); count > 0; count -= 1) await this.#soon("an append", this.#append());
    const nth = random.integer(1, 4);
    this.said.push(`${this.#call} ${nth} hangs`);
    this.#disk.arm(this.#call, nth);
    for (let count = random.integer(4, 14); count > 0; count -= 1) await this.#step();
    this.hung = this.#disk.hangs;
    const closing = random.chance(0.4) ? this.#close() : null;
    await idle();
    if (closing === null) await this.#look();
    const end = random.pick(ENDS);
    this.said.push(end);
    if (end === "the process dies" || end === "the power goes") return await this.#outlives(end);
    const isHung = this.#disk.hangs;
    this.#disk.letGo(end === "fails" ? random.pick(["EIO", "ENOSPC"]) : null);
    await this.#soon("what was begun while the disk hung", Promise.all(this.#waiting));
    this.#throwBroken();
    if (closing !== null) await this.#soon("a close that was asked for while the disk hung", closing);
    else await this.#thrive(isHung && end === "fails");
    await this.#outlives("the process dies");
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const log = this.#log;
    const kind = random.pick(["append", "append", "append", "append", "delete", "retain", "seal", "flush", "look"] as const);
    this.said.push(kind);
    if (kind === "append") this.#waiting.push(this.#append());
    if (kind === "delete") {
      const { logStartOffset, highWatermark } = log.watermarks;
      const before = random.integer(logStartOffset, highWatermark + 1);
      this.#account.deletionAsked = Math.max(this.#account.deletionAsked, before);
      this.#begin("deleteRecordsBefore", async () => {
        this.#account.deletedBefore = Math.max(this.#account.deletedBefore, await log.deleteRecordsBefore(before));
      });
    }
    if (kind === "retain") {
      if (random.chance(0.3)) this.#clock.jump(2 * RETENTION_MS);
      // Whatever is behind the high watermark by then may go.
      this.#account.deletionAsked = Number.MAX_SAFE_INTEGER;
      this.#begin("applyRetention", () => log.applyRetention());
    }
    if (kind === "seal") this.#begin("sealUnsealed", () => log.sealUnsealed());
    if (kind === "flush") this.#begin("flush", () => log.flush());
    if (random.chance(0.5)) await idle();
    if (kind === "look") await this.#look();
    this.#throwBroken();
  }

  /** Noted as it is answered, whenever that is. */
  async #append(): Promise<void> {
    const random = this.#random;
    const log = this.#log;
    const count = random.integer(1, 4);
    const values = this.#account.fresh(count, random.integer(5, 60));
    const batch = batchOf(values.map((value) => ({ value, timestamp: this.#clock.now() })));
    const reason = new Error("nobody wants it any more");
    const impatience = random.chance(0.2) ? new AbortController() : null;
    try {
      const appending = log.append(batch, { recordCount: count, maxTimestamp: this.#clock.now() }, impatience?.signal);
      if (impatience !== null) {
        await idle();
        impatience.abort(reason);
      }
      const { baseOffset, lastOffset, byteLength } = await appending;
      const written = { end: lastOffset + 1, byteLength };
      this.#unacknowledged.push(written);
      const reached = await log.flushed(lastOffset + 1);
      this.#unacknowledged = this.#unacknowledged.filter((each) => each !== written);
      const wrong = this.#account.acknowledge(baseOffset, values, reached === "power");
      if (wrong !== null) throw new Broken(wrong);
    } catch (error) {
      if (error === reason) for (const value of values) this.#account.refused.add(value);
      else if (error instanceof OdradekError && error.retriable) for (const value of values) this.#account.refused.add(value);
      if (error !== reason) this.#refused("append", error);
    }
  }

  #begin(what: string, work: () => Promise<unknown>): void {
    this.#waiting.push(
      work().then(
        () => {},
        (error: unknown) => this.#refused(what, error),
      ),
    );
  }

  #refused(what: string, error: unknown): void {
    if (error instanceof Broken) this.#broken ??= error;
    const wrong = wrongWith(error, {});
    if (wrong !== null) this.#broken ??= new Broken(`${what}: ${wrong}`);
  }

  #throwBroken(): void {
    if (this.#broken !== null) throw this.#broken;
  }

  /** Reads go on, a flush or none; and what waits is bounded. */
  async #look(): Promise<void> {
    const log = this.#log;
    const before = log.watermarks;
    // Where files cannot be opened, those of older segments cannot be read.
    const canRead = this.#call !== "open";
    const records = canRead ? await this.#soon("a read beside a disk that hangs", this.#readAll()) : null;
    const after = log.watermarks;
    const isStill = before.logStartOffset === after.logStartOffset && before.highWatermark === after.highWatermark;
    if (records !== null && isStill) this.#hold(after, records, false);
    if (this.#settings.config.durability !== "sync") return;
    const byteLength = this.#unacknowledged.reduce((sum, each) => sum + each.byteLength, 0);
    if (byteLength > UNFLUSHED_BYTES + BATCH_BYTES_MAX)
      throw new Broken(`C7: ${byteLength} bytes are written and not flushed; maxUnflushedBytes is ${UNFLUSHED_BYTES}`);
  }

  /** null: what was deleted under the reader. */
  async #readAll(): Promise<ReadRecord[] | null> {
    const { logStartOffset } = this.#log.watermarks;
    try {
      return await readAll(this.#log, logStartOffset, 300);
    } catch (error) {
      if (this.#log.watermarks.logStartOffset > logStartOffset) return null;
      throw error;
    }
  }

  #hold(marks: PartitionLog["watermarks"], records: readonly ReadRecord[], isPowerLost: boolean): void {
    const wrong = this.#account.check(
      marks,
      records.filter(({ offset }) => offset < marks.highWatermark),
      isPowerLost,
    );
    if (wrong !== null) throw new Broken(wrong);
  }

  /** While it closes nothing new is taken. */
  async #close(): Promise<void> {
    const log = this.#log;
    this.said.push("close");
    const closing = log.close(this.#random.chance(0.5)).catch((error: unknown) => this.#refused("close", error));
    await this.#soon("an append behind a close", this.#append());
    await closing;
  }

  /** The disk does what it is told again: at once, or when the partition was opened anew. */
  async #thrive(mayHaveFailed: boolean): Promise<void> {
    const log = this.#log;
    if (log.failure !== null && !mayHaveFailed) throw new Broken(`C9: nothing failed, and the partition did: ${log.failure.message}`);
    if (log.failure !== null) await this.#soon("the reopening", log.reopen());
    const before = log.watermarks.logEndOffset;
    await this.#soon("an append when the disk goes on", this.#append());
    this.#throwBroken();
    if (log.watermarks.highWatermark <= before) throw new Broken("no append is taken when the disk goes on");
    const marks = log.watermarks;
    this.#hold(marks, await this.#soon("a read", readAll(log, marks.logStartOffset, 300)), false);
  }

  /** Opened by the next process, on what the disk holds: all that was acknowledged is there, and the log lives. */
  async #outlives(end: "the process dies" | "the power goes"): Promise<void> {
    const isPowerLost = end === "the power goes";
    const left = new SeededRandom(this.#random.integer(0, 1e9));
    const disk = this.#disk.storage.crash(left, isPowerLost ? {} : { kind: "process" });
    this.#disk.letGo(null);
    await this.#soon("what was begun, when the machine is gone", Promise.all(this.#waiting));
    const bed = bedOf(disk, this.#settings, this.#clock);
    const log = await this.#soon("the next opening", PartitionLog.open(bed.context, bed.spec));
    this.#log = log;
    if (log.failure !== null) throw new Broken(`C9: ${end}: ${log.failure.message}`);
    const marks = log.watermarks;
    this.#hold(marks, await this.#soon("a read", readAll(log, marks.logStartOffset, 300)), isPowerLost);
    this.#account.settle(marks);
    await this.#soon("an append", this.#append());
    if (log.watermarks.highWatermark <= marks.highWatermark) throw new Broken(`no append is taken after ${end}`);
    await this.#soon("the close", log.close(true));
  }

  /** What it waits for needs nothing of what hangs. */
  async #soon<T>(what: string, work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    work.then(over, over);
    for (let turn = 0; turn < TURNS_MAX && !isOver; turn += 1) await settled();
    if (!isOver) throw new Broken(`${what} hangs`);
    return await work;
  }
}

async function idle(): Promise<void> {
  for (let turn = 0; turn < TURNS_IDLE; turn += 1) await settled();
}

/** So many days of one partition; an error counts as injected where a call did hang. */
export async function hungDays({ seed, say }: Trial, dayCount: number): Promise<Tally> {
  const random = new SeededRandom(`hung/${seed}`);
  const failures: Failure[] = [];
  let injectedErrors = 0;
  for (let number = 0; number < dayCount; number += 1) {
    const day = new HungDay(random.fork());
    try {
      await day.live();
    } catch (error) {
      const failure = failureOf(error);
      failures.push({ ...failure, what: `hanging disk, day ${number}: ${day.said.join(", ")}: ${failure.what}` });
    }
    if (day.hung) injectedErrors += 1;
    say(`hanging disk, day ${number}: ${day.said.join(", ")}`);
  }
  return { counts: { injectedErrors }, failures };
}
