/** The sentence for whoever comes to a log and is not let in: who has it, as far as the lock knows, and what was tried. */
import { expect, it } from "vitest";
import { isTaken, notLetIn } from "../../src/attached/not-let-in.ts";
import { StorageError, UsageError } from "../../src/base/errors.ts";

const from = (inUse: StorageError | null, reason: unknown): StorageError =>
  notLetIn({ call: "attach", inUse, reason, silence: "it lets nobody attach" });

it("names the holder, and why it may be that nobody answered", () => {
  const inUse = new StorageError("DIRECTORY_IN_USE", "/data is open in process 7", { holder: { pid: 7 } });
  expect(from(inUse, null)).toMatchObject({
    code: "DIRECTORY_IN_USE",
    message: "/data is open in process 7; attach: it lets nobody attach",
    holder: { pid: 7 },
    cause: inUse,
  });
});

it("tells what went wrong on the way where something did, also while the lock is still being tried", () => {
  const reason = new StorageError("NETWORK_EXCEPTION", "it hung up");
  expect(from(null, reason)).toMatchObject({ message: "nobody has the log; attach: it hung up", holder: null, cause: reason });
  expect(from(new StorageError("DIRECTORY_IN_USE", "taken"), "no error at all")).toMatchObject({
    message: "taken; attach: no error at all",
    holder: null,
  });
});

it("is for a log that is taken, here or elsewhere, and for nothing else", () => {
  expect(isTaken(new StorageError("DIRECTORY_IN_USE", "there"))).toBe(true);
  expect(isTaken(new UsageError("ALREADY_OPEN", "here"))).toBe(true);
  expect(isTaken(new StorageError("PERMISSION_DENIED", "no"))).toBe(false);
  expect(isTaken(new Error("of another kind"))).toBe(false);
});
