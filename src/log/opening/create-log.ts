/** Makes a partition's directory and all that an empty log has in it. */
import { LeaderEpochs } from "../books/leader-epochs.ts";
import { writePartitionMetadata } from "../books/partition-metadata.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import { ProducerSnapshots } from "../producers/producer-snapshots.ts";
import { ProducerTable } from "../producers/producer-table.ts";
import { Segment } from "../segment/segment.ts";
import { PartitionState } from "../state/partition-state.ts";
import { giveBack } from "./give-back.ts";
import { openedBooks } from "./opened-books.ts";
import type { OpenedLog } from "./opened-log.ts";
import { durableFacts } from "./state-facts.ts";

/** A new partition, all of it durable when it resolves. */
export async function createLog(context: LogContext, spec: PartitionSpec): Promise<OpenedLog> {
  const { storage } = context;
  const { directory } = spec;
  await storage.createDirectory(directory);
  // First of all files, and there before any other can be: by its name alone a creation cut short by a crash is known as ours,
  // and not taken for an empty partition that another writer left.
  const state = await PartitionState.load(context, directory, { ...spec, readOnly: false });
  const segments: Segment[] = [];
  try {
    await storage.syncDirectory(directory);
    return await createFiles(context, spec, state, segments);
  } catch (error) {
    await giveBack(segments, state);
    throw error;
  }
}

async function createFiles(context: LogContext, spec: PartitionSpec, state: PartitionState, segments: Segment[]): Promise<OpenedLog> {
  const { storage } = context;
  const { directory } = spec;
  // Each by a name of its own, and all before the state: their flushes need not wait for one another.
  const [, epochs, active] = await allOf([
    writePartitionMetadata(storage, directory, spec.topicId),
    firstEpoch(storage, directory),
    Segment.create(context, directory, 0, spec.config()).then((segment) => {
      segments.push(segment);
      return segment;
    }),
  ]);
  const snapshots = new ProducerSnapshots(context, spec, []);
  const books = openedBooks({ context, spec, snapshots }, segments, new ProducerTable(directory), new Map());
  const log = { context, spec, ...books, epochs, state, logStartOffset: 0, recoveryPoint: 0, nextEpoch: null };
  const writtenAs = spec.config().durability;
  const opened: OpenedLog = { ...log, writtenAs, withoutProducers: true, txnIndex: null, endProblem: null, unreadableFrom: null };
  // The segment is empty and needs no flush of its own; its name and all others become durable with the state's.
  await state.writeDurably(durableFacts(opened, { segment: active, position: 0, offset: 0 }, 0));
  await storage.syncDirectory("");
  active.directoryUnflushed = false;
  return opened;
}

async function firstEpoch(storage: LogContext["storage"], directory: string): Promise<LeaderEpochs> {
  const epochs = await LeaderEpochs.load(storage, directory);
  if (epochs.latest() === null) await epochs.assign(0, 0);
  return epochs;
}

/** Waits for all of them, then throws the first failure: nothing is under way behind an error. */
async function allOf<Works extends readonly unknown[]>(works: { readonly [Index in keyof Works]: Promise<Works[Index]> }): Promise<Works> {
  for (const result of await Promise.allSettled(works)) if (result.status === "rejected") throw result.reason;
  return (await Promise.all(works)) as unknown as Works;
}
