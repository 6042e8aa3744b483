/** A log that is only read, while another process writes it: each look shows what is there by then, or opens the log anew. */
import { describe, expect, it } from "vitest";
import type { StorageDriver, StorageFile } from "../../src/api/storage-driver.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { compactAll, KEYED, put, readKeyed, rollOver } from "./compaction-rig.ts";
import { batchOf, created, NOW_MS, opened, type RigOptions, readAll, send } from "./log-rig.ts";

const LOG = "orders-0/00000000000000000000.log";
const OS: RigOptions = { config: { durability: "os" } };

async function withFile<Result>(storage: StorageDriver, work: (file: StorageFile) => Result): Promise<Result> {
  const file = await storage.open(LOG, { create: "no" });
  try {
    return work(file);
  } finally {
    await file.close();
  }
}

/** One look, as it is taken every moment. Answers what was seen. */
async function look(log: PartitionLog, looksAtFiles = false): Promise<"end" | "files" | null> {
  const change = await log.follower.changeSeen(looksAtFiles);
  if (change !== null) await log.follower.follow(change === "files");
  return change;
}

const values = async (log: PartitionLog): Promise<string[]> => (await readAll(log)).map(({ value }) => value);

describe("a reader beside a writer", () => {
  it.each(["sync", "os"] as const)("sees what is written after it was opened, and nothing twice (%s)", async (durability) => {
    const storage = memory();
    const { log: writer } = await created(storage, { config: { durability } });
    const { log: reader } = await opened(storage, { config: { durability }, readOnly: true });
    expect([await values(reader), await look(reader)]).toEqual([[], null]);
    const sent: string[] = [];
    for (const value of ["one", "two", "three"]) {
      await send(writer, value);
      sent.push(value);
      expect([await look(reader), await values(reader), await look(reader)]).toEqual(["end", sent, null]);
    }
    expect(reader.leaderEpoch).toBe(writer.leaderEpoch + 1);
    await reader.close(false);
    await writer.close(true);
  });

  it("shows nothing of a batch of which a part is there, and all of it when the rest is", async () => {
    const storage = memory();
    const { log: writer } = await created(storage, OS);
    const { log: reader } = await opened(storage, { ...OS, readOnly: true });
    await send(writer, "whole");
    const batch = batchOf([{ value: "in parts", timestamp: NOW_MS }]);
    for (const byteLength of [30, 65]) {
      await withFile(storage, (file) => {
        // The offset that it will get; the rest of the header is as it will be.
        batch[7] = 1;
        file.writeAt(batch.subarray(0, byteLength), writer.byteLength);
      });
      expect([await look(reader), await values(reader)]).toEqual(["end", ["whole"]]);
    }
    await send(writer, "in parts");
    expect([await look(reader), await values(reader)]).toEqual(["end", ["whole", "in parts"]]);
    await reader.close(false);
    await writer.close(true);
  });

  it("goes on where the writer began anew, under another leader epoch", async () => {
    const storage = memory();
    const { log: first } = await created(storage);
    await send(first, "before");
    const { log: reader } = await opened(storage, { readOnly: true });
    await first.close(false);
    const { log: second } = await opened(storage);
    await send(second, "after");
    expect(await look(reader)).toBe("end");
    expect(await values(reader)).toEqual(["before", "after"]);
    await send(second, "and more");
    await look(reader);
    expect(await values(reader)).toEqual(["before", "after", "and more"]);
    await reader.close(false);
    await second.close(true);
  });

  it("that found no segment sees the one that is made", async () => {
    for (const options of [{}, OS]) {
      const storage = memory();
      const { log } = await created(storage, options);
      await log.close(false);
      for (const { name } of await storage.list("orders-0")) if (name !== "odradek.state") await storage.remove(`orders-0/${name}`);
      const { log: reader } = await opened(storage, { ...options, readOnly: true });
      expect(await values(reader)).toEqual([]);
      // Looked for by its name, it is not there: no change.
      await look(reader, true);
      expect(await values(reader)).toEqual([]);
      const { log: writer } = await opened(storage, options);
      await send(writer, "first");
      await look(reader, true);
      expect(await values(reader)).toEqual(["first"]);
      await reader.close(false);
      await writer.close(true);
    }
  });

  it("takes what comes under whatever epoch it has, where there is no book of epochs; and with gaps, where another may write", async () => {
    for (const options of [{ readOnly: true }, { readOnly: true, frozen: true }]) {
      const storage = memory();
      const { log: writer } = await created(storage);
      await send(writer, "one");
      if (!("frozen" in options)) await storage.remove("orders-0/leader-epoch-checkpoint");
      const { log: reader } = await opened(storage, options);
      await send(writer, "two");
      await look(reader);
      expect(await values(reader)).toEqual(["one", "two"]);
      await reader.close(false);
      await writer.close(true);
    }
  });

  it("is told of files that were put in the place of others, and reads those", async () => {
    const storage = memory();
    const { log: writer } = await created(storage, KEYED);
    for (let round = 0; round < 10; round += 1) await put(writer, [["a", `a${round}`.padEnd(40)]]);
    await rollOver(writer);
    const { log: reader } = await opened(storage, { ...KEYED, readOnly: true });
    expect(await look(reader, true)).toBeNull();
    await compactAll(writer);
    // The state was written before the first of them was.
    await look(reader);
    expect(await look(reader, true)).toBe("files");
    expect((await readKeyed(reader)).map(({ key }) => key)).toEqual(["a", "roll"]);
    expect(await look(reader, true)).toBeNull();
    await reader.close(false);
    await writer.close(true);
  });
});

describe("a reader that finds other bytes than a writer leaves", () => {
  it("gives out nothing of them, says so where they are asked for, and goes on when they are right again", async () => {
    for (const spoil of ["a flip", "an end that lacks"] as const) {
      const storage = memory();
      const { log: writer } = await created(storage);
      await send(writer, "one");
      const { log: reader } = await opened(storage, { readOnly: true });
      const at = writer.byteLength;
      await send(writer, "two");
      const batch = await withFile(storage, (file) => {
        const bytes = new Uint8Array(file.byteLength() - at);
        file.readAt(bytes, at);
        if (spoil === "a flip") file.writeAt(Uint8Array.of((bytes[65] as number) ^ 1), at + 65);
        else file.truncate(file.byteLength() - 3);
        return bytes;
      });
      await look(reader);
      expect(reader.watermarks.highWatermark, spoil).toBe(2);
      expect((await reader.read(0, 1)).length).toBeGreaterThan(0);
      await expect(reader.read(1, 1), spoil).rejects.toMatchObject({ name: "CorruptionError" });
      await withFile(storage, (file) => file.writeAt(batch, at));
      await reader.follower.follow(false);
      expect(await values(reader), spoil).toEqual(["one", "two"]);
      await reader.close(false);
      await writer.close(true);
    }
  });
});
