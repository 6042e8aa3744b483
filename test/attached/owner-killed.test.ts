/**
 * What becomes of those attached when their owner is killed under load: one of them is the next, and nothing acknowledged is lost, there twice,
 * half there, or skipped by a group. `ODRADEK_TAKEOVERS=20 npx vitest run test/attached/owner-killed` does it twenty times and tells how long each took.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect, it } from "vitest";
import type { Odradek } from "../../src/index.ts";
import { open, utf8 } from "../../src/index.ts";
import { temporaryDirectory } from "../face/support.ts";
import { committedRecords, preparedTransactions, readPartitionFiles } from "../prove/kills/independent-reader.ts";
import { Child, killAll, removeBundle, type Told } from "./children.ts";

afterEach(killAll);
afterAll(removeBundle);

const ATTACHED = 8;
const ROUNDS = Number(process.env.ODRADEK_TAKEOVERS ?? 1);
/** A second is promised on a machine at rest, where it takes a fifth of that; tests run on busy ones. */
const TAKEOVER_MS_MAX = ROUNDS > 1 ? 1000 : 5000;
const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** By partition and offset, committed records alone, as a reader finds them in the files that shares no code with the engine. */
function recordsOf(path: string, topic: string): Map<string, string> {
  const found = new Map<string, string>();
  const prepared = preparedTransactions(path);
  for (const name of readdirSync(path).filter((each) => each.startsWith(`${topic}-`))) {
    const files = readPartitionFiles(join(path, name));
    for (const { offset, value } of committedRecords(files, prepared))
      found.set(`${name.slice(topic.length + 1)}/${offset}`, String(value));
  }
  return found;
}

async function leftByGroup(log: Odradek, topic: string): Promise<string[]> {
  const consumer = log.consumer<string, string>({ groupId: "g", key: utf8, value: utf8 });
  await consumer.subscribe([topic]);
  const values: string[] = [];
  for await (const { value } of consumer.records({ until: "end" })) values.push(value as string);
  await consumer.close();
  return values;
}

/** The owner opens as anyone does; eight attach and write, four of them read as a group as well. */
async function startAll(path: string): Promise<{ readonly owner: Child; readonly attached: Child[] }> {
  const [owner, ...attached] = (await Promise.all(Array.from({ length: ATTACHED + 1 }, () => Child.start()))) as [Child, ...Child[]];
  await owner.order({ call: "open", path });
  const setUp = await open(path, { attach: true });
  await setUp.createTopic("plain", { partitions: 4 });
  await setUp.createTopic("pairs", { partitions: 2 });
  await setUp.close();
  await Promise.all(attached.map((child) => child.order({ call: "open", path, options: { attach: true } })));
  await Promise.all(attached.map((child, index) => child.order({ call: "produce", topic: "plain", name: `p${index}`, atOnce: 8 })));
  await Promise.all(attached.map((child, index) => child.order({ call: "transact", topic: "pairs", name: `x${index}` })));
  await Promise.all(attached.slice(0, 4).map((child) => child.order({ call: "consume", topic: "plain", groupId: "g" })));
  return { owner, attached };
}

async function settled(attached: readonly Child[], since: readonly number[]): Promise<void> {
  const untilMs = Date.now() + TAKEOVER_MS_MAX + 1000;
  for (;;) {
    const counts = await Promise.all(attached.map((child) => child.order<{ acked: number }>({ call: "count" })));
    // More than what may have been answered and not been read yet when the owner was killed.
    if (counts.every(({ acked }, index) => acked > (since[index] as number) + 20) || Date.now() > untilMs) return;
    await pause(20);
  }
}

it(`an owner killed with ${ATTACHED} attached under load: one is the next, and nothing acknowledged is lost, doubled, halved or skipped`, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const path = temporaryDirectory();
    const { owner, attached } = await startAll(path);
    await pause(300 + 100 * (round % 5));
    const killedMs = Date.now();
    await owner.kill();
    const before = await Promise.all(attached.map((child) => child.order<{ acked: number }>({ call: "count" })));
    await settled(
      attached,
      before.map(({ acked }) => acked),
    );
    const next = JSON.parse(readFileSync(join(path, ".odradek-lock"), "utf8")) as { readonly pid: number };
    const told = await Promise.all(attached.map((child) => child.order<Told>({ call: "stop" })));

    const became = told.map(({ events }) => events.find(({ type }) => type === "owner.became") ?? null);
    expect(became.filter((event) => event !== null)).toHaveLength(1);
    expect(attached[became.findIndex((event) => event !== null)]!.pid).toBe(next.pid);
    const becameMs = became.find((event) => event !== null)!.atMs - killedMs;
    const firstMs = told.map(({ acked }) => acked.find(({ atMs }) => atMs > killedMs + becameMs)!.atMs - killedMs);
    if (ROUNDS > 1)
      process.stdout.write(`round ${round}: owner after ${becameMs} ms, acknowledged by all after ${Math.max(...firstMs)} ms\n`);
    expect(becameMs).toBeLessThan(TAKEOVER_MS_MAX);
    // A transaction that went with the owner is the only thing that is not made good without its caller.
    for (const { rejected } of told)
      for (const { value, code } of rejected) expect([value[0], code]).toEqual(["x", "TRANSACTION_ABORTABLE"]);

    await killAll();
    const plain = recordsOf(path, "plain");
    const pairs = recordsOf(path, "pairs");
    const log = await open(path);
    const inPairs = new Set(pairs.values());
    expect(new Set(plain.values()).size).toBe(plain.size);
    expect(inPairs.size).toBe(pairs.size);
    for (const value of inPairs) expect(inPairs.has(`${value.slice(0, -1)}${value.endsWith("a") ? "b" : "a"}`)).toBe(true);
    const read = new Set([...told.flatMap(({ seen }) => seen), ...(await leftByGroup(log, "plain"))]);
    for (const { value, partition, offset } of told.flatMap(({ acked }) => acked)) {
      const isPair = value.startsWith("x");
      expect((isPair ? pairs : plain).get(`${partition}/${offset}`)).toBe(isPair ? `${value}a` : value);
      if (!isPair && !read.has(value)) expect(`read by the group: ${value}`).toBe("");
    }
    await log.close();
  }
}, 600_000);
