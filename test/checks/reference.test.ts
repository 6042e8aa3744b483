/** A symbol or a setting without a sentence, and a link that leads nowhere, turn the reference red. */
import { afterAll, expect, it } from "vitest";
import { check } from "../../scripts/checks/reference.mjs";
import { Sample } from "./sample.ts";

const sample = new Sample();
afterAll(() => sample.remove());

/** What has its sentence is not complained of: `open`, and the interface. */
const OFFENDERS = `/** The door. */

/** How to read. */
export interface ConsumerOptions {
  readonly groupId?: string;
}

/** Begins. See {@link Nowhere}. */
export function open(_options: ConsumerOptions): void {}

export const undescribed = 1;
`;

it("says what has no sentence, and which link leads nowhere", { timeout: 120_000 }, async () => {
  for (const entry of ["src/opfs.ts", "src/durable-object.ts", "src/testing/index.ts"])
    sample.write(entry, "/** Nothing. */\nexport {};\n");
  const { problems } = await sample.with("src/index.ts", OFFENDERS, check);
  expect(problems).toEqual([
    expect.stringMatching(/undescribed .*does not have any documentation/),
    expect.stringContaining("Nowhere"),
    "ConsumerOptions.groupId: a setting without a sentence",
  ]);
});
