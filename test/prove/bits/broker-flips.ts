/** Bits flipped in partitions that a broker wrote: what its checksums cover is told of, and nothing is ever wrong but what they do not cover. */
import { readdirSync, readFileSync } from "node:fs";
import { CorruptionError, OdradekError } from "../../../src/base/errors.ts";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { type RigOptions, rig } from "../../log/log-rig.ts";
import type { Failure } from "../prover.ts";
import { ImageStorage } from "./disk-image.ts";
import { batchEnd } from "./made-partition.ts";
import { Broken, type PartitionTruth, type TrueBatch, truthOf } from "./partition-truth.ts";

const PLACES = [
  [new URL("../../fixtures/golden/data-clean/orders-0/", import.meta.url), "orders", 0],
  [new URL("../../fixtures/broker/data/their-accounts-0/", import.meta.url), "their-accounts", 0],
  [new URL("../../fixtures/broker/data/their-graves-0/", import.meta.url), "their-graves", 0],
  [new URL("../../fixtures/broker/data/their-users-0/", import.meta.url), "their-users", 0],
  [new URL("../../fixtures/broker/data/their-packed-2/", import.meta.url), "their-packed", 2],
  [new URL("../../fixtures/broker/data/__consumer_offsets-42/", import.meta.url), "__consumer_offsets", 42],
] as const;

/** Of the header, what the checksum leaves open and nothing else tells: base offset and leader epoch. */
const isOpenByte = (at: number): boolean => at < 8 || (at >= 12 && at < 16);

export interface BrokerResult {
  flips: number;
  unseen: number;
  failures: Failure[];
}

export async function flipBrokers(count: number, random: SeededRandom): Promise<BrokerResult> {
  const [url, topic, partition] = random.pick(PLACES);
  const directory = `${topic}-${partition}`;
  const image = new Map(readdirSync(url).map((name) => [`${directory}/${name}`, new Uint8Array(readFileSync(new URL(name, url)))]));
  const topicId = /topic_id: (.*)$/.exec(new TextDecoder().decode(image.get(`${directory}/partition.metadata`)))?.[1] ?? "";
  const options: RigOptions = { topic, directory, topicId, frozen: true, cleanShutdown: true };
  const storage = new ImageStorage(image);
  const made = rig(storage, options);
  const pristine = await PartitionLog.open(made.context, { ...made.spec, partition });
  const truth = await truthOf(pristine, image);
  await pristine.close(false);
  // As the broker's own checkpoint says after a clean stop.
  const spec = { ...made.spec, partition, checkpoint: { recoveryPoint: truth.logEndOffset, logStartOffset: null } };
  // What a broker was about to delete is nothing that is read.
  const files = [...image].filter(([file, bytes]) => bytes.length > 0 && !/\.deleted$|partition\.metadata$/.test(file));
  const bitCount = files.reduce((sum, [, bytes]) => sum + bytes.length * 8, 0);
  const result: BrokerResult = { flips: 0, unseen: 0, failures: [] };
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    for (let flip = random.integer(0, bitCount); result.flips < count && result.failures.length < 5; flip = (flip + 1) % bitCount) {
      let bit = flip;
      let index = 0;
      for (; bit >= (files[index] as [string, Uint8Array])[1].length * 8; index += 1)
        bit -= (files[index] as [string, Uint8Array])[1].length * 8;
      const [file] = files[index] as [string, Uint8Array];
      const what = `bit ${bit & 7} of byte ${bit >>> 3} of ${file} flipped in what a broker wrote`;
      storage.flip(file, bit);
      try {
        const log = await PartitionLog.open(made.context, spec);
        if (!(await isSeen(log, truth, file, bit, what))) result.unseen += 1;
        await log.close(false);
        if (storage.wasWritten) throw new Broken("other", `${what}: nothing of another writer's is changed, and something was written`);
      } catch (error) {
        result.failures.push(
          error instanceof Broken ? { breach: error.breach, what: error.message } : { breach: "other", what: `${what}: ${String(error)}` },
        );
      }
      storage.reset();
      result.flips += 1;
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return result;
}

/** Reads each batch by its offset; answers whether anything was refused, or every answer was what it was. Throws `Broken` for any other byte. */
async function isSeen(log: PartitionLog, truth: PartitionTruth, file: string, bit: number, what: string): Promise<boolean> {
  if (log.watermarks.logEndOffset < truth.logEndOffset)
    throw new Broken("lost", `${what}: expected the log to end at ${truth.logEndOffset}, found ${log.watermarks.logEndOffset}`);
  const at = bit >>> 3;
  const hit = truth.batches.find((batch) => batch.file === file && batch.position <= at && at < batch.position + batch.byteLength);
  const isOpen = hit !== undefined && isOpenByte(at - hit.position);
  // Kafka's text without a checksum: batches of another epoch than it gives are refused.
  const isEpochs = file.endsWith("/leader-epoch-checkpoint");
  let isRefused = false;
  let isOther = false;
  for (const [index, batch] of truth.batches.entries()) {
    const [start, end] = [truth.starts[index] as number, truth.starts[index + 1] as number];
    const offset = Math.max(truth.logStartOffset, batch.baseOffset);
    let bytes: Uint8Array;
    try {
      bytes = await log.read(offset, 1);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      isRefused = true;
      const isNear = isEpochs || (hit !== undefined && batch.file === file && (batch === hit || isOpen || mayHide(hit, batch)));
      if (!isNear) throw new Broken("other", `${what}: expected the batch at ${batch.baseOffset} to be readable: ${error.message}`);
      continue;
    }
    if (truth.bytes.compare(bytes, 0, bytes.length, start, end) === 0) continue;
    if (!isOpen || !isSomeBatch(truth, bytes))
      throw new Broken("undetectedFlip", `${what}: a read at ${offset} gave for good ${bytes.length} bytes that nobody wrote`);
    isOther = true;
  }
  if (hit !== undefined) {
    if (!isRefused && !isOther) throw new Broken("undetectedFlip", `${what}: neither told of nor found in what was read`);
    return isRefused;
  }
  return isRefused || (await derivedAreAsBefore(log, truth));
}

/** Behind a batch whose offset or length is another nothing of its segment may be certain: gaps are legal in what a broker cleaned. */
function mayHide(hit: TrueBatch, batch: TrueBatch): boolean {
  return batch.position > hit.position;
}

/** One of the batches that were written, but for the bytes that its checksum leaves open. */
function isSomeBatch(truth: PartitionTruth, bytes: Uint8Array): boolean {
  return truth.batches.some(({ byteLength }, index) => {
    const start = truth.starts[index] as number;
    if (bytes.length !== byteLength || batchEnd(bytes, 0).next !== byteLength) return false;
    for (let at = 0; at < byteLength; at += 1) if (!isOpenByte(at) && truth.bytes[start + at] !== bytes[at]) return false;
    return true;
  });
}

/** A broker's derived files have no checksum of ours: what they say that a batch does not is believed. */
async function derivedAreAsBefore(log: PartitionLog, truth: PartitionTruth): Promise<boolean> {
  if (log.watermarks.lastStableOffset !== truth.lastStableOffset) return false;
  try {
    for (const [timestamp, answer] of truth.times) if (JSON.stringify(await log.offsetForTime(timestamp)) !== answer) return false;
  } catch (error) {
    if (error instanceof OdradekError) return true;
    throw error;
  }
  return true;
}
