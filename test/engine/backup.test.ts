/** What a backup promises: it opens, with the same ids, protection and ends, whatever went on meanwhile. */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CorruptionError } from "../../src/base/errors.ts";
import { brokersDirectory, openLog, temporaryDirectory, valuesIn } from "../face/support.ts";

describe("a backup", () => {
  it("opens with the same records, topic ids, log starts, epochs and seals, and nothing that was deleted comes back", async () => {
    const source = temporaryDirectory();
    const target = temporaryDirectory();
    const log = await openLog(source);
    await log.createTopic("orders", { segmentBytes: 1000 });
    const producer = log.producer();
    for (let value = 0; value < 60; value += 1) await producer.send({ topic: "orders", value });
    await log.deleteRecords({ topic: "orders", partition: 0 }, 20);
    const before = await log.describeTopic("orders");
    const report = await log.backup(target);
    expect(report.byteLength).toBeGreaterThan(1000);
    const events: string[] = [];
    const copy = await openLog(target, { onEvent: (event) => void events.push(event.type) });
    const after = await copy.describeTopic("orders");
    // Opening removes what lies wholly below the log start; the rest is the same.
    const ends = ({ partitions }: typeof after): unknown => partitions.map((partition) => ({ ...partition, byteLength: 0 }));
    expect({ ...after, partitions: ends(after) }).toEqual({ ...before, partitions: ends(before) });
    expect(await valuesIn(copy, "orders")).toEqual(Array.from({ length: 40 }, (_, index) => index + 20));
    // The indexes of sealed segments came along, the active one's is made again; nothing was cut, nothing doubted.
    expect(events.filter((type) => type !== "index.rebuilt")).toEqual([]);
    expect(events.length).toBeLessThanOrEqual(1);
    for (const name of ["partition.metadata", "leader-epoch-checkpoint"])
      expect(readFileSync(join(target, "orders-0", name), "utf8").slice(0, 20)).toBe(
        readFileSync(join(source, "orders-0", name), "utf8").slice(0, 20),
      );
    await copy.producer().send({ topic: "orders", value: "next" });
    await copy.close();
    const seals = (directory: string): string[] => readdirSync(join(directory, "orders-0")).filter((name) => name.endsWith(".seal"));
    expect(seals(target)).toEqual(seals(source).slice(1)); // the first lies below the log start
    expect(seals(target).length).toBeGreaterThan(2);
    // The seal protects what a batch's own checksum leaves open: a flipped leader epoch is seen.
    const damaged = join(target, "orders-0", seals(target)[1]?.replace(".seal", ".log") ?? "");
    const file = openSync(damaged, "r+");
    writeSync(file, new Uint8Array([0x7f]), 0, 1, 12);
    closeSync(file);
    const again = await openLog(target);
    await expect(valuesIn(again, "orders")).rejects.toBeInstanceOf(CorruptionError);
  });

  it("taken while records are sent, committed and retained away, holds no commit behind its log's end, and every acknowledged record", async () => {
    const source = temporaryDirectory();
    const log = await openLog(source, { offsetsFlushMs: 1 });
    for (const durability of ["sync", "os"] as const)
      await log.createTopic(durability, { segmentBytes: 2000, durability, retentionBytes: 6000 });
    const producer = log.producer();
    const consumer = log.consumer({ groupId: "billing", enableAutoCommit: false });
    await consumer.subscribe(["sync", "os"]);
    for (const topic of ["sync", "os"]) await producer.send({ topic, value: "first" });
    await consumer.poll({ timeoutMs: 5000 });
    await consumer.commit();
    let running = true;
    const acknowledged = { sync: -1, os: -1 };
    const sending = (async () => {
      for (let value = 0; running; value += 1) {
        for (const topic of ["sync", "os"] as const) acknowledged[topic] = (await producer.send({ topic, value })).offset ?? -1;
        if (value % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const consuming = (async () => {
      while (running) {
        await consumer.poll({ timeoutMs: 5 });
        await consumer.commit();
      }
    })();
    const retaining = (async () => {
      while (running) {
        await log.maintain();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    try {
      for (let round = 0; round < 2; round += 1) {
        await new Promise((resolve) => setTimeout(resolve, 60));
        const target = temporaryDirectory();
        const promised = { ...acknowledged };
        await log.backup(target);
        const events: string[] = [];
        const copy = await openLog(target, { onEvent: (event) => void events.push(event.type) });
        for (const topic of ["sync", "os"] as const) {
          const { partitions } = await copy.describeTopic(topic);
          const { logEndOffset, logStartOffset } = partitions[0] as { logEndOffset: number; logStartOffset: number };
          expect(logEndOffset, topic).toBeGreaterThan(promised[topic]);
          expect((await valuesIn(copy, topic)).length, topic).toBe(logEndOffset - logStartOffset);
        }
        const group = await copy.describeGroup("billing");
        for (const offset of group.offsets) {
          const { partitions } = await copy.describeTopic(offset.topic);
          expect(offset.nextOffset).toBeLessThanOrEqual(partitions[0]?.logEndOffset ?? -1);
        }
        // A commit past the end would have been set back, and told.
        expect(events.filter((type) => /offset|recovery|failed/.test(type))).toEqual([]);
        await copy.close();
      }
    } finally {
      running = false;
      await Promise.all([sending, consuming, retaining]);
    }
  }, 30_000);

  it("of a directory that another writer left is read as that was, and stays unchanged but for our own books", async () => {
    const source = brokersDirectory();
    const target = temporaryDirectory();
    const log = await openLog(source);
    const before = await log.describeTopic("orders");
    await log.backup(target);
    const copy = await openLog(target, { readOnly: true });
    expect(await copy.describeTopic("orders")).toEqual(before);
    for (const name of readdirSync(join(source, "orders-0")).filter((file) => file.endsWith(".log")))
      expect(readFileSync(join(target, "orders-0", name)).equals(readFileSync(join(source, "orders-0", name)))).toBe(true);
  });

  it("is refused where something stands already, and says what", async () => {
    const log = await openLog(temporaryDirectory());
    const target = brokersDirectory();
    await expect(log.backup(target)).rejects.toThrow(/expected an empty directory, found \d+ entries, among them /);
  });
});
