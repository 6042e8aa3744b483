/** One stored batch on its way to the caller: where it lies in the fetched bytes, and from which offset on it is wanted. */
import type { Bytes } from "../api/bytes.ts";
import type { PartitionState } from "./partition-state.ts";

export interface BatchSlice {
  readonly state: PartitionState;
  /** Of the state when it was fetched: another one now means that this data is no longer wanted. */
  readonly epoch: number;
  readonly bytes: Bytes;
  /** Where in `bytes` the batch begins. */
  readonly at: number;
  readonly byteLength: number;
  readonly baseOffset: number;
  /** As the header says: compaction may have taken the record itself. */
  readonly lastOffset: number;
  readonly recordCount: number;
}
