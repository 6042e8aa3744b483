/**
 * What a pass of compaction could not remove of its own unfinished work stood there when a later one put a segment in place; then the
 * removal of that segment's sources was refused halfway, and the log was closed. The opening took the swap for unfinished, since something
 * `.cleaned` stood below it, and removed it: its sources were gone already, and with both the records. What is stale now goes before
 * anything gets the name of a swap. The prover of errors found it.
 */
import { expect, it } from "vitest";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { put as putFile } from "./books/support.ts";
import { compactAll, KEYED, type KeyedRecord, put, readKeyed, rollOver } from "./compaction-rig.ts";
import { lawsBroken } from "./compaction-twin.ts";
import { opened, rig } from "./log-rig.ts";

/** Of an output that begins where no segment does now, and of a kind that the next output of that base has not. */
const STALE = ["00000000000000000001.log.cleaned", "00000000000000000000.txnindex.cleaned"];
/** More removals than a pass has. */
const NTH_MAX = 24;

it.each(STALE)("a pass loses nothing beside %s, whichever removal is refused from some moment on", async (stale) => {
  let refusals = 0;
  for (let nth = 1; nth <= NTH_MAX; nth += 1) {
    const storage = memory();
    const faulty = faultyStorage(storage);
    const { context, spec } = rig(faulty, KEYED);
    const log = await PartitionLog.create(context, spec);
    for (let round = 0; round < 5; round += 1)
      await put(log, [
        ["a", `a${round}`.padEnd(60)],
        ["b", `b${round}`.padEnd(60)],
        [`k${round}`, `once ${round}`.padEnd(100)],
      ]);
    await rollOver(log);
    const history: KeyedRecord[] = await readKeyed(log);
    await putFile(storage, `orders-0/${stale}`, new Uint8Array(61));
    faulty.fail({ call: "remove", errno: "EPERM", nth, times: Number.POSITIVE_INFINITY });
    await compactAll(log).catch(() => {
      refusals += 1;
    });
    faulty.mend();
    expect(lawsBroken(history, await readKeyed(log), 0), `${nth}: read on`).toBeNull();
    await log.close(true);
    const { log: next } = await opened(storage, { ...KEYED, cleanShutdown: true });
    expect(lawsBroken(history, await readKeyed(next), 0), `${nth}: opened anew`).toBeNull();
    await compactAll(next);
    expect((await storage.list("orders-0")).filter(({ name }) => /cleaned|swap/.test(name))).toEqual([]);
    await next.close(true);
  }
  expect(refusals).toBeGreaterThan(5);
});
