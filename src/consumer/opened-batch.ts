/** A compressed batch with its records in the open, in memory of its own; or the error that says which offsets are lost, and where to go on. */
import type { Bytes } from "../api/bytes.ts";
import { CorruptionError, UsageError } from "../base/errors.ts";
import type { Compression } from "../compression/compression.ts";
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import type { PartitionState } from "./partition-state.ts";

interface Place {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** Where in the fetched bytes it begins. */
  readonly at: number;
}

export function openBatch(compression: Compression, state: PartitionState, batch: Uint8Array, place: Place): Bytes {
  const { baseOffset, lastOffset, at } = place;
  try {
    return compression.decompressBatch(batch);
  } catch (error) {
    const which = `${state}: the batch of offsets ${baseOffset} to ${lastOffset}`;
    if (error instanceof CorruptBatchError) {
      throw new CorruptionError(`${which} cannot be opened: ${error.message}; seek to ${lastOffset + 1} to go on behind it`, {
        file: `${state}`,
        byteRange: [at, at + batch.length],
        offsetRange: [baseOffset, lastOffset + 1],
        nextReadableOffset: lastOffset + 1,
        cause: error,
      });
    }
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(error.code, `${which}: ${error.message}; seek to ${lastOffset + 1} to go on behind it`, { cause: error });
  }
}
