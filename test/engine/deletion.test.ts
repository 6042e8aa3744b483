/** The rest of a deletion: what goes, in which order, and what one that cannot be finished leaves the others. */
import { describe, expect, it } from "vitest";
import type { OdradekEvent } from "../../src/api/odradek.ts";
import { finishDeletion, finishDeletions } from "../../src/engine/deletion.ts";
import { Events } from "../../src/engine/events.ts";
import type { House } from "../../src/engine/house.ts";
import { removeUncommitted } from "../../src/engine/leftover.ts";
import { memory } from "../../src/storage/memory.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { bytesOf, put } from "../log/books/support.ts";
import { watched } from "../simulation/engine-rig.ts";

const LOG = "00000000000000000000.log";

interface Bed {
  readonly house: House;
  readonly did: string[];
  readonly told: OdradekEvent[];
  readonly left: () => Promise<string[]>;
}

async function bed(directories: readonly string[], deleting: readonly string[]): Promise<Bed> {
  const inner = memory();
  for (const directory of directories) await put(inner, `${directory}/${LOG}`, bytesOf("records"));
  await put(inner, "orders-9", bytesOf("a file, whatever its name"));
  const did: string[] = [];
  const told: OdradekEvent[] = [];
  const house = {
    context: { storage: watched(inner, (call) => void did.push(call)) },
    checkpoints: { forget: ({ topic, partition }: { topic: string; partition: number }) => void did.push(`forget ${topic} ${partition}`) },
    catalog: { deleting: () => deleting, removeTopic: async (topic: string) => void did.push(`free ${topic}`) },
    events: new Events(new ManualClock(), { onEvent: (event) => void told.push(event) }),
  } as unknown as House;
  return { house, did, told, left: async () => (await inner.list("")).map(({ name }) => name).sort() };
}

describe("a deletion", () => {
  it("removes each directory with its lines, durably, then the committed offsets, and frees the name last", async () => {
    const { house, did, left } = await bed(["orders-0", "orders-1"], ["orders"]);
    await finishDeletion(house, "orders", async (topic) => void did.push(`offsets ${topic}`));
    const of = (partition: number): string[] => [
      `forget orders ${partition}`,
      `remove orders-${partition}/${LOG}`,
      `removeDirectory orders-${partition}`,
    ];
    expect(did).toEqual([...of(0), ...of(1), "syncDirectory ", "offsets orders", "free orders"]);
    expect(await left()).toEqual(["orders-9"]);
  });

  it("leaves what is another topic's, a broker's own, and what is no directory", async () => {
    const others = ["orders-x-0", "order-0", `orders-0.${"a".repeat(32)}-delete`, "orders"];
    const { house, left } = await bed(["orders-0", ...others], ["orders"]);
    await finishDeletion(house, "orders", async () => {});
    expect(await left()).toEqual([...others, "orders-9"].sort());
  });

  it("does not free a name whose offsets could not be forgotten", async () => {
    const { house, did } = await bed(["orders-0"], ["orders"]);
    const error = new Error("not read yet");
    await expect(finishDeletion(house, "orders", () => Promise.reject(error))).rejects.toBe(error);
    expect(did).not.toContain("free orders");
  });

  it("that cannot be finished at an opening is told of, and keeps no other from it", async () => {
    const { house, did, told, left } = await bed(["a-0", "b-0", "c-0"], ["a", "b"]);
    const error = new Error("not read yet");
    await finishDeletions(house, (topic) => (topic === "a" ? Promise.reject(error) : Promise.resolve()));
    expect(told).toMatchObject([{ type: "maintenance.failed", task: "deletion", topic: "a", error }]);
    expect(did.filter((call) => call.startsWith("free"))).toEqual(["free b"]);
    expect(await left()).toEqual(["c-0", "orders-9"]);
  });
});

describe("a directory that no catalogue names", () => {
  it("loses its state last, when all else has gone for good", async () => {
    const inner = memory();
    for (const name of ["odradek.state", LOG, "partition.metadata"]) await put(inner, `orders-0/${name}`, bytesOf(""));
    const did: string[] = [];
    await removeUncommitted(
      watched(inner, (call) => void did.push(call)),
      "orders-0",
    );
    expect(did.slice(0, 2).sort()).toEqual([`remove orders-0/${LOG}`, "remove orders-0/partition.metadata"]);
    expect(did.slice(2)).toEqual(["syncDirectory orders-0", "remove orders-0/odradek.state", "removeDirectory orders-0"]);
  });
});
