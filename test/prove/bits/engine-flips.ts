/** Bits flipped anywhere in a whole data directory: the engine opened on it, and everything that a program can learn asked. */
import type { Odradek } from "../../../src/api/odradek.ts";
import type { StorageDriver } from "../../../src/api/storage-driver.ts";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { CorruptionError, OdradekError } from "../../../src/base/errors.ts";
import { utf8 } from "../../../src/base/serdes/utf8.ts";
import { nodeCodecs } from "../../../src/compression/node-codecs.ts";
import { openOn } from "../../../src/open.ts";
import { memory } from "../../../src/storage/memory.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Failure } from "../prover.ts";
import { type DiskImage, ImageStorage, imageOf } from "./disk-image.ts";
import { Broken, batchesIn } from "./partition-truth.ts";

const MARKER = ".kafka_cleanshutdown";
const NOW_MS = Date.UTC(2020, 5, 1);
const TOPICS = ["keyed", "plain"] as const;
const text = { key: utf8, value: utf8 };

/** The wall stands still, so that a seed makes the same bytes; timers are the system's. */
const clock: Clock = {
  now: () => NOW_MS,
  monotonic: () => systemClock.monotonic(),
  after: (delayMs, call, keepAlive) => systemClock.after(delayMs, call, keepAlive),
};
const holder = { pid: 1, runtime: "prover", version: "0", since: "", argv: [], hostname: "" };

async function openLog(storage: StorageDriver, seed: number, readOnly: boolean, heard: string[] = []): Promise<Odradek> {
  const open = openOn({
    clock,
    random: new SeededRandom(seed),
    storageAt: () => storage,
    holder: () => holder,
    publish: undefined,
    codecs: nodeCodecs(),
    wasm: undefined,
  });
  return await open({ storage, readOnly, onEvent: ({ type }) => void heard.push(type) });
}

/** A keyed topic after compaction, a plain one, transactions of both kinds in both, and a group moved on by them. */
async function madeDirectory(random: SeededRandom): Promise<DiskImage> {
  const storage = memory();
  const log = await openLog(storage, random.integer(0, 2 ** 31), false);
  await log.createTopic("keyed", { cleanupPolicy: "compact", segmentBytes: 500, minCleanableDirtyRatio: 0 });
  await log.createTopic("plain", { segmentBytes: random.pick([400, 100_000]), compressionType: random.pick(["producer", "lz4", "gzip"]) });
  // There is a group, whether or not a transaction moves it on.
  await log.resetOffsets("g", "plain", [{ topic: "plain", partition: 0, nextOffset: 0 }]);
  const producer = log.producer({ ...text, transactionalId: "t" });
  const consumer = log.consumer({ ...text, groupId: "g", enableAutoCommit: false });
  await consumer.assign([{ topic: "plain", partition: 0 }]);
  const rounds = random.integer(3, 6);
  for (let round = 0; round < rounds; round += 1) {
    const aborts = round % 3 === 1;
    const body = producer.transaction(async (tx) => {
      await tx.send({ topic: "keyed", key: `k${round % 2}`, value: `keyed ${round}`.padEnd(random.integer(8, 60), "+") });
      await tx.send({ topic: "plain", key: null, value: `plain ${round}`, headers: [["h", new Uint8Array([round])]] });
      tx.commitOffsets(consumer);
      if (aborts) throw new Error("taken back");
    });
    await body.catch((error: Error) => {
      if (error.message !== "taken back") throw error;
    });
    if (!aborts) await consumer.poll({ timeoutMs: 1000 });
    if (round === 3) await log.maintain();
  }
  await producer.close();
  await consumer.close();
  await log.close();
  return await imageOf(storage);
}

/** Records by topic and offset, ends by topic, and the group's offset. "": refused. */
interface Answers {
  readonly records: ReadonlyMap<string, string>;
  readonly ends: ReadonlyMap<string, string>;
  readonly group: string;
  /** Messages of what was refused, and the types of events. */
  readonly refusals: readonly string[];
  readonly heard: readonly string[];
}

async function answersOf(log: Odradek, heard: readonly string[]): Promise<Answers> {
  const records = new Map<string, string>();
  const ends = new Map<string, string>();
  const refusals: string[] = [];
  const told = (error: unknown): string => {
    if (!(error instanceof OdradekError)) throw error;
    refusals.push(error.message);
    return "";
  };
  for (const topic of TOPICS) {
    const { partitions } = await log.describeTopic(topic);
    const { logStartOffset = -1, lastStableOffset = -1, logEndOffset = -1 } = partitions[0] ?? {};
    ends.set(topic, `${logStartOffset} to ${logEndOffset}, stable to ${lastStableOffset}`);
    const consumer = log.consumer({ ...text });
    await consumer.assign([{ topic, partition: 0 }]);
    for (let isOver = false; !isOver; ) {
      try {
        for await (const record of consumer.records({ until: "end" }))
          records.set(`${topic} ${record.offset}`, `${record.key} ${record.value} ${record.timestamp} ${record.headers?.length ?? 0}`);
        isOver = true;
      } catch (error) {
        told(error);
        const next = error instanceof CorruptionError ? error.nextReadableOffset : null;
        if (next === null || refusals.length > 50) isOver = true;
        else consumer.seek({ topic, partition: 0 }, next);
      }
    }
    await consumer.close();
  }
  const group = await log
    .describeGroup("g")
    .then(({ offsets }) => offsets.map(({ topic, partition, nextOffset }) => `${topic}-${partition}: ${nextOffset}`).join(", "), told);
  return { records, ends, group, refusals, heard };
}

export interface EngineResult {
  flips: number;
  failures: Failure[];
}

export async function flipEngine(count: number, random: SeededRandom): Promise<EngineResult> {
  const image = await madeDirectory(random.fork());
  const storage = new ImageStorage(image);
  const pristine = await openLog(storage, 1, true);
  const truth = await answersOf(pristine, []);
  await pristine.close();
  if (truth.refusals.length > 0) throw new Error(`an untouched directory refuses: ${truth.refusals[0]}`);
  const result: EngineResult = { flips: 0, failures: [] };
  const targets = [...image].flatMap(([file, bytes]) => (bytes.length === 0 || file === ".odradek-lock" ? [] : [[file, bytes] as const]));
  for (; result.flips < count && result.failures.length < 5; result.flips += 1) {
    // Files in turn: of the books there are few, and most bits lie in logs.
    const [file, bytes] = random.pick(targets);
    let at = random.integer(0, bytes.length);
    // A state's pages are mostly empty.
    if (file.endsWith("odradek.state") && random.chance(0.9)) at = random.pick([0, 4096]) + random.integer(0, 256);
    const bit = Math.min(at, bytes.length - 1) * 8 + random.integer(0, 8);
    const ways = { readOnly: random.chance(0.5), isMarked: random.chance(0.75), appends: random.chance(0.3) };
    const what = `bit ${bit & 7} of byte ${bit >>> 3} of ${file} flipped in a data directory opened to be ${ways.readOnly ? "read" : ways.appends ? "appended to" : "written"}, ${ways.isMarked ? "with" : "without"} the marker of a clean shutdown`;
    storage.flip(file, bit);
    if (!ways.isMarked) storage.put(MARKER, null);
    try {
      await look(storage, truth, image, file, bit, ways, what);
    } catch (error) {
      result.failures.push(
        error instanceof Broken ? { breach: error.breach, what: error.message } : { breach: "other", what: `${what}: ${String(error)}` },
      );
    }
    storage.reset();
  }
  return result;
}

async function look(
  storage: ImageStorage,
  truth: Answers,
  image: DiskImage,
  file: string,
  bit: number,
  ways: { readonly readOnly: boolean; readonly isMarked: boolean; readonly appends: boolean },
  what: string,
): Promise<void> {
  const heard: string[] = [];
  const opened = await openOrRefusal(storage, ways.readOnly, heard);
  if (opened instanceof OdradekError) {
    // The engine's own books are refused as a whole, and left as they are.
    if (file !== "odradek.json" || opened.code !== "BOOK_CORRUPT") throw new Broken("other", `${what}: it did not open: ${opened.message}`);
    return;
  }
  const answers = await answersOf(opened, heard);
  assertSame(truth, answers, image, file, bit, ways.isMarked, what);
  if (!ways.readOnly && ways.appends) {
    const producer = opened.producer({ ...text, enableIdempotence: false });
    const sent = await producer.send({ topic: "plain", key: null, value: "after" }).catch((error: unknown) => {
      if (error instanceof OdradekError) return null;
      throw error;
    });
    const end = Number(/ to (\d+),/.exec(truth.ends.get("plain") ?? "")?.[1]);
    if (sent !== null && sent.offset < end)
      throw new Broken("undetectedFlip", `${what}: a send got offset ${sent.offset}, with ${end} the end before`);
  }
  await opened.close().catch((error: unknown) => {
    if (!(error instanceof OdradekError)) throw error;
  });
  if (ways.readOnly) {
    if (storage.wasWritten) throw new Broken("other", `${what}: opened to be read, and something was written`);
    return;
  }
  if (ways.appends) return;
  const later: string[] = [];
  const again = await openLog(storage, 2, true, later);
  assertSame(truth, await answersOf(again, later), image, file, bit, ways.isMarked, `${what}, closed and opened again`);
  await again.close();
}

async function openOrRefusal(storage: StorageDriver, readOnly: boolean, heard: string[]): Promise<Odradek | OdradekError> {
  try {
    return await openLog(storage, 2, readOnly, heard);
  } catch (error) {
    if (error instanceof OdradekError) return error;
    throw error;
  }
}

/** Whatever was answered is as before; what was not was told of, and lies where the flip is. */
function assertSame(truth: Answers, found: Answers, image: DiskImage, file: string, bit: number, isMarked: boolean, what: string): void {
  const may = mayMiss(image, file, bit, isMarked);
  for (const [place, record] of found.records)
    if (truth.records.get(place) !== record)
      throw new Broken("undetectedFlip", `${what}: expected at ${place} ${truth.records.get(place) ?? "nothing"}, found ${record}`);
  for (const place of truth.records.keys())
    if (!found.records.has(place)) {
      if (!may.records(place))
        throw new Broken("lost", `${what}: the record at ${place} is not there (${found.refusals[0] ?? "nothing was refused"})`);
      if (found.refusals.length === 0) throw new Broken("hole", `${what}: the record at ${place} is not there, and nobody was told`);
    }
  for (const [topic, ends] of truth.ends) {
    const [expected, seen] = [ends, found.ends.get(topic)].map((each) => / to (\d+),/.exec(each ?? "")?.[1]);
    if (seen !== expected) throw new Broken("lost", `${what}: expected ${topic} to hold offsets ${ends}, found ${found.ends.get(topic)}`);
  }
  if (found.group === truth.group) return;
  // What is damaged there is delivered again: offsets go back, never on, and it is told.
  const [before, after] = [truth.group, found.group].map((each) => Number(/: (\d+)/.exec(each)?.[1] ?? 0)) as [number, number];
  if (may.group && after <= before && found.heard.includes("book.rebuilt")) return;
  throw new Broken(
    "lost",
    `${what}: expected the group's offsets ${truth.group}, found ${found.group === "" ? found.refusals.at(-1) : found.group}`,
  );
}

function mayMiss(
  image: DiskImage,
  file: string,
  bit: number,
  isMarked: boolean,
): { readonly records: (place: string) => boolean; readonly group: boolean } {
  const directory = file.slice(0, file.indexOf("/"));
  const topic = directory.slice(0, directory.lastIndexOf("-"));
  const group = topic === "__consumer_offsets" && (file.endsWith(".log") || (file.endsWith("leader-epoch-checkpoint") && !isMarked));
  if (file.endsWith("leader-epoch-checkpoint") && !isMarked) return { records: (place) => place.startsWith(`${topic} `), group };
  if (!file.endsWith(".log")) return { records: () => false, group };
  const all = [...batchesIn(file, image.get(file) as Uint8Array)];
  // In a segment that may have gaps the seal's block is what is refused: here all of it.
  const near =
    topic === "plain" ? all.filter(({ position, byteLength }) => position <= bit >>> 3 && bit >>> 3 < position + byteLength) : all;
  const isNear = (offset: number): boolean => near.some(({ baseOffset, lastOffset }) => baseOffset <= offset && offset <= lastOffset);
  return { records: (place) => place.startsWith(`${topic} `) && isNear(Number(place.slice(topic.length + 1))), group };
}
