/** What a survey says of each `.snapshot` beside a log: which it tells of, which are none of its business, and when it cannot say. */
import { expect, it } from "vitest";
import { REMEDY_REPAIR } from "../../../src/log/files/defect.ts";
import { ProducerEntry } from "../../../src/log/producers/producer-entry.ts";
import { encodeProducerSnapshot } from "../../../src/log/producers/producer-snapshot.ts";
import { snapshotDefects } from "../../../src/log/survey/snapshot-survey.ts";
import { memory } from "../../../src/storage/memory.ts";
import { faultyStorage } from "../../../src/testing/faulty-storage.ts";
import { put } from "../books/support.ts";
import { core, rig } from "../log-rig.ts";

const nameAt = (offset: number): string => `orders-0/${String(offset).padStart(20, "0")}.snapshot`;

function snapshotOf(entry: ProducerEntry): Uint8Array {
  return encodeProducerSnapshot([entry], 1, core);
}

/** No batch of it is known: of a marker alone, or of a transaction that was open. */
function withoutBatch(transactionFirstOffset: number): ProducerEntry {
  const entry = new ProducerEntry(5n);
  entry.setEpoch(0);
  entry.transactionFirstOffset = transactionFirstOffset;
  return entry;
}

/** A directory that holds these files, seen through a disk that can be made to fail. */
async function bed(files: Readonly<Record<string, Uint8Array>>) {
  const storage = faultyStorage(memory());
  for (const [name, bytes] of Object.entries(files)) await put(storage, name, bytes);
  return { storage, context: rig(storage, { readOnly: true }).context };
}

it("one that is no snapshot is told of by its file, with what is wrong and what can be done; leftovers of a removal are not", async () => {
  const garbage = new Uint8Array(100).fill(7);
  const { context } = await bed({ [nameAt(7)]: garbage, [`${nameAt(8)}.deleted`]: garbage, "orders-0/notes.txt": garbage });
  expect(await snapshotDefects(context, "orders-0")).toEqual([
    {
      kind: "snapshot",
      file: nameAt(7),
      byteRange: null,
      offsetRange: null,
      problem: `${nameAt(7)}: expected version 1, found 1799`,
      remedy: REMEDY_REPAIR,
    },
  ]);
});

it("a producer without a batch comes from nowhere, and one whose transaction began at or behind the snapshot's offset from beyond it", async () => {
  const { context } = await bed({ [nameAt(1)]: snapshotOf(withoutBatch(-1)), [nameAt(9)]: snapshotOf(withoutBatch(8)) });
  expect(await snapshotDefects(context, "orders-0")).toEqual([]);
  const { context: beyond } = await bed({ [nameAt(9)]: snapshotOf(withoutBatch(9)) });
  expect(await snapshotDefects(beyond, "orders-0")).toMatchObject([
    { problem: `${nameAt(9)}: expected nothing from offset 9 on, found producer 5 at offset 9` },
  ]);
});

it("what the disk does not give is not called a defect of the file: the survey ends with the disk's refusal", async () => {
  const { storage, context } = await bed({ [nameAt(7)]: snapshotOf(withoutBatch(-1)) });
  storage.fail({ call: "readAt", name: /\.snapshot$/, errno: "EIO" });
  await expect(snapshotDefects(context, "orders-0")).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  expect(storage.openFileCount).toBe(0);
});

it("a directory of such a name is passed over", async () => {
  const { storage, context } = await bed({ [nameAt(7)]: snapshotOf(withoutBatch(-1)) });
  const list = storage.list.bind(storage);
  storage.list = async (directory) => (await list(directory)).map(({ name }) => ({ name, kind: "directory" }));
  // As every system answers who reads one.
  storage.fail({ call: "open", name: /\.snapshot$/, errno: "EISDIR" });
  expect(await snapshotDefects(context, "orders-0")).toEqual([]);
});
