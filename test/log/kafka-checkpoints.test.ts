/** Kafka's checkpoints are texts without a checksum: when they are believed, and when our own state knows better. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { CorruptionError } from "../../src/base/errors.ts";
import { memory } from "../../src/storage/memory.ts";
import { created, opened, send } from "./log-rig.ts";

// One digit of `log-start-offset-checkpoint` was flipped in a directory that nobody but us had written: the records before it were gone.
it("a log start of Kafka's counts where a broker has closed the directory, and not over our own state elsewhere", async () => {
  const storage = memory();
  const { log } = await created(storage);
  for (const value of ["first", "second", "third"]) await send(log, value);
  await log.close(true);
  const checkpoint = { recoveryPoint: null, logStartOffset: 2 };
  for (const [cleanShutdown, leftByUs, logStartOffset] of [
    [false, false, 0],
    [true, true, 0],
    [true, false, 2],
  ] as const) {
    const { log: again } = await opened(storage, { cleanShutdown, leftByUs, checkpoint, readOnly: true });
    expect(again.watermarks).toMatchObject({ logStartOffset, logEndOffset: 3 });
    await again.close(false);
  }
});

// The base offset of the last batch was another, which Kafka's checksum does not cover: the log ended there, and records were not shown.
it("a recovery point of Kafka's says how far its log went", async () => {
  const golden = new URL("../fixtures/golden/data-clean/orders-0/", import.meta.url);
  const storage = memory();
  await storage.createDirectory("orders-0");
  for (const name of readdirSync(golden)) {
    const bytes = new Uint8Array(readFileSync(new URL(name, golden)));
    if (name === "00000000000000000016.log") bytes[308] = (bytes[308] as number) ^ 4;
    const file = await storage.open(`orders-0/${name}`, { create: "new" });
    file.writeAt(bytes, 0);
    await file.close();
  }
  const topicId = /topic_id: (.*)$/.exec(readFileSync(new URL("partition.metadata", golden), "utf8"))?.[1] ?? "";
  const checkpoint = { recoveryPoint: 21, logStartOffset: null };
  const { log } = await opened(storage, { topicId, frozen: true, cleanShutdown: true, leftByUs: false, checkpoint });
  expect(log.watermarks.logEndOffset).toBe(21);
  await expect(log.read(20, 1)).rejects.toBeInstanceOf(CorruptionError);
  expect((await log.read(19, 1)).length).toBeGreaterThan(0);
  await log.close(false);
});
