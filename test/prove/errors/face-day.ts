/** A day of a program on the face whose storage or core fails: it produces, consumes, commits, transacts, looks into a table, maintains, closes and opens. */
import type { Consumer } from "../../../src/api/consumer.ts";
import type { Odradek } from "../../../src/api/odradek.ts";
import type { Producer } from "../../../src/api/producer.ts";
import type { StorageDriver } from "../../../src/api/storage-driver.ts";
import type { Table } from "../../../src/api/table.ts";
import { OdradekError } from "../../../src/base/errors.ts";
import { coordinatorPartition } from "../../../src/base/java-hash.ts";
import { utf8 } from "../../../src/base/serde.ts";
import { nodeCodecs } from "../../../src/compression/node-codecs.ts";
import { type Open, openOn } from "../../../src/open.ts";
import { type CrashStorage, crashStorage } from "../../../src/testing/crash-storage.ts";
import { type FaultyStorage, faultyStorage } from "../../../src/testing/faulty-storage.ts";
import { ManualClock, settled } from "../../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { FaceFacts, ofTransaction } from "./face-facts.ts";
import { Broken } from "./log-day.ts";
import { type Circumstances, wrongWith } from "./typed.ts";

const HOURS = 3;
const PLAIN = { topic: "plain", partition: 0 } as const;
const GROUP = "g";
const KEYS = ["a", "b", "c"];
const SERDES = { key: utf8, value: utf8 };
/** What does not come to an end in so many turns waits for the clock; what waits longer than this hangs. */
const TURNS_MAX = 30;
const STEP_MS = 1000;
const PATIENCE_MS = 200_000;

class ChangeOfMind extends Error {}

interface Program {
  readonly log: Odradek;
  readonly producer: Producer<string, string>;
  readonly transactor: Producer<string, string>;
  readonly consumer: Consumer<string, string>;
  readonly table: Table<string, string> | null;
}

export class FaceDay {
  readonly disk: CrashStorage = crashStorage();
  readonly storage: FaultyStorage = faultyStorage(this.disk);
  readonly #onHour: (hour: number) => void;
  readonly #circumstances: Circumstances;
  readonly #mendCore: () => void;
  readonly #facts: FaceFacts = new FaceFacts();
  readonly #clock: ManualClock = new ManualClock(Date.UTC(2020, 5, 1));
  #round = 0;
  #opens = 0;
  refusals = 0;

  /** `mendCore`: of a core that was made to fail. */
  constructor(onHour: (day: FaceDay, hour: number) => void, mendCore: (() => void) | null = null) {
    this.#onHour = (hour) => onHour(this, hour);
    this.#mendCore = mendCore ?? (() => {});
    this.#circumstances = { producers: true, core: mendCore !== null };
  }

  async live(): Promise<void> {
    const first = await this.#patiently("the first open", () => this.#openOn(this.storage));
    await first.createTopic(PLAIN.topic, { segmentBytes: 700 });
    await first.createTopic("keyed", { segmentBytes: 700, cleanupPolicy: "compact", minCleanableDirtyRatio: 0 });
    let program = await this.#begin(first);
    await this.#work(program);
    for (let hour = 0; hour < HOURS; hour += 1) {
      this.#strike(hour);
      if (hour === 1) {
        await this.#end(program);
        program = await this.#begin(await this.#open());
      }
      await this.#work(program);
      await this.#attempt("maintain", () => program.log.maintain());
    }
    this.#strike(HOURS);
    this.#mend();
    program = await this.#thrive(program);
    await this.#end(program);
    const power = this.disk.crash(new SeededRandom(1), { survival: "nothing" });
    const last = await this.#patiently("the open after a loss of power", () => this.#openOn(power));
    await this.#check(last, "after a loss of power");
    await this.#patiently("the last close", () => last.close());
  }

  #strike(hour: number): void {
    this.#mend();
    this.#onHour(hour);
  }

  #mend(): void {
    this.storage.mend();
    this.#mendCore();
  }

  // What a program does

  async #work({ producer, transactor, consumer, table }: Program): Promise<void> {
    await Promise.all([this.#send(producer, 60), this.#send(producer, 230)]);
    await Promise.all(KEYS.map((key) => this.#put(producer, key, key === "c" && this.#round % 2 === 1 ? null : this.#facts.fresh(130))));
    await this.#consume(consumer, true);
    await this.#transact(transactor, consumer, this.#round % 3 !== 1);
    if (table !== null) await this.#attempt("table.get", () => table.get("a"));
  }

  async #send(producer: Program["producer"], length: number): Promise<boolean> {
    const value = this.#facts.fresh(length);
    try {
      const { offset } = await this.#patiently("send", () => producer.send({ ...PLAIN, key: null, value }));
      this.#facts.acknowledged({ offset, value });
      return true;
    } catch (error) {
      if (error instanceof OdradekError && error.retriable) this.#facts.refused(value);
      this.#refused("send", error);
      return false;
    }
  }

  async #put(producer: Program["producer"], key: string, value: string | null): Promise<void> {
    this.#facts.putting(key, value);
    const sent = await this.#attempt("send", () => producer.send({ topic: "keyed", key, value }));
    if (sent !== null) this.#facts.put(key, value);
  }

  /** Moves on by what there is; answers how far, and how far readers may be. */
  async #consume(consumer: Program["consumer"], commits: boolean): Promise<{ from: number; to: number } | null> {
    const records = await this.#attempt("poll", () => consumer.poll({ timeoutMs: 0, maxRecords: 3 }));
    for (const { offset, value } of records ?? []) this.#facts.acknowledged({ offset, value: value as string });
    const newest = records?.at(-1);
    if (newest === undefined) return null;
    if (commits) {
      const range = { from: newest.offset + 1, to: newest.offset + 1 };
      const asked = this.#facts.committing(range);
      const nextOffsets = [{ ...PLAIN, nextOffset: range.from }];
      await this.#attempt("commit", async () => {
        await consumer.commit(nextOffsets, { durable: true });
        asked.confirm();
      });
    }
    return { from: newest.offset + 1, to: Number.POSITIVE_INFINITY };
  }

  async #transact(producer: Program["producer"], consumer: Program["consumer"], commits: boolean): Promise<boolean> {
    const round = this.#round;
    this.#round += 1;
    const moved = await this.#consume(consumer, false);
    const asked = moved === null ? null : this.#facts.committing(moved);
    // Of one whose body has not ended nothing may be seen, whatever becomes of it.
    this.#facts.ended(round, "aborted");
    const told = await this.#attempt("transaction", async () => {
      await producer.transaction(async (tx) => {
        const value = ofTransaction(round);
        await tx.send({ ...PLAIN, key: null, value });
        await tx.send({ topic: "keyed", key: value, value });
        if (moved !== null) tx.commitOffsets(consumer);
        if (!commits) throw new ChangeOfMind();
        this.#facts.ended(round, "unknown");
      });
      this.#facts.ended(round, "committed");
      asked?.confirm();
      return true;
    });
    if (!commits) asked?.takeBack();
    return told === true;
  }

  // How it is opened and closed

  async #begin(log: Odradek): Promise<Program> {
    const producer = log.producer({ ...SERDES, compressionType: this.#opens % 2 === 0 ? "gzip" : "lz4" });
    const transactor = log.producer({ ...SERDES, transactionalId: "t" });
    const consumer = log.consumer({ ...SERDES, groupId: GROUP, enableAutoCommit: false });
    await this.#attempt("subscribe", () => consumer.subscribe([PLAIN.topic]));
    const table = await this.#attempt("table", () => log.table("keyed", SERDES));
    return { log, producer, transactor, consumer, table };
  }

  async #end({ log }: Program): Promise<void> {
    await this.#attempt("close", () => log.close());
    this.#expectNothingHeld("a close");
  }

  /** Where it is refused the fault ends, and the next must succeed: the lock was given back. */
  async #open(): Promise<Odradek> {
    const log = await this.#attempt("open", () => this.#openOn(this.storage));
    if (log !== null) return log;
    this.#expectNothingHeld("an open that was refused");
    this.#mend();
    return await this.#patiently("the open when the fault had passed", () => this.#openOn(this.storage));
  }

  #openOn(storage: StorageDriver): Promise<Odradek> {
    this.#opens += 1;
    const holder = { pid: 1, runtime: "proof", version: "0", since: "", argv: [], hostname: "" };
    const open: Open = openOn({
      clock: this.#clock,
      random: new SeededRandom(`open ${this.#opens}`),
      storageAt: () => storage,
      holder: () => holder,
      publish: undefined,
      codecs: nodeCodecs(),
      wasm: undefined,
    });
    return open({ storage });
  }

  #expectNothingHeld(after: string): void {
    const { openFileCount, openFileNames, heldLockCount } = this.storage;
    if (openFileCount > 0) throw new Broken(`${after} left ${openFileCount} files open: ${openFileNames.join(", ")}`);
    if (heldLockCount > 0) throw new Broken(`${after} left the lock held`);
  }

  // How it is judged

  /** After the faults: what failed is opened anew, all that was promised is there, and everything works at once. */
  async #thrive(before: Program): Promise<Program> {
    const places = [
      PLAIN,
      { topic: "keyed", partition: 0 },
      { topic: "__consumer_offsets", partition: coordinatorPartition(GROUP) },
      { topic: "__transaction_state", partition: coordinatorPartition("t") },
    ];
    const topics = await this.#patiently("listTopics", () => before.log.listTopics());
    for (const place of places) {
      if (!topics.includes(place.topic)) continue;
      await this.#surely("reopenPartition", () => before.log.reopenPartition(place));
    }
    await this.#untilNoneIsOpen(before.log);
    await this.#check(before.log, "when the fault had passed");
    // Whoever was refused goes on: at once, or with the next.
    if (!((await this.#send(before.producer, 20)) || (await this.#send(before.producer, 20))))
      throw new Broken("no record is taken when the fault has passed");
    await this.#surely("close of the clients", () => before.transactor.close().then(() => before.consumer.close()));
    const program = await this.#begin(before.log);
    if (!(await this.#transact(program.transactor, program.consumer, true)))
      throw new Broken("no transaction can be committed when the fault has passed");
    await this.#surely("maintain", () => program.log.maintain());
    return program;
  }

  /** One that was in doubt is not ended by a reopening: its producer does it, or its timeout; readers of committed records wait so long. */
  async #untilNoneIsOpen(log: Odradek): Promise<void> {
    for (let waitedMs = 0; (log.metrics()["transactions.open"] ?? 0) > 0; waitedMs += STEP_MS) {
      if (waitedMs > PATIENCE_MS) throw new Broken(`a transaction is open ${PATIENCE_MS / 1000} seconds after all faults`);
      await this.#clock.advance(STEP_MS);
    }
  }

  async #check(log: Odradek, when: string): Promise<void> {
    await this.#surely(when, async () => {
      const reader = log.consumer(SERDES);
      await reader.assign([PLAIN]);
      const records: { offset: number; value: string }[] = [];
      for await (const { offset, value } of reader.records({ until: "end" })) records.push({ offset, value: value as string });
      const { logEndOffset } = await reader.watermarks(PLAIN);
      await reader.close();
      this.#facts.checkPlain(records, logEndOffset);
      const table = await log.table("keyed", SERDES);
      const entries = new Map<string, string>();
      for await (const [key, value] of table.entries()) entries.set(key, value);
      await table.close();
      this.#facts.checkKeyed(entries);
      const member = log.consumer({ ...SERDES, groupId: GROUP, enableAutoCommit: false });
      const committed = await member.committed(PLAIN);
      await member.close();
      this.#facts.checkCommitted(committed, logEndOffset);
    });
  }

  /** Nothing stands in its way any more. */
  async #surely(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await this.#patiently(what, work);
    } catch (error) {
      const told = error instanceof Error ? error.message : String(error);
      // What cannot be opened, read or used any more is lost as well, whatever it is told as.
      throw new Broken(`${what}: ${/\bC[1-5]\b/.test(told) ? told : `C1: ${told}`}`);
    }
  }

  /** Does it, and takes a refusal if it is a proper one; null then. */
  async #attempt<T>(what: string, work: () => Promise<T>): Promise<T | null> {
    try {
      return await this.#patiently(what, work);
    } catch (error) {
      this.#refused(what, error);
      return null;
    }
  }

  #refused(what: string, error: unknown): void {
    if (error instanceof Broken) throw error;
    if (error instanceof ChangeOfMind) return;
    this.refusals += 1;
    const wrong = wrongWith(error, this.#circumstances);
    if (wrong !== null) throw new Broken(`${what}: ${wrong}`);
  }

  /** Lets time pass while it waits for that. What never ends is as bad as what is lost. */
  async #patiently<T>(what: string, work: () => Promise<T>): Promise<T> {
    let isOver = false;
    const running = work().finally(() => {
      isOver = true;
    });
    running.catch(() => {});
    for (let waitedMs = 0; !isOver; waitedMs += STEP_MS) {
      for (let turn = 0; turn < TURNS_MAX && !isOver; turn += 1) await settled();
      if (isOver) break;
      if (waitedMs > PATIENCE_MS) throw new Broken(`${what} hangs: ${PATIENCE_MS / 1000} seconds went by`);
      await this.#clock.advance(STEP_MS);
    }
    return await running;
  }
}
