/** A topic that a Kafka broker wrote, taken over by a machine that dies at any call of it: still the broker's, or wholly ours. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type Life, openEngine, produce, SIM_SCALE, watched } from "./engine-rig.ts";

const GOLDEN = new URL("../fixtures/golden/data-crash/", import.meta.url);
const IMAGES = Math.ceil(3 * SIM_SCALE);

async function brokersDisk(): Promise<CrashStorage> {
  const disk = crashStorage();
  const put = async (name: string): Promise<void> => {
    const file = await disk.open(name, { create: "new" });
    const bytes = readFileSync(new URL(name, GOLDEN));
    if (bytes.length > 0) file.writeAt(bytes, 0);
    await file.sync();
    await file.close();
  };
  for (const entry of readdirSync(GOLDEN, { withFileTypes: true })) {
    if (entry.isFile()) await put(entry.name);
    if (!entry.isDirectory()) continue;
    await disk.createDirectory(entry.name);
    for (const name of readdirSync(new URL(`${entry.name}/`, GOLDEN))) await put(`${entry.name}/${name}`);
    await disk.syncDirectory(entry.name);
  }
  await disk.syncDirectory("");
  return disk;
}

/** The bytes of every batch, as hexadecimal text: the broker's batches hold what no writer here makes. */
async function batchesOf({ engine }: Life): Promise<string> {
  const found: string[] = [];
  for (let offset = engine.describeTopic("orders").partitions[0]?.logStartOffset ?? 0; ; ) {
    const wanted = [{ topic: "orders", partition: 0, offset, maxBytes: 1 }];
    const [answer] = (await engine.fetch({ partitions: wanted, minBytes: 0, maxWaitMs: 0, maxBytes: 1, isolation: "readUncommitted" }))
      .partitions;
    if (answer?.fault) throw new Error(answer.fault.message);
    const batch = answer?.batches ?? new Uint8Array(0);
    if (batch.length === 0) return found.join();
    const view = new DataView(batch.buffer, batch.byteOffset);
    offset = Number(view.getBigInt64(0)) + view.getInt32(23) + 1;
    found.push(Buffer.from(batch).toString("hex"));
  }
}

it("adoptTopic leaves the topic as it was or adopted, with every record, and it can be adopted again", async () => {
  const frozen = await openEngine(await brokersDisk());
  const expected = await batchesOf(frozen);
  expect(expected.length).toBeGreaterThan(100);
  const settings = { partitions: 2, cleanupPolicy: "delete" } as const;
  const disk = await brokersDisk();
  const images: { readonly image: CrashStorage; readonly call: string }[] = [];
  let adopting = false;
  const life = await openEngine(
    watched(disk, (call) => {
      if (adopting) for (const image of disk.enumerateCrashes(IMAGES)) images.push({ image, call });
    }),
  );
  adopting = true;
  await life.engine.adoptTopic("orders", settings);
  adopting = false;
  for (const image of disk.enumerateCrashes(IMAGES)) images.push({ image, call: "" });
  let adopted = 0;
  for (const { image, call } of images) {
    const where = `power lost before "${call}"`;
    const next = await openEngine(image, "next");
    expect(await batchesOf(next), where).toBe(expected);
    const isOurs = next.engine.describeTopic("orders").partitions.length === 2;
    if (isOurs) adopted += 1;
    else await next.engine.adoptTopic("orders", settings);
    if (call === "") expect(isOurs).toBe(true);
    await produce(next, "orders", 0, ["ours"]);
    await produce(next, "orders", 1, ["ours"]);
    const after = await batchesOf(next);
    const last = await openEngine(image.crash(new SeededRandom(1), { survival: "nothing" }), "last");
    expect(await batchesOf(last), where).toBe(after);
    expect(after.startsWith(expected)).toBe(true);
    await last.engine.close();
  }
  expect(adopted).toBeGreaterThan(0);
  expect(adopted).toBeLessThan(images.length);
  await frozen.engine.close();
}, 120_000);
