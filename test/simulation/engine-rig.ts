/** The whole engine on a storage that notes every call, and may stop the machine at one of them. */
import type { OdradekEvent } from "../../src/api/odradek.ts";
import type { StorageDriver, StorageFile } from "../../src/api/storage-driver.ts";
import type { TopicConfig } from "../../src/api/topic.ts";
import { batchByteLengthAt } from "../../src/base/record-batch.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import { nodeCodecs } from "../../src/compression/node-codecs.ts";
import type { Core } from "../../src/core/core.ts";
import { loadCore } from "../../src/core/load-core.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/start-engine.ts";
import { Gate } from "../../src/storage/gate.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";

/** More runs of every simulation of the engine, for a night. */
export const SIM_SCALE: number = Number(process.env["ODRADEK_SIM_SCALE"] ?? 1);

export const NOW_MS: number = Date.UTC(2020, 5, 1);

/** Segments of a few batches, so that a handful of records rolls. */
export const SMALL: Partial<TopicConfig> = {
  segmentBytes: 600,
  indexIntervalBytes: 100,
  maxMessageBytes: 400,
  retentionMs: Number.POSITIVE_INFINITY,
};

const holder = { pid: 1, runtime: "simulation", version: "0", since: "", argv: [], hostname: "" };
const text = new TextEncoder();
const codecs = nodeCodecs();
let sharedCore: Promise<Core> | undefined;

export interface Life {
  readonly engine: Engine;
  readonly clock: ManualClock;
  readonly events: OdradekEvent[];
}

/** `dedupeBufferByteLength`: of the cleaner's offset map; small ones take several passes. */
/** As the process has them; a gate of its own, since a flush of another test's log would change the order of an engine's calls. */
const SYNCS_IN_FLIGHT = 3;

export interface RigOptions {
  readonly startMs?: number;
  readonly dedupeBufferByteLength?: number;
  readonly readOnly?: boolean;
}

export async function openEngine(storage: StorageDriver, seed: number | string = 1, rig: RigOptions = {}): Promise<Life> {
  const clock = new ManualClock(rig.startMs ?? NOW_MS);
  const events: OdradekEvent[] = [];
  // Its calls never nest: one serves all engines of a process, and thousands open in a second.
  sharedCore ??= loadCore();
  const wiring = {
    clock,
    random: new SeededRandom(seed),
    publish: undefined,
    holder,
    codecs,
    core: await sharedCore,
    syncGate: new Gate(SYNCS_IN_FLIGHT),
  };
  const engine = await startEngine(wiring, storage, {
    readOnly: rig.readOnly ?? false,
    lock: "auto",
    allowNetworkFileSystem: false,
    offsetsFlushMs: 100,
    maxUnflushedBytes: 500,
    topicDefaults: SMALL,
    onEvent: (event) => void events.push(event),
    logCleanerDedupeBufferSize: rig.dedupeBufferByteLength,
  });
  return { engine, clock, events };
}

const CODECS = ["lz4", "snappy", "gzip"] as const;

/** Resolves with the base offset when acknowledged. The write has begun when it returns. By what it holds, a batch is compressed or not. */
export async function produce({ engine, clock }: Life, topic: string, partition: number, values: readonly string[]): Promise<number> {
  const { writer } = engine.core;
  writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
  for (const value of values) writer.append(null, text.encode(value), null, clock.now());
  const batch = writer.finish();
  const codec = CODECS[values.reduce((sum, value) => sum + value.length, values.length) % 4];
  const closed = codec === undefined ? batch : engine.compression.compressBatch(batch, codec);
  // Of what is close to the topic's bound only the plain form keeps to it.
  const isClosed = closed.length <= Math.max(batch.length, 200);
  return (await engine.produce({ topic, partition, batch: isClosed ? closed : batch, acks: "all" })).baseOffset;
}

export function commit(life: Life, groupId: string, topic: string, partition: number, nextOffset: number, durable: boolean): Promise<void> {
  const offsets = [{ topic, partition, nextOffset, leaderEpoch: -1, metadata: "" }];
  const request = { groupId, memberId: "", groupInstanceId: null, generation: -1, durable, offsets };
  return life.engine.offsetCommit(request).then(([answer]) => {
    if (answer?.fault) throw Object.assign(new Error(answer.fault.message), { code: answer.fault.code });
  });
}

export interface Found {
  readonly logStart: number;
  readonly logEnd: number;
  /** From the log start on. */
  readonly records: readonly { readonly offset: number; readonly value: string }[];
}

/** All that a reader is given of a partition. Throws the partition's fault. */
export async function readPartition({ engine }: Life, topic: string, partition: number): Promise<Found> {
  const listed = await engine.listOffsets({ partitions: [{ topic, partition, at: "earliest" }], isolation: "readUncommitted" });
  const { fault, watermarks } = listed[0]!;
  if (fault !== null) throw new Error(`${topic}-${partition}: ${fault.code}: ${fault.message}`);
  const { logStartOffset, highWatermark, logEndOffset } = watermarks;
  const records: { offset: number; value: string }[] = [];
  for (let offset = logStartOffset; offset < highWatermark; ) {
    const wanted = [{ topic, partition, offset, maxBytes: 700 }];
    const answer = (await engine.fetch({ partitions: wanted, minBytes: 0, maxWaitMs: 0, maxBytes: 700, isolation: "readUncommitted" }))
      .partitions[0]!;
    if (answer.fault !== null) throw new Error(`${topic}-${partition} at ${offset}: ${answer.fault.code}: ${answer.fault.message}`);
    if (answer.batches.length === 0) throw new Error(`${topic}-${partition}: nothing at ${offset}, the high watermark is ${highWatermark}`);
    for (let at = 0; at < answer.batches.length; at += batchByteLengthAt(answer.batches, at)) {
      const batch = engine.compression.decompressBatch(answer.batches.subarray(at, at + batchByteLengthAt(answer.batches, at)));
      const cursor = new RecordCursor(batch);
      while (cursor.next()) {
        const value = new TextDecoder().decode(batch.subarray(cursor.valueStart, cursor.valueStart + cursor.valueLength));
        if (cursor.offset >= logStartOffset) records.push({ offset: cursor.offset, value });
        offset = cursor.offset + 1;
      }
    }
  }
  return { logStart: logStartOffset, logEnd: logEndOffset, records };
}

/** Passes every call on, with its name told to `onCall` before: what changes the disk or makes it durable, and opening. */
export function watched(driver: StorageDriver, onCall: (call: string) => void): StorageDriver {
  const told =
    <Args extends unknown[], Answer>(name: string, owner: object, call: (...args: Args) => Answer, where?: string) =>
    (...args: Args): Answer => {
      onCall(`${name} ${where ?? args.filter((arg) => typeof arg === "string").join(" ")}`);
      return call.apply(owner, args);
    };
  const ofFile = (file: StorageFile, name: string): StorageFile => ({
    readAt: (into, position) => file.readAt(into, position),
    byteLength: () => file.byteLength(),
    modifiedAt: () => file.modifiedAt(),
    readAhead: (position, byteLength) => file.readAhead(position, byteLength),
    writeAt: (bytes, position) => {
      onCall(`writeAt ${name} ${position}+${bytes.length}`);
      return file.writeAt(bytes, position);
    },
    truncate: told("truncate", file, file.truncate, name),
    sync: told("sync", file, file.sync, name),
    close: () => file.close(),
  });
  return {
    durability: driver.durability,
    atomicReplace: driver.atomicReplace,
    directorySync: driver.directorySync,
    sharedReaders: driver.sharedReaders,
    aheadByteLength: driver.aheadByteLength ?? 0,
    open: async (name, options) => {
      onCall(`open ${name} ${options.create}`);
      return ofFile(await driver.open(name, options), name);
    },
    list: (directory) => driver.list(directory),
    createDirectory: told("createDirectory", driver, driver.createDirectory),
    removeDirectory: told("removeDirectory", driver, driver.removeDirectory),
    replace: told("replace", driver, driver.replace),
    renameDirectory: told("renameDirectory", driver, driver.renameDirectory),
    remove: told("remove", driver, driver.remove),
    syncDirectory: told("syncDirectory", driver, driver.syncDirectory),
    lock: (who, options) => driver.lock(who, options),
    close: () => driver.close(),
  };
}
