/** A producer with an identity, as its own process would drive it: sequences, repetitions, transactions, and what it may not do any more. */
import { OdradekError } from "../../src/base/errors.ts";
import { BrokenPromise } from "./engine-world.ts";
import type { Client, KeptTransaction, SequencedBatch } from "./guarantees-facts.ts";
import { type Identity, type SentRecord, sendRecords, TRANSACTION_TIMEOUT_MS } from "./guarantees-rig.ts";
import type { GuaranteesRun, Place, Puts } from "./guarantees-steps.ts";

/** As many as a broker remembers. */
const BATCHES_REMEMBERED = 5;

/** Of all these, a new producer mends it. */
const isProducerState = (error: unknown): boolean => error instanceof OdradekError && error.name === "ProducerStateError";

/** Never to be committed. (CONCURRENT_TRANSACTIONS says that nobody knows, or not yet.) */
const isRefusal = (error: unknown): boolean => isProducerState(error) && (error as OdradekError).code !== "CONCURRENT_TRANSACTIONS";

export class ClientRun {
  readonly #run: GuaranteesRun;
  readonly #client: Client;
  /** One call at a time, in order, whoever waits for it. */
  #turn: Promise<void> = Promise.resolve();
  /** An end was asked for, and is not answered yet. */
  isEnding = false;

  constructor(run: GuaranteesRun, client: Client) {
    this.#run = run;
    this.#client = client;
  }

  /** Idempotent, outside of any transaction. */
  send(puts: Puts): Promise<void> {
    return this.#inTurn(async () => {
      await this.#identify();
      const name = `${puts.topic}/${puts.partition}`;
      const pending = this.#batches(name).at(-1);
      // What was not answered comes again first, whatever there is to send: its sequence may be taken.
      if (pending?.baseOffset === null) return await this.#sendBatch(puts, pending, puts.codec);
      await this.#sendBatch(puts, this.#newBatch(name, this.#run.handOver(puts, null)), puts.codec);
    });
  }

  /** A batch that was acknowledged comes again, as after a lost answer. */
  resend(back: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#client.identity === null) return;
      for (const [name, batches] of this.#client.batches) {
        const batch = batches.at(-1 - back);
        if (batch?.baseOffset == null || batches.at(-1)?.baseOffset === null) continue;
        const [topic, partition] = name.split("/") as [string, string];
        await this.#repeat({ topic, partition: Number(partition) }, batch, back === 0 || !batch.isOld);
      }
    });
  }

  sendInTransaction(puts: readonly Puts[]): Promise<void> {
    return this.#inTurn(async () => {
      await this.#identify();
      const { world } = this.#run;
      if (this.#client.transaction === null) {
        world.transactionCount += 1;
        const id = world.transactionCount;
        world.transactions.set(id, { id, client: this.#client.name, state: "open", ageMs: 0, offsets: new Map() });
        this.#client.transaction = id;
      }
      await this.#orGiveUp(async () => {
        const partitions = puts.map(({ topic, partition }) => ({ topic, partition }));
        await this.#run.subject.broker.addPartitions({ ...this.#as(), partitions });
        const sent = puts.map((each) => {
          const batch = this.#newBatch(`${each.topic}/${each.partition}`, this.#run.handOver(each, this.#client.transaction));
          return this.#sendBatch(each, batch, each.codec);
        });
        const failed = (await Promise.allSettled(sent)).find((each) => each.status === "rejected");
        if (failed !== undefined) throw failed.reason;
      });
    });
  }

  /** Of a topic whose records are durable when acknowledged: there the log's end does not go back. */
  commitOffsets(share: number): Promise<void> {
    return this.#inTurn(async () => {
      const transaction = this.#transaction();
      if (transaction === null) return;
      const { world, subject } = this.#run;
      const groupId = `group-${this.#client.name}`;
      const nextOffset = Math.floor(share * (world.partitions.get("plain/0")!.durableEnd + 1));
      await this.#orGiveUp(async () => {
        await subject.broker.addOffsets({ ...this.#as(), groupId });
        transaction.offsets.set(`${groupId}/plain/0`, nextOffset);
        const offsets = [{ topic: "plain", partition: 0, nextOffset, leaderEpoch: -1, metadata: "" }];
        await subject.broker.commitOffsets({ ...this.#as(), groupId, memberId: "", groupInstanceId: null, generation: -1, offsets });
      });
    });
  }

  end(commit: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const transaction = this.#transaction();
      if (transaction === null) return;
      const { world, subject } = this.#run;
      if (commit) {
        transaction.state = "doubt";
        for (const name of transaction.offsets.keys()) {
          world.offsetTransactions.set(name, [...(world.offsetTransactions.get(name) ?? []), transaction.id]);
        }
      }
      this.isEnding = true;
      try {
        this.#client.identity = await subject.broker.endTransaction({ ...this.#as(), commit });
      } catch (error) {
        // Refused: never to be committed. Failed in some other way: the next open knows.
        if (isRefusal(error)) transaction.state = "aborted";
        this.#giveUp();
        if (isProducerState(error) && world.mayBeExpired(transaction)) return;
        throw error;
      } finally {
        this.isEnding = false;
      }
      if (!commit) world.sums.aborted += 1;
      transaction.state = commit ? "committed" : "aborted";
      this.#client.transaction = null;
      if (commit) this.#committed(transaction);
    });
  }

  /** The process goes on without a word to the broker; its next life fences this one. */
  abandon(): Promise<void> {
    return this.#inTurn(async () => this.#giveUp());
  }

  /** Whatever it has left open ends. */
  letGo(): Promise<void> {
    if (this.#transaction() !== null) return this.end(false);
    const left = [...this.#run.world.transactions.values()].some(({ client, state }) => client === this.#client.name && state === "open");
    return left ? this.fence() : Promise.resolve();
  }

  /** Another process takes the id over: what this one had begun is aborted when that has its identity. */
  fence(): Promise<void> {
    return this.#inTurn(async () => {
      this.#giveUp();
      await this.#identify();
    });
  }

  /** A producer that was fenced, or whose process is dead, tries to go on: nothing of it may be let in. */
  haunt(): Promise<void> {
    return this.#inTurn(async () => {
      const { former, transactionalId } = this.#client;
      if (former === null || this.#client.identity === null || transactionalId === null) return;
      const { subject, world } = this.#run;
      const as = { ...former, transactionalId };
      const ghost: SentRecord = { id: -2, key: "ghost", value: "of a fenced producer", timestamp: subject.clock.now() };
      const at = { topic: "plain", partition: 0 };
      const tries: (() => Promise<unknown>)[] = [
        () => sendRecords(subject, at, [ghost], { ...former, baseSequence: 0, transactional: true }, null, transactionalId),
        () => subject.broker.addPartitions({ ...as, partitions: [at] }),
        () => subject.broker.addOffsets({ ...as, groupId: "ghosts" }),
        () => subject.broker.endTransaction({ ...as, commit: true }),
      ];
      for (const attempt of tries) {
        const error: unknown = await attempt().then(
          () => null,
          (refusal: unknown) => refusal,
        );
        if (error === null) throw new BrokenPromise(`a fenced producer (epoch ${former.producerEpoch}) was let in: ${String(attempt)}`);
        if (!isProducerState(error)) throw error;
      }
      world.sums.fenced += 1;
    });
  }

  async #identify(): Promise<void> {
    const { transactionalId, identity } = this.#client;
    if (identity !== null) return;
    const request = { transactionalId, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
    this.#run.world.identified(this.#client, await this.#run.subject.broker.initProducerId(request));
  }

  #as(): { transactionalId: string; producerId: bigint; producerEpoch: number } {
    const { transactionalId, identity } = this.#client;
    return { transactionalId: transactionalId as string, ...identity! };
  }

  #transaction(): KeptTransaction | null {
    const { transaction } = this.#client;
    return transaction === null ? null : (this.#run.world.transactions.get(transaction) ?? null);
  }

  #batches(name: string): SequencedBatch[] {
    const there = this.#client.batches.get(name) ?? [];
    this.#client.batches.set(name, there);
    return there;
  }

  #newBatch(name: string, records: readonly SentRecord[]): SequencedBatch {
    const batches = this.#batches(name);
    const last = batches.at(-1);
    const batch = { sequence: last === undefined ? 0 : last.sequence + last.records.length, records, baseOffset: null, isOld: false };
    batches.push(batch);
    if (batches.length > BATCHES_REMEMBERED) batches.shift();
    return batch;
  }

  async #sendBatch(at: Place, batch: SequencedBatch, codec: Puts["codec"]): Promise<void> {
    const { transactionalId, identity } = this.#client;
    const from: Identity = { ...identity!, baseSequence: batch.sequence, transactional: transactionalId !== null };
    try {
      const baseOffset = await sendRecords(this.#run.subject, at, batch.records, from, codec, transactionalId ?? undefined);
      batch.baseOffset = baseOffset;
      batch.isOld = false;
      this.#run.acknowledge(at, batch.records, baseOffset);
    } catch (error) {
      if (transactionalId === null && isProducerState(error)) this.#client.identity = null;
      throw error;
    }
  }

  async #repeat(at: Place, batch: SequencedBatch, isRemembered: boolean): Promise<void> {
    const from: Identity = { ...this.#client.identity!, baseSequence: batch.sequence, transactional: false };
    try {
      const baseOffset = await sendRecords(this.#run.subject, at, batch.records, from);
      if (baseOffset !== batch.baseOffset) {
        throw new BrokenPromise(
          `${at.topic}/${at.partition}: sequence ${batch.sequence} was acknowledged at ${batch.baseOffset}, its repetition at ${baseOffset}`,
        );
      }
      this.#run.world.sums.duplicates += 1;
    } catch (error) {
      if (isProducerState(error) && !isRemembered) return;
      throw error;
    }
  }

  #committed(transaction: KeptTransaction): void {
    const { world } = this.#run;
    world.sums.committed += 1;
    for (const kept of world.partitions.values()) {
      for (const record of kept.sent.values()) {
        if (record.transaction !== transaction.id || record.offset === null) continue;
        record.reach = "power";
        kept.durableEnd = Math.max(kept.durableEnd, record.offset + 1);
      }
    }
  }

  /** A transaction that was refused something is not to be committed. */
  async #orGiveUp(work: () => Promise<void>): Promise<void> {
    const transaction = this.#transaction();
    try {
      await work();
    } catch (error) {
      this.#giveUp();
      if (isProducerState(error) && transaction !== null && this.#run.world.mayBeExpired(transaction)) return;
      throw error;
    }
  }

  #giveUp(): void {
    this.#client.former = this.#client.identity ?? this.#client.former;
    this.#client.identity = null;
    this.#client.transaction = null;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const run = this.#turn.then(work);
    this.#turn = run.catch(() => {});
    return run;
  }
}
