/**
 * Harm from outside: a disk that is full, read-only or failing, files that hold garbage, Kafka's older formats, and a second
 * process. A sentence each, nothing lost, and never a wrong record.
 */
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Odradek, StorageDriver } from "../../src/api/index.ts";
import { OdradekError } from "../../src/base/errors.ts";
import { bytes, memory } from "../../src/index.ts";
import { faultyStorage, SeededRandom } from "../../src/testing/index.ts";
import { hashesOf, heard, openLog, sendAll, temporaryDirectory, valuesIn } from "./support.ts";

const at = (partition = 0): { topic: string; partition: number } => ({ topic: "orders", partition });

describe("a full disk", () => {
  it("fails an append as retriable, keeps what there is readable, and goes on when there is room", async () => {
    const storage = faultyStorage(memory());
    const log = await openLog(storage);
    await log.createTopic("orders", { segmentBytes: 2000 });
    await sendAll(log, "orders", ["before"]);
    const producer = log.producer();
    for (const shortBy of [undefined, 30, 1]) {
      storage.fail({
        call: "writeAt",
        errno: "ENOSPC",
        name: /\.log$/,
        times: Number.POSITIVE_INFINITY,
        ...(shortBy === undefined ? {} : { shortBy }),
      });
      await expect(producer.send({ topic: "orders", value: "lost" })).rejects.toMatchObject({
        name: "StorageError",
        code: "STORAGE_FULL",
        retriable: true,
      });
      expect(await valuesIn(log, "orders")).not.toContain("lost");
      storage.mend();
      await producer.send({ topic: "orders", value: "after" });
    }
    expect(await valuesIn(log, "orders")).toEqual(["before", "after", "after", "after"]);
    await log.close();
    expect(await valuesIn(await openLog(storage), "orders")).toEqual(["before", "after", "after", "after"]);
  });

  const mounts: string[] = [];
  afterEach(() => {
    for (const mount of mounts.splice(0)) execFileSync("umount", ["-l", mount]);
  });

  it("of one mebibyte, real: fills up, says so, and takes records again when some are deleted", async ({ skip }) => {
    const directory = temporaryDirectory();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", directory], { stdio: "ignore" });
    } catch {
      // Told as skipped: who may not mount has the simulated disk above.
      skip("this user may not mount a file system");
    }
    mounts.push(directory);
    const log = await openLog(join(directory, "data"));
    await log.createTopic("orders", { segmentBytes: 50_000 });
    const producer = log.producer({ value: bytes });
    let sent = 0;
    let refusal: unknown = null;
    for (; refusal === null; sent += 1) {
      expect(sent).toBeLessThan(300);
      refusal = await producer.send({ topic: "orders", value: new Uint8Array(10_000).fill(sent) }).then(
        () => null,
        (error: unknown) => error,
      );
    }
    sent -= 1;
    expect(refusal).toMatchObject({ name: "StorageError", code: "STORAGE_FULL", retriable: true });
    const read = async (open: Odradek): Promise<number[]> => {
      const consumer = open.consumer({ value: bytes });
      await consumer.assign([at()]);
      const first: number[] = [];
      for await (const { value } of consumer.records({ until: "end" })) first.push(value?.[0] as number);
      await consumer.close();
      return first;
    };
    expect(await read(log)).toEqual(Array.from({ length: sent }, (_, index) => index % 256));
    await expect(log.createTopic("another")).rejects.toMatchObject({ name: "StorageError" });
    await log.deleteRecords(at(), 50);
    expect((await log.maintain()).segmentsDeleted).toBeGreaterThan(0);
    expect((await producer.send({ topic: "orders", value: new Uint8Array(10_000).fill(sent) })).offset).toBe(sent);
    await log.close();
    const again = await openLog(join(directory, "data"));
    expect(await read(again)).toEqual(Array.from({ length: sent + 1 - 50 }, (_, index) => (index + 50) % 256));
    await again.close();
  });

  it("a read-only mount, real: refused by name, and readable with readOnly", async ({ skip }) => {
    const directory = temporaryDirectory();
    const log = await openLog(directory);
    await log.createTopic("orders");
    await sendAll(log, "orders", ["a"]);
    await log.close();
    const view = temporaryDirectory();
    try {
      execFileSync("mount", ["--bind", directory, view], { stdio: "ignore" });
    } catch {
      skip("this user may not mount a file system");
    }
    mounts.push(view);
    execFileSync("mount", ["-o", "remount,ro,bind", view]);
    await expect(openLog(view)).rejects.toMatchObject({ name: "StorageError", code: "PERMISSION_DENIED" });
    const reader = await openLog(view, { readOnly: true });
    expect(await valuesIn(reader, "orders")).toEqual(["a"]);
    await reader.close();
  });
});

describe("a disk that may not be written", () => {
  it.each(["EROFS", "EACCES", "EPERM"])("(%s) is refused by name, and what could be read still can", async (errno) => {
    const storage = faultyStorage(memory());
    const log = await openLog(storage);
    await log.createTopic("orders");
    await sendAll(log, "orders", ["a"]);
    const refuse = (): void => {
      for (const call of ["writeAt", "truncate", "createDirectory", "replace", "remove"] as const)
        storage.fail({ call, errno, times: Number.POSITIVE_INFINITY });
    };
    refuse();
    await expect(log.createTopic("audit")).rejects.toMatchObject({ name: "StorageError", code: "PERMISSION_DENIED" });
    await expect(log.producer().send({ topic: "orders", value: "b" })).rejects.toMatchObject({ name: "StorageError" });
    expect(await valuesIn(log, "orders")).toEqual(["a"]);
    storage.mend();
    await log.close().catch(() => {});
    refuse();
    const reopening = openLog(storage);
    await expect(reopening.then((open) => open.createTopic("audit"))).rejects.toMatchObject({
      name: "StorageError",
      code: "PERMISSION_DENIED",
    });
    storage.mend();
    await (await reopening.catch(() => null))?.close().catch(() => {});
    expect(await valuesIn(await openLog(storage), "orders")).toEqual(["a"]);
  });
});

describe("Kafka's older messages", () => {
  const [OFFSET, SIZE, CRC, MAGIC] = [8, 4, 4, 1];
  /** A message set of magic 0 or 1, well-formed as far as a reader that refuses it looks. */
  function olderMessage(magic: 0 | 1, offset: number, value: string): Uint8Array {
    const body = new TextEncoder().encode(value);
    const header = MAGIC + 1 + (magic === 1 ? 8 : 0);
    const size = CRC + header + 4 + 4 + body.length;
    const message = new Uint8Array(OFFSET + SIZE + size);
    const view = new DataView(message.buffer);
    view.setBigInt64(0, BigInt(offset));
    view.setInt32(8, size);
    view.setUint8(16, magic);
    view.setInt32(12 + CRC + header, -1);
    view.setInt32(12 + CRC + header + 4, body.length);
    message.set(body, 12 + CRC + header + 8);
    view.setUint32(12, crc32(message.subarray(16)));
    return message;
  }

  /** IEEE's, as in zlib, of which Node 20's first versions have none to call. */
  function crc32(content: Uint8Array): number {
    let crc = ~0;
    for (const byte of content) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc >>> 0;
  }

  it.each([
    { magic: 0, count: 3, value: "old" },
    { magic: 1, count: 3, value: "old" },
    { magic: 0, count: 1, value: "" },
    { magic: 1, count: 1, value: "x" },
    { magic: 1, count: 40, value: "a longer one, so that the message is larger than the header of a batch is" },
  ] as const)("$count of magic $magic, in a broker's directory: refused by name when read, never cut", async ({ magic, count, value }) => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, "orders-0"));
    const messages = Array.from({ length: count }, (_, offset) => olderMessage(magic, offset, value));
    writeFileSync(join(directory, "orders-0", "00000000000000000000.log"), Buffer.concat(messages));
    writeFileSync(join(directory, "orders-0", "00000000000000000000.index"), "");
    const before = hashesOf(directory);
    for (const marker of [false, true]) {
      if (marker) writeFileSync(join(directory, ".kafka_cleanshutdown"), "");
      const log = await openLog(directory);
      expect(await log.listTopics()).toEqual(["orders"]);
      const consumer = log.consumer();
      await consumer.assign([at()]).catch(() => {});
      const outcomes = await Promise.allSettled([
        log.read({ ...at(), offset: 0 }),
        log.describeTopic("orders"),
        consumer.poll({ timeoutMs: 50 }),
      ]);
      expect(outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason.code : null))).toContain("UNSUPPORTED_MAGIC");
      await log
        .adoptTopic("orders", { partitions: 1, cleanupPolicy: "delete" })
        .catch((error: unknown) => expect(error).toBeInstanceOf(OdradekError));
      await expect(log.producer().send({ topic: "orders", value: "new" })).rejects.toBeInstanceOf(OdradekError);
      await log.maintain();
      await log.close().catch(() => {});
      const after = hashesOf(directory);
      expect(after["orders-0/00000000000000000000.log"], `marker ${marker}`).toBe(before["orders-0/00000000000000000000.log"]);
      for (const name of ["odradek.json", "orders-0/odradek.state"]) rmSync(join(directory, name), { force: true });
    }
  });

  it.each(["", "old", "a longer one, so that the message is larger than the header of a batch is"])(
    "behind batches of ours (%j): refused by name, never cut",
    async (value) => {
      const directory = temporaryDirectory();
      const log = await openLog(directory);
      await log.createTopic("orders");
      await sendAll(log, "orders", ["a", "b"]);
      await log.close();
      const file = join(directory, "orders-0", "00000000000000000000.log");
      writeFileSync(file, Buffer.concat([readFileSync(file), olderMessage(1, 2, value)]));
      const before = hashesOf(directory)["orders-0/00000000000000000000.log"];
      const again = await openLog(directory);
      expect(await again.read({ ...at(), offset: 1 })).toMatchObject({ value: "b" });
      await expect(again.producer().send({ topic: "orders", value: "c" })).rejects.toMatchObject({
        name: "CorruptionError",
        code: "UNSUPPORTED_MAGIC",
      });
      await again.close().catch(() => {});
      expect(hashesOf(directory)["orders-0/00000000000000000000.log"]).toBe(before);
    },
  );
});

/** The files of a directory on disk, in memory: many logs are opened on copies of it. */
async function inMemory(directory: string): Promise<StorageDriver> {
  const storage = memory();
  for (const name of Object.keys(hashesOf(directory))) {
    if (name.includes("/")) await storage.createDirectory(name.slice(0, name.indexOf("/")));
    await put(storage, name, new Uint8Array(readFileSync(join(directory, name))));
  }
  return storage;
}

async function put(storage: StorageDriver, name: string, content: Uint8Array): Promise<void> {
  const file = await storage.open(name, { create: "if-missing" });
  file.truncate(0);
  file.writeAt(content, 0);
  await file.close();
}

async function get(storage: StorageDriver, name: string): Promise<Uint8Array> {
  const file = await storage.open(name, { create: "no", readOnly: true });
  const content = new Uint8Array(file.byteLength());
  file.readAt(content, 0);
  await file.close();
  return content;
}

describe("garbage in any file", () => {
  let whole = "";
  let truth: Map<string, string>;

  /** Two topics of several segments, a group, closed in order: every kind of file there is. */
  async function makeWhole(): Promise<void> {
    whole = temporaryDirectory();
    const log = await openLog(whole);
    await log.createTopic("orders", { partitions: 2, segmentBytes: 400, indexIntervalBytes: 60 });
    for (let round = 0; round < 12; round += 1)
      for (const partition of [0, 1]) await sendAll(log, "orders", [`${partition} ${round} a`, `${partition} ${round} b`], partition);
    await log.resetOffsets("g", "orders", [{ ...at(0), nextOffset: 7 }]);
    await log.close();
    truth = new Map();
    for (const partition of [0, 1])
      for (let offset = 0; offset < 24; offset += 1)
        truth.set(`${partition}/${offset}`, `${partition} ${offset >> 1} ${offset % 2 === 0 ? "a" : "b"}`);
  }

  /** Everything that can be read is right, or is refused with a typed error. Answers how many records came. */
  async function lookAt(log: Odradek, what: string): Promise<number> {
    let seen = 0;
    for (const partition of [0, 1]) {
      for (let offset = 0; offset < 24; offset += 1) {
        try {
          const record = await log.read({ ...at(partition), offset });
          if (record === null) continue;
          expect(record.value, `${what}: ${partition}/${offset}`).toBe(truth.get(`${partition}/${offset}`));
          seen += 1;
        } catch (error) {
          if (!(error instanceof OdradekError)) throw error;
          expect(["CorruptionError", "StorageError", "OffsetError", "UsageError"], `${what}: ${error.name} ${error.message}`).toContain(
            error.name,
          );
        }
      }
    }
    return seen;
  }

  const random = new SeededRandom(Number(process.env["FC_SEED"] ?? 20_261_122));
  const harms: readonly (readonly [string, (bytes: Uint8Array) => Uint8Array])[] = [
    ["random bytes", (old) => random.bytes(Math.max(1, old.length))],
    ["emptied", () => new Uint8Array(0)],
    ["cut in half", (old) => old.slice(0, old.length >> 1)],
    ["random bytes behind", (old) => new Uint8Array([...old, ...random.bytes(200)])],
    ["a flipped bit", (old) => old.map((byte, index) => (index === Math.floor(old.length / 3) ? byte ^ 16 : byte))],
    ["zeros", (old) => new Uint8Array(old.length)],
  ];

  let keptWhole = "";

  beforeAll(async () => {
    await makeWhole();
    // Directories of a test go with it; this one serves them all.
    keptWhole = `${whole}-kept`;
    cpSync(whole, keptWhole, { recursive: true });
  });

  afterAll(() => rmSync(keptWhole, { recursive: true, force: true }));

  it.each(harms)(
    "%s: open or read gives a typed error or the right data, never a wrong record",
    { timeout: 120_000 },
    async (name, harm) => {
      const files = Object.keys(hashesOf(keptWhole)).filter((file) => !file.startsWith(".odradek-lock"));
      expect(files.length).toBeGreaterThan(20);
      const lost: string[] = [];
      for (const file of files) {
        const storage = await inMemory(keptWhole);
        const harmed = harm(new Uint8Array(readFileSync(join(keptWhole, file))));
        await put(storage, file, harmed);
        const what = `${name} in ${file}`;
        let log: Odradek;
        try {
          log = await openLog(storage);
        } catch (error) {
          expect(error, what).toBeInstanceOf(OdradekError);
          // Only the engine's own books keep the whole directory from opening; they are refused, never deleted.
          expect(file, `${what}: ${(error as Error).message}`).toBe("odradek.json");
          expect(error, what).toMatchObject({ name: "CorruptionError", code: "BOOK_CORRUPT" });
          expect(await get(storage, file)).toEqual(harmed);
          await put(storage, file, new Uint8Array(readFileSync(join(keptWhole, file))));
          const mended = await openLog(storage);
          expect(await lookAt(mended, what)).toBe(48);
          await mended.close();
          continue;
        }
        const seen = await lookAt(log, what);
        // Whatever is derived or doubled is made anew: only a log's own bytes can be missing.
        if (seen < 48 && !/orders-\d\/\d{20}\.log$/.test(file)) lost.push(`${file}: ${48 - seen} lost`);
        for (const partition of [0, 1]) {
          await sendAll(log, "orders", ["new"], partition).catch((error: unknown) => expect(error, what).toBeInstanceOf(OdradekError));
        }
        await log.describeGroup("g").catch((error: unknown) => expect(error, what).toMatchObject({ name: "GroupError" }));
        await log.maintain();
        await log.close().catch((error: unknown) => expect(error, what).toBeInstanceOf(OdradekError));
        // And the next open meets no worse.
        const again = await openLog(storage);
        await lookAt(again, `${what}, opened again`);
        await again.close().catch(() => {});
      }
      expect(lost).toEqual([]);
    },
  );

  it("in the middle of a log fails that range alone, tells where it is, and where to go on", async () => {
    const directory = temporaryDirectory();
    cpSync(keptWhole, directory, { recursive: true });
    const segments = readdirSync(join(directory, "orders-0"))
      .filter((file) => file.endsWith(".log"))
      .sort();
    expect(segments.length).toBeGreaterThan(2);
    const file = join(directory, "orders-0", segments[1] as string);
    const content = new Uint8Array(readFileSync(file));
    content[100] = (content[100] as number) ^ 1;
    writeFileSync(file, content);
    const told = heard();
    const log = await openLog(directory, { onEvent: told.onEvent });
    const consumer = log.consumer();
    await consumer.assign([at(0)]);
    const seen: number[] = [];
    const errors: { file: string; nextReadableOffset: number | null }[] = [];
    for (let isOver = false; !isOver && errors.length < 20; ) {
      try {
        for await (const { offset } of consumer.records({ until: "end" })) seen.push(offset);
        isOver = true;
      } catch (error) {
        expect(error).toMatchObject({ name: "CorruptionError", code: "CORRUPT_MESSAGE" });
        errors.push(error as never);
        const next = (error as { nextReadableOffset: number | null }).nextReadableOffset;
        expect(next).not.toBeNull();
        consumer.seek(at(0), next as number);
      }
    }
    expect(errors.length).toBeGreaterThan(0);
    expect(errors[0]?.file).toContain(segments[1]);
    expect(seen).toContain(0);
    expect(seen).toContain(23);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(24 - seen.length).toBeLessThanOrEqual(12);
    expect(await sendAll(log, "orders", ["on"], 0)).toBe(24);
  });
});

describe("a second process", () => {
  it("is told who holds the directory, and gets it when the holder is killed", { timeout: 60_000 }, async () => {
    const directory = temporaryDirectory();
    const program = `
      import { nodeHolder, nodeStorage } from ${JSON.stringify(fileURLToPath(new URL("../../src/storage/node.ts", import.meta.url)))};
      await nodeStorage(process.argv[2]).lock(nodeHolder(), { mechanism: "auto", allowNetworkFileSystem: false });
      console.log("held");
      setInterval(() => {}, 1000);`;
    mkdirSync(directory, { recursive: true });
    const bundle = join(temporaryDirectory(), "holder.mjs");
    const { build } = await import("esbuild");
    await build({
      stdin: { contents: program, resolveDir: process.cwd(), loader: "ts" },
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: bundle,
      logLevel: "error",
    });
    const holder = spawn(process.execPath, [bundle, directory], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await new Promise((resolve) => holder.stdout.once("data", resolve));
      const opening = openLog(directory);
      await expect(opening).rejects.toMatchObject({
        name: "StorageError",
        code: "DIRECTORY_IN_USE",
        retriable: true,
        holder: { pid: holder.pid },
      });
      await expect(opening).rejects.toThrow(String(holder.pid));
      const exited = new Promise((resolve) => holder.once("exit", resolve));
      holder.kill("SIGKILL");
      await exited;
      const log = await openLog(directory);
      await log.createTopic("orders");
      await log.close();
    } finally {
      holder.kill("SIGKILL");
    }
  });
});
