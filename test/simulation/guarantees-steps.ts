/** What programs do with keys, sequences and transactions, one step at a time, with the world told what was asked and confirmed. */
import type { CodecName } from "../../src/compression/compression.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import type { SeededRandom } from "../../src/testing/seeded-random.ts";
import { BrokenPromise } from "./engine-world.ts";
import { ClientRun } from "./guarantees-client.ts";
import type { KeptRecord, PassMoment } from "./guarantees-facts.ts";
import { SlowReader } from "./guarantees-reader.ts";
import { GUARANTEE_TOPICS, PARTITION_COUNT, type SentRecord, type Subject, sendRecords } from "./guarantees-rig.ts";
import type { GuaranteesWorld } from "./guarantees-world.ts";

const TOPICS = Object.keys(GUARANTEE_TOPICS);
const KEYS = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"] as const;
const CODECS: readonly (CodecName | null)[] = [null, null, null, "gzip", "snappy", "lz4", "zstd"];
const IDEMPOTENT = ["i0", "i1"] as const;
const TRANSACTIONAL = ["t0", "t1"] as const;

/** Of the event loop: after so many a commit is taken to wait for another transaction, and after so many something is taken to hang. */
const TURNS_BLOCKED = 20;
const TURNS_MAX = 20_000;
const TURNS_DEAD = 500;

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** What is put: keys, whether each is a tombstone, how long values are. */
export interface Puts extends Place {
  readonly keys: readonly string[];
  readonly tombstones: readonly boolean[];
  readonly length: number;
  readonly codec: CodecName | null;
}

export type GuaranteeStep =
  | ({ readonly kind: "put"; readonly client: string | null; readonly wait: boolean } & Puts)
  | { readonly kind: "resend"; readonly client: string; readonly back: number }
  | { readonly kind: "txnSend"; readonly client: string; readonly puts: readonly Puts[]; readonly wait: boolean }
  | { readonly kind: "txnOffsets"; readonly client: string; readonly share: number; readonly wait: boolean }
  | { readonly kind: "txnEnd"; readonly client: string; readonly commit: boolean; readonly wait: boolean }
  | { readonly kind: "txnAbandon"; readonly client: string }
  | { readonly kind: "zombie"; readonly client: string }
  | { readonly kind: "fence"; readonly client: string }
  | ({ readonly kind: "readOn" } & Place)
  | ({ readonly kind: "deleteRecords"; readonly share: number } & Place)
  | { readonly kind: "maintain"; readonly wait: boolean }
  | { readonly kind: "advance" | "jump"; readonly ms: number }
  | { readonly kind: "audit" }
  | { readonly kind: "reopen" };

export function randomPuts(random: SeededRandom): Puts {
  const keys = Array.from({ length: random.integer(1, 4) }, () => random.pick(KEYS));
  return {
    topic: random.pick(TOPICS),
    partition: random.integer(0, PARTITION_COUNT),
    keys,
    tombstones: keys.map(() => random.chance(0.2)),
    length: random.integer(3, 50),
    codec: random.pick(CODECS),
  };
}

export function randomGuaranteeStep(random: SeededRandom): GuaranteeStep {
  const wait = random.chance(0.6);
  const client = random.pick(TRANSACTIONAL);
  const roll = random.integer(0, 100);
  if (roll < 18) return { kind: "put", client: null, wait, ...randomPuts(random) };
  if (roll < 34) return { kind: "put", client: random.pick(IDEMPOTENT), wait, ...randomPuts(random) };
  if (roll < 38) return { kind: "resend", client: random.pick(IDEMPOTENT), back: random.integer(0, 5) };
  if (roll < 54) {
    return { kind: "txnSend", client, wait, puts: Array.from({ length: random.integer(1, 4) }, () => randomPuts(random)) };
  }
  if (roll < 58) return { kind: "txnOffsets", client, share: random.next(), wait };
  if (roll < 68) return { kind: "txnEnd", client, commit: random.chance(0.75), wait };
  if (roll < 69) return { kind: "txnAbandon", client };
  if (roll < 71) return { kind: "zombie", client };
  if (roll < 73) return { kind: "fence", client };
  if (roll < 78) return { kind: "readOn", topic: random.pick(TOPICS), partition: random.integer(0, PARTITION_COUNT) };
  if (roll < 80)
    return {
      kind: "deleteRecords",
      topic: random.pick(["plain", "aging"]),
      partition: random.integer(0, PARTITION_COUNT),
      share: random.next(),
    };
  if (roll < 89) return { kind: "maintain", wait: random.chance(0.7) };
  if (roll < 92) return { kind: "advance", ms: random.pick([100, 5000, 61_000]) };
  if (roll < 94) return { kind: "jump", ms: random.pick([-3_600_000, 61_000, 3_600_000]) };
  if (roll < 97) return { kind: "audit" };
  return { kind: "reopen" };
}

/** Runs steps on one opened broker after another. A step that makes no sense as the world stands does nothing. */
export class GuaranteesRun {
  readonly world: GuaranteesWorld;
  subject: Subject;
  readonly #reopen: () => Promise<Subject>;
  readonly #clients: Map<string, ClientRun> = new Map();
  readonly #readers: Map<string, SlowReader> = new Map();
  readonly #waiting: Set<Promise<void>> = new Set();
  readonly #passing: Set<PassMoment> = new Set();
  /** What was refused, by whomever. */
  readonly errors: unknown[] = [];
  /** A flush has failed: a transaction in doubt may hold others up until its partition is opened anew. */
  isDisturbed = false;

  constructor(world: GuaranteesWorld, subject: Subject, reopen: () => Promise<Subject>) {
    this.world = world;
    this.subject = subject;
    this.#reopen = reopen;
    for (const client of world.clients.values()) this.#clients.set(client.name, new ClientRun(this, client));
  }

  /** Everything begun is answered. */
  async settled(): Promise<void> {
    while (this.#waiting.size > 0) {
      await this.#until(Promise.all(this.#waiting));
      if (this.isDisturbed) return;
    }
  }

  /** On a machine that is dead: what can still be answered is; a commit that waits for another transaction's end never will be. */
  async lastWords(): Promise<void> {
    // Long enough that nothing of it goes on in the next life, and draws from its chance.
    for (let turns = 0; turns < TURNS_DEAD && this.#waiting.size > 0; turns += 1) await settled();
  }

  /** A commit is answered when readers may see it, so it waits for transactions that were open before it: these are ended when nothing else moves. */
  async #until(work: Promise<unknown>): Promise<void> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    work.then(over, over);
    for (let turns = 1; !isOver; turns += 1) {
      await settled();
      if (isOver) return;
      if (this.isDisturbed && turns > TURNS_DEAD) return;
      if (turns > TURNS_MAX) throw new BrokenPromise(`what was begun has not ended after ${TURNS_MAX} turns of the event loop`);
      const clients = [...this.#clients.values()];
      if (turns % TURNS_BLOCKED === 0 && clients.some((client) => client.isEnding)) {
        for (const client of clients) if (!client.isEnding) void this.#track(client.letGo());
      }
    }
  }

  async createTopics(): Promise<void> {
    for (const [topic, config] of Object.entries(GUARANTEE_TOPICS)) {
      if (!this.subject.broker.hasTopic(topic)) await this.subject.broker.createTopic({ topic, partitions: PARTITION_COUNT, config });
    }
  }

  async step(step: GuaranteeStep): Promise<void> {
    const client = "client" in step && step.client !== null ? this.#clients.get(step.client)! : null;
    switch (step.kind) {
      case "put":
        return await this.#begin(client === null ? this.#put(step) : client.send(step), step.wait);
      case "resend":
        return await this.#begin(client!.resend(step.back), true);
      case "txnSend":
        return await this.#begin(client!.sendInTransaction(step.puts), step.wait);
      case "txnOffsets":
        return await this.#begin(client!.commitOffsets(step.share), step.wait);
      case "txnEnd":
        return await this.#begin(client!.end(step.commit), step.wait);
      case "txnAbandon":
        return await this.#begin(client!.abandon(), true);
      case "zombie":
        return await this.#begin(client!.haunt(), true);
      case "fence":
        return await this.#begin(client!.fence(), true);
      case "readOn":
        return await this.#begin(this.#reader(step).readOn(this.subject), true);
      case "deleteRecords":
        return await this.#begin(this.#deleteRecords(step, step.share), true);
      case "maintain":
        return await this.#begin(this.#maintain(), step.wait);
      case "advance":
      case "jump":
        return await this.#passTime(step.kind, step.ms);
      case "audit":
        return await this.#audit();
      case "reopen":
        return await this.#closeAndReopen();
    }
  }

  /** Makes records of what is to be put; from now on they may be found. */
  handOver({ topic, partition, keys, tombstones, length }: Puts, transaction: number | null): SentRecord[] {
    const { world, subject } = this;
    const kept = world.partitions.get(`${topic}/${partition}`)!;
    return keys.map((key, index) => {
      world.recordCount += 1;
      const id = world.recordCount;
      const value = tombstones[index] === true ? null : `${id}:`.padEnd(length, "v");
      const record = { id, key, value, timestamp: subject.clock.now() };
      kept.sent.set(id, { ...record, transaction, offset: null, reach: "none", passesBefore: this.#passesEnded(), isGone: false });
      return record;
    });
  }

  /** Below an acknowledgement. */
  acknowledge({ topic, partition }: Place, records: readonly SentRecord[], baseOffset: number): void {
    const kept = this.world.partitions.get(`${topic}/${partition}`)!;
    const isOs = GUARANTEE_TOPICS[topic]?.durability === "os";
    for (const [index, { id }] of records.entries()) {
      const record = kept.sent.get(id) as KeptRecord;
      const offset = baseOffset + index;
      if (record.offset !== null && record.offset !== offset)
        throw new BrokenPromise(`${topic}/${partition}: record ${id} was acknowledged at ${record.offset}, and again at ${offset}`);
      record.offset = offset;
      if (record.reach !== "power") record.reach = isOs ? "process" : "power";
    }
    const end = baseOffset + records.length;
    kept.promisedEnd = Math.max(kept.promisedEnd, end);
    if (!isOs) kept.durableEnd = Math.max(kept.durableEnd, end);
  }

  async #put(puts: Puts): Promise<void> {
    const records = this.handOver(puts, null);
    this.acknowledge(puts, records, await sendRecords(this.subject, puts, records, undefined, puts.codec));
  }

  async #deleteRecords({ topic, partition }: Place, share: number): Promise<void> {
    const kept = this.world.partitions.get(`${topic}/${partition}`)!;
    const before = kept.deletedBefore + Math.floor(share * (kept.promisedEnd - kept.deletedBefore + 1));
    kept.deletionAsked = Math.max(kept.deletionAsked, before);
    kept.deletedBefore = Math.max(kept.deletedBefore, await this.subject.broker.deleteRecords({ topic, partition }, before));
  }

  async #maintain(): Promise<void> {
    const now = this.subject.clock.now();
    const pass = { fromMs: now, toMs: now };
    this.world.passes.push(pass);
    this.#passing.add(pass);
    await this.subject.broker.maintain();
    this.#passing.delete(pass);
  }

  /** How many passes are over for certain: a record sent now is none of theirs. */
  #passesEnded(): number {
    const { passes } = this.world;
    const first = passes.findIndex((pass) => this.#passing.has(pass));
    return first < 0 ? passes.length : first;
  }

  async #passTime(kind: "advance" | "jump", ms: number): Promise<void> {
    const { world, subject } = this;
    const { clock } = subject;
    // Commits that nobody knows the end of, and horizons that pass, do not mix: nobody could say what a gone tombstone means.
    await this.settled();
    const before = clock.now();
    const pass = { fromMs: before, toMs: before + ms };
    if (kind === "jump") clock.jump(ms);
    else {
      world.passes.push(pass);
      this.#passing.add(pass);
      await clock.advance(ms);
      this.#passing.delete(pass);
    }
    world.nowMs = clock.now();
    for (const transaction of world.transactions.values()) if (transaction.state === "open") transaction.ageMs += Math.abs(ms);
  }

  /** With nothing under way the whole promise can be read, transactions that are open and all. */
  async #audit(): Promise<void> {
    await this.settled();
    await this.world.check(this.subject, "quiet");
    for (const reader of this.#readers.values()) await reader.catchUp(this.subject, this.world);
  }

  async #closeAndReopen(): Promise<void> {
    await this.settled();
    await this.subject.broker.close();
    // In order: every acknowledged byte is durable, and the next open finds just that.
    for (const kept of this.world.partitions.values()) {
      kept.durableEnd = kept.promisedEnd;
      for (const record of kept.sent.values()) if (record.reach === "process") record.reach = "power";
    }
    this.subject = await this.#reopen();
    await this.world.check(this.subject, "just opened");
    this.#readers.clear();
  }

  #reader({ topic, partition }: Place): SlowReader {
    const name = `${topic}/${partition}`;
    const there = this.#readers.get(name);
    if (there !== undefined) return there;
    const reader = new SlowReader(this.world, topic, partition);
    this.#readers.set(name, reader);
    return reader;
  }

  async #begin(work: Promise<unknown>, wait: boolean): Promise<void> {
    const noted = this.#track(work);
    if (wait) await this.#until(noted);
  }

  #track(work: Promise<unknown>): Promise<void> {
    const noted: Promise<void> = work
      .then(
        () => {},
        (error: unknown) => void this.errors.push(error),
      )
      .finally(() => this.#waiting.delete(noted));
    this.#waiting.add(noted);
    return noted;
  }
}
