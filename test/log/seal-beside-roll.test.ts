/**
 * What seals segments that were left without one waits until nothing is under way; and while it was told so, a roll ended. Both then sealed
 * the same segment, by the same temporary file: one of them was refused, and where that was the roll's, the partition took no appends any
 * more. What waits is now done at the very moment that nothing is under way. The prover of crashes met it, on a disk that takes its time.
 */
import { expect, it } from "vitest";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { created, type RigOptions, readAll, send } from "./log-rig.ts";

const OPTIONS: RigOptions = { config: { segmentBytes: 200, maxMessageBytes: 200 } };
const TURNS_MAX = 120;

it("segments are looked for that lack a seal, and none that a roll seals at this moment", async () => {
  for (let turns = 0; turns < TURNS_MAX; turns += 1) {
    const { log, events } = await created(crashStorage({ sectorByteLength: 128 }), OPTIONS);
    await send(log, "x".repeat(60));
    const sending = Promise.all([send(log, "y".repeat(100)), send(log, "z".repeat(100))]);
    for (let turn = 0; turn < turns; turn += 1) await null;
    await log.sealUnsealed();
    await sending;
    await log.sealUnsealed();
    expect(log.failure, `after ${turns} turns`).toBe(null);
    expect(events.filter(({ type }) => type === "storage.failed" || type === "seal.refused")).toEqual([]);
    expect(await readAll(log)).toHaveLength(3);
    await log.close(true);
  }
});
