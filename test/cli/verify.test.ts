/** `verify` and `repair` of what a broker compressed, compacted and committed. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, it } from "vitest";
import { ATTRIBUTES_AT, CRC_AT, HEADER_BYTE_LENGTH, LENGTH_AT, LENGTH_OVERHEAD } from "../../src/base/record-batch.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { bytes, open } from "../../src/index.ts";
import { CliBed } from "./bed.ts";
import { type Ended, objects } from "./program.ts";

const accounts = "their-accounts-0";
const entryByteLength = 34;
const bed = new CliBed();
beforeEach(() => cpSync("test/fixtures/broker/data", bed.data, { recursive: true }));

const odradek = (args: string): Promise<Ended> => bed.run(args);

async function defects(): Promise<Record<string, unknown>[]> {
  const { code, stdout } = await odradek("verify --json");
  const found = objects(stdout).filter((each) => each["type"] === "defect");
  expect(code).toBe(found.length === 0 ? 0 : 1);
  return found;
}

function fileOf(partition: string, ending: string): string {
  const name = readdirSync(join(bed.data, partition)).find((each) => each.endsWith(ending));
  return join(bed.data, partition, name as string);
}

describe("verify of a directory of ours", () => {
  // `__transaction_state` has 50 partitions in the catalogue, and directories for those alone that have records: the others passed for lost.
  it("misses no partition of an internal topic that nothing was written to", async () => {
    rmSync(bed.data, { recursive: true });
    const log = await open(bed.data);
    await log.createTopic("orders");
    const producer = log.producer({ key: bytes, value: bytes, transactionalId: "t", compressionType: "lz4" });
    await producer.transaction((tx) => tx.send({ topic: "orders", value: new Uint8Array(9) }));
    await expect(producer.transaction(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await log.close();
    expect(readdirSync(bed.data).filter((name) => name.startsWith("__transaction_state-"))).toHaveLength(1);
    expect(await defects()).toEqual([]);
  });
});

describe("verify of a broker's directory", () => {
  it("raises no false alarm over emptied batches, gaps, delete horizons, markers and open transactions", async () => {
    expect(await defects()).toEqual([]);
  });

  it.each([
    ["is missing", () => Buffer.alloc(0)],
    ["lacks an entry", (bytes: Buffer) => bytes.subarray(entryByteLength)],
    ["names another producer", (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 9), Buffer.from([99]), bytes.subarray(10)])],
    ["names a transaction that committed", (bytes: Buffer) => Buffer.concat([bytes, bogusEntry(150)])],
    ["is torn", (bytes: Buffer) => bytes.subarray(0, -1)],
  ])("tells of a transaction index that %s, and repair makes it what the broker wrote", async (_, change) => {
    const file = fileOf(accounts, "91.txnindex");
    const bytes = readFileSync(file);
    const changed = change(bytes);
    if (changed.byteLength === 0) rmSync(file);
    else writeFileSync(file, changed);
    const found = await defects();
    expect(found.length).toBeGreaterThan(0);
    expect(new Set(found.map(({ kind, file: name }) => `${kind} ${name}`))).toEqual(
      new Set([`txnindex ${accounts}/00000000000000000091.txnindex`]),
    );
    expect((await odradek("repair --execute")).code).toBe(0);
    expect(readFileSync(file)).toEqual(bytes);
    expect(await defects()).toEqual([]);
  });

  it("tells of a snapshot that is damaged, and repair takes it away: it is made from the log", async () => {
    const file = fileOf(accounts, "91.snapshot");
    const bytes = readFileSync(file);
    bytes.writeUInt8((bytes[20] as number) ^ 1, 20);
    writeFileSync(file, bytes);
    expect(await defects()).toMatchObject([{ kind: "snapshot", file: `${accounts}/00000000000000000091.snapshot` }]);
    expect((await odradek("repair --execute")).code).toBe(0);
    expect(existsSync(file)).toBe(false);
    expect(await defects()).toEqual([]);
  });

  it("tells of a cleaner's checkpoint behind the end of its log, and repair sets it aside", async () => {
    writeFileSync(join(bed.data, "cleaner-offset-checkpoint"), "0\n1\ntheir-users 0 900\n");
    expect(await defects()).toMatchObject([{ kind: "offsets", file: "cleaner-offset-checkpoint" }]);
    expect((await odradek("repair --execute")).code).toBe(0);
    expect(await defects()).toEqual([]);
  });

  it.each([
    ["cannot be opened", () => Buffer.from("no gzip at all")],
    ["is a bomb", () => gzipSync(Buffer.alloc(65 * 1024 * 1024))],
    ["holds other records than its header says", () => gzipSync(Buffer.alloc(100))],
  ])("tells of a batch that is whole and whose payload %s, and reads on", async (_, payload) => {
    const file = fileOf("their-packed-0", ".log");
    const log = readFileSync(file);
    const firstByteLength = log.readInt32BE(LENGTH_AT) + LENGTH_OVERHEAD;
    const bad = Buffer.concat([log.subarray(0, HEADER_BYTE_LENGTH), payload()]);
    bad.writeInt32BE(bad.byteLength - LENGTH_OVERHEAD, LENGTH_AT);
    bad.writeInt32BE((await loadCore()).crc32c(bad.subarray(ATTRIBUTES_AT)) | 0, CRC_AT);
    writeFileSync(file, Buffer.concat([bad, log.subarray(firstByteLength)]));
    for (const name of readdirSync(join(bed.data, "their-packed-0")))
      if (name.endsWith("index")) rmSync(join(bed.data, "their-packed-0", name));
    const payloads = (await defects()).filter((each) => each["kind"] === "payload");
    expect(payloads).toMatchObject([{ byteRange: [0, bad.byteLength], remedy: expect.stringContaining("seek to 7") as string }]);
    const dumped = objects((await odradek(`dump ${file} --json`)).stdout);
    expect(dumped.filter((each) => each["type"] === "unreadable")).toHaveLength(1);
    expect(dumped.filter((each) => each["type"] === "record").length).toBeGreaterThan(20);
    expect(await odradek("repair --execute")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("cannot be mended here") as string,
    });
  });
});

function bogusEntry(lastOffset: number): Buffer {
  const entry = Buffer.alloc(entryByteLength);
  entry.writeBigInt64BE(5n, 2);
  entry.writeBigInt64BE(BigInt(lastOffset - 1), 10);
  entry.writeBigInt64BE(BigInt(lastOffset), 18);
  entry.writeBigInt64BE(BigInt(lastOffset + 1), 26);
  return entry;
}
