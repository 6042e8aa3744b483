/** What compaction, idempotence and transactions promise, as plain data that a broker is held against. */
import type { ProducerIdentity } from "../../src/api/broker.ts";
import { BrokenPromise } from "./engine-world.ts";
import {
  type Client,
  type KeptPartition,
  type KeptRecord,
  type KeptTransaction,
  type Moment,
  newClient,
  newPartition,
  type PassMoment,
  type TransactionState,
} from "./guarantees-facts.ts";
import {
  DELETE_RETENTION_MS,
  type FoundPartition,
  type FoundRecord,
  GUARANTEE_TOPICS,
  PARTITION_COUNT,
  RETENTION_MS,
  readFromStart,
  type SentRecord,
  type Subject,
  TRANSACTION_TIMEOUT_MS,
} from "./guarantees-rig.ts";

export class GuaranteesWorld {
  readonly partitions: Map<string, KeptPartition> = new Map();
  readonly transactions: Map<number, KeptTransaction> = new Map();
  readonly clients: Map<string, Client> = new Map();
  /** By producer id, who got it first, and the newest epoch given with it. */
  readonly producerIds: Map<bigint, { readonly owner: string; epoch: number }> = new Map();
  /** In the order in which transactions with offsets for "group/topic/partition" ended. */
  readonly offsetTransactions: Map<string, number[]> = new Map();
  readonly passes: PassMoment[] = [];
  recordCount = 0;
  transactionCount = 0;
  /** The wall clock, from life to life. */
  nowMs: number;
  powerLost = false;
  /** What the simulation met: a run that meets nothing shows nothing. */
  readonly sums: Record<
    "compactedAway" | "tombstonesGone" | "committed" | "aborted" | "doubts" | "duplicates" | "fenced" | "retained",
    number
  > = {
    compactedAway: 0,
    tombstonesGone: 0,
    committed: 0,
    aborted: 0,
    doubts: 0,
    duplicates: 0,
    fenced: 0,
    retained: 0,
  };

  constructor(nowMs: number) {
    this.nowMs = nowMs;
    for (const topic of Object.keys(GUARANTEE_TOPICS)) {
      for (let partition = 0; partition < PARTITION_COUNT; partition += 1) this.partitions.set(`${topic}/${partition}`, newPartition());
    }
    for (const name of ["i0", "i1", "t0", "t1"]) this.clients.set(name, newClient(name));
  }

  clone(): GuaranteesWorld {
    return Object.assign(new GuaranteesWorld(this.nowMs), structuredClone({ ...this }));
  }

  /** Where the power goes, and wherever a flush failed: what was not durable may be lost. */
  losePower(): void {
    this.powerLost = true;
  }

  /** The broker told a client which producer it is. */
  identified(client: Client, identity: ProducerIdentity): void {
    const { producerId, producerEpoch } = identity;
    const owner = client.transactionalId ?? `${client.name}'s ${this.producerIds.size}`;
    const before = this.producerIds.get(producerId);
    if (before !== undefined && before.owner !== owner) {
      throw new BrokenPromise(`producer id ${producerId} was given to ${before.owner}, and now to ${owner}`);
    }
    if (before !== undefined && producerEpoch <= before.epoch) {
      throw new BrokenPromise(`${owner} has epoch ${producerEpoch} of producer id ${producerId}, and had ${before.epoch} before`);
    }
    this.producerIds.set(producerId, { owner, epoch: producerEpoch });
    client.identity = identity;
    client.batches.clear();
    client.transaction = null;
    // What its earlier life had begun is aborted by now.
    for (const transaction of this.transactions.values()) {
      if (transaction.client === client.name && transaction.state === "open") transaction.state = "aborted";
    }
  }

  mayBeExpired({ ageMs }: KeptTransaction): boolean {
    return ageMs >= TRANSACTION_TIMEOUT_MS;
  }

  /** Holds the broker against everything; then what is there is the truth. Throws a `BrokenPromise`. */
  async check(subject: Subject, moment: Moment): Promise<void> {
    const found = new Map<string, Look>();
    for (const [name, partition] of this.partitions) {
      const look = await this.#look(subject, name, partition, moment);
      if (look !== null) found.set(name, look);
    }
    if (moment === "just opened") for (const transaction of this.transactions.values()) this.#resolve(transaction, found);
    for (const [name, look] of found) this.#checkKeys(name, look, moment);
    await this.#checkOffsets(subject, moment);
    for (const [name, look] of found) this.#believe(name, look, moment);
    if (moment === "just opened") {
      this.powerLost = false;
      this.#closeTransactions();
    }
  }

  /** Reads a partition both ways; each record must be one that was sent there, once, at the offset that was told. */
  async #look(subject: Subject, name: string, kept: KeptPartition, moment: Moment): Promise<Look | null> {
    const [topic, number] = name.split("/") as [string, string];
    const wrong = (what: string): never => {
      throw new BrokenPromise(`${name}: ${what}`);
    };
    if (!subject.broker.hasTopic(topic)) {
      if (kept.promisedEnd > 0) wrong("the topic is gone");
      return null;
    }
    const read = (isolation: "readCommitted" | "readUncommitted"): Promise<FoundPartition> =>
      readFromStart(subject, topic, Number(number), isolation).catch((error: unknown) => wrong(`cannot be read: ${String(error)}`));
    const committed = await read("readCommitted");
    const all = await read("readUncommitted");
    const { logStartOffset, lastStableOffset, highWatermark, logEndOffset } = all.marks;
    const promised = this.powerLost ? kept.durableEnd : kept.promisedEnd;
    if (logEndOffset < promised) wrong(`the log ends at ${logEndOffset}, and ended at ${promised} before`);
    if (logStartOffset < kept.deletedBefore) wrong(`begins at ${logStartOffset}, deleteRecords confirmed ${kept.deletedBefore}`);
    if (moment === "just opened" && (highWatermark !== logEndOffset || lastStableOffset !== logEndOffset)) {
      wrong(`just opened: high watermark ${highWatermark}, last stable offset ${lastStableOffset}, log end ${logEndOffset}`);
    }
    const at = new Map([...kept.sent.values()].flatMap((record) => (record.offset === null ? [] : [[record.offset, record] as const])));
    const ids = new Set<number>();
    let last = logStartOffset - 1;
    for (const record of all.records) {
      const sent = kept.sent.get(record.id) ?? wrong(`record ${record.id} at ${record.offset} was not sent here, or was lost before`);
      if (record.offset <= last) wrong(`offset ${record.offset} follows ${last}`);
      last = record.offset;
      if (ids.has(record.id)) wrong(`record ${record.id} stands here twice, once at ${record.offset}`);
      ids.add(record.id);
      if (sent.offset !== null && sent.offset !== record.offset)
        wrong(`record ${record.id} stood at ${sent.offset}, now at ${record.offset}`);
      const before = at.get(record.offset);
      if (before !== undefined && before.id !== record.id) wrong(`at ${record.offset} stood record ${before.id}, now ${record.id}`);
      if (sent.key !== record.key || sent.value !== record.value || sent.timestamp !== record.timestamp)
        wrong(`record ${record.id} at ${record.offset}: sent ${show(sent)}, found ${show(record)}`);
      if (record.transactional !== (sent.transaction !== null)) wrong(`record ${record.id}: transactional ${record.transactional}`);
    }
    for (const marker of all.markers) {
      const before = at.get(marker.offset);
      if (before !== undefined && !this.#mayBeLost(before)) wrong(`at ${marker.offset} stood record ${before.id}, now a marker`);
    }
    const seen = new Map(committed.records.map((record) => [record.id, record]));
    for (const record of committed.records) if (!ids.has(record.id)) wrong(`record ${record.id} is committed, and not there`);
    return { kept, marks: all.marks, all: new Map(all.records.map((record) => [record.id, record])), committed: seen };
  }

  /** What became of a transaction that nobody knew the end of: all of it, or nothing. */
  #resolve(transaction: KeptTransaction, found: ReadonlyMap<string, Look>): void {
    const { id } = transaction;
    if (transaction.state === "committed" || transaction.state === "aborted") return;
    const present: string[] = [];
    const absent: string[] = [];
    for (const [name, look] of found) {
      for (const record of look.kept.sent.values()) {
        if (record.transaction !== id) continue;
        if (look.committed.has(record.id)) present.push(`${record.id} in ${name}`);
        else if (look.all.has(record.id) || !this.#mayBeGone(name, record, look)) absent.push(`${record.id} in ${name}`);
      }
    }
    if (present.length > 0 && transaction.state === "open")
      throw new BrokenPromise(`transaction ${id} was never to be committed: record ${present.join(", ")} is there`);
    if (present.length > 0 && absent.length > 0)
      throw new BrokenPromise(`transaction ${id} is there in part: record ${present.join(", ")} but not ${absent.join(", ")}`);
    if (transaction.state === "doubt") this.sums.doubts += 1;
    if (transaction.state === "open" || absent.length > 0) transaction.state = "aborted";
    else if (present.length > 0) transaction.state = "committed";
    // Else its offsets alone can tell, or nobody ever will.
  }

  /** For each key the newest committed value, nothing older, and nothing that was taken back. */
  #checkKeys(name: string, look: Look, moment: Moment): void {
    const { kept, committed, all, marks } = look;
    const wrong = (what: string): never => {
      throw new BrokenPromise(`${name}: ${what}`);
    };
    for (const record of committed.values()) {
      const state = this.stateOf(kept.sent.get(record.id)!);
      if (state === "aborted" || state === "open")
        wrong(`record ${record.id} at ${record.offset} is of transaction ${kept.sent.get(record.id)?.transaction}, which is ${state}`);
    }
    for (const record of all.values()) {
      const sent = kept.sent.get(record.id)!;
      if (this.stateOf(sent) === "committed" && record.offset < marks.lastStableOffset && !committed.has(record.id))
        wrong(`record ${record.id} at ${record.offset} is committed, and a reader is not given it`);
    }
    if (moment === "quiet") this.#checkStable(name, look);
    const newest = new Map<string, KeptRecord>();
    for (const sent of kept.sent.values()) {
      const record = { ...sent, offset: all.get(sent.id)?.offset ?? sent.offset };
      if (record.offset === null || record.offset < marks.logStartOffset || record.offset >= marks.lastStableOffset) continue;
      if (this.stateOf(sent) !== "committed") continue;
      if (this.#mayHaveVanished(sent, all)) continue;
      if (record.offset > (newest.get(record.key)?.offset ?? -1)) newest.set(record.key, record);
    }
    const lastOf = new Map<string, FoundRecord>([...committed.values()].map((record) => [record.key, record]));
    for (const [key, record] of newest) {
      const last = lastOf.get(key);
      if (last?.id === record.id) continue;
      const told = `key ${key}: the newest is record ${record.id} at ${record.offset}, ${show(record)}`;
      if (last !== undefined) wrong(`${told}; a reader ends with record ${last.id} at ${last.offset}, ${show(last)}`);
      if (record.value !== null || !this.#mayBeGone(name, kept.sent.get(record.id)!, look)) wrong(`${told}; a reader finds nothing`);
    }
    for (const sent of kept.sent.values()) this.#checkPresence(name, sent, look, wrong);
  }

  #checkPresence(name: string, sent: KeptRecord, look: Look, wrong: (what: string) => never): void {
    const { all, marks, kept } = look;
    if (all.has(sent.id) || sent.offset === null) return;
    if (this.#mayBeLost(sent)) {
      if (this.#mayBeGone(name, sent, look)) return;
      const later = [...all.values()].find((record) => record.offset > (sent.offset as number));
      if (later !== undefined) wrong(`record ${sent.id} at ${sent.offset} is lost, and record ${later.id} behind it is not`);
      return;
    }
    if (sent.offset < marks.logStartOffset) {
      const latest = Math.max(...this.#passesSince(sent).map(({ toMs }) => toMs));
      const isAged = GUARANTEE_TOPICS[name.split("/")[0] as string]?.retentionMs !== undefined && sent.timestamp < latest - RETENTION_MS;
      if (sent.offset >= kept.deletionAsked && !isAged && !this.#mayBeCompacted(name, sent, look))
        wrong(`record ${sent.id} at ${sent.offset} is below the log start ${marks.logStartOffset}`);
      return;
    }
    if (!this.#mayBeGone(name, sent, look)) wrong(`record ${sent.id} at ${sent.offset} was acknowledged (${sent.reach}), and is gone`);
  }

  /** No transaction is open but those that were left open, and what they hold back is held back. */
  #checkStable(name: string, { kept, marks }: Look): void {
    const open = [...kept.sent.values()].filter((record) => record.transaction !== null && this.stateOf(record) === "open");
    if (open.some((record) => this.mayBeExpired(this.transactions.get(record.transaction as number)!) || record.offset === null)) return;
    if ([...kept.sent.values()].some((record) => this.stateOf(record) === "doubt")) return;
    const expected = Math.max(marks.logStartOffset, Math.min(marks.highWatermark, ...open.map((record) => record.offset as number)));
    if (marks.lastStableOffset !== expected) {
      throw new BrokenPromise(
        `${name}: last stable offset ${marks.lastStableOffset}, expected ${expected} (high watermark ${marks.highWatermark})`,
      );
    }
  }

  /** After a newer committed record of its key, a horizon, an abort: compaction may have taken it. */
  #mayBeGone(name: string, record: KeptRecord, look: Look): boolean {
    const offset = look.all.get(record.id)?.offset ?? record.offset;
    return (offset !== null && offset < look.marks.logStartOffset) || this.#mayBeCompacted(name, record, look);
  }

  #mayBeCompacted(name: string, record: KeptRecord, { kept, all, committed }: Look): boolean {
    const offset = all.get(record.id)?.offset ?? record.offset;
    if (!GUARANTEE_TOPICS[name.split("/")[0] as string]?.cleanupPolicy?.startsWith("compact")) return false;
    if (this.#passesSince(record).length === 0) return false;
    if (this.stateOf(record) === "aborted" || this.#mayHaveTimedOut(record)) return true;
    if (record.value === null && this.#horizonMayHavePassed(record)) return true;
    for (const other of kept.sent.values()) {
      if (other.id === record.id || other.key !== record.key) continue;
      // In doubt, but told to a reader: it has committed.
      if (this.stateOf(other) !== "committed" && !(this.stateOf(other) === "doubt" && committed.has(other.id))) continue;
      const otherOffset = all.get(other.id)?.offset ?? (this.#mayHaveVanished(other, all) ? null : other.offset);
      // One whose offset nobody was told, gone or not, was sent later than all that were told.
      if (otherOffset !== null && (offset === null || otherOffset > offset)) return true;
    }
    return false;
  }

  #mayHaveTimedOut({ transaction }: KeptRecord): boolean {
    const facts = transaction === null ? undefined : this.transactions.get(transaction);
    return facts?.state === "open" && this.mayBeExpired(facts);
  }

  #horizonMayHavePassed(record: KeptRecord): boolean {
    const passes = this.#passesSince(record);
    let earliest = Number.POSITIVE_INFINITY;
    for (const { fromMs, toMs } of passes) {
      earliest = Math.min(earliest, fromMs);
      if (toMs - earliest >= DELETE_RETENTION_MS) return true;
    }
    return false;
  }

  #passesSince(record: KeptRecord): readonly PassMoment[] {
    return this.passes.slice(record.passesBefore);
  }

  /**
   * It is not there, and the end of the log may have taken it: what is lost is a suffix (C2), so nothing stands behind it. A tombstone that
   * only the system had, survived a loss of power by luck and was given up at its horizon, has superseded what it deleted all the same.
   */
  #mayHaveVanished(record: KeptRecord, all: Look["all"]): boolean {
    if (all.has(record.id) || !this.#mayBeLost(record)) return false;
    return record.offset === null || ![...all.values()].some(({ offset }) => offset > (record.offset as number));
  }

  /** Whether what happened since it was acknowledged, if it was, may have taken it. */
  #mayBeLost(record: KeptRecord): boolean {
    return record.reach === "none" || (this.powerLost && record.reach === "process");
  }

  stateOf(record: KeptRecord): TransactionState {
    return record.transaction === null ? "committed" : (this.transactions.get(record.transaction)?.state ?? "aborted");
  }

  async #checkOffsets({ broker }: Subject, moment: Moment): Promise<void> {
    for (const [name, ids] of this.offsetTransactions) {
      const [groupId, topic, partition] = name.split("/") as [string, string, string];
      const [answer] = await broker.offsetFetch({ groupId, partitions: [{ topic, partition: Number(partition) }] });
      const nextOffset = answer?.nextOffset ?? null;
      const ended = ids.map((id) => this.transactions.get(id) as KeptTransaction);
      const of = ({ offsets }: KeptTransaction): number => offsets.get(name) as number;
      const last = ended.findLastIndex(({ state }) => state === "committed");
      const certain = last < 0 ? null : of(ended[last] as KeptTransaction);
      const doubts = ended.slice(last + 1).filter(({ state }) => state === "doubt");
      const legal = [certain, ...doubts.map(of)];
      if (!legal.includes(nextOffset))
        throw new BrokenPromise(`${name}: committed offset ${nextOffset}, expected ${legal.join(" or ")} (transactions ${ids.join(", ")})`);
      if (moment === "quiet") continue;
      for (const transaction of doubts) if (nextOffset !== certain && nextOffset === of(transaction)) transaction.state = "committed";
      this.offsetTransactions.set(
        name,
        ids.filter((_, index) => index === last || (index > last && ended[index]?.state === "committed")),
      );
    }
  }

  /** What was found is there for good: an open flushes what it serves, and a quiet broker has acknowledged it. */
  #believe(name: string, { kept, all, marks }: Look, moment: Moment): void {
    const opened = moment === "just opened";
    for (const record of kept.sent.values()) {
      const there = all.get(record.id);
      if (there !== undefined) {
        record.offset = there.offset;
        if (opened || GUARANTEE_TOPICS[name.split("/")[0] as string]?.durability !== "os") record.reach = "power";
        else if (record.reach === "none") record.reach = "process";
      } else if (opened) this.#forget(name, record, { kept, all, marks });
    }
    kept.promisedEnd = Math.max(kept.promisedEnd, marks.highWatermark);
    if (opened) {
      kept.promisedEnd = kept.durableEnd = marks.logEndOffset;
      kept.deletedBefore = marks.logStartOffset;
      kept.deletionAsked = Math.max(kept.deletionAsked, marks.logStartOffset);
    }
  }

  /** Not there after an open: compacted away, which is remembered, or lost, and then it must not come again. */
  #forget(name: string, record: KeptRecord, { kept, all, marks }: Pick<Look, "kept" | "all" | "marks">): void {
    if (this.#isPending(name, record.id)) {
      // Its sender was not answered, and may send it again, gone or not.
      if (this.#mayBeLost(record)) record.offset = null;
    } else if (record.offset === null || this.#mayHaveVanished(record, all)) {
      kept.sent.delete(record.id);
      // Its sender begins anew: whatever follows in its sequence is no longer what the broker expects.
      for (const client of this.clients.values()) {
        const batches = client.batches.get(name);
        if (batches?.some((batch) => batch.baseOffset !== null && batch.records.some(({ id }) => id === record.id))) client.identity = null;
      }
    } else if (record.offset < marks.logStartOffset) {
      this.sums.retained += 1;
      kept.sent.delete(record.id);
    } else if (!record.isGone) {
      record.isGone = true;
      this.sums[record.value === null ? "tombstonesGone" : "compactedAway"] += 1;
    }
  }

  #isPending(name: string, id: number): boolean {
    return [...this.clients.values()].some(({ transactionalId, identity, batches }) => {
      if (transactionalId !== null || identity === null) return false;
      return batches.get(name)?.some((batch) => batch.baseOffset === null && batch.records.some((record) => record.id === id));
    });
  }

  #closeTransactions(): void {
    // What no record and no offset tells of cannot be told from an abort.
    for (const transaction of this.transactions.values()) if (transaction.state !== "committed") transaction.state = "aborted";
    for (const client of this.clients.values()) {
      for (const batches of client.batches.values()) for (const batch of batches) batch.isOld = true;
      if (client.transactionalId === null) continue;
      client.former = client.identity ?? client.former;
      client.identity = null;
      client.transaction = null;
      client.batches.clear();
    }
  }
}

interface Look {
  readonly kept: KeptPartition;
  readonly marks: FoundPartition["marks"];
  readonly all: ReadonlyMap<number, FoundRecord>;
  readonly committed: ReadonlyMap<number, FoundRecord>;
}

const show = ({ key, value, timestamp }: SentRecord): string => `${key}=${value === null ? "(tombstone)" : value} (${timestamp})`;
