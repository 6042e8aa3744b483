/** Every call of the storage fails during a pass, with every errno, once or for ever: nothing is lost, the partition lives, and the next opening puts it right. */
import { describe, expect, it } from "vitest";
import { OdradekError } from "../../src/base/errors.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage, type StorageCall } from "../../src/testing/faulty-storage.ts";
import { compactAll, KEYED, type KeyedPut, type KeyedRecord, put, readKeyed, rollOver } from "./compaction-rig.ts";
import { lawsBroken } from "./compaction-twin.ts";
import { opened, rig } from "./log-rig.ts";

const CALLS: readonly StorageCall[] = [
  "open",
  "list",
  "replace",
  "remove",
  "syncDirectory",
  "readAt",
  "writeAt",
  "truncate",
  "sync",
  "closeFile",
  "byteLength",
];
const ERRNOS = ["EIO", "ENOSPC"];
/** As many calls of one kind as a pass makes, and a few more. */
const NTH_MAX = 20;

/** Appends, and knows what was acknowledged. */
class Writer {
  readonly history: KeyedRecord[] = [];

  async put(log: PartitionLog, puts: readonly KeyedPut[]): Promise<void> {
    const baseOffset = await put(log, puts);
    for (const [index, [key, value]] of puts.entries()) this.history[baseOffset + index] = { offset: baseOffset + index, key, value };
  }

  async roll(log: PartitionLog): Promise<void> {
    await rollOver(log);
    const offset = log.watermarks.logEndOffset - 1;
    this.history[offset] = { offset, key: "roll", value: "x".repeat(log.spec.config().segmentBytes - 90) };
  }
}

describe("a call of the storage that fails during a pass", () => {
  it.each(CALLS)(
    "%s: what was acknowledged is there, appends go on, and a reopening leaves nothing behind",
    async (call) => {
      let failedCount = 0;
      for (const errno of ERRNOS) {
        for (const times of [1, Number.POSITIVE_INFINITY]) {
          for (let nth = 1; nth <= NTH_MAX; nth += 1) {
            const where = `${errno} x${times} at the ${nth}. ${call}`;
            const storage = memory();
            const faulty = faultyStorage(storage);
            const { context, spec, events } = rig(faulty, KEYED);
            const log = await PartitionLog.create(context, spec);
            const writer = new Writer();
            for (let round = 0; round < 5; round += 1)
              await writer.put(log, [
                ["a", `a${round}`.padEnd(60)],
                ["gone", round === 3 ? null : `g${round}`.padEnd(60)],
                [`k${round}`, "once"],
              ]);
            await writer.roll(log);
            faulty.fail({ call, errno, nth, times });
            const error = await compactAll(log).then(
              () => null,
              (reason: unknown) => reason,
            );
            faulty.mend();
            if (error !== null) {
              failedCount += 1;
              expect(error, where).toBeInstanceOf(OdradekError);
              expect(events.filter(({ type }) => type === "compaction.failed").length, where).toBe(1);
            }
            expect(log.failure, where).toBeNull();
            expect(lawsBroken(writer.history, await readKeyed(log), 0), `${where}: read on`).toBeNull();
            await writer.put(log, [["a", "after"]]);
            if (log.compactionProblem === null) {
              await compactAll(log);
              await writer.roll(log);
              await compactAll(log);
            }
            expect(lawsBroken(writer.history, await readKeyed(log), 0), `${where}: and again`).toBeNull();
            const { logEndOffset } = log.watermarks;
            await log.close(nth % 2 === 0);
            const again = await opened(storage, { ...KEYED, cleanShutdown: nth % 2 === 0 });
            expect(again.log.watermarks.logEndOffset, where).toBe(logEndOffset);
            expect(lawsBroken(writer.history, await readKeyed(again.log), 0), `${where}: reopened`).toBeNull();
            await compactAll(again.log);
            expect(lawsBroken(writer.history, await readKeyed(again.log), 0), `${where}: reopened, and compacted`).toBeNull();
            await again.log.close(true);
            const names = (await storage.list("orders-0")).map(({ name }) => name);
            expect(
              names.filter((name) => /\.(cleaned|swap|deleted)$/.test(name)),
              where,
            ).toEqual([]);
          }
        }
      }
      expect(failedCount).toBeGreaterThan(5);
    },
    60_000,
  );
});
