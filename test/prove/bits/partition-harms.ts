/** Coarser harm to one partition: sectors spoilt, doubled and swapped, files cut, gone, exchanged, or from an older backup. */
import { OdradekError } from "../../../src/base/errors.ts";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { rig } from "../../log/log-rig.ts";
import type { Failure } from "../prover.ts";
import { ImageStorage } from "./disk-image.ts";
import type { MadePartition } from "./made-partition.ts";
import { Broken, type PartitionTruth, truthOf } from "./partition-truth.ts";

const SECTOR_BYTE_LENGTH = 512;

/** One harm, in words, and whether the log may seem to end earlier after it: where even our own note of its end is an older one. */
interface Harm {
  readonly what: string;
  readonly mayEndEarlier: boolean;
}

export interface HarmsResult {
  harms: number;
  failures: Failure[];
}

export async function harmPartition(made: MadePartition, count: number, random: SeededRandom): Promise<HarmsResult> {
  const storage = new ImageStorage(made.image);
  const pristine = await openAs(made, storage, { readOnly: true, cleanShutdown: true });
  const truth = await truthOf(pristine, made.image);
  await pristine.close(false);
  const result: HarmsResult = { harms: 0, failures: [] };
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    for (let done = 0; done < count && result.failures.length < 5; done += 1) {
      const harm = harmOne(made, storage, random);
      const ways = { readOnly: random.chance(0.6), cleanShutdown: random.chance(0.7) };
      const what = `${harm.what} in a partition (${made.shape}) opened to be ${ways.readOnly ? "read" : "written"}, ${ways.cleanShutdown ? "with" : "without"} the marker`;
      try {
        await look(made, storage, truth, ways, harm, what);
      } catch (error) {
        result.failures.push(
          error instanceof Broken ? { breach: error.breach, what: error.message } : { breach: "other", what: `${what}: ${String(error)}` },
        );
      }
      result.harms += 1;
      storage.reset();
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return result;
}

async function look(
  made: MadePartition,
  storage: ImageStorage,
  truth: PartitionTruth,
  ways: { readonly readOnly: boolean; readonly cleanShutdown: boolean },
  harm: Harm,
  what: string,
): Promise<void> {
  let log: PartitionLog;
  try {
    log = await openAs(made, storage, ways);
  } catch (error) {
    if (error instanceof OdradekError) return;
    throw error;
  }
  await assertNothingWrong(log, truth, harm.mayEndEarlier, what);
  if (ways.readOnly) return await log.close(false);
  await log.close(true).catch((error: unknown) => {
    if (!(error instanceof OdradekError)) throw error;
  });
  // What an opening made of the harm, and the close after it, makes nothing good that is not.
  const again = await openAs(made, storage, { readOnly: true, cleanShutdown: true }).catch((error: unknown) => {
    if (error instanceof OdradekError) return null;
    throw error;
  });
  if (again === null) return;
  await assertNothingWrong(again, truth, harm.mayEndEarlier, `${what}, closed and opened again`);
  await again.close(false);
}

/** Each batch is given as it was written, or refused with a typed error. */
async function assertNothingWrong(log: PartitionLog, truth: PartitionTruth, mayEndEarlier: boolean, what: string): Promise<void> {
  const { logEndOffset } = log.watermarks;
  if (logEndOffset < truth.logEndOffset && !mayEndEarlier)
    throw new Broken("lost", `${what}: expected the log to end at ${truth.logEndOffset}, found ${logEndOffset}`);
  for (const [index, { baseOffset }] of truth.batches.entries()) {
    const offset = Math.max(baseOffset, truth.logStartOffset);
    if (offset < log.watermarks.logStartOffset || offset >= logEndOffset) continue;
    let bytes: Uint8Array;
    try {
      bytes = await log.read(offset, 1);
    } catch (error) {
      if (error instanceof OdradekError) continue;
      throw error;
    }
    const [start, end] = [truth.starts[index] as number, truth.starts[index + 1] as number];
    if (bytes.length === 0) throw new Broken("hole", `${what}: a read at ${offset} found nothing, with ${logEndOffset} the end`);
    if (truth.bytes.compare(bytes, 0, bytes.length, start, end) !== 0)
      throw new Broken(
        "undetectedFlip",
        `${what}: a read at ${offset} gave ${bytes.length} bytes for good that are not the batch written there`,
      );
  }
}

async function openAs(
  made: MadePartition,
  storage: ImageStorage,
  ways: { readonly readOnly: boolean; readonly cleanShutdown: boolean },
): Promise<PartitionLog> {
  const { context, spec } = rig(storage, { ...made.options, ...ways });
  return await PartitionLog.open(context, spec);
}

type HarmKind = (made: MadePartition, storage: ImageStorage, random: SeededRandom) => Harm | null;

const KINDS: readonly HarmKind[] = [spoilSector, spoilSector, doubleSector, exchangeFiles, cutFile, olderFiles, removeFile];

function harmOne(made: MadePartition, storage: ImageStorage, random: SeededRandom): Harm {
  for (;;) {
    const harm = random.pick(KINDS)(made, storage, random);
    if (harm !== null) return harm;
    storage.reset();
  }
}

/** Files are harmed in proportion to their number, logs twice as often. */
function anyFile(made: MadePartition, random: SeededRandom): string {
  const files = [...made.image.keys()].filter((file) => (made.image.get(file) as Uint8Array).length > 0);
  return random.pick([...files, ...files.filter((file) => file.endsWith(".log"))]);
}

function changed(storage: ImageStorage, file: string, bytes: Uint8Array): void {
  storage.put(file, bytes);
}

/** A run of bytes within a sector: flipped here and there, zeros, ones, or garbage. */
function spoilSector(made: MadePartition, storage: ImageStorage, random: SeededRandom): Harm {
  const file = anyFile(made, random);
  const bytes = (made.image.get(file) as Uint8Array).slice();
  const from = random.integer(0, bytes.length);
  const to = Math.min(
    bytes.length,
    from - (from % SECTOR_BYTE_LENGTH) + SECTOR_BYTE_LENGTH,
    from + random.pick([2, 8, 64, SECTOR_BYTE_LENGTH]),
  );
  const how = random.pick(["flipped here and there", "zeroed", "set", "made garbage"] as const);
  for (let at = from; at < to; at += 1) {
    const old = bytes[at] as number;
    bytes[at] =
      how === "zeroed" ? 0 : how === "set" ? 255 : how === "made garbage" ? random.integer(0, 256) : old ^ (1 << random.integer(0, 8));
  }
  changed(storage, file, bytes);
  return { what: `bytes ${from} to ${to} of ${file} ${how}`, mayEndEarlier: false };
}

/** A sector that was written to a second place, too, or to that instead of its own. */
function doubleSector(made: MadePartition, storage: ImageStorage, random: SeededRandom): Harm | null {
  const file = anyFile(made, random);
  const source = made.image.get(random.chance(0.6) ? file : anyFile(made, random)) as Uint8Array;
  const bytes = (made.image.get(file) as Uint8Array).slice();
  const unit = random.pick([64, 128, SECTOR_BYTE_LENGTH]);
  const from = random.integer(0, Math.ceil(source.length / unit)) * unit;
  const to = random.integer(0, Math.ceil(bytes.length / unit)) * unit;
  const sector = source.subarray(from, from + Math.min(unit, bytes.length - to));
  bytes.set(sector, to);
  changed(storage, file, bytes);
  return { what: `bytes ${from} to ${from + sector.length} written at ${to} of ${file}`, mayEndEarlier: false };
}

/** Two files of one kind under each other's names. */
function exchangeFiles(made: MadePartition, storage: ImageStorage, random: SeededRandom): Harm | null {
  const file = anyFile(made, random);
  const kind = file.slice(file.lastIndexOf("."));
  const others = [...made.image.keys()].filter((other) => other !== file && other.endsWith(kind));
  if (others.length === 0) return null;
  const other = random.pick(others);
  changed(storage, file, made.image.get(other) as Uint8Array);
  changed(storage, other, made.image.get(file) as Uint8Array);
  return { what: `${file} and ${other} exchanged`, mayEndEarlier: false };
}

function cutFile(made: MadePartition, storage: ImageStorage, random: SeededRandom): Harm {
  const file = anyFile(made, random);
  const bytes = made.image.get(file) as Uint8Array;
  const byteLength = random.integer(0, bytes.length);
  changed(storage, file, bytes.subarray(0, byteLength));
  // Without a note of ours the log is whatever there is of it.
  return { what: `${file} cut to ${byteLength} bytes`, mayEndEarlier: false };
}

function removeFile(made: MadePartition, storage: ImageStorage, random: SeededRandom): Harm {
  const file = anyFile(made, random);
  storage.put(file, null);
  // Without the state the log is whatever stands in the directory, and all of that stands.
  return { what: `${file} removed`, mayEndEarlier: false };
}

/** Half a backup: some files as they were before, those of the moment gone or left. */
function olderFiles(made: MadePartition, storage: ImageStorage, random: SeededRandom): Harm | null {
  const { older } = made;
  // Compaction writes other bytes for the same offsets, and what is older is then right as well.
  if (older === null || made.sent === null) return null;
  const restored: string[] = [];
  for (const [file, bytes] of older) {
    if (random.chance(0.5)) continue;
    changed(storage, file, bytes);
    restored.push(file);
  }
  if (restored.length === 0) return null;
  const isStateOld = restored.some((file) => file.endsWith("/odradek.state"));
  return { what: `${restored.join(", ")} restored from an older backup`, mayEndEarlier: isStateOld };
}
