/**
 * Whether the trials of takeovers see what they look for. `ODRADEK_TAKEOVERS=20 npx vitest run test/prove/kills/takeovers` has twenty of them, on a
 * machine at rest: then each takeover must be over within a second.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { open, utf8 } from "../../../src/index.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Tally } from "../prover.ts";
import { checkTold, type Told } from "./takeover-remains.ts";
import { runTakeovers } from "./takeovers.ts";

const HONEST = new URL("../../../dist/index.js", import.meta.url).href;
const ROUNDS = Number(process.env["ODRADEK_TAKEOVERS"] ?? 1);
const root = mkdtempSync(join(tmpdir(), "odradek-takeovers-"));
let made = 0;

afterAll(() => rmSync(root, { recursive: true, force: true }));

function takeovers(seed: number, entry: string, directory: string): Promise<Tally> {
  const say = (line: string): void => void (ROUNDS > 1 && process.stdout.write(`${line}\n`));
  return runTakeovers({ directory, entry, random: new SeededRandom(seed), takeoverMsMax: ROUNDS > 1 ? 1000 : 10_000, say });
}

it("finds nothing wrong with what killed owners and their successors left, and counts them", { timeout: 60_000 * ROUNDS }, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const tally = await takeovers(round + 4, HONEST, join(root, `${made++}`));
    expect(tally.failures).toEqual([]);
    expect(tally.counts.killCycles).toBeGreaterThan(0);
  }
});

it("sees what was acknowledged and is not there, what is there twice, and what was taken back or is there in part", async () => {
  const directory = join(root, `${made++}`);
  const log = await open(directory);
  for (const topic of ["plain", "pairs"]) await log.createTopic(topic);
  const texts = { key: utf8, value: utf8 };
  const plain = log.producer(texts);
  for (const value of ["one", "two", "two"]) await plain.send({ topic: "plain", value });
  const paired = log.producer({ ...texts, transactionalId: "x" });
  for (const [key, values] of Object.entries({ whole: "ab", half: "a" })) {
    await paired.transaction((tx) => Promise.all([...values].map((value) => tx.send({ topic: "pairs", key, value }))));
  }
  await log.close();
  const found: string[] = [];
  const acknowledged = ["one", "three"].map((value, offset) => ({ partition: "plain-0", offset, value }));
  const told: Told = {
    acknowledged,
    transactions: new Map([
      ["whole", "aborted"],
      ["gone", "committed"],
    ]),
  };
  checkTold(directory, [told], (breach, what) => found.push(`${breach}: ${what}`));
  expect(found).toEqual([
    "phantom: C3: two stands at plain-0 1 and at plain-0 2",
    "lost: C1: three was acknowledged at plain-0 1, found two",
    'other: transaction half is there as "a" of "ab"',
    "phantom: C3: transaction whole was refused, and is there",
    "lost: C1: transaction gone was committed, and is gone",
  ]);
});
