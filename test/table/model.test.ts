/** The law of a table: at any time it is what a reader from the start would put together, whatever is sent, compacted, cut and reopened. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Odradek } from "../../src/api/odradek.ts";
import type { Table } from "../../src/api/table.ts";
import { memory, utf8 } from "../../src/index.ts";
import { openLog } from "../face/support.ts";

const text = { key: utf8, value: utf8 };

type Step =
  | { readonly kind: "put"; readonly key: number; readonly isTombstone: boolean }
  | { readonly kind: "transaction"; readonly keys: readonly number[]; readonly commits: boolean }
  | { readonly kind: "compact" | "reopen" | "grow" | "another table" | "look" };

const key = fc.nat(12);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("put" as const), key, isTombstone: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("transaction" as const),
      keys: fc.array(key, { minLength: 1, maxLength: 4 }),
      commits: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("compact" as const, "reopen" as const, "grow" as const, "another table" as const, "look" as const),
    }),
  },
);

async function held(table: Table<string, string>): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const [each, value] of table.entries()) found.set(each, value);
  return found;
}

describe("a table", () => {
  it("is at any time what reading its topic from the start gives", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const storage = memory();
        const config = {
          cleanupPolicy: "compact",
          partitions: 2,
          segmentBytes: 400,
          minCleanableDirtyRatio: 0,
          deleteRetentionMs: 0,
        } as const;
        let log: Odradek = await openLog(storage);
        await log.createTopic("users", config);
        let table = await log.table("users", text);
        let producer = log.producer(text);
        let transactional = log.producer({ ...text, transactionalId: "t" });
        const expected = new Map<string, string>();
        let partitionCount = 2;
        let count = 0;
        // A key stays where it was first: one that moved when partitions were added could come back to life in its old one, once the
        // tombstone in the new one is compacted away. That is Kafka's, too.
        const homes = new Map<number, number>();
        const next = (of: number): { topic: string; partition: number; key: string; value: string } => {
          count += 1;
          const partition = homes.get(of) ?? (of + count) % partitionCount;
          homes.set(of, partition);
          return { topic: "users", partition, key: `key ${of}`, value: `value ${count}` };
        };
        for (const each of steps) {
          if (each.kind === "put") {
            const record = next(each.key);
            await producer.send(each.isTombstone ? { ...record, value: null } : record);
            if (each.isTombstone) expected.delete(record.key);
            else expected.set(record.key, record.value);
            expect(await table.get(record.key)).toBe(expected.get(record.key));
          } else if (each.kind === "transaction") {
            const records = each.keys.map(next);
            const abort = new Error("abort");
            await transactional
              .transaction(async (tx) => {
                for (const record of records) await tx.send(record);
                // Nothing of it is seen before it has committed.
                expect(await table.get(records[0]?.key as string)).toBe(expected.get(records[0]?.key as string));
                if (!each.commits) throw abort;
              })
              .catch((error: unknown) => {
                if (error !== abort) throw error;
              });
            if (each.commits) for (const record of records) expected.set(record.key, record.value);
          } else if (each.kind === "compact") await log.maintain();
          else if (each.kind === "grow" && partitionCount < 5) await log.createPartitions("users", ++partitionCount);
          else if (each.kind === "reopen") {
            await log.close();
            log = await openLog(storage);
            table = await log.table("users", text);
            producer = log.producer(text);
            transactional = log.producer({ ...text, transactionalId: "t" });
          } else if (each.kind === "another table") {
            const another = await log.table("users", text);
            expect(await held(another)).toEqual(expected);
            await another.close();
          } else expect(await held(table)).toEqual(expected);
        }
        expect(await held(table)).toEqual(expected);
        await log.close();
      }),
      { numRuns: 40 },
    );
  });
});
