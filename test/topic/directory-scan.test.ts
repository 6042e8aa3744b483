import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scanDirectory } from "../../src/topic/directory-scan.ts";

const directory = (name: string): { readonly name: string; readonly kind: "directory" } => ({ name, kind: "directory" });
const file = (name: string): { readonly name: string; readonly kind: "file" } => ({ name, kind: "file" });

describe("a scan of a data directory", () => {
  it("counts every topic's partitions up to the largest and names the gaps, in whatever order they are listed", () => {
    const topics = fc.dictionary(
      fc.stringMatching(/^[a-z._-]{1,8}$/).filter((name) => name !== "." && name !== ".."),
      fc.uniqueArray(fc.nat({ max: 30 }), { minLength: 1 }),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(topics, fc.func(fc.nat()), (given, order) => {
        const entries = Object.entries(given).flatMap(([topic, partitions]) =>
          partitions.map((partition) => directory(`${topic}-${partition}`)),
        );
        const scan = scanDirectory(
          [...entries, file("odradek.json"), file(".lock")].sort((left, right) => order(left.name) - order(right.name)),
        );
        expect([scan.foreign, scan.suspicious]).toEqual([[], []]);
        expect([...scan.topics.keys()]).toEqual(Object.keys(given).sort((left, right) => (left < right ? -1 : 1)));
        for (const [topic, partitions] of Object.entries(given)) {
          const found = scan.topics.get(topic)!;
          expect(found.partitionCount).toBe(Math.max(...partitions) + 1);
          expect(found.present).toEqual([...partitions].sort((left, right) => left - right));
          expect([...found.present, ...found.missing].sort((left, right) => left - right)).toEqual(
            Array.from({ length: found.partitionCount }, (_, partition) => partition),
          );
        }
      }),
    );
  });

  it("leaves Kafka's own alone", () => {
    const uuid = "0123456789abcdef0123456789abcdef";
    const names = [
      `orders-0.${uuid}-delete`,
      `orders-1.${uuid}-stray`,
      `orders-2.${uuid}-future`,
      "__cluster_metadata-0",
      "remote-log-index-cache",
    ];
    const scan = scanDirectory([...names.map(directory), directory("__consumer_offsets-49")]);
    expect(scan.foreign).toEqual([...names].sort());
    expect([...scan.topics.keys()]).toEqual(["__consumer_offsets"]);
    expect(scan.suspicious).toEqual([]);
  });

  it("tells what belongs there by no rule", () => {
    const scan = scanDirectory([
      directory("lost+found"),
      directory("orders-00"),
      directory("orders-x"),
      directory("a b-0"),
      file("orders-0"),
      { name: "orders-1", kind: "other" },
      file("notes.txt"),
    ]);
    expect(scan.topics.size).toBe(0);
    expect(scan.suspicious.map((oddity) => oddity.name).sort()).toEqual([
      "a b-0",
      "lost+found",
      "orders-0",
      "orders-00",
      "orders-1",
      "orders-x",
    ]);
  });

  it("does not count to two thousand million for one odd name", () => {
    const scan = scanDirectory([directory("orders-2147483647"), directory("__proto__-3")]);
    expect(scan.topics.get("orders")).toMatchObject({ partitionCount: 2_147_483_648, present: [2_147_483_647] });
    expect(scan.topics.get("orders")?.missing.length).toBe(100);
    expect(scan.topics.get("__proto__")?.partitionCount).toBe(4);
  });
});
