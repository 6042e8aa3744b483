/** How a transaction finds the way into a consumer: by a name that nothing else has, and never by chance. */
import { expect, it } from "vitest";
import { TRANSACTION_LINK, transactionLinkOf } from "../../src/base/transaction-link.ts";

it("is found in an object that has it, inherited or its own, and in nothing else", () => {
  const link = { claim: () => ({ member: {}, offsets: [] }), committed: () => {}, rewind: () => {} };
  const consumer = { [TRANSACTION_LINK]: link };
  expect(transactionLinkOf(consumer)).toBe(link);
  expect(transactionLinkOf(Object.create(consumer))).toBe(link);
  for (const other of [null, undefined, 5, "consumer", {}, [], { "odradek.transaction-link": link }, Object.assign(() => {}, consumer)])
    expect(transactionLinkOf(other)).toBeNull();
});
