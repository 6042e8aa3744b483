/** The command line over compressed, compacted and transactional topics, and quotas. */
import { readFileSync } from "node:fs";
import * as zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { CliBed } from "./bed.ts";
import { type Ended, lines, objects, type RunOptions } from "./program.ts";

const bed = new CliBed();
const odradek = (args: string, options: RunOptions = {}): Promise<Ended> => bed.run(args, options);

async function ok(args: string, options: RunOptions = {}): Promise<string> {
  const ended = await odradek(args, options);
  expect(ended, args).toMatchObject({ code: 0, stderr: "" });
  return ended.stdout;
}

describe("compression", () => {
  const canWriteZstd = "zstdCompressSync" in zlib;

  it.each(["gzip", "snappy", "lz4", "zstd"])("writes, shows and reads %s, or says by name that this Node reads it alone", async (codec) => {
    const input = Array.from({ length: 500 }, (_, index) => `value ${index}\n`).join("");
    await ok("topics create orders");
    if (codec === "zstd" && !canWriteZstd) {
      const ended = await odradek("produce orders -z zstd", { input });
      expect(ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/zstd is read .* gzip, snappy, lz4/) as string });
      return;
    }
    await ok(`produce orders -z ${codec}`, { input });
    const batches = objects(await ok("dump orders --no-records --json")).filter((each) => each["type"] === "batch");
    expect(batches).not.toEqual([]);
    for (const { compressionType, byteLength, openByteLength } of batches) {
      expect(compressionType).toBe(codec);
      expect(byteLength).toBeLessThan(openByteLength as number);
    }
    expect(await ok("consume orders -e")).toBe(input);
    expect(await ok("verify")).toContain("no damage");
  });

  it("refuses a codec that there is not, and names those there are", async () => {
    expect(await odradek("produce orders -z brotli", { input: "a\n" })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("gzip, snappy, lz4, zstd") as string,
    });
  });
});

describe("compacted topics", () => {
  it("are made with Kafka's settings, and refuse a record without a key", async () => {
    await ok("topics create users --config cleanup.policy=compact -c min.cleanable.dirty.ratio=0.1 -c delete.retention.ms=1000");
    expect(await ok("topics describe users")).toContain("cleanupPolicy=compact deleteRetentionMs=1000 minCleanableDirtyRatio=0.1");
    await ok("produce users -K :", { input: "a:1\nb:2\na:3\n" });
    const refused = await odradek("produce users", { input: "no key\n" });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("INVALID_RECORD") as string });
    expect(lines(await ok("consume users -e -K ="))).toEqual(["a=1", "b=2", "a=3"]);
  });
});

describe("isolation", () => {
  it("prints what was committed, and with readUncommitted the rest as well", async () => {
    const seen = objects(readFileSync("test/fixtures/broker/seen.jsonl", "utf8"));
    bed.data = "test/fixtures/broker/data";
    for (const [flag, isolation] of [
      ["", "read_committed"],
      [" --isolation readUncommitted", "read_uncommitted"],
    ]) {
      const printed = objects(await ok(`consume their-accounts -e -p 0 --json${flag}`));
      const told = seen.find((line) => line["topic"] === "their-accounts" && line["partition"] === 0 && line["isolation"] === isolation);
      expect(printed).toHaveLength(told?.["recordCount"] as number);
    }
  });
});

describe("quotas", () => {
  it("are set by client and for all others, told, and taken back, by the face's names and Kafka's", async () => {
    await ok("topics create orders");
    expect(await ok("quotas list")).toBe("");
    await ok("quotas set reports -c producerByteRate=1000000 --config request_percentage=50.5");
    await ok("quotas set --default -c consumer_byte_rate=5000");
    const told = objects(await ok("quotas list --json"));
    expect(told).toHaveLength(2);
    expect(told).toContainEqual({ clientId: "reports", quota: { producerByteRate: 1000000, requestPercentage: 50.5 } });
    expect(told).toContainEqual({ clientId: null, quota: { consumerByteRate: 5000 } });
    expect(await ok("quotas set reports --reset producerByteRate")).toBe("reports: requestPercentage=50.5\n");
    expect(await ok("quotas set reports --reset requestPercentage")).toBe("reports: no quota\n");
    expect(await ok("quotas list")).toBe("default: consumerByteRate=5000\n");
  });

  it.each([
    ["quotas set", "expected a client id, or --default"],
    ["quotas set reports --default -c producerByteRate=1", "expected a client id, or --default"],
    ["quotas set reports", "expected --config name=value or --reset name"],
    ["quotas set reports -c producerByteRates=1", 'did you mean "producerByteRate"'],
    ["quotas set reports -c producerByteRate=fast", 'expected a number above 0, found "fast"'],
  ])("%s: exit 2, and a sentence", async (args, sentence) => {
    expect(await odradek(args)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(sentence) as string });
  });
});
