/** Disks of whole engines, on which no partition is handed a batch of another one by the disk itself. */
import { HEADER_BYTE_LENGTH, LENGTH_AT, LENGTH_OVERHEAD, MAGIC_AT } from "../../../src/base/record-batch.ts";
import type { CrashStorageOptions } from "../../../src/testing/crash-storage.ts";

const MAGIC = 2;

/**
 * A Kafka batch does not say which partition it is of. Where a file system shows old blocks of one file in another, and a whole batch in
 * them begins just where a log's flushed bytes end, at the very offset that comes next, no reader of that format can tell: docs/DURABILITY.md
 * says so, and such sectors do not come back here. Every other does, and so do those that hold a batch in part.
 */
export const UNLIKE_BATCHES: Required<Pick<CrashStorageOptions, "mayReturn">> = {
  mayReturn(sector) {
    if (sector.length < HEADER_BYTE_LENGTH || sector[MAGIC_AT] !== MAGIC) return true;
    const length = new DataView(sector.buffer, sector.byteOffset).getInt32(LENGTH_AT);
    return length + LENGTH_OVERHEAD > sector.length;
  },
};
