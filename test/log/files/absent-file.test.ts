/** What stands for a segment that is not there reads as nothing, and takes nothing. */
import { expect, it } from "vitest";
import { ABSENT_FILE } from "../../../src/log/files/absent-file.ts";

it("a segment that is not there is empty, and refuses to be written rather than to forget what it was given", async () => {
  const into = Uint8Array.of(1, 2, 3);
  expect([ABSENT_FILE.readAt(into, 0), ABSENT_FILE.byteLength(), ABSENT_FILE.modifiedAt()]).toEqual([0, 0, 0]);
  expect(into).toEqual(Uint8Array.of(1, 2, 3));
  expect(() => ABSENT_FILE.writeAt(into, 0)).toThrow(expect.objectContaining({ code: "READ_ONLY" }));
  expect(() => ABSENT_FILE.truncate(0)).toThrow(expect.objectContaining({ code: "READ_ONLY" }));
  await ABSENT_FILE.readAhead(0, 1);
  await ABSENT_FILE.sync();
  await ABSENT_FILE.close();
});
