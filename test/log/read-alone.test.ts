/**
 * Logs that are opened to be read alone, where there is nothing to read yet.
 *
 * The tale: the power went while the engine made the first partition of `__consumer_offsets`, when of its files the state alone was
 * durable. Whoever opened the directory to write put an empty segment there, as is legal. Whoever opened it with `readOnly` may put nothing
 * there, looked for the segment all the same, and was told that what the groups committed is not known. Nobody had: the prover of
 * crashes opened what it found to write, always.
 *
 * The next thing it found: on an "os" topic deleteRecords is durable and the records are not. The power takes them, and the log ends before
 * its start. A writer goes on at the start; whoever read alone was told of a log that begins at 1 and ends at 0.
 */
import { expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { commit, openEngine, produce } from "../simulation/engine-rig.ts";
import { created, opened, type RigOptions, readAll, send } from "./log-rig.ts";

it("a partition without a segment is empty to whoever reads alone, who makes none", async () => {
  const storage = memory();
  const { log } = await created(storage);
  await log.close(false);
  for (const { name } of await storage.list("orders-0")) if (name !== "odradek.state") await storage.remove(`orders-0/${name}`);
  const { log: read } = await opened(storage, { readOnly: true });
  expect(read.failure).toBeNull();
  expect(read.watermarks).toMatchObject({ logStartOffset: 0, highWatermark: 0, logEndOffset: 0 });
  expect(await readAll(read)).toEqual([]);
  expect(await read.offsetForTime(0)).toBeNull();
  await read.close(false);
  expect((await storage.list("orders-0")).map(({ name }) => name)).toEqual(["odradek.state"]);
  const { log: written } = await opened(storage);
  await send(written, "first");
  expect((await readAll(written)).map(({ value }) => value)).toEqual(["first"]);
  await written.close(true);
});

it("a log that lost all that was left of it is empty where it starts, to whoever reads alone", async () => {
  const disk = crashStorage();
  const options: RigOptions = { config: { durability: "os" } };
  const { log } = await created(disk, options);
  await send(log, "first", "second");
  await log.deleteRecordsBefore(2);
  const bare = disk.crash(new SeededRandom(1), { survival: "nothing" });
  const before = bare.fingerprint();
  const { log: read } = await opened(bare, { ...options, readOnly: true });
  expect(read.watermarks).toMatchObject({ logStartOffset: 2, highWatermark: 2, logEndOffset: 2 });
  expect(await readAll(read)).toEqual([]);
  await read.close(false);
  expect(bare.fingerprint()).toBe(before);
});

it("what groups committed is known to whoever reads alone, wherever the power went in a first commit", async () => {
  const disk = crashStorage();
  const life = await openEngine(disk);
  await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
  await produce(life, "orders", 0, ["first"]);
  const images: ReturnType<typeof disk.afterCrash>[] = [];
  const random = new SeededRandom(1);
  disk.watch(() => {
    for (let count = 0; count < 3; count += 1) images.push(disk.afterCrash(random));
  });
  await commit(life, "g", "orders", 0, 1, true);
  disk.watch(null);
  await life.engine.close();
  expect(images.length).toBeGreaterThan(20);
  for (const image of images) {
    const before = image.fingerprint();
    const { engine } = await openEngine(image, 1, { readOnly: true });
    const [found] = await engine.offsetFetch({ groupId: "g", partitions: [{ topic: "orders", partition: 0 }] });
    expect([null, 1]).toContain(found?.nextOffset ?? null);
    await engine.close();
    expect(image.fingerprint()).toBe(before);
  }
});
