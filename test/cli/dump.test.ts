/** `dump` of what a broker compressed, compacted and committed, held against what the broker itself said of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RawRecord, recordHash } from "../compat/kafka/record-hash.ts";
import { bundleProgram, objects, type Program, removeProgram, runProgram } from "./program.ts";

const fixture = "test/fixtures/broker";
const seen = objects(readFileSync(join(fixture, "seen.jsonl"), "utf8"));
let program: Program;
/** Lines of every file, each with the file it stands in. */
let dumped: Record<string, unknown>[];

beforeAll(async () => {
  program = await bundleProgram();
  const { code, stdout, stderr } = await runProgram(program, ["dump", join(fixture, "data"), "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  let file = "";
  dumped = objects(stdout).map((line) => {
    if (line["type"] === "file") file = line["file"] as string;
    return { ...line, file };
  });
});
afterAll(() => {
  removeProgram(program);
});

const ofType = (type: string): Record<string, unknown>[] => dumped.filter((line) => line["type"] === type);
const inPartition = (lines: Record<string, unknown>[], name: string): Record<string, unknown>[] =>
  lines.filter(({ file }) => (file as string).includes(`/${name}/`) && !(file as string).endsWith(".deleted"));

function bytesOf(value: unknown): RawRecord["key"] {
  return value === null ? null : new Uint8Array(Buffer.from((value as { base64: string }).base64, "base64"));
}

function rawRecord(line: Record<string, unknown>): RawRecord {
  const headers = (line["headers"] as [string, unknown][]).map(([name, value]) => [name, bytesOf(value)] as RawRecord["headers"][number]);
  return {
    offset: line["offset"] as number,
    timestamp: line["timestamp"] as number,
    key: bytesOf(line["key"]),
    value: bytesOf(line["value"]),
    headers,
  };
}

describe("dump of a broker's directory", () => {
  it("knows every file, also those that wait for their removal", () => {
    expect(dumped.filter((line) => line["unknown"] === true)).toEqual([]);
    expect(dumped.some((line) => line["type"] === "indexEntry" && (line["file"] as string).endsWith(".index.deleted"))).toBe(true);
  });

  it("shows every record that the broker's consumer saw, out of batches of every codec, emptied and half emptied ones", () => {
    expect(ofType("unreadable")).toEqual([]);
    for (const { topic, partition, hash, recordCount } of seen.filter((line) => line["isolation"] === "read_uncommitted")) {
      const records = inPartition(ofType("record"), `${topic}-${partition}`).map(rawRecord);
      expect({ recordCount: records.length, hash: recordHash(records) }, `${topic}-${partition}`).toEqual({ recordCount, hash });
    }
  });

  it("shows a compressed batch's codec, and how long it is open", () => {
    for (const [partition, codec] of ["gzip", "snappy", "lz4", "zstd"].entries()) {
      const batches = inPartition(ofType("batch"), `their-packed-${partition}`);
      expect(batches.length).toBeGreaterThan(3);
      for (const { compressionType, byteLength, openByteLength } of batches) {
        expect(compressionType).toBe(codec);
        expect(openByteLength).toBeGreaterThan((byteLength as number) * 0.9);
      }
    }
    expect(new Set(inPartition(ofType("batch"), "their-packed-4").map((each) => each["compressionType"])).size).toBe(5);
  });

  it("shows markers, delete horizons and emptied batches", () => {
    const markers = inPartition(ofType("marker"), "their-accounts-0");
    expect(markers.map((each) => [each["controlType"], each["coordinatorEpoch"]])).toEqual(
      ["commit", "abort", "abort", "commit", "abort", "commit", "abort", "commit", "abort"].map((type) => [type, 0]),
    );
    const batches = inPartition(ofType("batch"), "their-graves-0");
    const horizons = batches.flatMap(({ deleteHorizonMs }) => (deleteHorizonMs === null ? [] : [deleteHorizonMs as number]));
    expect(horizons.length).toBeGreaterThan(3);
    // A day after the cleaner first came by.
    for (const horizon of horizons) expect(horizon - Math.max(...markers.map((each) => each["timestamp"] as number))).toBeGreaterThan(8e7);
    expect(inPartition(ofType("batch"), "their-users-0").filter((each) => each["recordCount"] === 0).length).toBeGreaterThan(2);
  });

  it("shows where each transaction stands, as the broker's coordinator does", () => {
    const stands = new Map<string, Record<string, unknown>>();
    for (const { decoded } of ofType("record")) {
      const words = decoded as Record<string, unknown> | undefined;
      if (words?.["kind"] === "transaction") stands.set(words["transactionalId"] as string, words);
    }
    const told = seen.filter((line) => line["seen"] === "transaction");
    expect(stands.size).toBe(told.length);
    for (const { transactionalId, state, producerId, producerEpoch, timeoutMs } of told) {
      expect(stands.get(transactionalId as string)).toMatchObject({ state, producerId: String(producerId), producerEpoch, timeoutMs });
    }
    expect(stands.get("their-forgotten")?.["partitions"]).toContainEqual({ topic: "their-accounts", partition: 0 });
  });

  it("shows in each partition's newest snapshot the broker's producers", () => {
    for (const name of ["their-accounts-0", "their-accounts-1", "their-users-0", "their-graves-0", "their-packed-4"]) {
      const lines = inPartition(dumped, name);
      const newest = lines.filter((line) => line["type"] === "snapshot").at(-1) as Record<string, unknown>;
      expect(newest["checksumHolds"]).toBe(true);
      const producers = lines.filter((line) => line["type"] === "producer" && line["file"] === newest["file"]);
      const plain = (each: Record<string, unknown>): string =>
        [each["producerId"], each["producerEpoch"], each["lastSequence"], each["coordinatorEpoch"], each["currentTxnFirstOffset"]].join(
          " ",
        );
      const told = seen.filter((line) => line["seen"] === "producer" && `${line["topic"]}-${line["partition"]}` === name);
      expect(producers.map(plain).sort(), name).toEqual(told.map(plain).sort());
    }
  });

  it("shows the aborted transactions of a segment", () => {
    const aborted = inPartition(ofType("abortedTransaction"), "their-accounts-0");
    const markers = inPartition(ofType("marker"), "their-accounts-0").filter((each) => each["controlType"] === "abort");
    expect(aborted.map((each) => each["lastOffset"])).toEqual(markers.map((each) => each["offset"]));
  });
});
