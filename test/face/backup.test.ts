/** A backup through the face: a copy made while the log is open, that opens as whole as it was. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { memory } from "../../src/index.ts";
import { hashesOf, heard, openLog, sendAll, temporaryDirectory, valuesIn } from "./support.ts";

const at = (partition: number): { topic: string; partition: number } => ({ topic: "orders", partition });

describe("backup()", () => {
  it("made while records and commits come in is whole: it opens, every record up to its ends is there, no commit lies beyond", async () => {
    const source = temporaryDirectory();
    const log = await openLog(source, { offsetsFlushMs: 1 });
    await log.createTopic("orders", { partitions: 3, segmentBytes: 20_000 });
    const ids = (await log.describeTopic("orders")).topicId;
    let running = true;
    const sent = [0, 0, 0];
    const producer = log.producer();
    const producing = (async (): Promise<void> => {
      for (let round = 0; running; round += 1) {
        const partition = round % 3;
        await producer.sendBatch(
          Array.from({ length: 20 }, (_, index) => ({
            ...at(partition),
            value: { partition, index: (sent[partition] as number) + index },
          })),
        );
        sent[partition] = (sent[partition] as number) + 20;
      }
    })();
    const consumer = log.consumer({ groupId: "g", enableAutoCommit: false });
    await consumer.subscribe(["orders"]);
    let committed = 0;
    const consuming = (async (): Promise<void> => {
      while (running) {
        const { length } = await consumer.poll({ timeoutMs: 5 });
        await consumer.commit();
        committed += length;
      }
    })();
    const target = join(temporaryDirectory(), "copy");
    let before: number[] = [];
    const backingUp = async (): Promise<{ files: number }> => {
      do await new Promise((resolve) => setTimeout(resolve, 50));
      while (committed === 0 || Math.min(...sent) === 0);
      await log.deleteRecords(at(1), 5);
      before = [...sent];
      const making = log.backup(target);
      // A topic made meanwhile is in it whole or not at all.
      await log.createTopic("late", { partitions: 2 });
      return making;
    };
    const report = await backingUp().finally(() => {
      running = false;
    });
    await Promise.all([producing, consuming]);
    expect(report.files).toBe(Object.keys(hashesOf(target)).length);
    const told = heard();
    const copy = await openLog(target, { onEvent: told.onEvent });
    expect(told.of("partition.failed")).toEqual([]);
    expect(told.of("recovery.damage")).toEqual([]);
    const described = await copy.describeTopic("orders");
    expect(described.topicId).toBe(ids);
    expect(described.partitions.map(({ logStartOffset }) => logStartOffset)).toEqual([0, 5, 0]);
    for (const { partition, logStartOffset, logEndOffset } of described.partitions) {
      expect(logEndOffset).toBeGreaterThanOrEqual(before[partition] as number);
      const reader = copy.consumer();
      await reader.assign([at(partition)]);
      let next = logStartOffset;
      for await (const { offset, value } of reader.records({ until: "end" })) {
        expect(offset).toBe(next);
        expect(value).toEqual({ partition, index: next });
        next += 1;
      }
      expect(next).toBe(logEndOffset);
      await reader.close();
    }
    for (const { partition, nextOffset } of (await copy.describeGroup("g")).offsets) {
      expect(nextOffset).toBeLessThanOrEqual(described.partitions[partition]?.logEndOffset as number);
    }
    expect(told.of("offset.clamped")).toEqual([]);
    expect(await sendAll(copy, "orders", ["on"], 2)).toBe(described.partitions[2]?.logEndOffset);
    await copy.close();
  });

  it("goes into an empty directory alone, and leaves what is there", async () => {
    const log = await openLog(memory());
    await log.createTopic("orders");
    const target = temporaryDirectory();
    writeFileSync(join(target, "precious"), "x");
    await expect(log.backup(target)).rejects.toMatchObject({ name: "UsageError", code: "INVALID_ARGUMENT" });
    expect(Object.keys(hashesOf(target))).toEqual(["precious"]);
    const file = join(temporaryDirectory(), "file");
    writeFileSync(file, "");
    await expect(log.backup(file)).rejects.toMatchObject({ name: "StorageError", code: "NOT_A_DIRECTORY" });
    await expect(log.backup("")).rejects.toMatchObject({ name: "UsageError" });
  });

  it("of an adopted topic is that topic, not yet adopted, with its id", async () => {
    const source = temporaryDirectory();
    const first = await openLog(source);
    const { topicId } = await first.createTopic("orders");
    await sendAll(first, "orders", ["a"]);
    await first.close();
    for (const name of ["odradek.json", "orders-0/odradek.state"]) rmSync(join(source, name));
    const log = await openLog(source);
    const target = join(temporaryDirectory(), "copy");
    await log.backup(target);
    const copy = await openLog(target);
    expect(await valuesIn(copy, "orders")).toEqual(["a"]);
    expect((await copy.describeTopic("orders")).topicId).toBe(topicId);
    await expect(copy.alterTopic("orders", {})).rejects.toMatchObject({ code: "TOPIC_NOT_ADOPTED" });
  });
});
