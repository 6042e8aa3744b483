/** The words that an attached program hears of its calls are the face's, whatever the port calls them. */
import { expect, it } from "vitest";
import { CALLS, type CallName, wordOf } from "../../src/attached/calls.ts";
import { EmbeddedOdradek } from "../../src/odradek.ts";

/** What a log, a producer, a consumer and a transaction are asked by name. */
const FACE = new Set([...Object.getOwnPropertyNames(EmbeddedOdradek.prototype), "send", "transaction", "commit"]);

it.each(Object.keys(CALLS) as CallName[])("%s is told by a name that the face has, or in plain words", (name) => {
  const word = wordOf(name);
  if (!FACE.has(name)) expect(word).not.toBe(name);
  if (!FACE.has(word)) expect(word).toMatch(/^[a-z]+( [a-z]+)*$/);
});
