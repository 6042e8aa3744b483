/** What becomes of those attached when their owner is killed, stopped, or closes: nothing acknowledged is lost, and one of them is the next. */
import { afterAll, afterEach, expect, it } from "vitest";
import { open, utf8 } from "../../src/index.ts";
import { temporaryDirectory } from "../face/support.ts";
import { Child, killAll, removeBundle, type Told } from "./children.ts";

afterEach(killAll);
afterAll(removeBundle);

const ATTACHED = 8;
const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** What the directory holds, by partition and offset, read when nobody has it. */
async function stored(path: string, topic: string): Promise<Map<string, string>> {
  const log = await open(path);
  const consumer = log.consumer<string, string>({ key: utf8, value: utf8 });
  const { partitions } = await log.describeTopic(topic);
  await consumer.assign(partitions.map(({ partition }) => ({ topic, partition })));
  const found = new Map<string, string>();
  for await (const { partition, offset, value } of consumer.records({ until: "end" })) found.set(`${partition}/${offset}`, value as string);
  await log.close();
  return found;
}

it("an owner killed under load with eight attached: one of them is the next within a second, and nothing acknowledged is lost or there twice", async () => {
  const path = temporaryDirectory();
  const [owner, ...attached] = await Promise.all(Array.from({ length: ATTACHED + 1 }, () => Child.start()));
  await owner!.order({ call: "open", path });
  const setUp = await open(path, { attach: true });
  await setUp.createTopic("t", { partitions: 4 });
  await setUp.close();
  await Promise.all(attached.map((child) => child.order({ call: "open", path, options: { attach: true } })));
  await Promise.all(attached.map((child, index) => child.order({ call: "produce", topic: "t", name: `p${index}`, atOnce: 8 })));
  await pause(300);
  const killedMs = Date.now();
  await owner!.kill();
  await pause(1000);
  const told = await Promise.all(attached.map((child) => child.order<Told>({ call: "stop" })));
  const became = told.flatMap(({ events }) => events.filter(({ type }) => type === "owner.became"));
  expect(became).toHaveLength(1);
  expect(became[0]!.atMs - killedMs).toBeLessThan(1000);
  for (const { acked, rejected } of told) {
    expect(rejected).toEqual([]);
    const firstAfter = acked.find(({ atMs }) => atMs > became[0]!.atMs);
    expect(firstAfter!.atMs - killedMs).toBeLessThan(1000);
  }
  await killAll();
  const found = await stored(path, "t");
  const values = [...found.values()];
  expect(new Set(values).size).toBe(values.length);
  for (const { acked } of told) for (const { value, partition, offset } of acked) expect(found.get(`${partition}/${offset}`)).toBe(value);
  const ackedCount = told.reduce((sum, { acked }) => sum + acked.length, 0);
  expect(values.length).toBeGreaterThanOrEqual(ackedCount);
});
