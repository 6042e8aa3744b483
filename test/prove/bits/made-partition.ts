/** Partitions for the flips: of every shape that a log takes, made by the log itself from a seed, and closed in order. */
import type { TopicConfig } from "../../../src/api/topic.ts";
import { CODECS } from "../../../src/base/record-batch.ts";
import type { CodecName } from "../../../src/compression/compression.ts";
import { batchByteLengthAt, lastOffsetAt, readInt64, viewOf } from "../../../src/log/batch/batch-header.ts";
import type { PartitionLog } from "../../../src/log/partition-log.ts";
import { memory } from "../../../src/storage/memory.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { core, created, NOW_MS, opened, type RigOptions, rig } from "../../log/log-rig.ts";
import { type DiskImage, imageOf } from "./disk-image.ts";

export const DIRECTORY = "orders-0";

export interface MadePartition {
  readonly shape: string;
  readonly options: RigOptions;
  readonly image: DiskImage;
  /** Never compacted: every offset from the log start on was sent, and these are the batches. null: compaction took some of them. */
  readonly sent: readonly Uint8Array[] | null;
  /** The same directory, closed in order some batches before; null: no backup was taken. */
  readonly older: DiskImage | null;
  /** Never closed: left as a killed process leaves it. */
  readonly isKilled: boolean;
  /** An offset below which all was durable when the image was taken; the log end of what was closed. */
  readonly durableEnd: number;
}

const text = new TextEncoder();

/** The epoch rises with each opening after an unclean end. */
async function again(log: PartitionLog, storage: ReturnType<typeof memory>, options: RigOptions, isClean: boolean): Promise<PartitionLog> {
  await log.close(isClean);
  return (await opened(storage, { ...options, cleanShutdown: isClean })).log;
}

/** A few hundred to a few thousand bytes of log. */
export async function madePartition(random: SeededRandom): Promise<MadePartition> {
  const compacts = random.chance(0.3);
  const isKilled = random.chance(0.12);
  const segmentBytes = random.pick([330, 450, 1_000_000, 1_000_000]);
  const config: Partial<TopicConfig> = {
    cleanupPolicy: compacts ? "compact" : "delete",
    durability: random.chance(0.2) ? "os" : "sync",
    segmentBytes,
    indexIntervalBytes: random.pick([1, 100, 300, 4096]),
    preallocate: segmentBytes < 1000 && random.chance(0.2),
    maxMessageBytes: 4000,
  };
  const clock = new ManualClock(NOW_MS);
  const options: RigOptions = { config, clock, cleanShutdown: true };
  const storage = memory();
  let { log } = await created(storage, options);
  const { compression } = rig(storage, options).context;
  const sent: Uint8Array[] = [];
  const codec = random.pick(CODECS.filter((each) => each === "none" || compression.canCompress(each)));
  const sequences = new Map<number, number>();
  const open = new Set<number>();
  const steps = random.integer(3, 9);
  let older: DiskImage | null = null;
  const isTransactional = random.chance(0.4);
  const isIdempotent = isTransactional || random.chance(0.5);
  for (let step = 0; step < steps; step += 1) {
    await clock.advance(random.integer(0, 50));
    const producer = random.integer(1, 3);
    if (isTransactional && open.has(producer) && random.chance(0.5)) {
      const marker = { producerId: BigInt(producer), producerEpoch: 0, coordinatorEpoch: 1, commit: random.chance(0.5) };
      const { lastOffset } = await log.appendMarker(marker);
      await log.flush();
      sent.push(await log.read(lastOffset, 1));
      open.delete(producer);
      continue;
    }
    const recordCount = random.integer(1, 4);
    const { writer } = core;
    const transactional = isTransactional && random.chance(0.7);
    const baseSequence = sequences.get(producer) ?? 0;
    writer.begin(
      isIdempotent
        ? { producerId: BigInt(producer), producerEpoch: 0, baseSequence, transactional: transactional || open.has(producer) }
        : { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false },
    );
    for (let record = 0; record < recordCount; record += 1) {
      const key = compacts || random.chance(0.6) ? text.encode(`k${random.integer(0, 5)}`) : null;
      const value = key !== null && random.chance(0.15) ? null : text.encode(`v${step}.${record} ${"x".repeat(random.integer(0, 40))}`);
      const headers = random.chance(0.2) ? [[text.encode("h"), random.chance(0.5) ? null : text.encode("1")] as const] : null;
      writer.append(key, value, headers, clock.now() - random.integer(0, 30));
    }
    if (isIdempotent) sequences.set(producer, baseSequence + recordCount);
    if (isIdempotent && transactional) open.add(producer);
    let batch = writer.finish().slice();
    if (codec !== "none" && random.chance(0.6)) batch = compression.compressBatch(batch, codec as CodecName);
    const maxTimestamp = readInt64(viewOf(batch), 35);
    await log.append(batch, { recordCount, maxTimestamp });
    await log.flush();
    sent.push(batch);
    if (older === null && random.chance(0.25)) {
      await log.close(true);
      older = await imageOf(storage);
      ({ log } = await opened(storage, options));
    }
    if (random.chance(0.08)) log = await again(log, storage, options, random.chance(0.5));
    if (random.chance(0.05)) await log.deleteRecordsBefore(random.integer(0, log.watermarks.highWatermark));
    if (compacts && random.chance(0.15)) await compact(log);
  }
  if (compacts && random.chance(0.8)) await compact(log);
  if (random.chance(0.3)) await log.applyRetention();
  // Of a process that is killed while it seals, only the batches' own checksums stand between a flip and a reader: not shown here.
  if (isKilled || random.chance(0.5)) await log.sealUnsealed();
  const shape = [
    compacts ? "compacted" : "plain",
    config.durability,
    `segments of ${segmentBytes}`,
    `an index entry every ${config.indexIntervalBytes}`,
    codec,
    isTransactional ? "transactions" : isIdempotent ? "sequences" : "no producers",
    isKilled ? "left open" : "closed",
  ].join(", ");
  // Left as a killed process leaves it: all of it handed to the system, and the end noted.
  const image = isKilled ? await imageOf(storage) : null;
  const durableEnd = log.watermarks.logEndOffset;
  await log.close(true);
  return { shape, options, image: image ?? (await imageOf(storage)), older, isKilled, sent: compacts ? null : sent, durableEnd };
}

async function compact(log: PartitionLog): Promise<void> {
  await log.compact({ dedupeBufferByteLength: 1 << 16 });
}

/** Batches over several blocks of a seal: a few flips of it stand for many. */
export async function widePartition(random: SeededRandom): Promise<MadePartition> {
  const compacts = random.chance(0.5);
  const config: Partial<TopicConfig> = {
    cleanupPolicy: compacts ? "compact" : "delete",
    segmentBytes: random.pick([150_000, 10_000_000]),
    indexIntervalBytes: 4096,
  };
  const options: RigOptions = { config, cleanShutdown: true };
  const storage = memory();
  const { log } = await created(storage, options);
  const sent: Uint8Array[] = [];
  for (let byteLength = 0; byteLength < 220_000; ) {
    core.writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
    core.writer.append(text.encode(`k${random.integer(0, 8)}`), random.bytes(random.pick([50, 3000, 9000, 20_000])), null, NOW_MS);
    const batch = core.writer.finish().slice();
    await log.append(batch, { recordCount: 1, maxTimestamp: NOW_MS });
    await log.flush();
    sent.push(batch);
    byteLength += batch.length;
  }
  const durableEnd = log.watermarks.logEndOffset;
  if (compacts) await compact(log);
  await log.close(true);
  return {
    shape: `wide, ${compacts ? "compacted" : "plain"}`,
    options,
    image: await imageOf(storage),
    older: null,
    isKilled: false,
    sent: compacts ? null : sent,
    durableEnd,
  };
}

export function batchEnd(
  bytes: Uint8Array,
  at: number,
): { readonly next: number; readonly lastOffset: number; readonly baseOffset: number } {
  const view = viewOf(bytes);
  return { next: at + batchByteLengthAt(view, at), lastOffset: lastOffsetAt(view, at), baseOffset: readInt64(view, at) };
}
