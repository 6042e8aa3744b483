/** Whether files are best made long ahead of what is written is the storage's to say, and whoever stands before it says the same. */
import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { fenced } from "../../src/storage/fenced.ts";
import { memory } from "../../src/storage/memory.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";

it("is said by a directory on Linux, and by no storage that has no flush of its own or pays for a length", () => {
  expect(nodeStorage(tmpdir()).aheadByteLength).toBe(process.platform === "linux" ? 4 * 1024 * 1024 : 0);
  expect(memory().aheadByteLength).toBe(undefined);
  expect(crashStorage().aheadByteLength).toBe(0);
});

it("is said by a fence, and by a storage that fails, as by what is behind them", () => {
  for (const wrap of [fenced, faultyStorage]) {
    expect(wrap(crashStorage({ aheadByteLength: 500 })).aheadByteLength).toBe(500);
    expect(wrap(memory()).aheadByteLength).toBe(0);
  }
});
