/** A partition's directory as it is looked at by whoever may change nothing in it, while another renames files. */
import { expect, it } from "vitest";
import type { StorageDriver } from "../../../src/api/storage-driver.ts";
import { viewPartitionFiles } from "../../../src/log/files/partition-files.ts";

const FIRST = "00000000000000000000.log";
const SECOND = "00000000000000000005.log";
const SWAP = `${FIRST}.swap`;

/** Answers one list after the other, the last one for ever. */
function listing(...lists: readonly (readonly string[])[]): { readonly storage: StorageDriver; readonly looks: () => number } {
  let looks = 0;
  const list = async (): Promise<{ name: string; kind: "file" }[]> => {
    const names = lists[Math.min(looks++, lists.length - 1)] as readonly string[];
    return names.map((name) => ({ name, kind: "file" }));
  };
  return { storage: { list } as unknown as StorageDriver, looks: () => looks };
}

const view = async (storage: StorageDriver): Promise<[readonly number[], readonly number[]]> => {
  const { baseOffsets, inSwap } = await viewPartitionFiles(storage, "orders-0", async () => 5);
  return [baseOffsets, [...inSwap]];
};

it("a renaming that a look met halfway, under no name or under both, is looked at again", async () => {
  const met = listing([SECOND], [SWAP, SECOND], [SECOND, SWAP]);
  expect(await view(met.storage)).toEqual([[0, 5], [0]]);
  expect(met.looks()).toBe(3);
  const both = listing([FIRST, SWAP, SECOND], [FIRST, SECOND]);
  expect(await view(both.storage)).toEqual([[0, 5], []]);
  expect(both.looks()).toBe(3);
});

it("which segments there are and which of them are swaps is of one moment", async () => {
  const finished = listing([FIRST, SWAP, SECOND], [FIRST, SWAP, SECOND], [FIRST, SECOND]);
  expect(await view(finished.storage)).toEqual([[0, 5], [0]]);
  expect(finished.looks()).toBe(2);
});

it("a directory that is never the same twice is looked at so often, and no more", async () => {
  let look = 0;
  const list = async () => [
    { name: `${look++}.tmp`, kind: "file" as const },
    ...[FIRST, SECOND].map((name) => ({ name, kind: "file" as const })),
  ];
  expect(await view({ list } as unknown as StorageDriver)).toEqual([[0, 5], []]);
  expect(look).toBe(32);
});
