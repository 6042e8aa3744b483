/** Three promises that src/engine did not keep: of a fetch that waits, of a partition to come, and of a file whose writing failed. */
import { expect, it } from "vitest";
import type { Bytes } from "../../src/api/bytes.ts";
import { Checkpoints } from "../../src/engine/checkpoints.ts";
import { Events } from "../../src/engine/events.ts";
import { FetchPath } from "../../src/engine/fetch-path.ts";
import { OpenTopic } from "../../src/engine/open-topic.ts";
import { TopicRegistry } from "../../src/engine/topic-registry.ts";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";
import { get, text } from "../log/books/support.ts";
import { openEngine, produce } from "../simulation/engine-rig.ts";

// It looked again and again, without a turn for anything else in the process, until its time was over: eight seconds, where that was its wait.
it("a fetch that waits when the log closes is answered with what there is", async () => {
  let reads = 0;
  const log = {
    watermarks: { logStartOffset: 0, lastStableOffset: 0, highWatermark: 0, logEndOffset: 0 },
    onProgress: () => () => {},
    read: async (): Promise<Bytes> => {
      reads += 1;
      // Else the test would hang with it.
      if (reads > 50) throw new Error("asked again and again");
      return new Uint8Array(0);
    },
  };
  const topics = new TopicRegistry();
  const facts = { name: "t", topicId: "", internal: false, frozen: false, overrides: {}, config: {} as never };
  topics.put(new OpenTopic({ ...facts, slots: [{ state: "open", log: log as never }] }));
  const closed = new AbortController();
  const path = new FetchPath(topics, new ManualClock(), closed.signal);
  const request = { partitions: [{ topic: "t", partition: 0, offset: 0, maxBytes: 9 }], minBytes: 1, maxWaitMs: 60_000, maxBytes: 9 };
  const answer = path.fetch({ ...request, isolation: "readUncommitted" });
  await settled();
  closed.abort();
  expect((await answer).partitions[0]?.fault).toBeNull();
  expect(reads).toBeLessThan(4);
});

// `reopening` kept the number: the partition, once it was made, took no record before somebody reopened it again.
it("a partition that somebody wanted reopened before it was there takes records once it is", async () => {
  const life = await openEngine(memory());
  await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
  await expect(life.engine.reopenPartition({ topic: "orders", partition: 1 })).rejects.toMatchObject({
    code: "UNKNOWN_TOPIC_OR_PARTITION",
  });
  await life.engine.createPartitions("orders", 2);
  expect(await produce(life, "orders", 1, ["a"])).toBe(0);
  await life.engine.close();
});

// The file was replaced, the flush of the directory behind it failed: what it says then is not what it was taken to say.
it("a line is written away that a writing which failed may have left", async () => {
  const storage = faultyStorage(memory());
  const checkpoints = await Checkpoints.load(storage, new Events(new ManualClock(), {}), false);
  const watermarks = { logStartOffset: 3, highWatermark: 8 };
  const log = { spec: { directory: "orders-0", frozen: false }, recoveryPoint: 7, firstDirtyOffset: null, watermarks };
  storage.fail({ call: "syncDirectory", errno: "EIO" });
  await expect(checkpoints.write([log as never])).rejects.toThrow();
  storage.mend();
  await checkpoints.forgetDurably({ topic: "orders", partition: 0 });
  expect(text(await get(storage, "recovery-point-offset-checkpoint"))).not.toContain("orders 0");
});
