/** What a survey of a partition says of each file that is not what the others say: whose it is, what tore it, and what can be done. */
import { describe, expect, it } from "vitest";
import { REMEDY_BACKUP, REMEDY_REPAIR } from "../../../src/log/files/defect.ts";
import { encodeTransactionIndex } from "../../../src/log/producers/transaction-index.ts";
import { PartitionState, type PartitionStateFacts } from "../../../src/log/state/partition-state.ts";
import { slotAt } from "../../../src/log/state/state-slot.ts";
import { isRepairable, planRepair } from "../../../src/log/survey/repair.ts";
import { bytesOf, get, put } from "../books/support.ts";
import { TOPIC_CONFIG } from "../log-rig.ts";
import { oldMessage } from "../older-message.ts";
import { byteLengthOf, change, EPOCHS, left, METADATA, STATE, surveyed } from "./survey-rig.ts";

const OTHER_ID = "AAECAwQFBgcICQoLDA0ODw";

describe("files of another partition", () => {
  it("are told by their topic's id where that is known, and left alone", async () => {
    const made = await left(3, true);
    await put(made.storage, METADATA, bytesOf(`version: 0\ntopic_id: ${OTHER_ID}`));
    const survey = await surveyed(made);
    expect(survey.defects).toMatchObject([
      { kind: "foreign", file: METADATA, problem: expect.stringContaining(`found ${OTHER_ID}`), remedy: REMEDY_BACKUP },
    ]);
    expect(planRepair(made.context, survey, TOPIC_CONFIG).steps).toEqual([]);
    expect((await surveyed(made, { topicId: "" })).defects).toEqual([]);
  });

  it("are told by their state", async () => {
    const made = await left(3, true);
    const state = await PartitionState.load(made.context, "orders-0", { ...made.spec });
    const facts = state.facts() as PartitionStateFacts;
    await state.close();
    await made.storage.createDirectory("orders-1");
    const other = await PartitionState.load(made.context, "orders-1", { ...made.spec, partition: 1 });
    await other.writeDurably(facts);
    await other.close();
    await put(made.storage, STATE, (await get(made.storage, "orders-1/odradek.state")) as Uint8Array);
    const survey = await surveyed(made);
    expect(survey.defects).toMatchObject([
      { kind: "foreign", file: STATE, problem: expect.stringContaining("partition 1"), remedy: REMEDY_BACKUP },
    ]);
    expect(planRepair(made.context, survey, TOPIC_CONFIG).steps).toEqual([]);
  });
});

describe("after a crash", () => {
  it("one torn slot of the state is worth a word, and a defect only behind a close in order", async () => {
    const made = await left(3, false);
    const slot = new Uint8Array(1);
    const file = await made.storage.open(STATE, { create: "no" });
    file.readAt(slot, slotAt(0) + 60);
    await file.close();
    await change(made.storage, STATE, slotAt(0) + 60, Uint8Array.of((slot[0] as number) ^ 1));
    const torn = await surveyed(made, { cleanShutdown: false });
    expect(torn.defects).toEqual([]);
    expect(torn.notes).toEqual([expect.stringContaining("slot 0: computed crc")]);
    expect(torn.notes[0]).toContain("the other slot holds");
    expect((await surveyed(made)).defects).toMatchObject([{ kind: "state", file: STATE, remedy: REMEDY_REPAIR }]);
  });

  it("the indexes of the segment being written are worth a word: the next open makes them anew", async () => {
    const made = await left(3, false);
    const [index, transactions] = ["index", "txnindex"].map((kind) => `orders-0/00000000000000000000.${kind}`) as [string, string];
    await put(made.storage, index, Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 7));
    const aborted = { producerId: 5n, firstOffset: 0, lastOffset: 1, lastStableOffset: 2 };
    await put(made.storage, transactions, encodeTransactionIndex([aborted]));
    const crashed = await surveyed(made, { cleanShutdown: false });
    expect(crashed.defects).toEqual([]);
    expect(crashed.notes).toEqual([
      expect.stringContaining(`${index}: entry 0 points to position 7`),
      expect.stringContaining("producer 5 at offset 1"),
    ]);
    for (const note of crashed.notes) expect(note).toContain("; the next open rebuilds it");
    expect(crashed.segments).toMatchObject([{ indexes: "fit", txnIndex: "fits" }]);
    const closed = await surveyed(made);
    expect(closed.notes).toEqual([]);
    expect(closed.defects).toMatchObject([
      { kind: "index", file: index },
      { kind: "txnindex", file: transactions },
    ]);
    expect(closed.segments).toMatchObject([{ indexes: "bad", txnIndex: "bad" }]);
  });

  // Garbage that a loss of power had left in a preallocated segment was called damage by `verify`, and cut by the next open without a word of
  // alarm: the zeros behind it, which nobody ever wrote, were counted as if they had been.
  it("a segment that was made in full size may end in zeros, or in garbage up to the end of a block; what goes on is damage", async () => {
    const config = { preallocate: true, segmentBytes: 20_000, maxMessageBytes: 1000 };
    const made = await left(1, false, { config, maxUnflushedBytes: 1000 });
    const of = { cleanShutdown: false, config: made.config };
    const [log] = made.logs as [string];
    const end = made.batchByteLength;
    expect(await byteLengthOf(made.storage, log)).toBe(20_000);
    expect(await surveyed(made, of)).toMatchObject({ defects: [], notes: [], segments: [{ zerosFrom: end }] });
    await change(made.storage, log, end, new Uint8Array(4096 - end).fill(0xa5));
    expect(await surveyed(made, of)).toMatchObject({
      defects: [],
      notes: [expect.stringContaining("a crash tore it; the next open cuts the log at offset 1")],
    });
    expect(await surveyed(made, { ...of, config: { ...made.config, preallocate: false } })).toMatchObject({
      defects: [{ kind: "batch" }],
      notes: [],
    });
  });
});

describe("a sealed segment", () => {
  it("with the seal of another one has none to believe, and is sealed anew", async () => {
    const made = await left(12, true);
    const seals = made.logs.map((name) => name.replace(".log", ".seal"));
    await put(made.storage, seals[1] as string, (await get(made.storage, seals[0] as string)) as Uint8Array);
    expect((await surveyed(made)).defects).toMatchObject([
      {
        kind: "seal",
        file: seals[1],
        problem: expect.stringContaining("it is the seal of partition 0, base offset 0"),
        remedy: REMEDY_REPAIR,
      },
    ]);
  });

  it("that is damaged is told of once, not by its seal as well", async () => {
    const made = await left(12, true);
    const [log] = made.logs as [string];
    await change(made.storage, log, await byteLengthOf(made.storage, log), new Uint8Array(10).fill(1));
    const { defects, segments } = await surveyed(made);
    expect(defects).toMatchObject([{ kind: "batch", file: log }]);
    expect(segments[0]?.seal).toBe("bad");
  });

  it("in which a bit has changed that no batch's checksum covers, and nothing else tells of, is for a backup", async () => {
    const made = await left(12, true);
    const [log] = made.logs as [string];
    const byteLength = await byteLengthOf(made.storage, log);
    // The leader epoch of the last batch, 0: nobody says that it is not 1.
    await made.storage.remove(EPOCHS);
    await change(made.storage, log, byteLength - made.batchByteLength + 15, Uint8Array.of(1));
    const { defects } = await surveyed(made);
    expect(defects).toMatchObject([
      {
        kind: "changed",
        file: log,
        byteRange: [0, byteLength],
        problem: expect.stringContaining("are not what was sealed"),
        remedy: REMEDY_BACKUP,
      },
    ]);
    expect(isRepairable("changed")).toBe(false);
  });
});

it("a message of an older format is no damage that could be mended here: Kafka can rewrite it", async () => {
  const made = await left(3, true);
  const [log] = made.logs as [string];
  await change(made.storage, log, await byteLengthOf(made.storage, log), oldMessage());
  for (const cleanShutdown of [true, false]) {
    const survey = await surveyed(made, { cleanShutdown });
    expect(survey.defects).toMatchObject([{ kind: "older", file: log, remedy: expect.stringContaining("let Kafka 3 rewrite it") }]);
    expect(planRepair(made.context, survey, TOPIC_CONFIG).steps).toEqual([]);
  }
});

it("a snapshot that goes while the survey looks is no defect", async () => {
  const made = await left(3, true);
  const { storage } = made.context;
  const gone = { name: "00000000000000000002.snapshot", kind: "file" } as const;
  const list = async (directory: string) => [...(await storage.list(directory)), ...(directory === "orders-0" ? [gone] : [])];
  const before = new Proxy(storage, {
    get: (target, name) => {
      const found: unknown = name === "list" ? list : Reflect.get(target, name, target);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
  expect((await surveyed({ ...made, context: { ...made.context, storage: before } })).defects).toEqual([]);
});
