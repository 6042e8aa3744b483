/** What an opening finds of transactions, and ends: the prepared ones as they were decided, everything else that is open by aborting it. */
import type { TopicPartition } from "../api/bytes.ts";
import { type OdradekError, StorageError } from "../base/errors.ts";
import { storageError } from "../storage/errno.ts";
import type { Transaction } from "../transaction/transaction.ts";
import type { TransactionCoordinator } from "../transaction/transaction-coordinator.ts";
import type { TransactionMetadata } from "../transaction/transaction-metadata.ts";
import { isIdle, isPrepared } from "../transaction/transaction-state.ts";
import { type House, TRANSACTIONS_TOPIC } from "./house.ts";
import type { ProducerIds } from "./producer-ids.ts";
import type { TransactionEnding } from "./transaction-ending.ts";
import type { TransactionLog } from "./transaction-log.ts";
import type { TransactionMarkers } from "./transaction-markers.ts";

/** Transactions ended at once: enough to share flushes, few enough to bound memory. */
const ENDINGS_AT_ONCE = 32;

type InTurn = (transactionalId: string, call: () => Promise<void>) => Promise<void>;

export class TransactionRecovery {
  readonly #house: House;
  readonly #coordinator: TransactionCoordinator;
  readonly #log: TransactionLog;
  readonly #markers: TransactionMarkers;
  readonly #ending: TransactionEnding;
  readonly #ids: ProducerIds;
  /** Partitions of `__transaction_state` whose records could not all be read: what was decided there is not known. */
  readonly #unread: Map<number, OdradekError> = new Map();

  constructor(
    house: House,
    coordinator: TransactionCoordinator,
    log: TransactionLog,
    markers: TransactionMarkers,
    ending: TransactionEnding,
    ids: ProducerIds,
  ) {
    this.#house = house;
    this.#coordinator = coordinator;
    this.#log = log;
    this.#markers = markers;
    this.#ending = ending;
    this.#ids = ids;
  }

  async atOpen(): Promise<void> {
    for (const partition of this.#log.partitions()) await this.#load(partition);
    this.#ids.noteLogs();
    if (this.#house.context.readOnly) return;
    await this.#endUnfinished();
    await this.#abortAllUnnamed();
  }

  /** Throws where what is kept of an id is not known. */
  refuseUnread(partition: number): void {
    const error = this.#unread.get(partition);
    if (error === undefined) return;
    const message = `${TRANSACTIONS_TOPIC}-${partition} could not be read, so the state of its transactional ids is not known; reopenPartition tries again: ${error.message}`;
    throw new StorageError("KAFKA_STORAGE_ERROR", message, { cause: error });
  }

  /** A partition of `__transaction_state` was recovered: what it lost is written again, and what was in doubt is no more. */
  async stateReopened(partition: number, known: readonly Transaction[], inTurn: InTurn): Promise<void> {
    if (this.#unread.delete(partition)) {
      await this.#load(partition);
      this.refuseUnread(partition);
      await this.#endUnfinished();
      await this.#abortAllUnnamed();
      return;
    }
    const kept = await this.#log.read(
      partition,
      () => {},
      (error) => this.#told(partition, error),
    );
    await Promise.all(known.map((transaction) => inTurn(transaction.id, () => this.#reconcile(transaction, kept.get(transaction.id)))));
  }

  /**
   * Aborts transactions that are open in a partition and belong to nobody: begun in a process that died, before anything of them was
   * written here. While some records cannot be read they may be committed there, and are left alone.
   */
  async abortUnnamed({ topic, partition }: TopicPartition): Promise<void> {
    const slot = this.#house.topics.find(topic)?.slots[partition];
    if (slot?.state !== "open" || slot.log.spec.frozen || slot.log.failure !== null) return;
    for (const open of slot.log.producers.openTransactions()) {
      const owner = this.#coordinator.ofProducer(open.producerId);
      if (owner !== null && !isIdle(owner.metadata.state) && owner.has({ topic, partition })) continue;
      const at = { topic, partition };
      if (this.#unread.size > 0) {
        this.#house.events.emit("transaction.unknown", { partition: at, producerId: open.producerId, firstOffset: open.firstOffset });
        continue;
      }
      const producerEpoch = Math.max(open.producerEpoch, owner?.metadata.producerEpoch ?? 0);
      const coordinatorEpoch = owner === null ? 0 : this.#log.coordinatorEpoch(owner.id);
      const end = { producerId: open.producerId, producerEpoch, coordinatorEpoch, commit: false };
      const { late } = await this.#markers.end(end, [at], "where open");
      const outcome = late.length === 0 ? "aborted" : "late";
      this.#house.events.emit("transaction.recovered", { partition: at, producerId: open.producerId, outcome, error: late[0]?.error });
    }
  }

  async #abortAllUnnamed(): Promise<void> {
    const logs = this.#house.topics.openLogs();
    await inParallel(logs, ({ spec: { topic, partition } }) => this.abortUnnamed({ topic, partition }));
  }

  async #endUnfinished(): Promise<void> {
    const unfinished = this.#coordinator.all().filter(({ metadata }) => !isIdle(metadata.state));
    await inParallel(unfinished, async (transaction) => {
      const { state } = transaction.metadata;
      // Whoever had it may come back with the old epoch, through a process of its own: it is out.
      const { late } = isPrepared(state)
        ? await this.#ending.finish(transaction, "where open")
        : state === "Ongoing"
          ? await this.#ending.fence(transaction, "its process ended", "where open")
          : await this.#ending.abort(transaction, "its process ended", "where open");
      const outcome = late.length > 0 ? "late" : state === "PrepareCommit" ? "committed" : "aborted";
      const { producerId } = transaction.metadata;
      this.#house.events.emit("transaction.recovered", { transactionalId: transaction.id, producerId, outcome, error: late[0]?.error });
    });
    // Else the first transaction of each id would wait for it.
    await Promise.allSettled(unfinished.map((transaction) => this.#ending.settled(transaction)));
  }

  async #load(partition: number): Promise<void> {
    const told = (error: unknown): void => {
      this.#unread.set(partition, storageError(error, "reading", TRANSACTIONS_TOPIC));
      this.#told(partition, error);
    };
    try {
      const kept = await this.#log.read(partition, (producerId) => this.#ids.noteSeen(producerId), told);
      for (const [transactionalId, metadata] of kept) {
        if (metadata.state !== "Dead") this.#coordinator.put(transactionalId, metadata);
      }
    } catch (error) {
      told(error);
    }
  }

  async #reconcile(transaction: Transaction, kept: TransactionMetadata | undefined): Promise<void> {
    if (transaction.doubt !== null) {
      transaction.doubt = null;
      transaction.isEnding = false;
      // The last commit's completion was durable before this transaction began: a commit that stands there is this one's.
      if (kept?.state === "PrepareCommit" && transaction.metadata.state === "Ongoing") {
        transaction.isEnding = true;
        this.#coordinator.apply(transaction, { ...kept, partitions: transaction.metadata.partitions });
        this.#ending.committed += 1;
        await this.#ending.finish(transaction);
      }
    }
    if (!isSame(kept, transaction.metadata)) await (await this.#log.write(transaction.id, transaction.metadata))();
    this.#ending.mended(transaction);
  }

  #told(partition: number, error: unknown): void {
    this.#house.events.emit("book.rebuilt", { partition: { topic: TRANSACTIONS_TOPIC, partition }, error });
  }
}

function isSame(kept: TransactionMetadata | undefined, known: TransactionMetadata): boolean {
  return (
    kept?.producerId === known.producerId &&
    kept.producerEpoch === known.producerEpoch &&
    kept.state === known.state &&
    kept.lastUpdateMs === known.lastUpdateMs &&
    kept.partitions.length === known.partitions.length
  );
}

async function inParallel<Item>(items: readonly Item[], call: (item: Item) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await call(item);
  };
  await Promise.all(Array.from({ length: ENDINGS_AT_ONCE }, worker));
}
