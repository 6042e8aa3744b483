/**
 * Flipped bits of a partition that was closed in order: none is given out as good data, none shortens the log (C9). The whole of it, over
 * every shape of partition and every way to open one, is the prover of test/prove/bits; here stand its findings, each by itself.
 *
 * Once a flip became good by being closed over: an opening believed the sums of the last close and read nothing, and the next close made
 * sums of what stood there. The opening after that gave the flipped bytes out without looking at any batch's own checksum.
 */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { CorruptionError } from "../../src/base/errors.ts";
import { PRODUCER_ID_AT } from "../../src/base/record-batch.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type DiskImage, imageOf } from "../prove/bits/disk-image.ts";
import type { MadePartition } from "../prove/bits/made-partition.ts";
import { PartitionFlips } from "../prove/bits/partition-flips.ts";
import { batchesIn } from "../prove/bits/partition-truth.ts";
import { core, created, NOW_MS, opened, type RigOptions, recordsIn, rig, send } from "./log-rig.ts";

const COUNT = 14;

async function partition(options: RigOptions): Promise<StorageDriver> {
  const storage = memory();
  const { log } = await created(storage, options);
  for (let index = 0; index < COUNT; index += 1) await send(log, `value ${index}`, "and another");
  await log.close(true);
  return storage;
}

async function flip(storage: StorageDriver, name: string, bit: number): Promise<void> {
  const file = await storage.open(name, { create: "no" });
  const byte = new Uint8Array(1);
  file.readAt(byte, bit >>> 3);
  byte[0] = (byte[0] as number) ^ (1 << (bit & 7));
  file.writeAt(byte, bit >>> 3);
  await file.close();
}

const ONE_SEGMENT: RigOptions = { cleanShutdown: true, config: { indexIntervalBytes: 300 } };
const LOG = "orders-0/00000000000000000000.log";

describe("a flipped bit in a cleanly closed partition", () => {
  it("is never given out as good data and never shortens the log", async () => {
    const options: RigOptions = { cleanShutdown: true, config: { segmentBytes: 500, indexIntervalBytes: 100 } };
    const image: DiskImage = await imageOf(await partition(options));
    const made: MadePartition = { shape: "plain", options, image, older: null, isKilled: false, sent: null, durableEnd: 2 * COUNT };
    for (const cleanShutdown of [true, false])
      for (const isChanging of [true, false]) {
        const flips = await PartitionFlips.begin(made, { cleanShutdown, isChanging });
        const stride = isChanging ? 251 : 83;
        const { failures } = await flips.run(
          flips.targets().filter((_, index) => index % stride === 0),
          new SeededRandom(1),
        );
        expect(failures).toEqual([]);
      }
  }, 60_000);

  it.each([true, false])("does not turn good when the log is opened, appended to and closed over it (rolled: %s)", async (rolls) => {
    const options: RigOptions = { ...ONE_SEGMENT, config: { ...ONE_SEGMENT.config, segmentBytes: rolls ? 2000 : 1_000_000 } };
    const storage = await partition(options);
    await flip(storage, LOG, 8 * 120);
    for (let opening = 0; opening < 3; opening += 1) {
      const { log } = await opened(storage, options);
      await expect(log.read(2, 1), `opening ${opening}`).rejects.toBeInstanceOf(CorruptionError);
      expect(recordsIn(await log.read(4, 1))[0]?.offset).toBe(4);
      for (let index = 0; index < 12; index += 1) await send(log, `after ${index}`);
      await log.close(true);
      const unread = await opened(storage, options);
      await unread.log.close(true);
    }
  });

  it("in a batch's length hides no batch behind it, and nobody is told to go on where he is", async () => {
    for (let bit = 0; bit < 32; bit += 1) {
      const storage = await partition(ONE_SEGMENT);
      await flip(storage, LOG, 8 * 8 + bit);
      const { log } = await opened(storage, { ...ONE_SEGMENT, readOnly: true });
      await expect(log.read(0, 1), `bit ${bit}`).rejects.toMatchObject({ name: "CorruptionError", nextReadableOffset: 2 });
      for (let offset = 2; offset < 2 * COUNT; offset += 1)
        expect(recordsIn(await log.read(offset, 1)).some((record) => record.offset === offset)).toBe(true);
      await log.close(false);
    }
  });

  it("in a batch's length is not made up for by a batch that stands in a value", async () => {
    const storage = memory();
    const { log } = await created(storage, ONE_SEGMENT);
    await send(log, "before");
    await send(log, "to be copied");
    const inner = await log.read(1, 1);
    // A whole batch of a right checksum, of the very offset that comes behind the one that holds it.
    const copy = inner.slice();
    new DataView(copy.buffer).setBigInt64(0, 3n);
    core.writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
    core.writer.append(null, copy, null, NOW_MS);
    const batch = core.writer.finish().slice();
    await log.append(batch, { recordCount: 1, maxTimestamp: NOW_MS });
    await log.flush();
    await send(log, "behind it");
    await log.close(true);
    const image = await imageOf(storage);
    const bytes = image.get(LOG) as Uint8Array;
    const at = Buffer.from(bytes).indexOf(Buffer.from(batch.subarray(16, 80))) - 16;
    await flip(storage, LOG, 8 * (at + 8) + 4);
    const { log: again } = await opened(storage, { ...ONE_SEGMENT, readOnly: true });
    await expect(again.read(2, 1)).rejects.toMatchObject({ name: "CorruptionError", nextReadableOffset: 3 });
    expect(recordsIn(await again.read(3, 1))).toMatchObject([{ offset: 3, value: "behind it" }]);
    await again.close(false);
  });

  // Where offsets may lack, and no seal stands yet, a read went by the headers of what it passed over. A batch that lied about its length, or
  // about its last offset, hid the next one, and whoever asked for that was given a later one as if the offset had been compacted away.
  it.each([
    ["length", 8 * 11 + 7],
    ["last offset", 8 * 23 + 7],
  ])("in the %s of one batch, where offsets may lack and nothing is sealed, gives no later one for the next", async (_what, bit) => {
    const options: RigOptions = { cleanShutdown: true, config: { cleanupPolicy: "compact", indexIntervalBytes: 1_000_000 } };
    const storage = memory();
    const { log } = await created(storage, options);
    for (const value of ["first", "second", "third"]) await send(log, value.padEnd(59, "."));
    const [first, second] = [await log.read(0, 1), await log.read(1, 1)];
    expect(first.length).toBe(128);
    expect(second.length).toBe(128);
    // As a killed process leaves it: no sums of the last blocks, and no seal.
    const image = await imageOf(storage);
    const left = memory();
    await left.createDirectory("orders-0");
    for (const [name, bytes] of image) {
      const file = await left.open(name, { create: "new" });
      file.writeAt(bytes, 0);
      await file.close();
    }
    await flip(left, LOG, bit);
    const { log: again } = await opened(left, { ...options, readOnly: true });
    await expect(again.read(0, 1)).rejects.toBeInstanceOf(CorruptionError);
    expect(await again.read(1, 1)).toEqual(second);
    expect(recordsIn(await again.read(2, 1))).toMatchObject([{ offset: 2 }]);
    await again.close(false);
    await log.close(true);
  });

  // The last batch of a compacted segment: with a smaller base offset it ended before the offset asked for, and what was no longer reached
  // passed for compacted away.
  it("in the base offset of a compacted segment's last batch makes no gap of it", async () => {
    const options: RigOptions = { cleanShutdown: true, config: { cleanupPolicy: "compact", segmentBytes: 330, indexIntervalBytes: 1 } };
    const storage = memory();
    const { log } = await created(storage, options);
    for (let index = 0; index < 8; index += 1) {
      core.writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
      for (const key of ["a", `b${index}`]) core.writer.append(new TextEncoder().encode(key), new Uint8Array(20), null, NOW_MS);
      await log.append(core.writer.finish().slice(), { recordCount: 2, maxTimestamp: NOW_MS });
      await log.flush();
    }
    await log.compact({ dedupeBufferByteLength: 1 << 16 });
    await log.close(true);
    const bytes = (await imageOf(storage)).get(LOG) as Uint8Array;
    const last = [...batchesIn(LOG, bytes)].at(-1);
    if (last === undefined) throw new Error("expected batches in the first segment");
    // The lowest bit that is set: the offset becomes a smaller one.
    await flip(storage, LOG, 8 * (last.position + 7) + Math.log2(last.baseOffset & -last.baseOffset));
    const { log: again } = await opened(storage, { ...options, readOnly: true });
    await expect(again.read(last.lastOffset, 1)).rejects.toBeInstanceOf(CorruptionError);
    await again.close(false);
  });

  // Half of a backup put back: a segment of a compacted topic ended where one of its batches did. A broker's cleaner leaves such segments,
  // so what was gone passed for compacted away, and the next segment's records were given in its place.
  it.each([true, false])(
    "that ends a compacted segment with a batch is a loss, unless a broker may have been here (%s: left by us)",
    async (leftByUs) => {
      const options: RigOptions = {
        cleanShutdown: true,
        leftByUs,
        config: { cleanupPolicy: "compact", segmentBytes: 250, indexIntervalBytes: 1 },
      };
      const storage = memory();
      const { log } = await created(storage, options);
      for (const value of ["first", "second", "third", "fourth", "fifth"]) await send(log, value);
      await log.close(true);
      const bytes = (await imageOf(storage)).get(LOG) as Uint8Array;
      const batches = [...batchesIn(LOG, bytes)];
      const [kept, lost] = batches.slice(-2);
      if (kept === undefined || lost === undefined) throw new Error("expected two batches in the first segment");
      const file = await storage.open(LOG, { create: "no" });
      file.truncate(lost.position);
      await file.close();
      // A cleaner writes the indexes anew; ours still name what is gone.
      if (!leftByUs)
        for (const kind of ["index", "timeindex"]) (await storage.open(LOG.replace(/log$/, kind), { create: "no" })).truncate(0);
      const { log: again } = await opened(storage, options);
      const found = again.read(lost.baseOffset, 1);
      if (leftByUs) await expect(found).rejects.toMatchObject({ name: "CorruptionError", nextReadableOffset: lost.lastOffset + 1 });
      else expect(recordsIn(await found)).toMatchObject([{ offset: lost.lastOffset + 1 }]);
      expect(recordsIn(await again.read(kept.baseOffset, 1))).toMatchObject([{ offset: kept.baseOffset }]);
      await again.close(true);
    },
  );

  // A batch was zeroed, and with it the offset of the next one: that one came out as the first, at an offset where it never stood.
  it("that spoils a batch and the next one's offset gives the next one out at no other offset", async () => {
    const storage = memory();
    const { log: made } = await created(storage, ONE_SEGMENT);
    for (const value of ["first", "last"]) await send(made, value, "and another");
    await made.close(true);
    const file = await storage.open(LOG, { create: "no" });
    const header = new Uint8Array(12);
    file.readAt(header, 0);
    const next = 12 + new DataView(header.buffer).getInt32(8);
    file.writeAt(new Uint8Array(next + 8 - 61), 61);
    await file.close();
    for (const cleanShutdown of [true, false]) {
      const { log } = await opened(storage, { ...ONE_SEGMENT, cleanShutdown, readOnly: true });
      for (const offset of [0, 1, 2, 3]) await expect(log.read(offset, 1), `${offset}`).rejects.toBeInstanceOf(CorruptionError);
      await log.close(false);
    }
  });

  // A length that was another led into the middle of a later batch, to a producer's id that was the very offset looked for: it passed for
  // a batch, and the two whole ones on the way were refused with the damaged one.
  it("in a length that leads to another number of the right value costs no batch beside its own", async () => {
    const storage = memory();
    const { log: made } = await created(storage, ONE_SEGMENT);
    const producerId = 2n;
    for (let offset = 0; offset < 4; offset += 1) {
      core.writer.begin({ producerId, producerEpoch: 0, baseSequence: offset, transactional: false });
      core.writer.append(null, new Uint8Array(100).fill(offset), null, NOW_MS);
      await made.append(core.writer.finish().slice(), { recordCount: 1, maxTimestamp: NOW_MS });
      await made.flush();
    }
    await made.close(true);
    const batches = [...batchesIn(LOG, (await imageOf(storage)).get(LOG) as Uint8Array)];
    const [damaged, later] = [batches[1], batches[3]];
    if (damaged === undefined || later === undefined) throw new Error("expected four batches");
    const file = await storage.open(LOG, { create: "no" });
    const length = new Uint8Array(4);
    new DataView(length.buffer).setInt32(0, later.position + PRODUCER_ID_AT - damaged.position - 12);
    file.writeAt(length, damaged.position + 8);
    await file.close();
    for (const readOnly of [true, false]) {
      const { log } = await opened(storage, { ...ONE_SEGMENT, readOnly });
      await expect(log.read(1, 1)).rejects.toMatchObject({ name: "CorruptionError", nextReadableOffset: 2 });
      for (const offset of [0, 2, 3]) expect(recordsIn(await log.read(offset, 1))).toMatchObject([{ offset }]);
      await log.close(false);
    }
  });

  // Of two notes of the durable end the newer one was damaged. Whoever follows a writer reads up to that end; the older note held back all since.
  it.each([0, 4096])("in one of the two notes of the durable end, at %i, holds nothing back from whoever only reads", async (slotAt) => {
    const storage = memory();
    const { log } = await created(storage, ONE_SEGMENT);
    for (const value of ["first", "second", "third"]) await send(log, value);
    await flip(storage, "orders-0/odradek.state", 8 * (slotAt + 40));
    const { context, spec } = rig(storage, { ...ONE_SEGMENT, cleanShutdown: false, readOnly: true });
    const follower = await PartitionLog.open({ ...context, isFollowing: true }, spec);
    expect(follower.watermarks.highWatermark).toBe(3);
    await follower.close(false);
    await log.close(true);
  });
});
