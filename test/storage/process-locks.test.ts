/** Who opened what is open already: the first line of the stack that is the program's own, whatever a runtime's stacks look like. */
import { expect, it, vi } from "vitest";
import { claimInProcess } from "../../src/storage/process-locks.ts";

it.each([
  ["V8's", "Error\n    at claim (/app/src/storage/process-locks.ts:1:2)\n    at main (/app/main.js:3:4)", "at main (/app/main.js:3:4)"],
  ["JavaScriptCore's", "claim@/app/src/storage/process-locks.ts:1:2\nmain@/app/main.js:3:4", "at main@/app/main.js:3:4"],
  [
    "one that is our own to its end",
    "Error\n    at a (/x/src/open.ts:1:2)\n    at b (/x/src/odradek.ts:3:4)",
    "at b (/x/src/odradek.ts:3:4)",
  ],
  ["one without places", "Error\n    at native", "at a place that left no stack"],
  ["none", undefined, "at a place that left no stack"],
])("a directory that is open is said to be so by the place in %s stack", (_whose, stack, place) => {
  const key = {};
  vi.stubGlobal(
    "Error",
    class {
      static stackTraceLimit = 10;
      readonly stack = stack;
    },
  );
  let release = (): void => {};
  try {
    release = claimInProcess(key, "the data");
  } finally {
    vi.unstubAllGlobals();
  }
  expect(() => claimInProcess(key, "the data")).toThrow(`the data is open already in this process: it was opened ${place}. Close`);
  release();
  release();
  claimInProcess(key, "the data")();
});
