import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CorruptionError } from "../../../src/base/errors.ts";
import { readOffsetCheckpoint, writeOffsetCheckpoint } from "../../../src/log/books/checkpoint-file.ts";
import { readPartitionMetadata, writePartitionMetadata } from "../../../src/log/books/partition-metadata.ts";
import { memory } from "../../../src/storage/memory.ts";
import { bytesOf, get, golden, put, text } from "./support.ts";

const FILE = "recovery-point-offset-checkpoint";
const topics = fc.stringMatching(/^[a-zA-Z0-9._-]{1,40}$/).filter((name) => name !== "." && name !== "..");

async function readText(contents: string): Promise<Map<string, number> | null> {
  const storage = memory();
  await put(storage, FILE, bytesOf(contents));
  return readOffsetCheckpoint(storage, FILE);
}

describe("offset checkpoints", () => {
  it("read what Kafka wrote, and write the same bytes", async () => {
    for (const [file, expected] of [
      ["recovery-point-offset-checkpoint", [["orders-0", 21]]],
      ["log-start-offset-checkpoint", [["orders-0", 0]]],
      ["replication-offset-checkpoint", [["orders-0", 21]]],
      ["cleaner-offset-checkpoint", []],
    ] as const) {
      const storage = memory();
      await put(storage, file, golden(`data-clean/${file}`));
      const read = await readOffsetCheckpoint(storage, file);
      expect([...(read ?? [])]).toEqual(expected);
      await writeOffsetCheckpoint(
        storage,
        file,
        expected.map(([, offset]) => [{ topic: "orders", partition: 0 }, offset]),
      );
      expect(text(await get(storage, file))).toBe(text(golden(`data-clean/${file}`)));
      expect((await storage.list("")).map((entry) => entry.name)).toEqual([file]);
    }
  });

  it("read back what was written, for any partitions and offsets", async () => {
    const entry = fc.tuple(topics, fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.maxSafeNat());
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(entry, { selector: ([topic, partition]) => `${topic}-${partition}` }), async (entries) => {
        const storage = memory();
        await writeOffsetCheckpoint(
          storage,
          FILE,
          entries.map(([topic, partition, offset]) => [{ topic, partition }, offset]),
        );
        const read = await readOffsetCheckpoint(storage, FILE);
        expect([...(read ?? [])]).toEqual(entries.map(([topic, partition, offset]) => [`${topic}-${partition}`, offset]));
      }),
      { numRuns: 50 },
    );
  });

  it("never read another offset out of a file cut short: at every length they refuse or hold fewer whole files' worth", async () => {
    const whole = "0\n3\norders 0 4096\norders 1 17\nclicks-eu 12 9007199254740991\n";
    for (let byteLength = 0; byteLength < whole.length; byteLength++) {
      const cut = whole.slice(0, byteLength);
      // As Kafka has it: an empty file and a version alone hold nothing.
      if (["", "0", "0\n"].includes(cut)) expect(await readText(cut)).toEqual(new Map());
      else await expect(readText(cut), JSON.stringify(cut)).rejects.toMatchObject({ code: "BOOK_CORRUPT", file: FILE });
    }
    expect((await readText(whole))?.size).toBe(3);
  });

  it("refuse what is not theirs, in a sentence that names the file", async () => {
    for (const contents of [
      "1\n0\n",
      "0\n2\norders 0 1\n",
      "0\n0\norders 0 1\n",
      "0\n-1\n",
      "0\n1\norders 0\n",
      "0\n1\norders 0 1 2\n",
      "0\n1\norders x 1\n",
      "0\n1\norders 0 -1\n",
      "0\n1\norders 0 9007199254740992\n",
      "0\n1\norders 2147483648 1\n",
      "0\n1\n../etc 0 1\n",
      "0\n2\norders 0 1\norders 0 2\n",
      "\0\0\0\0",
      "0\n1\norders 0 1\0\n",
      "{}\n",
    ]) {
      const refusal = await readText(contents).catch((error: unknown) => error);
      expect(refusal, JSON.stringify(contents)).toBeInstanceOf(CorruptionError);
      expect((refusal as Error).message).toContain(FILE);
    }
    const storage = memory();
    await put(storage, FILE, Uint8Array.of(0x30, 0x0a, 0xff, 0x0a));
    await expect(readOffsetCheckpoint(storage, FILE)).rejects.toMatchObject({ code: "BOOK_CORRUPT" });
  });

  it("are null where there is no file", async () => {
    expect(await readOffsetCheckpoint(memory(), FILE)).toBeNull();
  });

  it("take blanks and line ends as Java does", async () => {
    expect(await readText("0\r\n1\r\norders\t0   5 \r\n")).toEqual(new Map([["orders-0", 5]]));
  });
});

describe("partition.metadata", () => {
  const NAME = "orders-0/partition.metadata";
  const topicId = "AAECAwQFBgcICQoLDA0ODw";

  it("is Kafka's, byte for byte, with no line end at its end", async () => {
    const storage = memory();
    await storage.createDirectory("orders-0");
    await writePartitionMetadata(storage, "orders-0", topicId);
    expect(await get(storage, NAME)).toEqual(golden("data-clean/orders-0/partition.metadata"));
    expect(await readPartitionMetadata(storage, "orders-0")).toEqual({ topicId });
  });

  it("is refused at every shorter length, with another version, and with the id of no topic", async () => {
    const storage = memory();
    const whole = text(golden("data-clean/orders-0/partition.metadata"));
    const wrong = Array.from({ length: whole.length }, (_, byteLength) => whole.slice(0, byteLength));
    wrong.push(
      "version: 1\ntopic_id: AAECAwQFBgcICQoLDA0ODw",
      "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA",
      `${whole}A`,
      "topic_id: AAECAwQFBgcICQoLDA0ODw",
    );
    for (const contents of wrong) {
      await put(storage, NAME, bytesOf(contents));
      await expect(readPartitionMetadata(storage, "orders-0"), JSON.stringify(contents)).rejects.toMatchObject({
        code: "BOOK_CORRUPT",
        file: NAME,
      });
    }
  });

  it("takes other white space, as Kafka does, and is null where there is none", async () => {
    const storage = memory();
    await put(storage, NAME, bytesOf(`version:  0\r\ntopic_id:\t${topicId}\n`));
    expect(await readPartitionMetadata(storage, "orders-0")).toEqual({ topicId });
    expect(await readPartitionMetadata(storage, "orders-1")).toBeNull();
  });
});
