/** The files beside the `.log`: checkpoints, metadata, properties, catalogue, seals, states, snapshots, indexes. */
import { isDeepStrictEqual } from "node:util";
import type { Bytes } from "../../../src/api/bytes.ts";
import { writeInt32 } from "../../../src/base/big-endian.ts";
import { systemClock, systemRandom } from "../../../src/base/clock.ts";
import type { Compression } from "../../../src/compression/compression.ts";
import type { Core } from "../../../src/core/core.ts";
import { readOffsetCheckpoint } from "../../../src/log/books/checkpoint-file.ts";
import { encodeCheckpoint } from "../../../src/log/books/checkpoint-text.ts";
import { LeaderEpochs } from "../../../src/log/books/leader-epochs.ts";
import { parseProperties, readMetaProperties } from "../../../src/log/books/meta-properties.ts";
import { readPartitionMetadata } from "../../../src/log/books/partition-metadata.ts";
import type { LogContext } from "../../../src/log/context/log-context.ts";
import { OffsetIndex } from "../../../src/log/index/offset-index.ts";
import { TimeIndex } from "../../../src/log/index/time-index.ts";
import { ProducerEntry } from "../../../src/log/producers/producer-entry.ts";
import { decodeProducerSnapshot, encodeProducerSnapshot } from "../../../src/log/producers/producer-snapshot.ts";
import { encodeTransactionIndex, readTransactionIndex } from "../../../src/log/producers/transaction-index.ts";
import { decodeSeal, encodeSeal } from "../../../src/log/seal/seal.ts";
import { PartitionState } from "../../../src/log/state/partition-state.ts";
import {
  blockAreaAt,
  decodeSlot,
  encodeBlocks,
  encodeSlot,
  type PartitionStateFacts,
  SLOT_BYTE_LENGTH,
  SLOT_COUNT,
  slotAt,
} from "../../../src/log/state/state-slot.ts";
import { decodeCatalog, encodeCatalog } from "../../../src/topic/catalog-file.ts";
import { type SlowEntry, slowEntryBytes, slowFind, slowOffsetFollows } from "../../core/twin/index-entries.ts";
import { BytesStorage } from "./bytes-storage.ts";
import { type FuzzTarget, mustBe } from "./fuzz-target.ts";

const TOPIC_ID = "uZ8QkX0cT2a1nM4vB7yLpw";
const text = (value: string): Bytes => new TextEncoder().encode(value);

export function bookTargets(core: Core, compression: Compression): FuzzTarget[] {
  const checkpoint = encodeCheckpoint(["orders 0 4096", "orders 1 17", "a.b-c_d 3 9007199254740991"]);
  return [
    {
      name: "offset checkpoint",
      isText: true,
      weight: 2,
      specimens: [checkpoint, text("0\n0\n"), text("")],
      decode: (bytes) => readOffsetCheckpoint(new BytesStorage(bytes), "recovery-point-offset-checkpoint"),
    },
    { name: "leader epochs", isText: true, weight: 2, specimens: [encodeCheckpoint(["0 0", "1 17", "7 90000"])], decode: epochs },
    {
      name: "partition.metadata",
      isText: true,
      specimens: [text(`version: 0\ntopic_id: ${TOPIC_ID}`)],
      decode: (bytes) => readPartitionMetadata(new BytesStorage(bytes), "orders-0"),
    },
    {
      name: "meta.properties",
      isText: true,
      specimens: [text("#\n#Sun Nov 22 2026\ncluster.id=5L6g3nShT-eMCtK--X86sw\ndirectory.id\\u003d : x \\\n  y\nversion=1\n")],
      decode: async (bytes) => {
        const properties = parseProperties(new TextDecoder().decode(bytes));
        mustBe(properties.size <= bytes.length + 1, () => `${bytes.length} bytes hold ${properties.size} properties`);
        await readMetaProperties(new BytesStorage(bytes));
      },
    },
    catalogTarget(core),
    sealTarget(core),
    stateTarget(core, compression),
    snapshotTarget(core),
    ...indexTargets(core),
  ];
}

async function epochs(bytes: Bytes): Promise<void> {
  const found = await LeaderEpochs.load(new BytesStorage(bytes), "orders-0");
  const entries = found.entries();
  const rises = entries.every(
    ({ epoch, startOffset }, index) =>
      index === 0 || ((entries[index - 1]?.epoch ?? -1) < epoch && (entries[index - 1]?.startOffset ?? 0) <= startOffset),
  );
  mustBe(rises && (found.problem === null || entries.length === 0), () => `the epochs ${JSON.stringify(entries)} were believed`);
}

function catalogTarget(core: Core): FuzzTarget {
  const topic = {
    name: "orders",
    topicId: TOPIC_ID,
    partitions: 4,
    overrides: { retentionMs: Number.POSITIVE_INFINITY, cleanupPolicy: "compact" as const },
    adopted: false,
  };
  const quotas = [
    { clientId: null, quota: { producerByteRate: 1000 } },
    { clientId: "c", quota: { requestPercentage: 50 } },
  ];
  return {
    name: "odradek.json",
    isText: true,
    weight: 2,
    specimens: [
      encodeCatalog(
        { topics: [topic, { ...topic, name: "b", topicId: "AAAAAAAAAAAAAAAAAAAAAQ" }], deleting: ["gone"], nextProducerId: 2000n, quotas },
        core,
      ),
      encodeCatalog({ topics: [], deleting: [], nextProducerId: 0n, quotas: [] }, core),
    ],
    mend: (bytes) => mendedCatalog(bytes, core),
    decode: (bytes) => {
      const catalog = decodeCatalog(bytes, core);
      const second = decodeCatalog(encodeCatalog(catalog, core), core);
      const sorted = {
        ...catalog,
        topics: [...catalog.topics].sort((a, b) => (a.name < b.name ? -1 : 1)),
        deleting: [...catalog.deleting].sort(),
      };
      mustBe(
        isDeepStrictEqual({ ...second, quotas: new Set(second.quotas) }, { ...sorted, quotas: new Set(catalog.quotas) }),
        () => "a catalogue that was read is another one when it was written and read again",
      );
    },
  };
}

/** The checksum that its own refusal names. */
function mendedCatalog(bytes: Bytes, core: Core): Bytes {
  try {
    decodeCatalog(bytes, core);
  } catch (error) {
    const computed = /computed checksum ([0-9a-f]{8})/.exec(String(error))?.[1];
    if (computed === undefined) return bytes;
    const parsed = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    return text(JSON.stringify({ ...parsed, checksum: computed }, null, 2));
  }
  return bytes;
}

function sealTarget(core: Core): FuzzTarget {
  const seal = {
    topicId: TOPIC_ID,
    partition: 3,
    baseOffset: 4096,
    nextOffset: 8192,
    maxTimestamp: 1_700_000_000_000,
    hasGaps: false,
    logByteLength: 200_000,
    logChecksums: [1, 2, 3, 4],
    txnIndexByteLength: 68,
    txnIndexChecksums: [9],
    indexByteLength: 80,
    indexChecksum: 5,
    timeIndexByteLength: 120,
    timeIndexChecksum: 6,
  };
  return {
    name: "seal",
    weight: 2,
    fields: [
      [4, 4],
      [28, 8],
      [36, 8],
      [44, 8],
      [52, 8],
      [60, 8],
      [68, 8],
      [76, 4],
      [84, 4],
    ],
    specimens: [
      encodeSeal(seal, core),
      encodeSeal({ ...seal, hasGaps: true, logByteLength: 0, logChecksums: [], txnIndexByteLength: 0, txnIndexChecksums: [] }, core),
    ],
    mend: (bytes) => withChecksumAt(core, bytes, 8, 12),
    decode: (bytes) => {
      const found = decodeSeal(bytes, "00000000000000004096.seal", core);
      const numbers = [
        found.partition,
        found.baseOffset,
        found.nextOffset,
        found.maxTimestamp,
        found.logByteLength,
        found.txnIndexByteLength,
      ];
      if (!numbers.every(Number.isSafeInteger)) return;
      mustBe(
        found.logByteLength >= 0 && found.txnIndexByteLength >= 0,
        () => `a seal was believed of ${found.logByteLength} and ${found.txnIndexByteLength} bytes`,
      );
      mustBe(Buffer.compare(encodeSeal(found, core), bytes) === 0, () => "a seal that was believed is written otherwise");
    },
  };
}

function stateTarget(core: Core, compression: Compression): FuzzTarget {
  const facts: PartitionStateFacts = {
    recoveryPoint: 17,
    logStartOffset: 2,
    highWatermark: 30,
    durableSegmentBase: 10,
    durableEndPosition: 1800,
    durableEndOffset: 30,
    cleanlyClosed: false,
    activeSegment: null,
    withoutProducers: true,
    txnIndex: { baseOffset: 10, byteLength: 34, checksum: 99 },
    writtenAs: "sync",
  };
  const activeSegment = {
    baseOffset: 10,
    logByteLength: 70_000,
    logChecksums: [11, 12],
    indexByteLength: 8,
    indexChecksum: 1,
    timeIndexByteLength: 12,
    timeIndexChecksum: 2,
    txnIndexByteLength: 0,
    txnIndexChecksum: 0,
  };
  const context: Omit<LogContext, "storage"> = {
    core,
    compression,
    clock: systemClock,
    random: systemRandom,
    emit: () => {},
    maxUnflushedBytes: 1 << 20,
    readOnly: true,
  };
  return {
    name: "odradek.state",
    weight: 3,
    fields: Array.from({ length: SLOT_COUNT }, (_, slot) =>
      [12, 36, 44, 52, 60, 68, 76, 84, 96, 104, 112].map((at) => [slotAt(slot) + at, 8] as const),
    ).flat(),
    specimens: [stateBytes(core, facts), stateBytes(core, { ...facts, cleanlyClosed: true, activeSegment })],
    mend: (bytes) => {
      for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
        const at = slotAt(slot);
        if (bytes.length < at + SLOT_BYTE_LENGTH || bytes[at] === 0) continue;
        withChecksumAt(core, bytes.subarray(at, at + SLOT_BYTE_LENGTH), 8, 12);
      }
      return bytes;
    },
    decode: async (bytes) => {
      const identity = { topic: "orders", partition: 3, topicId: "", readOnly: true };
      const state = await PartitionState.load({ ...context, storage: new BytesStorage(bytes) }, "orders-3", identity);
      const found = state.facts();
      await state.close();
      if (found?.activeSegment == null) return;
      const { logByteLength, logChecksums } = found.activeSegment;
      mustBe(
        logChecksums.length === Math.ceil(logByteLength / 65_536),
        () => `${logByteLength} bytes of log have ${logChecksums.length} checksums`,
      );
    },
  };
}

function stateBytes(core: Core, facts: PartitionStateFacts): Bytes {
  const blocks = encodeBlocks(facts);
  const bytes = new Uint8Array(facts.activeSegment === null ? slotAt(1) + SLOT_BYTE_LENGTH : blockAreaAt(1) + blocks.length);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const written = encodeSlot({ generation: 5 + slot, topicId: new Uint8Array(16), partition: 3, facts }, blocks, core);
    mustBe(typeof decodeSlot(written, core) === "object", () => "a slot just made is not believed");
    bytes.set(written, slotAt(slot));
    if (blocks.length > 0) bytes.set(blocks, blockAreaAt(slot));
  }
  return bytes;
}

function snapshotTarget(core: Core): FuzzTarget {
  const entries = [3n, 4000n, 2n ** 40n].map((producerId, index) => {
    const entry = new ProducerEntry(producerId);
    entry.setEpoch(index);
    if (index > 0) entry.addBatch(index, 5, 9, 100, 104, 1_700_000_000_000);
    entry.transactionFirstOffset = index === 2 ? 100 : -1;
    return entry;
  });
  return {
    name: "producer snapshot",
    weight: 2,
    fields: [
      [0, 2],
      [6, 4],
      [10, 8],
      [18, 2],
      [20, 4],
      [24, 8],
      [32, 4],
      [36, 8],
      [44, 4],
      [48, 8],
    ],
    specimens: [encodeProducerSnapshot(entries, entries.length, core), encodeProducerSnapshot([], 0, core)],
    mend: (bytes) => withChecksumAt(core, bytes, 2, 6),
    decode: (bytes) => {
      const found = decodeProducerSnapshot(bytes, "00000000000000000017.snapshot", core);
      mustBe(10 + found.length * 46 === bytes.length, () => `${bytes.length} bytes hold ${found.length} producers`);
    },
  };
}

/** The index must take the entries that rise and no other, and find among them what looking at each one finds. */
function indexTargets(core: Core): FuzzTarget[] {
  const offsets: SlowEntry[] = Array.from({ length: 700 }, (_, index) => [3 * index + 2, 4096 * (index + 1)]);
  const times: SlowEntry[] = Array.from({ length: 500 }, (_, index) => [1_700_000_000_000 + 10 * index, 4 * index]);
  const aborted = Array.from({ length: 4 }, (_, index) => ({
    producerId: 7n,
    firstOffset: 10 * index,
    lastOffset: 10 * index + 5,
    lastStableOffset: 10 * index + 6,
  }));
  return [
    {
      name: "offset index",
      weight: 2,
      specimens: [slowEntryBytes(offsets.slice(0, 9), 4), slowEntryBytes(offsets, 4)],
      decode: async (bytes, random) => {
        const index = await OffsetIndex.open(new BytesStorage(bytes), "0.index", 0, { core, readOnly: true });
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const good: SlowEntry[] = [];
        for (let at = 0; at + 8 <= bytes.length; at += 8) {
          const entry: SlowEntry = [view.getInt32(at), view.getInt32(at + 4)];
          if (!slowOffsetFollows(good.at(-1), entry) || (at === 0 && entry[0] === 0 && entry[1] === 0)) break;
          good.push(entry);
        }
        mustBe(index.entryCount === good.length, () => `the index takes ${index.entryCount} entries, its twin ${good.length}`);
        const target = random.pick([random.integer(0, 2200), 0, 2 ** 31, -1]);
        const expected = good[slowFind(good, target)]?.[1] ?? 0;
        mustBe(
          index.lookup(target) === expected,
          () => `offset ${target} is looked for from ${index.lookup(target)}, expected ${expected}`,
        );
        await index.close();
      },
    },
    {
      name: "time index",
      weight: 2,
      specimens: [slowEntryBytes(times.slice(0, 9), 8), slowEntryBytes(times, 8)],
      decode: async (bytes, random) => {
        const index = await TimeIndex.open(new BytesStorage(bytes), "0.timeindex", 0, { core, readOnly: true });
        mustBe(index.entryCount <= bytes.length / 12, () => `${bytes.length} bytes hold ${index.entryCount} entries`);
        const target = random.pick([1_700_000_000_000 + random.integer(-10, 5010), -1, 0, Number.MAX_SAFE_INTEGER]);
        const found = index.lookup(target);
        if (found !== null) mustBe(found.timestamp <= target, () => `time ${target} is looked for from ${found.timestamp}`);
        await index.close();
      },
    },
    {
      name: "transaction index",
      specimens: [encodeTransactionIndex(aborted), new Uint8Array(0)],
      fields: [
        [0, 2],
        [2, 8],
        [10, 8],
        [18, 8],
        [26, 8],
        [34, 2],
        [52, 8],
      ],
      decode: async (bytes) => {
        const found = await readTransactionIndex({ storage: new BytesStorage(bytes) }, "orders-0", 0);
        mustBe(found.length * 34 === bytes.length, () => `${bytes.length} bytes hold ${found.length} transactions`);
        mustBe(
          found.every(({ lastOffset }, index) => lastOffset >= (found[index - 1]?.lastOffset ?? 0)),
          () => "the markers of a transaction index fall",
        );
      },
    },
  ];
}

/** The CRC-32C of what stands from `from` on, big-endian at `at`. */
function withChecksumAt(core: Core, bytes: Bytes, at: number, from: number): Bytes {
  if (bytes.length > from) writeInt32(bytes, at, core.crc32c(bytes.subarray(from)) | 0);
  return bytes;
}
