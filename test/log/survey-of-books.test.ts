/** A survey tells of books beside the log that disagree with it, though each of them is whole: times that came too early, producers from beyond their snapshot. */
import { expect, it } from "vitest";
import { ProducerEntry } from "../../src/log/producers/producer-entry.ts";
import { encodeProducerSnapshot } from "../../src/log/producers/producer-snapshot.ts";
import { memory } from "../../src/storage/memory.ts";
import { get, put } from "./books/support.ts";
import { append, core, created, NOW_MS } from "./log-rig.ts";
import { surveyed } from "./survey/survey-rig.ts";

const TIMES = "orders-0/00000000000000000000.timeindex";
const ENTRY_BYTE_LENGTH = 12;

/** Closed cleanly, with a segment that is finished and has several entries of times. */
async function closedLog() {
  const storage = memory();
  const made = await created(storage, { config: { segmentBytes: 1000, indexIntervalBytes: 1 } });
  for (let count = 0; count < 12; count += 1) await append(made.log, [{ value: "x".repeat(100), timestamp: NOW_MS + count }]);
  await made.log.flushed(12);
  await made.log.sealUnsealed();
  await made.log.close(true);
  const before = await surveyed(made);
  expect([before.defects, before.notes.filter((note) => note.includes("timeindex"))]).toEqual([[], []]);
  return { ...made, storage };
}

it("an index of times that promises that nothing later comes before an offset, where something does, is told of", async () => {
  const made = await closedLog();
  const bytes = (await get(made.storage, TIMES)) as Uint8Array<ArrayBuffer>;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setBigInt64(2 * ENTRY_BYTE_LENGTH, view.getBigInt64(ENTRY_BYTE_LENGTH) + 0n);
  view.setBigInt64(ENTRY_BYTE_LENGTH, view.getBigInt64(0));
  await put(made.storage, TIMES, bytes);
  const found = await surveyed(made);
  const said = [...found.notes, ...found.defects.map(({ problem }) => problem)].filter(
    (line) => line.includes("timeindex") || line.includes("later than"),
  );
  expect(said.join("\n")).toMatch(/nothing is later than|does not rise/);
});

it("an index of times whose entries stand in the wrong order is told of", async () => {
  const made = await closedLog();
  const bytes = (await get(made.storage, TIMES)) as Uint8Array<ArrayBuffer>;
  const swapped = bytes.slice();
  swapped.set(bytes.subarray(ENTRY_BYTE_LENGTH, 2 * ENTRY_BYTE_LENGTH), 2 * ENTRY_BYTE_LENGTH);
  swapped.set(bytes.subarray(2 * ENTRY_BYTE_LENGTH, 3 * ENTRY_BYTE_LENGTH), ENTRY_BYTE_LENGTH);
  await put(made.storage, TIMES, swapped);
  const found = await surveyed(made);
  expect([...found.notes, ...found.defects.map(({ problem }) => problem)].join("\n")).toContain("does not rise above the entry before it");
});

it("a snapshot that knows of a batch at or behind its own offset is told of, and one that ends before it is not", async () => {
  for (const [lastOffset, isWrong] of [
    [6, false],
    [7, true],
    [9, true],
  ] as const) {
    const made = await closedLog();
    const entry = new ProducerEntry(5n);
    entry.setEpoch(0);
    entry.addBatch(0, 0, 0, lastOffset, lastOffset, NOW_MS);
    await put(made.storage, "orders-0/00000000000000000007.snapshot", encodeProducerSnapshot([entry], 1, core));
    const { defects } = await surveyed(made);
    expect(defects.map(({ problem }) => problem).join("\n")).toEqual(
      isWrong ? expect.stringContaining(`expected nothing from offset 7 on, found producer 5 at offset ${lastOffset}`) : "",
    );
  }
});
