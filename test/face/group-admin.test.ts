/** Looking at a group, and setting it back, while topics come and go under it; and a port for what is no log. */
import { MessageChannel } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import type { Broker, CommittedOffset, GroupSnapshot, ListedOffset } from "../../src/api/broker.ts";
import { faultFromError, UsageError } from "../../src/base/errors.ts";
import { describeGroup, resetOffsets } from "../../src/group-admin.ts";
import { servePort } from "../../src/index.ts";

const gone = new UsageError("UNKNOWN_TOPIC_OR_PARTITION", 'there is no topic "orders"');
const watermarks = { logStartOffset: 0, lastStableOffset: 0, highWatermark: 0, logEndOffset: 0 };
const missing: ListedOffset = { topic: "orders", partition: 0, fault: faultFromError(gone), offset: null, timestamp: -1, watermarks };

/** Of a topic that goes between one question and the next. */
function broker(more: Partial<Record<keyof Broker, unknown>> = {}): Broker {
  const group: GroupSnapshot = {
    groupId: "g",
    state: "Empty",
    generation: 3,
    protocolType: "consumer",
    protocolName: null,
    members: [],
  } as never;
  const committed = { topic: "orders", partition: 0, nextOffset: 7, leaderEpoch: -1, metadata: "" } satisfies CommittedOffset;
  return {
    describeGroup: async () => group,
    offsetFetch: async () => [committed],
    listOffsets: async () => [missing],
    describeConfig: async () => ({}),
    offsetCommit: async () => [],
    ...more,
  } as unknown as Broker;
}

describe("a group", () => {
  it("is described with what it committed of a topic that has gone, which it is not behind in", async () => {
    expect((await describeGroup(broker(), "g")).offsets).toEqual([{ topic: "orders", partition: 0, nextOffset: 7, lag: 0 }]);
  });

  it("is set back in nothing where the topic goes meanwhile, and is told where its partitions do", async () => {
    const nothing = broker({ metadata: async () => [], listOffsets: async () => [] });
    expect(await resetOffsets(nothing, "g", "orders", "earliest")).toEqual([]);
    const without = broker({ metadata: async () => [{ name: "orders", partitionCount: 1 }] });
    await expect(resetOffsets(without, "g", "orders", "latest")).rejects.toMatchObject({ code: gone.code, message: gone.message });
  });
});

describe("servePort", () => {
  it("is for a log that open() gave", () => {
    const { port1 } = new MessageChannel();
    expect(() => servePort({} as never, port1)).toThrow(
      expect.objectContaining({
        name: "UsageError",
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("found an object") as string,
      }),
    );
    port1.close();
  });
});
