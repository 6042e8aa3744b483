/** What commands meet seldom: records of another version, files that go while they are looked at, a stop before anything began. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ATTRIBUTES_AT } from "../../src/base/record-batch.ts";
import { checkCommittedOffsets } from "../../src/cli/committed-offsets.ts";
import { dumpBatch } from "../../src/cli/dump-batch.ts";
import type { Io } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";
import { waitForGrowth } from "../../src/cli/topic-growth.ts";
import { contextFor, verifyDirectory } from "../../src/cli/verification.ts";
import type { Compression } from "../../src/compression/compression.ts";
import { CorruptBatchError } from "../../src/core/corrupt-batch-error.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { Catalog } from "../../src/topic/catalog.ts";
import { slowBatchBytes } from "../core/twin/batch.ts";
import { type Said, say } from "./session.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "odradek-seldom-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const run = (line: string, input?: string): Promise<Said> => say(directory, line.split(" "), input === undefined ? {} : { input });

function batchOf(key: Uint8Array | null): Uint8Array<ArrayBuffer> {
  return slowBatchBytes({
    baseOffset: 0n,
    leaderEpoch: 0,
    attributes: 0,
    lastOffsetDelta: 0,
    baseTimestamp: 0n,
    maxTimestamp: 0n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    records: [{ offsetDelta: 0, timestampDelta: 0n, key, value: null, headers: [] }],
  });
}

const opening = (decompressBatch: () => Uint8Array): Compression => ({ decompressBatch }) as unknown as Compression;

describe("verify", () => {
  it("takes what groups committed from records that say so, tells of batches that cannot be opened, and passes no fault of its own over", async () => {
    await run("topics create orders");
    await run("produce orders", "a\n");
    await run("consume orders -G billing -e");
    const context = await contextFor(directory, true);
    const { partitions } = await verifyDirectory(context, () => {});
    const told = async (decompressBatch: () => Uint8Array): Promise<readonly string[]> => {
      const [defects, notes] = [[], [] as string[]];
      await checkCommittedOffsets({ ...context, compression: opening(decompressBatch) }, partitions, true, defects, notes);
      expect(defects).toEqual([]);
      return notes;
    };
    expect(await told(() => batchOf(null))).toEqual([]);
    expect(await told(() => batchOf(Uint8Array.of(0, 99)))).toEqual([]);
    const notes = await told(() => {
      throw new CorruptBatchError("it ends early");
    });
    expect(notes.length).toBeGreaterThan(0);
    for (const note of notes) expect(note).toMatch(/^__consumer_offsets-\d+\/.*what was committed cannot be read: it ends early$/);
    const fault = new TypeError("a fault of ours");
    await expect(
      told(() => {
        throw fault;
      }),
    ).rejects.toBe(fault);
    await context.storage.close();
  });

  it("looks at no partition of a topic that is being deleted", async () => {
    await run("topics create orders");
    await run("topics create people");
    const storage = nodeStorage(directory);
    await (await Catalog.load(storage, await loadCore())).markDeleting("orders");
    await storage.close();
    const { code, out } = await run("verify --json");
    expect(code, out).toBe(0);
    expect(out).toMatch(/"type":"summary","partitions":1,/);
  });
});

describe("dump", () => {
  it("tells of a batch that cannot be opened, and passes no fault of its own over", () => {
    const bytes = batchOf(null);
    bytes[ATTRIBUTES_AT + 1] = 1;
    const dumped = (error: Error): unknown[] => [
      ...dumpBatch(
        bytes,
        0,
        {
          topic: "orders",
          compression: opening(() => {
            throw error;
          }),
        },
        true,
      ),
    ];
    expect(dumped(new CorruptBatchError("no gzip"))).toMatchObject([
      { type: "batch", compressionType: "gzip" },
      { type: "unreadable", problem: "no gzip" },
    ]);
    const fault = new TypeError("a fault of ours");
    expect(() => dumped(fault)).toThrow(fault);
  });
});

describe("a topic that is followed", () => {
  it("has grown when a segment has, whatever else goes from under the look at it", async () => {
    const partition = join(directory, "orders-0");
    mkdirSync(partition);
    // Listed, and gone when it is asked for.
    symlinkSync(join(directory, "nowhere"), join(partition, "00000000000000000000.log"));
    const io = { env: {}, signal: new AbortController().signal } as unknown as Io;
    let hasGrown = false;
    void waitForGrowth("orders", { dir: directory }, io, 0).then(() => {
      hasGrown = true;
    });
    for (let byteLength = 1; !hasGrown; byteLength++) {
      writeFileSync(join(partition, "00000000000000000007.log"), "x".repeat(byteLength));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
});

describe("the program", () => {
  /** main() in this process; `midway` is handed the listener that it has put on a signal. */
  async function program(words: readonly string[], midway: (stop: () => void) => void = () => {}): Promise<{ code: number; told: string }> {
    const before = process.listeners("SIGINT");
    const told: string[] = [];
    vi.spyOn(process.stdin, "destroy").mockReturnThis();
    vi.spyOn(process.stdout, "write").mockImplementation(((_: unknown, done?: () => void) => {
      done?.();
      return true;
    }) as never);
    vi.spyOn(process.stderr, "write").mockImplementation((text) => told.push(String(text)) > 0);
    const isTTY = Object.getOwnPropertyDescriptor(process.stderr, "isTTY");
    Object.defineProperty(process.stderr, "isTTY", { value: true, configurable: true });
    try {
      const running = main([...words, "--dir", directory]);
      const added = process.listeners("SIGINT").filter((each) => !before.includes(each)) as (() => void)[];
      expect(added).toHaveLength(1);
      midway(added[0] as () => void);
      const code = await running;
      expect(process.listeners("SIGINT")).toEqual(before);
      return { code, told: told.join("") };
    } finally {
      vi.restoreAllMocks();
      if (isTTY === undefined) Reflect.deleteProperty(process.stderr, "isTTY");
      else Object.defineProperty(process.stderr, "isTTY", isTTY);
    }
  }

  it("that is stopped before its log is open fails without a word, having done nothing", async () => {
    expect(await program(["topics", "create", "orders"], (stop) => stop())).toEqual({ code: 1, told: "" });
    expect(await program(["topics", "create", "orders"])).toEqual({ code: 0, told: "" });
  });

  it("tells a person at a terminal what it sent", async () => {
    const file = join(directory, "words.txt");
    writeFileSync(file, "a word");
    await program(["topics", "create", "orders"]);
    expect(await program(["produce", "orders", file])).toEqual({
      code: 0,
      told: expect.stringMatching(/^(odradek: 1 records sent\n)+$/) as string,
    });
  });
});
