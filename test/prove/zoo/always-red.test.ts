/** What the zoo must not believe: a test that is red in every hunt, whatever is planted, and if nothing is. */
import { expect, it } from "vitest";

it("a hunt has no need of it", () => {
  expect(process.env["ODRADEK_HUNT"]).toBe(undefined);
});
