/** What a consumer may be made with. */
import { describe, expect, it } from "vitest";
import { bed } from "./bed.ts";

describe("options", () => {
  it.each([
    [{ groupID: "g" }, /groupId/],
    [{ "group.id": "g" }, /groupId/],
    [{ autoOffsetRest: "latest" }, /autoOffsetReset/],
  ])("names the nearest for an unknown one: %j", async (options, message) => {
    const { consumer } = await bed();
    expect(() => consumer(options as never)).toThrow(
      expect.objectContaining({ name: "UsageError", code: "UNKNOWN_CONFIG", message: expect.stringMatching(message) }),
    );
  });

  it.each([
    { groupId: "" },
    { groupId: 5 },
    { key: {} },
    { value: "utf8" },
    { autoOffsetReset: "newest" },
    { enableAutoCommit: "yes" },
    { autoCommitIntervalMs: 0 },
    { isolationLevel: "read_committed" },
    { maxPollRecords: 0 },
    { maxPollRecords: 1.5 },
    { fetchMaxBytes: -1 },
    { signal: {} },
    { partitionAssignmentStrategy: "fair" },
    { partitionAssignmentStrategy: [] },
    { partitionAssignmentStrategy: ["range", "range"] },
    { partitionAssignmentStrategy: ["range", "fair"] },
    { onDeserializeError: "ignore" },
  ])("refuses %j", async (options) => {
    const { consumer } = await bed();
    expect(() => consumer(options as never)).toThrow(expect.objectContaining({ name: "UsageError", code: "INVALID_ARGUMENT" }));
  });

  it("refuses enableAutoCommit without a group, and takes undefined for what is left out", async () => {
    const { consumer } = await bed();
    expect(() => consumer({ enableAutoCommit: true })).toThrow(expect.objectContaining({ code: "NO_GROUP" }));
    expect(() => consumer({ groupId: "g", partitionAssignmentStrategy: ["sticky", "range"] })).not.toThrow();
    expect(() => consumer({ groupId: undefined, signal: undefined, maxPollRecords: undefined })).not.toThrow();
  });

  it("refuses options of records() and batches() that mean nothing", async () => {
    const { consumer } = await bed();
    expect(() => consumer().records({ until: "now" } as never)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => consumer().batches({ untill: "end" } as never)).toThrow(expect.objectContaining({ code: "UNKNOWN_CONFIG" }));
  });
});
