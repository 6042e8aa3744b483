/** What the system's refusals are told as. */
import { expect, it } from "vitest";
import { storageError, storageReadOnly } from "../../src/storage/errno.ts";

/**
 * The directory above a new data directory was not readable under Node's permission model, and people were told "Use --allow-fs-read to manage
 * permissions" with no word of for what: Node's message does not name it, its error does.
 */
it("a refusal of Node's permission model names what was asked for", () => {
  const refusal = Object.assign(new Error("Access to this API has been restricted."), {
    code: "ERR_ACCESS_DENIED",
    permission: "FileSystemRead",
    resource: "/srv",
  });
  expect(storageError(refusal, "lock", "")).toMatchObject({
    code: "PERMISSION_DENIED",
    message: "lock of the data directory was refused: Access to this API has been restricted. (FileSystemRead of /srv)",
    cause: refusal,
  });
  expect(storageError(Object.assign(refusal, { resource: "" }), "lock", "").message).toMatch(/restricted\.$/);
  expect(storageError(new Error("no errno"), "open", "a/b").message).toBe("open of a/b was refused: no errno");
});

it("whatever was thrown is told, and which place was opened to be read alone", () => {
  for (const thrown of [undefined, null, "gone"])
    expect(storageError(thrown, "open", "a/b").message).toBe(`open of a/b was refused: ${thrown}`);
  expect(storageReadOnly("remove", "a/b")).toMatchObject({ code: "READ_ONLY", message: "remove of a/b: it was opened with readOnly" });
  expect(storageReadOnly("lock", "").message).toBe("lock of the data directory: it was opened with readOnly");
});
