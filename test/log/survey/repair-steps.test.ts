/** Each step of a repair: what it says before, what stands on disk behind it, and that a survey then finds nothing wrong. */
import { describe, expect, it } from "vitest";
import { readBatchHeader } from "../../../src/base/record-batch.ts";
import { PartitionState } from "../../../src/log/state/partition-state.ts";
import type { PartitionToSurvey } from "../../../src/log/survey/partition-survey.ts";
import { planRepair } from "../../../src/log/survey/repair.ts";
import { bytesOf, get, put, text } from "../books/support.ts";
import { opened, readAll, send } from "../log-rig.ts";
import { byteLengthOf, change, type LeftLog, left, METADATA, STATE, surveyed } from "./survey-rig.ts";

/** Runs what a survey leads to. Answers what was said of it, file by file. */
async function repaired(made: LeftLog, of: Partial<PartitionToSurvey>): Promise<[file: string, action: string][]> {
  const { steps } = planRepair(made.context, await surveyed(made, of), made.config);
  for (const { run } of steps) await run();
  expect((await surveyed(made, { ...of, cleanShutdown: false })).defects).toEqual([]);
  return steps.map(({ file, action }) => [file, action]);
}

const names = async ({ storage }: LeftLog): Promise<string[]> => (await storage.list("orders-0")).map(({ name }) => name);

/** Zeros a record of the last batch of the only segment. */
async function withoutItsEnd(isClean: boolean): Promise<LeftLog> {
  const made = await left(3, isClean);
  await change(made.storage, made.logs[0] as string, 2 * made.batchByteLength + 80, new Uint8Array(20));
  return made;
}

describe("a partition.metadata that is none", () => {
  it("is set aside, and written anew where the topic's id is known", async () => {
    const made = await left(3, true);
    const topicId = made.spec.topicId;
    await put(made.storage, METADATA, bytesOf("rubbish"));
    expect(await repaired(made, {})).toEqual([[METADATA, `sets the file aside and writes topic id ${topicId}`]]);
    expect(text(await get(made.storage, METADATA))).toBe(`version: 0\ntopic_id: ${topicId}`);
    expect(text(await get(made.storage, `${METADATA}.set-aside-1`))).toBe("rubbish");
    await put(made.storage, METADATA, bytesOf("again"));
    expect(await repaired(made, { topicId: "" })).toEqual([[METADATA, "sets the file aside"]]);
    expect(await get(made.storage, METADATA)).toBeNull();
    expect(text(await get(made.storage, `${METADATA}.set-aside-2`))).toBe("again");
  });
});

describe("a damaged range", () => {
  it("that is all of the log becomes a hole of its offsets, of the first epoch there is", async () => {
    const made = await left(1, true);
    const [log] = made.logs as [string];
    await change(made.storage, log, 80, new Uint8Array(20));
    const steps = await repaired(made, { config: made.config });
    expect(steps[0]?.[1]).toBe(
      `copies bytes 0 to ${made.batchByteLength} to 00000000000000000000.damaged-0 and leaves a hole of the offsets 0 to 0`,
    );
    expect(readBatchHeader((await get(made.storage, log)) as Uint8Array)).toMatchObject({
      baseOffset: 0,
      lastOffset: 0,
      leaderEpoch: 0,
      recordCount: 0,
    });
    const { log: next } = await opened(made.storage);
    expect(await send(next, "goes on")).toMatchObject({ baseOffset: 1 });
    await next.close(true);
  });

  it("that is an end without a byte leaves a hole, and nothing to keep", async () => {
    const made = await left(3, true);
    const [log] = made.logs as [string];
    const file = await made.storage.open(log, { create: "no" });
    file.truncate(2 * made.batchByteLength);
    await file.close();
    const steps = await repaired(made, { config: made.config });
    expect(steps[0]).toEqual([log, "leaves a hole of the offsets 2 to 2"]);
    expect((await names(made)).filter((name) => name.includes("damaged"))).toEqual([]);
    const { log: next } = await opened(made.storage);
    expect(next.watermarks.logEndOffset).toBe(3);
    expect(await readAll(next)).toHaveLength(2);
    await next.close(true);
  });

  it.each(["gone", "made and never written"])("behind which nothing tells how far the log went ends it: the state is %s", async (how) => {
    const made = await withoutItsEnd(true);
    if (how === "gone") await made.storage.remove(STATE);
    else await put(made.storage, STATE, new Uint8Array(await byteLengthOf(made.storage, STATE)));
    const steps = await repaired(made, {});
    const [from, to] = [2 * made.batchByteLength, 3 * made.batchByteLength];
    expect(steps[0]?.[1]).toBe(
      `copies bytes ${from} to ${to} to 00000000000000000000.damaged-${from} and ends the log before them, at offset 2`,
    );
    expect(steps.map(([file]) => file).includes(STATE)).toBe(how !== "gone");
    // What never said anything says nothing now.
    expect((await get(made.storage, STATE))?.some((byte) => byte !== 0) ?? false).toBe(false);
    expect(await byteLengthOf(made.storage, made.logs[0] as string)).toBe(from);
  });

  it("of a log that was never read past its first segment leaves in the state what was known of its producers", async () => {
    const made = await withoutItsEnd(false);
    const steps = await repaired(made, { cleanShutdown: false, config: made.config });
    expect(steps.at(-1)).toEqual([STATE, "says where the mended log ends"]);
    const state = await PartitionState.load(made.context, "orders-0", { ...made.spec, readOnly: true });
    expect(state.facts()).toMatchObject({
      recoveryPoint: 0,
      withoutProducers: true,
      txnIndex: null,
      durableEndPosition: await byteLengthOf(made.storage, made.logs[0] as string),
      durableEndOffset: 3,
      cleanlyClosed: false,
    });
    await state.close();
  });
});
