import { describe, expect, it } from "vitest";
import { PartitionState } from "../../../src/log/state/partition-state.ts";
import { decodeSlot, encodeSlot, type PartitionStateFacts } from "../../../src/log/state/state-slot.ts";
import { memory } from "../../../src/storage/memory.ts";
import { contextOn, core, put } from "./support.ts";

const FACTS: PartitionStateFacts = {
  recoveryPoint: 7,
  logStartOffset: 1,
  highWatermark: 9,
  durableSegmentBase: 0,
  durableEndPosition: 900,
  durableEndOffset: 9,
  cleanlyClosed: true,
  activeSegment: null,
  withoutProducers: true,
  txnIndex: null,
  writtenAs: "sync",
};

describe("a slot of the partition state", () => {
  // The fuzzer wrote -1 and 2^53 where a slot tells how long the active segment is, and made the checksum right: opening the partition
  // asked the runtime for that much memory and died of a RangeError that nobody catches. The length is held against what a segment can be.
  it("is not believed with an active segment of no segment's length, however right its checksum", async () => {
    for (const logByteLength of [-1, -65_536, 2 ** 31, 2 ** 53]) {
      const storage = memory();
      await storage.createDirectory("orders-3");
      const rest = { baseOffset: 0, indexByteLength: 0, indexChecksum: 0, timeIndexByteLength: 0, timeIndexChecksum: 0 };
      const activeSegment = { ...rest, logByteLength, logChecksums: [], txnIndexByteLength: 0, txnIndexChecksum: 0 };
      const told = { generation: 1, topicId: new Uint8Array(16), partition: 3, facts: { ...FACTS, activeSegment } };
      await put(storage, "orders-3/odradek.state", encodeSlot(told, new Uint8Array(0), core));
      const identity = { topic: "orders", partition: 3, topicId: "", readOnly: true };
      const state = await PartitionState.load(contextOn(storage), "orders-3", identity);
      expect(state.facts()).toBeNull();
      expect(state.problem).toMatch(/expected an active segment of 0 to 2\^31-1 bytes/);
      await state.close();
    }
  });

  // `dump` of a file of one byte under this name ended in a RangeError.
  it("says of one that is cut short how much of it there is", () => {
    expect(decodeSlot(Uint8Array.of(0x25), core)).toBe("expected 256 bytes, found 1");
  });
});
